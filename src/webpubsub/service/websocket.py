"""The WebSocket shell: an ``asyncio.Protocol`` for uvicorn's ``ws=``. It only moves bytes.

A connection goes through four stages, each with its own reaction to data: the upgrade request is read
(`_Stage.HANDSHAKE`), the service decides (`DECIDING`), frames flow (`OPEN`), a close is under way
(`CLOSING`). What a frame means is decided in `service`.

Source: RFC 6455; client spec, sections 1.7 to 1.9.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from webpubsub.model.errors import EventRefused, PeerError, ProtocolError
from webpubsub.model.trace import Phase, TraceEvent
from webpubsub.service.connection import Connection
from webpubsub.service.effects import Close, Raise
from webpubsub.service.frames import (
    FrameParser,
    Opcode,
    close_frame,
    parse_close,
    ping_frame,
    pong_frame,
)
from webpubsub.service.handshake import accept_response, parse_request, refuse_response
from webpubsub.service.service import Service

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

__all__ = ["KeepAlive", "WebSocketProtocol", "protocol_factory"]

MAX_WAITING_REQUESTS: Final = 64
CLOSE_TIMEOUT: Final = 5.0
PING_INTERVAL: Final = 20
MISSED_PINGS: Final = 3
PING_TIMEOUT_REASON: Final = "The client did not answer pings."
SHUTDOWN_REASON: Final = "Service reload"


class _Stage(Enum):
    HANDSHAKE = auto()
    DECIDING = auto()
    OPEN = auto()
    CLOSING = auto()


class KeepAlive:
    """Pings every open connection once in `PING_INTERVAL` seconds.

    Each second has its own share of the connections, so thousands of pings never fall together; one
    timer serves them all.
    """

    def __init__(self) -> None:
        self._shares: list[set[WebSocketProtocol]] = [set() for _ in range(PING_INTERVAL)]
        self._next = 0

    def add(self, protocol: WebSocketProtocol) -> None:
        """Ping a connection from now on."""
        min(self._shares, key=len).add(protocol)

    def discard(self, protocol: WebSocketProtocol) -> None:
        """Stop pinging a connection."""
        for share in self._shares:
            share.discard(protocol)

    def tick(self) -> None:
        """Ping the share whose second it is."""
        for protocol in list(self._shares[self._next]):
            protocol.ping()
        self._next = (self._next + 1) % PING_INTERVAL

    async def run(self) -> None:
        """Tick once a second until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.tick()


