"""Requests of a client that are taken later, in their order."""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_REQUESTS: Final = 64
MAX_BYTES: Final = 1024 * 1024


class WaitingRequests:
    """Requests of a connection that have to wait: for an event before them, or for delivery."""

    __slots__ = ("_requests", "_size")

    def __init__(self) -> None:
        """Start with none."""
        self._requests: deque[tuple[bool, bytes]] = deque()
        self._size = 0

    def put(self, is_text: bool, body: bytes) -> None:
        """Let a request wait behind the others."""
        self._requests.append((is_text, body))
        self._size += len(body)

    def take(self) -> tuple[bool, bytes]:
        """Return the first request."""
        request = self._requests.popleft()
        self._size -= len(request[1])
        return request

    def is_over(self, share: int) -> bool:
        """Whether more waits than one ``share``-th of what may."""
        return len(self._requests) * share > MAX_REQUESTS or self._size * share > MAX_BYTES

    def __bool__(self) -> bool:
        return bool(self._requests)
