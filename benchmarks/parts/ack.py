"""Requests with an ack: each client sends to a group, waits for its ack, and sends again."""

from __future__ import annotations

from benchmarks.goals import Goal
from benchmarks.realtime import AIOHTTP, NODE_WS, OURS_IN, SOCKET_IO, WEBSOCKETS, contender
from benchmarks.rounds import Row

__all__ = ["rows"]

CLIENTS = 200


def rows() -> list[Row]:
    """One row; nobody is in the group, so that it is requests that are measured and not deliveries."""
    sides = (OURS_IN["json"], NODE_WS, SOCKET_IO, WEBSOCKETS, AIOHTTP)
    return [
        Row(
            "ack",
            f"Send with ack, {CLIENTS} clients",
            "acks/s",
            tuple(contender(side, mode="calls", clients=CLIENTS) for side in sides),
            (Goal(NODE_WS.name, 1.4, 1.1),),
        )
    ]
