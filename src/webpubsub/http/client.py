"""The HTTP/1.1 client: calls over kept connections, and time limits for what is awaited.

::

    HttpPool        request -> an idle connection, the one used last, or a new one -> answer; more calls than
                    there may be connections wait in line (`places.py`)
    Connection      one socket: writes a request and waits for its answer, one at a time
    ResponseReader  bytes, however they are cut -> Response
    Deadlines       time limits, by one timer for all of them

A call enters this module twice, when it is written and when its answer has come; so its four parts stand
together.

**What is sent again.** A server may close a kept connection while a request is on its way to it (RFC 9112,
section 9.5). Such a request is sent again, once, where nobody can have acted on it (section 9.3.1): nothing
of it was written; or the other system has *reset* the connection before any byte of an answer. A system does
so when data comes for a socket that was closed, or when one is closed with data in it that its program has
not read. Where the program has read all the connection ends in order, and the request may have been done. A
request that changes nothing may be sent again in any case.

Source: RFC 9112, sections 6, 7, 9.3.1 and 9.5; RFC 9110, section 15; RFC 9293, section 3.10.7.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from asyncio import current_task, get_running_loop
from collections.abc import Sequence
from io import BytesIO
from types import TracebackType
from typing import Final, cast

import httptools
import msgspec

from webpubsub.http.chunked import BadChunk, ChunkedBody, TooMuchAround
from webpubsub.http.errors import HttpCallError, InvalidAnswer, InvalidCall, NotReached, Unanswered
from webpubsub.http.heads import END, HeadTooLarge, PartialHead
from webpubsub.http.places import Places
from webpubsub.http.urls import Connector, Origin, Url
from webpubsub.model.http import BODILESS, CallBounds, RawHeaders, header_text

IDLE_SECONDS: Final = 15.0
_WITHOUT_LENGTH: Final = {"GET", "HEAD", "OPTIONS"}

# Bytes in a row that bring no body: a head, interim answers, chunk extensions, trailers.
MAX_BYTES_WITHOUT_BODY: Final = 64 * 1024

_UNCODED: Final = (b"", b"identity")


class HttpPool:
    """Sends requests, each over a connection of its own while it lasts.

    Use it from one event loop. Time limits are the caller's: one who is cancelled ends the connection.

    Args:
        max_body: Bytes of an answer's body that are read; of longer ones only a little more than that.
        idle_seconds: How long a connection is kept without use.
        tls: Instead of the system's certificate authorities.
        bounds: How many connections to one origin there may be, and how many calls wait for one.

    Attributes:
        bounds: May be replaced at any time, for the calls that come then.
    """

    def __init__(
        self,
        *,
        max_body: int,
        idle_seconds: float = IDLE_SECONDS,
        tls: ssl.SSLContext | None = None,
        bounds: CallBounds | None = None,
    ) -> None:
        self.bounds = CallBounds() if bounds is None else bounds
        self._max_body = max_body
        self._idle_seconds = idle_seconds
        self._connector = Connector(tls)
        self._connections: set[Connection] = set()
        self._places: dict[Origin, Places[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def request(
        self,
        method: str,
        url: Url,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        may_repeat: bool = False,
    ) -> Response:
        """Send a request and return its answer, whatever its status.

        Args:
            method: In capitals.
            url: Where to.
            headers: Besides ``Host``, ``User-Agent`` and ``Content-Length``; values are sent in UTF-8.
            body: May be empty.
            may_repeat: Send it again, once, when a kept connection ended before the first byte of an answer,
                also where the request may have been read.

        Raises:
            InvalidCall: A header cannot be sent.
            Crowded: Too many calls wait for a connection, or it waited too long.
            NotReached: No connection could be made, or it ended before the answer did.
            InvalidAnswer: What came back is no HTTP answer.
        """
        request = _head(method, url, headers, len(body)) + body
        places = self._at(url.origin)
        found = self._take(places) or await places.enter(self.bounds)
        if found is not None:
            try:
                return await found.exchange(method, request)
            except Unanswered as error:
                if not (may_repeat or error.is_unread):
                    raise
            places = self._at(url.origin)
            found = await places.enter(self.bounds, is_first=True)
        if found is None:
            found = await self._connect(url.origin, places)
        return await found.exchange(method, request)

    async def close(self) -> None:
        """End all connections; a later request opens new ones."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for places in self._places.values():
            places.idle.clear()
            places.close(NotReached("the connections were closed on this side"))
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            await asyncio.wait([connection.closed for connection in self._connections])

    # --- connections ----------------------------------------------------------------------------------

    def _at(self, origin: Origin) -> Places[Connection]:
        places = self._places.get(origin)
        if places is None:
            places = self._places[origin] = Places(origin.authority, self.take_back)
        return places

    def _take(self, places: Places[Connection]) -> Connection | None:
        """Return a kept connection that goes on, as far as is known here."""
        idle = places.idle
        while idle:
            connection = idle.popitem()[0]
            if not connection.is_closing:
                return connection
        return None

    def take_back(self, connection: Connection) -> None:
        """Keep a connection whose answer is complete, or hand it to who waits for one."""
        places = connection.places
        if places.waiting and places.hand_over(connection):
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        places.idle[connection] = None
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._close_idle)

    def discard(self, connection: Connection) -> None:
        """Use a connection no more that ends while nobody waits for it."""
        connection.places.idle.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """Let a connection go that has ended."""
        self.discard(connection)
        if connection in self._connections:  # else whoever makes it leaves its place
            self._connections.discard(connection)
            self._leave(connection.origin, connection.places)

    def _leave(self, origin: Origin, places: Places[Connection]) -> None:
        places.leave()
        if places.is_empty and self._places.get(origin) is places:
            del self._places[origin]

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        latest = loop.time() - self._idle_seconds
        kept = [places.idle for places in self._places.values()]
        for idle in kept:
            while idle and next(iter(idle)).idle_since <= latest:
                idle.popitem(last=False)[0].close()
        oldest = min((next(iter(idle)).idle_since for idle in kept if idle), default=None)
        if oldest is not None:
            self._sweep = loop.call_at(oldest + self._idle_seconds, self._close_idle)

    async def _connect(self, origin: Origin, places: Places[Connection]) -> Connection:
        """Connect in a place that was taken; without a connection it is left."""
        try:
            connection = await self._connector.connect(
                origin, lambda: Connection(self, origin, places, self._max_body)
            )
        except BaseException:
            self._leave(origin, places)
            raise
        # Not from `connection_made` on: who is cancelled right behind that has no connection, of the end of
        # which uvloop says nothing.
        if connection.closed.done():
            self._leave(origin, places)
        else:
            self._connections.add(connection)
        return connection


