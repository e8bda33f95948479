"""Heads, without I/O: those that come in several pieces, and what one must be beyond what a parser checks.

A head is looked for by its end. A parser that nobody listens to is fed with what has come, as it comes: it
says early whether that can still become a head, so who speaks something else is not waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

END: Final = b"\r\n\r\n"
OTHER_VERSION: Final = "The request is of another version than HTTP/1.1 and HTTP/1.0."
BESIDE_TARGET: Final = len("  HTTP/1.1")
"""Bytes of a request's first line beside its method and its target."""

# Blanks without a comma are looked through once, not from each of them on.
TOKENS: Final = re.compile(rb"(?:(?<![\t ])[\t ]+)?,[\t ]*")
"""Splits the value of a header that is a list."""

_HOST: Final = re.compile(rb"(?:\[[\w.~%!$&'()*+,;=:-]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d*)?")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#@]+)((?:/[^?#]*)?(?:\?[^#]*)?)")


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


class BadHead(Exception):
    """A request whose head a parser takes, and that is none all the same.

    Attributes:
        status: What it is answered with.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def checked_target(
    size: int,
    version: bytes,
    method: str,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    values: dict[bytes, bytes],
) -> bytes:
    """Return the path and query that a request is for.

    Args:
        size: That of its first line.
        version: What stands behind its target, with the blank in front.
        method: Its method.
        target: As it was sent. Where it is a URL, its host takes the place of ``Host``.
        headers: Names in lower case.
        values: The same by name.

    Raises:
        BadHead: It is not to be served.

    Source: RFC 9112, sections 3.2, 6.1 and 6.3; RFC 9110, section 10.1.1.
    """
    if version not in (b" HTTP/1.1", b" HTTP/1.0"):
        raise BadHead(400, OTHER_VERSION)
    if size != len(method) + len(target) + BESIDE_TARGET:
        raise BadHead(400, "The request's first line has more than two spaces.")
    if method == "CONNECT":
        raise BadHead(501, "This server is not a proxy.")
    host, count = values.get(b"host"), sum(name == b"host" for name, _ in headers)
    if count > 1 or (host is None and version == b" HTTP/1.1"):
        raise BadHead(400, f"The request has {count} Host headers: expected one.")
    if host is not None and _HOST.fullmatch(host) is None:
        raise BadHead(400, "The request's Host is not a name or address with its port.")
    if b"transfer-encoding" in values:
        _check_coding(version, headers, values[b"transfer-encoding"])
    if b"expect" in values and values[b"expect"].lower() != b"100-continue":
        raise BadHead(417, "The request expects something else than '100-continue'.")
    if (target[:1] == b"/" and b"#" not in target) or (target == b"*" and method == "OPTIONS"):
        return target
    found = _ABSOLUTE.fullmatch(target)
    if found is None or _HOST.fullmatch(found[1]) is None:
        raise BadHead(400, "The request's target is neither a path nor a URL.")
    values[b"host"] = found[1]
    headers[:] = [(b"host", found[1]), *(header for header in headers if header[0] != b"host")]
    return found[2] if found[2][:1] == b"/" else b"/" + found[2]


def _check_coding(version: bytes, headers: list[tuple[bytes, bytes]], coding: bytes) -> None:
    if version == b" HTTP/1.0":
        raise BadHead(400, "A request of HTTP/1.0 has no Transfer-Encoding.")
    if coding.lower() != b"chunked" or sum(name == b"transfer-encoding" for name, _ in headers) > 1:
        raise BadHead(501, "The request's body has a transfer coding other than 'chunked'.")
