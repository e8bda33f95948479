"""HTTP calls to event handlers: attempts, what is sent again, after which waits.

Here what goes wrong with a call becomes what that means to an event.

Source: service spec, section D.7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec

from webpubsub.http import HttpCallError, HttpPool, InvalidCall, NotReached, Response, parse_url
from webpubsub.model.cloudevents import MAX_ANSWER_BYTES
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest
from webpubsub.model.ports import event_ids
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.service.settings import shown

HttpResponse = Response
HeaderList = list[tuple[str, str]]


def is_passing(status: int) -> bool:
    """Whether an answer is a trouble that may pass: 408 and any 5xx.

    Example:
        >>> [is_passing(status) for status in (408, 429, 503)]
        [True, False, True]
    """
    return status == 408 or 500 <= status <= 599


class Retries:
    """Sends again what could not be delivered.

    Args:
        sleep: Waits some seconds.
        trace: Is told of each attempt that is followed by another, or None.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]], trace: Trace) -> None:
        self._sleep = sleep
        self._trace = trace

    async def send(
        self,
        client: EventClient,
        request: HttpRequest,
        delays: Iterable[float],
        event: EventRequest | None = None,
    ) -> tuple[HttpResponse, int]:
        """Send a request until it is answered, or the last attempt has failed.

        Args:
            client: Sends it.
            request: What to send, the same in each attempt.
            delays: Seconds before each further attempt.
            event: The event it carries, for the trace.

        Returns:
            The answer, which may be the last of many failures, and how many attempts it took.

        Raises:
            EventRefused: It could not be sent, or not even the last attempt was answered.
        """
        attempts = 1
        for delay in delays:
            try:
                response = await client.send(request)
                if not is_passing(response.status):
                    return response, attempts
                self._report(request, event, attempts, delay, {"status": response.status})
            except Unreachable as error:
                self._report(request, event, attempts, delay, {}, error)
            await self._sleep(delay)
            attempts += 1
        try:
            return await client.send(request), attempts
        except Unreachable as error:
            error.attempts = attempts
            raise

    def _report(
        self,
        request: HttpRequest,
        event: EventRequest | None,
        attempt: int,
        delay: float,
        detail: dict[str, Any],
        error: Unreachable | None = None,
    ) -> None:
        ids = {} if event is None else event_ids(event.connection_context)
        told = {"method": request.method, "url": shown(request.url), "attempt": attempt, **detail}
        self._trace.tell(Name.WEBHOOK, Phase.FAILED, ids, {**told, "again_in": delay}, error)


class HttpRequest(msgspec.Struct, frozen=True):
    """What is sent; each attempt sends the same."""

    method: str
    url: str
    headers: HeaderList
    body: bytes = b""


class Unreachable(EventRefused):
    """Nothing came back; the same may be sent again."""


class EventClient(Protocol):
    """Who takes requests to event handlers: `HttpClient`, or somebody with a shorter way to some of them."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See `HttpClient.send`."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class HttpClient:
    """Sends requests over kept connections; no slow handler holds up another."""

    def __init__(self) -> None:
        self._pool = HttpPool(max_body=MAX_ANSWER_BYTES)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request once; a question, which changes nothing, twice if a kept connection has ended.

        Raises:
            Unreachable: The connection failed.
            EventRefused: The request has no form in which it could be sent, or the answer is none.
        """
        method, body = request.method, request.body
        try:
            return await self._pool.request(
                method, parse_url(request.url), request.headers, body, may_repeat=method != "POST"
            )
        except InvalidCall as error:  # without the traceback of what was wrong with it, which may hold a key
            raise _refused(EventRefused, request.url, error) from None
        except HttpCallError as error:
            kind = Unreachable if isinstance(error, NotReached) else EventRefused
            raise _refused(kind, request.url, error) from error

    async def close(self) -> None:
        """Close the kept connections."""
        await self._pool.close()


def late(url: str) -> EventRefused:
    """Return the error of an event handler that took too long, with all attempts."""
    return EventRefused(500, f"the event handler {shown(url)} did not answer in time")


def _refused(kind: type[EventRefused], url: str, why: object) -> EventRefused:
    return kind(500, f"the event handler {shown(url)} cannot be reached: {why}")
