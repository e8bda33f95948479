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
from webpubsub.model.trace import Name, Phase
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.delivery import MAX_QUEUED
from webpubsub.service.hub.effects import Close, Deliver, Raise
from webpubsub.service.hub.recovery import RECOVERY_REFUSED
from webpubsub.service.hub.requests import take_sequence_ack
from webpubsub.service.keep_alive import KeepAlive
from webpubsub.service.protocols import choose_subprotocol
from webpubsub.service.protocols.frames import (
    FrameParser,
    Opcode,
    close_frame,
    parse_close,
    ping_frame,
    pong_frame,
)
from webpubsub.service.protocols.handshake import (
    ClientRequest,
    accept_response,
    parse_request,
    refuse_response,
)
from webpubsub.service.service import SERVICE_RELOAD, Service

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

CLOSE_TIMEOUT: Final = 5.0
MISSED_PINGS: Final = 3
PING_TIMEOUT_REASON: Final = "PingTimeout"
FAULT_REASON: Final = "Internal server error"

MAX_REQUESTS: Final = 64
MAX_BYTES: Final = 1024 * 1024


class _Stage(Enum):
    HANDSHAKE = auto()
    DECIDING = auto()
    OPEN = auto()
    CLOSING = auto()
    OVER = auto()


# A member is found faster by these names than through its class; here and elsewhere.
_HANDSHAKE, _DECIDING, _OPEN, _CLOSING, _OVER = _Stage
_TEXT, _BINARY, _CLOSE, _PING = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE, Opcode.PING