def _head(method: str, url: Url, headers: Sequence[tuple[str, str]], length: int) -> bytes:
    lines = "\r\n".join(map(": ".join, headers))
    # Only the line ends that were just written: quicker than a look into each value.
    ends = max(len(headers) - 1, 0)
    if lines.count("\n") != ends or lines.count("\r") != ends or "\0" in lines:
        raise InvalidCall("a header has a line end or a zero byte in it")
    if lines:
        lines += "\r\n"
    if url.authorization is not None and not any(name.lower() == "authorization" for name, _ in headers):
        lines += f"Authorization: {url.authorization}\r\n"
    if length or method not in _WITHOUT_LENGTH:
        lines += f"Content-Length: {length}\r\n"
    try:
        return f"{method}{url.head}{lines}\r\n".encode()
    except UnicodeEncodeError:
        raise InvalidCall("a header has a character that has no UTF-8 form") from None


class Connection(asyncio.Protocol):
    """A connection of a pool, to which it goes back after each complete answer.

    Attributes:
        origin: The other end.
        places: Those of the other end, of which it has one.
        idle_since: Loop time of the last answer.
        closed: Done when it has ended.
    """

    __slots__ = (
        "_answer",
        "_is_reset",
        "_loop",
        "_pool",
        "_reader",
        "_transport",
        "closed",
        "idle_since",
        "origin",
        "places",
    )

    def __init__(self, pool: HttpPool, origin: Origin, places: Places[Connection], max_body: int) -> None:
        self.origin = origin
        self.places = places
        self._is_reset = False
        self.idle_since = 0.0
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._reader = ResponseReader(max_body)
        self._answer: asyncio.Future[Response] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    async def exchange(self, method: str, request: bytes) -> Response:
        """Write a request and return its answer; who is cancelled here ends the connection.

        Raises:
            Unanswered: It ended before the first byte of the answer.
            NotReached: It ended before the answer did.
            InvalidAnswer: What came is no HTTP answer.
        """
        if self.is_closing:
            raise Unanswered(f"{self.origin.authority} closed the connection", is_unread=True)
        self._reader.expect(method)
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._answer = answer
        self._transport.write(request)
        try:
            return await answer
        finally:
            if self._answer is answer:  # cancelled: what is still to come would be taken for the next answer
                self._answer = None
                self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Whether it takes no more requests."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection, at once; the other end may have got what it was asked."""
        self._fail(NotReached(f"the connection to {self.origin.authority} was closed on this side"))

    # --- what the transport calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on; the last byte of an answer sets the connection free."""
        if self._answer is None:  # nobody asked
            self._pool.discard(self)
            self._transport.abort()
            return
        try:
            response = self._reader.feed(data)
        except InvalidAnswer as error:
            self._fail(error)
            return
        if response is not None:
            self._complete(response)

    def eof_received(self) -> None:
        """Complete an answer that goes on until here; the transport then closes itself."""
        if self._answer is None:
            self._pool.discard(self)
            return
        self._is_reset = _has_reset(self._transport)
        response = self._reader.end()
        if response is not None:
            self._complete(response)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        self._pool.forget(self)
        self.closed.set_result(None)
        cause = f"{self.origin.authority} closed the connection{f': {error}' if error else ''}"
        if self._reader.has_begun:
            self._fail(NotReached(cause))
        else:
            is_reset = self._is_reset or (isinstance(error, OSError) and error.errno in _RESET)
            self._fail(Unanswered(cause, is_unread=is_reset))

    def _complete(self, response: Response) -> None:
        answer, self._answer = self._answer, None
        # A server may answer before it has the whole request; the rest of it is not for the next answer.
        if self._reader.is_reusable and not self._transport.get_write_buffer_size():
            self._pool.take_back(self)
        else:
            self._transport.abort()
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _fail(self, error: HttpCallError) -> None:
        answer, self._answer = self._answer, None
        self._transport.abort()
        if answer is not None and not answer.done():
            answer.set_exception(error)


