"""The HTTP/1.1 server protocol: one class for hot requests, ASGI applications and upgrades.

::

    bytes -> head -> who answers it -> body -> answer -> the next head
                     |      |     `--- an upgrade: the socket goes to the protocol of WebSockets
                     |      `--------- ASGI: `exchange.py`, which streams both ways
                     `---------------- the fast lane: at once, or a task

A connection does one thing after the other. A head is looked for by its end, and only then given to a parser
of its own: so no parser ever stops in the middle of what came, and nothing that stands behind a head can be
taken for something else. Of a request that waits behind another nothing is read before that is answered. Each
limit counts bytes, not pieces: the same bytes get the same answer, however they are cut.

One clock serves all connections of a server. Each says until when it waits; once a second the server
looks whose time is over.

Who may end what::

    the client     by leaving, by ``Connection: close``
    the clock      a head or a body that does not come in time (408), an idle connection, an answer not read
    the parser     what is no HTTP (400)
    the bounds     heads that are too large (431), bodies that hold too much altogether (503)
    the door       who may not come in (421, 403)
    the server     as it stops: at once where nothing is under way, else behind the answer

Where more may come that is not wanted, the connection is closed for writing first, and what comes is thrown
away for some seconds: else the client's system could lose the answer over its own unread bytes.

Source: RFC 9112; RFC 9110, sections 7.8, 10.1.1 and 15.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from email.utils import formatdate
from functools import partial
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools

from webpubsub.http.chunked import BadChunk, ChunkedBody, TooMuchAround
from webpubsub.http.door import Door
from webpubsub.http.exchange import (
    CLOSE_LINE,
    CONTINUE,
    HIGH_WATER,
    STATUS_LINES,
    Application,
    AsgiExchange,
    header_line,
)
from webpubsub.model.http import (
    BODILESS,
    FastLane,
    HttpAnswer,
    HttpBounds,
    LaneHandler,
    RequestHead,
)
from webpubsub.model.trace import SILENT, Name, Phase, Trace

CLOSE_SECONDS: Final = 5.0  # for a client to close its side, too, as a WebSocket's has
BODY_RATE: Final = 10_000  # bytes a second, below which a body is too slow
# A larger body goes by ASGI, where whoever reads it sets the pace.
MAX_LANE_BYTES: Final = 1024 * 1024
# So much of a body that nobody wants is read, so that the connection can be kept.
MAX_UNWANTED: Final = 64 * 1024

WebSockets = Callable[[RequestHead, "set[Any]"], asyncio.Protocol]
"""Makes the protocol that goes on with an upgraded socket. It is told of the request, and of the set of open
sockets, in which it stands from ``connection_made`` until its end; as the server stops, its ``shutdown`` is
called."""

_FOREVER: Final = float("inf")
_END: Final = b"\r\n\r\n"
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_FAILED: Final = HttpAnswer(500, (_TEXT,), b"Internal Server Error")
_HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#@]+)((?:/[^?#]*)?(?:\?[^#]*)?)")
_TOKENS: Final = re.compile(rb"[\t ]*,[\t ]*")


class HttpServer:
    """What the connections of one server share: who answers, what is allowed, and the clock.

    Attributes:
        app: The ASGI application.
        lane: Its short way for hot requests, or None.
        web_sockets: Goes on with upgraded sockets, or None: then nobody may upgrade.
        trace: Is told of requests that no application answers.
        bounds: What is taken of requests.
        door: Says which requests may come in, or None: then all.
        scheme: ``http`` or ``https``.
        state: What the application's lifespan has left for its requests.
        connections: Those that are open, upgraded ones left out.
        open_sockets: The upgraded ones.
        tasks: Answers under way.
        held: Bytes of bodies of the requests under way.
        now: Loop time, as of the last tick.
        date_line: The header of the time.
        is_stopping: No further request is taken on a connection.
    """

    def __init__(
        self,
        app: Application,
        *,
        lane: FastLane | None = None,
        web_sockets: WebSockets | None = None,
        trace: Trace = SILENT,
        bounds: HttpBounds | None = None,
        door: Door | None = None,
    ) -> None:
        self.app = app
        self.lane = lane
        self.web_sockets = web_sockets
        self.trace = trace
        self.bounds = HttpBounds() if bounds is None else bounds
        self.door = door
        self.scheme = "http"
        self.state: dict[str, Any] = {}
        self.connections: set[HttpConnection] = set()
        self.open_sockets: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.held = 0
        self.now = 0.0
        self.date_line = b""
        self.is_stopping = False
        self._server: asyncio.Server | None = None
        self._clock: asyncio.TimerHandle | None = None

    async def start(self, listener: Any, tls: ssl.SSLContext | None = None) -> None:
        """Take requests from now on.

        Args:
            listener: A socket that listens; it is closed when the server stops.
            tls: With the certificate it shows, or None: then it speaks plain HTTP.
        """
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if tls is not None:
            self.scheme = "https"
            # Without the last, a client that is gone without a word would hold up the stop for half a minute.
            options = {
                "ssl": tls,
                "ssl_handshake_timeout": self.bounds.head_timeout,
                "ssl_shutdown_timeout": CLOSE_SECONDS,
            }
        self._go_on(loop)
        self._server = await loop.create_server(partial(HttpConnection, self), sock=listener, **options)

    async def stop(self, seconds: float) -> None:
        """Take no more requests, give those under way some seconds to finish, close every connection."""
        if self._server is not None:
            self._server.close()
        self.is_stopping = True
        for connection in list(self.connections):
            connection.shutdown()
        for socket in list(self.open_sockets):
            socket.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (self.connections or self.open_sockets or self.tasks) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # who is here leaves by many ways, of which none is hot then
        for task in list(self.tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=1)
        if self._clock is not None:
            self._clock.cancel()

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tick(loop.time(), time.time())
        self._clock = loop.call_later(1, self._go_on, loop)

    def tick(self, now: float, date: float) -> None:
        """Look whose time is over.

        Args:
            now: Seconds on the clock of time limits.
            date: Seconds since the epoch.
        """
        self.now = now
        self.date_line = b"date: %b\r\n" % formatdate(date, usegmt=True).encode()
        for connection in [each for each in self.connections if each.due <= now]:
            connection.on_time()

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work on an answer beside other requests; the server waits for that when it stops."""
        # (A task of Python 3.12 that starts eagerly costs as much: measured with 3.13.)
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        return task


