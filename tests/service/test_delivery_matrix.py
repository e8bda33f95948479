"""Every kind of sender to every kind of receiver, frame by frame: client spec, section 9.

The clients are behind fake sockets; REST requests and the answers of event handlers are as on the wire.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kit.asgi_client import AsgiClient
from kit.service_peers import BINARY, CHAT, TEXT, Handler, client_frame, token, turns
from kit.service_sockets import Client, Server, upgrade
from webpubsub.model.cloudevents import parse_answer
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    EventRequest,
    UserEventRequest,
)
from webpubsub.model.ports import EventAnswer
from webpubsub.service.rest.api import RestApi

# What clients offer, by kind; simple clients offer nothing.
KINDS = {
    "raw": None,
    "json": "json.webpubsub.azure.v1",
    "json reliable": "json.reliable.webpubsub.azure.v1",
    "protobuf": "protobuf.webpubsub.azure.v1",
    "protobuf reliable": "protobuf.reliable.webpubsub.azure.v1",
}
# Of azure.webpubsub.TestMessage{value=1}, as Microsoft's documentation has it.
ANY = (
    bytes.fromhex("0A 2F") + b"type.googleapis.com/azure.webpubsub.TestMessage" + bytes.fromhex("12 02 0801")
)
ANY_BASE64 = "Ci90eXBlLmdvb2dsZWFwaXMuY29tL2F6dXJlLndlYnB1YnN1Yi5UZXN0TWVzc2FnZRICCAE="
FROM_GROUP = "0A 05 67726F7570 12 01 67"
FROM_SERVER = "0A 06 736572766572"


class Row(msgspec.Struct):
    """What receivers get of one message: first byte and body of the raw client's frame, the text of the JSON
    client's, and the DataMessage of the protobuf client's in hex. Reliable ones get the same and a number.
    """

    raw: tuple[int, bytes]
    json: str
    protobuf: str

    def frame(self, kind: str) -> tuple[int, bytes]:
        if kind == "raw":
            return self.raw
        if kind == "json":
            return TEXT, self.json.encode()
        if kind == "json reliable":
            return TEXT, self.json.encode()[:-1] + b',"sequenceId":1}'
        body = bytes.fromhex(self.protobuf) + (b"\x20\x01" if kind == "protobuf reliable" else b"")
        return BINARY, bytes((0x12, len(body))) + body


DATA = {
    "text": ((TEXT, b"h\xc3\xa9"), '"dataType":"text","data":"hé"', "1A 05 0A 03 68C3A9"),
    "json": (
        (TEXT, b'{"b": 1.0,"a":"x"}'),
        '"dataType":"json","data":{"b": 1.0,"a":"x"}',
        "1A 14 22 12 7B2262223A20312E302C2261223A2278227D",
    ),
    "json text": ((TEXT, b'"Hello"'), '"dataType":"json","data":"Hello"', "1A 09 22 07 2248656C6C6F22"),
    "binary": ((BINARY, b"\x01\x02\x03"), '"dataType":"binary","data":"AQID"', "1A 05 12 03 010203"),
    "protobuf": (
        (BINARY, ANY),
        f'"dataType":"protobuf","data":"{ANY_BASE64}"',
        f"1A 37 1A 35 {ANY.hex()}",
    ),
    "nothing": ((TEXT, b""), '"dataType":"text","data":""', "1A 02 0A 00"),
}
METADATA = ',"metadata":{"trace":"1"}', "2A 0A 0A 05 7472616365 12 01 31"


def row(head: str, protobuf_head: str, data: str, *, metadata: bool = False) -> Row:
    raw, json, protobuf = DATA[data]
    more = METADATA if metadata else ("", "")
    return Row(raw, f"{{{head},{json}{more[0]}}}", protobuf_head + protobuf + more[1])


def from_client(data: str, *, metadata: bool = False) -> Row:
    head = '"type":"message","from":"group","group":"g","fromUserId":"sender"'
    return row(head, FROM_GROUP, data, metadata=metadata)


def from_rest(data: str, *, metadata: bool = False) -> Row:
    return row('"type":"message","from":"group","group":"g"', FROM_GROUP, data, metadata=metadata)


def from_server(data: str, *, metadata: bool = False) -> Row:
    return row('"type":"message","from":"server"', FROM_SERVER, data, metadata=metadata)


# --- clients ------------------------------------------------------------------------------------------


async def connect(server: Server, kind: str, target: str = "/client/hubs/chat", **claims: Any) -> Client:
    """A client behind its upgrade and its greeting."""
    offered = {} if KINDS[kind] is None else {"Sec_WebSocket_Protocol": KINDS[kind]}
    link = "&" if "?" in target else "?"
    client = await server.connect(
        upgrade(None, target=f"{target}{link}access_token={token(**claims)}", **offered)  # type: ignore[arg-type]
    )
    assert client.socket.take().startswith(b"HTTP/1.1 101 ")
    return client


class Receivers:
    """One client of each kind, all of the user ``receiver`` and in the group ``g``."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: dict[str, Client] = {}

    async def connect(self) -> Receivers:
        for kind in KINDS:
            client = await connect(self.server, kind, sub="receiver", webpubsub_group=["g"])
            self.clients[kind] = client
        return self

    def assert_got(self, expected: Row) -> None:
        for kind, client in self.clients.items():
            assert (kind, client.socket.frames()) == (kind, [expected.frame(kind)])