class WebSocketProtocol(asyncio.Protocol):
    """One client's socket; uvicorn hands it over when it sees the upgrade."""

    __slots__ = (
        "_closing",
        "_connection",
        "_ended",
        "_event",
        "_parser",
        "_pings",
        "_server",
        "_service",
        "_shared",
        "_stage",
        "_transport",
        "_waiting",
    )

    def __init__(
        self,
        service: Service,
        keep_alive: KeepAlive,
        *,
        config: Config,
        server_state: ServerState,
        app_state: Any,
    ) -> None:
        self._service = service
        self._shared = keep_alive
        self._server = server_state
        self._stage = _Stage.HANDSHAKE
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._connection: Connection | None = None
        self._parser = FrameParser()
        # Requests that came while an event of this connection is with its handler.
        self._waiting: deque[tuple[bool, bytes]] | None = None
        self._event: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._ended: tuple[int | None, str] = (None, "")
        self._pings = 0

    # --- asyncio --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket over."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(cast(Any, self))

    def data_received(self, data: bytes) -> None:
        """React to bytes by stage; bytes that come while closing no longer matter but for the close frame."""
        self._pings = 0
        if self._stage is _Stage.HANDSHAKE:
            self._start(data)
        elif self._stage is _Stage.DECIDING:
            self._refuse(400, "the client sent frames before its upgrade was answered")
        else:
            self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything go: the handler call under way, the timer, the place in the hub."""
        self._server.connections.discard(cast(Any, self))
        self._shared.discard(self)
        if self._event is not None:
            self._event.cancel()
        if self._closing is not None:
            self._closing.cancel()
        connection = self._connection
        if connection is not None:
            connection.transport = None
            self._service.closed(connection, *self._ended)

    def eof_received(self) -> bool:
        """Close our side too."""
        return False

    def shutdown(self) -> None:
        """Say goodbye, as the server stops (called by uvicorn)."""
        if self._stage is _Stage.OPEN and self._connection is not None:
            self.close(Close(self._connection, 1001, SHUTDOWN_REASON, SHUTDOWN_REASON))
        elif self._stage is not _Stage.CLOSING:
            self._refuse(503, "the service is stopping")

    # --- handshake ------------------------------------------------------------------------------------

    def _start(self, data: bytes) -> None:
        self._stage = _Stage.DECIDING
        self._event = asyncio.get_running_loop().create_task(self._decide(data))

    async def _decide(self, data: bytes) -> None:
        try:
            request = parse_request(data)
            connection, groups = await self._service.admit(request)
        except PeerError as error:
            self._refuse(error.status, str(error))
            return
        except EventRefused as refused:
            self._refuse(refused.status if refused.status >= 400 else 500, "")
            return
        finally:
            self._event = None
        if self._stage is not _Stage.DECIDING:
            return
        self._stage = _Stage.OPEN
        self._connection = connection
        connection.transport = self._transport
        self._transport.write(accept_response(request.key, connection.subprotocol))
        self._service.open(connection, groups, self.close)
        self._shared.add(self)

    def _refuse(self, status: int, message: str) -> None:
        if self._service.trace is not None:
            detail = {"status": status, "reason": message}
            self._service.trace(TraceEvent("connection", Phase.FAILED, {}, detail))
        self._stage = _Stage.CLOSING
        if self._event is not None:
            self._event.cancel()
        self._transport.write(refuse_response(status, message))
        self._transport.close()

    # --- frames ---------------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        try:
            for opcode, body in self._parser.receive_data(data):
                if opcode <= Opcode.BINARY:
                    self._take(opcode is Opcode.TEXT, body)
                elif opcode is Opcode.CLOSE:
                    self._client_closes(body)
                    return
                elif opcode is Opcode.PING and self._stage is _Stage.OPEN:
                    self._transport.write(pong_frame(body))
        except ProtocolError as error:
            self._fail(error)

    def _take(self, is_text: bool, body: bytes) -> None:
        if self._stage is not _Stage.OPEN or self._connection is None:
            return
        if self._waiting is not None:
            self._waiting.append((is_text, body))
            if len(self._waiting) >= MAX_WAITING_REQUESTS:
                self._transport.pause_reading()
            return
        event = self._service.take(self._connection, is_text, body)
        if event is not None:
            self._waiting = deque()
            self._event = asyncio.get_running_loop().create_task(self._raise(self._connection, event))

    async def _raise(self, connection: Connection, event: Raise) -> None:
        """Raise one event, then take the requests that came meanwhile, in their order."""
        assert self._waiting is not None
        await self._service.raise_event(connection, event)
        while self._waiting and self._stage is _Stage.OPEN:
            is_text, body = self._waiting.popleft()
            if len(self._waiting) == MAX_WAITING_REQUESTS // 2:
                self._transport.resume_reading()
            try:
                following = self._service.take(connection, is_text, body)
            except ProtocolError as error:
                self._fail(error)
                return
            if following is not None:
                await self._service.raise_event(connection, following)
        self._waiting = None
        self._event = None

    # --- the end --------------------------------------------------------------------------------------

    def close(self, effect: Close) -> None:
        """Close from our side: what waits, a word why, the close frame; then the client has 5 seconds."""
        connection = self._connection
        if connection is None or self._stage is not _Stage.OPEN:
            return
        self._stage = _Stage.CLOSING
        self._ended = (effect.code, effect.reason)
        self._service.delivery.flush(connection)
        goodbye = connection.codec.disconnected(effect.reason) if effect.code in (1000, 1001) else None
        self._transport.write((goodbye or b"") + close_frame(effect.code, effect.text))
        self._let_go()

    def _let_go(self) -> None:
        assert self._connection is not None
        self._connection.transport = None
        self._service.closed(self._connection, *self._ended)
        self._shared.discard(self)
        self._closing = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _fail(self, error: ProtocolError) -> None:
        if self._connection is not None:
            self.close(Close(self._connection, error.close_code, str(error), str(error)))

    def _client_closes(self, body: bytes) -> None:
        code, reason = parse_close(body)
        if self._stage is _Stage.OPEN and self._connection is not None:
            self._stage = _Stage.CLOSING
            self._ended = (code, reason)
            self._service.delivery.flush(self._connection)
            self._transport.write(close_frame(code))
        self._transport.close()

    def ping(self) -> None:
        """Ping the client; one that was silent for three pings is gone."""
        if self._stage is not _Stage.OPEN or self._connection is None:
            return
        self._pings += 1
        if self._pings > MISSED_PINGS:
            self.close(Close(self._connection, 1008, PING_TIMEOUT_REASON, PING_TIMEOUT_REASON))
        else:
            self._transport.write(ping_frame())


def protocol_factory(service: Service, keep_alive: KeepAlive) -> Any:
    """Return what uvicorn's ``ws=`` takes: it makes one protocol object a connection.

    uvicorn asks for a class but only ever calls it, hence Any.
    """
    return partial(WebSocketProtocol, service, keep_alive)