class WebSocketProtocol(asyncio.Protocol):
    """One client's socket; uvicorn hands it over when it sees the upgrade."""

    __slots__ = (
        "_closing",
        "_connection",
        "_event",
        "_goodbye",
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
        self._stage = _HANDSHAKE
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._connection: Connection | None = None
        self._parser = FrameParser(service.settings.max_message_bytes)
        self._waiting: WaitingRequests | None = None  # there while requests have to wait
        self._event: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._goodbye: tuple[int | None, str] | None = None  # the client's, once it has been read
        self._pings = 0

    # --- asyncio --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(cast(Any, self))

    def data_received(self, data: bytes) -> None:
        self._pings = 0
        if self._stage is _OPEN or self._stage is _CLOSING:
            self._receive(data)
        elif self._stage is _HANDSHAKE:
            self._start(data)
        elif self._stage is _DECIDING:
            self._cancel_event()
            self._refuse(400, "the client sent frames before its upgrade was answered")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything go: the handler call under way, the timer, the place in the hub.

        A reliable connection waits for its client, and so does the answer to its event.
        """
        self._stage = _OVER
        self._server.connections.discard(cast(Any, self))
        self._shared.discard(self)
        if self._closing is not None:
            self._closing.cancel()
        connection = self._connection
        if connection is not None and connection.transport is self._transport:
            self._service.lost(connection, *(self._goodbye or (None, "")))
        if connection is None or not self._service.goes_on(connection):
            self._cancel_event()

    def pause_writing(self) -> None:
        """Keep what comes now: the client does not read."""
        if self._connection is not None and self._connection.transport is self._transport:
            self._service.delivery.hold(self._connection)

    def resume_writing(self) -> None:
        if self._connection is not None and self._connection.transport is self._transport:
            self._service.delivery.release(self._connection)

    def eof_received(self) -> bool:
        """Close our side too."""
        return False

    def shutdown(self) -> None:
        """Say goodbye, as the server stops (called by uvicorn)."""
        if self._stage is _OPEN and self._connection is not None:
            self.close(Close(self._connection, 1001, SERVICE_RELOAD, SERVICE_RELOAD))
        elif self._stage in (_HANDSHAKE, _DECIDING):
            self._cancel_event()
            self._refuse(503, "the service is stopping")

    def _cancel_event(self) -> None:
        if self._event is not None:
            self._event.cancel()

    # --- handshake ------------------------------------------------------------------------------------

    def _start(self, data: bytes) -> None:
        self._stage = _DECIDING
        self._event = asyncio.get_running_loop().create_task(self._decide(data))

    async def _decide(self, data: bytes) -> None:
        admitted = None
        try:
            request = parse_request(data)
            if request.recovers is None:
                admitted = await self._service.admit(request)
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
        if self._stage is not _DECIDING:
            if admitted is not None:
                self._service.handler.forget(admitted[0].id)
            return  # given up meanwhile, though the handler did not mind being cancelled
        if admitted is None:
            self._recover(request)
            return
        connection, groups = admitted
        self._accept(request, connection)
        self._service.open(connection, groups, self.close)

    def _accept(self, request: ClientRequest, connection: Connection) -> None:
        self._stage = _OPEN
        self._connection = connection
        connection.transport = self._transport
        self._transport.write(accept_response(request.key, connection.subprotocol))
        settings = self._service.settings.hub(connection.hub)
        self._shared.add(self, settings.web_socket_keep_alive_interval_in_seconds)

    def _recover(self, request: ClientRequest) -> None:
        try:
            connection = self._service.recover(request)
        except PeerError as error:
            self._decline(request, error)
            return
        self._accept(request, connection)
        self._service.reopen(connection, self.close)
        before = self._service.events_under_way.get(connection)
        if before is not None:  # its requests are taken one at a time, wherever they came from
            self._work(connection, None, before)

    def _decline(self, request: ClientRequest, error: PeerError) -> None:
        """Refuse a recovery: clients that saw an HTTP error would try again for half a minute."""
        self._stage = _CLOSING
        self._report_refusal(101, str(error))
        subprotocol, _ = choose_subprotocol(request.subprotocols, None)
        self._transport.write(accept_response(request.key, subprotocol) + close_frame(1008, RECOVERY_REFUSED))
        self._let_go()

    def _refuse(self, status: int, message: str, reason: str | None = None) -> None:
        """Refuse the upgrade; ``reason`` is what the trace gets when it is not for the client."""
        if self._stage is _OVER:
            return
        self._stage = _OVER
        self._report_refusal(status, message if reason is None else reason)
        self._transport.write(refuse_response(status, message))
        self._transport.close()

    def _report_refusal(self, status: int, reason: str) -> None:
        detail = {"status": status, "reason": reason}
        self._service.trace.tell(Name.CONNECTION, Phase.FAILED, {}, detail)

    # --- frames ---------------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        if self._goodbye is not None:
            return
        try:
            text = self._parser.receive_text(data)
            if text is not None:
                self._take(True, text)
                return
            for opcode, body in self._parser.receive_data(data):
                if opcode <= _BINARY:
                    self._take(opcode is _TEXT, body)
                elif opcode is _CLOSE:
                    self._goodbye = parse_close(body)
                    if self._waiting is None or self._stage is not _OPEN:
                        self._client_closes(*self._goodbye)
                    return  # else what the client asked for before comes first
                elif opcode is _PING:
                    self._pong(body)
        except ProtocolError as error:
            self._fail(error)

    def _pong(self, body: bytes) -> None:
        if self._connection is not None:
            # By delivery, which cuts off those who send pings and never read the pongs, and drops what
            # comes after the end.
            self._service.delivery.deliver(Deliver(pong_frame(body), (self._connection,)))

    def _take(self, is_text: bool, body: bytes) -> None:
        if self._stage is not _OPEN or self._connection is None:
            return
        if self._waiting is not None:
            if take_sequence_ack(self._connection, is_text, body):
                return
            self._waiting.put(is_text, body)
            if self._waiting.is_over(1):
                self._transport.pause_reading()
            return
        if self._service.delivery.queued > MAX_QUEUED:
            self._work(self._connection, None).put(is_text, body)
            return
        event = self._service.take(self._connection, is_text, body)
        if event is not None or self._service.delivery.is_outrun:
            self._work(self._connection, event)

    def _work(
        self, connection: Connection, event: Raise | None, before: asyncio.Task[Any] | None = None
    ) -> WaitingRequests:
        """Let the requests that come now wait.

        They wait for an event's handler, until delivery has caught up, or for an event that the client
        raised ``before`` its connection was recovered.
        """
        self._waiting = WaitingRequests()
        work = self._take_in_turn(connection, event, self._waiting, before)
        self._event = asyncio.get_running_loop().create_task(work)
        return self._waiting

    async def _take_in_turn(
        self,
        connection: Connection,
        event: Raise | None,
        waiting: WaitingRequests,
        before: asyncio.Task[Any] | None,
    ) -> None:
        """Raise one event, if there is one, then take the requests that came meanwhile, in their order."""
        delivery = self._service.delivery
        try:
            if before is not None:
                await asyncio.wait([before])
            while True:
                if event is not None:
                    await self._service.raise_event(connection, event)
                if delivery.is_outrun or delivery.queued > MAX_QUEUED:
                    await delivery.catch_up()
                if not waiting.requests or connection.transport is not self._transport:  # or it was recovered
                    break
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
        if self._goodbye is not None and connection.transport is self._transport:
            self._client_closes(*self._goodbye)

    # --- the end --------------------------------------------------------------------------------------

    def close(self, effect: Close) -> None:
        """Close from our side: what waits, a word why, the close frame; then the client has 5 seconds."""
        connection = self._connection
        if connection is None or self._stage is not _OPEN:
            return
        self._stage = _CLOSING
        self._service.delivery.release(connection)
        goodbye = connection.codec.disconnected(effect.reason) if effect.code in (1000, 1001) else None
        self._transport.write((goodbye or b"") + close_frame(effect.code, effect.text))
        self._service.closed(connection, effect.code, effect.reason)
        self._let_go()
        if self._goodbye is not None:  # both have said it
            self._transport.close()

    def _let_go(self) -> None:
        self._shared.discard(self)
        self._transport.resume_reading()  # else the client's close frame would never be seen
        self._closing = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _fail(self, error: ProtocolError) -> None:
        """Say why, and look at nothing that the client still sends (RFC 6455, section 7.1.7)."""
        if self._connection is not None:
            self.close(Close(self._connection, error.close_code, str(error), str(error)))
        self._stage = _OVER
        # Closing at once could make the client's system throw away the close frame with what it still sends.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _client_closes(self, code: int | None, reason: str) -> None:
        if self._stage is _OPEN and self._connection is not None:
            self._stage = _CLOSING
            self._service.delivery.release(self._connection)
            self._transport.write(close_frame(code))
            self._service.lost(self._connection, code, reason)
            self._let_go()
        self._stage = _OVER
        self._transport.close()

    def ping(self) -> None:
        """Ping the client; one that was silent for three pings is gone, and a reliable one may come back."""
        if self._stage is not _OPEN or self._connection is None:
            return
        # While we do not read, its pongs cannot be seen.
        self._pings = self._pings + 1 if self._transport.is_reading() else 0
        if self._pings <= MISSED_PINGS:
            self._transport.write(ping_frame())
        elif self._connection.unacked is not None:
            self._transport.abort()
        else:
            self.close(Close(self._connection, 1008, PING_TIMEOUT_REASON, PING_TIMEOUT_REASON))


def protocol_factory(service: Service, keep_alive: KeepAlive) -> Any:
    """Return what uvicorn's ``ws=`` takes: it makes one protocol object a connection.

    uvicorn asks for a class but only ever calls it, hence Any.
    """
    return partial(WebSocketProtocol, service, keep_alive)


class WaitingRequests:
    """Requests of a connection that have to wait: for an event before them, or for delivery.

    Attributes:
        requests: They, in their order: whether each is text, and its body.
    """

    __slots__ = ("_size", "requests")

    def __init__(self) -> None:
        self.requests: deque[tuple[bool, bytes]] = deque()
        self._size = 0

    def put(self, is_text: bool, body: bytes) -> None:
        """Let a request wait behind the others."""
        self.requests.append((is_text, body))
        self._size += len(body)

    def take(self) -> tuple[bool, bytes]:
        request = self.requests.popleft()
        self._size -= len(request[1])
        return request

    def is_over(self, share: int) -> bool:
        """Whether more waits than one ``share``-th of what may."""
        return len(self.requests) * share > MAX_REQUESTS or self._size * share > MAX_BYTES
