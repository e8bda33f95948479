"""Event handlers over HTTP: the service's calls to the app (webhooks).

::

    event -> settings: which handler -> validation.py: does it take events from here
          -> auth.py: with which credentials -> POST, again if need be -> answer

Here what goes wrong with a call becomes what that means to an event.

Source: service spec, sections D.1 to D.7.
"""

from __future__ import annotations

import asyncio
import time as clock
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Any, Final

import msgspec

from webpubsub.http import (
    Crowded,
    Deadlines,
    HttpCallError,
    HttpPool,
    InvalidCall,
    NotReached,
    Response,
    parse_url,
)
from webpubsub.model.access.signature import signature_header
from webpubsub.model.cloudevents import (
    MAX_ANSWER_BYTES,
    REQUEST_ORIGIN,
    build_body,
    build_headers,
    check_characters,
    parse_answer,
)
from webpubsub.model.errors import EventRefused, InvalidData
from webpubsub.model.events import EventRequest, PresenceEventRequest, WebPubSubEventType
from webpubsub.model.http import CallBounds, header_text
from webpubsub.model.metadata import METADATA_PREFIX, NO_METADATA, Metadata, parse_metadata_headers
from webpubsub.model.names import ConnectionId, GroupName, HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import STATE_HEADER
from webpubsub.model.trace import SILENT, Name, Phase, Trace, event_ids
from webpubsub.service.events.auth import Authorization, CookieJars
from webpubsub.service.events.validation import AbuseProtection, Verdict, check_allowed
from webpubsub.service.settings import EventHandlerSettings, ServiceSettings, resolve, shown

EVENT_TIMEOUT: Final = 100.0
VALIDATION_TIMEOUT: Final = 10.0
# A connection's signature is always the same, so it is kept.
SIGNATURES: Final = 4096
ROUTES: Final = 4096  # of names that clients choose, only so many are remembered

# What `{event}` is in the URL that is asked for its permission.
_VALIDATE: Final = "validate"
_CONTENT_TYPE: Final = b"content-type"
_SET_COOKIE: Final = b"set-cookie"
_STATE: Final = STATE_HEADER.lower().encode()


