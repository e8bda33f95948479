"""The HTTP server beside those of uvicorn: the same application, asked by two clients of different makes.

What differs and is wanted to stands in `WANTED`, each with its reason; whatever else differs is a fault. The
page `docs/service.md` has the reasons, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import aiohttp
import pytest
import uvicorn
import yarl

from kit.rfc_9112 import BEHIND, TABLE
from webpubsub.http.asgi import ClientGone, receive_body
from webpubsub.http.server import HttpServer
from webpubsub.server.serving import bind

pytestmark = pytest.mark.contract

SECONDS = 2.0  # for an answer to come, on a machine that others use, too
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Seen = tuple[str, bytes, bytes]


class App:
    """An application that remembers what each client asked, and answers as the path says."""

    def __init__(self) -> None:
        self.seen: dict[int, list[Seen]] = {}  # by the port of the client

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = b"" if scope["path"] == "/early" else await receive_body(receive, 10_000_000)
        except ClientGone:
            return
        assert body is not None
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        self.seen.setdefault(scope["client"][1], []).append((scope["method"], target, body))
        await ANSWERS.get(scope["path"], _echo)(send, body)


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], *pieces: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for at, piece in enumerate(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": at < len(pieces) - 1})


def _length(size: int) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % size)]


async def _echo(send: Any, body: bytes) -> None:
    await _send(send, 200, _length(len(body)), body)


async def _raise(send: Any, _body: bytes) -> None:
    raise ZeroDivisionError("no answer")


async def _raise_amid(send: Any, _body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _length(5)})
    await send({"type": "http.response.body", "body": b"he", "more_body": True})
    raise ZeroDivisionError("no end")


async def _return(send: Any, _body: bytes) -> None:
    return


ANSWERS: Mapping[str, Callable[[Any, bytes], Awaitable[None]]] = {
    "/stream": lambda send, _: _send(send, 200, [(b"x", b"y")], b"hel", b"", b"lo", b""),
    "/unsized": lambda send, _: _send(send, 200, [], b"hello"),
    "/nothing": lambda send, _: _send(send, 200, [], b""),
    "/204": lambda send, _: _send(send, 204, [], b""),
    "/304": lambda send, _: _send(send, 304, [(b"etag", b'"1"')], b""),
    "/404": lambda send, _: _send(send, 404, _length(2), b"no"),
    "/close": lambda send, _: _send(send, 200, [*_length(2), (b"connection", b"close")], b"hi"),
    "/early": lambda send, _: _send(send, 413, _length(2), b"no"),
    "/cookies": lambda send, _: _send(
        send, 200, [(b"set-cookie", b"a"), (b"set-cookie", b"b"), *_length(0)], b""
    ),
    "/raise": _raise,
    "/raise-amid": _raise_amid,
    "/return": _return,
}


class Server(NamedTuple):
    """A server that runs."""

    app: App
    port: int


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the tests."""
        yield


@contextlib.asynccontextmanager
async def ours() -> AsyncIterator[Server]:
    app, listener = App(), bind("127.0.0.1", 0, "")
    server = HttpServer(app)
    await server.start(listener)
    try:
        yield Server(app, listener.getsockname()[1])
    finally:
        await server.stop(1)


@contextlib.asynccontextmanager
async def peer(parser: Any) -> AsyncIterator[Server]:
    app, listener = App(), bind("127.0.0.1", 0, "")
    config = uvicorn.Config(
        cast(Any, app),
        http=parser,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.001)
    try:
        yield Server(app, listener.getsockname()[1])
    finally:
        server.force_exit = server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[dict[str, Server]]:
    async with ours() as here, peer("h11") as by_h11, peer("httptools") as by_httptools:
        yield {"ours": here, "h11": by_h11, "httptools": by_httptools}


# --- bytes, by a socket -------------------------------------------------------------------------------


class Became(NamedTuple):
    """What became of bytes.

    Attributes:
        statuses: Of the answers.
        seen: What the application saw.
        is_closed: The server has closed the connection.
    """

    statuses: tuple[int, ...]
    seen: tuple[Seen, ...]
    is_closed: bool


