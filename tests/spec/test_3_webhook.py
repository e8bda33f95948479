"""Section 3 of the extension's specification: the webhook, row by row."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kit.spec_app import (
    CONNECT,
    CONNECTED,
    DEFAULT,
    DISCONNECTED,
    SIGNATURE,
    USER,
    WEBHOOK,
    SpecApp,
    running_app,
    without,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A user event's text says what the function does; every function keeps what it was given.
APP = """
import json
import azure.functions as func

app = func.FunctionApp()
seen = []

def trigger(kind, name, hub="chat", **more):
    return app.generic_trigger(
        arg_name="request", type="webPubSubTrigger", hub=hub, eventType=kind, eventName=name, **more)

def run(request):
    event = json.loads(request)
    seen.append(event)
    script = event.get("data") or "".join(event.get("query", {}).get("run", []))
    if script == "raise":
        raise LookupError("secret")
    return eval(script, {"event": event}) if script else None

@trigger("user", "message")
def message(request: str):
    return run(request)

@trigger("user", "joined")
async def joined(request: str):
    seen.append(json.loads(request))

@trigger("system", "connect")
async def connect(request: str):
    return run(request)

@trigger("system", "connected")
def connected(request: str):
    seen.append(json.loads(request))
    return {"code": "userError"}

@trigger("system", "disconnected")
async def disconnected(request: str):
    seen.append(json.loads(request))
    raise LookupError("secret")

@trigger("system", "odd")
def odd(request: str):
    seen.append(request)
    return {"data": "ignored"}

@trigger("user", "message", hub="two", connections=["One", "Two"])
def two(request: str):
    seen.append(json.loads(request))

@trigger("user", "message", hub="managed", connections=["Managed"])
def managed(request: str):
    seen.append(json.loads(request))

@trigger("user", "message", hub="keyless", connections=["Keyless"])
def keyless(request: str):
    seen.append(json.loads(request))
