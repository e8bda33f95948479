"""Servers of WebSocket clients, ours and others, and the load client that speaks to each in its protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from benchmarks import others
from benchmarks.load import Load, run_load
from benchmarks.ours import Checkout, client_target, of_service
from benchmarks.rows import LIMIT, OURS, Contender, Sample
from benchmarks.servers import Running, Server

__all__ = [
    "AIOHTTP",
    "NCHAN",
    "NODE_WS",
    "SOCKET_IO",
    "WEBSOCKETS",
    "WRITE_BATCH",
    "WRITE_EACH",
    "Realtime",
    "contender",
    "of_ours",
    "service_of_ours",
    "ws_load",
]

JOINS: Final = "webpubsub.joinLeaveGroup"
PUBLISHES: Final = "webpubsub.sendToGroup"

# Sending to a thousand clients, a just-in-time compiler has seen all there is after a moment.
WARM_UP: Final = 1.0

Targets = Callable[[Running], Sequence[str]]


class Realtime(msgspec.Struct, frozen=True):
    """A server of WebSocket clients.

    Attributes:
        name: What the contender is called.
        server: How it is started.
        protocol: A row of ``clients/ws_protocols.h``.
        subscribers: Paths and queries that subscribers connect with, in turn.
        publisher: What publishers connect with; empty: what subscribers do.
        call: A row of ``CALLS`` in ``clients/ws_protocols.h``.
    """

    name: str
    server: Server
    protocol: str = "json"
    subscribers: Targets = lambda _: ("/",)
    publisher: Callable[[Running], str] | None = None
    call: str = "send"


def of_ours(server: Server, protocol: str = "json", *, call: str = "send", name: str = OURS) -> Realtime:
    """Return ours, started in some way, with clients that may join, and publishers that may send."""
    return Realtime(
        name,
        server,
        protocol,
        lambda running: (client_target(running, roles=(JOINS, PUBLISHES)),),
        call=call,
    )


def _raw_subscribers(running: Running) -> Sequence[str]:
    return (client_target(running, groups=("g0",)),)


def _raw_publisher(running: Running) -> str:
    return client_target(running, roles=(PUBLISHES,)) + "&webpubsub_mode=sendToGroup&group=g0"


def service_of_ours(ours: Checkout, protocol: str = "json") -> Realtime:
    """Return ``webpubsub service``, with clients that may join, and publishers that may send."""
    if protocol == "raw":
        return Realtime(OURS, ours.service(), protocol, _raw_subscribers, _raw_publisher)
    return of_ours(ours.service(), protocol)


NODE_WS: Final = Realtime("node ws", others.node("ws_group.mjs", warm_up=WARM_UP))
SOCKET_IO: Final = Realtime(
    "Socket.IO",
    others.node("socketio_group.mjs", warm_up=WARM_UP),
    "socket.io",
    lambda _: ("/socket.io/?EIO=4&transport=websocket",),
    call="socket.io",
)
WEBSOCKETS: Final = Realtime("websockets, uvloop", others.python("websockets_group.py"))
AIOHTTP: Final = Realtime("aiohttp, uvloop", others.python("aiohttp_group.py"))
NCHAN: Final = Realtime(
    "nginx nchan", others.nchan(), "raw", lambda _: ("/subscribe?id=g0",), lambda _: "/publish?id=g0"
)
WRITE_EACH: Final = Realtime(f"{LIMIT}write each", others.limit("ws_fan_out", "each"))
WRITE_BATCH: Final = Realtime(f"{LIMIT}write batch", others.limit("ws_fan_out", "batch"))


def contender(realtime: Realtime, **options: object) -> Contender:
    """Return a side of a row; options are those of ``clients/ws_load.c``."""
    return Contender(realtime.name, realtime.server, partial(_measure, realtime, options))


def _measure(
    realtime: Realtime, options: dict[str, object], running: Running | None, seconds: float
) -> Sample:
    assert running is not None
    return ws_load(realtime, running, seconds, **options).sample()


def ws_load(realtime: Realtime, running: Running, seconds: float, **options: object) -> Load:
    """Let WebSocket clients work on a server; options are those of ``clients/ws_load.c``.

    Raises:
        RuntimeError: A message is lost, or not as it should be.
    """
    if realtime.publisher is not None:
        options = {"publisher_target": realtime.publisher(running), **options}
    if realtime.name.startswith(OURS):
        running = of_service(running)
    with tempfile.NamedTemporaryFile("w", suffix=".targets") as targets:
        targets.write("\n".join(realtime.subscribers(running)))
        targets.flush()
        found = {"protocol": realtime.protocol, "call": realtime.call, "targets": targets.name, **options}
        return run_load("ws_load", running, seconds, **found)
