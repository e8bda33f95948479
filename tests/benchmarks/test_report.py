"""What people read: verdicts with their spread, and what was repeated."""

from __future__ import annotations

import pytest

from benchmarks.goals import Better, Goal, Unchanged, Verdict
from benchmarks.report import Report, cells, columns, verdicts
from benchmarks.rows import Figure, Sample
from benchmarks.standings import RowResult, Standing

BEFORE = "webpubsub, before"


def standing(name: str, spread: float, ratio: float = 1.0, rounds: int = 5) -> Standing:
    sample = Sample(34789.0, 28.614, 1790.0, 2770.0, 0.23)
    return Standing(name, (sample,) * rounds, sample, spread, ratio)


def result(goal: Goal | Unchanged, *standings: Standing, spreads: tuple[float, ...] = (0.04,)) -> RowResult:
    figure = Figure.CPU if goal.against else Figure.VALUE
    better = Better.MORE if goal.against else Better.LESS
    return RowResult("webhook", "Event", "events/s", figure, better, standings, (goal,), "", spreads)


PEER = Goal("express", 8, 3.4)


@pytest.mark.parametrize(
    ("row", "verdict", "line"),
    [
        (
            result(PEER, standing("webpubsub", 0.04), standing("express", 0.031, 4.36)),
            Verdict.ABOVE_FLOOR,
            "Event: 4.36x express, goal 8, floor 3.4; above its floor (spread 4% and 3%)",
        ),
        (
            result(
                PEER, standing("webpubsub", 0.04), standing("express", 0.09, 3.01), spreads=(0.31, 0.2, 0.09)
            ),
            Verdict.MISSED,
            "Event: 3.01x express, goal 8, floor 3.4; below its floor "
            "(spread 4% and 9%; repeated: 31%, then 20%, then 9%)",
        ),
        (
            result(PEER, standing("webpubsub", 0.22), standing("express", 0.1, 9), spreads=(0.3, 0.25, 0.22)),
            Verdict.REACHED,
            "Event: 9x express, goal 8, floor 3.4; goal reached "
            "(spread 22% and 10%; repeated: 30%, then 25%, then 22%; not steady)",
        ),
        (
            result(Goal("", 4608, 5120), standing("webpubsub", 0.0, rounds=1)),
            Verdict.MISSED,
            "Event: 34,789 events/s, goal 4608, floor 5120; below its floor (spread 0%)",
        ),
        (
            result(Unchanged(BEFORE), standing("webpubsub", 0.04), standing(BEFORE, 0.031, 0.95)),
            Verdict.SLOWER,
            "Event: 0.95x webpubsub, before; slower than its spread (spread 4% and 3%)",
        ),
        (
            result(Unchanged(BEFORE), standing("webpubsub", 0.02), standing(BEFORE, 0.06, 0.95)),
            Verdict.SAME,
            "Event: 0.95x webpubsub, before; the same (spread 2% and 6%)",
        ),
    ],
)
def test_a_verdict_in_words(row: RowResult, verdict: Verdict, line: str) -> None:
    assert list(verdicts(row)) == [(verdict, line)]


def test_four_rounds_give_no_verdict() -> None:
    row = result(PEER, standing("webpubsub", 0.04, rounds=4), standing("express", 0.03, 4.36, rounds=4))
    assert list(verdicts(row)) == []


def test_a_line_of_a_table() -> None:
    express = standing("express", 0.031, 4.36)
    assert list(zip(columns(result(PEER, express)), cells(express), strict=True)) == [
        ("", "express"),
        ("CPU us", "28.61"),
        ("spread", "3%"),
        ("ours is", "4.36x"),
        ("events/s", "34,789"),
        ("min .. max", "34,789 .. 34,789"),
        ("p50 ms", "1.79"),
        ("p99 ms", "2.77"),
        ("client busy", "23%"),
    ]


def test_rows_of_a_part_stand_together() -> None:
    report = Report("2026-01-01", {}, [])
    first, second = (result(PEER, standing("webpubsub", 0.0)) for _ in range(2))
    report.part("webhook").rows.append(first)
    report.part("webhook").rows.append(second)
    report.part("growth")
    assert [(part.name, part.rows) for part in report.parts] == [("webhook", [first, second]), ("growth", [])]
