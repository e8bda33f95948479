"""What must hold: a ratio to a peer of the same run, or a figure by itself."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Better", "Goal", "Verdict"]


class Better(enum.StrEnum):
    """Which figures are the good ones."""

    MORE = "more"
    LESS = "less"


class Verdict(enum.StrEnum):
    """How a figure stands to its goal."""

    REACHED = "goal"
    ABOVE_FLOOR = "floor"
    MISSED = "below"


class Goal(msgspec.Struct, frozen=True):
    """What a row of ours must reach.

    Attributes:
        against: The contender it is a ratio to; empty: the figure itself counts.
        goal: What we want.
        floor: What must never be missed, even on a noisy machine.
    """

    against: str
    goal: float
    floor: float

    def verdict(self, found: float, better: Better) -> Verdict:
        """Say how a ratio, or a figure in its row's unit, stands.

        A ratio tells how many times better we are, so more is better whatever the row counts.
        """
        sign = -1 if better is Better.LESS and not self.against else 1
        if sign * found >= sign * self.goal:
            return Verdict.REACHED
        return Verdict.ABOVE_FLOOR if sign * found >= sign * self.floor else Verdict.MISSED
