"""Where the servers listen, and under which name."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from kit.certificates import make_certificate
from webpubsub.http import server as http_server
from webpubsub.http.server import HttpServer
from webpubsub.model.errors import ConfigurationError
from webpubsub.server.ending import LAST_SECONDS, Grace
from webpubsub.server.serving import bind, reachable_url, shown_url
from webpubsub.server.tls import Tls, context_of


@pytest.mark.parametrize(
    ("host", "shown", "reachable"),
    [
        ("127.0.0.1", "http://localhost", "http://127.0.0.1"),
        ("localhost", "http://localhost", "http://127.0.0.1"),
        ("127.0.0.2", "http://127.0.0.2", "http://127.0.0.2"),
        ("0.0.0.0", "http://localhost", "http://127.0.0.1"),
        ("::1", "http://[::1]", "http://[::1]"),
        ("::", "http://localhost", "http://[::1]"),
    ],
)
def test_each_address_has_a_url_for_people_and_one_that_this_machine_reaches(
    host: str, shown: str, reachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "localhost":  # which address it is differs between machines
        found = socket.getaddrinfo("127.0.0.1", 0, type=socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    try:
        listener = bind(host, 0, "")
    except ConfigurationError as error:
        pytest.skip(str(error))  # a machine without IPv6, or with only one loopback address
    with listener:
        port = listener.getsockname()[1]
        assert shown_url(listener, host) == f"{shown}:{port}"
        assert shown_url(listener, host, Tls(Path("c"), Path("k"))) == f"https{shown[4:]}:{port}"
        assert reachable_url(listener) == f"{reachable}:{port}"


def test_a_taken_port_is_told_with_the_way_out() -> None:
    with bind("127.0.0.1", 0, "") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=f"127.0.0.1:{port}: Address already in use; take another"
        ):
            bind("127.0.0.1", port, "take another")


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.7"])
def test_an_address_of_elsewhere_is_told(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"give an address of this machine with --host$"):
        bind(host, 0, "take another port")


async def test_a_server_stops_in_time_though_a_request_ignores_being_cancelled() -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def stubborn(_scope: Any, _receive: Any, send: Any) -> None:
        asked.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    listener = bind("127.0.0.1", 0, "")
    server = HttpServer(stubborn)
    await server.start(listener)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    await asked.wait()
    before = time.monotonic()
    await server.stop(0.2)
    assert 0.2 <= time.monotonic() - before < 2
    let_go.set()
    writer.close()


async def test_a_server_stops_though_a_client_never_closes_its_side_of_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone that is out of reach: without TLS nobody would wait for it either."""
    monkeypatch.setattr(http_server, "CLOSE_SECONDS", 0.2)
    made = make_certificate(tmp_path)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    listener = bind("127.0.0.1", 0, "")
    server = HttpServer(app)
    await server.start(listener, context_of(Tls(made.certfile, made.keyfile)))
    trusting = ssl.create_default_context(cafile=made.certfile)
    reader, writer = await asyncio.open_connection(*listener.getsockname(), ssl=trusting)
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 204 No Content\r\n"
    assert isinstance(writer.transport, asyncio.ReadTransport)
    writer.transport.pause_reading()
    before = time.monotonic()
    await server.stop(60)
    assert 0.2 <= time.monotonic() - before < 5
    writer.transport.abort()


def test_all_steps_of_stopping_share_one_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    grace = Grace(20 + LAST_SECONDS)
    now = 1000.0
    assert grace.half() == 10, "it counts from the first question on"
    now += 10
    assert (grace.left(), grace.half()) == (10, 5)
    now += 11
    assert (grace.left(), grace.half()) == (0, 0)
