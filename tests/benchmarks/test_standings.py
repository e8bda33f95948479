"""Medians, spreads, and who is how many times better."""

from __future__ import annotations

import pytest

from benchmarks.goals import Better, Goal, Unchanged, Verdict
from benchmarks.rows import OURS, Contender, Figure, Row, Sample
from benchmarks.standings import RowResult, compare, spread_of

NAMES = [OURS, "peer", "other"]


def compared(
    *samples: list[Sample],
    goals: tuple[Goal, ...] = (),
    figure: Figure = Figure.CPU,
    better: Better = Better.MORE,
) -> RowResult:
    contenders = tuple(Contender(name, None, lambda *_: Sample(1.0, 1.0)) for name in NAMES[: len(samples)])
    return compare(Row("name", "title", "unit", contenders, goals, figure, better), samples)


def cpu(*cpu_us: float) -> list[Sample]:
    """Rounds with the same rate."""
    return [Sample(1000.0, each) for each in cpu_us]


def test_the_median_counts_in_every_column() -> None:
    samples = [Sample(10, 1, 5, 9, 0.1), Sample(1000, 3, 7, 8, 0.3), Sample(30, 2, 6, 7, 0.2)]
    ours = compared(samples).standings[0]
    assert ours.median == Sample(30, 2, 6, 8, 0.2)
    assert ours.samples == tuple(samples)


def test_what_was_not_measured_stays_unknown() -> None:
    assert compared([Sample(10, 1)]).standings[0].median == Sample(10, 1, None, None, None)


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([10, 10, 10, 10, 10], 0.0),
        ([98, 99, 100, 101, 103], 0.03),  # 103 is the furthest
        ([1000, 10, 10.4, 9.9, 10.1], 0.05 / 1.01),  # one is disturbed; the others are 9.9 to 10.4
        ([1000, 10, 12, 900, 11], (900 - 10) / 12),  # two are
        ([98, 100, 102, 100, 100, 100, 40, 100, 100, 160], 0.04),  # two of ten are left out
        ([9, 10, 11], 0.2),  # too few to leave one out
        ([10], 0.0),
        ([-8, -10, -12, -10, -10], 0.2),
        ([0, 0, 5], 0.0),
    ],
)
def test_spread(values: list[float], spread: float) -> None:
    assert spread_of(values) == pytest.approx(spread)


def test_a_ratio_is_one_of_cpu_time_whatever_the_rates_are() -> None:
    ours, peer = [Sample(500, 25)] * 5, [Sample(9000, 100)] * 5
    result = compared(ours, peer, goals=(Goal("peer", 8, 3.4),))
    assert [standing.ratio for standing in result.standings] == [1.0, 4.0]
    assert result.found(Goal("peer", 8, 3.4)) == 4.0


@pytest.mark.parametrize(
    ("better", "ours", "theirs", "ratio"),
    [(Better.MORE, 80, 10, 8.0), (Better.LESS, 0.5, 2.0, 4.0), (Better.MORE, 5, 10, 0.5)],
)
def test_a_figure_by_itself_is_compared_by_itself(
    better: Better, ours: float, theirs: float, ratio: float
) -> None:
    result = compared([Sample(ours, 1)], [Sample(theirs, 1)], figure=Figure.VALUE, better=better)
    assert result.standings[1].ratio == ratio
    assert result.found(Goal("", 1, 1)) == ours


@pytest.mark.parametrize(
    ("peer", "verdict"),
    [
        ([90, 80, 100, 30, 81], Verdict.REACHED),  # 81 / 10
        ([70, 60, 90, 79, 80], Verdict.ABOVE_FLOOR),  # 79 / 10
        ([30, 29, 90, 31, 30], Verdict.MISSED),  # 30 / 10, and the spread of ours is 20%
        ([38, 39, 39, 90, 40], Verdict.UNSURE),  # 39 / 10
    ],
)
def test_a_verdict_is_about_the_ratio_of_medians(peer: list[float], verdict: Verdict) -> None:
    goal = Goal("peer", 8, 4)
    result = compared(cpu(10, 9, 11, 10, 50), cpu(*peer), goals=(goal,))
    assert result.verdict(goal) is verdict


def test_those_who_decide_give_the_spread() -> None:
    ours, peer, other = cpu(10, 10, 10, 10, 10), cpu(20, 21, 20, 20, 22), cpu(1, 2, 3, 4, 5)
    assert compared(ours, peer, other, goals=(Goal("peer", 8, 4),)).spread == 0.05
    assert compared(ours, peer, other).spread == 0.0


@pytest.mark.parametrize(
    ("goal", "rounds", "has_verdict"),
    [
        (Goal("peer", 8, 4), 5, True),
        (Goal("peer", 8, 4), 4, False),
        (Goal("", 8, 4), 1, True),
        (Unchanged("peer"), 5, True),
        (Unchanged("peer"), 1, False),
    ],
)
def test_four_rounds_give_no_verdict(goal: Goal | Unchanged, rounds: int, has_verdict: bool) -> None:
    assert compared(*[[Sample(1, 1)] * rounds] * 2).has_verdict(goal) is has_verdict