"""
SETTINGS = DEFAULT | {
    "One": "Endpoint=https://one.example;AccessKey=ccc;",
    "Two": "Endpoint=https://two.example:8443;AccessKey=test-access-key;",
    "Managed__serviceUri": "https://managed.example",
    "Keyless": "Endpoint=https://Keyless.example;",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path_factory.mktemp("app"), APP, SETTINGS) as running:
        yield running


def ids(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


# --- 3.1 route ----------------------------------------------------------------------------------------

ROUTES: list[tuple[str, str, str, int]] = [
    ("the path", "POST", WEBHOOK, 200),
    ("a slash at the end", "POST", f"{WEBHOOK}/", 200),
    ("anything below", "POST", f"{WEBHOOK}/any/thing", 200),
    ("a query", "POST", f"{WEBHOOK}?code=key", 200),
    ("in any case", "POST", "/Runtime/Webhooks/WebPubSub", 200),
    ("another path", "POST", f"{WEBHOOK}s", 404),
    ("another webhook", "POST", "/runtime/webhooks/eventgrid", 404),
    ("GET", "GET", WEBHOOK, 200),
    ("OPTIONS", "OPTIONS", WEBHOOK, 200),
    ("PUT", "PUT", WEBHOOK, 400),
    ("DELETE", "DELETE", WEBHOOK, 400),
    ("another method", "PATCH", WEBHOOK, 404),
    ("HEAD", "HEAD", WEBHOOK, 404),
]


@pytest.mark.parametrize(("method", "path", "status"), [row[1:] for row in ROUTES], ids=ids(ROUTES))
async def test_3_1_route(app: SpecApp, method: str, path: str, status: int) -> None:
    assert (await app.request(method, path, USER)).status == status


# --- 3.2 order of checks: each request is wrong in two places, the first decides ------------------------

BAD = "sha256=00"
ORDER: list[tuple[str, str, dict[str, str], int]] = [
    ("1 probe before 2 headers", "OPTIONS", {"WebHook-Request-Origin": "wps.example"}, 200),
    ("1 probe by GET before 2 headers", "GET", {"WebHook-Request-Origin": "wps.example"}, 200),
    ("1 probe, origin not known", "GET", USER | {"WebHook-Request-Origin": "evil.example"}, 400),
    ("2 headers before 3 function", "POST", without(USER, "ce-connectionId") | {"ce-hub": "nope"}, 400),
    ("2 headers before 4 signature", "POST", without(USER, "ce-type") | {"ce-signature": BAD}, 400),
    ("3 function before 4 signature: hub", "POST", USER | {"ce-hub": "nope", "ce-signature": BAD}, 404),
    (
        "3 function before 4 signature: name",
        "POST",
        USER | {"ce-eventName": "nope", "ce-signature": BAD},
        404,
    ),
    ("3 function before 5 method", "DELETE", USER | {"ce-hub": "nope"}, 404),
    ("4 signature before 5 method", "DELETE", USER | {"ce-signature": BAD}, 401),
    ("4 signature before 6 content type", "POST", USER | {"ce-signature": BAD, "Content-Type": "x/y"}, 401),
    ("4 signature before 6 body", "POST", CONNECT | {"ce-signature": BAD}, 401),
    ("5 method before 6 content type", "DELETE", USER | {"Content-Type": "application/xml"}, 400),
    ("5 method: PUT", "PUT", USER, 400),
    ("7 the function runs", "POST", USER, 200),
]


@pytest.mark.parametrize(("method", "headers", "status"), [row[1:] for row in ORDER], ids=ids(ORDER))
async def test_3_2_order(app: SpecApp, method: str, headers: dict[str, str], status: int) -> None:
    answer = await app.request(method, WEBHOOK, headers)
    assert answer.status == status
    assert bool(app.seen) == (method == "POST" and status == 200)


BODIES: list[tuple[str, dict[str, str], bytes, int, str]] = [
    # name, headers, body, status, answer's text
    ("text/plain", USER, b"", 200, ""),
    ("application/json", USER | {"Content-Type": "application/json"}, b"", 200, ""),
    ("application/octet-stream", USER | {"Content-Type": "application/octet-stream"}, b"", 200, ""),
    ("in any case", USER | {"Content-Type": "Text/Plain"}, b"", 200, ""),
    ("parameters are ignored", USER | {"Content-Type": "text/plain; charset=utf-16"}, b"", 200, ""),
    (
        "another type is named",
        USER | {"Content-Type": "application/xml"},
        b"",
        400,
        "content type 'application/xml' is not supported: expected text/plain, application/json or "
        "application/octet-stream",
    ),
    # Differs: 500 in the extension.
    (
        "no content type",
        without(USER, "Content-Type"),
        b"",
        400,
        "content type None is not supported: expected text/plain, application/json or "
        "application/octet-stream",
    ),
    ("connect without content type", without(CONNECT, "Content-Type"), b"{}", 200, ""),
    ("connected has no body", CONNECTED, b"", 200, ""),
    # Differs: 500 in the extension.
    (
        "connect is no JSON",
        CONNECT,
        b"{",
        400,
        "the body of the connect event cannot be read: Input data was truncated",
    ),
    (
        "disconnected is no JSON",
        DISCONNECTED,
        b"",
        400,
        "the body of the disconnected event cannot be read: Input data was truncated",
    ),
    ("an unknown system event's body is not read", CONNECT | {"ce-eventName": "odd"}, b"{", 200, ""),
]


@pytest.mark.parametrize(("headers", "body", "status", "text"), [row[1:] for row in BODIES], ids=ids(BODIES))
async def test_3_2_6_body(app: SpecApp, headers: dict[str, str], body: bytes, status: int, text: str) -> None:
    answer = await app.event(headers, body)
    assert (answer.status, answer.text) == (status, text)


# --- 3.3 abuse protection -------------------------------------------------------------------------------

ORIGIN = "WebHook-Request-Origin"
PROBES: list[tuple[str, list[tuple[str, str]], int]] = [
    ("the default connection", [(ORIGIN, "wps.example")], 200),
    ("one of a trigger's own connections", [(ORIGIN, "one.example")], 200),
    ("another of them; its port does not matter", [(ORIGIN, "two.example")], 200),
    ("an identity", [(ORIGIN, "managed.example")], 200),
    ("endpoints are in lower case", [(ORIGIN, "keyless.example")], 200),
    # Differs: the extension compares the case of the origin.
    ("origin in any case", [(ORIGIN, "WPS.Example")], 200),
    ("an unknown origin", [(ORIGIN, "evil.example")], 400),
    ("a host in a host", [(ORIGIN, "wps.example.evil.example")], 400),
    ("an origin has no scheme", [(ORIGIN, "https://wps.example")], 400),
    ("an origin has no port", [(ORIGIN, "two.example:8443")], 400),
    ("commas", [(ORIGIN, "evil.example,wps.example")], 200),
    ("blanks", [(ORIGIN, "evil.example wps.example")], 200),
    ("commas and blanks", [(ORIGIN, " , evil.example ,, wps.example ")], 200),
    ("several headers", [(ORIGIN, "evil.example"), (ORIGIN, "wps.example")], 200),
    ("only separators", [(ORIGIN, " , ,")], 400),
    # Differs: 500 in the extension.
    ("no origin", [], 400),
]


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.parametrize(("headers", "status"), [row[1:] for row in PROBES], ids=ids(PROBES))
async def test_3_3_probe(app: SpecApp, method: str, headers: list[tuple[str, str]], status: int) -> None:
    answer = await app.request(method, WEBHOOK, headers)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("WebHook-Allowed-Origin") == ("*" if status == 200 else None)


OWN = """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user",
                     eventName="message"{more})
