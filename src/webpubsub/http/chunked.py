"""Bodies, without I/O: bytes, however they are cut -> the pieces of a body, and how long one may take.

Sizes are checked strictly, extensions and trailers are dropped: whoever looked at a head, as a proxy does,
has not seen them (RFC 9110, section 6.5.1). What two readers could read differently is refused.

A body has a time for itself, and more of it for each piece that came. What stands around its pieces, such as
the sizes of chunks, buys none.

Source: RFC 9112, section 7.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from webpubsub.model.http import HttpBounds

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
BODY_RATE: Final = 10_000  # bytes a second, below which a body is too slow

_SHOWN: Final = 40


class BadChunk(Exception):
    """The body is not in chunks."""


class TooMuchAround(Exception):
    """Too much in a row is no body: sizes, extensions, trailers.

    Attributes:
        part: What it is: ``chunk extension`` or ``trailer``.
    """

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


class _Stage(Enum):
    SIZE = auto()
    DATA = auto()
    CR = auto()
    LF = auto()
    TRAILER = auto()


_SIZE_LINE, _DATA, _CR, _LF, _TRAILER_LINE = _Stage
_AFTER_DATA: Final = {_CR: (0x0D, _LF), _LF: (0x0A, _SIZE_LINE)}


class ChunkedBody:
    """Reads one body.

    Example:
        >>> pieces: list[bytes] = []
        >>> ChunkedBody(1000).feed(b"3;a=b\\r\\nabc\\r\\n0\\r\\n\\r\\nGET", pieces.append), pieces
        (b'GET', [b'abc'])
    """

    __slots__ = ("_around", "_left", "_line", "_max_around", "_stage")

    def __init__(self, max_around: int) -> None:
        """Take at most ``max_around`` bytes in a row that are no body."""
        self._max_around = max_around
        self._around = 0  # bytes since the last one of the body
        self._stage = _SIZE_LINE
        self._left = 0  # of a chunk
        self._line = b""  # an incomplete one

    def feed(self, data: bytes, take: Callable[[bytes], object]) -> bytes | None:
        """Give ``take`` the pieces in ``data``; return what follows the body once that is complete.

        Raises:
            BadChunk: It is not in chunks.
            TooMuchAround: More than may be is no body.
        """
        at, end = 0, len(data)
        while at < end:
            stage = self._stage
            if stage is _DATA:
                piece = data[at : at + self._left]
                take(piece)
                at += len(piece)
                self._left -= len(piece)
                self._around = 0
                if not self._left:
                    self._stage = _CR
            elif stage in _AFTER_DATA:
                expected, self._stage = _AFTER_DATA[stage]
                if data[at] != expected:
                    raise BadChunk(f"expected the end of a chunk, found {_shown(data[at : at + 1])}")
                at += 1
                self._around += 1
            else:
                stop = data.find(b"\n", at) + 1 or end
                line, at = self._line + data[at:stop], stop
                self._around += len(line) - len(self._line)
                if self._around > self._max_around:
                    raise TooMuchAround("trailer" if stage is _TRAILER_LINE else "chunk extension")
                self._line = b"" if line.endswith(b"\n") else line
                if not self._line and self._ends(line):
                    return data[at:]
        return None

    def _ends(self, line: bytes) -> bool:
        """Take a whole line; whether the body ends with it."""
        if not line.endswith(b"\r\n"):
            raise BadChunk(f"a line ends without CR: {_shown(line)}")
        text = line[:-2]
        if self._stage is _TRAILER_LINE:
            if text and _TRAILER.fullmatch(text) is None:
                raise BadChunk(f"expected a trailer, found {_shown(line)}")
            return not text
        found = _SIZE.fullmatch(text)
        if found is None:
            raise BadChunk(f"expected the size of a chunk, found {_shown(line)}")
        self._left = int(found[1], 16)
        self._stage = _DATA if self._left else _TRAILER_LINE
        return False


def _shown(line: bytes) -> str:
    return repr(line[:_SHOWN])[1:]


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
