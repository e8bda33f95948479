"""The HTTP server protocol: uvicorn's with limits, and with a fast lane.

**Limits** are to a request's head, and to how long clients may keep it waiting. uvicorn itself waits for ever
for a head or a body that never ends, and keeps all of the head, and all that follows a chunked body. Anybody
who can reach the port could hold sockets and memory that way, without a token.

**The fast lane** answers hot requests right here; ASGI costs a task, a scope, an event and three messages a
request. The lane takes a request while no other is under way on its connection; whatever comes behind
one that is goes by ASGI, where uvicorn queues it. So answers keep the order of their requests, and each kind
of request may follow the other.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable
from typing import Any, ClassVar, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
)

from webpubsub.model.http import BODILESS, FastLane, HttpAnswer, LaneHandler, RawHeaders, RequestHead
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.service.protocols.handshake import refuse_response

MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 5.0  # for a client to close its side, too, as a WebSocket's has
# A larger body goes by ASGI, where whoever reads it sets the pace.
MAX_BODY_BYTES: Final = 1024 * 1024

_FAILED: Final = HttpAnswer(500, ((b"content-type", b"text/plain; charset=utf-8"),), b"Internal Server Error")


class GuardedHttp(HttpToolsProtocol):
    """One connection, before it may become a WebSocket.

    A head that is too large is answered with 431, one that is not complete in time with 408, and so is a body
    of which nothing more comes for as long as an idle connection is kept. Bodies may be as large as whoever
    reads them takes. What follows a chunked body may be as large as a head, and is thrown away: no header
    counts that came past whoever looked at the head (RFC 9110, section 6.5.1).
    """

    def __init__(self, trace: Trace, *args: Any, **options: Any) -> None:
        """Tell ``trace`` of what no application answers; take the rest from uvicorn."""
        super().__init__(*args, **options)
        self._trace = trace
        self._is_incomplete = True  # the request
        self._has_head = False  # of it
        self._received = 0
        self._bare_from = 0  # how much was received when the piece had come in which a head or body was
        self._timer: asyncio.TimerHandle | None = None
        self._idle_from: float | None = None  # when the last answer was complete; None once more is asked
        self._body_at = 0.0  # when the last piece of an incomplete body came

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timers go."""
        self._stop_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, in pieces small enough for their heads to be counted."""
        if len(data) > MAX_HEAD_BYTES:
            self._receive_in_pieces(data)
            return
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "Invalid HTTP request received.")
        else:
            if self._is_incomplete:
                self._goes_on()

    def _receive_in_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), MAX_HEAD_BYTES):
            if self.transport.is_closing():
                return
            receiver: Any = self.transport.get_protocol()  # the WebSocket's, after an upgrade
            receiver.data_received(data[start : start + MAX_HEAD_BYTES])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begins()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that follows the body."""
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head_ends()

    def on_body(self, body: bytes) -> None:
        self._bare_from = self._received
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_incomplete = False
        super().on_message_complete()

    def _head_begins(self) -> None:
        self._is_incomplete, self._has_head, self._bare_from = True, False, self._received
        self._idle_from = None

    def _goes_on(self) -> None:
        if self._received - self._bare_from > MAX_HEAD_BYTES:
            part = "trailer" if self._has_head else "head"
            self._refuse(431, f"The request's {part} is larger than {MAX_HEAD_BYTES} bytes.")
        elif self._has_head:
            self._body_at = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._look_after(self.timeout_keep_alive)
        elif self._timer is None:
            self._start_timer()

    def _head_ends(self) -> None:
        self._has_head = True
        if self._timer is not None:
            self._stop_timer()

    def _upgrade(self, rest: bytes) -> None:
        if not self._should_upgrade():
            return  # to something else, such as HTTP/2: an offer that is not taken
        if self.parser.get_http_version() == "1.0":
            self._refuse(400, "A WebSocket needs HTTP/1.1.")  # RFC 6455, section 4.2.1
            return
        if self._would_mislead():
            self._refuse(400, "A WebSocket cannot begin before the request in front of it is answered.")
            return
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        web_sockets: Any = self.ws_protocol_class
        head = RequestHead(self.parser.get_method().decode(), self.url, self.headers)
        receiver = web_sockets(head, self.connections)
        self.transport.set_protocol(receiver)
        receiver.connection_made(self.transport)
        if rest:
            receiver.data_received(rest)

    # --- time -----------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._received:
            self._refuse(408, f"The request's head was not complete after {HEAD_SECONDS:.0f} seconds.")
        else:
            self.transport.close()  # nothing was asked

    def shutdown(self) -> None:
        """Close the connection once nothing is under way on it, as the server stops.

        Over TLS a transport waits for the client to close its side. One that is gone without a word never
        does, and would hold up the whole server.
        """
        super().shutdown()
        if self.scheme == "https" and self.transport.is_closing():
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or to wait for one."""
        super().on_response_complete()
        self._idle_from = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked for the whole time, or no more of a body came.

        The timer goes on while requests come and are answered, and looks only when it fires whether it was
        right to.
        """
        self.timeout_keep_alive_task = None
        is_owed_a_body = self._idle_from is None and self._is_incomplete and self._has_head
        since = self._body_at if is_owed_a_body else self._idle_from
        if since is None:
            return  # something is asked now, and its answer starts the timer
        rest = since + self.timeout_keep_alive - self.loop.time()
        if self.flow.read_paused:  # what comes waits here
            self._look_after(self.timeout_keep_alive)
        elif rest > 0:
            self._look_after(rest)
        elif is_owed_a_body:
            self._refuse(
                408, f"Nothing more of the request's body came for {self.timeout_keep_alive} seconds."
            )
        else:
            super().timeout_keep_alive_handler()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _refuse(self, status: int, message: str) -> None:
        self._stop_timer()
        if self._would_mislead():
            self._report(f"{message} Not answered, as that would be taken for another answer.")
        else:
            self._report(f"{message} Answered with {status}.")
            self.transport.write(refuse_response(status, message))
        self.transport.close()

    def _report(self, message: str, error: BaseException | None = None) -> None:
        self._trace.tell(Name.REQUEST, Phase.FAILED, {}, {"message": message}, error)

    def _would_mislead(self) -> bool:
        """Whether a refusal would be taken for the answer to an earlier request, or for a part of one."""
        cycle = self.cycle
        if self._has_head and not self.parser.should_upgrade():
            return bool(self.pipeline) or cycle.response_started
        return cycle is not None and not cycle.response_complete  # that of an earlier request


