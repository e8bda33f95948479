"""Section 6 of the extension's specification: a request of the service in an HTTP function, row by row."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kit.spec_app import (
    CONNECT,
    CONNECTED,
    CONNECTION,
    CONNECTION_ID,
    DEFAULT,
    DISCONNECTED,
    KEY,
    SIGNATURE,
    USER,
    SpecApp,
    loaded_app,
    running_app,
    without,
)

CCC = "sha256=5af79c68ab9d1ca0ba30fb07b49043297197c057eac2ceeae544b51fcea112e4"
STATES = "eyJjb3VudGVyIjoiTWc9PSJ9"  # {"counter": 2}, from section 3.7


def app_of(members: str = "", trigger: str = "@app.route(route='upstream')") -> str:
    """An app that shows what an untyped function gets, and answers as it should."""
    return f"""
import json
import azure.functions as func
app = func.FunctionApp()
seen = []

{trigger}
@app.generic_input_binding(arg_name="wpsContext", type="webPubSubContext"{members})
def f(req, wpsContext: str):
    seen.append(wpsContext)
    answer = json.loads(wpsContext)["response"]
    headers = {{name: values[0] for name, values in answer["headers"].items()}}
    return func.HttpResponse(answer["body"], status_code=answer["status"], headers=headers)
"""


TYPED = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()
seen = []

@app.route(route="upstream")
@app.web_pubsub_context_input()
def f(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    seen.append(wps_context)
    return wps.http_response(wps_context)
"""


@pytest_asyncio.fixture
async def app(tmp_path: Path) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path, app_of()) as running:
        yield running


@pytest_asyncio.fixture
async def typed(tmp_path: Path) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path, TYPED) as running:
        yield running


async def context_of(app: SpecApp, method: str, headers: Any, body: bytes = b"") -> dict[str, Any]:
    """Return what the function got; its answer was what the context says."""
    answer = await app.request(method, "/api/upstream", headers, body)
    (text,) = app.seen
    context: dict[str, Any] = json.loads(text)
    response = context["response"]
    assert (answer.status, answer.text) == (response["status"], response["body"] or "")
    for name, values in response["headers"].items():
        assert [answer.header(name)] == values
    return context


# --- the table ----------------------------------------------------------------------------------------


def preflight(is_valid: bool) -> dict[str, Any]:
    return {
        "request": {"isValid": is_valid, "connectionContext": None},
        "response": {
            "body": None,
            "status": 200 if is_valid else 400,
            "headers": {"WebHook-Allowed-Origin": ["*"]} if is_valid else {},
        },
        "errorMessage": None,
        "hasError": False,
        "isPreflight": True,
    }


def error(status: int, text: str) -> dict[str, Any]:
    """The member ``request`` is left out."""
    return {
        "response": {"body": text, "status": status, "headers": {}},
        "errorMessage": text,
        "hasError": True,
        "isPreflight": False,
    }


def event(request: Any) -> dict[str, Any]:
    return {
        "request": request,
        "response": {"body": None, "status": 200, "headers": {}},
        "errorMessage": None,
        "hasError": False,
        "isPreflight": False,
    }


