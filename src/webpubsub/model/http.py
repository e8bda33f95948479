"""HTTP as values: raw headers, whole answers, and the fast lane to an application.

Whatever an application answers in the fast lane it answers over ASGI too, and alike; the lane is only
shorter. It takes hot requests and leaves every other to ASGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

BODILESS: Final = frozenset({204, 304})
"""Statuses without body: it, or its length, would be taken for the next answer on the connection (RFC 9110,
section 6.4.1)."""


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
