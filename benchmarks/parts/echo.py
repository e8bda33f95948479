"""Events of clients, all the way: client, service, function, service, client."""

from __future__ import annotations

from typing import Final

import msgspec

from benchmarks import others
from benchmarks.ours import Checkout
from benchmarks.realtime import NODE_WS, Realtime, contender, of_ours
from benchmarks.rows import OURS, Row

__all__ = ["in_process", "over_http", "rows"]

CLIENTS: Final = 200

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.web_pubsub_trigger(hub="bench", event_type="user", event_name="message")
async def message(request: wps.UserEventRequest) -> str:
    return request.data
"""

NODE_WS_WEBHOOK: Final = Realtime("node ws + express webhook", others.node("ws_webhook.mjs"), call="event")
ANSWERS_ITSELF: Final = msgspec.structs.replace(NODE_WS, name="node ws that answers itself", call="event")


def over_http(ours: Checkout) -> Realtime:
    """Return service and functions that speak HTTP with each other, as with Azure."""
    return of_ours(ours.start(APP), call="event")


def in_process(ours: Checkout) -> Realtime:
    """Return service and functions with nothing between them."""
    return of_ours(ours.start(APP, "--in-process"), call="event", name=f"{OURS} --in-process")


def rows(ours: Checkout) -> list[Row]:
    """Over HTTP, and in one process."""
    return [
        _row("echo", "Event to a function and its answer back, over HTTP", over_http(ours)),
        _row("echo-in-process", "Event to a function and its answer back, --in-process", in_process(ours)),
    ]


def _row(name: str, title: str, ours: Realtime) -> Row:
    sides = (ours, NODE_WS_WEBHOOK, ANSWERS_ITSELF)
    return Row(
        name,
        f"{title}, {CLIENTS} clients",
        "answers/s",
        tuple(contender(side, mode="calls", clients=CLIENTS) for side in sides),
        note=f"{NODE_WS_WEBHOOK.name} are two processes with signed CloudEvents over HTTP between them; "
        f"{ANSWERS_ITSELF.name} has no webhook at all: what it does, an app cannot move out of that process.",
    )
