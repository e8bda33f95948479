"""uvicorn's HTTP with limits to a request's head: in bytes, and in seconds until it is complete.

uvicorn itself waits for ever for a head that never ends, and keeps all of it. Anybody who can reach the
port could hold sockets and memory that way, without a token.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webpubsub.service.handshake import refuse_response

__all__ = ["GuardedHttp"]

MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0


class GuardedHttp(HttpToolsProtocol):
    """One connection, before it may become a WebSocket.

    A head that is too large is answered with 431, one that is not complete in time with 408. Bodies have
    no such limits: whoever reads a body knows how large it may be.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **options)
        self._is_incomplete = True  # the request's head; in the fast lane, its body too
        self._received = 0
        self._head_from = 0  # how much was received when the piece with the head's begin had come
        self._timer: asyncio.TimerHandle | None = None
        self._idle_from: float | None = None  # when the last answer was complete; None once more has come

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
        self._idle_from = None
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

    def on_headers_complete(self) -> None:
        """Take the head."""
        self._head_ends()
        super().on_headers_complete()

    def _head_begins(self) -> None:
        self._is_incomplete, self._head_from = True, self._received

    def _goes_on(self) -> None:
        if self._received - self._head_from > MAX_HEAD_BYTES:
            self._refuse(431, f"The request's head is larger than {MAX_HEAD_BYTES} bytes.")
        elif self._timer is None:
            self._start_timer()

    def _head_ends(self) -> None:
        self._is_incomplete = False
        if self._timer is not None:
            self._stop_timer()

    def _upgrade(self, rest: bytes) -> None:
        if not self._should_upgrade():
            return  # to something else, such as HTTP/2: an offer that is not taken
        if self.parser.get_http_version() == "1.0":
            self._refuse(400, "A WebSocket needs HTTP/1.1.")  # RFC 6455, section 4.2.1
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

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or to wait for one."""
        super().on_response_complete()
        self._idle_from = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked for the whole time.

        The timer goes on while requests come and are answered, and looks only when it fires whether it was
        right to.
        """
        self.timeout_keep_alive_task = None
        if self._idle_from is None:
            return  # something is asked now, and its answer starts the timer
        rest = self._idle_from + self.timeout_keep_alive - self.loop.time()
        if rest <= 0:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(rest, self.timeout_keep_alive_handler)

    def _refuse(self, status: int, message: str) -> None:
        self._stop_timer()
        self.logger.warning("%s Answered with %s.", message, status)
        self.transport.write(refuse_response(status, message))
        self.transport.close()
