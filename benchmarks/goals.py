"""What must hold: a ratio to another of the same run, or a figure by itself."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Better", "Goal", "Unchanged", "Verdict"]


class Better(enum.StrEnum):
    """Which figures are the good ones."""

    MORE = "more"
    LESS = "less"


class Verdict(enum.StrEnum):
    """How a figure stands to its goal, or ours to itself in another checkout."""

    REACHED = "goal reached"
    ABOVE_FLOOR = "above its floor"
    MISSED = "below its floor"
    UNSURE = "below its floor, by less than its spread"
    FASTER = "faster than its spread"
    SAME = "the same"
    SLOWER = "slower than its spread"

    @property
    def is_failure(self) -> bool:
        """Whether it must not be."""
        return self in {Verdict.MISSED, Verdict.SLOWER}


class Goal(msgspec.Struct, frozen=True):
    """What a row of ours must reach.

    Attributes:
        against: The contender it is a ratio to; empty: the figure itself counts.
        goal: What we want.
        floor: What must never be missed, even on a noisy machine, by more than the spread.
    """

    against: str
    goal: float
    floor: float

    def verdict(self, found: float, better: Better, spread: float) -> Verdict:
        """Say how a ratio, or a figure in its row's unit, stands.

        A ratio tells how many times better we are, so more is better whatever the row counts. A floor is
        missed only by more than the spread explains.
        """
        power = -1 if better is Better.LESS and not self.against else 1
        if (found / self.goal) ** power >= 1:
            return Verdict.REACHED
        share = (found / self.floor) ** power
        if share >= 1:
            return Verdict.ABOVE_FLOOR
        return Verdict.UNSURE if share * (1 + spread) >= 1 else Verdict.MISSED

    def __str__(self) -> str:
        return f"goal {self.goal:g}, floor {self.floor:g}"


class Unchanged(msgspec.Struct, frozen=True):
    """That ours is not worse than the same in another checkout, by more than the spread.

    Attributes:
        against: That contender.
    """

    against: str

    def verdict(self, found: float, _better: Better, spread: float) -> Verdict:
        """Say how a ratio stands, where the less steady of the two has some spread."""
        if found * (1 + spread) < 1:
            return Verdict.SLOWER
        return Verdict.FASTER if found > 1 + spread else Verdict.SAME
