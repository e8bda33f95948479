"""Section 5 of the extension's specification: what a trigger function returns, row by row.

A function returns what the event's text says, as Python; ``wps`` is the package and ``request`` the event.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kit.spec_app import CONNECT, CONNECTED, DISCONNECTED, USER, SpecApp, loaded_app, running_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = """
import json
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()
seen = []

def result(script, request):
    return eval(script, {"wps": wps, "request": request})

def untyped(kind, name):
    return app.generic_trigger(
        arg_name="request", type="webPubSubTrigger", hub="untyped", eventType=kind, eventName=name)

@untyped("user", "message")
def message(request: str):
    return result(json.loads(request)["data"], request)

@untyped("system", "connect")
async def connect(request: str):
    return result("".join(json.loads(request)["query"].get("run", ["None"])), request)

@untyped("system", "connected")
def connected(request: str):
    return {"states": {"a": 1}, "code": "userError"}

@app.web_pubsub_trigger(hub="typed", event_type="user", event_name="message")
async def typed_message(request: wps.UserEventRequest):
    return result(request.payload.text, request)

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="connect")
def typed_connect(request: wps.ConnectEventRequest):
    return result("".join(request.query.get("run", ["None"])), request)

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="disconnected")
def typed_disconnected(request: wps.DisconnectedEventRequest):
    return wps.UserEventResponse("x") if request.reason else None
