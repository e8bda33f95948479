"""HTTP calls to event handlers: one pooled client, and one place where what goes wrong becomes ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from webpubsub.model.cloudevents import MAX_ANSWER_BYTES
from webpubsub.model.errors import EventRefused
from webpubsub.service.url_templates import shown

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpClient", "HttpRequest", "HttpResponse", "Unreachable", "within"]

HeaderList = list[tuple[str, str]]


class HttpRequest(msgspec.Struct, frozen=True):
    """What is sent; each attempt sends the same."""

    method: str
    url: str
    headers: HeaderList
    body: bytes | None = None


class HttpResponse:
    """What came back.

    Attributes:
        status: HTTP status.
        body: The body, but not more than a little over the limit that `parse_answer` checks.
    """

    __slots__ = ("_found", "body", "status")

    def __init__(self, found: aiohttp.ClientResponse, body: bytes) -> None:
        self._found = found
        self.status = found.status
        self.body = body

    def all(self, name: str) -> Sequence[str]:
        """Return the values of a header, one a line."""
        return self._found.headers.getall(name, ())

    def last(self, name: str) -> str | None:
        """Return the value of a header's last line."""
        values = self.all(name)
        return values[-1] if values else None

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """All headers as they came."""
        return self._found.raw_headers

    @property
    def cookies(self) -> Any:
        """What ``Set-Cookie`` set."""
        return self._found.cookies

    @property
    def url(self) -> Any:
        """The URL that answered."""
        return self._found.url


class Unreachable(EventRefused):
    """Nothing came back; the same may be sent again."""


class HttpClient:
    """Sends requests over pooled connections, opened on first use."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request once.

        Raises:
            Unreachable: The connection failed.
            EventRefused: The request has no form in which it could be sent.
        """
        import aiohttp

        try:
            async with self._opened().request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as found:
                return HttpResponse(found, await _read(found))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):  # their text is the URL with its query
            raise _refused(EventRefused, request.url, "no HTTP URL") from None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            raise _refused(Unreachable, request.url, error) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise _refused(EventRefused, request.url, error) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # no slow handler holds up another
                cookie_jar=aiohttp.DummyCookieJar(),  # each connection has its own, see `CookieJars`
                timeout=aiohttp.ClientTimeout(),  # callers limit all attempts together, see `within`
            )
        return self._session

    async def close(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()


_NO_ANSWER: Final = "did not answer in time"


@asynccontextmanager
async def within(seconds: float, url: str) -> AsyncIterator[None]:
    """Give an event, or a question, so much time for all its attempts.

    Raises:
        EventRefused: The time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EventRefused(500, f"the event handler {shown(url)} {_NO_ANSWER}") from error


def _refused(kind: type[EventRefused], url: str, why: object) -> EventRefused:
    return kind(500, f"the event handler {shown(url)} cannot be reached: {why}")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body)
