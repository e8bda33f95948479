"""Events of clients, all the way: client, service, function, service, client."""

from __future__ import annotations

from typing import Final

import msgspec

from benchmarks import others
from benchmarks.ours import start
from benchmarks.realtime import NODE_WS, Realtime, contender, of_ours
from benchmarks.rounds import OURS, Row

__all__ = ["ECHO", "IN_PROCESS", "rows"]

CLIENTS: Final = 200

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.web_pubsub_trigger(hub="bench", event_type="user", event_name="message")
async def message(request: wps.UserEventRequest) -> str:
    return request.data
"""

ECHO: Final = of_ours(start(APP), call="event")
IN_PROCESS: Final = of_ours(start(APP, "--in-process"), call="event", name=f"{OURS} --in-process")
NODE_WS_WEBHOOK: Final = Realtime("node ws + express webhook", others.node("ws_webhook.mjs"), call="event")
ANSWERS_ITSELF: Final = msgspec.structs.replace(NODE_WS, name="node ws that answers itself", call="event")


def rows() -> list[Row]:
    """Over HTTP, as with Azure, and in one process."""
    return [
        _row("echo", "Event to a function and its answer back, over HTTP", ECHO),
        _row("echo-in-process", "Event to a function and its answer back, --in-process", IN_PROCESS),
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