@pytest.fixture
async def receivers() -> Receivers:
    return await Receivers(Server()).connect()


# --- to a group ---------------------------------------------------------------------------------------

TO_G = '{"type":"sendToGroup","group":"g",'

# A name, the kind of client, what it writes, what everybody gets.
PUBLISHED: list[tuple[str, str, bytes | str, Row]] = [
    ("raw text", "raw", "hé", from_client("text")),
    ("raw binary", "raw", b"\x01\x02\x03", from_client("binary")),
    ("raw nothing", "raw", "", from_client("nothing")),
    ("json text", "json", TO_G + '"dataType":"text","data":"hé"}', from_client("text")),
    ("json json", "json", TO_G + '"dataType":"json","data":{"b": 1.0,"a":"x"}}', from_client("json")),
    ("json by default", "json", TO_G + '"data":"Hello"}', from_client("json text")),
    ("json binary", "json", TO_G + '"dataType":"binary","data":"AQID"}', from_client("binary")),
    ("json Any", "json", TO_G + f'"dataType":"protobuf","data":"{ANY_BASE64}"}}', from_client("protobuf")),
    (
        "json metadata",
        "json",
        TO_G + '"dataType":"text","data":"hé","metadata":{"trace":"1"}}',
        from_client("text", metadata=True),
    ),
    (
        "json metadata alone",
        "json reliable",
        TO_G + '"metadata":{"trace":"1"}}',
        from_client("nothing", metadata=True),
    ),
    ("protobuf text", "protobuf", bytes.fromhex("0A 0A 0A 01 67 1A 05 0A 03 68C3A9"), from_client("text")),
    (
        "protobuf json",
        "protobuf",
        bytes.fromhex("0A 19 0A 01 67 1A 14 22 12 7B2262223A20312E302C2261223A2278227D"),
        from_client("json"),
    ),
    (
        "protobuf binary",
        "protobuf",
        bytes.fromhex("0A 0A 0A 01 67 1A 05 12 03 010203"),
        from_client("binary"),
    ),
    (
        "protobuf Any",
        "protobuf reliable",
        bytes.fromhex("0A 3C 0A 01 67 1A 37 1A 35") + ANY,
        from_client("protobuf"),
    ),
    (
        "protobuf metadata",
        "protobuf",
        bytes.fromhex("0A 16 0A 01 67 1A 05 0A 03 68C3A9 32 0A 0A 05 7472616365 12 01 31"),
        from_client("text", metadata=True),
    ),
    (
        "protobuf metadata alone",
        "protobuf",
        bytes.fromhex("0A 0F 0A 01 67 32 0A 0A 05 7472616365 12 01 31"),
        from_client("nothing", metadata=True),
    ),
]


def written(body: bytes | str) -> bytes:
    return client_frame(TEXT, body.encode()) if isinstance(body, str) else client_frame(BINARY, body)


@pytest.mark.parametrize(
    ("kind", "body", "expected"), [found[1:] for found in PUBLISHED], ids=[found[0] for found in PUBLISHED]
)
async def test_what_a_client_publishes(
    receivers: Receivers, kind: str, body: bytes | str, expected: Row
) -> None:
    target = "/client/hubs/chat?webpubsub_mode=sendToGroup&group=g"
    role = ["webpubsub.sendToGroup"]
    sender = await connect(receivers.server, kind, target, sub="sender", role=role)
    await sender.send(written(body))
    receivers.assert_got(expected)
    assert sender.socket.take() == b""  # it is not in the group, and asked for no ack


@pytest.mark.parametrize("kind", KINDS)
async def test_no_echo_spares_the_sending_connection_only(receivers: Receivers, kind: str) -> None:
    target = "/client/hubs/chat?webpubsub_mode=sendToGroup&group=g&noEcho=true"
    role = ["webpubsub.sendToGroup"]
    sender = await connect(receivers.server, kind, target, sub="sender", role=role, webpubsub_group=["g"])
    quiet: dict[str, bytes | str] = {
        "raw": "hé",
        "json": TO_G + '"dataType":"text","data":"hé","noEcho":true}',
        "protobuf": bytes.fromhex("0A 0C 0A 01 67 1A 05 0A 03 68C3A9 20 01"),
    }
    await sender.send(written(quiet[kind.removesuffix(" reliable")]))
    receivers.assert_got(from_client("text"))
    assert sender.socket.take() == b""


