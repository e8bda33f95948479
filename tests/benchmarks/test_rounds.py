"""Turns, and rows that are repeated because they are not steady."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.goals import Goal
from benchmarks.rounds import measure_row, row_seconds
from benchmarks.rows import OURS, Contender, Figure, Row, Sample
from benchmarks.servers import Running, Server
from benchmarks.standings import RowResult

STEADY = [100.0, 104.0, 98.0, 102.0, 100.0]  # a spread of 4%: without 104 they are 98 to 102
WILD = [100.0, 150.0, 100.0, 60.0, 100.0]  # 40%: without 150
WILDER = [100.0, 180.0, 100.0, 40.0, 100.0]  # 60%: without 180


def contender(name: str, *runs: list[float]) -> Contender:
    """One whose turns take these microseconds for an operation; another turn is an error."""
    turns: Iterator[float] = iter([cpu_us for run in runs for cpu_us in run])
    return Contender(name, None, lambda *_: Sample(1e6, next(turns)))


def measured(*contenders: Contender, goals: tuple[Goal, ...] = (Goal(OURS, 1, 1),)) -> RowResult:
    return measure_row(Row("n", "t", "u", contenders, goals), rounds=5, seconds=0.5)


def cpu_us(result: RowResult, number: int = 0) -> list[float]:
    return [sample.cpu_us for sample in result.standings[number].samples]


def test_contenders_take_turns() -> None:
    turns: list[tuple[str, float]] = []

    def noted(name: str) -> Contender:
        def measure(_: Running | None, seconds: float) -> Sample:
            turns.append((name, seconds))
            return Sample(len(turns), 1.0)

        return Contender(name, None, measure)

    result = measure_row(Row("n", "t", "u", (noted(OURS), noted("peer"))), rounds=2, seconds=0.5)
    assert turns == [(OURS, 0.5), ("peer", 0.5), (OURS, 0.5), ("peer", 0.5)]
    assert [[sample.value for sample in each.samples] for each in result.standings] == [[1, 3], [2, 4]]


@pytest.mark.parametrize(("asked", "seconds"), [(None, 2.0), (0.5, 0.5)])
def test_a_row_may_have_its_own_turns(asked: float | None, seconds: float) -> None:
    turns: list[float] = []

    def measure(_: Running | None, seconds: float) -> Sample:
        turns.append(seconds)
        return Sample(1.0, 1.0)

    row = Row("n", "t", "u", (Contender(OURS, None, measure),), seconds=2.0, rounds=1)
    measure_row(row, rounds=5, seconds=asked)
    assert turns == [seconds]


def test_a_steady_row_is_measured_once() -> None:
    result = measured(contender(OURS, STEADY))
    assert result.spreads == (0.04,)


def test_a_row_that_is_not_steady_is_repeated_until_it_is() -> None:
    result = measured(contender(OURS, WILD, STEADY))
    assert result.spreads == (0.4, 0.04)
    assert cpu_us(result) == STEADY


def test_without_a_goal_there_is_no_verdict_to_repeat_it_for() -> None:
    assert measured(contender(OURS, WILD), goals=()).spreads == (0.4,)


def test_it_is_repeated_with_its_peers_twice_and_no_more() -> None:
    result = measured(contender(OURS, WILDER, WILD, WILDER), contender("peer", STEADY, STEADY, STEADY))
    assert result.spreads == (0.6, 0.4, 0.6)


def test_if_no_run_is_steady_all_their_rounds_count() -> None:
    result = measured(contender(OURS, WILDER, WILD, WILDER), contender("peer", *[STEADY] * 3))
    assert cpu_us(result) == WILDER + WILD + WILDER
    assert cpu_us(result, 1) == STEADY * 3
    assert result.standings[0].spread == 1.1  # 40 to 150: without 180, 180 and a 40


def test_a_rate_that_is_not_steady_does_not_matter_beside_cpu_time() -> None:
    rates = iter([900.0, 300.0, 500.0, 100.0, 700.0])
    ours = Contender(OURS, None, lambda *_: Sample(next(rates), 100.0))
    assert measured(ours).spreads == (0.0,)


def test_a_figure_by_itself_is_repeated_for_its_own_spread() -> None:
    seconds = iter([1.0, 1.5, 1.0, 0.6, 1.0, *[1.0] * 5])
    ours = Contender(OURS, None, lambda *_: Sample(next(seconds), 100.0))
    row = Row("n", "t", "s", (ours,), (Goal("", 1, 1),), Figure.VALUE)
    assert measure_row(row, rounds=5, seconds=0.5).spreads == (0.4, 0.0)


def test_how_long_a_row_takes() -> None:
    ours, peer = contender(OURS), Contender("peer", Server((), warm_up=4.0), lambda *_: Sample(1.0, 1.0))
    # Two servers, ten turns and the clients of each, one warm-up.
    assert row_seconds(Row("n", "t", "u", (ours, peer)), rounds=5, seconds=0.5) == pytest.approx(
        2 * 1.5 + 10 * (0.5 + 0.7) + 4.0
    )
    alone = Row("n", "t", "u", (ours,), seconds=1.0, rounds=1)
    assert row_seconds(alone, rounds=5) == pytest.approx(1.5 + 1.0 + 0.7)