_RESET: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


def _has_reset(transport: asyncio.Transport) -> bool:
    """Whether the other system has reset a connection of which the end was read first.

    Where both have come only the system tells: its next error is that of a write to a closed socket.
    """
    found: socket.socket | None = transport.get_extra_info("socket")
    if found is None:
        return False
    try:
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in _RESET
    except OSError:
        return False


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


class ResponseReader:
    """Reads the answers of one connection, one at a time; `expect` one to HEAD, and the one behind it.

    Each head has a parser of its own, which sees nothing of what follows; so the same bytes are the same
    answer, however they are cut.

    Attributes:
        has_begun: Whether any byte of the expected answer has come, and not all of it.
        is_reusable: Whether another request may follow, once an answer is complete.
        is_head: Whether the expected answer has no body, whatever its head says.
    """

    __slots__ = (
        "_body",
        "_chunks",
        "_head_bytes",
        "_headers",
        "_left",
        "_max_body",
        "_parser",
        "_partial",
        "_reason",
        "_size",
        "_status",
        "has_begun",
        "is_head",
        "is_reusable",
    )

    def __init__(self, max_body: int) -> None:
        """Read answers, of longer ones than ``max_body`` bytes only a little more than that."""
        self._max_body = max_body
        self.is_head = False
        self.is_reusable = False
        self._begin()

    def expect(self, method: str) -> None:
        """Prepare for the answer to a request of another method than the one before."""
        self.is_head = method == "HEAD"

    def _begin(self) -> None:
        self.has_begun = False
        self._status = 0  # until the head is complete
        self._head_bytes = 0  # of interim answers
        self._partial: PartialHead | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._chunks: ChunkedBody | None = None
        self._left: int | None = None  # bytes of the body that are to come; None: until the end, or in chunks
        self._body = BytesIO()  # one block: it may come as millions of pieces
        self._size = 0

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; return the answer once it is complete.

        Raises:
            InvalidAnswer: It is none, has a content coding, or its head is too long.
        """
        if not self.has_begun:
            response = self._read_whole(data)
            if response is not None:
                return response
            self.has_begun = True
        while data:
            rest = self._read_body(data) if self._status else self._read_head(data)
            if rest is not None:
                data = rest
                if self._status and self._left == 0:
                    return self._complete(is_all=not rest)
            elif self._size > self._max_body:
                return self._complete(is_all=False)
            else:
                return None
        return None

    def end(self) -> Response | None:
        """Return the answer whose body goes on until the connection ends; None if it is cut off."""
        if self._status and self._left is None and self._chunks is None:
            return self._complete(is_all=False)
        return None

    def _read_whole(self, data: bytes) -> Response | None:
        """Return the answer when ``data`` is one that says its length, as nearly all that comes is.

        Otherwise nothing was taken, and the longer way says what it is.
        """
        stop = data.find(END) + 4
        if self.is_head or not 4 <= stop <= MAX_BYTES_WITHOUT_BODY:
            return None
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data[:stop])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            pass
        else:
            status, headers, body = self._parser.get_status_code(), self._headers, data[stop:]
            values = dict(headers)
            length = values.get(b"content-length")
            if (
                length is not None
                and int(length) == len(body) <= self._max_body
                and status >= 200
                and status not in BODILESS
                and b"content-encoding" not in values
            ):
                response = Response(status, headers, body, self._reason)
                self._headers, self._reason = [], b""
                return response
        self._headers, self._reason = [], b""
        return None

    def _read_head(self, data: bytes) -> bytes | None:
        """Take what is of a head; return what follows it, or None when it is not complete."""
        try:
            stop = 0 if self._partial is not None else data.find(END) + 4
            if 4 <= stop <= MAX_BYTES_WITHOUT_BODY - self._head_bytes:
                head, rest = data[:stop], data[stop:]
            else:
                found = self._read_part(data)
                if found is None:
                    return None
                head, rest = found
            self._parser = httptools.HttpResponseParser(self)
            self._parser.feed_data(head)
        except HeadTooLarge:
            raise _too_much() from None
        except httptools.HttpParserError as error:
            raise InvalidAnswer(f"the answer is not HTTP: {error}") from error
        except httptools.HttpParserUpgrade as error:
            raise InvalidAnswer("the answer is not HTTP: it changes the protocol") from error
        self._partial = None
        self._use_head(self._parser.get_status_code(), len(head))
        return rest

    def _read_part(self, data: bytes) -> tuple[bytes, bytes] | None:
        if self._partial is None:
            room = MAX_BYTES_WITHOUT_BODY - self._head_bytes
            self._partial = PartialHead(httptools.HttpResponseParser, room)
        return self._partial.feed(data)

    def _use_head(self, status: int, size: int) -> None:
        if status < 200:  # an interim answer
            self._head_bytes += size
            self._headers, self._reason = [], b""
            return
        self._status = status
        values = dict(self._headers)
        if status < 300 and b"content-encoding" in values:
            self._check_coding()
        if self.is_head or status in BODILESS:
            self._left = 0
        elif b"transfer-encoding" in values:
            self._use_coding(values[b"transfer-encoding"])
        elif b"content-length" in values:
            self._left = int(values[b"content-length"])

    def _use_coding(self, coding: bytes) -> None:
        if coding.strip().lower() != b"chunked":
            raise InvalidAnswer(
                f"the answer has the transfer coding {header_text(coding)!r}: expected 'chunked'"
            )
        self._chunks = ChunkedBody(MAX_BYTES_WITHOUT_BODY)

    def _read_body(self, data: bytes) -> bytes | None:
        """Take what is of the body; return what follows it, or None when it is not complete."""
        if self._chunks is not None:
            try:
                rest = self._chunks.feed(data, self._take)
            except BadChunk as error:
                raise InvalidAnswer(f"the answer is not HTTP: {error}") from error
            except TooMuchAround:
                raise _too_much() from None
            if rest is not None:
                self._left = 0
            return rest
        if self._left is None:
            self._take(data)
            return None
        piece, rest = data[: self._left], data[self._left :]
        self._take(piece)
        self._left -= len(piece)
        return None if self._left else rest

    def _take(self, piece: bytes) -> None:
        """Keep a part of the body, unless it is too much already."""
        if self._size <= self._max_body:
            self._size += self._body.write(piece)

    def _complete(self, *, is_all: bool) -> Response:
        """Return the answer; where not ``is_all`` was taken, nothing else may be asked."""
        if not is_all:
            self.is_reusable = False
        response = Response(self._status, self._headers, self._body.getvalue(), self._reason)
        self._begin()
        return response

    def _check_coding(self) -> None:
        for name, value in self._headers:
            if name == b"content-encoding" and value.strip().lower() not in _UNCODED:
                raise InvalidAnswer(
                    f"the answer has the content coding {header_text(value)!r}, which was not asked for"
                )

    # --- what the parser calls ------------------------------------------------------------------------

    def on_status(self, reason: bytes) -> None:
        """Keep a part of the reason."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Ask what the parser forgets with the head."""
        self.is_reusable = self._parser.should_keep_alive()