def message(request): ...
"""
NO_TRIGGER = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="index")
def index(req): ...
"""
ALONE: list[tuple[str, str, dict[str, str], str, int]] = [
    (
        "own connections: the default is not asked",
        OWN.format(more=", connection='One'"),
        SETTINGS,
        "wps.example",
        400,
    ),
    ("no connection at all accepts everything", OWN.format(more=""), {}, "anybody.example", 200),
    ("no trigger accepts nothing", NO_TRIGGER, SETTINGS, "wps.example", 400),
]


@pytest.mark.parametrize(
    ("source", "settings", "origin", "status"), [row[1:] for row in ALONE], ids=ids(ALONE)
)
async def test_3_3_validators(
    tmp_path: Path, source: str, settings: dict[str, str], origin: str, status: int
) -> None:
    async with running_app(tmp_path, source, settings) as alone:
        assert (await alone.request("OPTIONS", WEBHOOK, {ORIGIN: origin})).status == status


# --- 3.4 CloudEvents headers ----------------------------------------------------------------------------

REQUIRED = ["ce-connectionId", "ce-hub", "ce-type", "ce-eventName"]
JOINED = [ORIGIN, "ce-signature"]
IGNORED = ["ce-specversion", "ce-awpsversion", "ce-id", "ce-time", "ce-source"]
STATE = "eyJjb3VudGVyIjoiTWc9PSJ9"


@pytest.mark.parametrize("name", [*REQUIRED, ORIGIN])
async def test_3_4_a_required_header_is_missing(app: SpecApp, name: str) -> None:
    answer = await app.event(without(USER, name))
    assert (answer.status, answer.body) == (400, b"")
    assert app.failure == f"header {name.lower()} is missing"


@pytest.mark.parametrize("name", [*REQUIRED, "ce-userId", "ce-connectionState"])
async def test_3_4_a_header_that_stands_alone_is_repeated(app: SpecApp, name: str) -> None:
    twice = [(name, value) for key, value in (USER | {"ce-connectionState": STATE}).items() if key == name]
    headers = [*without(USER, name).items(), *twice, *twice]
    answer = await app.event(headers)
    assert (answer.status, answer.body) == (400, b"")
    assert app.failure == f"header {name.lower()} is given more than once"


@pytest.mark.parametrize("name", [*IGNORED, "ce-subprotocol", "ce-sessionId", "x-any"])
async def test_3_4_any_other_header_may_be_repeated(app: SpecApp, name: str) -> None:
    answer = await app.event([*USER.items(), (name, "one"), (name, "two")])
    assert answer.status == 200
    (event,) = app.seen
    assert event["connectionContext"]["headers"][name][-2:] == ["one", "two"]


@pytest.mark.parametrize("name", IGNORED)
async def test_3_4_headers_nobody_needs(app: SpecApp, name: str) -> None:
    assert (await app.event(without(USER, name))).status == 200
    assert (await app.event(USER | {name: "2.0 anything"})).status == 200


