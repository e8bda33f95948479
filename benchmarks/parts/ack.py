"""Requests with an ack: each client sends to a group, waits for its ack, and sends again."""

from __future__ import annotations

from benchmarks.goals import Goal
from benchmarks.ours import Checkout
from benchmarks.realtime import AIOHTTP, NODE_WS, SOCKET_IO, WEBSOCKETS, contender, service_of_ours
from benchmarks.rows import Row

__all__ = ["rows"]

CLIENTS = 200


def rows(ours: Checkout) -> list[Row]:
    """One row; nobody is in the group, so that it is requests that are measured and not deliveries."""
    sides = (service_of_ours(ours), NODE_WS, SOCKET_IO, WEBSOCKETS, AIOHTTP)
    return [
        Row(
            "ack",
            f"Send with ack, {CLIENTS} clients",
            "acks/s",
            tuple(contender(side, mode="calls", clients=CLIENTS) for side in sides),
            (Goal(NODE_WS.name, 2, 1.2),),
        )
    ]
