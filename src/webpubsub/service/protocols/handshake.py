"""The WebSocket handshake, without I/O: request bytes -> what the client wants, decision -> response bytes.

Source: RFC 6455, section 4.2; client spec, sections 1.1 to 1.6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httptools
import msgspec

from webpubsub.model.errors import InvalidName, PeerError, TokenError
from webpubsub.model.http import header_text
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.rest import parse_query
from webpubsub.service.protocols.raw import RawPublisher, parse_mode

_ACCEPT_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PATH_PREFIX: Final = "/client/hubs/"
_BARE_PATHS: Final = {"/client", "/client/"}
_UNSERVED: Final = {"/clients/mqtt/": "MQTT", "/clients/socketio/": "Socket.IO"}
_PRIVATE_HEADERS: Final = {"authorization", "sec-websocket-key", "sec-websocket-version", "cookie2"}


class ClientRequest(msgspec.Struct, frozen=True):
    """What a client asks for when it connects.

    Attributes:
        hub: The hub.
        key: ``Sec-WebSocket-Key``.
        token: Its access token, or None.
        audiences: The URLs its token may be for, as the client names this service.
        subprotocols: What it offers, in its order.
        query: Query parameters without the token.
        headers: Request headers without credentials.
        publisher: Reads its frames should it be a simple client, or None when they are events.
        recovers: The id of the connection it wants back, or None; see `recovery`.
    """

    hub: HubName
    key: bytes
    token: str | None
    audiences: tuple[str, ...]
    subprotocols: tuple[str, ...]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, Sequence[str]]
    publisher: RawPublisher | None = None
    recovers: str | None = None


class _Head:
    """Collects what httptools finds in a request head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, list[str]] = {}

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.setdefault(name.decode("latin-1").lower(), []).append(header_text(value))

    def first(self, name: str) -> str:
        return self.headers.get(name, [""])[0]


def parse_request(data: bytes) -> ClientRequest:
    """Read the upgrade request of a client.

    Raises:
        PeerError: It is not a WebSocket request to a hub; ``status`` is 400, 404 for another path, 426 for
            another version of WebSocket, or 501 for a protocol of Azure's that is not served.
        InvalidName: The hub's name is outside its rules.
    """
    head = _Head()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data)
        raise PeerError("not a WebSocket request")
    except httptools.HttpParserUpgrade:
        url = _url(head.url)
    except httptools.HttpParserError as error:
        raise PeerError(f"not an HTTP request: {error}") from error
    query = parse_query(url.query or b"")
    key = _checked_key(parser, head)
    hub = _hub(unquote((url.path or b"").decode("latin-1")), query)
    recovers = query.get("awps_connection_id", [""])[-1] or None
    publisher = None if recovers else parse_mode(query)
    token = _token(head, query)
    host = head.first("host")
    return ClientRequest(
        hub=hub,
        key=key,
        token=token,
        audiences=(f"http://{host}{_PATH_PREFIX}{hub}",),
        subprotocols=tuple(_list(head.headers.get("sec-websocket-protocol", []))),
        query={name: values for name, values in query.items() if name.lower() != "access_token"},
        headers={name: values for name, values in head.headers.items() if name not in _PRIVATE_HEADERS},
        publisher=publisher,
        recovers=recovers,
    )


def _url(text: bytes) -> Any:
    try:
        return httptools.parse_url(text)
    except httptools.HttpParserError as error:
        raise PeerError("the request's target is not a URL") from error


def _checked_key(parser: httptools.HttpRequestParser, head: _Head) -> bytes:
    upgrades = [piece.lower() for piece in _list(head.headers.get("upgrade", []))]
    if parser.get_method() != b"GET" or "websocket" not in upgrades:
        raise PeerError("not a WebSocket request")
    if len(head.headers.get("host", [])) != 1:
        raise PeerError("the request has no Host, or more than one")
    if head.first("sec-websocket-version") != "13":
        raise PeerError("only version 13 of WebSocket is spoken here", status=426)
    key = ",".join(head.headers.get("sec-websocket-key", [])).encode("latin-1", "replace")
    try:
        if len(base64.b64decode(key, validate=True)) == 16:
            return key
    except (binascii.Error, ValueError):
        pass
    raise PeerError("Sec-WebSocket-Key is not 16 bytes in base64")


def _hub(path: str, query: Mapping[str, Sequence[str]]) -> HubName:
    try:
        if path.startswith(_PATH_PREFIX):
            return parse_hub_name(path.removeprefix(_PATH_PREFIX).removesuffix("/"))
        if path in _BARE_PATHS:
            return parse_hub_name(query.get("hub", [""])[0])
    except InvalidName as error:
        raise PeerError(str(error)) from error
    refuse_unserved(path)
    raise PeerError(f"{path} is not a client endpoint: expected {_PATH_PREFIX}HUB", status=404)


def refuse_unserved(path: str) -> None:
    """Refuse the paths of protocols that Azure has and this service has not yet.

    Raises:
        PeerError: The path is one of them (501).
    """
    for prefix, protocol in _UNSERVED.items():
        if path.startswith(prefix):
            raise PeerError(f"{protocol} is not served yet: connect to {_PATH_PREFIX}HUB", status=501)


def _token(head: _Head, query: Mapping[str, Sequence[str]]) -> str | None:
    for name, values in query.items():
        if name.lower() == "access_token" and values[0]:
            return values[0]
    scheme, _, token = head.first("authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def required_token(request: ClientRequest) -> str:
    """Return the client's token.

    Raises:
        TokenError: It has none.
    """
    if request.token is None:
        raise TokenError("the client has no access token")
    return request.token


def _list(values: Sequence[str]) -> list[str]:
    return [piece.strip() for value in values for piece in value.split(",") if piece.strip()]


def accept_response(key: bytes, subprotocol: str | None) -> bytes:
    """Return the response that opens the WebSocket.

    Example:
        >>> b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in accept_response(b"dGhlIHNhbXBsZSBub25jZQ==", None)
        True
    """
    accept = base64.b64encode(hashlib.sha1(key + _ACCEPT_GUID, usedforsecurity=False).digest())
    chosen = b"" if subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept, chosen)
    )


def refuse_response(status: int, message: str) -> bytes:
    """Return the response that refuses the WebSocket; ``message`` is for people who debug their client."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Refused"
    body = message.encode()
    version = b"Sec-WebSocket-Version: 13\r\n" if status == 426 else b""
    return (
        b"HTTP/1.1 %d %b\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: %d\r\n"
        b"Connection: close\r\n%b\r\n%b" % (status, phrase.encode(), len(body), version, body)
    )


def client_audiences(
    request: ClientRequest, public_endpoints: Iterable[str], *, trust_forwarded_headers: bool
) -> list[str]:
    """Return the URLs that a client's token may be for; see `ServiceSettings` for what may be set."""
    path = urlsplit(request.audiences[0]).path
    forwarded = request.headers.get("x-forwarded-host", ()) if trust_forwarded_headers else ()
    hosts = [value.partition(",")[0].strip() for value in forwarded]
    bases = [*(f"http://{host}" for host in hosts), *public_endpoints]
    return [*request.audiences, *(f"{base}{path}" for base in bases)]
