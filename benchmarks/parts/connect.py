"""Clients that connect, each with a token of its own, are told so, and leave."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from benchmarks import others
from benchmarks.goals import Goal
from benchmarks.ours import HUB, KEY, Checkout, client_target
from benchmarks.realtime import NODE_WS, SOCKET_IO, Realtime, contender
from benchmarks.rows import OURS, Row
from benchmarks.servers import Running
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import client_access

__all__ = ["rows", "targets_of_users"]

AT_ONCE: Final = 64
TOKENS: Final = 5_000  # more than any server remembers

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.web_pubsub_trigger(hub="bench", event_type="system", event_name="connect")
async def connect(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse:
    return wps.ConnectEventResponse(user_id=request.claims["sub"][0], groups=["lobby"])
"""


def rows(ours: Checkout) -> list[Row]:
    """Without a connect handler, and with one, which decides over each client."""
    node = Realtime(NODE_WS.name, others.node("ws_group.mjs", "tokens"), subscribers=_targets_of_node)
    socket_io = Realtime(
        SOCKET_IO.name,
        others.node("socketio_group.mjs", "tokens"),
        SOCKET_IO.protocol,
        _targets_of_socket_io,
    )
    alone = Realtime(OURS, ours.service(), subscribers=targets_of_users)
    handled = Realtime(OURS, ours.start(APP), subscribers=targets_of_users)
    joined = Realtime(f"{OURS} --in-process", ours.start(APP, "--in-process"), subscribers=targets_of_users)
    return [
        _row(
            "connect",
            "Clients that connect with a token, and leave",
            (alone, node, socket_io),
            Goal(node.name, 1.2, 0.54),
        ),
        _row("connect-function", "The same, and a function decides over each", (handled, joined)),
    ]


def _row(name: str, title: str, sides: tuple[Realtime, ...], *goals: Goal) -> Row:
    contenders = tuple(contender(side, mode="connects", clients=AT_ONCE) for side in sides)
    return Row(name, f"{title}, {AT_ONCE} at a time", "clients/s", contenders, goals)


def targets_of_users(running: Running, count: int = TOKENS) -> Sequence[str]:
    """Return what clients connect to ours with: each its own user, one role, one group."""
    roles, groups = ("webpubsub.joinLeaveGroup",), ("lobby",)
    return [
        client_target(running, user_id=f"user{number}", roles=roles, groups=groups) for number in range(count)
    ]


def _targets_of_node(_: Running) -> Sequence[str]:
    return [f"/?access_token={token}" for token in _tokens()]


def _targets_of_socket_io(_: Running) -> Sequence[str]:
    return [f"/socket.io/?EIO=4&transport=websocket&access_token={token}" for token in _tokens()]


def _tokens() -> Sequence[str]:
    """The tokens that ours gets; to peers only key and end count."""
    endpoint, now = ConnectionString("http://localhost", KEY), time.time()
    return [
        client_access(endpoint, HUB, now=now, user_id=f"user{number}").access_token
        for number in range(TOKENS)
    ]
