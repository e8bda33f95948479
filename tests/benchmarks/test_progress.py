"""How long a run still takes."""

from __future__ import annotations

import pytest

from benchmarks.progress import duration, seconds_left


@pytest.mark.parametrize(
    ("done", "elapsed", "left"),
    [
        (0, 0.0, 60.0),  # as expected
        (1, 10.0, 50.0),
        (2, 60.0, 60.0),  # 30 were expected: the rest takes twice as long, too
        (3, 70.0, 0.0),
    ],
)
def test_the_rest_goes_as_what_was_before(done: int, elapsed: float, left: float) -> None:
    assert seconds_left([10.0, 20.0, 30.0], done, elapsed) == left


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (890, "15 min")]
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
