"""The HTTP server on real sockets of both loops: their transports pause, close and fail in different ways."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.certificates import make_certificate
from kit.http_wire import WebSocket, statuses
from webpubsub.http.asgi import ClientGone, receive_body, send_answer
from webpubsub.http.server import HttpServer
from webpubsub.model.http import HttpAnswer, LaneHandler, RawHeaders
from webpubsub.server.serving import bind
from webpubsub.server.tls import Tls, context_of

GET = b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
LARGE = 8_000_000
SECONDS = 20.0


class App:
    """An application with two doors.

    ``/later`` is answered once `let_go` is set, ``/large`` at length, ``/early`` before its body, ``/no`` by
    the head alone.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.finished = 0

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | HttpAnswer | None:
        if target == b"/no":
            return HttpAnswer(401)
        if target in {b"/now", b"/later"}:
            return lambda _: HttpAnswer(200) if target == b"/now" else self._later()
        return None

    async def _later(self) -> HttpAnswer:
        self.asked.set()
        await self.let_go.wait()
        self.finished += 1
        return HttpAnswer(200, (), b"later")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        try:
            body = None if path == "/early" else await receive_body(receive, 100_000_000)
        except ClientGone:
            return
        if path == "/large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(LARGE // 100_000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await send({"type": "http.response.body"})
            self.finished += 1
        elif path == "/asgi/later":
            await send_answer(await self._later(), send)
        else:
            await send_answer(HttpAnswer(413 if body is None else 200), send)


class Running:
    """A server that runs.

    Attributes:
        app: What it serves.
        port: Where.
        server: The server.
        upgraded: The WebSockets.
    """

    def __init__(self) -> None:
        self.app = App()
        self.port = 0
        self.upgraded: list[WebSocket] = []
        self.server = HttpServer(self.app, lane=self.app, web_sockets=self._web_socket)

    def _web_socket(self, head: Any, open_sockets: set[Any]) -> asyncio.Protocol:
        self.upgraded.append(WebSocket(head, open_sockets))
        return self.upgraded[-1]

    async def open(
        self, tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls)


async def until(holds: Callable[[], bool]) -> None:
    """Return when something holds that nobody tells of."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running(tls: Tls | None = None) -> AsyncIterator[Running]:
    """Run a server, of which nothing goes wrong out of sight and nothing is left."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    run = Running()
    listener = bind("127.0.0.1", 0, "")
    run.port = listener.getsockname()[1]
    await run.server.start(listener, context_of(tls))
    try:
        yield run
        await until(lambda: not run.server.connections and not run.server.tasks)
        assert run.server.held == 0
    finally:
        run.app.let_go.set()
        await run.server.stop(0.5)
    await asyncio.sleep(0)
    assert failures == []


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection without a goodbye."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SECONDS):
        return await reader.read()


async def test_requests_one_behind_the_other() -> None:
    async with running() as run:
        reader, writer = await run.open()
        run.app.let_go.set()
        writer.write((GET + LATER) * 1000 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(await read(reader)) == [200] * 2001
        writer.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"junk\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000, 431),
        (b"POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", 401),
        (b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n", 400),
    ],
    ids=["no HTTP", "a giant head", "by the head", "by the application", "no chunks"],
)
async def test_a_refusal_reaches_who_goes_on_sending(head: bytes, status: int) -> None:
    """Its system throws away what it has received when a packet meets a closed socket."""
    async with running() as run:
        reader, writer = await run.open()
        writer.write(head)
        for _ in range(40):
            writer.write(b"x" * 10_000)
            await asyncio.sleep(0)
        answer = await read(reader)
        assert statuses(answer) == [status]
        assert b"\r\nconnection: close\r\n" in answer
        writer.close()


async def test_a_large_body_and_a_large_answer() -> None:
    async with running() as run:
        reader, writer = await run.open()
        writer.write(
            b"POST /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % LARGE
        )
        writer.write(b"x" * LARGE)
        answer = await read(reader)
        assert answer.count(b"\r\n186a0\r\n") == LARGE // 100_000
        assert answer.endswith(b"\r\n0\r\n\r\n")
        writer.close()


