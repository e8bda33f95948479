"""The WebSocket shell: an ``asyncio.Protocol`` for one client's socket, from the upgrade on.

It only moves bytes. Whether the client may connect is decided by `Admission`, what its bytes mean by
`Connection`, and what follows from that is done by `Service`.

Source: RFC 6455, section 7.1; client spec, sections 1.7 to 1.9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from webpubsub.model.http import RequestHead
from webpubsub.service.admission import Admission
from webpubsub.service.hub.connection import CLOSE_TIMEOUT, Connection, Ending
from webpubsub.service.service import Service

_AWAIT, _CLOSE, _ = Ending


class WebSocketProtocol(asyncio.Protocol):
    """One client's socket.

    Attributes:
        transport: Its transport.
        connection: Whose it is, once its upgrade is answered.
        admission: Who decides on that until then.
    """

    __slots__ = (
        "_closing",
        "_head",
        "_is_over",
        "_open_sockets",
        "_service",
        "admission",
        "connection",
        "transport",
    )

    def __init__(self, service: Service, head: RequestHead, open_sockets: set[Any]) -> None:
        self._service = service
        self._head: RequestHead | None = head
        self._open_sockets = open_sockets
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.connection: Connection | None = None
        self.admission: Admission | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_over = False  # nothing that comes matters any more

    # --- asyncio --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the upgrade answered."""
        self.transport = cast(asyncio.Transport, transport)
        self._open_sockets.add(self)
        head, self._head = self._head, None
        assert head is not None
        self.admission = Admission(self._service, self)
        self.admission.decide(head)

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        if connection is not None:
            if not self._is_over:
                self._service.take_all(connection, connection.receive(data))
        elif self.admission is not None:
            self.admission.stop(400, "the client sent frames before its upgrade was answered")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything go: the handler call under way, the timer, the place in the hub."""
        self._is_over = True
        self._open_sockets.discard(self)
        if self._closing is not None:
            self._closing.cancel()
        if self.connection is not None:
            self._service.gone(self.connection, self)
        elif self.admission is not None:
            self.admission.drop()

    def pause_writing(self) -> None:
        """Keep what comes now: the client does not read."""
        if self.connection is not None and self.connection.transport is self.transport:
            self._service.delivery.hold(self.connection)

    def resume_writing(self) -> None:
        if self.connection is not None and self.connection.transport is self.transport:
            self._service.delivery.release(self.connection)

    def eof_received(self) -> bool:
        """Close our side too."""
        return False

    def shutdown(self) -> None:
        """Say goodbye, as the server stops."""
        if self.connection is not None:
            self._service.say_goodbye(self.connection)
        elif self.admission is not None:
            self.admission.stop(503, "the service is stopping")

    def end(self, ending: Ending) -> None:
        """End the socket, as everything was written to it."""
        if self._closing is None:
            self.transport.resume_reading()  # else the client's close frame would never be seen
            self._closing = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.transport.abort)
        if ending is _AWAIT:
            return
        self._is_over = True
        if ending is _CLOSE or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()


def web_sockets(service: Service) -> Callable[[RequestHead, set[Any]], WebSocketProtocol]:
    """Return what serves WebSockets: it makes the protocol of one.

    It is given the head of a request that asks for the upgrade, and the set of all that are open; on a stop
    `WebSocketProtocol.shutdown` is to be called for each. The transport's protocol must be set before
    `connection_made`, and what came behind the head goes to `data_received`.
    """
    return partial(WebSocketProtocol, service)
