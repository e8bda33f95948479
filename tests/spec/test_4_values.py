"""Section 4 of the extension's specification: what an untyped function receives, row by row."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from kit.spec_app import (
    CONNECT,
    CONNECTED,
    CONNECTION_ID,
    DISCONNECTED,
    SIGNATURE,
    USER,
    SpecApp,
    running_app,
    without,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = [
    "request",
    "connectionContext",
    "data",
    "dataType",
    "claims",
    "query",
    "subprotocols",
    "clientCertificates",
    "reason",
    "headers",
]
EVENTS = {"message": USER, "connect": CONNECT, "connected": CONNECTED, "disconnected": DISCONNECTED}
KINDS = [("text", ""), ("bytes", ", data_type='binary'")]

# One hub for each way to name a parameter: of another name, another case, another dataType.
FUNCTION = """
@app.generic_trigger(arg_name="{name}", type="webPubSubTrigger", hub="{hub}", eventType="{type}",
                     eventName="{event}"{more})
def {hub}_{event}({name}):
    seen.append({name})
"""


def hub_of(name: str, kind: str) -> str:
    """Hubs do not differ in case, but names of parameters shall."""
    return f"{name}_{kind}" if name in NAMES else f"cased_{name}_{kind}"


def functions(name: str) -> str:
    return "".join(
        FUNCTION.format(
            name=name,
            hub=hub_of(name, kind),
            type="user" if event == "message" else "system",
            event=event,
            more=more,
        )
        for event in EVENTS
        for kind, more in KINDS
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    names = [*NAMES, "REQUEST", "connectioncontext", "DATA", "DATATYPE", "REASON", "Claims"]
    source = "import azure.functions as func\napp = func.FunctionApp()\nseen = []\n"
    source += "".join(functions(name) for name in names)
    async with running_app(tmp_path_factory.mktemp("app"), source) as running:
        yield running


async def received(app: SpecApp, name: str, event: str, body: bytes, kind: str = "text", **more: str) -> Any:
    headers = EVENTS[event] | {"ce-hub": hub_of(name, kind)}
    answer = await app.event(headers | {key.replace("_", "-"): value for key, value in more.items()}, body)
    assert (answer.status, len(app.seen)) == (200, 1)
    return app.seen[0]


# --- 4.4 the whole request: literal text ----------------------------------------------------------------

CONTEXT = """{
    "eventType": "%s",
    "eventName": "%s",
    "hub": "%s",
    "connectionId": "0f9c97a2f0bf4706afe87a14e0797b11",
    "userId": "alice",
    "signature": "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
    "origin": "wps.example",
    "states": {},
    "headers": {
      "Content-Type": [
        "%s"
      ],
      "WebHook-Request-Origin": [
        "wps.example"
      ],
      "ce-specversion": [
        "1.0"
      ],
      "ce-awpsversion": [
        "1.0"
      ],
      "ce-type": [
        "%s"
      ],
      "ce-source": [
        "/hubs/chat/client/0f9c97a2f0bf4706afe87a14e0797b11"
      ],
      "ce-id": [
        "7"
      ],
      "ce-time": [
        "2026-01-01T00:00:00Z"
      ],
      "ce-signature": [
        "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
      ],
      "ce-userId": [
        "alice"
      ],
      "ce-connectionId": [
        "0f9c97a2f0bf4706afe87a14e0797b11"
      ],
      "ce-hub": [
        "%s"
      ],
      "ce-eventName": [
        "%s"
      ]
    }
  }"""


def context(kind: str, event: str, hub: str, content_type: str = "application/json; charset=utf-8") -> str:
    prefix = "azure.webpubsub.user." if kind == "User" else "azure.webpubsub.sys."
    return CONTEXT % (kind, event, hub, content_type, f"{prefix}{event}", hub, event)


CONNECT_BODY = b"""{
  "claims": {"sub": ["alice"], "roles": ["a", "b"]},
  "query": {"q": ["1"]},
  "headers": {"Host": ["h"], "x": ["1", "2"]},
  "subprotocols": ["p1", "p2"],
  "clientCertificates": [{"thumbprint": "ABC", "content": "PEM"}, {"thumbprint": "DEF"}]
}"""
CLAIMS = """{
    "sub": [
      "alice"
    ],
    "roles": [
      "a",
      "b"
    ]
  }"""
QUERY = """{
    "q": [
      "1"
    ]
  }"""
SUBPROTOCOLS = """[
    "p1",
    "p2"
  ]"""
CERTIFICATES = """[
    {
      "Thumbprint": "ABC",
      "content": "PEM"
    },
    {
      "Thumbprint": "DEF",
      "content": null
    }
  ]"""
CONNECT_TEXT = f"""{{
  "claims": {CLAIMS},
  "query": {QUERY},
  "headers": {{
    "Host": [
      "h"
    ],
    "x": [
      "1",
      "2"
    ]
  }},
  "subprotocols": {SUBPROTOCOLS},
  "clientCertificates": {CERTIFICATES},
  "connectionContext": {context("System", "connect", "request_text")}
}}"""
USER_TEXT = f"""{{
  "data": "h\\"é",
  "dataType": "Text",
  "connectionContext": {context("User", "message", "request_text", "text/plain")}
}}"""
CONNECTED_TEXT = f"""{{
  "connectionContext": {context("System", "connected", "request_text")}
}}"""
DISCONNECTED_TEXT = f"""{{
  "reason": "bye",
  "connectionContext": {context("System", "disconnected", "request_text")}
}}"""


@pytest.mark.parametrize(
    ("event", "body", "text"),
    [
        ("connect", CONNECT_BODY, CONNECT_TEXT),
        ("message", 'h"é'.encode(), USER_TEXT),
        ("connected", b"", CONNECTED_TEXT),
        ("disconnected", b'{"reason": "bye"}', DISCONNECTED_TEXT),
    ],
)
async def test_4_4_request(app: SpecApp, event: str, body: bytes, text: str) -> None:
    assert await received(app, "request", event, body) == text


# --- 4.1, 4.3 parts by name -----------------------------------------------------------------------------


def dedented(text: str) -> str:
    return text.replace("\n  ", "\n")


BYE = b'{"reason": "bye"}'
PARTS: list[tuple[str, str, bytes, str | None]] = [
    # name, event, body, text
    ("data", "message", b"hi", "hi"),
    ("data", "connect", CONNECT_BODY, None),
    ("data", "connected", b"", None),
    ("data", "disconnected", BYE, None),
    ("dataType", "message", b"hi", "Text"),
    ("dataType", "connect", CONNECT_BODY, "Text"),
    ("dataType", "connected", b"", "Text"),
    ("dataType", "disconnected", BYE, "Text"),
    ("claims", "message", b"hi", None),
    ("claims", "connect", CONNECT_BODY, dedented(CLAIMS)),
    ("claims", "connected", b"", None),
    ("claims", "disconnected", BYE, None),
    ("query", "message", b"hi", None),
    ("query", "connect", CONNECT_BODY, dedented(QUERY)),
    ("query", "connected", b"", None),
    ("query", "disconnected", BYE, None),
    ("subprotocols", "message", b"hi", None),
    ("subprotocols", "connect", CONNECT_BODY, dedented(SUBPROTOCOLS)),
    ("subprotocols", "connected", b"", None),
    ("subprotocols", "disconnected", BYE, None),
    ("clientCertificates", "message", b"hi", None),
    ("clientCertificates", "connect", CONNECT_BODY, dedented(CERTIFICATES)),
    ("clientCertificates", "connected", b"", None),
    ("clientCertificates", "disconnected", BYE, None),
    ("reason", "message", b"hi", None),
    ("reason", "connect", CONNECT_BODY, None),
    ("reason", "connected", b"", None),
    ("reason", "disconnected", BYE, "bye"),
    # matched in any case
    ("DATA", "message", b"hi", "hi"),
    ("DATATYPE", "message", b"hi", "Text"),
    ("REASON", "disconnected", BYE, "bye"),
    ("Claims", "connect", CONNECT_BODY, dedented(CLAIMS)),
    # any other name, members of the request included
    ("headers", "connect", CONNECT_BODY, None),
    ("headers", "message", b"hi", None),
]


@pytest.mark.parametrize(
    ("name", "event", "body", "text"), PARTS, ids=[f"{name} of {event}" for name, event, _, _ in PARTS]
)
@pytest.mark.parametrize("kind", ["text", "bytes"])
async def test_4_1_part(
    app: SpecApp, name: str, event: str, body: bytes, text: str | None, kind: str
) -> None:
    found = await received(app, name, event, body, kind)
    assert found == (text.encode() if kind == "bytes" and text is not None else text)


@pytest.mark.parametrize("name", ["connectionContext", "connectioncontext"])
@pytest.mark.parametrize("event", list(EVENTS))
async def test_4_1_connection_context_comes_with_every_event(app: SpecApp, name: str, event: str) -> None:
    found = await received(app, name, event, b"{}")
    kind = "User" if event == "message" else "System"
    content_type = EVENTS[event]["Content-Type"]
    assert found == dedented(context(kind, event, hub_of(name, "text"), content_type))


@pytest.mark.parametrize("name", ["request", "REQUEST", "connectionContext"])
async def test_4_3_binary_json_is_the_same_text_as_bytes(app: SpecApp, name: str) -> None:
    text = await received(app, name, "message", b"hi")
    binary = await received(app, name, "message", b"hi", "bytes")
    assert binary == text.replace(hub_of(name, "text"), hub_of(name, "bytes")).encode()


# --- 4.1 binding data -----------------------------------------------------------------------------------

EXPRESSIONS: list[tuple[str, str, bytes, str]] = [
    # expression, event, body, value
    ("{data}", "message", b"hi", "hi"),
    ("{DATA}", "message", b"hi", "hi"),
    ("{dataType}", "message", b"hi", "Text"),
    ("{connectionContext.userId}", "message", b"", "alice"),
    ("{connectioncontext.hub}-{data}", "message", b"hi", "chat-hi"),
    ("{request.connectionContext.eventName}", "message", b"", "message"),
    ("{request.data}", "message", b"hi", "hi"),
    ("{connectionContext.states.counter}", "message", b"", "2"),
    ("{connectionContext.userId}", "connect", b"{}", "alice"),
    ("{reason}", "disconnected", BYE, "bye"),
]
USES = """
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="{type}",
                     eventName="{event}")