class HttpConnection(asyncio.Protocol):
    """One connection, until it ends or becomes a WebSocket.

    Attributes:
        due: Until when something has to happen, by the server's clock.
        keeps_alive: Whether another request may follow the one under way.
        is_write_paused: Whether the client does not read.
    """

    __slots__ = (
        "_answering",
        "_behind",
        "_blank",
        "_body",
        "_body_at",
        "_body_from",
        "_drained",
        "_exchange",
        "_expects",
        "_handler",
        "_has_begun",
        "_headers",
        "_held",
        "_host",
        "_is_head",
        "_is_over",
        "_is_read_paused",
        "_is_whole",
        "_parser",
        "_pending",
        "_pieces",
        "_received",
        "_scout",
        "_server",
        "_target",
        "_transport",
        "_unsent",
        "due",
        "is_write_paused",
        "keeps_alive",
    )

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.due = server.now + server.bounds.head_timeout
        self.keeps_alive = True
        # The head that is read.
        self._has_begun = False  # any byte of the connection has come
        self._blank = 0  # bytes of empty lines before it
        self._pending = bytearray()  # what has come of it, while it is incomplete
        self._scout: httptools.HttpRequestParser | None = None  # tells early that it is none
        self._parser: httptools.HttpRequestParser | None = None  # of a whole head
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_whole = False
        self._host = b""  # the last one that was found to be all right
        # The body that is read: how much is still to come, or its chunks; None when there is none.
        self._body: int | ChunkedBody | None = None
        self._body_from = self._body_at = 0.0
        self._received = 0
        self._pieces: list[bytes] = []  # for the lane
        self._held = 0
        self._is_read_paused = False
        self._behind = b""  # what came behind a request that is not answered yet
        # The request that is answered.
        self._answering = False
        self._is_head = False
        self._expects = False
        self._handler: LaneHandler | None = None
        self._exchange: AsgiExchange | None = None
        # The end.
        self._is_over = False  # nothing that comes is looked at any more
        self.is_write_paused = False
        self._drained: asyncio.Event | None = None
        self._unsent = 0

    # --- what the transport calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Read on, as far as it is the time."""
        while data and not self._is_over:
            if self._body is not None:
                data = self._read_body(data)
            elif self._answering:
                self._behind += data
                self._transport.pause_reading()
                return
            else:
                data = self._read_head(data)

    def eof_received(self) -> bool:
        """Close our side, too."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who works on an answer; that may go on."""
        self._is_over = True
        self._server.connections.discard(self)
        self._let_go()
        self._behind = b""
        if self._exchange is not None:
            self._exchange.disconnect()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Begin no more answers in the lane; the client does not read."""
        self.is_write_paused = True
        self._unsent = self._transport.get_write_buffer_size()
        if self._answering:
            self.due = self._server.now + self._server.bounds.idle_timeout

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self._answering and self._body is None:
            self.due = _FOREVER
        if self._drained is not None:
            self._drained.set()

    # --- requests -------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> bytes:
        """Take what is of a head; return what follows."""
        if not self._pending:
            if data[0] in b"\r\n":  # RFC 9112, section 2.2: empty lines in front are ignored
                return self._skip_blank(data)
            stop = data.find(_END) + 4
            if 4 <= stop <= self._server.bounds.max_head_bytes:
                return self._begin(data[:stop], data[stop:])
        return self._read_part_of_head(data)

    def _skip_blank(self, data: bytes) -> bytes:
        rest = data.lstrip(b"\r\n")
        self._blank += len(data) - len(rest)
        if self._blank > self._server.bounds.max_head_bytes:
            self._refuse_large("head")
        elif not rest:
            self._await_head()
        return rest

    def _read_part_of_head(self, data: bytes) -> bytes:
        """Take a part of a head that came in several, or is too large.

        A parser that nobody listens to says whether it can still become one: who speaks TLS here, or anything
        else, is told so at once.
        """
        pending, limit = self._pending, self._server.bounds.max_head_bytes
        start = len(pending)
        room = limit - start
        pending += data[:room]
        stop = pending.find(_END, max(0, start - 3)) + 4
        if stop >= 4:
            head, self._pending, self._scout = bytes(pending[:stop]), bytearray(), None
            return self._begin(head, data[stop - start :])
        if self._scout is None:
            self._scout = httptools.HttpRequestParser(_NOBODY)
        try:
            self._scout.feed_data(bytes(pending[start:]))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(400, f"The request is not HTTP/1.1: {_why(error)}")
            return b""
        if len(data) > room:
            self._refuse_large("head")
        else:
            self._await_head()
        return b""

    def _await_head(self) -> None:
        if not self._has_begun:  # each further byte buys no time
            self._has_begun = True
            self.due = min(self.due, self._server.now + self._server.bounds.head_timeout)

    # What the parser calls.

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # Blanks behind it are no part of a value (RFC 9112, section 5.1).
        self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        """Ask what the parser forgets with the head."""
        assert self._parser is not None
        self.keeps_alive = self._parser.should_keep_alive()
        self._is_whole = True

    def _begin(self, head: bytes, rest: bytes) -> bytes:
        """Find out who answers the request of a whole head; return what follows it."""
        server = self._server
        self._target, self._headers, self._is_whole, self._blank = b"", [], False, 0
        self._parser = parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # what is asked for is decided below; this parser sees nothing more anyway
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {_why(error)}")
            return b""
        self._parser = None
        headers = self._headers
        values = dict(headers)
        end = head.find(b"\r")
        version = head[end - 9 : end]
        is_newest = version == b" HTTP/1.1"
        method = parser.get_method().decode()
        chunked = b"transfer-encoding" in values
        self._expects = is_newest and b"expect" in values
        if not (  # what nearly all requests are
            is_newest
            and values.get(b"host") == self._host
            and len(values) == len(headers)
            and self._target[:1] == b"/"
            and b"#" not in self._target
            and not (chunked or self._expects)
        ):
            problem = self._problem(version, method, values)
            if problem is not None:
                self._refuse(*problem)
                return b""
        door = server.door
        if door is not None and (b"origin" in values or values.get(b"host") not in door.known):
            problem = door.refusal(RequestHead(method, self._target, self._headers))
            if problem is not None:
                self._refuse(*problem)
                return b""
        if not is_newest or server.is_stopping:
            self.keeps_alive = False
        self._is_head = method == "HEAD"
        self._answering = True
        self.due = _FOREVER
        length = values.get(b"content-length")
        if b"upgrade" in values and server.web_sockets is not None and _asks_for_web_socket(method, values):
            if is_newest and not chunked and not (length and int(length)):
                self._upgrade(method, rest)
            else:
                self._refuse(400, "A WebSocket begins with a GET of HTTP/1.1 that has no body.")
            return b""
        left = 0
        if chunked:
            self._body = ChunkedBody(server.bounds.max_head_bytes)
        elif length is not None:
            left = int(length)
        self._handler = None
        if server.lane is not None and not chunked and left <= MAX_LANE_BYTES and not self.is_write_paused:
            try:
                found = server.lane.open(method, self._target, headers)
            except Exception as error:  # noqa: BLE001 - told; ASGI may do better
                self.tell("the fast lane raised an exception", error)
            else:
                if isinstance(found, HttpAnswer):
                    return self._answer_unread(found, left, rest)
                self._handler = found
        if self._handler is not None and left <= len(rest):
            self._ask(self._handler, rest[:left] if left < len(rest) else rest)
            return rest[left:]
        if left or chunked:
            self._await_body(left or None)
        if self._handler is None:
            self._start_exchange(method, b"1.1" if is_newest else b"1.0", values)
        elif self._expects and not rest:
            self._expects = False
            self.write(CONTINUE)
        return rest

    def _problem(self, version: bytes, method: str, values: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Return status and words for a head that the parser has taken, and that is none all the same."""
        if not self._is_whole or version not in (b" HTTP/1.1", b" HTTP/1.0"):
            return 400, "The request is of another version than HTTP/1.1 and HTTP/1.0."
        host = values.get(b"host")
        if host != self._host or len(values) != len(self._headers):
            count = sum(name == b"host" for name, _ in self._headers)
            if count > 1 or (host is None and version == b" HTTP/1.1"):
                return 400, f"The request has {count} Host headers: expected one."
            if host is not None and _HOST.fullmatch(host) is None:
                return 400, "The request's Host is not a name or address with its port."
            self._host = host or b""
        coding = values.get(b"transfer-encoding")
        if coding is not None:
            if version == b" HTTP/1.0":
                return 400, "A request of HTTP/1.0 has no Transfer-Encoding."
            if (
                coding.lower() != b"chunked"
                or sum(name == b"transfer-encoding" for name, _ in self._headers) > 1
            ):
                return 501, "The request's body has a transfer coding other than 'chunked'."
        if b"expect" in values and values[b"expect"].lower() != b"100-continue":
            return 417, "The request expects something else than '100-continue'."
        if self._target[:1] == b"/" and b"#" not in self._target:
            return None
        return self._other_target(method, values)

    def _other_target(self, method: str, values: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Take a target that is no path (RFC 9112, sections 3.2.2 to 3.2.4)."""
        if method == "CONNECT":
            return 501, "This server is not a proxy."
        if self._target == b"*" and method == "OPTIONS":
            return None
        found = _ABSOLUTE.fullmatch(self._target)
        if found is None or _HOST.fullmatch(found[1]) is None:
            return 400, "The request's target is neither a path nor a URL."
        host, path = found[1], found[2]
        self._target = path if path[:1] == b"/" else b"/" + path
        values[b"host"] = host
        self._headers[:] = [(name, host if name == b"host" else value) for name, value in self._headers]
        return None

    def _upgrade(self, method: str, rest: bytes) -> None:
        server = self._server
        assert server.web_sockets is not None
        self._is_over = True
        server.connections.discard(self)
        protocol: Any = server.web_sockets(
            RequestHead(method, self._target, self._headers), server.open_sockets
        )
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if rest:
            protocol.data_received(rest)

    # --- bodies ---------------------------------------------------------------------------------------

    def _await_body(self, left: int | None) -> None:
        if left is not None:
            self._body = left
        self._received = 0
        self._body_from = self._body_at = now = self._server.now
        bounds = self._server.bounds
        self.due = now + min(bounds.body_timeout, bounds.idle_timeout)

    def _read_body(self, data: bytes) -> bytes:
        """Take what is of the body; return what follows."""
        body = self._body
        self._body_at = self._server.now
        if isinstance(body, ChunkedBody):
            try:
                rest = body.feed(data, self._take)
            except BadChunk as error:
                self._refuse(400, f"The request's body is not in chunks: {error}.")
                return b""
            except TooMuchAround as error:
                self._refuse_large(error.part)
                return b""
            if rest is None or self._is_over:
                return b""
        else:
            assert body is not None
            piece, rest = data[:body], data[body:]
            self._body = body - len(piece)
            self._take(piece)
            if len(piece) < body or self._is_over:
                return b""
        self._body = None
        self._end_body()
        return rest

    def _take(self, piece: bytes) -> None:
        self._received += len(piece)
        self._expects = False  # who sends has not waited
        if not self._answering or self._is_over:
            return  # nobody wants it
        if not self._holds(len(piece)):
            return
        if self._exchange is None:
            self._pieces.append(piece)
            return
        self._exchange.take(piece)
        if self._exchange.buffered > HIGH_WATER and not self._is_read_paused:
            self._is_read_paused = True
            self._transport.pause_reading()

    def _holds(self, size: int) -> bool:
        """Hold more of a body, unless that is too much."""
        self._held += size
        self._server.held += size
        limit = self._server.bounds.max_bodies_bytes
        if self._server.held <= limit:
            return True
        self._refuse(503, f"The bodies of all requests hold more than {limit} bytes (maxBodiesBytes).")
        return False

    def _let_go(self) -> None:
        self._server.held -= self._held
        self._held = 0

    def _end_body(self) -> None:
        if not self._answering:
            self._await_next()
            return
        self.due = _FOREVER
        if self._exchange is not None:
            self._exchange.end_body()
        elif self._handler is not None:
            body, self._pieces = b"".join(self._pieces), []
            self._ask(self._handler, body)

    def read_on(self) -> None:
        """Read more of the body, for which nobody's time has passed meanwhile."""
        if self._is_read_paused:
            self._is_read_paused = False
            self._body_from += self._server.now - self._body_at
            self._body_at = self._server.now
            self._transport.resume_reading()

    # --- answers --------------------------------------------------------------------------------------

    def _start_exchange(self, method: str, version: bytes, values: dict[bytes, bytes]) -> None:
        transport, target = self._transport, self._target
        path, _, query = target.partition(b"?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version.decode(),
            "method": method,
            "scheme": self._server.scheme,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": _address(transport.get_extra_info("peername")),
            "server": _address(transport.get_extra_info("sockname")),
            "state": self._server.state.copy(),
            "extensions": {"http.response.trailers": {}},
        }
        trailers = version == b"1.1" and b"trailers" in _TOKENS.split(values.get(b"te", b"").lower())
        has_body = self._body is not None
        self._exchange = AsgiExchange(
            self, scope, has_body=has_body, expects=self._expects, trailers=trailers
        )
        task = self._server.start_task(self._exchange.run(self._server.app))
        task.add_done_callback(self._server.tasks.discard)

    def _ask(self, handler: LaneHandler, body: bytes) -> None:
        """Answer by the lane, or begin to."""
        try:
            answer = handler(body)
        except BaseException as error:  # noqa: BLE001 - told with its traceback
            self.fail("the fast lane raised an exception", error)
            return
        if isinstance(answer, HttpAnswer):
            self._answer(answer)
        else:
            if self._held or self._holds(len(body)):
                self._server.start_task(self._follow(answer))

    async def _follow(self, answer: Awaitable[HttpAnswer]) -> None:
        try:
            found = await answer
        except BaseException as error:  # noqa: BLE001 - told with its traceback
            self.fail("the fast lane raised an exception", error)
        else:
            self._answer(found)
        finally:
            # A callback of the task would cost another turn of the loop.
            self._server.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _answer_unread(self, answer: HttpAnswer, left: int, rest: bytes) -> bytes:
        """Answer a request of which nobody wants the body."""
        if left > len(rest):
            self._await_body(left)
            self._answer(answer)
            return rest
        self._answer(answer)
        return rest[left:]

    def _answer(self, answer: HttpAnswer) -> None:
        if self._is_over:
            return  # the client is gone, or was answered for the last time
        try:
            data = self._encoded(answer)
        except Exception as error:  # noqa: BLE001 - told
            self.fail("the answer cannot be sent", error)
            return
        self._transport.write(data)
        self.complete()

    def _encoded(self, answer: HttpAnswer) -> bytes:
        """Return the bytes of an answer.

        Raises:
            KeyError: It has no status of HTTP.
            ValueError: A header cannot be sent.
        """
        pieces = [STATUS_LINES[answer.status], self._server.date_line]
        for name, value in answer.headers:
            pieces.append(header_line(name, value))
        if (self._body is not None or not self.keeps_alive) and self.closes_after():
            pieces.append(CLOSE_LINE)
        if answer.status in BODILESS:
            pieces.append(b"\r\n")
        else:
            shown = b"" if self._is_head else answer.body
            pieces.append(b"content-length: %d\r\n\r\n%b" % (len(answer.body), shown))
        return b"".join(pieces)

    @property
    def date_line(self) -> bytes:
        """The header of the time."""
        return self._server.date_line

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self._is_over:
            self._transport.write(data)

    async def drained(self) -> None:
        """Return when the client reads again, or is gone."""
        while self.is_write_paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            self._drained.clear()
            await self._drained.wait()

    def closes_after(self) -> bool:
        """Whether the connection ends with the answer that begins now: too much is to come to be read."""
        if self._body is not None and (
            self._expects or isinstance(self._body, ChunkedBody) or self._body > MAX_UNWANTED
        ):
            self.keeps_alive = False
        return not self.keeps_alive

    def complete(self, *, is_cut_off: bool = False) -> None:
        """Go on behind an answer that is complete; or that never will be, of which only the end tells."""
        self._answering = False
        self._handler = self._exchange = None
        if self._held:
            self._let_go()
        if self._is_over:
            return
        if is_cut_off or not self.keeps_alive:
            self._end(lingers=self._body is not None or bool(self._behind))
            return
        if self._body is None:
            self._await_next()
        if self._is_read_paused:
            self.read_on()
        if self._behind:
            data, self._behind = self._behind, b""
            self._transport.resume_reading()
            self.data_received(data)

    def _await_next(self) -> None:
        self._has_begun = False
        self.due = self._server.now + self._server.bounds.idle_timeout

    # --- the end --------------------------------------------------------------------------------------

    def fail(self, problem: str, error: BaseException | None) -> None:
        """Tell the trace, and answer with 500."""
        self.tell(problem, error)
        self.keeps_alive = False
        self._answer(_FAILED)

    def tell(self, problem: str, error: BaseException | None = None) -> None:
        """Tell the trace."""
        self._server.trace.tell(Name.REQUEST, Phase.FAILED, {}, {"message": problem}, error)

    def _refuse_large(self, part: str) -> None:
        limit = self._server.bounds.max_head_bytes
        self._refuse(431, f"The request's {part} is larger than {limit} bytes (maxHeadBytes).")

    def _refuse(self, status: int, message: str) -> None:
        """Say why nothing more is taken; where an answer has begun, that could only be taken for its rest."""
        exchange = self._exchange
        self._answering = False
        if exchange is not None and exchange.has_started:
            self.tell(f"{message} Not answered, as the answer had begun.")
        else:
            self.tell(f"{message} Answered with {status}.")
            self.keeps_alive, self._is_head = False, False
            self._transport.write(self._encoded(HttpAnswer(status, (_TEXT,), message.encode())))
        self._end()
        if exchange is not None:
            exchange.disconnect()

    def _end(self, *, lingers: bool = True) -> None:
        """Close the connection behind what is written; with ``lingers`` more may come."""
        self._is_over = True
        self.due = self._server.now + CLOSE_SECONDS
        self._unsent = self._transport.get_write_buffer_size()
        self._let_go()
        self._pieces.clear()
        self._behind = b""
        if lingers and self._transport.can_write_eof():
            self._transport.resume_reading()
            self._transport.write_eof()
        else:
            self._transport.close()

    def shutdown(self) -> None:
        """Close the connection once nothing is under way on it, as the server stops."""
        self.keeps_alive = False
        if not self._answering and not self._is_over:
            self._is_over = True
            self.due = self._server.now + CLOSE_SECONDS
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def on_time(self) -> None:
        """Do what is to be done when `due` has passed."""
        now, bounds = self._server.now, self._server.bounds
        if self._is_over or self.is_write_paused:
            unsent, self._unsent = self._unsent, self._transport.get_write_buffer_size()
            if self._unsent and self._unsent < unsent:  # it is read, though slowly
                self.due = now + (CLOSE_SECONDS if self._is_over else bounds.idle_timeout)
            else:
                self._transport.abort()
        elif self._body is not None:
            self._look_at_body(now, bounds)
        elif self._pending or self._blank:
            seconds = bounds.head_timeout
            self._refuse(408, f"The request's head was not complete after {seconds:g} seconds (headTimeout).")
        elif not self._answering:
            self._is_over = True
            self.due = now + CLOSE_SECONDS
            self._transport.close()  # nothing was asked

    def _look_at_body(self, now: float, bounds: HttpBounds) -> None:
        if self._is_read_paused:  # it may wait here
            self.due = now + bounds.idle_timeout
            return
        whole = bounds.body_timeout + self._received / BODY_RATE
        idle = bounds.idle_timeout
        self.due = min(self._body_from + whole, self._body_at + idle)
        if self.due > now:
            return
        if self._body_from + whole <= now:
            problem = f"The request's body was not complete after {whole:g} seconds (bodyTimeout)."
        else:
            problem = f"Nothing more of the request's body came for {idle:g} seconds (idleTimeout)."
        if self._answering:
            self._refuse(408, problem)
        else:
            self.tell(problem)
            self._end()


class _Nobody:
    """Hears nothing of what a parser finds."""


_NOBODY: Final = _Nobody()


def _why(error: Exception) -> str:
    return f"{error}." if isinstance(error, httptools.HttpParserError) else "it changes the protocol."


def _asks_for_web_socket(method: str, values: dict[bytes, bytes]) -> bool:
    """Whether a request wants a WebSocket; any other upgrade is an offer that is not taken."""
    return (
        b"websocket" in _TOKENS.split(values[b"upgrade"].lower())
        and b"upgrade" in _TOKENS.split(values.get(b"connection", b"").lower())
        and method == "GET"
    )


def _address(found: Any) -> tuple[str, int] | None:
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
