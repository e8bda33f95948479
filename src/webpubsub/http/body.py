"""A body that is on its way: how much is to come, and how long that may take.

A body has a time for itself, and more of it for each piece that came. What stands around its pieces, such as
the sizes of chunks, buys none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webpubsub.http.chunked import ChunkedBody
from webpubsub.model.http import HttpBounds

BODY_RATE: Final = 10_000  # bytes a second, below which a body is too slow


class IncomingBody:
    """One body, of a length or in chunks."""

    __slots__ = ("_at", "_began", "_chunks", "_left", "_received")

    def __init__(self, now: float, left: int | None, max_around: int) -> None:
        """Begin to read.

        Args:
            now: Seconds on the clock of time limits.
            left: How many bytes it has; None: it is in chunks.
            max_around: See `ChunkedBody`.
        """
        self._began = self._at = now
        self._left = 0 if left is None else left
        self._chunks = ChunkedBody(max_around) if left is None else None
        self._received = 0

    def feed(self, data: bytes, now: float, take: Callable[[bytes], object]) -> bytes | None:
        """Give ``take`` the pieces in ``data``; return what follows the body once that is complete.

        Raises:
            BadChunk: It is not in chunks.
            TooMuchAround: Too much of it is no body.
        """
        self._at = now
        if self._chunks is not None:

            def count(piece: bytes) -> None:
                self._received += len(piece)
                take(piece)

            return self._chunks.feed(data, count)
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        self._received += len(piece)
        take(piece)
        return None if self._left else rest

    def is_more_than(self, size: int) -> bool:
        """Whether more than so many bytes are to come, as far as is known."""
        return self._chunks is not None or self._left > size

    def wait_until(self, now: float) -> None:
        """Count none of the time since the last piece: it was not the client who waited."""
        self._began += now - self._at
        self._at = now

    def due(self, bounds: HttpBounds) -> float:
        """Return until when the next piece, or the end, has to come."""
        return min(self._began + self._seconds(bounds), self._at + bounds.idle_timeout)

    def problem(self, now: float, bounds: HttpBounds) -> str:
        """Return what is to be said when that time has passed."""
        seconds = self._seconds(bounds)
        if self._began + seconds <= now:
            return f"The request's body was not complete after {seconds:.0f} seconds (bodyTimeout)."
        return f"Nothing more of the request's body came for {bounds.idle_timeout:g} seconds (idleTimeout)."

    def _seconds(self, bounds: HttpBounds) -> float:
        return bounds.body_timeout + self._received / BODY_RATE
