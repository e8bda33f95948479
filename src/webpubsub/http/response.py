"""Answers: from the bytes of a connection, however they are cut, to a `Response`.

Source: RFC 9112, sections 6 and 7; RFC 9110, section 15.
"""

from __future__ import annotations

from typing import Final

import httptools
import msgspec

from webpubsub.http.errors import InvalidAnswer
from webpubsub.model.http import RawHeaders, header_text

# Bytes in a row that bring no body: a head, interim answers, chunk extensions, trailers.
MAX_BYTES_WITHOUT_BODY: Final = 64 * 1024

_UNCODED: Final = (b"", b"identity")


class Response(msgspec.Struct, frozen=True):
    """An answer.

    Attributes:
        status: HTTP status, 200 to 999.
        headers: All header lines; names in lower case.
        body: All of it; or, where it is longer than the pool's limit, a little more than that.
        reason: The words after the status; may be empty.
    """

    status: int
    headers: RawHeaders = ()
    body: bytes = b""
    reason: bytes = b""

    def all(self, name: bytes) -> list[str]:
        """Return the values of a header, one a line; ``name`` in lower case."""
        return [header_text(value.strip()) for found, value in self.headers if found == name]

    def last(self, name: bytes) -> str | None:
        """Return the value of a header's last line."""
        for found, value in reversed(self.headers):
            if found == name:
                return header_text(value.strip())
        return None


class _Enough(Exception):
    """Stops the parser: what follows is not wanted."""


class ResponseReader:
    """Reads the answers of one connection, one at a time; `expect` one to HEAD, and the one behind it.

    Attributes:
        has_begun: Whether any byte of the expected answer has come, and not all of it.
        is_reusable: Whether another request may follow, once an answer is complete.
        is_head: Whether the expected answer has no body, whatever its head says.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_max_body",
        "_parser",
        "_problem",
        "_reason",
        "_response",
        "_size",
        "_status",
        "_without_body",
        "has_begun",
        "is_head",
        "is_reusable",
    )

    def __init__(self, max_body: int) -> None:
        """Read answers, of longer ones than ``max_body`` bytes only a little more than that."""
        self._max_body = max_body
        self._parser = httptools.HttpResponseParser(self)
        self.is_head = False
        self.is_reusable = False
        self._begin()

    def expect(self, method: str) -> None:
        """Prepare for the answer to a request of another method than the one before."""
        if self.is_head:  # the parser waits for the body that the last answer only described
            self._parser = httptools.HttpResponseParser(self)
        self.is_head = method == "HEAD"
        self._begin()

    def _begin(self) -> None:
        self._response: Response | None = None
        self._problem: str | None = None
        self._without_body = self._status = 0
        self.has_begun = False

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; return the answer once it is complete.

        Raises:
            InvalidAnswer: It is none, has a content coding, or its head is too long.
        """
        self.has_begun = True
        self._without_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.is_reusable = False
            if self._response is None:
                raise InvalidAnswer(self._problem or f"the answer is not HTTP: {_why(error)}") from error
        if self._response is None and self._without_body > MAX_BYTES_WITHOUT_BODY:
            raise InvalidAnswer(f"the answer has over {MAX_BYTES_WITHOUT_BODY} bytes in a row without body")
        response = self._response
        if response is not None:
            self._begin()
        return response

    def end(self) -> Response | None:
        """Return the answer whose body goes on until the connection ends; None if it is cut off."""
        names = dict(self._headers) if self._status else {}
        is_chunked = names.get(b"transfer-encoding", b"").strip().lower().endswith(b"chunked")
        if self._status and b"content-length" not in names and not is_chunked:
            self._complete()
        return self._response

    # --- what the parser calls ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Forget an interim answer."""
        if self._response is not None:  # more than was asked for
            raise _Enough
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._reason = b""
        self._size = 0

    def on_status(self, reason: bytes) -> None:
        """Keep a part of the reason."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # else it is a trailer
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Skip the head of an interim answer (1xx); the answer to HEAD is complete here."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._status = status
        if status < 300:
            self._check_coding()
        if self.is_head:
            self._complete()

    def on_body(self, piece: bytes) -> None:
        """Keep a part of the body, unless it is too much."""
        if self._response is not None:  # a body where none may be
            raise _Enough
        self._without_body = 0
        self._body.append(piece)
        self._size += len(piece)
        if self._size > self._max_body:
            self._complete()
            raise _Enough

    def on_message_complete(self) -> None:
        """Complete the answer, unless it was an interim one."""
        if self._status and self._response is None:
            self._complete()

    def _complete(self) -> None:
        self.is_reusable = self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._response = Response(self._status, self._headers, body, self._reason)

    def _check_coding(self) -> None:
        for name, value in self._headers:
            if name == b"content-encoding" and value.strip().lower() not in _UNCODED:
                self._problem = (
                    f"the answer has the content coding {header_text(value)!r}, which was not asked for"
                )
                raise _Enough


def _why(error: Exception) -> str:
    return "it changes the protocol" if isinstance(error, httptools.HttpParserUpgrade) else str(error)
