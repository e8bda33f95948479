"""What a row is: one thing that is measured, and who is measured at it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator

import msgspec

from benchmarks.goals import Better, Goal, Unchanged
from benchmarks.servers import Running, Server

__all__ = [
    "LIMIT",
    "OURS",
    "Contender",
    "Figure",
    "Row",
    "Sample",
    "against",
    "decisive",
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
        client_busy: The load client's share of its core: near 1 the rate is the client's limit.
    """

    value: float
    cpu_us: float
    p50_us: float | None = None
    p99_us: float | None = None
    client_busy: float | None = None


class Figure(enum.StrEnum):
    """What a row is judged by: an attribute of `Sample`.

    What else the machine does takes time from a server and so lowers its rate; it moves the CPU time of an
    operation less, and for all alike. A figure by itself is judged where CPU time does not say what people
    want to know: how much memory a client takes, how long they wait for a command, and how many of Azure's
    units a core is worth (which is found by CPU time, too).
    """

    CPU = "cpu_us"
    VALUE = "value"


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

    @property
    def is_ours(self) -> bool:
        """Whether it is a command of this package."""
        return self.name.startswith(OURS)


class Row(msgspec.Struct, frozen=True):
    """One thing that is measured.

    Attributes:
        name: Short and stable: the key in JSON.
        title: What it is, for people.
        unit: What values count, such as ``requests/s``.
        contenders: Ours first.
        goals: What ours must reach.
        figure: What it is judged by.
        better: Whether more or less of the unit is better.
        seconds: How long each turn lasts, if the command does not say it.
        rounds: How many turns; None: as the command says.
        note: What a reader must know about it.
    """

    name: str
    title: str
    unit: str
    contenders: tuple[Contender, ...]
    goals: tuple[Goal | Unchanged, ...] = ()
    figure: Figure = Figure.CPU
    better: Better = Better.MORE
    seconds: float = 0.4
    rounds: int | None = None
    note: str = ""


def without_peers(row: Row) -> Row:
    """Return a row without what comes from elsewhere; goals that are ratios to peers fall out."""
    contenders = tuple(one for one in row.contenders if one.is_ours or one.name.startswith(LIMIT))
    names = {"", *(one.name for one in contenders)}
    goals = tuple(goal for goal in row.goals if goal.against in names)
    return msgspec.structs.replace(row, contenders=contenders, goals=goals)


def decisive(row: Row) -> Row:
    """Return a row with ours and whom its goals name; where none is named, with the first of the others."""
    others = [one.name for one in row.contenders if not one.is_ours]
    names = {goal.against for goal in row.goals} or set(others[:1])
    contenders = tuple(one for one in row.contenders if one.is_ours or one.name in names)
    return msgspec.structs.replace(row, contenders=contenders)


def against(row: Row, other: Row, checkout: str) -> Iterator[Row]:
    """Yield for each of ours in a row a row of its own, in which it stands beside itself in another checkout.

    Args:
        row: Of this checkout.
        other: The same row of the other checkout.
        checkout: What the other is called.
    """
    for ours, theirs in zip(row.contenders, other.contenders, strict=True):
        if ours.is_ours:
            theirs = msgspec.structs.replace(theirs, name=f"{theirs.name}, {checkout}")
            yield msgspec.structs.replace(
                row,
                name=row.name + ours.name.removeprefix(OURS),
                contenders=(ours, theirs),
                goals=(Unchanged(theirs.name),),
            )
