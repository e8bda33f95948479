"""How long a run still takes."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["duration", "seconds_left"]


def seconds_left(expected: Sequence[float], done: int, elapsed: float) -> float:
    """Return how long the rest takes, if it goes as much slower than expected as what is done.

    Args:
        expected: About how many seconds each thing takes.
        done: How many of them are done.
        elapsed: How long those took.
    """
    pace = elapsed / sum(expected[:done]) if done else 1.0
    return pace * sum(expected[done:])


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
