"""What rounds come to: each contender's median, how far its rounds lie apart, and how ours stands to it.

**Verdict.** The ratio of two medians of one run, over at least `ENOUGH` rounds in which contenders take
turns: of CPU time an operation, or of the row's own figure (`benchmarks.rows.Figure`).

**Spread.** (max - min) / median of the rounds, without the one of five that is furthest from the median. One
round that is disturbed does not move a median of five, and neither must it move what says how far to trust
that. The width of the middle half would not do: 8 of 100 rows that are alike would pass for "slower than its
spread". With this it is 3 of 100 after five rounds, and 2 of 1,000 after the seven of a comparison (noise
taken as normal).

What it explains is no failure: neither a figure that is so little below its floor, nor a checkout that is so
little slower than another.

**Repetition.** A row whose spread is over `STEADY` is repeated by itself (`benchmarks.rounds`), where there
is a verdict to give. The first run that is steady counts, alone: what disturbed the others is over. If none
is, all rounds of all runs count together. The spreads of all runs are shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.goals import Better, Goal, Unchanged, Verdict
from benchmarks.rows import Figure, Row, Sample

__all__ = ["ENOUGH", "STEADY", "RowResult", "Standing", "compare", "spread_of"]

ENOUGH: Final = 5  # rounds
STEADY: Final = 0.15


class Standing(msgspec.Struct, frozen=True):
    """How one contender did: medians of its rounds.

    Attributes:
        name: Who.
        samples: One a round.
        median: Of each attribute of the samples.
        spread: How far the rounds lie apart, in the row's figure, as a share of the median.
        ratio: How many times better ours is, in the row's figure; 1.0 for ours.
    """

    name: str
    samples: tuple[Sample, ...]
    median: Sample
    spread: float
    ratio: float


class RowResult(msgspec.Struct, frozen=True):
    """What a row gave; the attributes that are not here are those of `Row`.

    Attributes:
        spreads: Those of all runs of the row, in their order.
    """

    name: str
    title: str
    unit: str
    figure: Figure
    better: Better
    standings: tuple[Standing, ...]
    goals: tuple[Goal | Unchanged, ...]
    note: str
    spreads: tuple[float, ...] = ()

    @property
    def deciding(self) -> list[Standing]:
        """Ours, and whom a goal names."""
        names = {self.standings[0].name, *(goal.against for goal in self.goals)}
        return [standing for standing in self.standings if standing.name in names]

    @property
    def spread(self) -> float:
        """The largest spread of those who decide."""
        return max(standing.spread for standing in self.deciding)

    def has_verdict(self, goal: Goal | Unchanged) -> bool:
        """Whether there were rounds enough for one; a figure by itself may stand alone."""
        return not goal.against or len(self.standings[0].samples) >= ENOUGH

    def found(self, goal: Goal | Unchanged) -> float:
        """Return what a goal is compared with: our ratio to another, or our own figure."""
        if not goal.against:
            return self.standings[0].median.value
        return next(standing.ratio for standing in self.standings if standing.name == goal.against)

    def verdict(self, goal: Goal | Unchanged) -> Verdict:
        """Return how ours stands to a goal."""
        return goal.verdict(self.found(goal), self.better, self.spread)


def compare(row: Row, samples: Sequence[Sequence[Sample]]) -> RowResult:
    """Take medians and say how many times better the first contender is than each."""
    medians = [_median(found) for found in samples]
    standings = tuple(
        Standing(
            contender.name,
            tuple(found),
            median,
            spread_of([getattr(sample, row.figure) for sample in found]),
            _times_better(row, medians[0], median),
        )
        for contender, found, median in zip(row.contenders, samples, medians, strict=True)
    )
    return RowResult(row.name, row.title, row.unit, row.figure, row.better, standings, row.goals, row.note)


def spread_of(values: Sequence[float]) -> float:
    """Return how far values lie apart, as a share of their median; see the module."""
    median = statistics.median(values)
    nearest = sorted(values, key=lambda value: abs(value - median))
    kept = nearest[: len(values) - len(values) // ENOUGH]
    return (max(kept) - min(kept)) / abs(median) if median else 0.0


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(*(_median_of(samples, field) for field in Sample.__struct_fields__))  # type: ignore[arg-type]


def _median_of(samples: Sequence[Sample], field: str) -> float | None:
    found = [value for sample in samples if (value := getattr(sample, field)) is not None]
    return statistics.median(found) if found else None


def _times_better(row: Row, ours: Sample, theirs: Sample) -> float:
    if row.figure is Figure.CPU:
        return theirs.cpu_us / ours.cpu_us
    return ours.value / theirs.value if row.better is Better.MORE else theirs.value / ours.value
