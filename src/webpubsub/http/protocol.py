"""One connection of the HTTP/1.1 server: hot requests, ASGI applications and upgrades.

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
from collections.abc import Awaitable, Coroutine
from functools import partial
from io import BytesIO
from typing import Any, Final, cast

import httptools

from webpubsub.http.chunked import BadChunk, IncomingBody, TooMuchAround
from webpubsub.http.exchange import (
    CLOSE_LINE,
    CONTINUE,
    HIGH_WATER,
    STATUS_LINES,
    AsgiExchange,
    build_scope,
    header_line,
)
from webpubsub.http.heads import (
    BESIDE_TARGET,
    END,
    OTHER_VERSION,
    TOKENS,
    BadHead,
    HeadTooLarge,
    PartialHead,
    checked_target,
)
from webpubsub.http.server_state import ServerState
from webpubsub.model.http import (
    BODILESS,
    HttpAnswer,
    HttpBounds,
    LaneHandler,
    RawHeaders,
    RequestHead,
)
from webpubsub.model.trace import Name, Phase

CLOSE_SECONDS: Final = 5.0  # for a client to close its side, too, as a WebSocket's has
# A larger body goes by ASGI, where whoever reads it sets the pace.
MAX_LANE_BYTES: Final = 1024 * 1024
# So much of a body that nobody wants is read, so that the connection can be kept.
MAX_UNWANTED: Final = 64 * 1024

_FOREVER: Final = float("inf")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_FAILED: Final = HttpAnswer(500, (_TEXT,), b"Internal Server Error")


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
        "_block",
        "_body",
        "_drained",
        "_exchange",
        "_expects",
        "_handler",
        "_has_begun",
        "_headers",
        "_held",
        "_is_followed",
        "_is_head",
        "_is_held_up",
        "_is_over",
        "_parser",
        "_partial",
        "_server",
        "_target",
        "_transport",
        "_unsent",
        "due",
        "is_write_paused",
        "keeps_alive",
    )

    def __init__(self, server: ServerState) -> None:
        self._server = server
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.due = server.now + server.bounds.head_timeout
        self.keeps_alive = True
        # The head that is read.
        self._has_begun = False  # any byte of the connection has come
        self._blank = 0  # bytes of empty lines before it
        self._partial: PartialHead | None = None  # while it is incomplete
        self._parser: httptools.HttpRequestParser | None = None  # of a whole head
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        # The body that is read.
        self._body: IncomingBody | None = None  # until it is complete
        self._block: BytesIO | None = None  # the body for the lane: it may come as millions of pieces
        self._held = 0
        self._is_held_up = False  # the client cannot go on before the application does
        self._behind = b""  # what came behind a request that is not answered yet
        # The request that is answered.
        self._answering = False
        self._is_followed = False  # more came with it
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
            if self._body is not None and not self._is_held_up:
                data = self._read_body(self._body, data)
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
        """Go on; who has read an answer late may be idle from now on."""
        self.is_write_paused = False
        if self._answering:
            self.due = _FOREVER if self._body is None else self.due
        elif self._body is None and not (self._is_over or self._partial is not None or self._blank):
            self.due = self._server.now + self._server.bounds.idle_timeout
        if self._drained is not None:
            self._drained.set()

    # --- requests -------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> bytes:
        """Take what is of a head; return what follows."""
        if self._partial is None:
            if data[0] in b"\r\n":  # RFC 9112, section 2.2: empty lines in front are ignored
                return self._skip_blank(data)
            stop = data.find(END) + 4
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
        """Take a part of a head that came in several, or is too large."""
        if self._partial is None:
            self._partial = PartialHead(httptools.HttpRequestParser, self._server.bounds.max_head_bytes)
        try:
            found = self._partial.feed(data)
        except httptools.HttpParserUpgrade:  # a head that one line end completes is of HTTP/0.9
            self._refuse(400, OTHER_VERSION)
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")
        except HeadTooLarge:
            self._refuse_large("head")
        else:
            if found is not None:
                self._partial = None
                return self._begin(*found)
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

    def _begin(self, head: bytes, rest: bytes) -> bytes:
        """Find out who answers the request of a whole head; return what follows it."""
        server = self._server
        self._target, self._headers, self._blank = b"", [], 0
        self._parser = parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # what is asked for is decided below; this parser sees nothing more anyway
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")
            return b""
        self._parser = None
        headers = self._headers
        values = dict(headers)
        end = head.find(b"\r")
        version = head[end - 9 : end]
        is_newest = version == b" HTTP/1.1"
        method = parser.get_method().decode()
        self._is_head = method == "HEAD"
        chunked = b"transfer-encoding" in values
        self._expects = is_newest and b"expect" in values
        if not (  # what nearly all requests are
            is_newest
            and values.get(b"host") == server.host
            and len(values) == len(headers)
            and self._target[:1] == b"/"
            and b"#" not in self._target
            and end == len(method) + len(self._target) + BESIDE_TARGET
            and not (chunked or self._expects or method == "CONNECT")
        ):
            try:
                target = checked_target(end, version, method, self._target, headers, values)
            except BadHead as bad:
                self._refuse(bad.status, str(bad))
                return b""
            self._target = target
            server.host = values.get(b"host", b"")
        door = server.door
        if door is not None and (b"origin" in values or values.get(b"host") not in door.known):
            refused = door.refusal(RequestHead(method, self._target, headers))
            if refused is not None:
                self._refuse(*refused)
                return b""
        if not is_newest or server.is_stopping:
            self.keeps_alive = False
        self._answering = True
        self.due = _FOREVER
        length = values.get(b"content-length")
        if b"upgrade" in values and server.web_sockets is not None and _asks_for_web_socket(method, headers):
            if is_newest and not chunked and not (length and int(length)):
                self._upgrade(method, rest)
            else:
                self._refuse(400, "A WebSocket begins with a GET of HTTP/1.1 that has no body.")
            return b""
        left = 0 if chunked or length is None else int(length)
        self._is_followed = left < len(rest)
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
            self._await_body(None if chunked else left)
        if self._handler is None:
            self._start_exchange(method, "1.1" if is_newest else "1.0", values)
        elif self._expects and not rest:
            self._expects = False
            self.write(CONTINUE)
        return rest

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
        bounds = self._server.bounds
        self._body = body = IncomingBody(self._server.now, left, bounds.max_head_bytes)
        self.due = body.due(bounds)

    def _read_body(self, body: IncomingBody, data: bytes) -> bytes:
        """Take what is of the body; return what follows."""
        try:
            rest = body.feed(data, self._server.now, self._take)
        except BadChunk as error:
            self._refuse(400, f"The request's body is not in chunks: {error}.")
            return b""
        except TooMuchAround as error:
            self._refuse_large(error.part)
            return b""
        if rest is None or self._is_over:
            return b""
        self._body = None
        self._end_body()
        return rest

    def _take(self, piece: bytes) -> None:
        self._expects = False  # who sends has not waited
        if not self._answering or self._is_over:
            return  # nobody wants it
        if not self._holds(len(piece)):
            return
        if self._exchange is None:
            if self._block is None:
                self._block = BytesIO()
            self._block.write(piece)
            return
        self._exchange.take(piece)
        if self._exchange.buffered > HIGH_WATER and not self._is_held_up:
            self._is_held_up = True
            self._transport.pause_reading()

    def _holds(self, size: int) -> bool:
        """Hold more of a body, unless that is too much."""
        self._held += size
        self._server.held += size
        if self._server.held <= self._server.bounds.max_bodies_bytes:
            return True
        self._refuse_body()
        return False

    def _let_go(self) -> None:
        """Count a body no more; one that an application may still have, once that has returned."""
        held, self._held = self._held, 0
        if self._exchange is not None:
            self._exchange.held += held
        else:
            self._server.held -= held

    def _end_body(self) -> None:
        if not self._answering:
            self._await_next()
            return
        self.due = _FOREVER
        if self._exchange is not None:
            self._exchange.end_body()
        elif self._handler is not None:
            body = b"" if self._block is None else self._block.getvalue()
            self._block = None
            self._ask(self._handler, body)

    def read_on(self) -> None:
        """Read more of the body, for which none of the client's time has passed meanwhile."""
        if self._is_held_up:
            self._is_held_up = False
            if self._body is not None:
                self._body.wait_until(self._server.now)
            self._go_on()

    def _go_on(self) -> None:
        data, self._behind = self._behind, b""
        self._transport.resume_reading()
        self.data_received(data)

    # --- answers --------------------------------------------------------------------------------------

    def _start_exchange(self, method: str, version: str, values: dict[bytes, bytes]) -> None:
        head = RequestHead(method, self._target, self._headers)
        scope = build_scope(head, version, self._server, self._transport)
        trailers = version == "1.1" and b"te" in values and b"trailers" in _tokens(head.headers, b"te")
        has_body = self._body is not None
        self._is_held_up = has_body  # until it is wanted: an answer without it is the same however it is cut
        self._exchange = AsgiExchange(
            self, scope, has_body=has_body, expects=self._expects, trailers=trailers
        )
        task = self._start(self._exchange.run(self._server.app))
        task.add_done_callback(partial(self._server.end_exchange, self._exchange))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work on an answer beside other requests; the server waits for that when it stops."""
        # (A task of Python 3.12 that starts eagerly costs as much: measured with 3.13.)
        task = asyncio.get_running_loop().create_task(work)
        self._server.tasks.add(task)
        return task

    def _ask(self, handler: LaneHandler, body: bytes) -> None:
        """Answer by the lane, or begin to."""
        server = self._server
        if not self._held and server.held + len(body) > server.bounds.max_bodies_bytes:
            self._refuse_body()
            return
        try:
            answer = handler(body)
        except BaseException as error:  # noqa: BLE001 - told with its traceback
            self.fail("the fast lane raised an exception", error)
            return
        if isinstance(answer, HttpAnswer):
            self._answer(answer)
        else:
            server.held += len(body) - self._held
            self._held = 0  # it is the task's now
            self._start(self._follow(answer, len(body)))

    async def _follow(self, answer: Awaitable[HttpAnswer], held: int) -> None:
        try:
            found = await answer
        except BaseException as error:  # noqa: BLE001 - told with its traceback
            self.fail("the fast lane raised an exception", error)
        else:
            self._answer(found)
        finally:
            # A callback of the task would cost another turn of the loop.
            self._server.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._server.held -= held

    def _answer_unread(self, answer: HttpAnswer, left: int, rest: bytes) -> bytes:
        """Answer a request of which nobody wants the body.

        Whether that is read, so that the connection can be kept, only depends on what the head says.
        """
        is_too_much = left > MAX_UNWANTED or (left > 0 and self._expects)
        if is_too_much:
            self.keeps_alive = False
        if is_too_much or left > len(rest):
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
        if self._body is not None and (self._expects or self._body.is_more_than(MAX_UNWANTED)):
            self.keeps_alive = False
        return not self.keeps_alive

    def complete(self, *, is_cut_off: bool = False) -> None:
        """Go on behind an answer that is complete; or that never will be, of which only the end tells."""
        self._answering = self._is_head = False
        if self._held:
            self._let_go()
        self._handler = self._exchange = None
        if self._is_over:
            return
        if is_cut_off or not self.keeps_alive:
            self._end(lingers=self._is_followed or self._body is not None or bool(self._behind))
            return
        if self._body is None:
            self._await_next()
        if self._is_held_up:
            self.read_on()
        elif self._behind:
            self._go_on()

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

    def _refuse_body(self) -> None:
        limit = self._server.bounds.max_bodies_bytes
        self._refuse(503, f"The bodies of all requests hold more than {limit} bytes (maxBodiesBytes).")

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
            self.keeps_alive = False
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
        self._block = None
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
            self._end(lingers=False)

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
            self._look_at_body(self._body, now, bounds)
        elif self._partial is not None or self._blank:
            seconds = bounds.head_timeout
            self._refuse(408, f"The request's head was not complete after {seconds:g} seconds (headTimeout).")
        elif not self._answering:
            self._end(lingers=False)  # nothing was asked

    def _look_at_body(self, body: IncomingBody, now: float, bounds: HttpBounds) -> None:
        if self._is_held_up:  # it may wait here
            self.due = now + bounds.idle_timeout
            return
        self.due = body.due(bounds)
        if self.due > now:
            return
        problem = body.problem(now, bounds)
        if self._answering:
            self._refuse(408, problem)
        else:
            self.tell(problem)
            self._end()


def _asks_for_web_socket(method: str, headers: RawHeaders) -> bool:
    """Whether a request wants a WebSocket; any other upgrade is an offer that is not taken."""
    return (
        b"websocket" in _tokens(headers, b"upgrade")
        and b"upgrade" in _tokens(headers, b"connection")
        and method == "GET"
    )


def _tokens(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Return a list that may stand in several headers (RFC 9110, section 5.3), in lower case."""
    return TOKENS.split(b",".join(value for each, value in headers if each == name).lower())
