"""uvicorn's HTTP with limits: to a request's head, and to how long clients may keep it waiting.

uvicorn itself waits for ever for a head or a body that never ends, and keeps all of the head, and all that
follows a chunked body. Anybody who can reach the port could hold sockets and memory that way, without a
token.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webpubsub.service.protocols.handshake import refuse_response

MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 5.0  # for a client to close its side, too, as a WebSocket's has


class GuardedHttp(HttpToolsProtocol):
    """One connection, before it may become a WebSocket.

    A head that is too large is answered with 431, one that is not complete in time with 408, and so is a body
    of which nothing more comes for as long as an idle connection is kept. Bodies may be as large as whoever
    reads them takes. What follows a chunked body may be as large as a head, and is thrown away: no header
    counts that came past whoever looked at the head (RFC 9110, section 6.5.1).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **options)
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
        """Begin a request."""
        super().on_message_begin()
        self._head_begins()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that follows the body."""
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the head."""
        super().on_headers_complete()
        self._head_ends()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._bare_from = self._received
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Complete a request."""
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
        self.handle_websocket_upgrade()
        if rest:
            receiver: Any = self.transport.get_protocol()
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
            self.logger.warning("%s Not answered, as that would be taken for another answer.", message)
        else:
            self.logger.warning("%s Answered with %s.", message, status)
            self.transport.write(refuse_response(status, message))
        self.transport.close()

    def _would_mislead(self) -> bool:
        """Whether a refusal would be taken for the answer to an earlier request, or for a part of one."""
        cycle = self.cycle
        if self._has_head and not self.parser.should_upgrade():
            return bool(self.pipeline) or cycle.response_started
        return cycle is not None and not cycle.response_complete  # that of an earlier request