async def test_3_4_origins_and_signatures_are_joined(app: SpecApp) -> None:
    headers = [
        *without(USER, ORIGIN, "ce-signature").items(),
        (ORIGIN, "evil.example"),
        (ORIGIN, "wps.example"),
        ("ce-signature", BAD),
        ("ce-signature", SIGNATURE),
    ]
    assert (await app.event(headers)).status == 200
    context = app.seen[0]["connectionContext"]
    assert context["origin"] == "evil.example,wps.example"
    assert context["signature"] == f"{BAD},{SIGNATURE}"


@pytest.mark.parametrize(
    ("header", "member"),
    [("ce-userId", "userId"), ("ce-signature", "signature")],
    ids=["userId", "signature"],
)
async def test_3_4_an_optional_header_is_null(app: SpecApp, header: str, member: str) -> None:
    headers = without(USER, header) | {"ce-hub": "managed", ORIGIN: "managed.example"}
    assert (await app.event(headers)).status == 200
    assert app.seen[0]["connectionContext"][member] is None


TYPES: list[tuple[str, str, str, int]] = [
    # name, ce-type, ce-eventName, status
    ("system", "azure.webpubsub.sys.connected", "connected", 200),
    ("system in any case", "AZURE.WebPubSub.SYS.Connected", "connected", 200),
    ("the name is that of ce-eventName", "azure.webpubsub.sys.x", "connected", 200),
    ("name in any case", "azure.webpubsub.sys.connected", "CONNECTED", 200),
    ("everything else is user", "azure.webpubsub.user.message", "message", 200),
    ("the user prefix is not looked at", "anything", "message", 200),
    ("user name in any case", "azure.webpubsub.user.message", "MESSAGE", 200),
    ("a system name of a user event", "azure.webpubsub.user.connected", "connected", 404),
    ("a user name of a system event", "azure.webpubsub.sys.message", "message", 404),
]


@pytest.mark.parametrize(("type_", "name", "status"), [row[1:] for row in TYPES], ids=ids(TYPES))
async def test_3_4_types(app: SpecApp, type_: str, name: str, status: int) -> None:
    answer = await app.event(USER | {"ce-type": type_, "ce-eventName": name})
    assert (answer.status, len(app.seen)) == (status, status == 200)


async def test_3_4_another_system_name_runs_its_function_with_nothing(app: SpecApp) -> None:
    answer = await app.event(CONNECT | {"ce-eventName": "odd"}, b"{}")
    assert (answer.status, answer.body, app.seen) == (200, b"", [None])


async def test_3_4_all_headers_are_copied(app: SpecApp) -> None:
    await app.event([*USER.items(), ("X-Custom", "1"), ("X-Custom", "2")])
    headers = app.seen[0]["connectionContext"]["headers"]
    # Spelled as the service does. Differs: any other is in lower case, as ASGI hands it over.
    assert headers == {name: [value] for name, value in USER.items()} | {"x-custom": ["1", "2"]}


# --- 3.5 signatures -------------------------------------------------------------------------------------

VECTORS: list[tuple[str, str, str]] = [
    (
        "7aab239577fd4f24bc919802fb629f5f",
        "0f9c97a2f0bf4706afe87a14e0797b11",
        "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
    ),
    (
        "ccc",
        "0f9c97a2f0bf4706afe87a14e0797b11",
        "sha256=5af79c68ab9d1ca0ba30fb07b49043297197c057eac2ceeae544b51fcea112e4",
    ),
    (
        "test-access-key",
        "connectionId",
        "sha256=e6f4c4743d52abcab6a0c47c66eab32d72b5f81ea3b3389a66fdae400fe7b067",
    ),
    (
        "test-access-key",
        "cid",
        "sha256=490e9b5be17f975a20ed5c3f36a0e8704fc74b742eea283e65229086ee253dec",
    ),
    (
        "dGVzdC1kZWZhdWx0LWtleQ==",
        "test-conn-id-001",
        "sha256=35129c62a17adb265029b41514dfdfd65da6dba1c1be97e6e48813a0aa8b7930",
    ),
    (
        "dGVzdC1jdXN0b20ta2V5",
        "test-conn-id-002",
        "sha256=b4827b7a6f9f206066c1d5eec88abe02bdf17cb4f5cc27d0da668dad6085ce35",
    ),
]