class WebhookEventHandler:
    """Sends each event to the webhook that the hub's settings name for it.

    Args:
        settings: Keys and hub settings; may be replaced at any time. Events under way keep theirs.
        trace: Is told what happens beside the events themselves, or None.
        event_timeout: Seconds an event may take, with all its attempts.
        validation_timeout: Seconds an abuse-protection request may take, with all its attempts.
        monotonic: Seconds on a clock that is never set.
        sleep: Waits some seconds.
        authorization: Finds what events have as ``Authorization``.

    Attributes:
        calls: How events go over HTTP.
        in_time: Limits how long an event may take; see `late`.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        trace: Trace = SILENT,
        event_timeout: float = EVENT_TIMEOUT,
        validation_timeout: float = VALIDATION_TIMEOUT,
        monotonic: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        authorization: Authorization | None = None,
    ) -> None:
        self._settings = settings
        self._routes: dict[tuple[str, WebPubSubEventType, str], Route] = {}
        self._taken: dict[tuple[str, WebPubSubEventType, str], bool] = {}
        self._validation_timeout = validation_timeout
        self._deadlines = Deadlines()
        self.in_time = partial(self._deadlines.within, event_timeout)
        # GUIDs, each of another event; nobody needs to be unable to guess the next.
        self._request_ids = map(f"{str(uuid.uuid4())[:-12]}{{:012x}}".format, count())
        self._signature = lru_cache(maxsize=SIGNATURES)(signature_header)
        self.calls = Calls(sleep, trace, settings.calls)
        self._cookies = CookieJars()
        self._authorization = authorization or Authorization()
        self._monotonic = monotonic
        self._protection = AbuseProtection(self._ask, monotonic, trace)

    async def handle(self, request: EventRequest) -> EventAnswer:
        """Send one event and return its answer.

        Raises:
            EventRefused: Nobody takes the event, the handler refused it, or it could not be reached.
        """
        return await self.post(request, await self.route(request))

    async def route(self, request: EventRequest) -> Route:
        """Return where an event goes, once it is known that events are taken there.

        Raises:
            EventRefused: Nobody takes it.
        """
        context = request.connection_context
        route = self._routes.get((context.hub, context.event_type, context.event_name)) or self._find(request)
        verdict = route.verdict
        if verdict is not None and not (verdict.accepted and self._monotonic() < verdict.ask_at):
            await self._protection.check(route.validated, route.settings.origin)
        return route

    async def post(self, request: EventRequest, route: Route) -> EventAnswer:
        """Send an event over HTTP to where it goes; see `handle`."""
        headers = self.headers(request, route, clock.time())
        check_characters(headers)
        body = build_body(request)
        try:
            with self.in_time():
                if route.handler.auth is not None:
                    headers += await self._authorization.headers(route.handler.auth)
                if self._cookies.jars:
                    headers += self._cookies.headers(request.connection_context.connection_id, route.url)
                sent = HttpRequest("POST", route.url, headers, body)
                delays = route.settings.retry_delays_in_seconds
                response, attempts = await self.calls.send(sent, delays, event=request)
        except TimeoutError as error:
            raise late(route.url) from error
        content_type = state = None
        has_metadata = has_cookies = False
        for name, value in response.headers:  # the last of each counts
            if name == _CONTENT_TYPE:
                content_type = value
            elif name == _STATE:
                state = value
            elif name == _SET_COOKIE:
                has_cookies = True
            elif name.startswith(METADATA_PREFIX):
                has_metadata = True
        try:
            answer = parse_answer(
                request,
                response.status,
                None if content_type is None else content_type.strip().decode("latin-1"),
                None if state is None else header_text(state.strip()),
                response.body,
                _metadata(response) if has_metadata else NO_METADATA,
                attempts,
            )
        except EventRefused as refused:
            refused.attempts = attempts
            raise
        if has_cookies:
            self._cookies.keep(request.connection_context.connection_id, route.url, response)
        return answer

    def headers(self, request: EventRequest, route: Route, time: float) -> list[tuple[str, str]]:
        """Return the headers of an event at ``time``, in seconds since the epoch, without credentials."""
        return build_headers(
            request,
            origin=route.settings.origin,
            signature=self.signature(request, route),
            time=_timestamp(int(time)),
            request_id=next(self._request_ids),
        )

    def signature(self, request: EventRequest, route: Route) -> str:
        """Return the signature of an event."""
        return self._signature(route.settings.access_keys, request.connection_context.connection_id)

    def has_credentials(self, request: EventRequest, route: Route) -> bool:
        """Whether an event goes with more headers: a token, or cookies."""
        return route.handler.auth is not None or (
            bool(self._cookies.jars) and request.connection_context.connection_id in self._cookies.jars
        )

    def _find(self, request: EventRequest) -> Route:
        """Return where an event goes; remembered, unless its group has a say in it.

        Raises:
            EventRefused: Nobody takes it.
        """
        context, settings = request.connection_context, self._settings
        hub = settings.hub(context.hub)
        is_presence = isinstance(request, PresenceEventRequest)
        if isinstance(request, PresenceEventRequest):
            handler = hub.presence_handler(context.event_name, request.group)
        else:
            handler = hub.handler(context.event_type, context.event_name)
        if handler is None:
            raise EventRefused(404, f"no event handler of hub '{context.hub}' takes '{context.event_name}'")
        validated = resolve(handler.url_template, context.hub, _VALIDATE)
        route = Route(
            handler,
            settings,
            resolve(handler.url_template, context.hub, context.event_name),
            validated,
            None
            if settings.validation_mode == "off"
            else self._protection.verdict(validated, settings.origin),
        )
        if not is_presence and len(self._routes) < ROUTES:
            self._routes[context.hub, context.event_type, context.event_name] = route
        return route

    @property
    def settings(self) -> ServiceSettings:
        """Keys and hub settings; may be replaced at any time. Events under way keep theirs."""
        return self._settings

    @settings.setter
    def settings(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.calls.pool.bounds = settings.calls
        self._routes.clear()
        self._taken.clear()

    def takes(
        self, hub: HubName, event_type: WebPubSubEventType, name: str, group: GroupName | None = None
    ) -> bool:
        """See `EventHandler.takes`: the hub's settings say it."""
        if group is not None:
            return self._settings.hub(hub).presence_handler(name, group) is not None
        known = self._taken.get((hub, event_type, name))
        if known is None:  # remembered, as this is asked about every client
            known = self._settings.hub(hub).handler(event_type, name) is not None
            if len(self._taken) < ROUTES:
                self._taken[hub, event_type, name] = known
        return known

    def forget(self, connection_id: ConnectionId) -> None:
        """Drop the cookies of a connection that raises no more events."""
        self._cookies.forget(connection_id)

    def validate_configured(self) -> None:
        """Ask every event handler now whether it takes events, if the settings say ``onStart``.

        Nobody waits for the answers: the trace tells those who refuse.
        """
        if self.settings.validation_mode != "onStart":
            return
        for hub, found in self.settings.hubs.items():
            for handler in found.event_handlers:
                self._protection.start(resolve(handler.url_template, hub, _VALIDATE), self.settings.origin)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._protection.close()
        await self._authorization.close()
        await self.calls.pool.close()

    async def _ask(self, url: str, origin: str) -> None:
        """Ask an app whether it takes events from here; some can only be asked by GET."""
        headers = [(REQUEST_ORIGIN, origin), ("ce-awpsversion", "1.0")]
        delays = self.settings.retry_delays_in_seconds
        try:
            with self._deadlines.within(self._validation_timeout):
                response, _ = await self.calls.send(HttpRequest("OPTIONS", url, headers), delays)
                if response.status == 404:
                    response, _ = await self.calls.send(HttpRequest("GET", url, headers), delays)
        except TimeoutError as error:
            raise late(url) from error
        check_allowed(url, origin, response)