async def test_a_client_of_the_apps_own_subprotocol_is_a_simple_one() -> None:
    async def choose(request: EventRequest) -> EventAnswer:
        offered = isinstance(request, ConnectEventRequest) and "Chat.v1" in request.subprotocols
        return EventAnswer(ConnectEventResponse(subprotocol="chat.v1") if offered else None)

    receivers = await Receivers(Server(Handler(connect=choose))).connect()
    target = "/client/hubs/chat?webpubsub_mode=sendToGroup&group=g"
    sender_token = token(sub="sender", role=["webpubsub.sendToGroup"], webpubsub_group=["g"])
    sender = await receivers.server.connect(
        upgrade(None, target=f"{target}&access_token={sender_token}", Sec_WebSocket_Protocol="Chat.v1")
    )
    head, _, greeting = sender.socket.take().partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nSec-WebSocket-Protocol: Chat.v1")
    assert greeting == b""
    await sender.send(written("hé"))
    receivers.assert_got(from_client("text"))
    assert sender.socket.frames() == [(TEXT, "hé".encode())]


async def test_a_simple_client_may_publish_only_with_permission(receivers: Receivers) -> None:
    target = "/client/hubs/chat?webpubsub_mode=sendToGroup&group=g"
    sender = await connect(receivers.server, "raw", target, sub="sender")
    await sender.send(written("hi"))
    assert sender.closed_with == (1008, "The client does not have permission to send to group 'g'.")
    assert all(client.socket.take() == b"" for client in receivers.clients.values())


# --- over REST ----------------------------------------------------------------------------------------

SENT: list[tuple[str | None, bytes, str]] = [
    ("text/plain", "hé".encode(), "text"),
    ("text/plain; charset=utf-8", "hé".encode(), "text"),
    ("text/plain; charset=latin-1", b"h\xe9", "text"),
    ("application/json", b'{"b": 1.0,"a":"x"}', "json"),
    ("application/json", b'"Hello"', "json text"),
    ("application/octet-stream", b"\x01\x02\x03", "binary"),
    (None, b"\x01\x02\x03", "binary"),
]


async def post(server: Server, path: str, content_type: str | None, body: bytes, **more: str) -> int:
    headers = {
        "Host": "localhost:8080",
        "Authorization": f"Bearer {token(f'http://localhost:8080{path}')}",
        "Content-Length": str(len(body)),
        **more,
    } | ({} if content_type is None else {"Content-Type": content_type})
    target = f"{path}?api-version=2024-12-01"
    answer = await AsgiClient(RestApi(server.service)).request("POST", target, headers, body)
    await turns()
    return answer.status


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/groups/g/:send", from_rest), ("/:send", from_server), ("/users/receiver/:send", from_server)],
)
@pytest.mark.parametrize(("content_type", "body", "data"), SENT)
@pytest.mark.parametrize("metadata", [False, True])
async def test_what_is_sent_over_rest(
    receivers: Receivers,
    path: str,
    expected: Any,
    content_type: str | None,
    body: bytes,
    data: str,
    metadata: bool,
) -> None:
    more = {"X-WebPubSub-Metadata-Trace": "1"} if metadata else {}
    assert await post(receivers.server, f"/api/hubs/chat{path}", content_type, body, **more) == 202
    receivers.assert_got(expected(data, metadata=metadata))


@pytest.mark.parametrize(("content_type", "body", "data"), SENT)
async def test_what_is_sent_to_one_connection(
    receivers: Receivers, content_type: str | None, body: bytes, data: str
) -> None:
    for connection_id in list(receivers.server.service.hubs[CHAT].connections):
        path = f"/api/hubs/chat/connections/{connection_id}/:send"
        assert await post(receivers.server, path, content_type, body) == 202
    receivers.assert_got(from_server(data))


async def test_rest_knows_no_protobuf(receivers: Receivers) -> None:
    assert await post(receivers.server, "/api/hubs/chat/:send", "application/x-protobuf", ANY) == 415
    assert all(client.socket.take() == b"" for client in receivers.clients.values())


# --- events and their answers -------------------------------------------------------------------------

ASKS: dict[str, bytes | str] = {
    "raw": "x",
    "json": '{"type":"event","event":"message","dataType":"text","data":"x","ackId":1}',
    "protobuf": bytes.fromhex("2A 10 0A 07 6D657373616765 12 03 0A 01 78 18 01"),
}
ACKS = {
    "raw": [],
    "json": [(TEXT, b'{"type":"ack","ackId":1,"success":true}')],
    "protobuf": [(BINARY, bytes.fromhex("0A 04 08 01 10 01"))],
}