class LaneRequest(msgspec.Struct, eq=False):
    """A request in the lane. uvicorn takes it for one of its own cycles: it queues others behind it.

    Attributes:
        handler: Who answers it.
        is_head: The answer goes without its body.
        keep_alive: The connection stays open behind the answer.
        body: What has come of it.
        task: What works on the answer, once that has to be awaited.
        response_complete: The answer is written.
        disconnected: The client went before that.
    """

    message_event: ClassVar = asyncio.Event()  # uvicorn sets it when the client is gone; nobody waits for it
    response_started: ClassVar = False  # it is written at one stroke

    handler: LaneHandler
    is_head: bool
    keep_alive: bool
    body: bytes | bytearray = b""
    task: asyncio.Task[None] | None = None
    response_complete: bool = False
    disconnected: bool = False


class FastLaneHttp(GuardedHttp):
    """One connection to an application with a fast lane."""

    def __init__(self, lane: FastLane, trace: Trace, *args: Any, **options: Any) -> None:
        """Ask ``lane`` first; see `GuardedHttp`."""
        super().__init__(trace, *args, **options)
        self._lane = lane
        self._receiving: LaneRequest | None = None  # the rest of its body is on its way
        self._defaults: list[tuple[bytes, bytes]] | None = None
        self._default_lines = b""

    # --- what the parser finds ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request; uvicorn hears of it when it is left to ASGI."""
        self._head_begins()
        self.url = b""
        self.headers = []

    def _goes_on(self) -> None:
        """Leave to ASGI what should not wait for its body here."""
        if self._receiving is not None and not _is_small(self.headers):
            self._hand_over(self._receiving)
        super()._goes_on()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that follows the body."""
        if not self._has_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Find out who answers."""
        parser = self.parser
        method = parser.get_method()
        handler = self._handler(method)
        if handler is None:
            self._leave_to_asgi()
            return
        self._head_ends()
        keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self._receiving = request = LaneRequest(handler, method == b"HEAD", keep_alive)
        self.cycle = request  # type: ignore[assignment]

    def _handler(self, method: bytes) -> LaneHandler | None:
        """Return who answers the request in the lane, or None."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self.parser.should_upgrade():
            return None
        if self.transport.is_closing():
            return _ignore
        if self.flow.write_paused:
            return None
        try:
            return self._lane.open(method.decode(), self.url, self.headers)
        except Exception as error:  # noqa: BLE001 - told; the parser would take it for a malformed request
            self._tell(error)
            return None

    def on_body(self, body: bytes) -> None:
        request = self._receiving
        if request is None:
            super().on_body(body)
            return
        self._bare_from = self._received
        if not request.body:
            request.body = body
        else:
            request.body = bytearray(request.body) if isinstance(request.body, bytes) else request.body
            request.body += body

    def on_message_complete(self) -> None:
        """Answer, or begin to."""
        request = self._receiving
        if request is None:
            super().on_message_complete()
            return
        self._receiving = None
        self._is_incomplete = False
        try:
            answer = request.handler(bytes(request.body))
        except BaseException as error:  # noqa: BLE001 - told with its traceback, as uvicorn does
            self._fail(request, error)
            return
        if isinstance(answer, HttpAnswer):
            self._answer(request, answer)
        else:
            self._start(request, answer)

    # --- the way to ASGI ------------------------------------------------------------------------------

    def _leave_to_asgi(self) -> None:
        """Tell uvicorn the head, as if it came now."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        super().on_url(url)
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _hand_over(self, request: LaneRequest) -> None:
        """Leave a request to ASGI of which the body has begun."""
        self._receiving = None
        self.cycle = None  # type: ignore[assignment]
        self._leave_to_asgi()
        if request.body:
            super().on_body(bytes(request.body))

    def shutdown(self) -> None:
        """Let uvicorn wait for the rest of a body that is on its way."""
        if self._receiving is not None:
            self._hand_over(self._receiving)
        super().shutdown()

    # --- answers --------------------------------------------------------------------------------------

    def _start(self, request: LaneRequest, answer: Awaitable[HttpAnswer]) -> None:
        """Work on an answer beside other requests; the server waits for that when it stops."""
        # (A task of Python 3.12 that starts eagerly costs as much: measured with 3.13.)
        request.task = task = self.loop.create_task(self._follow(request, answer))
        self.tasks.add(task)

    async def _follow(self, request: LaneRequest, answer: Awaitable[HttpAnswer]) -> None:
        try:
            found = await answer
        except BaseException as error:  # noqa: BLE001 - told with its traceback, as uvicorn does
            self._fail(request, error)
        else:
            self._answer(request, found)
        finally:
            # A callback of the task would cost another turn of the loop.
            self.tasks.discard(request.task)

    def _fail(self, request: LaneRequest, error: BaseException) -> None:
        self._tell(error)
        request.keep_alive = False
        self._answer(request, _FAILED)

    def _tell(self, error: BaseException) -> None:
        self._report("the fast lane raised an exception", error)

    def _answer(self, request: LaneRequest, answer: HttpAnswer) -> None:
        request.response_complete = True
        if self.transport.is_closing():
            return  # the client is gone, or was answered for the last time
        try:
            data = self._encoded(request, answer)
        except Exception as error:  # noqa: BLE001 - as uvicorn: told, and nothing of the answer is sent
            self._tell(error)
            self.transport.close()
            return
        self.transport.write(data)
        if not request.keep_alive:
            self.transport.close()
        if self.pipeline or self.timeout_keep_alive_task is None:
            self.on_response_complete()
        else:
            # The timer of the last answer will do.
            self.server_state.total_requests += 1
            self._idle_from = self.loop.time()

    def _encoded(self, request: LaneRequest, answer: HttpAnswer) -> bytes:
        """Return the bytes of an answer.

        Raises:
            ValueError: A header cannot be sent.
        """
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # the server makes a new list each second, for its date
            self._defaults = defaults
            self._default_lines = b"".join(_line(name, value) for name, value in defaults)
        pieces = [STATUS_LINE[answer.status], self._default_lines]
        for name, value in answer.headers:
            pieces.append(_line(name, value))
        if not request.keep_alive:
            pieces.append(b"connection: close\r\n")
        if answer.status in BODILESS:
            pieces.append(b"\r\n")
        else:
            shown = b"" if request.is_head else answer.body
            pieces.append(b"content-length: %d\r\n\r\n%b" % (len(answer.body), shown))
        return b"".join(pieces)


def _ignore(_body: bytes) -> HttpAnswer:
    """Do nothing for a request behind the last answer of its connection (RFC 9112, section 9.6)."""
    return _FAILED  # which is not sent


@functools.lru_cache(maxsize=256)  # answers mostly have the same headers; states may be 64 KiB
def _line(name: bytes, value: bytes) -> bytes:
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise ValueError(f"{name!r}: {value!r} is no HTTP header: it has characters that cannot be sent")
    return b"%b: %b\r\n" % (name.lower(), value)


def _is_small(headers: RawHeaders) -> bool:
    """Whether the rest of the body is announced, small, and sent without being asked for."""
    found = dict(headers)
    length = found.get(b"content-length", b"")
    return (
        b"expect" not in found
        and length.isdigit()
        and len(length) <= len(str(MAX_BODY_BYTES))
        and int(length) <= MAX_BODY_BYTES
    )
