"""The WebSocket shell: an ``asyncio.Protocol`` for uvicorn's ``ws=``. It only moves bytes.

A connection goes through five stages, each with its own reaction to data: the upgrade request is read
(`_Stage.HANDSHAKE`), the service decides (`DECIDING`), frames flow (`OPEN`), the client's close frame is
awaited (`CLOSING`), nothing it sends matters any more (`OVER`). What a frame means is decided in `service`.

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
from webpubsub.service.effects import Close, Deliver, Raise
from webpubsub.service.frames import (
    FrameParser,
    Opcode,
    close_frame,
    parse_close,
    ping_frame,
    pong_frame,
)
from webpubsub.service.handshake import accept_response, parse_request, refuse_response
from webpubsub.service.service import SERVICE_RELOAD, Service

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

__all__ = ["KeepAlive", "WebSocketProtocol", "protocol_factory"]

MAX_WAITING_REQUESTS: Final = 64
MAX_WAITING_BYTES: Final = 1024 * 1024
CLOSE_TIMEOUT: Final = 5.0
PING_INTERVAL: Final = 20
MISSED_PINGS: Final = 3
PING_TIMEOUT_REASON: Final = "The client did not answer pings."
FAULT_REASON: Final = "Internal server error"


class _Stage(Enum):
    HANDSHAKE = auto()
    DECIDING = auto()
    OPEN = auto()
    CLOSING = auto()
    OVER = auto()


class _Waiting:
    """Requests of a connection that have to wait: for an event before them, or for delivery."""

    __slots__ = ("_requests", "_size")

    def __init__(self) -> None:
        self._requests: deque[tuple[bool, bytes]] = deque()
        self._size = 0

    def put(self, is_text: bool, body: bytes) -> None:
        self._requests.append((is_text, body))
        self._size += len(body)

    def take(self) -> tuple[bool, bytes]:
        request = self._requests.popleft()
        self._size -= len(request[1])
        return request

    def is_over(self, share: int) -> bool:
        """Whether more waits than one ``share``-th of what may."""
        return len(self._requests) * share > MAX_WAITING_REQUESTS or self._size * share > MAX_WAITING_BYTES

    def __bool__(self) -> bool:
        return bool(self._requests)


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
        self._waiting: _Waiting | None = None  # there while requests have to wait
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
        """React to bytes by stage."""
        self._pings = 0
        if self._stage is _Stage.OPEN or self._stage is _Stage.CLOSING:
            self._receive(data)
        elif self._stage is _Stage.HANDSHAKE:
            self._start(data)
        elif self._stage is _Stage.DECIDING:
            self._cancel_event()
            self._refuse(400, "the client sent frames before its upgrade was answered")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything go: the handler call under way, the timer, the place in the hub."""
        self._stage = _Stage.OVER
        self._server.connections.discard(cast(Any, self))
        self._shared.discard(self)
        self._cancel_event()
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
            self.close(Close(self._connection, 1001, SERVICE_RELOAD, SERVICE_RELOAD))
        elif self._stage in (_Stage.HANDSHAKE, _Stage.DECIDING):
            self._cancel_event()
            self._refuse(503, "the service is stopping")

    def _cancel_event(self) -> None:
        if self._event is not None:
            self._event.cancel()

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
            self._refuse(refused.status if refused.status >= 400 else 500, "", str(refused))
            return
        except Exception:
            self._refuse(500, FAULT_REASON)
            raise  # a fault of ours: asyncio logs it
        finally:
            self._event = None
        if self._stage is not _Stage.DECIDING:
            return  # given up meanwhile, though the handler did not mind being cancelled
        self._stage = _Stage.OPEN
        self._connection = connection
        connection.transport = self._transport
        self._transport.write(accept_response(request.key, connection.subprotocol))
        self._service.open(connection, groups, self.close)
        self._shared.add(self)

    def _refuse(self, status: int, message: str, reason: str | None = None) -> None:
        """Refuse the upgrade; ``reason`` is what the trace gets when it is not for the client."""
        if self._stage is _Stage.OVER:
            return
        self._stage = _Stage.OVER
        if self._service.trace is not None:
            detail = {"status": status, "reason": message if reason is None else reason}
            self._service.trace(TraceEvent("connection", Phase.FAILED, {}, detail))
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
                elif opcode is Opcode.PING:
                    self._pong(body)
        except ProtocolError as error:
            self._fail(error)

    def _pong(self, body: bytes) -> None:
        if self._connection is not None:
            # By delivery, which cuts off those who send pings and never read the pongs, and drops what
            # comes after the end.
            self._service.delivery.deliver(Deliver(pong_frame(body), (self._connection,)))

    def _take(self, is_text: bool, body: bytes) -> None:
        if self._stage is not _Stage.OPEN or self._connection is None:
            return
        if self._waiting is not None:
            self._waiting.put(is_text, body)
            if self._waiting.is_over(1):
                self._transport.pause_reading()
            return
        if self._service.delivery.is_congested:
            self._work(self._connection, None).put(is_text, body)
            return
        event = self._service.take(self._connection, is_text, body)
        if event is not None:
            self._work(self._connection, event)

    def _work(self, connection: Connection, event: Raise | None) -> _Waiting:
        """Let the requests that come now wait: for an event's handler, or until delivery has caught up."""
        self._waiting = _Waiting()
        work = self._take_in_turn(connection, event, self._waiting)
        self._event = asyncio.get_running_loop().create_task(work)
        return self._waiting

    async def _take_in_turn(self, connection: Connection, event: Raise | None, waiting: _Waiting) -> None:
        """Raise one event, if there is one, then take the requests that came meanwhile, in their order."""
        try:
            while True:
                if event is not None:
                    await self._service.raise_event(connection, event)
                while self._service.delivery.is_congested:  # noqa: ASYNC110 - writing takes turns of the loop
                    await asyncio.sleep(0)
                if not waiting or self._stage is not _Stage.OPEN:
                    return
                event = self._service.take(connection, *waiting.take())
                if not waiting.is_over(2):
                    self._transport.resume_reading()
        except ProtocolError as error:
            self._fail(error)
        except Exception:
            self.close(Close(connection, 1011, FAULT_REASON, FAULT_REASON))
            raise  # a fault of ours: asyncio logs it
        finally:
            self._waiting = self._event = None

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
        self._transport.resume_reading()  # else the client's close frame would never be seen
        self._closing = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _fail(self, error: ProtocolError) -> None:
        """Say why, and look at nothing that the client still sends (RFC 6455, section 7.1.7)."""
        if self._connection is not None:
            self.close(Close(self._connection, error.close_code, str(error), str(error)))
        self._stage = _Stage.OVER
        # Closing at once could make the client's system throw away the close frame with what it still sends.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _client_closes(self, body: bytes) -> None:
        code, reason = parse_close(body)
        if self._stage is _Stage.OPEN and self._connection is not None:
            self._stage = _Stage.CLOSING
            self._ended = (code, reason)
            self._service.delivery.flush(self._connection)
            self._transport.write(close_frame(code))
            self._let_go()
        self._stage = _Stage.OVER
        self._transport.close()

    def ping(self) -> None:
        """Ping the client; one that was silent for three pings is gone."""
        if self._stage is not _Stage.OPEN or self._connection is None:
            return
        # While we do not read, its pongs cannot be seen.
        self._pings = self._pings + 1 if self._transport.is_reading() else 0
        if self._pings > MISSED_PINGS:
            self.close(Close(self._connection, 1008, PING_TIMEOUT_REASON, PING_TIMEOUT_REASON))
        else:
            self._transport.write(ping_frame())


def protocol_factory(service: Service, keep_alive: KeepAlive) -> Any:
    """Return what uvicorn's ``ws=`` takes: it makes one protocol object a connection.

    uvicorn asks for a class but only ever calls it, hence Any.
    """
    return partial(WebSocketProtocol, service, keep_alive)
