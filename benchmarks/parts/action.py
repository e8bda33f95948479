"""Output actions: messages that functions send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from benchmarks import others
from benchmarks.goals import Goal
from benchmarks.http import http_load, http_request, text_frame, upgrade_request
from benchmarks.load import run_calls
from benchmarks.ours import Checkout, client_target, service_port
from benchmarks.programs import sdk_client
from benchmarks.rows import OURS, Contender, Row, Sample
from benchmarks.servers import Running, Server

__all__ = ["rows"]

SDK: Final = "azure-messaging-webpubsubservice, aio"
TEXT: Final = "0123456789" * 10
CONNECTIONS: Final = 16

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="send", methods=["POST"])
@app.web_pubsub_output(hub="bench")
async def send(req: func.HttpRequest, actions: wps.Actions) -> func.HttpResponse:
    actions.send_to_user("alice", req.get_body().decode())
    return func.HttpResponse(status_code=202)
"""


def rows(ours: Checkout) -> list[Row]:
    """The calls alone, to a C program that accepts everything; and the whole way through our commands."""
    return [
        Row(
            "action-rest",
            "Output action over REST, 16 in flight",
            "actions/s",
            (
                _caller(OURS, partial(ours.client, "actions_webpubsub.py")),
                _caller(SDK, partial(sdk_client, "actions_sdk.py")),
            ),
            (Goal(SDK, 30, 21),),
            note="The caller is what is measured, its CPU time too; it calls a C program on the other core.",
        ),
        _function_row("action-function", OURS, ours.start(APP), "Between function and service is REST."),
        _function_row(
            "action-in-process",
            f"{OURS} --in-process",
            ours.start(APP, "--in-process"),
            "Nothing is between them.",
        ),
    ]


def _function_row(name: str, ours: str, server: Server, note: str) -> Row:
    title = "HTTP request to a function that sends to a user with one connection"
    return Row(name, title, "messages/s", (Contender(ours, server, _through_function),), note=note)


def _caller(name: str, program: Callable[[], Sequence[str]]) -> Contender:
    def measure(running: Running | None, seconds: float) -> Sample:
        assert running is not None
        return run_calls(program(), running.port, seconds=seconds)

    return Contender(name, others.limit("http_answer", "202 Accepted", ""), measure)


def _through_function(running: Running | None, seconds: float) -> Sample:
    assert running is not None
    port = service_port(running)
    upgrade = upgrade_request(f"localhost:{port}", client_target(running, user_id="alice"))
    return http_load(
        running,
        seconds,
        [http_request("POST", "/api/send", {"Content-Type": "text/plain"}, TEXT.encode())],
        connections=CONNECTIONS,
        status=202,
        body="",
        upgrades=upgrade,
        subscriber_port=port,
        frame=text_frame(TEXT),
        receivers=1,
    ).sample()
