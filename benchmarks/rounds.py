"""How rows are measured: contenders take turns, A B C, A B C, and each one's median counts.

What else the machine does meanwhile falls on all of them alike. While one has its turn the others are
stopped, so that none takes the core from another.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.goals import Better, Goal
from benchmarks.servers import Running, Server, started

__all__ = [
    "LIMIT",
    "OURS",
    "Contender",
    "Row",
    "RowResult",
    "Sample",
    "Standing",
    "measure_row",
    "without_peers",
]

OURS = "webpubsub"
LIMIT = "C: "  # what names of limits begin with


class Sample(msgspec.Struct, frozen=True):
    """What one turn of one contender gave; every answer in it was right.

    Attributes:
        value: In the row's unit.
        cpu_us: Microseconds of a core that the server spent on one operation.
        p50_us: Half of the operations took at most so long.
        p99_us: All but one of a hundred took at most so long.
        client_busy: The load client's share of its core: near 1 the figure is the client's limit.
    """

    value: float
    cpu_us: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    client_busy: float | None = None


class Contender(msgspec.Struct, frozen=True):
    """One side of a row.

    Attributes:
        name: `OURS`, perhaps with options after it, or what the other one is called; with `LIMIT` before it:
            a limit, no peer.
        server: What is started once for all rounds; None when ``measure`` starts what it needs.
        measure: Puts load on it for some seconds.
    """

    name: str
    server: Server | None
    measure: Callable[[Running | None, float], Sample]


class Row(msgspec.Struct, frozen=True):
    """One thing that is measured.

    Attributes:
        name: Short and stable: the key in JSON.
        title: What it is, for people.
        unit: What values count, such as ``requests/s``.
        contenders: Ours first.
        goals: What ours must reach.
        better: Whether more or less of the unit is better.
        seconds: How long each turn lasts; None: as the command says.
        rounds: How many turns; None: as the command says.
        note: What a reader must know about it.
    """

    name: str
    title: str
    unit: str
    contenders: tuple[Contender, ...]
    goals: tuple[Goal, ...] = ()
    better: Better = Better.MORE
    seconds: float | None = None
    rounds: int | None = None
    note: str = ""


class Standing(msgspec.Struct, frozen=True):
    """How one contender did.

    Attributes:
        name: Who.
        values: One a round, in the row's unit.
        value: Their median.
        cpu_us: Median of the rounds, like the others.
        ratio: How many times better ours is; 1.0 for ours.
        cpu_ratio: How many times less of a core ours needs for one operation.
    """

    name: str
    values: tuple[float, ...]
    value: float
    cpu_us: float | None
    p50_us: float | None
    p99_us: float | None
    client_busy: float | None
    ratio: float
    cpu_ratio: float | None


class RowResult(msgspec.Struct, frozen=True):
    """What a row gave."""

    name: str
    title: str
    unit: str
    better: Better
    standings: tuple[Standing, ...]
    goals: tuple[Goal, ...]
    note: str

    def ratio(self, against: str) -> float:
        """Return what a goal is compared with: our ratio to another, or our own figure."""
        if not against:
            return self.standings[0].value
        return next(standing.ratio for standing in self.standings if standing.name == against)


def without_peers(row: Row) -> Row:
    """Return a row without what comes from elsewhere; goals that are ratios to peers fall out."""
    contenders = tuple(one for one in row.contenders if one.name.startswith((OURS, LIMIT)))
    names = {"", *(one.name for one in contenders)}
    goals = tuple(goal for goal in row.goals if goal.against in names)
    return msgspec.structs.replace(row, contenders=contenders, goals=goals)


def measure_row(row: Row, *, rounds: int, seconds: float) -> RowResult:
    """Start all contenders, let them take turns, and compare them.

    Raises:
        RuntimeError: A server does not start, or a client got a wrong answer.
    """
    samples: list[list[Sample]] = [[] for _ in row.contenders]
    with contextlib.ExitStack() as stack:
        servers = [_begin(contender, stack) for contender in row.contenders]
        for _ in range(row.rounds or rounds):
            for contender, running, found in zip(row.contenders, servers, samples, strict=True):
                with contextlib.nullcontext() if running is None else running.turn():
                    found.append(contender.measure(running, row.seconds or seconds))
    return compare(row, samples)


def _begin(contender: Contender, stack: contextlib.ExitStack) -> Running | None:
    if contender.server is None:
        return None
    running = stack.enter_context(started(contender.server))
    if contender.server.warm_up:
        contender.measure(running, contender.server.warm_up)
    running.pause()
    return running


def compare(row: Row, samples: Sequence[Sequence[Sample]]) -> RowResult:
    """Take medians and say how many times better the first contender is than each."""
    medians = [_median(found) for found in samples]
    standings = tuple(
        Standing(
            contender.name,
            tuple(sample.value for sample in found),
            median.value,
            median.cpu_us,
            median.p50_us,
            median.p99_us,
            median.client_busy,
            _times_better(medians[0].value, median.value, row.better),
            _times_less(medians[0].cpu_us, median.cpu_us),
        )
        for contender, found, median in zip(row.contenders, samples, medians, strict=True)
    )
    return RowResult(row.name, row.title, row.unit, row.better, standings, row.goals, row.note)


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(*(_median_of(samples, field) for field in Sample.__struct_fields__))  # type: ignore[arg-type]


def _median_of(samples: Sequence[Sample], field: str) -> float | None:
    found = [value for sample in samples if (value := getattr(sample, field)) is not None]
    return statistics.median(found) if found else None


def _times_better(ours: float, theirs: float, better: Better) -> float:
    return ours / theirs if better is Better.MORE else theirs / ours


def _times_less(ours: float | None, theirs: float | None) -> float | None:
    return theirs / ours if ours and theirs else None
