"""How time and memory grow with what others send."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

# Twice the input takes about twice the time where time is linear, four times where it is quadratic.
LINEAR: Final = 3.0
_ENOUGH: Final = 0.004  # seconds that can be measured
_ROUNDS: Final = 7


def growth(prepare: Callable[[int], Callable[[], object]], least: int = 1_000, most: int = 64_000) -> float:
    """The time at 2n over the time at n; 0 where even the largest input takes next to none.

    Args:
        prepare: Returns what is measured, for an input of so many characters.
        least: The smallest n.
        most: The largest n, where a smaller one does not take long enough.
    """
    size = least
    while (once := _time(prepare(size), 1)) < _ENOUGH and size < most:
        size = min(size * 2, most)
    if once < _ENOUGH and _time(prepare(2 * size), 1) < _ENOUGH:
        return 0.0
    ratio = _ratio(prepare, size)
    return ratio if ratio < LINEAR else min(ratio, _ratio(prepare, size))  # another process may have run


def _ratio(prepare: Callable[[int], Callable[[], object]], size: int) -> float:
    return _time(prepare(2 * size), _ROUNDS) / _time(prepare(size), _ROUNDS)


def _time(run: Callable[[], object], rounds: int) -> float:
    """The shortest of some runs; one that takes long is not repeated."""
    best = 1e9
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
        if best > 0.5:
            break
    return best


def peak_memory(run: Callable[[], T]) -> tuple[T, int]:
    """What it returns, and how many bytes more than before it held at its highest."""
    gc.collect()
    tracemalloc.start()
    try:
        found: Any = run()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