async def sent(server: Server, data: bytes) -> Became:
    """Send bytes, and read until the request behind is answered, the server closes, or nothing more comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    port = writer.get_extra_info("sockname")[1]
    writer.write(data)
    answers, is_closed = b"", False
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(SECONDS):
            while piece := await reader.read(65_536):
                answers += piece
            is_closed = True
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answers.replace(CONTINUE, b""))
    return Became(tuple(map(int, statuses)), tuple(server.app.seen.get(port, ())), is_closed)


class Wanted(NamedTuple):
    """What differs for a reason.

    Attributes:
        reason: As the page has it.
        h11: Rows that differ from uvicorn with h11.
        httptools: Rows that differ from uvicorn with httptools.
    """

    reason: str
    h11: tuple[str, ...] = ()
    httptools: tuple[str, ...] = ()


WANTED: Final = (
    Wanted(
        "Lines end with CR LF. A bare LF or CR, a control byte, and a folded line are refused: "
        "what one reader takes for one line another takes for two, and a request hides in a "
        "request.",
        h11=(
            "2.2: a request line that ends with LF",
            "2.2: a header that ends with LF",
            "2.2: a head that ends with LF",
            "2.2: a head of LF only",
            "5: a folded value",
            "5: a value folded by a tab",
            "5: a folded length",
            "5: a control byte in a value",
            "5: DEL in a value",
            "7.1: NUL in an extension",
            "7.1: CR in an extension",
            "7.1: chunks that end with LF",
            "7.1: a trailer that ends with LF",
            "7.1: a folded trailer",
        ),
        httptools=(),
    ),
    Wanted(
        "Empty lines in front of a request are ignored (RFC 9112, section 2.2).",
        h11=("2.2: an empty line in front", "2.2: empty lines in front", "9: empty lines between requests"),
        httptools=(),
    ),
    Wanted(
        "HTTP/1.1 and HTTP/1.0 are spoken. Other versions, and the words of other protocols, are refused.",
        h11=("2.3: HTTP/0.9 with its name", "2.3: HTTP/1.2", "2.3: HTTP/2.0", "2.3: HTTP/2's preface"),
        httptools=(
            "2.3: HTTP/0.9",
            "2.3: HTTP/0.9 with its name",
            "2.3: HTTP/2.0",
            "2.3: RTSP/1.0",
            "2.3: RTSP",
            "2.3: ICE",
        ),
    ),
    Wanted(
        "The first line has one space between its parts.",
        h11=(),
        httptools=("3: two spaces in front of the target", "3: two spaces behind the target"),
    ),
    Wanted(
        "Methods are those that llhttp knows.",
        h11=("3: a method in lower case", "3: a method nobody knows"),
        httptools=(),
    ),
    Wanted(
        "CONNECT is refused with 501: this is no proxy.",
        h11=("3.2: CONNECT", "3.2: CONNECT to a path", "3.2: CONNECT with a body"),
        httptools=("3.2: CONNECT", "3.2: CONNECT to a path", "3.2: CONNECT with a body"),
    ),
    Wanted(
        "The target is a path, a URL of http or https whose host then counts, or `*` of OPTIONS. "
        "Fragments and users are refused.",
        h11=(
            "3.2: a fragment",
            "3.2: a whole URL",
            "3.2: a whole URL of HTTP/1.0",
            "3.2: a whole URL without path",
            "3.2: a whole URL of a query",
            "3.2: a whole URL with a fragment",
            "3.2: a whole URL with a user",
            "3.2: a whole URL without host",
            "3.2: a whole URL of no host",
            "3.2: a URL of another kind",
            "3.2: an authority",
            "3.2: a relative path",
            "3.2: a query only",
            "3.2: GET *",
        ),
        httptools=(
            "3.2: a fragment",
            "3.2: a whole URL without path",
            "3.2: a whole URL of a query",
            "3.2: a whole URL with a fragment",
            "3.2: a whole URL with a user",
            "3.2: a URL of another kind",
            "3.2: GET *",
        ),
    ),
    Wanted(
        "There is one Host, and it is a name or address with its port.",
        h11=(
            "3.3: an address that does not end",
            "3.3: a port of no digits",
            "3.3: a space in Host",
            "3.3: a path in Host",
            "3.3: a user in Host",
        ),
        httptools=(
            "3.2: a whole URL without Host",
            "3.3: no Host",
            "3.3: two Hosts",
            "3.3: two equal Hosts",
            "3.3: two Hosts in HTTP/1.0",
            "3.3: an address that does not end",
            "3.3: a port of no digits",
            "3.3: a space in Host",
            "3.3: a path in Host",
            "3.3: a user in Host",
            "3.3: a second Host behind a good one",
            "9: a bad request behind a good one",
            "upgrade: a WebSocket without Host",
        ),
    ),
    Wanted(
        "A body has one length: a second one, even the same, and a length beside chunks are "
        "refused; so are chunks in HTTP/1.0 and other codings (501).",
        h11=(
            "6.2: a list of lengths",
            "6.2: a list of lengths with a space",
            "6.2: a length that overflows",
            "6.2: two equal lengths",
            "6.1: a length and chunks",
            "6.1: chunks and a length",
            "6.1: another coding in front",
            "6.1: two codings",
            "6.1: chunks in HTTP/1.0",
        ),
        httptools=("6.1: another coding in front", "6.1: two codings", "6.1: chunks in HTTP/1.0"),
    ),
    Wanted(
        "A chunk's size has at most 16 digits and nothing behind it.",
        h11=("7.1: a size of 17 digits", "7.1: a size that overflows", "7.1: a space behind a size"),
        httptools=("7.1: a size of 17 digits",),
    ),
    Wanted(
        "Whitespace may stand in front of a chunk's extension, and whatever stands behind the "
        "last chunk is dropped (RFC 9112, section 7.1).",
        h11=("7.1: whitespace in extensions",),
        httptools=("7.1: whitespace in extensions", "7.1: trailers"),
    ),
    Wanted(
        "An expectation other than 100-continue is refused with 417.",
        h11=("expect: something else", "expect: something else, too"),
        httptools=("expect: something else", "expect: something else, too"),
    ),
    Wanted(
        "An offer of another protocol that is not taken changes nothing: the request is served "
        "once, with its body, and so are those behind it.",
        h11=(),
        httptools=(
            "upgrade: h2c",
            "upgrade: h2c with a body",
            "upgrade: h2c with a body like a request",
            "upgrade: h2c with chunks",
            "upgrade: h2c and requests behind",
            "upgrade: h2c and close",
            "upgrade: h2c with an expectation",
            "upgrade: a WebSocket by POST",
            "upgrade: a WebSocket with a body",
            "upgrade: a WebSocket with chunks",
        ),
    ),
)


def _names(wanted: Iterable[Wanted], name: str) -> set[str]:
    return {row for difference in wanted for row in getattr(difference, name)}


async def test_bytes_become_what_they_become_elsewhere_but_for_a_reason() -> None:
    async with servers() as running:

        async def becomes(name: str) -> dict[str, Became]:
            data = TABLE[name].sent + BEHIND
            found = await asyncio.gather(*(sent(server, data) for server in running.values()))
            return dict(zip(running, found, strict=True))

        found = dict(zip(TABLE, await asyncio.gather(*map(becomes, TABLE)), strict=True))
    wanted = {name: _names(WANTED, name) for name in ("h11", "httptools")}
    for name, rows in wanted.items():
        differing = {row for row, became in found.items() if became[name] != became["ours"]}
        shown = {row: (found[row]["ours"], found[row][name]) for row in differing ^ rows}
        assert differing == rows, f"{name} differs otherwise: {shown}"


# --- calls, by clients --------------------------------------------------------------------------------


class Call(NamedTuple):
    """What a client asks."""

    method: str
    path: str
    body: bytes | list[bytes] | None = None  # a list goes in chunks


class Heard(NamedTuple):
    """What it hears; what a header says of the connection is its own business."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


