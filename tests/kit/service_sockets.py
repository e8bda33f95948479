"""A service without sockets, as a server would run it, and clients with their ends of fake ones."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from kit.service_peers import (
    CLOSE,
    JSON_V1,
    TEXT,
    Handler,
    Socket,
    client_frame,
    serve,
    settings,
    token,
    turns,
)
from webpubsub.model.events import DisconnectedEventRequest
from webpubsub.model.http import RequestHead
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.service.hub.connection import CLOSE_TIMEOUT, Connection
from webpubsub.service.websocket import WebSocketProtocol, web_sockets

ALL = "connect", "connected", "disconnected"
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)
ALICE = token(
    sub="alice",
    role=["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"],
    webpubsub_group=["g"],
)


def upgrade(
    client_token: str | None = ALICE, *, target: str = "/client/hubs/chat", **headers: str
) -> RequestHead:
    lines = {
        "Host": "localhost:8080",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    query = "" if client_token is None else f"?access_token={client_token}"
    fields = [(name.lower().encode(), value.encode()) for name, value in lines.items()]
    return RequestHead("GET", f"{target}{query}".encode(), fields)


class Server:
    """A service without sockets, as a server would run it."""

    def __init__(self, handler: Handler | None = None, *events: Any) -> None:
        self.handler = handler or Handler()
        self.traced: list[TraceEvent] = []
        self.service = serve(settings(*(events or ALL)), self.handler, trace=Trace(self.traced.append))
        self.open_sockets: set[WebSocketProtocol] = set()
        self.make = web_sockets(self.service)

    async def connect(self, request: RequestHead | None = None, *, wait: bool = True) -> Client:
        head = upgrade(Sec_WebSocket_Protocol=JSON_V1) if request is None else request
        protocol = self.make(head, self.open_sockets)
        client = Client(protocol)
        protocol.connection_made(client.socket)
        if wait:
            await turns()
        return client

    async def open(self, *, simple: bool = False) -> Client:
        """A client behind its greeting."""
        client = await self.connect(upgrade() if simple else None)
        assert client.socket.take().startswith(ACCEPTED)
        return client

    def assert_nothing_is_left(self) -> None:
        assert self.service.hubs == {}
        assert self.service._notifications == {}
        assert self.service._events == set()
        assert self.open_sockets == set()
        assert not any(self.service.keep_alive._shares)

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.handler.events if isinstance(event, DisconnectedEventRequest)]


class Client:
    """A client: its end of the socket."""

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self.protocol = protocol
        self.socket = Socket()

    async def send(self, *frames: bytes) -> None:
        self.protocol.data_received(b"".join(frames))
        await turns()

    async def say(self, *bodies: str) -> None:
        await self.send(*(client_frame(TEXT, body.encode()) for body in bodies))

    def lose(self, error: Exception | None = None) -> None:
        self.protocol.connection_lost(error)

    @property
    def connection(self) -> Connection:
        connection = self.protocol.connection
        assert connection is not None
        return connection

    def close_timer(self) -> asyncio.TimerHandle:
        timer = self.protocol._closing
        assert timer is not None
        assert timer._callback == self.socket.abort  # type: ignore[attr-defined]
        assert timer.when() - asyncio.get_running_loop().time() == pytest.approx(CLOSE_TIMEOUT, abs=1)
        return timer

    @property
    def closed_with(self) -> tuple[int, str]:
        """Code and reason of the close frame, the last one written."""
        head, body = self.socket.frames()[-1]
        assert head == CLOSE
        return struct.unpack("!H", body[:2])[0], body[2:].decode()


def closing(code: int | None, reason: str = "") -> bytes:
    return client_frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())
