"""``webpubsub start --in-process``: the app and its service meet in this process, not over loopback HTTP.

::

    event  -> AppEvents -> Webhook.take -> function     instead of a POST
    action -> HubActions -> Service.perform -> hub      instead of a request

An event is handed over as the value that the host would read from its request; its headers are made when a
function looks at them. What HTTP would change or refuse goes over HTTP, and so do events with metadata or
credentials: both ends are there anyway. The answer stays one of HTTP, with every check and limit of the event
protocol. An action, too, is handed over as the value it is: it was checked when it was made, and reading it
from its request would give the same value again, but for the metadata of a message (see `_as_read`).

CPU time of the whole command, over HTTP / in process: 2.2 for an event with its answer, 5 for an action.
"""

from __future__ import annotations

import asyncio
import time as clock
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from webpubsub.host.azure.rest_client import refused
from webpubsub.host.webhook import WEBHOOK_PATH, Webhook
from webpubsub.http import InvalidCall, Response, parse_url
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.actions import Action, SendAction
from webpubsub.model.cloudevents import build_body, content_type_of, context_as_read, parse_answer
from webpubsub.model.errors import ConfigurationError, EventRefused, RestError
from webpubsub.model.events import EventRequest, WebPubSubConnectionContext
from webpubsub.model.http import HttpAnswer, RawHeaders
from webpubsub.model.metadata import build_metadata_headers, parse_metadata_headers
from webpubsub.model.names import HubName
from webpubsub.model.ports import ActionSink, EventAnswer
from webpubsub.model.states import STATE_HEADER
from webpubsub.model.trace import Trace, TracedActions
from webpubsub.server.embedded import EmbeddedService
from webpubsub.service.events.webhooks import HttpRequest, Route, WebhookEventHandler, late
from webpubsub.service.filters import check_filter
from webpubsub.service.rest.answers import error_answer
from webpubsub.service.rest.bodies import MAX_MESSAGE_BYTES, bad_length
from webpubsub.service.service import Service

_STATE: Final = STATE_HEADER.lower().encode()
_URLS: Final = 4096  # they may have names in them that clients choose


class AppEvents:
    """Hands the events of the app's own webhook to it, and all others to the handler of the service."""

    def __init__(self, app: Webhook, url: str, webhooks: WebhookEventHandler) -> None:
        """Hand events to ``app``, which is at ``url``, without path; and to ``webhooks``."""
        self._app = app
        self._origin = parse_url(url).origin
        self._webhooks = webhooks
        self._query = lru_cache(_URLS)(self._find_query)
        self.takes = webhooks.takes
        self.forget = webhooks.forget

    async def handle(self, request: EventRequest) -> EventAnswer:
        """See `EventHandler.handle`."""
        webhooks = self._webhooks
        route = await webhooks.route(request)
        query = self._query(route.url)
        if query is not None and not webhooks.has_credentials(request, route):
            headers = _Headers(partial(webhooks.headers, request, route, clock.time()))
            context = context_as_read(
                request,
                origin=route.settings.origin,
                signature=webhooks.signature(request, route),
                headers=headers,
            )
            if context is not None:
                return await self._hand_over(request, route, context, headers, query)
        return await webhooks.post(request, route)

    async def _hand_over(
        self,
        request: EventRequest,
        route: Route,
        context: WebPubSubConnectionContext,
        headers: RawHeaders,
        query: bytes,
    ) -> EventAnswer:
        async def ask() -> Response:
            answer = self._app.take(context, content_type_of(request), build_body(request), headers, query)
            if not isinstance(answer, HttpAnswer):
                # Who waits may give up, and a function runs on then, as it does when its caller hangs up.
                answer = await asyncio.shield(asyncio.ensure_future(answer))
            return Response(answer.status, answer.headers, answer.body)

        webhooks, sent = self._webhooks, HttpRequest("POST", route.url)
        try:
            with webhooks.in_time():
                delays = route.settings.retry_delays_in_seconds
                response, attempts = await webhooks.calls.send(sent, delays, request, ask)
        except TimeoutError as error:
            raise late(route.url) from error
        found = dict(response.headers)
        content_type, state = found.get(b"content-type"), found.get(_STATE)
        try:
            return parse_answer(
                request,
                response.status,
                None if content_type is None else content_type.decode("latin-1"),
                None if state is None else state.decode(),
                response.body,
                attempts=attempts,
            )
        except EventRefused as refused:
            refused.attempts = attempts
            raise

    def _find_query(self, url: str) -> bytes | None:
        """Return the query of the webhook's URL; None for any other URL."""
        try:
            found = parse_url(url)
        except InvalidCall:
            return None
        path, _, query = found.target.partition("?")
        is_own = found.origin == self._origin and path == WEBHOOK_PATH and found.authorization is None
        return query.encode() if is_own else None


class _Headers(Sequence[tuple[bytes, bytes]]):
    """The headers of an event, as our server would read them; made when somebody looks."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], list[tuple[str, str]]]) -> None:
        self._make = make
        self._made: RawHeaders | None = None

    def _found(self) -> RawHeaders:
        if self._made is None:
            self._made = [(name.lower().encode(), value.encode()) for name, value in self._make()]
        return self._made

    def __getitem__(self, index: Any) -> Any:
        return self._found()[index]

    def __len__(self) -> int:
        return len(self._found())


class HubActions:
    """Performs actions on the hubs of a service in this process, as `RestClient` does over HTTP."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform an action; see `ActionSink.perform`.

        Raises:
            ActionRefused: The service refused it; status and text are those of the REST API.
        """
        try:
            read = _as_read(action) if isinstance(action, SendAction) else action
            if wanted := getattr(action, "filter", None):
                check_filter(wanted, self._service.settings.filters)
            self._service.perform(hub, read, {"request": request_id or ""})
        except RestError as error:
            raise refused(hub, action, error.status, error_answer(error).body) from error
        # What was written goes out, and others have their turn, before a function's next action.
        await asyncio.sleep(0)


def _as_read(send: SendAction) -> SendAction:
    """Return what the service would read: messages are the one kind of action that it limits or changes."""
    if len(send.payload.body) > MAX_MESSAGE_BYTES:
        raise bad_length()
    if not send.metadata:
        return send
    headers = [(name.encode(), value.encode()) for name, value in build_metadata_headers(send.metadata)]
    return msgspec.structs.replace(send, metadata=parse_metadata_headers(headers))


def send_events_to(app: Webhook, url: str, embedded: EmbeddedService) -> None:
    """Let an embedded service send its events to ``app``, which is at ``url``, in this process."""
    embedded.send_events_to(AppEvents(app, url, embedded.handler))


def sinks_of(
    environment: Mapping[str, str], connection: ConnectionString, service: Service, trace: Trace
) -> dict[str, ActionSink]:
    """Return the sink of each connection name in ``environment`` that stands for ``service``.

    Others, even those that reach it by another name or key, stay with the REST API.

    Args:
        environment: App settings.
        connection: The service's own.
        service: Performs the actions.
        trace: The listener, or None.
    """
    sink = TracedActions(HubActions(service), trace, connection.endpoint)
    return {name: sink for name, text in environment.items() if _is(text, connection)}


def _is(text: str, connection: ConnectionString) -> bool:
    try:
        return ConnectionString.parse(text) == connection
    except ConfigurationError:
        return False  # another setting