CALLS: Final = {
    "a request": Call("GET", "/"),
    "a body": Call("POST", "/", b"hello"),
    "a large body": Call("POST", "/", b"x" * 1_000_000),
    "a body in chunks": Call("POST", "/", [b"hel", b"lo" * 100_000]),
    "HEAD": Call("HEAD", "/"),
    "HEAD of a stream": Call("HEAD", "/stream"),
    "PUT": Call("PUT", "/", b""),
    "OPTIONS": Call("OPTIONS", "/"),
    "a query": Call("GET", "/a%20b?c=d%20e"),
    "a stream": Call("GET", "/stream"),
    "an answer without length": Call("GET", "/unsized"),
    "an empty answer without length": Call("GET", "/nothing"),
    "204": Call("GET", "/204"),
    "304": Call("GET", "/304"),
    "404": Call("GET", "/404"),
    "an answer that closes": Call("GET", "/close"),
    "two headers of one name": Call("GET", "/cookies"),
    "an answer before the body": Call("POST", "/early", b"x" * 1000),
    "an exception": Call("GET", "/raise"),
    "an exception amid the answer": Call("GET", "/raise-amid"),
    "no answer": Call("GET", "/return"),
}
# Their headers differ.
CALLS_WANTED: Final = (
    Wanted(
        "An answer that comes in one piece has its length, and no chunks.",
        h11=("an answer without length", "an empty answer without length", "an exception", "no answer"),
        httptools=("an answer without length", "an empty answer without length"),
    ),
    Wanted("To HEAD nothing is said of chunks.", h11=("HEAD of a stream",)),
)
_OF_THE_HOP: Final = {"date", "connection", "keep-alive", "server"}


