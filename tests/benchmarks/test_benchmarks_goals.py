"""Goals and floors."""

from __future__ import annotations

import pytest

from benchmarks.goals import Better, Goal, Verdict


@pytest.mark.parametrize(
    ("better", "goal", "found", "verdict"),
    [
        (Better.MORE, Goal("peer", 8, 4), 8.0, Verdict.REACHED),
        (Better.MORE, Goal("peer", 8, 4), 7.9, Verdict.ABOVE_FLOOR),
        (Better.MORE, Goal("peer", 8, 4), 4.0, Verdict.ABOVE_FLOOR),
        (Better.MORE, Goal("peer", 8, 4), 3.9, Verdict.MISSED),
        (Better.LESS, Goal("", 0.7, 1.5), 0.7, Verdict.REACHED),
        (Better.LESS, Goal("", 0.7, 1.5), 0.8, Verdict.ABOVE_FLOOR),
        (Better.LESS, Goal("", 0.7, 1.5), 1.6, Verdict.MISSED),
        # A ratio says how many times better: more of it is good, even where less of the unit is.
        (Better.LESS, Goal("peer", 2, 1), 3.0, Verdict.REACHED),
        (Better.LESS, Goal("peer", 2, 1), 0.5, Verdict.MISSED),
    ],
)
def test_verdict(better: Better, goal: Goal, found: float, verdict: Verdict) -> None:
    assert goal.verdict(found, better) is verdict
