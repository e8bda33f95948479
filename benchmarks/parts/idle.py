"""Memory of clients that are connected and say nothing: each with its own user, one role and one group."""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.goals import Better, Goal
from benchmarks.ours import Checkout
from benchmarks.parts.connect import targets_of_users
from benchmarks.realtime import NODE_WS, SOCKET_IO, Realtime, ws_load
from benchmarks.rows import OURS, Contender, Figure, Row, Sample
from benchmarks.servers import Running

__all__ = ["rows"]

CLIENTS: Final = 5_000


def rows(ours: Checkout) -> list[Row]:
    """One round: in a second one, a server would use again what it had for the clients of the first."""
    alone = Realtime(OURS, ours.service(), subscribers=targets_of_users)
    return [
        Row(
            "idle",
            f"Memory of a connected client, {CLIENTS:,} of them",
            "bytes",
            tuple(
                Contender(side.name, side.server, partial(_measure, side))
                for side in (alone, NODE_WS, SOCKET_IO)
            ),
            (Goal("", 4.5 * 1024, 5 * 1024),),
            Figure.VALUE,
            Better.LESS,
            seconds=1.0,
            rounds=1,
            note="How much the server's resident memory grows, by client; peers know no user, role or group.",
        )
    ]


def _measure(side: Realtime, running: Running | None, seconds: float) -> Sample:
    assert running is not None
    load = ws_load(side, running, seconds, mode="idle", clients=CLIENTS)
    return Sample(load.server_bytes / load.operations, load.server_cpu_seconds / load.operations * 1e6)
