"""How rows are measured: contenders take turns, A B C, A B C, and each one's median counts.

What else the machine does meanwhile falls on all of them alike. While one has its turn the others are
stopped, so that none takes the core from another. A row that has goals and is not steady is
repeated, with the same servers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import chain
from typing import Final

import msgspec

from benchmarks.rows import Contender, Row, Sample
from benchmarks.servers import Running, started
from benchmarks.standings import STEADY, RowResult, compare

__all__ = ["measure_row", "row_seconds"]

Samples = Sequence[Sequence[Sample]]  # of each contender one a round

REPETITIONS: Final = 2  # at most

# For a guess of how long a row takes: a server starts and ends; a client connects and warms up.
_SERVER_SECONDS: Final = 1.5
_CLIENT_SECONDS: Final = 0.7


def measure_row(row: Row, *, rounds: int, seconds: float | None = None) -> RowResult:
    """Start all contenders, let them take turns, and compare them.

    Args:
        row: Who, and what.
        rounds: How many turns each has, if the row does not say it.
        seconds: How long each lasts; None: as the row says.

    Raises:
        RuntimeError: A server does not start, or a client got a wrong answer.
    """
    with contextlib.ExitStack() as stack:
        servers = [_begin(contender, stack) for contender in row.contenders]
        runs = [_run(row, servers, rounds, seconds)]
        spreads = [compare(row, runs[-1]).spread]
        while row.goals and spreads[-1] > STEADY and len(runs) <= REPETITIONS:
            runs.append(_run(row, servers, rounds, seconds))
            spreads.append(compare(row, runs[-1]).spread)
    counting = runs[-1:] if spreads[-1] <= STEADY else runs
    samples = [list(chain.from_iterable(found)) for found in zip(*counting, strict=True)]
    return msgspec.structs.replace(compare(row, samples), spreads=tuple(spreads))


def row_seconds(row: Row, *, rounds: int, seconds: float | None = None) -> float:
    """Return about how long a row takes."""
    turn = (seconds or row.seconds) + _CLIENT_SECONDS
    warm_up = sum(each.server.warm_up for each in row.contenders if each.server)
    return warm_up + len(row.contenders) * (_SERVER_SECONDS + (row.rounds or rounds) * turn)


def _begin(contender: Contender, stack: contextlib.ExitStack) -> Running | None:
    if contender.server is None:
        return None
    running = stack.enter_context(started(contender.server))
    if contender.server.warm_up:
        contender.measure(running, contender.server.warm_up)
    running.pause()
    return running


def _run(row: Row, servers: Sequence[Running | None], rounds: int, seconds: float | None) -> Samples:
    samples: list[list[Sample]] = [[] for _ in row.contenders]
    for _ in range(row.rounds or rounds):
        for contender, running, found in zip(row.contenders, servers, samples, strict=True):
            with contextlib.nullcontext() if running is None else running.turn():
                found.append(contender.measure(running, seconds or row.seconds))
    return samples