async def test_an_answer_waits_for_who_reads_slowly() -> None:
    async with running() as run:
        reader, writer = await run.open()
        writer.write(GET.replace(b"/now", b"/large"))
        await reader.readexactly(100_000)
        await asyncio.sleep(0.05)
        assert run.app.finished == 0, "it is not all in memory"
        connection: Any
        [connection] = run.server.connections
        assert connection.is_write_paused
        await reader.readexactly(LARGE - 100_000)
        writer.close()


SENT = {
    "nothing": b"",
    "a part of a head": GET[:10],
    "a part of a body": b"POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
    "a part of a body by ASGI": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx",
    "a request": LATER,
    "a request by ASGI": LATER.replace(b"/later", b"/asgi/later"),
    "a request with others behind": LATER + GET * 3,
    "a request by ASGI with others behind": LATER.replace(b"/later", b"/asgi/later")
    + LATER
    + b"junk\r\n\r\n",
    "a request for much": GET.replace(b"/now", b"/large"),
    "junk": b"junk\r\n\r\n",
}


@pytest.mark.parametrize("is_reset", [False, True], ids=["goes", "breaks"])
@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
async def test_a_client_that_leaves_whatever_it_has_asked(sent: bytes, is_reset: bool) -> None:
    async with running() as run:
        _, writer = await run.open()
        writer.write(sent)
        await asyncio.sleep(0.02)
        if is_reset:
            reset(writer)
        else:
            writer.close()
        await asyncio.sleep(0.02)
        run.app.let_go.set()


async def test_an_upgrade_keeps_the_socket() -> None:
    async with running() as run:
        _, writer = await run.open()
        writer.write(
            GET + b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes"
        )
        await until(lambda: bool(run.upgraded) and run.upgraded[0].received == b"frames")
        assert run.server.open_sockets == {run.upgraded[0]}
        writer.write(b", and more")
        await until(lambda: run.upgraded[0].received == b"frames, and more")
        writer.close()
        await until(lambda: not run.server.open_sockets)


async def test_a_stop_ends_what_is_idle_at_once_and_what_is_asked_behind_the_answer() -> None:
    async with running() as run:
        idle, idle_writer = await run.open()
        reader, writer = await run.open()
        idle_writer.write(GET[:5])
        writer.write(LATER + GET)
        await run.app.asked.wait()
        stopping = asyncio.create_task(run.server.stop(SECONDS))
        assert await read(idle) == b""
        assert not stopping.done()
        run.app.let_go.set()
        assert statuses(await read(reader)) == [200]
        idle_writer.close()
        writer.close()
        await stopping


async def test_a_stop_breaks_what_does_not_end_in_time() -> None:
    async with running() as run:
        _, writer = await run.open()
        writer.write(GET.replace(b"/now", b"/large"))
        connections: set[Any] = run.server.connections
        await until(lambda: any(connection.is_write_paused for connection in connections))
        await run.server.stop(0.05)
        await asyncio.sleep(0)
        assert run.server.connections == set()
        writer.close()


async def test_tls(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=made.certfile)
    async with running(Tls(made.certfile, made.keyfile)) as run:
        assert run.server.scheme == "https"
        reader, writer = await run.open(trusting)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % LARGE + b"x" * LARGE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        run.app.let_go.set()
        writer.write((GET + LATER) * 100 + b"junk\r\n\r\n")
        assert statuses(await read(reader)) == [200] * 200 + [400]
        writer.close()
        _, writer = await run.open(trusting)
        writer.write(LATER + GET)
        await asyncio.sleep(0.02)
        reset(writer)


async def test_who_speaks_no_tls_where_it_is_spoken_and_the_other_way_round(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    async with running() as run:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await run.open(ssl.create_default_context(cafile=made.certfile))
    async with running(Tls(made.certfile, made.keyfile)) as run:
        reader, writer = await run.open()
        writer.write(GET)
        assert b"HTTP" not in await read(reader)
        writer.close()
