"""Tokens that clients connect with: signed, fetched from a function, and asked of the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from benchmarks import others
from benchmarks.goals import Goal
from benchmarks.http import http_load, http_request
from benchmarks.load import run_calls
from benchmarks.ours import HUB, KEY, Checkout
from benchmarks.programs import sdk_client
from benchmarks.rows import OURS, Contender, Row, Sample
from benchmarks.servers import Running, Server
from webpubsub.model.access.tokens import rest_token
from webpubsub.model.rest import GenerateClientToken, build_request

__all__ = ["rows"]

FASTAPI: Final = "FastAPI + official SDK"
CONNECTIONS: Final = 32
USERS: Final = 100

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="negotiate", methods=["GET"])
@app.web_pubsub_connection_input(hub="bench", user_id="{query.userId}")
async def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    return func.HttpResponse(connection.url)
"""


def rows(ours: Checkout) -> list[Row]:
    """In a process, over HTTP by a function, and over REST by the service."""
    return [
        Row(
            "token-sign",
            "Client tokens signed in a process",
            "tokens/s",
            (
                _signer(OURS, partial(ours.client, "tokens_webpubsub.py")),
                _signer("azure-messaging-webpubsubservice", partial(sdk_client, "tokens_sdk.py")),
            ),
        ),
        Row(
            "token-negotiate",
            "HTTP function that answers with a client's URL",
            "requests/s",
            (
                _negotiator(OURS, ours.start(APP), "/api/negotiate"),
                _negotiator(
                    "express + @azure/web-pubsub", others.node("negotiate_express.mjs"), "/negotiate"
                ),
                _negotiator(FASTAPI, others.python("negotiate_fastapi.py"), "/negotiate"),
            ),
            (Goal(FASTAPI, 4, 1.3),),
        ),
        Row(
            "token-rest",
            "REST: generate a client's token",
            "requests/s",
            (Contender(OURS, ours.service(), _generate),),
        ),
    ]


def _signer(name: str, program: Callable[[], Sequence[str]]) -> Contender:
    return Contender(name, None, lambda _, seconds: run_calls(program(), seconds=seconds))


def _negotiator(name: str, server: Server, path: str) -> Contender:
    return Contender(name, server, partial(_negotiate, path))


def _negotiate(path: str, running: Running | None, seconds: float) -> Sample:
    requests = (http_request("GET", f"{path}?userId=user{number}", {}) for number in range(USERS))
    return _answered(running, seconds, requests, "/client/hubs/bench?access_token=")


def _generate(running: Running | None, seconds: float) -> Sample:
    assert running is not None
    return _answered(running, seconds, map(partial(_question, running.port), range(USERS)), '{"token":"')


def _question(port: int, number: int) -> bytes:
    host, request = f"localhost:{port}", build_request(HUB, GenerateClientToken(user_id=f"user{number}"))
    token = rest_token(f"http://{host}{request.target}", KEY, now=time.time())
    return http_request(request.method, request.target, {"Host": host, "Authorization": f"Bearer {token}"})


def _answered(running: Running | None, seconds: float, requests: Iterable[bytes], contains: str) -> Sample:
    assert running is not None
    return http_load(running, seconds, requests, connections=CONNECTIONS, contains=contains).sample()
