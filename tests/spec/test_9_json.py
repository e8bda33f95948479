"""Section 9 of the extension's specification: how its JSON is written and read, quirk by quirk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.asgi_client import RecordingSink
from kit.spec_app import CONNECT, USER, SpecApp, running_app
from webpubsub.model.actions import Action, GrantPermissionAction, SendToAllAction

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = """
import json
import azure.functions as func

app = func.FunctionApp()
seen = []

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user",
                     eventName="message")
def message(request: str):
    seen.append(request)
    return eval(json.loads(request)["data"])

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="system",
                     eventName="connect")
def connect(request: str):
    seen.append(request)

@app.route(route="act", methods=["POST"])
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
def act(req: func.HttpRequest, actions: func.Out[str]):
    actions.set(req.get_body().decode())
    return "done"
"""

SINK = RecordingSink()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    sinks = {"WebPubSubConnectionString": SINK}
    async with running_app(tmp_path_factory.mktemp("app"), APP, sinks=sinks) as running:
        yield running


# --- towards scripts ------------------------------------------------------------------------------------

WRITTEN: list[tuple[str, dict[str, str], bytes, str]] = [
    # name, headers, body, what stands in the text
    ("enum eventType User", USER, b"None", '"eventType": "User"'),
    ("enum eventType System", CONNECT, b"{}", '"eventType": "System"'),
    ("enum dataType Text", USER, b"None", '"dataType": "Text"'),
    ("enum dataType Json", USER | {"Content-Type": "application/json"}, b"None", '"dataType": "Json"'),
    (
        "enum dataType Binary",
        USER | {"Content-Type": "application/octet-stream"},
        b"None",
        '"dataType": "Binary"',
    ),
    (
        "binary data is a UTF-8 string",
        USER | {"Content-Type": "application/octet-stream"},
        "'é'".encode(),
        '"data": "\'é\'"',
    ),
    (
        "Thumbprint is capital",
        CONNECT,
        b'{"clientCertificates": [{"thumbprint": "A"}]}',
        '"Thumbprint": "A"',
    ),
    ("everything else is camelCase", CONNECT, b"{}", '"clientCertificates": []'),
    (
        "values of states are raw JSON",
        USER | {"ce-connectionState": "eyJjb3VudGVyIjoiTWc9PSJ9"},
        b"None",
        '"counter": 2',
    ),
    ("text is not escaped beyond JSON", USER, '"<é&\'/"'.encode(), r'"data": "\"<é&' + '\'/\\""'),
]


@pytest.mark.parametrize(
    ("headers", "body", "part"), [row[1:] for row in WRITTEN], ids=[row[0] for row in WRITTEN]
)
async def test_9_written(app: SpecApp, headers: dict[str, str], body: bytes, part: str) -> None:
    assert (await app.event(headers, body)).status == 200
    assert part in app.seen[0]


# --- from scripts ---------------------------------------------------------------------------------------

ANSWERED: list[tuple[str, str, int, str | None, bytes]] = [
    # name, what is returned, status, content type, body
    ("enum by name", "{'data': '1', 'dataType': 'json'}", 200, "application/json", b"1"),
    ("enum by name in any case", "{'data': '1', 'dataType': 'JSON'}", 200, "application/json", b"1"),
    ("enum by PascalCase name", "{'data': '1', 'dataType': 'Json'}", 200, "application/json", b"1"),
    ("enum by number", "{'data': '1', 'dataType': 1}", 200, "application/json", b"1"),
    (
        "an unknown name",
        "{'data': '1', 'dataType': 'xml'}",
        500,
        "text/plain; charset=utf-8",
        b"The function failed.",
    ),
    (
        "an unknown number",
        "{'data': '1', 'dataType': 3}",
        500,
        "text/plain; charset=utf-8",
        b"The function failed.",
    ),
    (
        "data from a string",
        "{'data': 'é', 'dataType': 'binary'}",
        200,
        "application/octet-stream",
        "é".encode(),
    ),
    (
        "data from a Buffer",
        "{'data': {'type': 'Buffer', 'data': [0, 255]}, 'dataType': 'binary'}",
        200,
        "application/octet-stream",
        b"\x00\xff",
    ),
    (
        "data from an empty Buffer",
        "{'data': {'type': 'Buffer', 'data': []}, 'dataType': 'binary'}",
        200,
        "application/octet-stream",
        b"",
    ),
    ("data members in any case", "{'DATA': 'x', 'datatype': 'text'}", 200, "text/plain", b"x"),
    (
        "code is case-sensitive",
        "{'data': 'x', 'dataType': 'text', 'CODE': 'userError'}",
        200,
        "text/plain",
        b"x",
    ),
    ("a time stays as it is", "{'data': '2026-01-01T00:00:00Z'}", 200, "text/plain", b"2026-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(
    ("script", "status", "content_type", "body"),
    [row[1:] for row in ANSWERED],
    ids=[row[0] for row in ANSWERED],
)
async def test_9_read(app: SpecApp, script: str, status: int, content_type: str | None, body: bytes) -> None:
    answer = await app.event(USER, script.encode())
    assert (answer.status, answer.header("content-type"), answer.body) == (status, content_type, body)


STATE_VALUES: list[tuple[str, Any, str]] = [
    ("object", {"a": [1, None]}, "eyJzIjoiZXlKaElqcGJNU3h1ZFd4c1hYMD0ifQ=="),
    ("string", "c", "eyJzIjoiSW1NaSJ9"),
    ("number", 2, "eyJzIjoiTWc9PSJ9"),
    ("null", None, "eyJzIjoiYm5Wc2JBPT0ifQ=="),
    ("boolean", True, "eyJzIjoiZEhKMVpRPT0ifQ=="),
]


@pytest.mark.parametrize(
    ("value", "header"), [row[1:] for row in STATE_VALUES], ids=[row[0] for row in STATE_VALUES]
)
async def test_9_a_state_may_be_any_json(app: SpecApp, value: Any, header: str) -> None:
    answer = await app.event(USER, repr({"states": {"s": value}}).encode())
    assert answer.header("ce-connectionState") == header


async def test_9_states_is_case_sensitive(app: SpecApp) -> None:
    answer = await app.event(USER, b"{'data': 'x', 'dataType': 'text', 'STATES': {'a': 1}}")
    assert (answer.text, answer.header("ce-connectionState")) == ("x", None)


PERMISSION = {"actionName": "grantPermission", "connectionId": "c", "targetName": "g"}
SAID: list[tuple[str, dict[str, Any], Action]] = [
    (
        "enum by name in any case",
        PERMISSION | {"permission": "SENDTOGROUP"},
        GrantPermissionAction("c", "sendToGroup", "g"),
    ),
    ("enum by number", PERMISSION | {"permission": 2}, GrantPermissionAction("c", "joinLeaveGroup", "g")),
    (
        "members in any case",
        {"ACTIONNAME": "sendToAll", "DATA": "x", "DATATYPE": "text", "EXCLUDED": ["c"]},
        SendToAllAction("x", excluded=["c"]),
    ),
    ("unknown members", {"actionName": "sendToAll", "data": "x", "novel": {}}, SendToAllAction("x")),
]


@pytest.mark.parametrize(("value", "action"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
async def test_9_actions(app: SpecApp, value: dict[str, Any], action: Action) -> None:
    SINK.performed.clear()
    answer = await app.request("POST", "/api/act", (), json.dumps(value).encode())
    assert (answer.status, app.failure) == (200, "")
    assert SINK.performed == [("chat", action)]


async def test_9_the_last_of_two_equal_members_wins(app: SpecApp) -> None:
    SINK.performed.clear()
    body = b'{"actionName": "sendToAll", "data": "first", "data": "last"}'
    answer = await app.request("POST", "/api/act", (), body)
    assert (answer.status, app.failure) == (200, "")
    assert SINK.performed == [("chat", SendToAllAction("last"))]
