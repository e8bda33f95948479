"""Bodies in chunks, without I/O: bytes, however they are cut -> the pieces of a body.

Sizes are checked strictly, extensions and trailers are dropped: whoever looked at a head, as a proxy does,
has not seen them (RFC 9110, section 6.5.1). What two readers could read differently is refused.

Source: RFC 9112, section 7.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
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
