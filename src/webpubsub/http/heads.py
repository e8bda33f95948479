"""Heads that come in several pieces, without I/O.

A head is looked for by its end. A parser that nobody listens to is fed with what has come, as it comes: it
says early whether that can still become a head, so who speaks something else is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

END: Final = b"\r\n\r\n"


class HeadTooLarge(Exception):
    """The head has not ended where it must have."""


class _Nobody:
    """Hears nothing of what a parser finds."""


_NOBODY: Final = _Nobody()


class PartialHead:
    """What has come of a head.

    Args:
        scout: Makes a parser of httptools.
        limit: How many bytes the head may have.
    """

    __slots__ = ("_found", "_limit", "_scout")

    def __init__(self, scout: Callable[[Any], Any], limit: int) -> None:
        self._found = bytearray()
        self._limit = limit
        self._scout = scout(_NOBODY)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take the next piece; return the whole head and what follows it, once it has ended.

        Raises:
            httptools.HttpParserError: It is none.
            HeadTooLarge: It goes on beyond the limit.
        """
        found, start = self._found, len(self._found)
        room = self._limit - start
        found += data[:room]
        stop = found.find(END, max(0, start - 3)) + 4
        if stop >= 4:
            return bytes(found[:stop]), data[stop - start :]
        self._scout.feed_data(bytes(found[start:]))
        if len(data) > room:
            raise HeadTooLarge
        return None