def _shown(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name.lower(), value) for name, value in headers if name.lower() not in _OF_THE_HOP))


def by_http_client(port: int) -> dict[str, Heard | str]:
    """Make all calls one after the other, on as few connections as there may be."""
    heard: dict[str, Heard | str] = {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for name, call in CALLS.items():
        try:
            body = iter(call.body) if isinstance(call.body, list) else call.body
            connection.request(call.method, call.path, body, encode_chunked=isinstance(call.body, list))
            answer = connection.getresponse()
            heard[name] = Heard(answer.status, _shown(answer.getheaders()), answer.read())
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            heard[name] = type(error).__name__
    connection.close()
    return heard


async def by_aiohttp(port: int) -> dict[str, Heard | str]:
    """Make all calls at once."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=False) as session:

        async def heard(call: Call) -> Heard | str:
            async def pieces() -> AsyncIterator[bytes]:
                for piece in call.body or ():
                    assert isinstance(piece, bytes)
                    yield piece

            data = pieces() if isinstance(call.body, list) else call.body
            target = yarl.URL(call.path, encoded=True)
            try:
                async with session.request(call.method, target, data=data) as answer:
                    shown = [(name, value) for name, value in answer.headers.items()]
                    return Heard(answer.status, _shown(shown), await answer.read())
            except aiohttp.ClientError as error:
                return type(error).__name__

        return dict(zip(CALLS, await asyncio.gather(*map(heard, CALLS.values())), strict=True))


@pytest.mark.parametrize("client", ["http.client", "aiohttp"])
async def test_calls_are_answered_as_elsewhere_but_for_a_reason(client: str) -> None:
    async with servers() as running:
        found = {
            name: await by_aiohttp(server.port)
            if client == "aiohttp"
            else await asyncio.to_thread(by_http_client, server.port)
            for name, server in running.items()
        }
    for name in ("h11", "httptools"):
        differing = {call for call in CALLS if found[name][call] != found["ours"][call]}
        shown = {call: (found["ours"][call], found[name][call]) for call in differing}
        assert differing == _names(CALLS_WANTED, name), f"{name} answers otherwise: {shown}"


def test_the_page_has_each_reason() -> None:
    rows = [
        (each.reason, ", ".join(name for name in ("h11", "httptools") if getattr(each, name)))
        for each in (*WANTED, *CALLS_WANTED)
    ]
    table = "".join(f"| {reason} | {of} |\n" for reason, of in rows)
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    assert f"| here | other than |\n|---|---|\n{table}\n" in page
