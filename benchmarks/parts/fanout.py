"""A publisher's messages to all clients of a group: all subprotocols, in bursts and one after the other."""

from __future__ import annotations

from benchmarks.goals import Goal
from benchmarks.realtime import (
    AIOHTTP,
    NCHAN,
    NODE_WS,
    OURS_IN,
    SOCKET_IO,
    WEBSOCKETS,
    WRITE_BATCH,
    WRITE_EACH,
    Realtime,
    contender,
)
from benchmarks.rounds import Row

__all__ = ["rows"]

PEERS = (NODE_WS, SOCKET_IO)
SECONDS = 0.6


def rows() -> list[Row]:
    """1,000 and 5,000 clients, with 8 messages and with one in flight; 40 bytes of text each."""
    json = OURS_IN["json"]
    many = (*PEERS, WEBSOCKETS, AIOHTTP, NCHAN, WRITE_EACH, WRITE_BATCH)
    return [
        _row("1000-8", 1000, 8, (json, *many), Goal(NODE_WS.name, 8, 6), Goal(SOCKET_IO.name, 11, 8)),
        _row("1000-1", 1000, 1, (json, *PEERS, WRITE_EACH), Goal(WRITE_EACH.name, 0.85, 0.7)),
        _row("5000-8", 5000, 8, (json, NODE_WS, WRITE_BATCH)),
        _row("5000-1", 5000, 1, (json, NODE_WS, WRITE_EACH)),
        _row("reliable", 1000, 8, (OURS_IN["json-reliable"], NODE_WS), Goal(NODE_WS.name, 4.5, 3)),
        _row("protobuf", 1000, 8, (OURS_IN["protobuf"], NODE_WS)),
        _row("raw", 1000, 8, (OURS_IN["raw"], NCHAN)),
    ]


_NOTES = {
    "reliable": "Ours numbers messages, keeps them until they are confirmed, and takes the confirmations; "
    "the other one speaks the plain JSON subprotocol.",
    "protobuf": "The other one speaks JSON.",
}


def _row(name: str, clients: int, in_flight: int, sides: tuple[Realtime, ...], *goals: Goal) -> Row:
    protocol = sides[0].protocol
    kept = f"{in_flight} in flight" if in_flight > 1 else "one after the other"
    return Row(
        f"fanout-{name}",
        f"Messages to a group of {clients:,}, {kept}, {protocol}",
        "messages delivered/s",
        tuple(contender(side, clients=clients, in_flight=in_flight) for side in sides),
        goals,
        seconds=SECONDS,
        rounds=None if goals else 2,
        note=_NOTES.get(name, ""),
    )