@pytest.mark.parametrize(("key", "connection_id", "signature"), VECTORS)
async def test_3_5_vectors(tmp_path: Path, key: str, connection_id: str, signature: str) -> None:
    settings = {"WebPubSubConnectionString": f"Endpoint=https://wps.example;AccessKey={key};"}
    headers = USER | {"ce-connectionId": connection_id}
    async with running_app(tmp_path, OWN.format(more=""), settings) as alone:
        assert (await alone.event(headers | {"ce-signature": signature})).status == 200
        others = [other for _, _, other in VECTORS if other != signature]
        assert (await alone.event(headers | {"ce-signature": ",".join(others)})).status == 401


OF_CCC = VECTORS[1][2]
SIGNED: list[tuple[str, dict[str, str], int]] = [
    ("right", {}, 200),
    ("that of another key", {"ce-signature": OF_CCC}, 401),
    ("primary and secondary", {"ce-signature": f"{SIGNATURE},{OF_CCC}"}, 200),
    ("secondary and primary", {"ce-signature": f"{OF_CCC},{SIGNATURE}"}, 200),
    ("separated by blanks", {"ce-signature": f"{OF_CCC} {SIGNATURE}"}, 200),
    ("upper-case hex", {"ce-signature": SIGNATURE.upper()}, 200),
    ("empty", {"ce-signature": ""}, 401),
    ("without its prefix", {"ce-signature": SIGNATURE.removeprefix("sha256=")}, 401),
    ("part of it", {"ce-signature": SIGNATURE[:-1]}, 401),
    ("of another connection", {"ce-connectionId": "other"}, 401),
    ("an unknown origin", {ORIGIN: "evil.example"}, 401),
    ("an empty origin", {ORIGIN: ""}, 401),
    ("the first known origin decides", {ORIGIN: "evil.example,wps.example"}, 200),
    ("origin in any case (differs)", {ORIGIN: "WPS.EXAMPLE"}, 200),
    # hub "two" knows one.example with key "ccc" and two.example with another
    ("the origin picks the key", {"ce-hub": "two", ORIGIN: "one.example", "ce-signature": OF_CCC}, 200),
    ("the key of another origin", {"ce-hub": "two", ORIGIN: "two.example", "ce-signature": OF_CCC}, 401),
    (
        "a mismatch of the first known origin is final",
        {"ce-hub": "two", ORIGIN: "two.example,one.example", "ce-signature": OF_CCC},
        401,
    ),
    ("the default is not asked", {"ce-hub": "two", ORIGIN: "wps.example"}, 401),
    # nothing to check with
    ("an identity", {"ce-hub": "managed", ORIGIN: "managed.example", "ce-signature": BAD}, 200),
    (
        "an identity, empty signature",
        {"ce-hub": "managed", ORIGIN: "managed.example", "ce-signature": ""},
        200,
    ),
    ("an identity's origin counts", {"ce-hub": "managed", ORIGIN: "evil.example"}, 401),
    ("a connection without key", {"ce-hub": "keyless", ORIGIN: "keyless.example", "ce-signature": BAD}, 200),
]


@pytest.mark.parametrize(("headers", "status"), [row[1:] for row in SIGNED], ids=ids(SIGNED))
async def test_3_5_signature(app: SpecApp, headers: dict[str, str], status: int) -> None:
    answer = await app.event(USER | headers)
    assert (answer.status, answer.body, len(app.seen)) == (status, b"", status == 200)


async def test_3_5_a_missing_signature(app: SpecApp) -> None:
    assert (await app.event(without(USER, "ce-signature"))).status == 401
    identity = USER | {"ce-hub": "managed", ORIGIN: "managed.example"}
    assert (await app.event(without(identity, "ce-signature"))).status == 200


async def test_3_5_without_any_connection_everything_is_accepted(tmp_path: Path) -> None:
    async with running_app(tmp_path, OWN.format(more=""), {}) as alone:
        assert (await alone.event(USER | {ORIGIN: "evil.example", "ce-signature": BAD})).status == 200
        assert (await alone.event(without(USER, "ce-signature"))).status == 200


