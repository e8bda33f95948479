"""A client of one HTTP connection: on a fake socket, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from kit.service_peers import Socket, turns
from webpubsub.http.asgi import ClientGone, receive_body, send_answer
from webpubsub.http.protocol import HttpConnection
from webpubsub.http.server import HttpServer
from webpubsub.model.http import FastLane, HttpAnswer, HttpBounds, LaneHandler, RawHeaders, RequestHead
from webpubsub.model.trace import Trace, TraceEvent

START: Final = 1000.0  # of the clock of time limits
EPOCH: Final = 1_764_000_000.0
DATE: Final = b"date: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
PEER: Final = ("192.0.2.1", 50_000)
HERE: Final = ("192.0.2.80", 8080)

Seen = tuple[str, bytes, RawHeaders, bytes]
"""What an application saw of a request: method, target, headers, body."""


class Wire(Socket):
    """A socket as asyncio's are: what comes while reading is paused waits, and who reads hears of its end.

    Attributes:
        protocol: Whose data it is; it changes in an upgrade.
    """

    protocol: asyncio.Protocol

    def __init__(self) -> None:
        super().__init__()
        self._inbox: deque[bytes] = deque()
        self._is_lost = False

    def feed(self, *pieces: bytes) -> None:
        """Let the client send pieces."""
        self._inbox.extend(piece for piece in pieces if piece)
        self._deliver()

    def _deliver(self) -> None:
        while self._inbox and self.reading and not self.is_closing():
            self.protocol.data_received(self._inbox.popleft())

    def leave(self, error: Exception | None = None) -> None:
        """Let the connection be gone."""
        if not self._is_lost:
            self._is_lost = True
            self.ended.append("lost")
            self.protocol.connection_lost(error)

    def stall(self, size: int) -> None:
        """Let the client read nothing more, so that ``size`` bytes wait for it."""
        self.buffered = size
        self.protocol.pause_writing()

    def drain(self) -> None:
        """Let the client read all that waits."""
        self.buffered = 0
        self.protocol.resume_writing()
        if self.is_closing():
            asyncio.get_running_loop().call_soon(self._lose)

    def write(self, data: Any) -> None:
        assert not self.ended, f"written after the end: {bytes(data)!r}"
        super().write(data)

    def write_eof(self) -> None:
        assert not self.ended
        super().write_eof()

    def resume_reading(self) -> None:
        super().resume_reading()
        if self._inbox:
            asyncio.get_running_loop().call_soon(self._deliver)

    def close(self) -> None:
        """Close behind what is not sent yet."""
        super().close()
        if not self.buffered:
            asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        super().abort()
        asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.protocol.connection_lost(None)

    def is_closing(self) -> bool:
        return self._is_lost or any(end != "eof" for end in self.ended)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": PEER, "sockname": HERE}.get(name, default)


class WebSocket(asyncio.Protocol):
    """What goes on with an upgraded socket: it keeps what comes.

    Attributes:
        head: The request.
        received: What came behind it.
    """

    def __init__(self, head: RequestHead, open_sockets: set[Any]) -> None:
        self.head = head
        self.received = bytearray()
        self._open_sockets = open_sockets

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_sockets.add(self)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_sockets.discard(self)


class Client:
    """A client of one connection to an application.

    Attributes:
        server: The server, whose clock stands still until `after`.
        wire: The socket.
        upgraded: The WebSockets that the connection became: at most one.
        told: What the trace was told.
    """

    def __init__(
        self,
        app: Any,
        *,
        lane: FastLane | None = None,
        bounds: HttpBounds | None = None,
        takes_web_sockets: bool = True,
    ) -> None:
        self.upgraded: list[WebSocket] = []
        self.told: list[TraceEvent] = []
        self.server = HttpServer(
            app,
            lane=lane,
            web_sockets=self._web_socket if takes_web_sockets else None,
            trace=Trace(self.told.append),
            bounds=bounds,
        )
        self._others: list[Client] = []
        self._seconds = 0.0
        self.after(0)
        self._connect()

    def _connect(self) -> None:
        self.wire = Wire()
        self.http = HttpConnection(self.server)
        self.wire.protocol = self.http
        self.http.connection_made(self.wire)

    def another(self) -> Client:
        """Return a client of another connection to the same server, whose clock this one moves."""
        other = copy.copy(self)
        other._connect()
        self._others.append(other)
        return other

    def _web_socket(self, head: RequestHead, open_sockets: set[Any]) -> asyncio.Protocol:
        self.upgraded.append(WebSocket(head, open_sockets))
        return self.upgraded[-1]

    async def ask(self, *pieces: bytes) -> bytes:
        """Send pieces, and return what was answered since the last look."""
        self.wire.feed(*pieces)
        await turns(30)
        return self.wire.take()

    def after(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds
        self.server.tick(START + self._seconds, EPOCH)

    @property
    def ended(self) -> list[str]:
        """How the server has ended the connection."""
        return self.wire.ended

    @property
    def messages(self) -> list[str]:
        """The words that the trace was told."""
        return [event.detail["message"] for event in self.told]

    async def finish(self) -> None:
        """Leave; whatever ends a connection, the server keeps nothing of it."""
        for client in (self, *self._others):
            client.wire.leave()
        await turns()
        for task in (tasks := list(self.server.tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        await turns(2)
        assert self.server.tasks == set()
        assert self.server.connections == set()
        assert self.server.open_sockets == set()
        assert self.server.held == 0


Connect = Callable[..., Client]
"""Makes a `Client`, which is finished with the test."""


class Recorder:
    """An application with two doors that remembers what it saw, and answers with its number and its body.

    Attributes:
        seen: The requests, in their order.
        by: Through which door each came.
        has_lane: Whether the lane takes requests.
    """

    def __init__(self, *, has_lane: bool = True) -> None:
        self.seen: list[Seen] = []
        self.by: list[str] = []
        self.has_lane = has_lane

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | None:
        def handle(body: bytes) -> HttpAnswer:
            self.by.append("lane")
            return self._answer(method, target, headers, body)

        return handle if self.has_lane else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await receive_body(receive, 10_000_000)
        except ClientGone:
            return
        assert body is not None
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        self.by.append("asgi")
        await send_answer(self._answer(scope["method"], target, scope["headers"], body), send)

    def _answer(self, method: str, target: bytes, headers: RawHeaders, body: bytes) -> HttpAnswer:
        self.seen.append((method, target, list(headers), body))
        return HttpAnswer(200, (), b"%d %b" % (len(self.seen), body))


# --- bytes --------------------------------------------------------------------------------------------


def cut(data: bytes, edges: Iterable[int]) -> list[bytes]:
    """Return ``data`` in pieces that end at the edges."""
    whole = [0, *sorted(min(edge, len(data)) for edge in edges), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(whole) if a < b]


def cuttings(data: bytes, seed: int) -> dict[str, list[bytes]]:
    """Return the ways in which tests cut what they send."""
    rng = random.Random(seed)
    return {
        "in one piece": [data],
        "byte by byte": [data[at : at + 1] for at in range(len(data))],
        **{
            f"cut at random, {number}": cut(data, rng.choices(range(len(data) + 1), k=rng.randint(1, 6)))
            for number in range(4)
        },
    }


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of answers whose bodies have no line of status."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def sorted_heads(answers: bytes) -> bytes:
    """Return the answers with the headers of each in one order."""
    return re.sub(
        rb"(HTTP/1.1 [^\r]*\r\n)(.*?)\r\n\r\n",
        lambda head: head[1] + b"\r\n".join(sorted(head[2].split(b"\r\n"))) + b"\r\n\r\n",
        answers,
        flags=re.DOTALL,
    )