BAD_SIGNATURE = "origin 'wps.example' or signature is not that of a configured connection"
ROWS: dict[str, tuple[str, dict[str, str] | list[tuple[str, str]], bytes, dict[str, Any]]] = {
    "OPTIONS, host allowed": ("OPTIONS", {"WebHook-Request-Origin": "wps.example"}, b"", preflight(True)),
    "OPTIONS, one of several allowed": (
        "OPTIONS",
        {"WebHook-Request-Origin": "a.example, WPS.example"},
        b"",
        preflight(True),
    ),
    "OPTIONS, allowed by a second header": (
        "OPTIONS",
        [("WebHook-Request-Origin", "a.example"), ("WebHook-Request-Origin", "wps.example")],
        b"",
        preflight(True),
    ),
    "OPTIONS, not allowed": ("OPTIONS", {"WebHook-Request-Origin": "a.example"}, b"", preflight(False)),
    "OPTIONS without origin": ("OPTIONS", {}, b"", error(400, "header ce-type is missing")),
    "OPTIONS with an empty origin": (
        "OPTIONS",
        {"WebHook-Request-Origin": " , "},
        b"",
        error(400, "header ce-type is missing"),
    ),
    "GET": ("GET", {"WebHook-Request-Origin": "wps.example"}, b"", error(400, "header ce-type is missing")),
    "no CloudEvents request": ("POST", {}, b"hello", error(400, "header ce-type is missing")),
    "a system event without name": (
        "POST",
        without(CONNECT, "ce-eventName"),
        b"{}",
        error(400, "header ce-eventname is missing"),
    ),
    "a bad content type": (
        "POST",
        USER | {"Content-Type": "image/png"},
        b"hello",
        error(
            400,
            "content type 'image/png' is not supported: expected text/plain, application/json or "
            "application/octet-stream",
        ),
    ),
    "no content type": (
        "POST",
        without(USER, "Content-Type"),
        b"hello",
        error(
            400,
            "content type None is not supported: expected text/plain, application/json or "
            "application/octet-stream",
        ),
    ),
    "a body that is no JSON": (
        "POST",
        CONNECT,
        b"{",
        error(400, "the body of the connect event cannot be read: Input data was truncated"),
    ),
    "states that are no base64": (
        "POST",
        USER | {"ce-connectionState": "???"},
        b"hello",
        error(400, "ce-connectionState is not base64: Only base64 data is allowed"),
    ),
    "a wrong signature": ("POST", USER | {"ce-signature": CCC}, b"hello", error(401, BAD_SIGNATURE)),
    "no signature": ("POST", without(USER, "ce-signature"), b"hello", error(401, BAD_SIGNATURE)),
    "an unknown origin": (
        "POST",
        USER | {"WebHook-Request-Origin": "a.example"},
        b"hello",
        error(401, BAD_SIGNATURE.replace("wps", "a")),
    ),
    "no origin": (
        "POST",
        without(USER, "WebHook-Request-Origin"),
        b"hello",
        error(401, BAD_SIGNATURE.replace("'wps.example'", "None")),
    ),
    "an unknown system event": (
        "POST",
        CONNECT | {"ce-type": "azure.webpubsub.sys.rebooted", "ce-eventName": "rebooted"},
        b"",
        event(None),
    ),
}


@pytest.mark.parametrize(("method", "headers", "body", "expected"), ROWS.values(), ids=ROWS)
async def test_6_what_the_function_gets(
    app: SpecApp, method: str, headers: Any, body: bytes, expected: dict[str, Any]
) -> None:
    found = await context_of(app, method, headers, body)
    assert found == expected
    assert list(found) == list(expected)  # the members' order is the extension's


@pytest.mark.parametrize(("method", "headers", "body", "expected"), ROWS.values(), ids=ROWS)
async def test_6_a_typed_function_gets_the_same(
    typed: SpecApp, method: str, headers: Any, body: bytes, expected: dict[str, Any]
) -> None:
    answer = await typed.request(method, "/api/upstream", headers, body)
    (found,) = typed.seen
    assert (found.has_error, found.is_preflight, found.error_message) == (
        expected["hasError"],
        expected["isPreflight"],
        expected["errorMessage"],
    )
    assert (answer.status, answer.text) == (
        expected["response"]["status"],
        expected["response"]["body"] or "",
    )
    allowed = expected["response"]["headers"].get("WebHook-Allowed-Origin", [None])
    assert [answer.header("WebHook-Allowed-Origin")] == allowed


def connection_context(headers: dict[str, str], event_type: str, event_name: str) -> dict[str, Any]:
    return {
        "eventType": event_type,
        "eventName": event_name,
        "hub": "chat",
        "connectionId": CONNECTION_ID,
        "userId": "alice",
        "signature": SIGNATURE,
        "origin": "wps.example",
        "states": {},
        "headers": None,  # checked apart, as spelling is
    }


