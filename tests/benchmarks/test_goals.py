"""Goals and floors, and ours beside itself."""

from __future__ import annotations

import pytest

from benchmarks.goals import Better, Goal, Unchanged, Verdict


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
    assert goal.verdict(found, better, 0.0) is verdict


@pytest.mark.parametrize(
    ("goal", "found", "spread", "verdict"),
    [
        (Goal("peer", 8, 4), 3.9, 0.02, Verdict.MISSED),
        (Goal("peer", 8, 4), 3.9, 0.03, Verdict.UNSURE),
        (Goal("peer", 8, 4), 3.0, 0.34, Verdict.UNSURE),
        (Goal("peer", 8, 4), 3.0, 0.33, Verdict.MISSED),
        (Goal("peer", 8, 4), 4.0, 0.9, Verdict.ABOVE_FLOOR),
        (Goal("", 0.5, 1.0), 1.2, 0.2, Verdict.UNSURE),
        (Goal("", 0.5, 1.0), 1.3, 0.2, Verdict.MISSED),
    ],
)
def test_what_the_spread_explains_is_no_failure(
    goal: Goal, found: float, spread: float, verdict: Verdict
) -> None:
    assert goal.verdict(found, Better.LESS, spread) is verdict


@pytest.mark.parametrize(
    ("found", "spread", "verdict"),
    [
        (1.0, 0.0, Verdict.SAME),
        (0.92, 0.1, Verdict.SAME),  # 9% slower
        (0.9, 0.1, Verdict.SLOWER),  # 11%
        (1.09, 0.1, Verdict.SAME),
        (1.11, 0.1, Verdict.FASTER),
        (0.99, 0.005, Verdict.SLOWER),
    ],
)
def test_ours_is_slower_only_by_more_than_the_spread(found: float, spread: float, verdict: Verdict) -> None:
    assert Unchanged("webpubsub, before").verdict(found, Better.LESS, spread) is verdict


def test_what_must_not_be() -> None:
    assert {verdict for verdict in Verdict if verdict.is_failure} == {Verdict.MISSED, Verdict.SLOWER}
