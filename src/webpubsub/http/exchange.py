"""One request of an ASGI application, as the server sees it: a body in, an answer out, both piece by piece.

::

    http.response.start -> http.response.body, more and more -> (http.response.trailers) -> complete
                        ^ kept until the first piece of the body, so that both are one write

What an application says of the framing is the server's business: its lengths are checked, its
``transfer-encoding`` and ``connection`` are read and written anew.

Source: ASGI 3.0, "HTTP Connection Scope"; RFC 9112, sections 6 and 7.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import unquote

from webpubsub.model.http import BODILESS, RequestHead

Message = MutableMapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE_LINE: Final = b"connection: close\r\n"
# Bytes of a body that wait for their application; then no more are read.
HIGH_WATER: Final = 64 * 1024

STATUS_LINES: Final = {status: b"HTTP/1.1 %d \r\n" % status for status in range(200, 600)} | {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())
    for status in HTTPStatus
    if status >= 200
}
_NO_NAME: Final = re.compile(rb'[\x00-\x20\x7f-\xff()<>@,;:\[\]={}\\"/?]|^$')
_NO_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
_TRAILERS: Final = "http.response.trailers"
_NOTHING: Final = "nothing more"
_GONE: Final = {"type": "http.disconnect"}


@lru_cache(maxsize=256)  # answers mostly have the same headers; states may be 64 KiB
def header_line(name: bytes, value: bytes) -> bytes:
    """Return the line of a header.

    Raises:
        ValueError: It has characters that cannot be sent.
    """
    if _NO_NAME.search(name) or _NO_VALUE.search(value):
        raise ValueError(f"{name!r}: {value!r} is no HTTP header: it has characters that cannot be sent")
    return b"%b: %b\r\n" % (name.lower(), value)


class Wire(Protocol):
    """The connection below an exchange."""

    is_write_paused: bool
    """Whether the client does not read."""

    keeps_alive: bool
    """Whether another request may follow; known once the answer has begun."""

    @property
    def date_line(self) -> bytes:
        """The header of the time."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    async def drained(self) -> None:
        """Return when the client reads again, or is gone."""
        ...

    def read_on(self) -> None:
        """Read more of the body."""
        ...

    def closes_after(self) -> bool:
        """Whether the connection ends with the answer that begins now."""
        ...

    def complete(self, *, is_cut_off: bool = False) -> None:
        """The answer is complete, or will never be."""
        ...

    def fail(self, problem: str, error: BaseException | None) -> None:
        """Tell the trace, and answer with 500."""
        ...

    def tell(self, problem: str, error: BaseException | None = None) -> None:
        """Tell the trace."""
        ...