"""

FAILED = (500, "text/plain; charset=utf-8", b"The function failed.")
TEXT, JSON, BINARY = "text/plain", "application/json", "application/octet-stream"
REFUSED = "text/plain; charset=utf-8"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path_factory.mktemp("app"), APP) as running:
        yield running


async def answer_to(
    app: SpecApp, event: str, hub: str, script: str, **headers: str
) -> tuple[int, str | None, bytes]:
    """Let the function of an event return ``script``."""
    known, body = (USER, script) if event == "user" else (CONNECT, json.dumps({"query": {"run": [script]}}))
    found = await app.event(known | {"ce-hub": hub} | headers, body.encode())
    return found.status, found.header("content-type"), found.body


def ids(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


# --- 5.2 (1) errors: the same for both events, typed functions may return dicts, too --------------------

ERRORS: list[tuple[str, str, tuple[int, str | None, bytes]]] = [
    ("unauthorized", "{'code': 'unauthorized', 'errorMessage': 'no'}", (401, REFUSED, b"no")),
    ("userError", "{'code': 'userError', 'errorMessage': 'no'}", (400, REFUSED, b"no")),
    ("serverError", "{'code': 'serverError', 'errorMessage': 'no'}", (500, REFUSED, b"no")),
    ("in any case", "{'code': 'UNAUTHORIZED', 'errorMessage': 'no'}", (401, REFUSED, b"no")),
    ("PascalCase", "{'code': 'UserError', 'errorMessage': 'no'}", (400, REFUSED, b"no")),
    ("0", "{'code': 0, 'errorMessage': 'no'}", (401, REFUSED, b"no")),
    ("1", "{'code': 1, 'errorMessage': 'no'}", (400, REFUSED, b"no")),
    ("2", "{'code': 2, 'errorMessage': 'no'}", (500, REFUSED, b"no")),
    ("text beyond ASCII", "{'code': 1, 'errorMessage': 'né'}", (400, REFUSED, "né".encode())),
    # Differs: the extension answers 500 when there is no message.
    ("no errorMessage", "{'code': 'unauthorized'}", (401, None, b"")),
    ("errorMessage null", "{'code': 'userError', 'errorMessage': None}", (400, None, b"")),
    ("errorMessage empty", "{'code': 'userError', 'errorMessage': ''}", (400, None, b"")),
    ("an unknown name", "{'code': 'notFound', 'errorMessage': 'no'}", FAILED),
    ("an unknown number", "{'code': 3, 'errorMessage': 'no'}", FAILED),
    (
        "errors come before everything else",
        "{'code': 1, 'errorMessage': 'no', 'data': 5, 'userId': 5}",
        (400, REFUSED, b"no"),
    ),
    ("a message without a code", "{'errorMessage': 'no'}", FAILED),
]


@pytest.mark.parametrize("hub", ["untyped", "typed"])
@pytest.mark.parametrize("event", ["user", "connect"])
@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in ERRORS], ids=ids(ERRORS))
async def test_5_2_errors(app: SpecApp, hub: str, event: str, script: str, expected: Any) -> None:
    assert await answer_to(app, event, hub, script) == expected


SUCCESS: list[tuple[str, str]] = [
    ("success", "{'code': 'success', 'data': 'x', 'dataType': 'text'}"),
    ("Success, as an isolated worker says", "{'code': 'Success', 'data': 'x', 'dataType': 'text'}"),
    ("-1", "{'code': -1, 'data': 'x', 'dataType': 'text'}"),
    ("only this spelling of code is one", "{'Code': 'userError', 'data': 'x', 'dataType': 'text'}"),
]


@pytest.mark.parametrize("script", [row[1] for row in SUCCESS], ids=ids(SUCCESS))
async def test_5_2_no_errors(app: SpecApp, script: str) -> None:
    assert await answer_to(app, "user", "untyped", script) == (200, TEXT, b"x")


# --- 5.2 (2) connect ------------------------------------------------------------------------------------

NOTHING = b'{"userId":null,"groups":null,"subprotocol":null,"roles":null}'
CONNECTS: list[tuple[str, str, tuple[int, str | None, bytes]]] = [
    ("nothing", "None", (200, None, b"")),
    (
        "userId",
        "{'userId': 'aaa'}",
        (200, JSON, b'{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}'),
    ),
    (
        "all members, in the extension's order",
        "{'roles': ['r'], 'subprotocol': 'p', 'groups': ['g', 'h'], 'userId': 'aaa'}",
        (200, JSON, b'{"userId":"aaa","groups":["g","h"],"subprotocol":"p","roles":["r"]}'),
    ),
    (
        "members in any case",
        "{'USERID': 'aaa', 'Groups': ['g']}",
        (200, JSON, b'{"userId":"aaa","groups":["g"],"subprotocol":null,"roles":null}'),
    ),
    (
        "unknown members are dropped",
        "{'userId': 'aaa', 'novel': 1}",
        (200, JSON, b'{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}'),
    ),
    (
        "empty lists stay empty",
        "{'groups': [], 'roles': []}",
        (200, JSON, b'{"userId":null,"groups":[],"subprotocol":null,"roles":[]}'),
    ),
    ("an empty object", "{}", (200, JSON, NOTHING)),
    ("only states", "{'states': {'a': 1}}", (200, JSON, NOTHING)),
    ("success", "{'code': 'success'}", (200, JSON, NOTHING)),
    # Differs: the extension ignores a string, and says nothing about the others.
    (
        "JSON text",
        '\'{"userId": "aaa"}\'',
        (200, JSON, b'{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}'),
    ),
    (
        "JSON bytes",
        'b\'{"userId": "aaa"}\'',
        (200, JSON, b'{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}'),
    ),
    ("other text", "'aaa'", FAILED),
    ("a number", "5", FAILED),
    ("a list", "[1]", FAILED),
    ("an object without any known member", "{'user': 'aaa'}", FAILED),
    ("a member of another kind", "{'groups': 'g'}", FAILED),
    # typed results
    (
        "ConnectEventResponse",
        "wps.ConnectEventResponse(user_id='aaa', groups=['g'])",
        (200, JSON, b'{"userId":"aaa","groups":["g"],"subprotocol":null,"roles":null}'),
    ),
    ("EventErrorResponse", "wps.EventErrorResponse('unauthorized', 'no')", (401, REFUSED, b"no")),
    # 5.4: the text names both kinds in the log only
    ("UserEventResponse", "wps.UserEventResponse('hi')", FAILED),
]


@pytest.mark.parametrize("hub", ["untyped", "typed"])
@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in CONNECTS], ids=ids(CONNECTS))
async def test_5_2_connect(app: SpecApp, hub: str, script: str, expected: Any) -> None:
    assert await answer_to(app, "connect", hub, script) == expected


# --- 5.2 (3) user ---------------------------------------------------------------------------------------

USERS: list[tuple[str, str, tuple[int, str | None, bytes]]] = [
    ("nothing", "None", (200, None, b"")),
    ("text", "{'data': 'hi', 'dataType': 'text'}", (200, TEXT, b"hi")),
    ("json, as its text", "{'data': '{\"a\": 1.50}', 'dataType': 'json'}", (200, JSON, b'{"a": 1.50}')),
    (
        "binary, from a Buffer",
        "{'data': {'type': 'Buffer', 'data': [0, 255]}, 'dataType': 'binary'}",
        (200, BINARY, b"\x00\xff"),
    ),
    ("binary, from a string", "{'data': 'hi', 'dataType': 'binary'}", (200, BINARY, b"hi")),
    (
        "text, from a Buffer",
        "{'data': {'type': 'Buffer', 'data': [104]}, 'dataType': 'text'}",
        (200, TEXT, b"h"),
    ),
    (
        "Buffer in any case",
        "{'data': {'type': 'BUFFER', 'data': [1]}, 'dataType': 'binary'}",
        (200, BINARY, b"\x01"),
    ),
    ("dataType in any case", "{'data': 'hi', 'dataType': 'TEXT'}", (200, TEXT, b"hi")),
    ("dataType 0", "{'data': 'hi', 'dataType': 0}", (200, BINARY, b"hi")),
    ("dataType 1", "{'data': '1', 'dataType': 1}", (200, JSON, b"1")),
    ("dataType 2", "{'data': 'hi', 'dataType': 2}", (200, TEXT, b"hi")),
    ("members in any case", "{'DATA': 'hi', 'DATATYPE': 'text'}", (200, TEXT, b"hi")),
    ("unknown members are dropped", "{'data': 'hi', 'dataType': 'text', 'novel': 1}", (200, TEXT, b"hi")),
    ("an empty string", "{'data': '', 'dataType': 'text'}", (200, TEXT, b"")),
    ("an unknown dataType", "{'data': 'hi', 'dataType': 'xml'}", FAILED),
    ("an unknown number", "{'data': 'hi', 'dataType': 3}", FAILED),
    ("a number", "{'data': 5, 'dataType': 'json'}", FAILED),
    ("an object", "{'data': {'a': 1}, 'dataType': 'json'}", FAILED),
    ("a list", "{'data': [1], 'dataType': 'json'}", FAILED),
    ("null", "{'data': None, 'dataType': 'json'}", FAILED),
    # Differs: with the wrong bytes the extension would let the client find out.
    ("json that is none", "{'data': '{', 'dataType': 'json'}", FAILED),
    # Differs: a missing dataType is inferred; in the extension it is binary.
    ("no dataType: a string", "{'data': 'hi'}", (200, TEXT, b"hi")),
    ("no dataType: a Buffer", "{'data': {'type': 'Buffer', 'data': [1]}}", (200, BINARY, b"\x01")),
    ("no dataType: an object", "{'data': {'a': 1}}", (200, JSON, b'{"a":1}')),
    ("no dataType: a number", "{'data': 5}", (200, JSON, b"5")),
    # Differs: without data there is no Content-Type either.
    ("no data", "{'dataType': 'text'}", (200, None, b"")),
    ("data null, no dataType", "{'data': None}", (200, None, b"")),
    ("only states", "{'states': {'a': 1}}", (200, None, b"")),
    # Differs: the extension ignores strings and bytes, and refuses the rest.
    ("a str", "'hi'", (200, TEXT, b"hi")),
    ("an empty str", "''", (200, TEXT, b"")),
    ("JSON text is text", '\'{"data": "hi"}\'', (200, TEXT, b'{"data": "hi"}')),
    ("bytes", "b'\\x00\\xff'", (200, BINARY, b"\x00\xff")),
    ("a list is JSON", "[1, 'a']", (200, JSON, b'[1,"a"]')),
    ("a number is JSON", "5", (200, JSON, b"5")),
    ("an object of one's own is JSON", "{'answer': 42}", (200, JSON, b'{"answer":42}')),
    ("an empty object is JSON", "{}", (200, JSON, b"{}")),
    ("what has no JSON form", "object()", FAILED),
    # typed results
    ("UserEventResponse of str", "wps.UserEventResponse('hi')", (200, TEXT, b"hi")),
    ("UserEventResponse of bytes", "wps.UserEventResponse(b'\\xff')", (200, BINARY, b"\xff")),
    ("UserEventResponse of JSON", "wps.UserEventResponse({'a': 1})", (200, JSON, b'{"a":1}')),
    ("UserEventResponse of a JSON string", "wps.UserEventResponse('hi', 'json')", (200, JSON, b'"hi"')),
    ("UserEventResponse of nothing", "wps.UserEventResponse()", (200, None, b"")),
    ("EventErrorResponse", "wps.EventErrorResponse('userError', 'no')", (400, REFUSED, b"no")),
    ("EventErrorResponse without text", "wps.EventErrorResponse('serverError')", (500, None, b"")),
    # 5.4
    ("ConnectEventResponse", "wps.ConnectEventResponse(user_id='a')", FAILED),
    ("an action", "wps.SendToAllAction('hi')", FAILED),
]


@pytest.mark.parametrize("hub", ["untyped", "typed"])
@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in USERS], ids=ids(USERS))
async def test_5_2_user(app: SpecApp, hub: str, script: str, expected: Any) -> None:
    assert await answer_to(app, "user", hub, script) == expected


PROBLEMS: list[tuple[str, str, str, str]] = [
    # name, event, what is returned, what the log says
    ("stringify it", "user", "{'data': {'a': 1}, 'dataType': 'json'}", "stringify it with json.dumps(...)"),
    (
        "an unknown code",
        "user",
        "{'code': 'no'}",
        "'no' is not one of 'unauthorized', 'userError', 'serverError'",
    ),
    (
        "an unknown dataType",
        "user",
        "{'data': '', 'dataType': 'xml'}",
        "'xml' is not one of 'text', 'json', 'binary'",
    ),
    ("wrong kind: user", "user", "wps.ConnectEventResponse()", "UserEventResponse or EventErrorResponse"),
    ("wrong kind: connect", "connect", "wps.UserEventResponse()", "ConnectEventResponse, EventErrorResponse"),
    ("a near miss", "connect", "{'userid_': 'a'}", "did you mean 'userId'?"),
]


@pytest.mark.parametrize(("event", "script", "text"), [row[1:] for row in PROBLEMS], ids=ids(PROBLEMS))
async def test_5_2_and_5_4_the_log_says_what_was_expected(
    app: SpecApp, event: str, script: str, text: str
) -> None:
    assert await answer_to(app, event, "untyped", script) == FAILED
    assert text in app.failure


# --- 5.3 states -----------------------------------------------------------------------------------------

ONE = "eyJhIjoiTVE9PSJ9"  # {"a": "MQ=="}, a = 1
TWO = "eyJhIjoiTVE9PSIsImIiOiJNZz09In0="  # a = 1, b = 2
OTHER = "eyJhIjoiTWc9PSJ9"  # a = 2
ONLY_B = "eyJiIjoiTWc9PSJ9"  # b = 2
NULL = "eyJhIjoiYm5Wc2JBPT0ifQ=="  # a = null
EMPTY = "e30="  # {}
FOREIGN = "eyJjb3VudGVyIjoxfQ=="  # {"counter": 1}, which is not the extension's format

STATES: list[tuple[str, str | None, str, str | None]] = [
    # name, states of the request, what is returned, states of the answer
    ("nothing, none", None, "None", None),
    ("set the first", None, "{'states': {'a': 1}}", ONE),
    ("returned nothing: re-sent unchanged", ONE, "None", ONE),
    ("returned no states: re-sent unchanged", ONE, "{'data': 'x', 'dataType': 'text'}", ONE),
    ("another format: re-sent unchanged", FOREIGN, "None", FOREIGN),
    ("merged: extended", ONE, "{'states': {'b': 2}}", TWO),
    ("merged: overwritten", ONE, "{'states': {'a': 2}}", OTHER),
    ("merged into another format: replaced", FOREIGN, "{'states': {'a': 1}}", ONE),
    ("empty states change nothing", ONE, "{'states': {}}", ONE),
    ("states null change nothing", ONE, "{'states': None}", ONE),
    ("null is a value", ONE, "{'states': {'a': None}}", NULL),
    ("with data", None, "{'data': 'x', 'dataType': 'text', 'states': {'a': 1}}", ONE),
    ("an error carries none", ONE, "{'code': 'userError', 'errorMessage': 'x', 'states': {'a': 2}}", None),
    ("a string leaves them", ONE, "'x'", ONE),
    # Differs: clearing clears; in the extension it changes nothing.
    ("cleared", ONE, "{'clearStates': True}", EMPTY),
    ("cleared, then set", ONE, "{'clearStates': True, 'states': {'b': 2}}", ONLY_B),
    ("nothing to clear", None, "{'clearStates': True}", EMPTY),
    ("typed: set", ONE, "wps.UserEventResponse('x', states={'b': 2})", TWO),
    ("typed: cleared", ONE, "wps.UserEventResponse('x', states_cleared=True)", EMPTY),
    ("typed: cleared, then set", ONE, "wps.UserEventResponse(states={'b': 2}, states_cleared=True)", ONLY_B),
]


@pytest.mark.parametrize("hub", ["untyped", "typed"])
@pytest.mark.parametrize(("before", "script", "after"), [row[1:] for row in STATES], ids=ids(STATES))
async def test_5_3_states(app: SpecApp, hub: str, before: str | None, script: str, after: str | None) -> None:
    states = {} if before is None else {"ce-connectionState": before}
    answer = await app.event(USER | {"ce-hub": hub} | states, script.encode())
    assert answer.header("ce-connectionState") == after


@pytest.mark.parametrize("script", ["{'states': 'x'}", "{'states': [1]}", "{'states': 5}"])
async def test_5_3_states_that_are_no_object(app: SpecApp, script: str) -> None:
    # Differs: the extension ignores them; here nothing is ignored.
    assert await answer_to(app, "user", "untyped", script) == FAILED
    assert "expected an object of names and JSON values" in app.failure


@pytest.mark.parametrize("hub", ["untyped", "typed"])
async def test_5_3_states_of_connect(app: SpecApp, hub: str) -> None:
    body = json.dumps({"query": {"run": ["{'userId': 'a', 'states': {'a': 1}}"]}}).encode()
    answer = await app.event(CONNECT | {"ce-hub": hub}, body)
    assert (answer.status, answer.header("ce-connectionState")) == (200, ONE)


async def test_5_3_nobody_waits_for_the_states_of_other_events(app: SpecApp) -> None:
    answer = await app.event(CONNECTED | {"ce-hub": "untyped", "ce-connectionState": ONE})
    assert (answer.status, answer.header("ce-connectionState"), answer.body) == (200, None, b"")


async def test_5_4_a_response_nobody_waits_for_is_told(app: SpecApp) -> None:
    answer = await app.event(DISCONNECTED | {"ce-hub": "typed"}, b'{"reason": "bye"}')
    assert (answer.status, answer.body) == (200, b"")
    assert "nobody waits for an answer to the disconnected event" in app.failure


# --- 5.1 what travels in Azure --------------------------------------------------------------------------

ANNOTATED = """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="{type}",
                     eventName="{event}")
