"""Event handlers over HTTP: the service's calls to the app (webhooks).

::

    event -> settings: which handler -> validation.py: does it take events from here
          -> auth.py: with which credentials -> retries.py: POST -> answer

Source: service spec, sections D.1 to D.7.
"""

from __future__ import annotations

import asyncio
import re
import time as clock
import uuid
from collections.abc import Awaitable, Callable
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Final

from webpubsub.http import Deadlines
from webpubsub.model.access.signature import signature_header
from webpubsub.model.cloudevents import REQUEST_ORIGIN, build_body, build_headers, parse_answer
from webpubsub.model.errors import EventRefused, InvalidData
from webpubsub.model.events import EventRequest, PresenceEventRequest, WebPubSubEventType
from webpubsub.model.metadata import parse_metadata_headers
from webpubsub.model.names import ConnectionId, GroupName, HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import STATE_HEADER
from webpubsub.model.trace import SILENT, Trace
from webpubsub.service.events.auth import Authorization, CookieJars
from webpubsub.service.events.retries import EventClient, HttpClient, HttpRequest, HttpResponse, Retries, late
from webpubsub.service.events.validation import AbuseProtection, check_allowed
from webpubsub.service.settings import EventHandlerSettings, ServiceSettings, resolve

EVENT_TIMEOUT: Final = 100.0
VALIDATION_TIMEOUT: Final = 10.0
# A connection's signature is always the same: 2 us for each event, where 10 us of our own are spent.
SIGNATURES: Final = 4096

# What `{event}` is in the URL that is asked for its permission.
_VALIDATE: Final = "validate"
_MAY_HAVE_OTHER_CHARACTERS: Final = "ce-userId"
_CONTENT_TYPE: Final = b"content-type"
_STATE: Final = STATE_HEADER.lower().encode()
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab


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
        client: Sends requests to event handlers; another one may take its place before the first event.
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
        self.settings = settings
        self._event_timeout = event_timeout
        self._validation_timeout = validation_timeout
        self.client: EventClient = HttpClient()
        self._deadlines = Deadlines()
        # GUIDs, each of another event; nobody needs to be unable to guess the next (`uuid.uuid4`: 2.8 us).
        self._request_ids = map(f"{str(uuid.uuid4())[:-12]}{{:012x}}".format, count())
        self._signature = lru_cache(maxsize=SIGNATURES)(signature_header)
        self._retries = Retries(sleep, trace)
        self._cookies = CookieJars()
        self._authorization = authorization or Authorization()
        self._protection = AbuseProtection(self._ask, monotonic, trace)

    async def handle(self, request: EventRequest) -> EventAnswer:
        """Send one event and return its answer.

        Raises:
            EventRefused: Nobody takes the event, the handler refused it, or it could not be reached.
        """
        context, settings = request.connection_context, self.settings
        hub = settings.hub(context.hub)
        if isinstance(request, PresenceEventRequest):
            handler = hub.presence_handler(context.event_name, request.group)
        else:
            handler = hub.handler(context.event_type, context.event_name)
        if handler is None:
            raise EventRefused(404, f"no event handler of hub '{context.hub}' takes '{context.event_name}'")
        if settings.validation_mode != "off":
            await self._protection.check(
                resolve(handler.url_template, context.hub, _VALIDATE), settings.origin
            )
        url = resolve(handler.url_template, context.hub, context.event_name)
        try:
            with self._deadlines.within(self._event_timeout):
                return await self._post(url, request, handler, settings)
        except TimeoutError as error:
            raise late(url) from error

    def takes(
        self, hub: HubName, event_type: WebPubSubEventType, name: str, group: GroupName | None = None
    ) -> bool:
        """See `EventHandler.takes`: the hub's settings say it."""
        found = self.settings.hub(hub)
        handler = found.handler(event_type, name) if group is None else found.presence_handler(name, group)
        return handler is not None

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
        await self.client.close()

    async def _post(
        self, url: str, request: EventRequest, handler: EventHandlerSettings, settings: ServiceSettings
    ) -> EventAnswer:
        context = request.connection_context
        headers = build_headers(
            request,
            origin=settings.origin,
            signature=self._signature(settings.access_keys, context.connection_id),
            time=_timestamp(int(clock.time())),
            request_id=next(self._request_ids),
        )
        _check_characters(headers)
        if handler.auth is not None:
            headers += await self._authorization.headers(handler.auth)
        headers += self._cookies.headers(context.connection_id, url)
        sent = HttpRequest("POST", url, headers, build_body(request))
        response, attempts = await self._retries.send(
            self.client, sent, settings.retry_delays_in_seconds, event=request
        )
        try:
            answer = _parse(request, response)
        except EventRefused as refused:
            refused.attempts = attempts
            raise
        self._cookies.keep(context.connection_id, url, response)
        return EventAnswer(answer.response, answer.state, answer.metadata, response.status, attempts)

    async def _ask(self, url: str, origin: str) -> None:
        """Ask an app whether it takes events from here; some can only be asked by GET."""
        headers = [(REQUEST_ORIGIN, origin), ("ce-awpsversion", "1.0")]
        delays = self.settings.retry_delays_in_seconds
        try:
            with self._deadlines.within(self._validation_timeout):
                response, _ = await self._retries.send(
                    self.client, HttpRequest("OPTIONS", url, headers), delays
                )
                if response.status == 404:
                    response, _ = await self._retries.send(
                        self.client, HttpRequest("GET", url, headers), delays
                    )
        except TimeoutError as error:
            raise late(url) from error
        check_allowed(url, origin, response)


def _parse(request: EventRequest, response: HttpResponse) -> EventAnswer:
    try:
        metadata = parse_metadata_headers(response.headers)
    except InvalidData as error:
        raise EventRefused(500, f"the answer cannot be used: {error}") from error
    return parse_answer(
        request,
        response.status,
        response.last(_CONTENT_TYPE),
        response.last(_STATE),
        response.body,
        metadata,
    )


@lru_cache(maxsize=1)  # 0.7 us for all but the first event of a second
def _timestamp(seconds: int) -> str:
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ", clock.gmtime(seconds))


def _check_characters(headers: list[tuple[str, str]]) -> None:
    """Let an event fail that would need a header which HTTP cannot carry; only user ids may be UTF-8."""
    everything = "".join(map(itemgetter(1), headers))
    if everything.isascii() and everything.isprintable():  # as usual; 2 us less than to look at each
        return
    for name, value in headers:
        if not value.isascii() and name != _MAY_HAVE_OTHER_CHARACTERS:
            raise EventRefused(500, f"the header {name} cannot be sent: {value[:80]!r} is not ASCII")
        if not value.isprintable() and _CONTROL.search(value):
            raise EventRefused(
                500, f"the header {name} cannot be sent: {value[:80]!r} has a control character"
            )