# --- 3.6 lookup -----------------------------------------------------------------------------------------

LOOKUP: list[tuple[str, dict[str, str], int]] = [
    ("hub in any case", USER | {"ce-hub": "CHAT"}, 200),
    ("another hub", USER | {"ce-hub": "other"}, 404),
    ("another name", USER | {"ce-eventName": "other"}, 404),
    ("another type", USER | {"ce-type": "azure.webpubsub.sys.message"}, 404),
    ("exactly one function runs", USER, 200),
]


@pytest.mark.parametrize(("headers", "status"), [row[1:] for row in LOOKUP], ids=ids(LOOKUP))
async def test_3_6_lookup(app: SpecApp, headers: dict[str, str], status: int) -> None:
    answer = await app.event(headers)
    assert (answer.status, len(app.seen)) == (status, status == 200)


# --- 3.7 connection state -------------------------------------------------------------------------------

STATES: list[tuple[str, str, dict[str, Any]]] = [
    ("counter = 2", "eyJjb3VudGVyIjoiTWc9PSJ9", {"counter": 2}),
    ("counter = 10", "eyJjb3VudGVyIjoiTVRBPSJ9", {"counter": 10}),
    (
        'aKey = "aValue", bKey = 123',
        "eyJhS2V5IjoiSW1GV1lXeDFaU0k9IiwiYktleSI6Ik1USXoifQ==",
        {"aKey": "aValue", "bKey": 123},
    ),
    ('a = "c"', "eyJhIjoiSW1NaSJ9", {"a": "c"}),
    # Differs: the extension writes broken JSON for a value that is none.
    ("testKey = value, no JSON", "eyJ0ZXN0S2V5IjoiZG1Gc2RXVT0ifQ==", {"testKey": "value"}),
    (
        "key1 = value1, no JSON, key2 = 123",
        "eyJrZXkxIjoiZG1Gc2RXVXgiLCJrZXkyIjoiTVRJeiJ9",
        {"key1": "value1", "key2": 123},
    ),
    (
        "foreign: base64 of plain JSON",
        "eyJjb3VudGVyU3RhdGUiOnsiY291bnRlciI6MSwidGltZSI6NX19",
        {},
    ),
    ("foreign: one value is no base64", base64.b64encode(b'{"a":"MQ==","b":"?"}').decode(), {}),
    ("foreign: base64 of no JSON", base64.b64encode(b"no").decode(), {}),
    ("foreign: base64 of a JSON list", base64.b64encode(b'["MQ=="]').decode(), {}),
    ("empty", "", {}),
]


@pytest.mark.parametrize(("header", "states"), [row[1:] for row in STATES], ids=ids(STATES))
async def test_3_7_states_are_read(app: SpecApp, header: str, states: dict[str, Any]) -> None:
    assert (await app.event(USER | {"ce-connectionState": header})).status == 200
    context = app.seen[0]["connectionContext"]
    assert context["states"] == states
    assert context["headers"]["ce-connectionState"] == [header]


async def test_3_7_an_absent_header_is_no_states(app: SpecApp) -> None:
    await app.event(USER)
    assert app.seen[0]["connectionContext"]["states"] == {}


async def test_3_7_what_is_no_base64_is_refused(app: SpecApp) -> None:
    assert (await app.event(USER | {"ce-connectionState": "?"})).status == 400


WRITTEN: list[tuple[str, str, str]] = [
    ("counter = 2", "{'counter': 2}", "eyJjb3VudGVyIjoiTWc9PSJ9"),
    ("counter = 10", "{'counter': 10}", "eyJjb3VudGVyIjoiTVRBPSJ9"),
    (
        'aKey = "aValue", bKey = 123',
        "{'aKey': 'aValue', 'bKey': 123}",
        "eyJhS2V5IjoiSW1GV1lXeDFaU0k9IiwiYktleSI6Ik1USXoifQ==",
    ),
    ('a = "c"', "{'a': 'c'}", "eyJhIjoiSW1NaSJ9"),
]