EVENTS: dict[str, tuple[dict[str, str], bytes, dict[str, Any], tuple[str, str]]] = {
    "connect": (
        CONNECT,
        b'{"claims": {"sub": ["alice"]}, "query": {"q": ["1", "2"]}, "headers": {"Host": ["h"]}, '
        b'"subprotocols": ["p"], "clientCertificates": [{"thumbprint": "AB"}]}',
        {
            "claims": {"sub": ["alice"]},
            "query": {"q": ["1", "2"]},
            "headers": {"Host": ["h"]},
            "subprotocols": ["p"],
            "clientCertificates": [{"Thumbprint": "AB", "content": None}],
        },
        ("System", "connect"),
    ),
    "connected": (CONNECTED, b"{}", {}, ("System", "connected")),
    "disconnected": (DISCONNECTED, b'{"reason": "bye"}', {"reason": "bye"}, ("System", "disconnected")),
    "a text": (USER, "héllo".encode(), {"data": "héllo", "dataType": "Text"}, ("User", "message")),
    "a JSON": (
        USER | {"Content-Type": "application/json; charset=utf-8"},
        b'{"a": 1}',
        {"data": '{"a": 1}', "dataType": "Json"},
        ("User", "message"),
    ),
    "a binary": (
        USER | {"Content-Type": "application/octet-stream"},
        b"\xff\x00",
        {"data": "\ufffd\x00", "dataType": "Binary"},
        ("User", "message"),
    ),
}


@pytest.mark.parametrize(("headers", "body", "members", "names"), EVENTS.values(), ids=EVENTS)
async def test_6_an_event_is_the_request(
    app: SpecApp, headers: dict[str, str], body: bytes, members: dict[str, Any], names: tuple[str, str]
) -> None:
    found = await context_of(app, "POST", headers, body)
    context = found["request"]["connectionContext"]
    received = {name.lower(): values for name, values in context["headers"].items()}
    assert received == {name.lower(): [value] for name, value in headers.items()}
    context["headers"] = None
    assert found == event({**members, "connectionContext": connection_context(headers, *names)})


async def test_6_binary_data_is_exact_for_a_typed_function(typed: SpecApp) -> None:
    headers = USER | {"Content-Type": "application/octet-stream"}
    await typed.request("POST", "/api/upstream", headers, b"\xff\x00")
    assert typed.seen[0].request.data == b"\xff\x00"


# --- connections --------------------------------------------------------------------------------------

UNSIGNED = without(USER, "ce-signature", "WebHook-Request-Origin")


async def test_6_without_a_connection_everybody_may_send(tmp_path: Path) -> None:
    async with running_app(tmp_path, app_of(), {}) as app:
        anybody = {"WebHook-Request-Origin": "anybody.example"}
        assert await context_of(app, "OPTIONS", anybody) == preflight(True)
        found = await context_of(app, "POST", UNSIGNED, b"hello")
        assert (found["hasError"], found["request"]["data"]) == (False, "hello")
        assert app.host.warnings[0] == (
            "no Web PubSub connection is configured, so f take events from anybody: set "
            "'WebPubSubConnectionString' to have origin and signature checked"
        )


SETTINGS = {
    **DEFAULT,
    "Other": "Endpoint=https://other.example;AccessKey=ccc;",
    "Twin": f"Endpoint=http://WPS.example:8080;AccessKey={KEY};",
    "Bad": "AccessKey=x",
    "Managed__serviceUri": "https://managed.example",
}


@pytest.mark.parametrize(
    ("members", "origin", "signature", "status"),
    [
        ("", "wps.example", SIGNATURE, 200),
        (", connections=['Other']", "other.example", CCC, 200),
        (", connections=['Other']", "wps.example", SIGNATURE, 401),
        (", connections=['Other', 'WebPubSubConnectionString']", "wps.example", SIGNATURE, 200),
        (", connection='Other'", "other.example", CCC, 200),
        (", connection='Other'", "wps.example", SIGNATURE, 401),
        (", connection=''", "wps.example", SIGNATURE, 200),
        (", connections=['Other'], connection='WebPubSubConnectionString'", "wps.example", SIGNATURE, 401),
        (", connections=['Managed']", "managed.example", "", 200),
        (", connections=['Managed']", "wps.example", SIGNATURE, 401),
    ],
)
async def test_6_connections_say_who_may_send(
    tmp_path: Path, members: str, origin: str, signature: str, status: int
) -> None:
    headers = USER | {"WebHook-Request-Origin": origin, "ce-signature": signature}
    async with running_app(tmp_path, app_of(members), SETTINGS) as app:
        assert (await context_of(app, "POST", headers, b"hello"))["response"]["status"] == status


UNUSABLE = {
    "no such setting": (
        ", connections=['WebPubSubConnectionString', 'Nowhere']",
        "connection 'Nowhere' does not exist: add a setting 'Nowhere' with the connection string of the "
        "service, or set the binding's 'connection' to the name of another setting",
    ),
    "no connection string": (
        ", connections=['Bad']",
        "connection 'Bad': the connection string has no 'Endpoint': expected 'Endpoint=https://...'",
    ),
    "two of one host": (
        ", connections=['WebPubSubConnectionString', 'Twin']",
        "two connections have the host 'wps.example': a signature could not be assigned; keep one",
    ),
}


