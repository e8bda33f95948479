"""How time and memory grow with what others send."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")
Prepare = Callable[[int], Callable[[], object]]

# Twice the input takes about twice the time where time is linear, four times where it is quadratic.
LINEAR: Final = 3.3
_ENOUGH: Final = 0.002  # seconds that can be measured
_LONG: Final = 0.5  # what takes longer is not measured again


def growth(prepare: Prepare, least: int = 1_000, most: int = 32_000) -> float:
    """The time at 2n over the time at n; 0 where even the largest input takes next to none.

    It is the root of the time at 4n over that at n, which differ by more than chance does.

    Args:
        prepare: Returns what is measured, for an input of so many characters.
        least: The smallest n.
        most: The largest n, where a smaller one does not take long enough.
    """
    size = least
    while size < most and _time(prepare(size), 1) < _ENOUGH:
        size = min(size * 2, most)
    small, large = prepare(size), prepare(4 * size)
    ratio = 0.0
    for rounds in (1, 3, 9):
        took = _time(large, rounds)
        if took < _ENOUGH:
            return 0.0
        ratio = math.sqrt(took / _time(small, rounds))
        if ratio < LINEAR or took > _LONG:
            break
    return ratio


def _time(run: Callable[[], object], rounds: int) -> float:
    """The shortest of some runs, in seconds of this process."""
    best = math.inf
    gc.collect(0)
    gc.disable()
    try:
        for _ in range(rounds):
            began = time.process_time()
            run()
            best = min(best, time.process_time() - began)
    finally:
        gc.enable()
    return max(best, 1e-7)


def peak_memory(run: Callable[[], T]) -> tuple[T, int]:
    """What it returns, and how many bytes more than before it held at its highest."""
    gc.collect()
    tracemalloc.start()
    try:
        found: Any = run()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
