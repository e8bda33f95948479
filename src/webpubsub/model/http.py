"""HTTP as values: headers, whole answers, and the fast lane to an application.

Raw headers are what ASGI hands over; `Headers` is what functions see: case-insensitive names, lists of
values. Whatever an application answers in the fast lane it answers over ASGI too, and alike; the lane is only
shorter. It takes hot requests and leaves every other to ASGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Final, Protocol

import msgspec

BODILESS: Final = frozenset({204, 304})
"""Statuses without body: it, or its length, would be taken for the next answer on the connection (RFC 9110,
section 6.4.1)."""

# How the service, and HTTP itself, spell the headers of an event: ASGI keeps lower case only, and functions
# that read the host's JSON look names up as they were sent.
SPELLINGS: Final = {
    name.lower(): name
    for name in (
        "Accept",
        "Accept-Encoding",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Host",
        "Transfer-Encoding",
        "User-Agent",
        "WebHook-Request-Origin",
        "ce-connectionId",
        "ce-connectionState",
        "ce-eventName",
        "ce-physicalConnectionId",
        "ce-sessionId",
        "ce-userId",
    )
}


class HttpAnswer(msgspec.Struct, frozen=True):
    """An HTTP answer.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: May be empty.
    """

    status: int
    headers: RawHeaders = ()
    body: bytes = b""


# Names in lower case, as ASGI hands them over.
RawHeaders = Sequence[tuple[bytes, bytes]]


def header_text(value: bytes) -> str:
    """Decode a header value: UTF-8 when it is (user ids may be), else Latin-1, which always fits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class RequestHead(msgspec.Struct, frozen=True):
    """What stands before a request's body.

    Attributes:
        method: HTTP method.
        target: As it was sent, but for what absolute forms say of the host: path and query.
        headers: All lines; names in lower case.
    """

    method: str
    target: bytes
    headers: RawHeaders


class HttpBounds(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a server takes of requests. In settings the names are ``maxHeadBytes``, ``headTimeout``, ...

    Attributes:
        max_head_bytes: How large a request's head may be, and what stands around the pieces of its body: 431.
        head_timeout: Seconds in which a head has to be complete: 408.
        body_timeout: Seconds a body may take, and one more for each 10,000 bytes of it: 408.
        idle_timeout: Seconds for which a connection is kept without a request, or a body without its next
            piece (408).
        max_bodies_bytes: How much the bodies of all requests under way may hold: 503.
    """

    max_head_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 64 * 1024
    head_timeout: Annotated[float, msgspec.Meta(ge=1)] = 15.0
    body_timeout: Annotated[float, msgspec.Meta(ge=1)] = 75.0
    # Longer than clients keep idle connections (aiohttp: 15 s), so that the client is the one who closes;
    # else a request may meet a connection that was just closed here.
    idle_timeout: Annotated[float, msgspec.Meta(ge=1)] = 75.0
    max_bodies_bytes: Annotated[int, msgspec.Meta(ge=1024 * 1024)] = 256 * 1024 * 1024


class CallBounds(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many calls a client of HTTP makes at once. In settings the names are ``maxConnections``, ...

    Attributes:
        max_connections: Connections to one origin; further calls wait in their order.
        max_waiting: Calls that may wait for one origin; more fail.
        wait_timeout: Seconds for which each may wait.
    """

    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 128
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 1000
    wait_timeout: Annotated[float, msgspec.Meta(ge=0)] = 10.0


LaneHandler = Callable[[bytes], HttpAnswer | Awaitable[HttpAnswer]]
"""Answers one request, given its whole body: at once, or with something to await."""


class FastLane(Protocol):
    """An application's short way for hot requests."""

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | HttpAnswer | None:
        """Return who answers a request with this head, or the answer itself: then nobody wants the body.

        None leaves the request to the ASGI application.

        Args:
            method: HTTP method.
            target: The request's target as it was sent: path and query, or an absolute URL.
            headers: Names in lower case. The same list is kept by the server, so it must not be changed.
        """
        ...


class _Headers(msgspec.Struct, eq=False):
    # A struct is made at a third of the cost of another class, but cannot inherit from `Mapping`.
    _raw: RawHeaders = ()
    _values: dict[str, list[str]] | None = None

    def _decoded(self) -> dict[str, list[str]]:
        if self._values is None:
            values: dict[str, list[str]] = {}
            for name, value in self._raw:
                values.setdefault(name.decode("latin-1").lower(), []).append(header_text(value))
            self._values = values
        return self._values

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._decoded()[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._decoded()

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return f"Headers({self._decoded()!r})"

    get, keys, items, values = Mapping.get, Mapping.keys, Mapping.items, Mapping.values
    __eq__ = Mapping.__eq__
    __hash__ = None  # type: ignore[assignment]


Mapping.register(_Headers)

Headers: Final[Callable[[RawHeaders], Mapping[str, Sequence[str]]]] = _Headers  # type: ignore[assignment]
"""A read-only view of raw headers, whose names are in lower case; decoding waits until somebody looks.

Example:
    >>> Headers([(b"ce-hub", b"chat")])["CE-Hub"]
    ['chat']
"""