def _too_much() -> InvalidAnswer:
    return InvalidAnswer(f"the answer has over {MAX_BYTES_WITHOUT_BODY} bytes in a row without body")


class Deadlines:
    """Gives pieces of work so much time, as `asyncio.timeout` does.

    That costs a timer each. All deadlines here share one: it waits for the first of them, and then for the
    first of those that are left.

    Use it from one event loop.

    Attributes:
        open: Those that have not passed.
        fires_at: Loop time at which the timer fires.

    Example::

        with deadlines.within(100.0):
            await answer
    """

    def __init__(self) -> None:
        self.open: dict[_Deadline, None] = {}
        self.fires_at = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> _Deadline:
        """Cancel the ``with`` block when it takes longer, which then raises `TimeoutError`."""
        return _Deadline(self, seconds)

    def _fire(self) -> None:
        loop = get_running_loop()
        now = loop.time()
        for deadline in [found for found in self.open if found.when <= now]:
            del self.open[deadline]
            deadline.expire()
        self.fires_at = min((deadline.when for deadline in self.open), default=float("inf"))
        self._timer = loop.call_at(self.fires_at, self._fire) if self.open else None

    def wait_for(self, deadline: _Deadline, loop: asyncio.AbstractEventLoop) -> None:
        """Let the timer fire for a deadline that comes before all others."""
        if self._timer is not None:
            self._timer.cancel()
        self.fires_at = deadline.when
        self._timer = loop.call_at(deadline.when, self._fire)


class _Deadline:
    __slots__ = ("_cancelling", "_expired", "_of", "_seconds", "_task", "when")

    def __init__(self, of: Deadlines, seconds: float) -> None:
        self._of = of
        self._seconds = seconds

    def __enter__(self) -> None:
        loop, of = get_running_loop(), self._of
        task = current_task(loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self.when = loop.time() + self._seconds
        of.open[self] = None
        if self.when < of.fires_at:
            of.wait_for(self, loop)

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._expired:
            del self._of.open[self]
        # As in asyncio.timeout: who was cancelled by somebody else, too, stays cancelled.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