ANSWERS: list[tuple[str | None, bytes, str]] = [
    ("text/plain", "hé".encode(), "text"),
    ("application/json; charset=utf-8", b'{"b": 1.0,"a":"x"}', "json"),
    ("application/octet-stream", b"\x01\x02\x03", "binary"),
    (None, b"\x01\x02\x03", "binary"),
    ("application/x-protobuf", ANY, "protobuf"),
]


async def asking(kind: str, content_type: str | None, body: bytes, metadata: Any = ()) -> Client:
    """A client whose event was answered."""

    async def answer(request: EventRequest) -> EventAnswer:
        return parse_answer(request, 200, content_type, None, body, dict(metadata))

    client = await connect(Server(Handler(message=answer)), kind, sub="receiver")
    await client.send(written(ASKS[kind.removesuffix(" reliable")]))
    return client


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("content_type", "body", "data"), ANSWERS)
async def test_what_an_event_handler_answers(
    kind: str, content_type: str | None, body: bytes, data: str
) -> None:
    client = await asking(kind, content_type, body)
    acks = ACKS[kind.removesuffix(" reliable")]
    assert client.socket.frames() == [from_server(data).frame(kind), *acks]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("body", "data"), [("hé".encode(), "text"), (b"", "nothing")])
async def test_metadata_of_an_answer(kind: str, body: bytes, data: str) -> None:
    client = await asking(kind, "text/plain", body, {"trace": "1"})
    acks = ACKS[kind.removesuffix(" reliable")]
    assert client.socket.frames() == [from_server(data, metadata=True).frame(kind), *acks]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_answer_is_only_acknowledged(kind: str) -> None:
    client = await asking(kind, "application/octet-stream", b"")
    assert client.socket.frames() == ACKS[kind.removesuffix(" reliable")]


@pytest.mark.parametrize(("content_type", "body"), [("text/html", b"x"), ("application/x-protobuf", b"x")])
async def test_an_answer_that_cannot_be_sent_is_a_failed_event(content_type: str, body: bytes) -> None:
    failed = b'"success":false,"error":{"name":"InternalServerError","message":"Internal server error"}}'
    client = await asking("json", content_type, body)
    assert client.socket.frames() == [(TEXT, b'{"type":"ack","ackId":1,' + failed)]
    client = await asking("protobuf", content_type, body)
    error = (
        bytes.fromhex("0A 13") + b"InternalServerError" + bytes.fromhex("12 15") + b"Internal server error"
    )
    assert client.socket.frames() == [(BINARY, bytes.fromhex("0A 30 08 01 1A 2C") + error)]
    client = await asking("raw", content_type, body)
    assert client.closed_with == (1011, "Internal server error")


EVENT = '{"type":"event","event":"message",'

RAISED: list[tuple[str, bytes | str, str, bytes, dict[str, str]]] = [
    ("raw", "hé", "text/plain", "hé".encode(), {}),
    ("raw", b"\x01", "application/octet-stream", b"\x01", {}),
    ("json", EVENT + '"dataType":"text","data":"hé"}', "text/plain", "hé".encode(), {}),
    ("json", EVENT + '"data": {"b": 1.0} }', "application/json", b'{"b": 1.0}', {}),
    ("json", EVENT + '"dataType":"binary","data":"AQ=="}', "application/octet-stream", b"\x01", {}),
    ("json", EVENT + f'"dataType":"protobuf","data":"{ANY_BASE64}"}}', "application/x-protobuf", ANY, {}),
    ("json reliable", EVENT + '"metadata":{"Trace":"1"}}', "text/plain", b"", {"trace": "1"}),
    (
        "protobuf",
        bytes.fromhex("2A 1A 0A 07 6D657373616765 12 03 0A 01 78 22 0A 0A 05 5472616365 12 01 31"),
        "text/plain",
        b"x",
        {"trace": "1"},
    ),
    (
        "protobuf reliable",
        bytes.fromhex("2A 10 0A 07 6D657373616765 12 05 22 03 312E30"),
        "application/json",
        b"1.0",
        {},
    ),
    (
        "protobuf",
        bytes.fromhex("2A 42 0A 07 6D657373616765 12 37 1A 35") + ANY,
        "application/x-protobuf",
        ANY,
        {},
    ),
]


@pytest.mark.parametrize(("kind", "body", "content_type", "data", "metadata"), RAISED)
async def test_what_an_event_handler_is_asked(
    kind: str, body: bytes | str, content_type: str, data: bytes, metadata: dict[str, str]
) -> None:
    server = Server()
    client = await connect(server, kind, sub="receiver")
    await client.send(written(body))
    request = server.handler.events[-1]
    assert isinstance(request, UserEventRequest)
    assert (request.payload.content_type, request.payload.body) == (content_type, data)
    assert request.metadata == metadata
