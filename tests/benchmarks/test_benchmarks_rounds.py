"""Turns, medians, and who is how many times better."""

from __future__ import annotations

import pytest

from benchmarks.goals import Better, Goal
from benchmarks.rounds import OURS, Contender, Row, RowResult, Sample, compare, measure_row, without_peers
from benchmarks.servers import Running


def contender(name: str) -> Contender:
    return Contender(name, None, lambda *_: Sample(1.0))


def compared(better: Better, *samples: list[Sample]) -> RowResult:
    names = [OURS, "peer", "C: limit"][: len(samples)]
    row = Row("name", "title", "unit", tuple(map(contender, names)), better=better)
    return compare(row, samples)


def test_contenders_take_turns() -> None:
    turns: list[tuple[str, float]] = []

    def noted(name: str) -> Contender:
        def measure(_: Running | None, seconds: float) -> Sample:
            turns.append((name, seconds))
            return Sample(len(turns))

        return Contender(name, None, measure)

    result = measure_row(Row("n", "t", "u", (noted(OURS), noted("peer"))), rounds=2, seconds=0.5)
    assert turns == [(OURS, 0.5), ("peer", 0.5), (OURS, 0.5), ("peer", 0.5)]
    assert [standing.values for standing in result.standings] == [(1, 3), (2, 4)]


def test_a_row_may_have_its_own_turns() -> None:
    turns: list[float] = []

    def measure(_: Running | None, seconds: float) -> Sample:
        turns.append(seconds)
        return Sample(1.0)

    row = Row("n", "t", "u", (Contender(OURS, None, measure),), seconds=2.0, rounds=1)
    measure_row(row, rounds=3, seconds=0.5)
    assert turns == [2.0]


def test_the_median_counts_in_every_column() -> None:
    samples = [Sample(10, 1, 5, 9, 0.1), Sample(1000, 3, 7, 8, 0.3), Sample(30, 2, 6, 7, 0.2)]
    ours = compared(Better.MORE, samples).standings[0]
    assert (ours.value, ours.cpu_us, ours.p50_us, ours.p99_us, ours.client_busy) == (30, 2, 6, 8, 0.2)
    assert ours.values == (10, 1000, 30)


def test_what_was_not_measured_stays_unknown() -> None:
    ours, peer = compared(Better.MORE, [Sample(10)], [Sample(5, 2.0)]).standings
    assert (ours.cpu_us, ours.cpu_ratio, peer.cpu_ratio) == (None, None, None)


@pytest.mark.parametrize(
    ("better", "ours", "theirs", "ratio"),
    [(Better.MORE, 80, 10, 8.0), (Better.LESS, 0.5, 2.0, 4.0), (Better.MORE, 5, 10, 0.5)],
)
def test_a_ratio_says_how_many_times_better_ours_is(
    better: Better, ours: float, theirs: float, ratio: float
) -> None:
    result = compared(better, [Sample(ours)], [Sample(theirs)])
    assert [standing.ratio for standing in result.standings] == [1.0, ratio]
    assert result.ratio("peer") == ratio
    assert result.ratio("") == ours


def test_a_cpu_ratio_says_how_many_times_less_ours_needs() -> None:
    result = compared(Better.MORE, [Sample(1, 10.0)], [Sample(1, 80.0)])
    assert [standing.cpu_ratio for standing in result.standings] == [1.0, 8.0]


def test_without_peers_only_ours_and_limits_are_left() -> None:
    contenders = tuple(map(contender, (OURS, f"{OURS} --in-process", "peer", "C: limit")))
    goals = (Goal("peer", 8, 4), Goal("C: limit", 0.8, 0.7), Goal("", 9000, 2000))
    left = without_peers(Row("n", "t", "u", contenders, goals))
    assert [one.name for one in left.contenders] == [OURS, f"{OURS} --in-process", "C: limit"]
    assert left.goals == goals[1:]