@app.generic_input_binding(arg_name="connection", type="webPubSubConnection", hub="chat", userId="{user}")
def f(request: str, connection: str):
    seen.append(connection)
"""


@pytest.mark.parametrize(("expression", "event", "body", "value"), EXPRESSIONS)
async def test_4_1_parts_are_binding_data(
    tmp_path: Path, expression: str, event: str, body: bytes, value: str
) -> None:
    kind = "user" if event == "message" else "system"
    source = USES.replace("{user}", expression).replace("{type}", kind).replace("{event}", event)
    async with running_app(tmp_path, source) as alone:
        states = {"ce-connectionState": "eyJjb3VudGVyIjoiTWc9PSJ9"}
        assert (await alone.event(EVENTS[event] | states, body)).status == 200
        (connection,) = alone.seen
        token = json.loads(connection)["accessToken"]
        assert jwt.decode(token, options={"verify_signature": False})["sub"] == value


# --- 4.3 the message ------------------------------------------------------------------------------------

MESSAGES: list[tuple[str, str, bytes, str, str]] = [
    # name, content type, body, data as text, dataType
    ("text", "text/plain", "hé".encode(), "hé", "Text"),
    ("JSON, byte for byte", "application/json", b'{ "a": 1.50 }', '{ "a": 1.50 }', "Json"),
    ("JSON that is none", "application/json", b"{", "{", "Json"),
    ("binary that is text", "application/octet-stream", b"hi", "hi", "Binary"),
    ("binary, damaged as text", "application/octet-stream", b"\x00\xff\xfe", "\x00\ufffd\ufffd", "Binary"),
    ("text that is not UTF-8", "text/plain", b"\xff", "\ufffd", "Text"),
    ("nothing", "text/plain", b"", "", "Text"),
]
MESSAGE_IDS = [row[0] for row in MESSAGES]


@pytest.mark.parametrize(
    ("content_type", "body", "data", "data_type"), [row[1:] for row in MESSAGES], ids=MESSAGE_IDS
)
async def test_4_3_data(app: SpecApp, content_type: str, body: bytes, data: str, data_type: str) -> None:
    more = {"Content_Type": content_type}
    request = json.loads(await received(app, "request", "message", body, **more))
    assert (request["data"], request["dataType"]) == (data, data_type)
    assert await received(app, "data", "message", body, **more) == data
    assert await received(app, "dataType", "message", body, **more) == data_type
    # The one lossless way.
    assert await received(app, "data", "message", body, "bytes", **more) == body


# --- 4.4 the members' rules -----------------------------------------------------------------------------

MEMBERS: list[tuple[str, dict[str, str], list[str], str, Any]] = [
    # name, headers, path in the request, body
    (
        "a value of a state",
        {"ce-connectionState": "eyJjb3VudGVyIjoiTWc9PSJ9"},
        ["states"],
        "",
        {"counter": 2},
    ),
    ("no states", {}, ["states"], "", {}),
    ("eventName as sent", {"ce-eventName": "MESSAGE"}, ["eventName"], "", "MESSAGE"),
    ("hub as sent", {"ce-hub": "Request_TEXT"}, ["hub"], "", "Request_TEXT"),
    ("a user beyond ASCII", {"ce-userId": "日本"}, ["userId"], "", "日本"),
    ("several origins", {"WebHook-Request-Origin": "a,wps.example"}, ["origin"], "", "a,wps.example"),
]


@pytest.mark.parametrize(
    ("headers", "path", "body", "expected"), [row[1:] for row in MEMBERS], ids=[row[0] for row in MEMBERS]
)
async def test_4_4_connection_context(
    app: SpecApp, headers: dict[str, str], path: list[str], body: str, expected: Any
) -> None:
    found = USER | {"ce-hub": "request_text"} | headers
    assert (await app.event(found, body.encode())).status == 200
    value = json.loads(app.seen[0])["connectionContext"]
    for name in path:
        value = value[name]
    assert value == expected


async def test_4_4_states_are_the_raw_text_of_each_value(app: SpecApp) -> None:
    # {"n": 1.50, "big": 123456789012345678901234567890}, each base64 of its bytes
    header = "eyJuIjoiTVM0MU1BPT0iLCJiaWciOiJNVEl6TkRVMk56ZzVNREV5TXpRMU5qYzRPVEF4TWpNME5UWTNPRGt3In0="
    found = await received(app, "request", "message", b"", ce_connectionState=header)
    assert '"n": 1.50,\n' in found
    assert '"big": 123456789012345678901234567890\n' in found


async def test_4_4_an_anonymous_connection_has_no_user(app: SpecApp) -> None:
    await app.event(without(USER, "ce-userId") | {"ce-hub": "request_text"})
    assert json.loads(app.seen[0])["connectionContext"]["userId"] is None


# Differs: null stays null in the extension; here a collection is never null.
ABSENT: list[tuple[str, bytes]] = [
    ("empty", b"{}"),
    (
        "null",
        b'{"claims": null, "query": null, "headers": null, "subprotocols": null, "clientCertificates": null}',
    ),
]


@pytest.mark.parametrize("body", [row[1] for row in ABSENT], ids=[row[0] for row in ABSENT])
async def test_4_4_connect_members_may_be_absent_or_null(app: SpecApp, body: bytes) -> None:
    found = json.loads(await received(app, "request", "connect", body))
    del found["connectionContext"]
    assert found == {
        "claims": {},
        "query": {},
        "headers": {},
        "subprotocols": [],
        "clientCertificates": [],
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b'{"reason": "bye"}', "bye"), (b'{"reason": ""}', ""), (b'{"reason": null}', ""), (b"{}", "")],
)
async def test_4_4_a_reason_may_be_left_out(app: SpecApp, body: bytes, reason: str) -> None:
    # Differs: the extension fails without a reason.
    assert json.loads(await received(app, "request", "disconnected", body))["reason"] == reason


async def test_4_4_unknown_members_of_a_body_are_dropped(app: SpecApp) -> None:
    found = json.loads(await received(app, "request", "connect", b'{"query": {}, "novel": 1}'))
    assert "novel" not in found


async def test_the_literal_texts_are_those_of_the_shared_event() -> None:
    parsed = json.loads(USER_TEXT)["connectionContext"]
    assert (parsed["connectionId"], parsed["signature"]) == (CONNECTION_ID, SIGNATURE)
