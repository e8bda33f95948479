"""A publisher's messages to all clients of a group: all subprotocols, in bursts and one after the other."""

from __future__ import annotations

from benchmarks.goals import Goal
from benchmarks.ours import Checkout
from benchmarks.realtime import (
    AIOHTTP,
    NCHAN,
    NODE_WS,
    SOCKET_IO,
    WEBSOCKETS,
    WRITE_BATCH,
    WRITE_EACH,
    Realtime,
    contender,
    service_of_ours,
)
from benchmarks.rows import Row

__all__ = ["rows"]

PEERS = (NODE_WS, SOCKET_IO)


def rows(ours: Checkout) -> list[Row]:
    """1,000 and 5,000 clients, with 8 messages and with one in flight; 40 bytes of text each."""
    json = service_of_ours(ours)
    many = (*PEERS, WEBSOCKETS, AIOHTTP, NCHAN, WRITE_EACH, WRITE_BATCH)
    return [
        _row("1000-8", 1000, 8, (json, *many), Goal(NODE_WS.name, 10, 6.4), Goal(SOCKET_IO.name, 12, 6.5)),
        _row("1000-1", 1000, 1, (json, *PEERS, WRITE_EACH), Goal(WRITE_EACH.name, 0.92, 0.71)),
        _row("5000-8", 5000, 8, (json, NODE_WS, WRITE_BATCH)),
        _row("5000-1", 5000, 1, (json, NODE_WS, WRITE_EACH)),
        _row(
            "reliable", 1000, 8, (service_of_ours(ours, "json-reliable"), NODE_WS), Goal(NODE_WS.name, 6, 4.2)
        ),
        _row("protobuf", 1000, 8, (service_of_ours(ours, "protobuf"), NODE_WS)),
        _row("raw", 1000, 8, (service_of_ours(ours, "raw"), NCHAN)),
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
        note=_NOTES.get(name, ""),
    )