class AsgiExchange:
    """One request and its answer.

    Attributes:
        buffered: Bytes of the body that wait for the application.
        has_started: Something of the answer is written.
        held: Bytes of the body that count as held until the application has returned.
        is_over: The answer is complete, or the client is gone.
    """

    __slots__ = (
        "_expects",
        "_has_trailers",
        "_is_chunked",
        "_is_head",
        "_is_last",
        "_is_unframed",
        "_left",
        "_more",
        "_news",
        "_next",
        "_pieces",
        "_scope",
        "_start",
        "_takes_trailers",
        "_trailers",
        "_wire",
        "buffered",
        "has_started",
        "held",
        "is_over",
    )

    def __init__(self, wire: Wire, scope: Message, *, has_body: bool, expects: bool, trailers: bool) -> None:
        """Begin.

        Args:
            wire: The connection.
            scope: ASGI's scope of the request.
            has_body: Whether pieces of a body come, by `take`.
            expects: Whether the client waits for 100 before it sends them.
            trailers: Whether it takes trailers behind the answer.
        """
        self._wire = wire
        self._scope = scope
        self._is_head = scope["method"] == "HEAD"
        self._more = has_body
        self._expects = expects
        self._takes_trailers = trailers
        self._has_trailers = False  # the application sends some, whether the client takes them or not
        self._trailers = b""
        self._pieces: list[bytes] = []
        self._is_last = False  # the application has the end of the body
        self._news: asyncio.Event | None = None
        self._next = _START
        self._start: Message = {}
        self._left: int | None = None  # of the length that the application has said
        self._is_chunked = False
        self._is_unframed = False  # the answer goes on until the connection ends
        self.buffered = self.held = 0
        self.has_started = False
        self.is_over = False

    async def run(self, application: Application) -> None:
        """Let the application answer, whatever it does."""
        try:
            await application(self._scope, self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 - told with its traceback
            self._give_up("the application raised an exception", error)
        else:
            if not self.is_over:
                self._give_up("the application returned before its answer was complete")

    def _give_up(self, problem: str, error: BaseException | None = None) -> None:
        if self.is_over:
            if error is not None:
                self._wire.tell(problem, error)
        elif self.has_started:
            self._wire.tell(problem, error)
            self.is_over = True
            self._wire.complete(is_cut_off=True)
        else:
            self.is_over = True
            self._wire.fail(problem, error)

    # --- what the connection tells --------------------------------------------------------------------

    def take(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        self._expects = False  # who sends has not waited
        if not self.is_over:
            self._pieces.append(piece)
            self.buffered += len(piece)
            self._tell()

    def end_body(self) -> None:
        """The body is complete."""
        self._expects = self._more = False
        self._tell()

    def disconnect(self) -> None:
        """The client is gone, or will not be answered."""
        self.is_over = True
        self._pieces.clear()
        self._tell()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    # --- what the application calls -------------------------------------------------------------------

    async def _receive(self) -> Message:
        if self._more and not self._pieces and not self.is_over:
            self._wire.read_on()
            if self._expects and not self.has_started:
                self._wire.write(CONTINUE)
            self._expects = False
        while not (self._pieces or self.is_over or (not self._more and not self._is_last)):
            if self._news is None:
                self._news = asyncio.Event()
            self._news.clear()
            await self._news.wait()
        if self.is_over and not self._pieces:
            return dict(_GONE)
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.buffered = 0
        self._is_last = not self._more
        if self._more:
            self._wire.read_on()
        return {"type": "http.request", "body": body, "more_body": self._more}

    async def _send(self, message: Message) -> None:
        if self.is_over and self._next != _NOTHING:
            return  # nobody reads it
        kind = message["type"]
        if kind != self._next:
            raise RuntimeError(f"the application sent {kind!r}: expected {self._next!r}")
        if kind == _START:
            self._begin(message)
            return
        if self._wire.is_write_paused:
            await self._wire.drained()
            if self.is_over:
                return
        if kind == _BODY:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._send_trailers(message)

    def _begin(self, message: Message) -> None:
        if message["status"] not in STATUS_LINES:
            raise RuntimeError(f"the application answered with {message['status']!r}: expected 200 to 599")
        self._start = message
        self._next = _BODY

    def _send_body(self, body: bytes, *, more: bool) -> None:
        data = b"" if self.has_started else self._head(len(body), more=more)
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more and not self._is_head):
                raise RuntimeError("the answer's body is not of the length that its head says")
        if self._is_chunked:
            data += b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data += b"" if more or self._has_trailers else b"0\r\n\r\n"
        elif self._left is not None or self._is_unframed:
            data += b"" if self._is_head else body
        self.has_started = True
        self._wire.write(data)
        if not more and self._has_trailers:
            self._next = _TRAILERS
        elif not more:
            self._end()

    def _send_trailers(self, message: Message) -> None:
        self._trailers += b"".join(header_line(name, value) for name, value in message.get("headers", ()))
        if not message.get("more_trailers", False):
            if self._is_chunked:
                self._wire.write(b"0\r\n%b\r\n" % self._trailers)
            self._end()

    def _end(self) -> None:
        self._next = _NOTHING
        self.is_over = True
        self._pieces.clear()
        self._tell()
        self._wire.complete(is_cut_off=self._is_unframed)

    def _head(self, size: int, *, more: bool) -> bytes:
        """Return the head of the answer, and decide how its body is framed.

        Raises:
            ValueError: A header cannot be sent.
        """
        status: int = self._start["status"]
        is_bare, closes = status in BODILESS, self._wire.closes_after()
        length, lines, date_line = None, [], self._wire.date_line
        for raw_name, raw_value in self._start.get("headers", ()):
            name, value = bytes(raw_name).lower(), bytes(raw_value)
            if name == b"content-length":
                length = _length(value)
            elif name == b"connection":
                closes = closes or b"close" in value.lower()
            elif name != b"transfer-encoding":
                lines.append(header_line(name, value))
                date_line = b"" if name == b"date" else date_line
        self._has_trailers = bool(self._start.get("trailers"))
        has_trailers = self._has_trailers and self._takes_trailers
        self._start = {}
        if is_bare:
            pass
        elif length is not None and (self._is_head or not has_trailers):
            lines.append(b"content-length: %d\r\n" % length)
            self._left = length
        elif self._is_head:
            pass
        elif self._scope["http_version"] == "1.1" and (more or has_trailers):
            lines.append(b"transfer-encoding: chunked\r\n")
            self._is_chunked = True
        elif more:
            self._is_unframed = closes = True
        else:
            lines.append(b"content-length: %d\r\n" % size)
            self._left = size
        if closes:
            lines.append(CLOSE_LINE)
            self._wire.keeps_alive = False
        return b"".join((STATUS_LINES[status], date_line, *lines, b"\r\n"))


def _length(value: bytes) -> int:
    if not value.isdigit():
        raise ValueError(f"content-length {value!r}: expected a number")
    return int(value)


class Facts(Protocol):
    """What a server knows of itself."""

    scheme: str
    state: dict[str, Any]


def build_scope(
    head: RequestHead, version: str, server: Facts, transport: asyncio.BaseTransport
) -> dict[str, Any]:
    """Return what an application is told of a request before its body."""
    path, _, query = head.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "method": head.method,
        "scheme": server.scheme,
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": head.headers,
        "client": _address(transport.get_extra_info("peername")),
        "server": _address(transport.get_extra_info("sockname")),
        "state": server.state.copy(),
        "extensions": {"http.response.trailers": {}},
    }


def _address(found: Any) -> tuple[str, int] | None:
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
