"""HTTP as values: headers, whole answers, and the fast lane to an application.

Raw headers are what ASGI hands over; `Headers` is what functions see: case-insensitive names, lists of
values. Whatever an application answers in the fast lane it answers over ASGI too, and alike; the lane is only
shorter. It takes hot requests and leaves every other to ASGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

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


class RequestHead(msgspec.Struct, frozen=True):
    """The head of an HTTP/1.1 request.

    Attributes:
        method: HTTP method.
        target: As it was sent: path and query, or an absolute URL.
        headers: Names in lower case.
    """

    method: str
    target: bytes
    headers: RawHeaders


# Names in lower case, as ASGI hands them over.
RawHeaders = Sequence[tuple[bytes, bytes]]


def header_text(value: bytes) -> str:
    """Decode a header value: UTF-8 when it is (user ids may be), else Latin-1, which always fits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


LaneHandler = Callable[[bytes], HttpAnswer | Awaitable[HttpAnswer]]
"""Answers one request, given its whole body: at once, or with something to await."""


class FastLane(Protocol):
    """An application's short way for hot requests."""

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | None:
        """Return who answers a request with this head, or None: then the ASGI application does.

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
