"""Events of the service, as Azure sends them, to a function: signature checked, answered with three bytes."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from benchmarks import others
from benchmarks.goals import Goal
from benchmarks.http import http_load, http_request, status_of
from benchmarks.ours import HUB, KEY, WEBHOOK, Checkout
from benchmarks.rows import LIMIT, OURS, Contender, Row, Sample
from benchmarks.servers import Running, Server
from benchmarks.tls import CERTIFICATE, trusting, with_certificate
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import signature_header

__all__ = ["rows"]

EXPRESS: Final = "express + @azure/web-pubsub-express + HMAC"
CLIENTS: Final = 1000  # of the service: each has its own connection id, and so its own signature
CONNECTIONS: Final = 64
SECONDS: Final = 0.25  # of a turn; ten thousand events and more for ours, a thousand for others

APP: Final = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.web_pubsub_trigger(hub="bench", event_type="user", event_name="message")
{definition} message(request: wps.UserEventRequest) -> str:
    return "ack"
"""


def rows(ours: Checkout) -> list[Row]:
    """An ``async def`` function, a ``def`` function, which runs in a thread, and the first over TLS."""
    express = _contender(EXPRESS, others.node("webhook_express.mjs"), "/webhook")
    limit = Contender(
        f"{LIMIT}epoll, no checks", others.limit("http_answer", "200 OK", "ack"), partial(_measure, "/")
    )
    fastapi = others.python("webhook_fastapi.py")
    flask = others.gunicorn("webhook_flask:app", "--worker-class", "gthread", "--threads", "8")
    return [
        Row(
            "webhook-async",
            "Event to an async function and back",
            "events/s",
            (_ours(ours, "async def"), express, _contender("FastAPI async", fastapi, "/async"), limit),
            (Goal(EXPRESS, 8, 3.4),),
            seconds=SECONDS,
        ),
        Row(
            "webhook-sync",
            "Event to a sync function and back",
            "events/s",
            (
                _ours(ours, "def"),
                express,
                _contender("FastAPI def", fastapi, "/sync"),
                _contender("Flask, gunicorn gthread", flask, "/webhook"),
                limit,
            ),
            (Goal(EXPRESS, 5.5, 2.9),),
            seconds=SECONDS,
        ),
        Row(
            "webhook-tls",
            "Event over https to an async function and back",
            "events/s",
            (
                _tls_contender(OURS, _tls_start(ours), WEBHOOK),
                _tls_contender(
                    EXPRESS, others.node("webhook_express.mjs", "ack", str(CERTIFICATE)), "/webhook"
                ),
                _tls_contender(
                    "FastAPI async", others.python("webhook_fastapi.py", str(CERTIFICATE)), "/async"
                ),
            ),
            seconds=SECONDS,
        ),
    ]


def _ours(ours: Checkout, definition: str) -> Contender:
    return _contender(OURS, ours.start(APP.format(definition=definition)), WEBHOOK)


def _tls_start(ours: Checkout) -> Server:
    # An app without a service of its own: whoever has the key is the service.
    options = ("--no-service", "--ssl-certfile", str(CERTIFICATE), "--ssl-keyfile", str(CERTIFICATE))
    server = ours.start(APP.format(definition="async def"), *options)
    connection = str(ConnectionString("http://localhost", KEY))
    return msgspec.structs.replace(server, environment={"WebPubSubConnectionString": connection})


def _contender(name: str, server: Server, target: str) -> Contender:
    return Contender(name, server, partial(_measure_checked, target))


def _tls_contender(name: str, server: Server, target: str) -> Contender:
    return Contender(name, with_certificate(server), partial(_measure_checked, target, is_tls=True))


def _measure_checked(target: str, running: Running | None, seconds: float, *, is_tls: bool = False) -> Sample:
    """Measure a webhook that lets nobody in without a signature."""
    assert running is not None
    forged = event(target, 0, key="a key that the webhook does not know")
    status = status_of(running, forged, trusting() if is_tls else None)
    if status != 401:
        raise RuntimeError(f"{target}: expected 401 as answer to a forged event, found {status}")
    return _measure(target, running, seconds, **({"trust": CERTIFICATE} if is_tls else {}))


def _measure(target: str, running: Running | None, seconds: float, **options: object) -> Sample:
    assert running is not None
    requests = [event(target, number) for number in range(CLIENTS)]
    expected = {"connections": CONNECTIONS, "status": 200, "body": "ack"}
    return http_load(running, seconds, requests, **expected, **options).sample()


def event(target: str, number: int, key: str = KEY) -> bytes:
    """Return a user event of one client, with all headers that Azure sends."""
    connection_id = f"{number:032x}"
    headers = {
        "User-Agent": "AzureWebPubSub/1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "WebHook-Request-Origin": "localhost",
        "ce-specversion": "1.0",
        "ce-awpsversion": "1.0",
        "ce-type": "azure.webpubsub.user.message",
        "ce-source": f"/hubs/{HUB}/client/{connection_id}",
        "ce-id": str(number + 1),
        "ce-time": "2026-01-01T00:00:00.000Z",
        "ce-signature": signature_header((key, "the other key of the service"), connection_id),
        "ce-userId": f"user{number}",
        "ce-connectionId": connection_id,
        "ce-hub": HUB,
        "ce-eventName": "message",
        "ce-subprotocol": "json.webpubsub.azure.v1",
    }
    return http_request("POST", target, headers, b"0123456789" * 10)
