"""How long people wait: from the command to ``Ready``."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.goals import Better, Goal
from benchmarks.machine import cpu_seconds
from benchmarks.ours import Checkout
from benchmarks.rows import OURS, Contender, Figure, Row, Sample
from benchmarks.servers import Running, Server, started

__all__ = ["rows"]

FUNCTIONS: Final = 20
NOTE: Final = "CPU us is all the command needed until then. Azure's own `func start` is not measured here."

HEAD: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""

FUNCTION: Final = """

@app.web_pubsub_trigger(hub="bench", event_type="user", event_name="event{number}")
@app.web_pubsub_output(hub="bench")
async def function{number}(request: wps.UserEventRequest, actions: wps.Actions) -> str:
    actions.send_to_all("hello")
    return "ack"
"""


def rows(ours: Checkout) -> list[Row]:
    """An app with the embedded service, and the service alone."""
    app = HEAD + "".join(FUNCTION.format(number=number) for number in range(FUNCTIONS))
    title = f"`webpubsub start` with {FUNCTIONS} functions and the service, until Ready"
    return [
        _row("ready-start", title, ours.start(app), Goal("", 0.4, 1.1)),
        _row("ready-service", "`webpubsub service`, until Ready", ours.service(), Goal("", 0.2, 0.7)),
    ]


def _row(name: str, title: str, server: Server, goal: Goal) -> Row:
    return Row(name, title, "s", (_contender(server),), (goal,), Figure.VALUE, Better.LESS, note=NOTE)


def _contender(server: Server) -> Contender:
    def measure(_: Running | None, __: float) -> Sample:
        began = time.perf_counter()
        with started(server) as running:
            return Sample(time.perf_counter() - began, cpu_seconds(running.process) * 1e6)

    return Contender(OURS, None, measure)