@pytest.mark.parametrize(("members", "problem"), UNUSABLE.values(), ids=UNUSABLE)
async def test_6_connections_that_cannot_be_used_are_data(tmp_path: Path, members: str, problem: str) -> None:
    """The app starts; every request is refused."""
    async with running_app(tmp_path, app_of(members), SETTINGS) as app:
        probe = {"WebHook-Request-Origin": "wps.example"}
        assert await context_of(app, "OPTIONS", probe) == error(400, problem)
        assert await context_of(app, "POST", USER, b"hello") == error(400, problem)
        assert app.host.warnings[0] == (
            f"function_app.py:7: function 'f': binding 'wpsContext' refuses every request: {problem}"
        )


def test_6_a_list_of_connections_is_a_list(tmp_path: Path) -> None:
    with loaded_app(tmp_path, app_of(", connections='Other'"), SETTINGS) as app:
        (problem,) = app.host.problems
    assert str(problem) == (
        "function_app.py:7: function 'f': binding 'wpsContext': 'connections' is 'Other': expected a list of "
        "setting names"
    )


async def test_6_without_an_http_trigger_there_is_nothing_to_read(tmp_path: Path) -> None:
    trigger = """@app.generic_trigger(
    arg_name="req", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")"""
    problem = "a webPubSubContext needs an httpTrigger: there is no request to read"
    async with running_app(tmp_path, app_of(trigger=trigger).replace("return func", "func")) as app:
        assert (await app.event(USER, b"hello")).status == 200
        assert [json.loads(text) for text in app.seen] == [error(400, problem)]


# --- differences from the trigger path ----------------------------------------------------------------

HEADERS = [*without(USER, "ce-hub", "ce-connectionId", "ce-eventName", "WebHook-Request-Origin").items()]


async def test_6_headers_that_a_trigger_needs_may_be_missing(tmp_path: Path) -> None:
    async with running_app(tmp_path, app_of(), {}) as app:
        found = await context_of(app, "POST", HEADERS, b"hello")
        context = found["request"]["connectionContext"]
        missing = {name: context[name] for name in ("hub", "connectionId", "eventName", "origin")}
        assert missing == {"hub": None, "connectionId": None, "eventName": None, "origin": None}
        assert (found["hasError"], found["request"]["data"], context["userId"]) == (False, "hello", "alice")


async def test_6_of_repeated_headers_the_first_counts(tmp_path: Path) -> None:
    async with running_app(tmp_path, app_of(), {}) as app:
        again = [("ce-hub", "second"), ("ce-userId", "mallory"), ("ce-eventName", "other")]
        found = await context_of(app, "POST", [*USER.items(), *again], b"hello")
        context = found["request"]["connectionContext"]
        assert (context["hub"], context["userId"], context["eventName"]) == ("chat", "alice", "message")
        values = {name.lower(): values for name, values in context["headers"].items()}
        assert values["ce-hub"] == ["chat", "second"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_6_an_event_may_come_with_any_method(app: SpecApp, method: str) -> None:
    found = await context_of(app, method, USER, b"hello")
    if method == "OPTIONS":  # with an origin, it is the question whether events may be sent
        assert found == preflight(True)
    else:
        assert (found["hasError"], found["request"]["data"]) == (False, "hello")


async def test_6_states_are_read_and_not_merged(app: SpecApp) -> None:
    answer = await app.request("POST", "/api/upstream", USER | {"ce-connectionState": STATES}, b"hello")
    assert json.loads(app.seen[0])["request"]["connectionContext"]["states"] == {"counter": 2}
    assert answer.header("ce-connectionState") is None


async def test_6_what_is_remembered_of_a_connection_goes_with_it(app: SpecApp) -> None:
    for headers, body in ((USER, b"hello"), (DISCONNECTED, b'{"reason": ""}')):
        await context_of(app, "POST", headers, body)
    found = await context_of(app, "POST", USER | {"ce-signature": CCC}, b"hello")
    assert found["response"]["status"] == 401


def test_the_default_connection_is_the_vectors() -> None:
    assert DEFAULT == {"WebPubSubConnectionString": CONNECTION}
