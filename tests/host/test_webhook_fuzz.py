"""Any request to the webhook has one of the documented answers, whoever sends it.

The functions of this app never fail, so no request can have the status 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.hostile_values import json_bytes, json_values, states
from kit.spec_app import CONNECT, CONNECTED, DISCONNECTED, SIGNATURE, USER, WEBHOOK, SpecApp, running_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = """
import json
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()
seen = []

def untyped(kind, event, name="request", **more):
    return app.generic_trigger(
        arg_name=name, type="webPubSubTrigger", hub="chat", eventType=kind, eventName=event, **more)

@untyped("user", "message")
def message(request: str):
    event = json.loads(request)
    return {"data": event["data"], "dataType": "text", "states": {"n": 1}}

@untyped("user", "later")
async def later(request: str):
    return json.loads(request)["data"]

@untyped("user", "raw", "data", data_type="binary")
async def raw(data: bytes):
    return data

@untyped("user", "part", "connectionContext")
def part(connectionContext: str):
    return {"data": connectionContext, "dataType": "text"}

@untyped("system", "connect")
async def connect(request: str):
    return {"userId": json.loads(request)["connectionContext"]["userId"], "states": {"n": [None]}}

@untyped("system", "connected")
def connected(request: str):
    json.loads(request)

@untyped("system", "disconnected", "reason")
async def disconnected(reason: str): ...

@untyped("system", "odd")
def odd(request: str): ...

@app.web_pubsub_trigger(hub="typed", event_type="user", event_name="message")
async def typed_message(request: wps.UserEventRequest, connection_context, data_type):
    response = request.create_response(request.payload)
    response.set_state("n", len(connection_context.states))
    return response

@app.web_pubsub_trigger(hub="typed", event_type="user", event_name="later")
def typed_later(request: wps.UserEventRequest):
    return request.create_error_response("userError", repr(request.connection_context.states))

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="connect")
def typed_connect(request: wps.ConnectEventRequest, claims, query, subprotocols, client_certificates):
    return None if query else request.create_response(roles=list(claims))

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="connected")
async def typed_connected(request: wps.ConnectedEventRequest): ...

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="disconnected")
def typed_disconnected(request: wps.DisconnectedEventRequest, reason: str): ...
"""

Headers = list[tuple[bytes, bytes]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path_factory.mktemp("app"), APP) as running:
        yield running


async def answer_to(app: SpecApp, method: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
    """Send a request that no HTTP client could write."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path = {"path": WEBHOOK, "raw_path": WEBHOOK.encode(), "query_string": b""}
    scope = {"type": "http", "method": method, "scheme": "http", "headers": headers, **path}
    await asyncio.wait_for(app.host(scope, receive, send), 5)
    start, end = sent
    return start["status"], start["headers"], end["body"]


# --- strategies -----------------------------------------------------------------------------------------

MQTT = {"ce-subprotocol": "mqtt", "ce-physicalConnectionId": "p", "ce-sessionId": "s"}
MEMBERS = [
    "claims",
    "query",
    "headers",
    "subprotocols",
    "clientCertificates",
    "thumbprint",
    "content",
    "reason",
    "mqtt",
    "protocolVersion",
    "username",
    "password",
    "userProperties",
    "name",
    "value",
    "initiatedByClient",
    "disconnectPacket",
    "code",
]
NAMES = [*(name.lower() for name in {**USER, **MQTT}), "ce-connectionstate", "x", ""]
VALUES = [*USER.values(), *MQTT.values(), "typed", "connect", "later", "application/json", f"a {SIGNATURE}"]

known_headers = st.builds(
    lambda event, hub, name, mqtt: {
        **event,
        "ce-hub": hub,
        **({} if name is None else {"ce-eventName": name}),
        **(MQTT if mqtt else {}),
    },
    st.sampled_from([USER, USER, CONNECT, CONNECTED, DISCONNECTED]),
    st.sampled_from(["chat", "typed"]),
    st.sampled_from([None, None, "later", "raw", "part", "odd"]),
    st.booleans(),
).map(lambda headers: [(name.lower().encode(), value.encode()) for name, value in headers.items()])
values = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([value.encode() for value in VALUES]),
    st.sampled_from([b"", b" , ", b"\xff\xfe", b"\x00", b"a" * 100_000, b"mqtt, mqtt", "日本".encode()]),
    states(),
)
names = st.one_of(st.sampled_from([name.encode() for name in NAMES]), st.binary(max_size=8).map(bytes.lower))
changes = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), names, st.just(b"")),
        st.tuples(st.sampled_from(["add", "replace"]), names, values),
        st.tuples(st.just("replace"), st.just(b"ce-connectionstate"), states()),
        st.tuples(st.just("replace"), st.just(b"content-type"), values),
    ),
    max_size=4,
)
bodies = json_bytes(json_values(MEMBERS, "alice", "PEM"))


def changed(headers: Headers, steps: list[tuple[str, bytes, bytes]]) -> Headers:
    for step, name, value in steps:
        if step != "add":
            headers = [(key, old) for key, old in headers if key != name]
        if step != "drop":
            headers = [*headers, (name, value)]
    return headers


@given(
    method=st.sampled_from(["POST", "POST", "POST", "POST", "GET", "OPTIONS", "PUT", "DELETE", "PATCH", ""]),
    headers=st.builds(changed, known_headers, changes),
    body=bodies,
)
@settings(max_examples=300, deadline=None)
async def test_every_request_has_a_documented_answer(
    app: SpecApp, method: str, headers: Headers, body: bytes
) -> None:
    app.events.clear()
    status, answered, text = await answer_to(app, method, headers, body)
    assert status in {200, 400, 401, 404}, app.failure
    for name, value in answered:
        assert name == name.lower()
        assert not set(value) & {0, 10, 13}
    assert isinstance(text, bytes)


@given(headers=st.lists(st.tuples(names, values), max_size=12), body=st.binary(max_size=30))
@settings(max_examples=100, deadline=None)
async def test_random_headers_never_reach_a_function(app: SpecApp, headers: Headers, body: bytes) -> None:
    app.events.clear()
    status, _, _ = await answer_to(app, "POST", headers, body)
    assert status in {400, 401, 404}
    assert [event for event in app.events if event.name == "function"] == []


@given(headers=st.builds(changed, known_headers, changes), body=bodies)
@settings(max_examples=100, deadline=None)
async def test_what_is_not_signed_never_reaches_a_function(
    app: SpecApp, headers: Headers, body: bytes
) -> None:
    app.events.clear()
    unsigned = [(name, value.replace(SIGNATURE.encode(), b"")) for name, value in headers]
    status, _, _ = await answer_to(app, "POST", unsigned, body)
    assert status in {400, 401, 404}
    assert [event for event in app.events if event.name == "function"] == []
