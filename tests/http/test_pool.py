"""Calls over real sockets, to a server that says what a test has written."""

from __future__ import annotations

import asyncio
import datetime
import gc
import socket
import ssl
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
from webpubsub.http import HttpPool, InvalidAnswer, InvalidCall, NotReached, Response, Unanswered, parse_url

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
    monkeypatch.setattr("webpubsub.http.client.CONNECT_SECONDS", 0.02)
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