class Route(msgspec.Struct, frozen=True, eq=False):
    """Where the events of one name of a hub go.

    Attributes:
        handler: Who takes them.
        settings: Those that say so.
        url: The handler's, for this event.
        validated: The URL that is asked whether it takes events.
        verdict: What it said, or None where it is not asked.
    """

    handler: EventHandlerSettings
    settings: ServiceSettings
    url: str
    validated: str
    verdict: Verdict | None


def _metadata(response: Response) -> Metadata:
    try:
        return parse_metadata_headers(response.headers)
    except InvalidData as error:
        raise EventRefused(500, f"the answer cannot be used: {error}") from error


@lru_cache(maxsize=1)  # most events come in the second of the last one
def _timestamp(seconds: int) -> str:
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ", clock.gmtime(seconds))


def is_passing(status: int) -> bool:
    """Whether an answer is a trouble that may pass: 408 and any 5xx.

    Example:
        >>> [is_passing(status) for status in (408, 429, 503)]
        [True, False, True]
    """
    return status == 408 or 500 <= status <= 599


class Calls:
    """Sends requests over kept connections, and again what could not be delivered.

    No slow handler holds up another, unless they share an origin.

    Args:
        sleep: Waits some seconds.
        trace: Is told of each attempt that is followed by another.
        bounds: How many calls are made at once.

    Attributes:
        pool: Sends a request once.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]], trace: Trace, bounds: CallBounds) -> None:
        self._sleep = sleep
        self._trace = trace
        self.pool = HttpPool(max_body=MAX_ANSWER_BYTES, bounds=bounds)

    async def send(
        self,
        request: HttpRequest,
        delays: Sequence[float],
        event: EventRequest | None = None,
        ask: Callable[[], Awaitable[Response]] | None = None,
    ) -> tuple[Response, int]:
        """Send a request until it is answered, or the last attempt has failed.

        Args:
            request: What to send, the same in each attempt.
            delays: Seconds before each further attempt.
            event: The event it carries, for the trace.
            ask: Makes one attempt by a shorter way than HTTP.

        Returns:
            The answer, which may be the last of many failures, and how many attempts it took.

        Raises:
            EventRefused: It could not be sent, or not even the last attempt was answered.
        """
        for attempt in count(1):
            is_last = attempt > len(delays)
            try:
                response = await (self._ask(request) if ask is None else ask())
                if is_last or not is_passing(response.status):
                    return response, attempt
                self._report(request, event, attempt, delays[attempt - 1], {"status": response.status})
            except NotReached as error:
                refused = _unreachable(request.url, error)
                if is_last:
                    refused.attempts = attempt
                    raise refused from error
                self._report(request, event, attempt, delays[attempt - 1], {}, refused)
            except Crowded as error:  # it has waited long enough, and another attempt would be in the way
                refused = EventRefused(503, f"the event handler {shown(request.url)} is not asked: {error}")
                refused.attempts = attempt
                raise refused from error
            except InvalidCall as error:  # without the traceback of what was wrong, which may hold a key
                raise _unreachable(request.url, error) from None
            except HttpCallError as error:
                raise _unreachable(request.url, error) from error
            await self._sleep(delays[attempt - 1])
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, request: HttpRequest) -> Awaitable[Response]:
        return self.pool.request(
            request.method,
            parse_url(request.url),
            request.headers,
            request.body,
            # A question, which changes nothing, is sent again if a kept connection has ended.
            may_repeat=request.method != "POST",
        )

    def _report(
        self,
        request: HttpRequest,
        event: EventRequest | None,
        attempt: int,
        delay: float,
        detail: dict[str, Any],
        error: EventRefused | None = None,
    ) -> None:
        ids = {} if event is None else event_ids(event.connection_context)
        told = {"method": request.method, "url": shown(request.url), "attempt": attempt, **detail}
        self._trace.tell(Name.WEBHOOK, Phase.FAILED, ids, {**told, "again_in": delay}, error)


class HttpRequest(msgspec.Struct, frozen=True):
    """What is sent; each attempt sends the same."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def late(url: str) -> EventRefused:
    """Return the error of an event handler that took too long, with all attempts."""
    return EventRefused(500, f"the event handler {shown(url)} did not answer in time")


def _unreachable(url: str, why: object) -> EventRefused:
    return EventRefused(500, f"the event handler {shown(url)} cannot be reached: {why}")
