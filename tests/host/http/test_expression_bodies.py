"""Bodies are decoded for an expression that names a member of them, and up to a limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kit.asgi_client import AsgiClient
from webpubsub.host import expressions
from webpubsub.host.bindings.http_trigger import build_request, request_data
from webpubsub.model.access.signature import signature_header
from webpubsub.model.trace import TraceEvent

Run = Callable[..., Any]

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
CONNECTION = f"Endpoint=http://localhost:8080;AccessKey={KEY};Version=1.0;"

APP = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="{route}", methods=["POST"])
@app.generic_input_binding(arg_name="connection", type="webPubSubConnection", hub="chat", userId="{user}")
def f(req: func.HttpRequest, connection: str) -> str:
    return "done"
"""
REFUSED = (
    b"The body has more than 1048576 bytes, and is not read for an expression in a binding "
    b"(extensions.http.maxExpressionBodyBytes)."
)


def app(user: str, route: str = "f") -> str:
    return APP.replace("{user}", user).replace("{route}", route)


def body_of(size: int) -> bytes:
    start, end = b'{"id": "body", "Who": "a", "sys": {"methodname": "x"}, "x": "', b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


NOT_OF_THE_BODY = [
    *["{query.id}", "{id}", "{headers.host}", "{sys.MethodName}", "{sys.UtcNow}", "{datetime:yyyy}"],
    *["{rand-guid}", "{sys.RandGuid}", "{query.ID}-{sys.utcnow}", "{room}", "plain", "{{id}}"],
]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How large the bodies were that were decoded."""
    found: list[int] = []
    real = expressions.json_members

    def count(text: str | bytes) -> dict[str, Any]:
        found.append(len(text))
        return real(text)

    monkeypatch.setattr(expressions, "json_members", count)
    return found


@pytest.mark.parametrize("user", NOT_OF_THE_BODY)
async def test_no_body_is_decoded_for_anything_else(run_app: Run, decoded: list[int], user: str) -> None:
    client: AsgiClient = await run_app(app(user, route="{room}"), {"WebPubSubConnectionString": CONNECTION})
    answer = await client.request("POST", "/api/lobby?id=query", {"host": "h"}, body_of(1_048_577))
    assert (answer.status, answer.body) == (200, b"done")
    assert decoded == []


@pytest.mark.parametrize(
    ("size", "status", "text"),
    [(1_048_576, 200, b"done"), (1_048_577, 413, REFUSED), (5_000_000, 413, REFUSED)],
)
@pytest.mark.parametrize("user", ["{who}", "a-{WHO}", "{Who}{query.id}"])
async def test_a_body_is_decoded_up_to_the_limit(
    run_app: Run, decoded: list[int], user: str, size: int, status: int, text: bytes
) -> None:
    client: AsgiClient = await run_app(app(user), {"WebPubSubConnectionString": CONNECTION})
    answer = await client.request("POST", "/api/f?id=", body=body_of(size))
    assert (answer.status, answer.body) == (status, text)
    assert decoded == ([size] if status == 200 else [])


@pytest.mark.parametrize(("limit", "status"), [("0", 413), ("99", 413), ("100", 200), ("2000000", 200)])
async def test_host_json_sets_the_limit(run_app: Run, limit: str, status: int) -> None:
    host_json = {"version": "2.0", "extensions": {"http": {"maxExpressionBodyBytes": int(limit)}}}
    client: AsgiClient = await run_app(
        app("{id}"), {"WebPubSubConnectionString": CONNECTION}, files={"host__json": json.dumps(host_json)}
    )
    assert (await client.request("POST", "/api/f", body=body_of(100))).status == status


def test_of_a_body_only_what_is_asked_for_comes_first(decoded: list[int]) -> None:
    scope = {"method": "POST", "headers": [], "query_string": b"a=query", "path": "/", "scheme": "http"}
    data = request_data(build_request(scope, {"b": "route"}, b'{"a": 1, "b": 2, "c": 3, "query": 4}'))
    assert (data["a"], data["b"], data["query"], decoded) == ("query", "route", {"a": "query"}, [])
    assert (data["c"], data["c"], len(decoded)) == (3, 3, 1)
    assert {**data} == {"a": "query", "b": "route", "c": 3, "query": {"a": "query"}, "headers": {}}
    assert len(data) == 5


EVENT_APP = """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
@app.generic_input_binding(arg_name="found", type="webPubSubConnection", hub="chat", userId="{user}")
def f(request, found):
    return "done"
"""
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "localhost",
    "ce-type": "azure.webpubsub.user.message",
    "ce-connectionId": "c1",
    "ce-hub": "chat",
    "ce-eventName": "message",
    "ce-userId": "ann",
}


@pytest.mark.parametrize(
    ("user", "size", "status"),
    [
        ("{connectionContext.userId}", 1_048_576, 200),
        ("{connectionContext.userId}", 1_048_577, 500),
        ("{sys.MethodName}", 1_048_577, 200),
        ("plain", 1_048_577, 200),
    ],
)
async def test_so_is_the_message_of_an_event(
    run_app: Run, events: list[TraceEvent], user: str, size: int, status: int
) -> None:
    client: AsgiClient = await run_app(
        EVENT_APP.replace("{user}", user), {"WebPubSubConnectionString": CONNECTION}
    )
    headers = EVENT | {"ce-signature": signature_header([KEY], "c1")}
    answer = await client.request("POST", "/runtime/webhooks/webpubsub", headers, b"x" * size)
    assert answer.status == status
    assert (status == 200) is not any("maxExpressionBodyBytes" in str(event.error) for event in events)
