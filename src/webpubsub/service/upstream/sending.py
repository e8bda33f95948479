"""HTTP calls to event handlers: where what goes wrong with a call becomes what that means to an event."""

from __future__ import annotations

from typing import Protocol

import msgspec

from webpubsub.http import HttpCallError, HttpPool, InvalidCall, NotReached, Response, parse_url
from webpubsub.model.cloudevents import MAX_ANSWER_BYTES
from webpubsub.model.errors import EventRefused
from webpubsub.service.url_templates import shown

HttpResponse = Response
HeaderList = list[tuple[str, str]]


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