@pytest.mark.parametrize("headers", [USER, CONNECT], ids=["user", "connect"])
@pytest.mark.parametrize(("states", "header"), [row[1:] for row in WRITTEN], ids=ids(WRITTEN))
async def test_3_7_states_are_written(
    app: SpecApp, headers: dict[str, str], states: str, header: str
) -> None:
    script = f"{{'states': {states}}}"
    body = script if headers is USER else json.dumps({"query": {"run": [script]}})
    answer = await app.event(headers, body.encode())
    assert (answer.status, answer.header("ce-connectionState")) == (200, header)


# --- 3.8 answers, 3.10 failures ---------------------------------------------------------------------------


def connect(script: str) -> bytes:
    return json.dumps({"query": {"run": [script]}}).encode()


FAILED = "The function failed."
ANSWERS: list[tuple[str, dict[str, str], bytes, int, str | None]] = [
    # name, headers, body, status, text
    ("connected: a result is ignored", CONNECTED, b"{}", 200, ""),
    ("disconnected: a failure, too", DISCONNECTED, b'{"reason": ""}', 200, ""),
    ("other system: a result is ignored", CONNECT | {"ce-eventName": "odd"}, b"", 200, ""),
    ("connect: nothing", CONNECT, connect(""), 200, ""),
    ("connect: an object", CONNECT, connect("{'userId': 'a'}"), 200, None),
    ("connect: a refusal", CONNECT, connect("{'code': 'unauthorized', 'errorMessage': 'no'}"), 401, "no"),
    ("user: nothing", USER, b"", 200, ""),
    ("user: None", USER, b"None", 200, ""),
    ("user: an object", USER, b"{'data': 'hi', 'dataType': 'text'}", 200, "hi"),
    ("user: a refusal", USER, b"{'code': 'userError', 'errorMessage': 'no'}", 400, "no"),
    # Differs: the extension ignores a string and says 200.
    ("user: a string", USER, b"'hi'", 200, "hi"),
    ("connect: a JSON string", CONNECT, connect('\'{"userId": "a"}\''), 200, None),
    # Differs: never silent.
    ("connect: another string", CONNECT, connect("'hi'"), 500, FAILED),
    ("connect: a number", CONNECT, connect("5"), 500, FAILED),
    # Differs: the extension leaves the caller hanging, or shows it the exception.
    ("user: the function raises", USER, b"raise", 500, FAILED),
    ("connect: the function raises", CONNECT, connect("raise"), 500, FAILED),
    ("user: an impossible answer", USER, b"{'data': 5, 'dataType': 'text'}", 500, FAILED),
]


@pytest.mark.parametrize(
    ("headers", "body", "status", "text"), [row[1:] for row in ANSWERS], ids=ids(ANSWERS)
)
async def test_3_8_and_3_10_answers(
    app: SpecApp, headers: dict[str, str], body: bytes, status: int, text: str | None
) -> None:
    answer = await app.event(headers, body)
    assert (answer.status, len(app.seen)) == (status, 1)
    if text is None:
        assert answer.json == {"userId": "a", "groups": None, "subprotocol": None, "roles": None}
    else:
        assert answer.text == text


@pytest.mark.parametrize(("headers", "body"), [(USER, b"raise"), (CONNECT, connect("raise"))])
async def test_3_10_the_traceback_is_in_the_log_and_not_in_the_answer(
    app: SpecApp, headers: dict[str, str], body: bytes
) -> None:
    answer = await app.event(headers, body)
    assert "secret" not in answer.text
    assert app.failure == "secret"


# --- 3.9 group presence -----------------------------------------------------------------------------------


async def test_3_9_group_presence_is_a_user_event_of_that_name(app: SpecApp) -> None:
    headers = CONNECT | {"ce-type": "azure.webpubsub.gp.joined", "ce-eventName": "joined"}
    assert (await app.event(headers, b'{"group": "g"}')).status == 200
    event = app.seen[0]
    assert (json.loads(event["data"]), event["dataType"]) == ({"group": "g"}, "Json")
    context = event["connectionContext"]
    assert (context["eventType"], context["eventName"]) == ("User", "joined")
    # What tells it from a client that sends an event of this name.
    assert context["headers"]["ce-type"] == ["azure.webpubsub.gp.joined"]
