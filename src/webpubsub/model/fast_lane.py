"""The fast lane: how a server asks an application for answers without ASGI in between.

Whatever an application answers here it answers over ASGI too, and alike; the lane is only shorter. It takes
hot requests and leaves every other to ASGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from webpubsub.model.cloudevents import HttpAnswer
from webpubsub.model.headers import RawHeaders

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
