"""The REST data plane as a raw ASGI application.

The order of checks is Azure's: is there such a path (404) with such a method (405), token (401),
api-version, path and query (400, before the body is read), length, media type, body.

Browsers are told nothing that lets pages of other origins in (CORS): whoever may call this API holds the
key to the service, and a page must not. So OPTIONS is a method like any other that no path has.

::

    rest_api.py            the order of checks, and what is done
    endpoints.py           what this service is called
    rest_bodies.py         length, media type and charset of bodies
    rest_answers.py        answers and errors
    connection_pages.py    the one list that there is

Source: service spec, sections A.1 to A.7, B.2 and B.4.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from webpubsub.model.actions import SendToConnectionAction
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import PeerError, RestError, TokenError
from webpubsub.model.issued_tokens import verify_issued_token
from webpubsub.model.names import GroupName, HubName
from webpubsub.model.payload import Payload
from webpubsub.model.rest import (
    API_VERSIONS,
    ConnectionExists,
    GenerateClientToken,
    ListConnections,
    Operation,
    build_request,
    find_operations,
    fold_names,
    parse_api_version,
    parse_headers,
    parse_parameters,
    parse_path,
    parse_query,
    parse_value,
)
from webpubsub.model.tokens import client_token, verify_rest_token
from webpubsub.model.trace import Phase, TraceEvent
from webpubsub.service.connection_pages import Bookmarks, list_page
from webpubsub.service.endpoints import base_urls, request_url
from webpubsub.service.filters import parse_filter
from webpubsub.service.handshake import refuse_unserved
from webpubsub.service.rest_answers import Answer, error_answer, json_answer, send_answer
from webpubsub.service.rest_bodies import read_json, read_message
from webpubsub.service.service import Service

__all__ = ["RestApi"]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]

_HEALTH: Final = b"/api/health"
_HEALTH_METHODS: Final = ("GET", "HEAD")
_NEWER: Final = (
    "api-version {found} of a REST request is newer than {known}, the newest this service knows: the request "
    "is served as one of {known}. --strict-api-version refuses such requests, as Azure does"
)


class RestApi:
    """Answers REST requests on behalf of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._bookmarks = Bookmarks(secrets.token_bytes(32))
        self._newer_versions: set[str] = set()  # that were warned of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers = dict(scope["headers"])
        try:
            answer = await self._answer(scope, headers, receive)
        except PeerError as error:
            answer = error_answer(error)
            self._report(scope, headers, answer, error)
        else:
            self._report(scope, headers, answer)
        await send_answer(send, answer, with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        method, path = scope["method"], _path(scope)
        operations = find_operations(path)
        if operations is None:
            return self._answer_elsewhere(method, path, scope)
        operation = operations.get(method)
        if operation is None:
            return _not_allowed(method, operations)
        self._authorise(headers, scope, path)
        settings = self._service.settings
        version, hub, parameters = _read_target(
            operation,
            path,
            scope["query_string"],
            strict=settings.strict_api_version,
            decode_slash=settings.decode_slash_in_segments,
        )
        self._warn_of_newer(version)
        if operation.has_payload:
            parameters = parameters | parse_headers(operation, scope["headers"])
        value = parse_value(operation, parameters, await self._body(operation, headers, receive))
        return self._perform(hub, operation, value, headers, scope)

    def _answer_elsewhere(self, method: str, path: bytes, scope: Scope) -> Answer:
        if path == _HEALTH:
            query = fold_names(parse_query(scope["query_string"]))
            parse_api_version(query, strict=self._service.settings.strict_api_version)
            return Answer(200) if method in _HEALTH_METHODS else _not_allowed(method, _HEALTH_METHODS)
        if path.startswith(b"/client"):
            refuse_unserved(path.decode("latin-1"))
            raise PeerError("This is an endpoint for WebSocket clients: the request is not an upgrade.")
        raise RestError(404, "Error.NotFound", f"Nothing is at {path.decode('latin-1')}.", "Path")

    def _warn_of_newer(self, version: str) -> None:
        if version in API_VERSIONS or version in self._newer_versions:
            return
        self._newer_versions.add(version)
        message = _NEWER.format(found=version, known=API_VERSIONS[-1])
        if self._service.trace is not None:
            self._service.trace(TraceEvent("setting", Phase.FAILED, {}, {"message": message}))

    def _authorise(self, headers: Headers, scope: Scope, path: bytes) -> None:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("the request has no bearer token")
        settings, now = self._service.settings, self._service.now()
        below = path.decode("latin-1")
        expected = [f"{base}{below}" for base in base_urls(settings, headers, scope)]
        try:
            verify_rest_token(token.strip(), settings.access_keys, expected=expected, now=now)
        except TokenError:
            if not settings.token_issuers:
                raise
            verify_issued_token(token.strip(), settings.token_issuers, now=now)

    async def _body(self, operation: Operation, headers: Headers, receive: Receive) -> Payload | None:
        if operation.has_payload:
            require_length = self._service.settings.require_content_length
            return await read_message(headers, receive, require_length=require_length)
        return await read_json(headers, receive) if operation.members else None

    def _perform(
        self, hub: HubName, operation: Operation, value: Any, headers: Headers, scope: Scope
    ) -> Answer:
        special = _SPECIAL.get(operation.value)
        if special is not None:
            return special(self, hub, value, headers, scope)
        self._service.perform(hub, value)
        return Answer(operation.status)

    def _send_to_connection(
        self, hub: HubName, action: SendToConnectionAction, _headers: Headers, _scope: Scope
    ) -> Answer:
        if self._service.settings.missing_connection_send == 404:
            self._service.perform(hub, ConnectionExists(action.connection_id))
        self._service.perform(hub, action)
        return Answer(202)

    def _token(self, hub: HubName, wanted: GenerateClientToken, headers: Headers, scope: Scope) -> Answer:
        settings = self._service.settings
        here = request_url(settings, headers, scope)
        endpoint = settings.public_endpoints[0] if settings.public_endpoints else here
        token = client_token(
            ConnectionString(endpoint).client_audience(hub, wanted.client_type),
            settings.access_keys[0],
            now=self._service.now(),
            expires_after=60.0 * wanted.minutes_to_expire,
            user_id=wanted.user_id,
            roles=wanted.role,
            groups=wanted.group,
        )
        return json_answer(200, {"token": token})

    def _list(self, hub: HubName, question: ListConnections, headers: Headers, scope: Scope) -> Answer:
        found = self._service.hubs.get(hub)
        members = () if found is None else found.groups.get(GroupName(question.group), ())
        page = list_page(hub, members, question, self._bookmarks)
        here = request_url(self._service.settings, headers, scope)
        link = None if page.next is None else f"{here}{build_request(hub, page.next).target}"
        return json_answer(200, {"value": page.value, "nextLink": link})

    def _report(self, scope: Scope, headers: Headers, answer: Answer, error: PeerError | None = None) -> None:
        if self._service.trace is None:
            return
        request_id = headers.get(b"x-ms-client-request-id", b"").decode("latin-1")
        detail = {"method": scope["method"], "path": scope["path"], "status": answer.status}
        is_no = scope["method"] == "HEAD" and answer.status == 404  # an answer like any other
        phase = Phase.COMPLETED if answer.status < 400 or is_no else Phase.FAILED
        self._service.trace(TraceEvent("rest", phase, {"request": request_id}, detail, error))


# Operations that are more than an action or a question for the hub.
_SPECIAL: Final[Mapping[type[Any], Callable[..., Answer]]] = {
    GenerateClientToken: RestApi._token,
    ListConnections: RestApi._list,
    SendToConnectionAction: RestApi._send_to_connection,
}


# Who may call asks for the same things again and again.
@functools.lru_cache(maxsize=1024)
def _read_target(
    operation: Operation, path: bytes, query_string: bytes, *, strict: bool, decode_slash: bool
) -> tuple[str, HubName, dict[str, Any]]:
    """Return the api-version, the hub and the parameters of a request; nobody may change them."""
    query = fold_names(parse_query(query_string))
    version = parse_api_version(query, strict=strict)
    hub, parameters = parse_path(operation, path, decode_slash=decode_slash)
    parameters |= parse_parameters(operation, query)
    if parameters.get("filter"):
        parse_filter(parameters["filter"])
    return version, hub, parameters


def _path(scope: Scope) -> bytes:
    """Return the path below where this application is mounted, percent-encoded."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    root: str = scope.get("root_path", "")
    return path.removeprefix(quote(root).encode()) if root else path


def _not_allowed(method: str, allowed: Iterable[str]) -> Answer:
    methods = ", ".join(allowed)
    error = RestError(405, "Error.MethodNotAllowed", f"{method} is not one of {methods}.", "Method")
    return error_answer(error, ((b"allow", methods.encode()),))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
