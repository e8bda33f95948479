"""The REST data plane as a raw ASGI application.

The order of checks is Azure's: token (401), api-version, path and query (400, before the body is read),
length, media type, body.

Source: service spec, sections A.1 to A.4 and B.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import PeerError, RestError, TokenError
from webpubsub.model.headers import RawHeaders
from webpubsub.model.issued_tokens import verify_issued_token
from webpubsub.model.names import HubName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.rest import (
    API_VERSIONS,
    MAX_BODY_BYTES,
    GenerateClientToken,
    Operation,
    find_operation,
    parse_api_version,
    parse_parameters,
    parse_query,
    parse_value,
)
from webpubsub.model.tokens import client_token, verify_rest_token
from webpubsub.model.trace import Phase, TraceEvent
from webpubsub.service.service import Service

__all__ = ["RestApi"]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_SUPPORTED: Final = (b"api-supported-versions", ", ".join(API_VERSIONS).encode())
_JSON: Final = (b"content-type", b"application/json; charset=utf-8")
_HEALTH: Final = b"/api/health"
_API: Final = b"/api/hubs/"
# Ignoring one of these would send messages to people who should not get them, or keep them too long.
# With the values beside it a parameter asks for nothing: a lifetime of 0 seconds is one without end.
_UNSERVED: Final = {"filter": (), "messageTtlSeconds": ("0",)}


class _Answer(msgspec.Struct, frozen=True):
    status: int
    headers: RawHeaders = ()
    body: bytes = b""


class RestApi:
    """Answers REST requests on behalf of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers = dict(scope["headers"])
        try:
            answer = await self._answer(scope, headers, receive)
        except PeerError as error:
            answer = _error(error)
            self._report(scope, headers, answer, error)
        else:
            self._report(scope, headers, answer)
        is_head = scope["method"] == "HEAD"
        await _send(send, answer, with_body=not is_head)

    async def _answer(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> _Answer:
        method, path = scope["method"], scope.get("raw_path") or scope["path"].encode()
        if path == _HEALTH and method in ("HEAD", "GET"):
            return _Answer(200)
        if path.startswith(b"/client"):
            raise PeerError("This is an endpoint for WebSocket clients: the request is not an upgrade.")
        if not path.startswith(_API):
            raise RestError(404, "Error.NotFound", f"Nothing is at {path.decode('latin-1')}.", "Path")
        self._authorise(headers, path)
        query = parse_query(scope["query_string"])
        parse_api_version(query)
        found = find_operation(method, path)
        if found is None:
            raise RestError(
                404, "Error.NotFound", f"{method} {path.decode('latin-1')} is no operation.", "Path"
            )
        hub, operation, parameters = found
        _refuse_unserved(query)
        parameters.update(parse_parameters(operation, query))
        payload = await _payload(headers, receive) if operation.has_payload else None
        value = parse_value(operation, parameters, payload)
        return self._perform(hub, operation, value, headers)

    def _authorise(self, headers: Mapping[bytes, bytes], path: bytes) -> None:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("the request has no bearer token")
        expected = f"http://{headers.get(b'host', b'').decode('latin-1')}{path.decode('latin-1')}"
        settings, now = self._service.settings, self._service.now()
        try:
            verify_rest_token(token.strip(), settings.access_keys, expected=(expected,), now=now)
        except TokenError:
            if not settings.token_issuers:
                raise
            verify_issued_token(token.strip(), settings.token_issuers, now=now)

    def _perform(
        self, hub: HubName, operation: Operation, value: Any, headers: Mapping[bytes, bytes]
    ) -> _Answer:
        if isinstance(value, GenerateClientToken):
            return self._token(hub, value, headers)
        self._service.perform(hub, value)
        return _Answer(operation.status)

    def _token(self, hub: HubName, wanted: GenerateClientToken, headers: Mapping[bytes, bytes]) -> _Answer:
        here = ConnectionString(f"http://{headers.get(b'host', b'').decode('latin-1')}")
        token = client_token(
            here.client_audience(hub, wanted.client_type),
            self._service.settings.access_keys[0],
            now=self._service.now(),
            expires_after=60.0 * wanted.minutes_to_expire,
            user_id=wanted.user_id,
            roles=wanted.role,
            groups=wanted.group,
        )
        return _Answer(200, (_JSON,), msgspec.json.encode({"token": token}))

    def _report(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        answer: _Answer,
        error: PeerError | None = None,
    ) -> None:
        if self._service.trace is None:
            return
        request_id = headers.get(b"x-ms-client-request-id", b"").decode("latin-1")
        detail = {"method": scope["method"], "path": scope["path"], "status": answer.status}
        phase = Phase.COMPLETED if error is None else Phase.FAILED
        self._service.trace(TraceEvent("rest", phase, {"request": request_id}, detail, error))


def _refuse_unserved(query: Mapping[str, Sequence[str]]) -> None:
    for name, harmless in _UNSERVED.items():
        if not set(query.get(name, ())) <= set(harmless):
            raise RestError(501, "NotImplemented", f"'{name}' is not served by this service yet.", name)


async def _payload(headers: Mapping[bytes, bytes], receive: Receive) -> Payload:
    """Read the body of a send.

    Raises:
        RestError: Its length is unknown or over 1 MiB (400), or its media type is not served (415).
    """
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise RestError(400, "Error.BadRequest", "Invalid Content-Length header.", "Content-Length")
    data_type, charset = _media_type(headers.get(b"content-type", b"").decode("latin-1"))
    body = await _read(receive)
    if charset is not None:
        try:
            body = body.decode(charset).encode()
        except (ValueError, LookupError) as error:
            raise RestError(415, "Error.UnsupportedMediaType", f"The body is not {charset}.") from error
    return Payload(body, data_type)


def _media_type(content_type: str) -> tuple[WebPubSubDataType, str | None]:
    """Return the data type, and the charset when it is not UTF-8; no type at all is binary."""
    if not content_type:
        return WebPubSubDataType.BINARY, None
    data_type = Payload.data_type_of(content_type)
    if data_type is None:
        raise RestError(415, "Error.UnsupportedMediaType", f"Content-Type {content_type!r} is not served.")
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
            return data_type, charset
    return data_type, None


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":  # half a message is not to be sent to anybody
            raise PeerError("the request ended before its body was complete")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _error(error: PeerError) -> _Answer:
    """Return the answer of an error; a missing or wrong token gets no explanation."""
    if isinstance(error, TokenError):
        return _Answer(401, ((b"www-authenticate", b"Bearer"),))
    code = error.code if isinstance(error, RestError) else "Error.BadRequest"
    target = error.target if isinstance(error, RestError) else "Request"
    body = {"code": code, "message": str(error), "target": target}
    return _Answer(error.status, (_JSON, (b"x-ms-error-code", code.encode())), msgspec.json.encode(body))


async def _send(send: Send, answer: _Answer, *, with_body: bool) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [_SUPPORTED, *answer.headers]
    if answer.status != 204:
        headers.append(length)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