def f(request: str){returns}: ...
"""
RETURNS: list[tuple[str, str, str, str, bool]] = [
    # name, type, event, annotation, whether a warning is given
    ("str of user", "user", "message", " -> str", True),
    ("str of connect", "system", "connect", " -> str", True),
    ("str of connected", "system", "connected", " -> str", False),
    ("bytes", "user", "message", " -> bytes", True),
    ("list", "user", "message", " -> list[str]", True),
    ("quoted", "user", "message", " -> 'str'", True),
    ("dict", "user", "message", " -> dict", False),
    ("None", "user", "message", " -> None", False),
    ("nothing", "user", "message", "", False),
]


@pytest.mark.parametrize(
    ("kind", "event", "annotation", "is_warned"), [row[1:] for row in RETURNS], ids=ids(RETURNS)
)
async def test_5_1_what_azure_does_not_take_for_an_answer_is_warned_about(
    tmp_path: Path, kind: str, event: str, annotation: str, is_warned: bool
) -> None:
    source = ANNOTATED.format(type=kind, event=event, returns=annotation)
    with loaded_app(tmp_path, source) as app:
        assert app.host.problems == ()
        texts = [text for text in app.host.warnings if "this host takes for the answer, but Azure" in text]
        assert bool(texts) == is_warned
