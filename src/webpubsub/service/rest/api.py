"""The REST data plane: a raw ASGI application with a fast lane.

The order of checks is Azure's: is there such a path (404) with such a method (405), token (401),
api-version, path and query (400, before the body is read), length, media type, body.

Browsers are told nothing that lets pages of other origins in (CORS): whoever may call this API holds the
key to the service, and a page must not. So OPTIONS is a method like any other that no path has.

::

    api.py                 the order of checks, what is done, and what this service is called
    targets.py             what stands before a body: methods and targets that are asked for
    bodies.py              length, media type and charset of bodies
    answers.py             answers and errors
    connection_pages.py    the one list that there is

Callers know the service by the Host header they send; behind a proxy, also by what the proxy says was sent to
it, or by an endpoint that is set.

Source: service spec, sections A.1 to A.7, B.2 to B.4.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable
from typing import Any, Final

import msgspec

from webpubsub.http.asgi import Receive, Send, send_answer
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.issued_tokens import verify_issued_token
from webpubsub.model.access.tokens import client_token, verify_rest_token
from webpubsub.model.actions import SendToConnectionAction
from webpubsub.model.errors import PeerError, RestError, TokenError
from webpubsub.model.http import HttpAnswer, LaneHandler, RawHeaders
from webpubsub.model.metadata import METADATA_PREFIX
from webpubsub.model.names import HubName
from webpubsub.model.rest import (
    API_VERSIONS,
    ConnectionExists,
    GenerateClientToken,
    GroupExists,
    ListConnections,
    Operation,
    PermissionExists,
    UserExists,
    build_request,
    find_operations,
    fold_names,
    parse_api_version,
    parse_headers,
    parse_query,
    parse_value,
)
from webpubsub.model.trace import Ids, Name, Phase
from webpubsub.service.filters import check_filter
from webpubsub.service.protocols.handshake import refuse_unserved
from webpubsub.service.rest.answers import EMPTY, error_answer, json_answer
from webpubsub.service.rest.bodies import Form, json_form, message_form, read_body
from webpubsub.service.rest.connection_pages import Bookmarks, list_page
from webpubsub.service.rest.targets import Head, Targets
from webpubsub.service.service import Service
from webpubsub.service.settings import ServiceSettings

Scope = Mapping[str, Any]

_HUBS: Final = b"/api/hubs/"
_NO_IDS: Final[Ids] = {}
_HEALTH: Final = b"/api/health"
_HEALTH_METHODS: Final = ("GET", "HEAD")
_NEWER: Final = (
    "api-version {found} of a REST request is newer than {known}, the newest this service knows: the request "
    "is served as one of {known}. --strict-api-version refuses such requests, as Azure does"
)


class _Asked(msgspec.Struct, frozen=True):
    """A request of which the head is all right; the body is another matter.

    Attributes:
        head: What was sent so far.
        operation: What is asked for.
        hub: Of which hub.
        parameters: What path, query and headers say.
        form: How its body is read, or None when it has none.
    """

    head: Head
    operation: Operation
    hub: HubName
    parameters: Mapping[str, Any]
    form: Form | None


class RestApi:
    """Answers REST requests on behalf of a service: as an ASGI application, and as a `FastLane`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._bookmarks = Bookmarks(secrets.token_bytes(32))
        self._targets = Targets()
        self._newer_versions: set[str] = set()  # that were warned of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        found = await self._answer(Head.of_scope(scope), receive)
        answer = found if isinstance(found, HttpAnswer) else await found
        await send_answer(answer, send, is_head=scope["method"] == "HEAD")

    async def _answer(self, head: Head, receive: Receive) -> HttpAnswer | Awaitable[HttpAnswer]:
        asked = self._decide(head)
        if isinstance(asked, HttpAnswer):
            return asked
        try:
            body = b"" if asked.form is None else await read_body(receive, asked.form.limit)
        except PeerError as error:
            return self._refuse(head, error)
        return self._complete(asked, body)

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | HttpAnswer | None:
        """Return who answers a request without ASGI, or what refuses it by its head; see `FastLane`."""
        if not target.startswith(_HUBS) or b"#" in target:
            return None
        path, _, query = target.partition(b"?")
        asked = self._decide(Head(method, path, query, headers, dict(headers)))
        if isinstance(asked, HttpAnswer):
            return asked
        return None if asked.operation.value in _BY_ADDRESS else functools.partial(self._complete, asked)

    def _decide(self, head: Head) -> _Asked | HttpAnswer:
        """Return what a request asks for, or its answer when the head is enough for that."""
        try:
            asked = self._read(head)
        except PeerError as error:
            return self._refuse(head, error)
        if isinstance(asked, HttpAnswer):
            self._report(head, asked)
        return asked

    def _read(self, head: Head) -> _Asked | HttpAnswer:
        """Return what a request asks for, or its answer when that is known already.

        Raises:
            PeerError: It is refused.
        """
        settings = self._service.settings
        target = self._targets.find(head, settings)
        operation = self._operation(head) if target is None else target.operation
        if isinstance(operation, HttpAnswer):
            return operation
        self._authorise(head)
        target = target or self._targets.read(operation, head, settings)
        if target.version not in API_VERSIONS:
            self._warn_of_newer(target.version)
        parameters = target.parameters
        form = None
        if operation.has_payload:
            for name in head.values:
                if name.startswith(METADATA_PREFIX):
                    parameters = {**parameters, **parse_headers(operation, head.headers)}
                    break
            form = message_form(head.values, require_length=settings.require_content_length)
        elif operation.members:
            form = json_form(head.values)
        return _Asked(head, operation, target.hub, parameters, form)

    def _operation(self, head: Head) -> Operation | HttpAnswer:
        operations = find_operations(head.path)
        if operations is None:
            return self._answer_elsewhere(head)
        return operations.get(head.method) or _not_allowed(head.method, operations)

    def _complete(self, asked: _Asked, body: bytes) -> HttpAnswer | Awaitable[HttpAnswer]:
        """Do what is asked for, now that the whole body is there."""
        try:
            payload = None if asked.form is None else asked.form.payload(body)
            value = parse_value(asked.operation, asked.parameters, payload)
            if asked.operation.members and (wanted := getattr(value, "filter", None)):
                check_filter(wanted, self._service.settings.filters)  # that of a query was when it was read
            special = _SPECIAL.get(asked.operation.value)
            if special is None:
                is_followed = Name.DELIVERY in self._service.trace.heard
                self._service.perform(asked.hub, value, _cause(asked.head) if is_followed else _NO_IDS)
                answer = EMPTY[asked.operation.status]
            elif isinstance(found := special(self, asked, value), HttpAnswer):
                answer = found
            else:
                return self._answer_later(asked, found)
        except PeerError as error:
            return self._refuse(asked.head, error)
        if Name.REST in self._service.trace.heard:
            self._report(asked.head, answer)
        return answer

    async def _answer_later(self, asked: _Asked, found: Awaitable[HttpAnswer]) -> HttpAnswer:
        try:
            answer = await found
        except PeerError as error:
            return self._refuse(asked.head, error)
        self._report(asked.head, answer)
        return answer

    def _ask(
        self, asked: _Asked, question: Any, build: Callable[[Any], HttpAnswer]
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        """Return the answer that ``build`` makes of the hub's, at once or when that has come."""
        found = self._service.ask(asked.hub, question)
        return _build_later(found, build) if isawaitable(found) else build(found)

    def _refuse(self, head: Head, error: PeerError) -> HttpAnswer:
        answer = error_answer(error)
        self._report(head, answer, error)
        return answer

    def _answer_elsewhere(self, head: Head) -> HttpAnswer:
        if head.path == _HEALTH:
            query = fold_names(parse_query(head.query))
            parse_api_version(query, strict=self._service.settings.strict_api_version)
            is_known = head.method in _HEALTH_METHODS
            return EMPTY[200] if is_known else _not_allowed(head.method, _HEALTH_METHODS)
        path = head.path.decode("latin-1")
        if path.startswith("/client"):
            refuse_unserved(path)
            raise PeerError("This is an endpoint for WebSocket clients: the request is not an upgrade.")
        raise RestError(404, "Error.NotFound", f"Nothing is at {path}.", "Path")

    def _warn_of_newer(self, version: str) -> None:
        if version in self._newer_versions:
            return
        self._newer_versions.add(version)
        message = _NEWER.format(found=version, known=API_VERSIONS[-1])
        self._service.trace.tell(Name.SETTING, Phase.FAILED, {}, {"message": message})

    def _authorise(self, head: Head) -> None:
        scheme, _, token = head.values.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("the request has no bearer token")
        settings, now = self._service.settings, self._service.now()
        token, below = token.strip(), head.path.decode("latin-1")
        expected = [f"{base}{below}" for base in base_urls(settings, head)]
        try:
            verify_rest_token(token, settings.access_keys, expected=expected, now=now)
        except TokenError:
            if not settings.token_issuers:
                raise
            verify_issued_token(token, settings.token_issuers, now=now)

    def _send_to_connection(
        self, asked: _Asked, action: SendToConnectionAction
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        def send(_: Any = None) -> HttpAnswer:
            self._service.perform(asked.hub, action, _cause(asked.head))
            return EMPTY[asked.operation.status]

        if self._service.settings.missing_connection_send == 404:
            return self._ask(asked, ConnectionExists(action.connection_id), send)
        return send()

    def _exists(self, asked: _Asked, question: Any) -> HttpAnswer | Awaitable[HttpAnswer]:
        return self._ask(asked, question, lambda _: EMPTY[asked.operation.status])

    def _token(self, asked: _Asked, wanted: GenerateClientToken) -> HttpAnswer:
        settings = self._service.settings
        here = request_url(settings, asked.head)
        endpoint = settings.public_endpoints[0] if settings.public_endpoints else here
        token = client_token(
            ConnectionString(endpoint).client_audience(asked.hub, wanted.client_type),
            settings.access_keys[0],
            now=self._service.now(),
            expires_after=60.0 * wanted.minutes_to_expire,
            user_id=wanted.user_id,
            roles=wanted.role,
            groups=wanted.group,
        )
        return json_answer(200, {"token": token})

    def _list(self, asked: _Asked, question: ListConnections) -> HttpAnswer | Awaitable[HttpAnswer]:
        def show(members: Any) -> HttpAnswer:
            page = list_page(asked.hub, members, question, self._bookmarks)
            here = request_url(self._service.settings, asked.head)
            link = None if page.next is None else f"{here}{build_request(asked.hub, page.next).target}"
            return json_answer(200, {"value": page.value, "nextLink": link})

        return self._ask(asked, question, show)

    def _report(self, head: Head, answer: HttpAnswer, error: PeerError | None = None) -> None:
        is_no = head.method == "HEAD" and answer.status == 404  # an answer like any other
        phase = Phase.COMPLETED if answer.status < 400 or is_no else Phase.FAILED
        detail = {"method": head.method, "path": head.shown_path, "status": answer.status}
        self._service.trace.tell(Name.REST, phase, _cause(head), detail, error)


# Operations that are more than an action or a question for the hub.
_SPECIAL: Final[Mapping[type[Any], Callable[..., HttpAnswer | Awaitable[HttpAnswer]]]] = {
    ConnectionExists: RestApi._exists,
    GroupExists: RestApi._exists,
    PermissionExists: RestApi._exists,
    UserExists: RestApi._exists,
    GenerateClientToken: RestApi._token,
    ListConnections: RestApi._list,
    SendToConnectionAction: RestApi._send_to_connection,
}
# Their answers say how this service was reached, which only ASGI knows.
_BY_ADDRESS: Final = {GenerateClientToken, ListConnections}


async def _build_later(found: Awaitable[Any], build: Callable[[Any], HttpAnswer]) -> HttpAnswer:
    return build(await found)


def _not_allowed(method: str, allowed: Iterable[str]) -> HttpAnswer:
    methods = ", ".join(allowed)
    error = RestError(405, "Error.MethodNotAllowed", f"{method} is not one of {methods}.", "Method")
    return error_answer(error, ((b"allow", methods.encode()),))


def _cause(head: Head) -> Ids:
    return {"request": head.values.get(b"x-ms-client-request-id", b"").decode("latin-1")}


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def base_urls(settings: ServiceSettings, head: Head) -> list[str]:
    """Return the URLs under which the sender of a request may know this service.

    Their schemes mean nothing: TLS may end before this service.
    """
    hosts = [head.values.get(b"host", b"")]
    if settings.trust_forwarded_headers:
        hosts.append(_first(head.values.get(b"x-forwarded-host", b"")))
    urls = [f"http://{host.decode('latin-1')}{head.root}" for host in hosts if host]
    return [*urls, *settings.public_endpoints] if settings.public_endpoints else urls


def request_url(settings: ServiceSettings, head: Head) -> str:
    """Return the URL under which the sender of a request has reached this service, to be called again."""
    host, scheme = head.values.get(b"host", b""), head.scheme
    if settings.trust_forwarded_headers:
        host = _first(head.values.get(b"x-forwarded-host", b"")) or host
        scheme = _first(head.values.get(b"x-forwarded-proto", b"")).decode("latin-1") or scheme
    return f"{scheme}://{host.decode('latin-1')}{head.root}"


def _first(value: bytes) -> bytes:
    """Return what the proxy next to the caller wrote; each further one appends its own."""
    return value.partition(b",")[0].strip()
