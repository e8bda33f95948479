"""Event handlers over HTTP: the service's calls to the app (webhooks).

Before its first event a URL is asked whether it takes events from here (abuse protection); a yes is
good for a minute, a no lets the event fail and is asked again with the next one.

Source: service spec, sections D.2 to D.7.
"""

from __future__ import annotations

import asyncio
import re
import time as clock
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from webpubsub.model.cloudevents import (
    ALLOWED_ORIGIN,
    MAX_ANSWER_BYTES,
    REQUEST_ORIGIN,
    build_body,
    build_headers,
    parse_answer,
)
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest
from webpubsub.model.ports import EventAnswer
from webpubsub.model.signature import signature_header
from webpubsub.model.states import STATE_HEADER
from webpubsub.service.settings import ServiceSettings

if TYPE_CHECKING:
    import aiohttp

__all__ = ["WebhookEventHandler"]

EVENT_TIMEOUT: Final = 100.0
VALIDATION_TIMEOUT: Final = 10.0
VALIDATION_LIFETIME: Final = 60.0

_PLACEHOLDER: Final = re.compile(r"{(hub|event)}", re.IGNORECASE)


class WebhookEventHandler:
    """Sends each event to the webhook that the hub's settings name for it.

    Args:
        settings: Keys and hub settings.
        event_timeout: Seconds an event may take.
        validation_timeout: Seconds an abuse-protection request may take.
        monotonic: Seconds on a clock that is never set.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        event_timeout: float = EVENT_TIMEOUT,
        validation_timeout: float = VALIDATION_TIMEOUT,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self.settings = settings
        self._event_timeout = event_timeout
        self._validation_timeout = validation_timeout
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self._validated: dict[str, float] = {}  # URL -> until when
        self._validating: dict[str, asyncio.Task[None]] = {}

    async def handle(self, request: EventRequest) -> EventAnswer:
        """Send one event and return its answer.

        Raises:
            EventRefused: Nobody takes the event, the handler refused it, or it could not be reached.
        """
        context = request.connection_context
        handler = self.settings.hub(context.hub).handler(context.event_type, context.event_name)
        if handler is None:
            raise EventRefused(404, f"no event handler of hub '{context.hub}' takes '{context.event_name}'")
        await self._validate(_resolve(handler.url_template, context.hub, "validate"))
        return await self._post(_resolve(handler.url_template, context.hub, context.event_name), request)

    async def close(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, request: EventRequest) -> EventAnswer:
        headers = build_headers(
            request,
            origin=self.settings.origin,
            signature=signature_header(self.settings.access_keys, request.connection_context.connection_id),
            time=clock.strftime("%Y-%m-%dT%H:%M:%SZ", clock.gmtime()),
            request_id=str(uuid.uuid4()),
        )
        body = build_body(request)
        async with (
            _reaching(url),
            await self._call("POST", url, self._event_timeout, headers, body) as answer,
        ):
            found = answer.headers
            return parse_answer(
                request,
                answer.status,
                found.get("Content-Type"),
                found.get(STATE_HEADER),
                await _read(answer),
            )

    async def _validate(self, url: str) -> None:
        if self._validated.get(url, 0.0) > self._monotonic():
            return
        task = self._validating.get(url)
        if task is None:  # events that come meanwhile wait for the same answer
            task = self._validating[url] = asyncio.create_task(self._ask(url))
            task.add_done_callback(lambda _: self._validating.pop(url, None))
        await asyncio.shield(task)

    async def _ask(self, url: str) -> None:
        headers = [(REQUEST_ORIGIN, self.settings.origin), ("ce-awpsversion", "1.0")]
        async with (
            _reaching(url),
            await self._call("OPTIONS", url, self._validation_timeout, headers) as answer,
        ):
            allowed = [value.lower() for value in answer.headers.getall(ALLOWED_ORIGIN, [])]
        if not 200 <= answer.status < 300:
            raise EventRefused(500, f"abuse protection for {_shown(url)} failed with status {answer.status}")
        if "*" not in allowed and self.settings.origin.lower() not in allowed:
            raise EventRefused(
                500,
                f"abuse protection for {_shown(url)} missed '{self.settings.origin}' in {ALLOWED_ORIGIN}",
            )
        self._validated[url] = self._monotonic() + VALIDATION_LIFETIME

    async def _call(
        self, method: str, url: str, timeout: float, headers: Any, body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # one client's slow handler must not hold up another's
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return await self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
        )


@asynccontextmanager
async def _reaching(url: str) -> AsyncIterator[None]:
    """Turn what goes wrong on the way into `EventRefused`."""
    import aiohttp

    try:
        yield
    except TimeoutError as error:
        raise EventRefused(500, f"the event handler {_shown(url)} did not answer in time") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):  # their text is the URL with its query
        raise EventRefused(500, f"the event handler {_shown(url)} cannot be reached: no HTTP URL") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise EventRefused(500, f"the event handler {_shown(url)} cannot be reached: {error}") from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Read the body, but not more than one byte over the limit that `parse_answer` checks."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body)


def _resolve(template: str, hub: str, event: str) -> str:
    names = {"hub": quote(hub, safe=""), "event": quote(event, safe="")}
    return _PLACEHOLDER.sub(lambda found: names[found[1].lower()], template)


def _shown(url: str) -> str:
    """The URL without its query, which may hold a key."""
    return url.partition("?")[0]
