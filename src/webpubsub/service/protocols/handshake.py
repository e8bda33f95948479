"""The WebSocket handshake, without I/O: request head -> what the client wants, decision -> response bytes.

Source: RFC 6455, section 4.2; client spec, sections 1.1 to 1.6.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import httptools
import msgspec

from webpubsub.model.errors import InvalidName, PeerError, TokenError
from webpubsub.model.http import RawHeaders, RequestHead, header_text
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.rest import parse_query
from webpubsub.service.protocols.raw import RawPublisher, parse_mode

_ACCEPT_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PATH_PREFIX: Final = "/client/hubs/"
_BARE_PATHS: Final = {"/client", "/client/"}
_UNSERVED: Final = {"/clients/mqtt/": "MQTT", "/clients/socketio/": "Socket.IO"}
_PRIVATE_HEADERS: Final = {b"authorization", b"sec-websocket-key", b"sec-websocket-version", b"cookie2"}
_PROTOCOLS: Final = b"sec-websocket-protocol"
_READ_HEADERS: Final = {
    b"authorization",
    b"host",
    b"sec-websocket-key",
    b"sec-websocket-version",
    _PROTOCOLS,
}
_NO_FIELD: Final = (b"",)
_NO_VALUE: Final = ("",)
_IN_QUERY: Final = "access_token"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes
# A path and a query as nearly all that comes; whatever else it may be, the parser of URLs knows.
_ORIGIN_FORM: Final = re.compile(rb"(/|/[!-\"$-.0->@-~][!-\"$->@-~]*)(?:\?([!-\"$-~]*))?")


class ClientRequest(msgspec.Struct, frozen=True):
    """What a client asks for when it connects.

    Attributes:
        hub: The hub.
        key: ``Sec-WebSocket-Key``.
        token: Its access token, or None.
        audiences: The URLs its token may be for, as the client names this service.
        subprotocols: What it offers, in its order.
        query: Query parameters without the token.
        headers: Request headers, as they came.
        publisher: Reads its frames should it be a simple client, or None when they are events.
        recovers: The id of the connection it wants back, or None; see `recovery`.
    """

    hub: HubName
    key: bytes
    token: str | None
    audiences: tuple[str, ...]
    subprotocols: tuple[str, ...]
    query: Mapping[str, Sequence[str]]
    headers: RawHeaders
    publisher: RawPublisher | None = None
    recovers: str | None = None

    def shown_headers(self) -> dict[str, list[str]]:
        """Return the headers without credentials, for the event handler."""
        shown: dict[str, list[str]] = {}
        for name, value in self.headers:
            if name not in _PRIVATE_HEADERS:
                shown.setdefault(name.decode("latin-1"), []).append(_text(value))
        return shown


def parse_request(head: RequestHead) -> ClientRequest:
    """Read the upgrade request of a client.

    Args:
        head: It asks for the upgrade to WebSocket, over HTTP/1.1.

    Raises:
        PeerError: It is not a WebSocket request to a hub; ``status`` is 400, 404 for another path, 426 for
            another version of WebSocket, or 501 for a protocol of Azure's that is not served.
    """
    fields: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
        if name in _READ_HEADERS:
            fields.setdefault(name, []).append(value)
    key = _checked_key(head.method, fields)
    path, query_text = _split(head.target)
    host, offered = _text(fields[b"host"][0]), _list(fields.get(_PROTOCOLS, ()))
    query = parse_query(query_text) if query_text else {}
    token = _taken_token(query, fields)
    recovers = query.get("awps_connection_id", _NO_VALUE)[-1] or None
    hub = _hub(path, query)
    return ClientRequest(
        hub=hub,
        key=key,
        token=token,
        audiences=(f"http://{host}{_PATH_PREFIX}{hub}",),
        subprotocols=tuple(offered),
        query=query,
        headers=head.headers,
        publisher=None if recovers or "webpubsub_mode" not in query else parse_mode(query),
        recovers=recovers,
    )


def _split(target: bytes) -> tuple[str, bytes]:
    """Return the decoded path of a target, and its query."""
    plain = _ORIGIN_FORM.fullmatch(target)
    if plain is not None:
        path, query = plain.groups()
    else:
        try:
            url = httptools.parse_url(target)
        except httptools.HttpParserError as error:
            raise PeerError("the request's target is not a URL") from error
        path, query = url.path or b"", url.query
    text = path.decode("latin-1")
    return unquote(text) if "%" in text else text, query


def _checked_key(method: str, fields: Mapping[bytes, Sequence[bytes]]) -> bytes:
    if method != "GET":
        raise PeerError("not a WebSocket request")
    if len(fields.get(b"host", ())) != 1:
        raise PeerError("the request has no Host, or more than one")
    if fields.get(b"sec-websocket-version", _NO_FIELD)[0] != b"13":
        raise PeerError("only version 13 of WebSocket is spoken here", status=426)
    keys = fields.get(b"sec-websocket-key", ())
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise PeerError("Sec-WebSocket-Key is not 16 bytes in base64")
    return keys[0]


def _text(value: bytes) -> str:
    return value.decode() if value.isascii() else header_text(value)


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


def _taken_token(query: dict[str, list[str]], fields: Mapping[bytes, Sequence[bytes]]) -> str | None:
    """Take the token out of the query, where nobody is shown it, or out of the headers."""
    token = ""
    for name in [name for name in query if len(name) == len(_IN_QUERY) and name.lower() == _IN_QUERY]:
        first = query.pop(name)[0]
        token = token or first
    if token or b"authorization" not in fields:
        return token or None
    scheme, _, token = _text(fields[b"authorization"][0]).partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def required_token(request: ClientRequest) -> str:
    """Return the client's token.

    Raises:
        TokenError: It has none.
    """
    if request.token is None:
        raise TokenError("the client has no access token")
    return request.token


def _list(values: Sequence[bytes]) -> list[str]:
    return [piece.strip() for value in values for piece in _text(value).split(",") if piece.strip()]


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
    forwarded = request.headers if trust_forwarded_headers else ()
    hosts = [
        _text(value).partition(",")[0].strip() for name, value in forwarded if name == b"x-forwarded-host"
    ]
    bases = [*(f"http://{host}" for host in hosts), *public_endpoints]
    return [*request.audiences, *(f"{base}{path}" for base in bases)]
