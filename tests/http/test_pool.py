"""Calls over real sockets, to a server that says what a test has written."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kit.scripted_server import (
    ACCEPTED,
    OK,
    ScriptedServer,
    be_silent,
    hang_up,
    reset,
    scripted_server,
    then_close,
)
from webpubsub.http import (
    Crowded,
    HttpPool,
    InvalidAnswer,
    InvalidCall,
    NotReached,
    Response,
    Unanswered,
    parse_url,
)
from webpubsub.model.http import CallBounds

MAX_BODY = 1000


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as made:
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    made = HttpPool(max_body=MAX_BODY)
    yield made
    await made.close()


async def post(pool: HttpPool, server: ScriptedServer, path: str = "/", **given: object) -> Response:
    return await pool.request("POST", parse_url(server.url(path)), **given)  # type: ignore[arg-type]


# --- what is written ----------------------------------------------------------------------------------


async def test_a_request_on_the_wire(pool: HttpPool, server: ScriptedServer) -> None:
    headers = [("Content-Type", "text/plain"), ("ce-userId", "Zo\u00eb"), ("empty", "")]
    found = await post(pool, server, "/a%2fb/{x}?code=k", headers=headers, body=b"hi\r\n")
    assert (found.status, found.body) == (200, b"ok")
    assert server.requests == [
        b"POST /a%2fb/%7Bx%7D?code=k HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(server.port).encode() + b"\r\n"
        b"User-Agent: webpubsub\r\n"
        b"Content-Type: text/plain\r\n"
        b"ce-userId: Zo\xc3\xab\r\n"
        b"empty: \r\n"
        b"Content-Length: 4\r\n"
        b"\r\n"
        b"hi\r\n"
    ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("POST", b"", b"0"),
        ("PUT", b"", b"0"),
        ("DELETE", b"", b"0"),
        ("GET", b"", None),
        ("HEAD", b"", None),
        ("OPTIONS", b"", None),
        ("OPTIONS", b"x", b"1"),
    ],
)
async def test_lengths(
    pool: HttpPool, server: ScriptedServer, method: str, body: bytes, length: bytes | None
) -> None:
    server.scripts = [[ACCEPTED]]
    await pool.request(method, parse_url(server.url()), body=body)
    lines = server.requests[0].split(b"\r\n")
    assert [line for line in lines if line.startswith(b"Content-Length")] == (
        [] if length is None else [b"Content-Length: " + length]
    )


async def test_user_and_password_of_a_url_are_sent_unless_there_is_an_authorization(
    pool: HttpPool, server: ScriptedServer
) -> None:
    url = parse_url(server.url(host="u:p@127.0.0.1"))
    await pool.request("POST", url)
    await pool.request("POST", url, [("authorization", "Bearer t")])
    first, second = server.requests
    assert b"\r\nAuthorization: Basic dTpw\r\n" in first
    assert b"\r\nauthorization: Bearer t\r\n" in second
    assert b"Basic" not in second


@pytest.mark.parametrize(
    "headers",
    [
        [("a", "b\r\nc: d")],
        [("a", "b\nc")],
        [("a", "b\rc")],
        [("a\r\nb", "c")],
        [("a", "b\0")],
        [("a", "b"), ("c", "\r\n")],
        [("a", "\ud800")],
    ],
)
async def test_what_no_header_may_have_is_refused(
    pool: HttpPool, server: ScriptedServer, headers: list[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidCall, match="a header has a "):
        await post(pool, server, headers=headers)
    assert server.connections == []


async def test_a_large_body_goes_out_whole(pool: HttpPool, server: ScriptedServer) -> None:
    body = bytes(range(256)) * 40_000  # 10 MB
    await post(pool, server, body=body)
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


# --- which connection ---------------------------------------------------------------------------------


async def test_one_after_the_other_takes_the_same_connection(pool: HttpPool, server: ScriptedServer) -> None:
    for path in ("/a", "/b", "/c"):
        await post(pool, server, path)
    assert [len(requests) for requests in server.connections] == [3]


async def test_as_many_connections_as_calls_and_the_last_used_is_the_next(
    pool: HttpPool, server: ScriptedServer
) -> None:
    gate, waiting = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.release()
        await gate.wait()
        writer.write(OK)

    pool.bounds = CallBounds(max_connections=150)
    server.scripts = [[wait, OK, OK] for _ in range(150)]
    calls = [asyncio.create_task(post(pool, server)) for _ in range(150)]
    for _ in calls:
        await waiting.acquire()
    gate.set()
    await asyncio.gather(*calls)
    await post(pool, server)
    await post(pool, server)
    assert sorted(len(requests) for requests in server.connections) == [1] * 149 + [3]


async def test_other_origins_have_other_connections(pool: HttpPool, server: ScriptedServer) -> None:
    async with scripted_server() as other:
        for one in (server, other, server):
            await post(pool, one)
        assert [len(requests) for requests in server.connections] == [2]
        assert [len(requests) for requests in other.connections] == [1]


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more",
        then_close(b"HTTP/1.1 200 OK\r\n\r\nok"),
    ],
)
async def test_a_connection_that_ends_is_not_used_again(
    pool: HttpPool, server: ScriptedServer, last: bytes
) -> None:
    server.scripts = [[last, OK]]
    for _ in range(2):
        assert (await post(pool, server)).body == b"ok"
    assert [len(requests) for requests in server.connections] == [1, 1]


async def test_a_connection_on_which_something_comes_unasked_is_not_used_again(
    pool: HttpPool, server: ScriptedServer
) -> None:
    async def answer_and_go_on(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await came.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    came = asyncio.Event()
    server.scripts = [[answer_and_go_on, OK]]
    await post(pool, server)
    came.set()
    await server.closed.wait()
    assert (await post(pool, server)).status == 200
    assert len(server.connections) == 2


async def test_an_idle_connection_is_closed(server: ScriptedServer) -> None:
    pool = HttpPool(max_body=MAX_BODY, idle_seconds=0.02)
    await post(pool, server)
    await server.closed.wait()
    await post(pool, server)
    assert len(server.connections) == 2
    await pool.close()


async def test_a_connection_in_use_is_not_idle(server: ScriptedServer) -> None:
    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(OK)

    pool = HttpPool(max_body=MAX_BODY, idle_seconds=0.02)
    server.scripts = [[OK, wait]]
    await post(pool, server)
    assert (await post(pool, server)).status == 200
    assert len(server.connections) == 1
    await pool.close()


async def test_closing_ends_what_is_under_way_and_a_closed_pool_opens_again(
    pool: HttpPool, server: ScriptedServer
) -> None:
    """The request that is under way may have been done, so it is not repeated."""
    server.scripts = [[OK, be_silent]]
    await post(pool, server)
    call = asyncio.create_task(post(pool, server, may_repeat=True))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(NotReached) as caught:
        await call
    assert not isinstance(caught.value, Unanswered)
    assert len(server.connections) == 1
    assert (await post(pool, server)).status == 200
    await pool.close()
    await pool.close()


# --- what comes back ----------------------------------------------------------------------------------


async def test_head(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", OK]]
    found = await pool.request("HEAD", parse_url(server.url()))
    assert (found.status, found.body) == (200, b"")
    assert (await post(pool, server)).body == b"ok"
    assert len(server.connections) == 1


async def test_a_redirection_is_an_answer(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"]]
    found = await post(pool, server)
    assert (found.status, found.last(b"location")) == (302, "/other")
    assert len(server.requests) == 1


async def test_an_answer_before_the_request_is_written(pool: HttpPool, server: ScriptedServer) -> None:
    """The rest of the request is still on its way, so this connection is over."""
    answered = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await answered.wait()
        await reader.read()

    server.scripts = [[refuse]]
    assert (await post(pool, server, body=bytes(50_000_000))).status == 413
    answered.set()
    assert (await post(pool, server)).status == 200
    assert len(server.connections) == 2


async def test_of_a_long_answer_the_rest_is_not_read(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + bytes(MAX_BODY + 1)]]
    assert len((await post(pool, server)).body) == MAX_BODY + 1
    await server.closed.wait()


@pytest.mark.parametrize(
    "answer",
    [
        b"not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nA: " + bytes(70_000),
    ],
)
async def test_what_is_no_answer_ends_the_connection(
    pool: HttpPool, server: ScriptedServer, answer: bytes
) -> None:
    server.scripts = [[answer, OK]]
    with pytest.raises(InvalidAnswer):
        await post(pool, server, may_repeat=True)
    assert (await post(pool, server)).body == b"ok"
    assert [len(requests) for requests in server.connections] == [1, 1]


# --- when it does not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_who_hangs_up_has_not_answered(
    pool: HttpPool, server: ScriptedServer, end: Callable[..., object]
) -> None:
    server.scripts = [[end]]  # type: ignore[list-item]
    with pytest.raises(Unanswered, match=f"127.0.0.1:{server.port} closed the connection"):
        await post(pool, server, "/?code=SECRET", may_repeat=True)
    assert len(server.requests) == 1, "a new connection is no reason to repeat a request"


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_a_kept_connection_that_ended_is_a_reason_for_those_who_say_so(
    pool: HttpPool, server: ScriptedServer, end: Callable[..., object]
) -> None:
    server.scripts = [[OK, end]]  # type: ignore[list-item]
    await post(pool, server, "/first")
    assert (await post(pool, server, "/second", may_repeat=True)).status == 200
    assert [[request.split()[1] for request in requests] for requests in server.connections] == [
        [b"/first", b"/second"],
        [b"/second"],
    ]


async def test_a_request_is_not_repeated_a_second_time(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[OK, hang_up], [hang_up]]
    await post(pool, server)
    with pytest.raises(Unanswered):
        await post(pool, server, may_repeat=True)
    assert len(server.requests) == 3


async def test_a_request_is_not_repeated_for_those_who_do_not_say_so(
    pool: HttpPool, server: ScriptedServer
) -> None:
    server.scripts = [[OK, hang_up]]
    await post(pool, server)
    with pytest.raises(Unanswered):
        await post(pool, server)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"]
)
async def test_an_answer_that_is_cut_off_is_not_asked_for_again(
    pool: HttpPool, server: ScriptedServer, part: bytes
) -> None:
    server.scripts = [[OK, then_close(part)]]
    await post(pool, server)
    with pytest.raises(NotReached) as caught:
        await post(pool, server, may_repeat=True)
    assert not isinstance(caught.value, Unanswered)
    assert len(server.requests) == 2


async def test_an_idle_connection_that_was_closed_is_not_used(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[then_close(OK)]]
    await post(pool, server)
    await server.closed.wait()
    await asyncio.sleep(0.01)  # until the end is read here
    assert (await post(pool, server)).status == 200


async def test_an_idle_connection_that_just_ended_is_not_used(pool: HttpPool, server: ScriptedServer) -> None:
    await post(pool, server)
    [kept] = pool._connections
    kept._transport.abort()  # of which the pool hears in the loop's next turn
    assert (await post(pool, server)).status == 200
    assert len(server.connections) == 2


async def test_who_is_cancelled_ends_the_connection(pool: HttpPool, server: ScriptedServer) -> None:
    server.scripts = [[be_silent]]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await post(pool, server)
    await server.closed.wait()
    assert (await post(pool, server)).status == 200
    assert len(server.connections) == 2


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_while_it_connects_leaves_nothing_open(
    pool: HttpPool, server: ScriptedServer, turns: int
) -> None:
    server.scripts = [[be_silent]]
    call = asyncio.create_task(post(pool, server))
    for _ in range(turns):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(pool.close(), 5)
    if server.connections:
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_nobody_listens(pool: HttpPool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(NotReached, match=f"^127.0.0.1 port {port}: .*Connect") as caught:
        await pool.request("POST", parse_url(f"http://127.0.0.1:{port}/?code=SECRET"))
    assert "SECRET" not in str(caught.value)


async def test_an_address_that_does_not_answer(
    pool: HttpPool, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webpubsub.http.urls.CONNECT_SECONDS", 0.02)
    monkeypatch.setattr(
        asyncio.get_running_loop(), "create_connection", lambda *_, **__: asyncio.Event().wait()
    )
    with pytest.raises(NotReached, match=f"^127.0.0.1 port {server.port}: it does not answer$"):
        await post(pool, server)


async def test_no_such_name(pool: HttpPool) -> None:
    with pytest.raises(NotReached, match=r"^no-such-host.invalid: "):
        await pool.request("GET", parse_url("http://no-such-host.invalid/"))


async def test_every_address_of_a_name_is_tried(
    pool: HttpPool, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def addresses(*_: object, **__: object) -> list[object]:
        found = [(kind, ("127.0.0.2", server.port)) for kind in (1, 2)]  # twice, as for TCP and UDP
        return [(None, kind, None, "", at) for kind, at in [*found, (1, ("127.0.0.1", server.port))]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", addresses)
    assert (await pool.request("GET", parse_url(server.url(host="a.example")))).status == 200
    assert b"Host: a.example:" in server.requests[0]


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
async def test_an_ipv6_address(pool: HttpPool) -> None:
    try:
        context = scripted_server("::1")
        server = await context.__aenter__()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert (await pool.request("GET", parse_url(server.url(host="[::1]")))).status == 200
    assert server.requests[0].startswith(b"GET / HTTP/1.1\r\nHost: [::1]:%d\r\n" % server.port)
    await context.__aexit__(None, None, None)


# --- TLS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, need_package: Callable[..., None]) -> Path:
    """Return a file with key and certificate of ``localhost``."""
    need_package("cryptography", install='pip install "webpubsub[identity]"')
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def tls_server(certificate: Path) -> AsyncIterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with scripted_server(tls=context) as made:
        made.names = names  # type: ignore[attr-defined]
        yield made
    gc.collect()


async def test_https(tls_server: ScriptedServer, certificate: Path) -> None:
    pool = HttpPool(max_body=MAX_BODY, tls=ssl.create_default_context(cafile=certificate))
    for _ in range(2):
        found = await pool.request("POST", parse_url(tls_server.url("/a", "https", "localhost")), body=b"x")
        assert (found.status, found.body) == (200, b"ok")
    await pool.close()
    assert [len(requests) for requests in tls_server.connections] == [2]
    assert tls_server.names == ["localhost"]  # type: ignore[attr-defined]


async def test_https_by_another_name(tls_server: ScriptedServer, certificate: Path) -> None:
    pool = HttpPool(max_body=MAX_BODY, tls=ssl.create_default_context(cafile=certificate))
    with pytest.raises(NotReached, match=r"certificate verify failed: IP address mismatch"):
        await pool.request("GET", parse_url(tls_server.url("/", "https")))
    await pool.close()


async def test_https_of_somebody_the_system_does_not_know(pool: HttpPool, tls_server: ScriptedServer) -> None:
    with pytest.raises(NotReached, match=r"certificate verify failed"):
        await pool.request("GET", parse_url(tls_server.url("/", "https", "localhost")))


async def test_https_where_there_is_none(pool: HttpPool) -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NotReached, match=f"127.0.0.1 port {port}: "):
        await pool.request("GET", parse_url(f"https://127.0.0.1:{port}/"))
    server.close()


# --- more calls than connections ----------------------------------------------------------------------


def places_of(pool: HttpPool) -> list[tuple[int, int]]:
    return [(places.taken, len(places.waiting)) for places in pool._places.values()]


class Gates:
    """Answers each request when the test says so.

    Attributes:
        asked: The paths of requests, in their order.
    """

    def __init__(self, server: ScriptedServer, connections: int) -> None:
        self.asked: list[bytes] = []
        self._answers: list[asyncio.Event] = []
        self._came = asyncio.Semaphore(0)
        server.scripts = [[self._answer] * 100 for _ in range(connections)]
        self._server = server

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = [request.split()[1] for request in self._server.requests]
        gate = asyncio.Event()
        self._answers.append(gate)
        self._came.release()
        await gate.wait()
        writer.write(OK)

    async def came(self, count: int) -> None:
        for _ in range(count):
            await asyncio.wait_for(self._came.acquire(), 5)

    def answer(self, number: int) -> None:
        self._answers[number].set()


async def test_calls_over_the_cap_wait_in_their_order(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=2)
    gates = Gates(server, 3)
    calls = []
    for number in range(5):
        calls.append(asyncio.create_task(post(pool, server, f"/{number}")))
        if number < 2:
            await gates.came(1)
        else:
            await asyncio.sleep(0)
    assert places_of(pool) == [(2, 3)]
    for number in range(3):
        gates.answer(number)
        await gates.came(1)
    gates.answer(3)
    gates.answer(4)
    assert [found.status for found in await asyncio.gather(*calls)] == [200] * 5
    served = sorted(request.split()[1] for requests in server.connections for request in requests)
    assert served == [b"/0", b"/1", b"/2", b"/3", b"/4"]
    assert len(server.connections) == 2
    assert places_of(pool) == [(2, 0)]


async def test_a_call_that_comes_then_does_not_overtake(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=1)
    gates = Gates(server, 3)
    first = asyncio.create_task(post(pool, server, "/first"))
    await gates.came(1)
    second = asyncio.create_task(post(pool, server, "/second"))
    await asyncio.sleep(0)
    first.cancel()  # which ends its connection: its place is for the second
    await asyncio.wait([first])
    third = asyncio.create_task(post(pool, server, "/third"))
    await gates.came(1)
    gates.answer(1)
    await second
    await gates.came(1)
    gates.answer(2)
    await third
    assert gates.asked == [b"/first", b"/second", b"/third"]


async def test_one_too_many_that_wait(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=1, max_waiting=1)
    gates = Gates(server, 1)
    first = asyncio.create_task(post(pool, server))
    await gates.came(1)
    second = asyncio.create_task(post(pool, server))
    await asyncio.sleep(0)
    with pytest.raises(Crowded) as caught:
        await post(pool, server, "/?code=SECRET")
    assert str(caught.value) == (
        f"127.0.0.1:{server.port} has all of its 1 connections (maxConnections) in use, and 1 calls wait for "
        "one already (maxWaiting)"
    )
    gates.answer(0)
    await gates.came(1)
    gates.answer(1)
    await asyncio.gather(first, second)


async def test_a_call_that_waits_too_long(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=1, wait_timeout=0.01)
    gates = Gates(server, 1)
    first = asyncio.create_task(post(pool, server))
    await gates.came(1)
    with pytest.raises(Crowded) as caught:
        await post(pool, server)
    assert str(caught.value) == (
        f"none of the 1 connections to 127.0.0.1:{server.port} (maxConnections) became free within 0.01 "
        "seconds (waitTimeout)"
    )
    assert places_of(pool) == [(1, 0)]
    gates.answer(0)
    await first


async def test_other_origins_do_not_wait(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=1, max_waiting=0)
    gates = Gates(server, 1)
    first = asyncio.create_task(post(pool, server))
    await gates.came(1)
    async with scripted_server() as other:
        assert (await post(pool, other)).status == 200
    gates.answer(0)
    await first


@pytest.mark.parametrize("when", ["before", "at the same time"])
async def test_who_gives_up_waiting_takes_nobodys_turn(
    pool: HttpPool, server: ScriptedServer, when: str
) -> None:
    pool.bounds = CallBounds(max_connections=1)
    gates = Gates(server, 1)
    first = asyncio.create_task(post(pool, server))
    await gates.came(1)
    second, third = (asyncio.create_task(post(pool, server)) for _ in range(2))
    await asyncio.sleep(0)
    if when == "before":
        second.cancel()
    else:  # the connection is handed over, and who waits for it is cancelled before it runs
        [places] = pool._places.values()
        hand_over = places.hand_over

        def hand_over_and_cancel(connection: object) -> bool:
            places.hand_over = hand_over  # type: ignore[method-assign]
            done = places.hand_over(connection)  # type: ignore[arg-type]
            second.cancel()
            return done

        places.hand_over = hand_over_and_cancel  # type: ignore[method-assign]
    gates.answer(0)
    await gates.came(1)
    gates.answer(1)
    assert [found.status for found in await asyncio.gather(first, third)] == [200, 200]
    assert second.cancelled()
    assert places_of(pool) == [(1, 0)]


async def test_connections_that_cannot_be_made_leave_their_places(pool: HttpPool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    pool.bounds = CallBounds(max_connections=1)
    url = parse_url(f"http://127.0.0.1:{port}/")
    calls = [pool.request("POST", url) for _ in range(5)]
    assert {type(error) for error in await asyncio.gather(*calls, return_exceptions=True)} == {NotReached}
    assert pool._places == {}


async def test_closing_lets_nobody_wait(pool: HttpPool, server: ScriptedServer) -> None:
    pool.bounds = CallBounds(max_connections=1)
    gates = Gates(server, 1)
    calls = [asyncio.create_task(post(pool, server)) for _ in range(3)]
    await gates.came(1)
    await pool.close()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in found} == {NotReached}
    assert pool._places == {}


# --- what was never read ------------------------------------------------------------------------------


class Rude:
    """A server with blocking sockets: it closes its first connection when a second request is there.

    Attributes:
        connections: How many there were.
    """

    def __init__(self, reads: int | None) -> None:
        """Read so much of the second request before; None: close behind the first answer."""
        self.connections = 0
        self.is_closed = threading.Event()
        self._reads = reads
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = parse_url(f"http://127.0.0.1:{self._listener.getsockname()[1]}/")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        self._listener.settimeout(0.5)
        with contextlib.suppress(TimeoutError), self._listener:
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    connection.recv(65536)
                    connection.sendall(OK)
                    if self._reads is not None and self.connections == 1:
                        while len(connection.recv(65536, socket.MSG_PEEK)) < 250:
                            pass
                        if self._reads:
                            connection.recv(self._reads)
                self.is_closed.set()


@pytest.mark.parametrize(
    ("reads", "is_repeated"), [(0, True), (10, True), (65536, False)], ids=["nothing", "a part", "all of it"]
)
async def test_a_request_that_lay_unread_as_the_connection_closed(
    pool: HttpPool, reads: int, is_repeated: bool
) -> None:
    server = Rude(reads)
    assert (await pool.request("POST", server.url)).status == 200
    call = pool.request("POST", server.url, body=bytes(200))
    if is_repeated:
        assert (await call).status == 200
    else:
        with pytest.raises(Unanswered) as caught:
            await call
        assert not caught.value.is_unread
    await asyncio.to_thread(server.thread.join)
    assert server.connections == (2 if is_repeated else 1)


async def test_a_request_for_a_connection_that_closed_meanwhile(pool: HttpPool) -> None:
    """The other end is closed, and this one has not heard of it: what is written now is never read."""
    server = Rude(None)
    assert (await pool.request("POST", server.url)).status == 200
    assert server.is_closed.wait(5)  # the loop hears of nothing meanwhile
    assert (await pool.request("POST", server.url, body=b"again")).status == 200
    await asyncio.to_thread(server.thread.join)
    assert server.connections == 2
