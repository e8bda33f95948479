"""What an ASGI application may do, and what it gets: ASGI 3.0, HTTP connection scope and lifespan."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from kit.http_wire import DATE, HERE, PEER, Connect, statuses
from kit.service_peers import turns
from webpubsub.http.asgi import Lifespan, LifespanFailed
from webpubsub.http.server import HttpServer
from webpubsub.model.trace import Name, Phase, Trace, TraceEvent
from webpubsub.server.serving import bind

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OLD_GET = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
TE = b"GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + DATE
FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\n" + DATE + b"content-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: 21\r\n\r\nInternal Server Error"
)
CLOSE = b"connection: close\r\n"


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size


def start(status: int = 200, *headers: tuple[bytes, bytes], **members: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [*headers], **members}


def body(data: Any = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def trailers(*headers: tuple[bytes, bytes], more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.trailers", "headers": [*headers], "more_trailers": more}


def length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


class Script:
    """An application that sends what it is told to."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.scope: dict[str, Any] = {}
        self.messages = messages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        for message in self.messages:
            await send(message)


# --- answers ------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What an application sends, and what of it the client gets."""

    asked: bytes
    messages: tuple[dict[str, Any], ...]
    answer: bytes
    ended: list[str] = []  # noqa: RUF012 - nobody changes it


ANSWERS = {
    "a body": Answer(GET, (start(), body(b"hi")), OK + b"content-length: 2\r\n\r\nhi"),
    "no body": Answer(GET, (start(), body()), OK + b"content-length: 0\r\n\r\n"),
    "only types": Answer(
        GET,
        ({"type": "http.response.start", "status": 200}, {"type": "http.response.body"}),
        OK + b"content-length: 0\r\n\r\n",
    ),
    "a status without words": Answer(
        GET, (start(299), body()), b"HTTP/1.1 299 \r\n" + DATE + b"content-length: 0\r\n\r\n"
    ),
    "a length": Answer(
        GET, (start(200, length(2)), body(b"h", more=True), body(b"i")), OK + b"content-length: 2\r\n\r\nhi"
    ),
    "headers in capitals": Answer(
        GET,
        (start(200, (b"X-Y", b"Z"), (b"X-Y", b"")), body()),
        OK + b"x-y: Z\r\nx-y: \r\ncontent-length: 0\r\n\r\n",
    ),
    "headers of a mapping's items": Answer(
        GET,
        ({"type": "http.response.start", "status": 200, "headers": {b"a": b"b"}.items()}, body()),
        OK + b"a: b\r\ncontent-length: 0\r\n\r\n",
    ),
    "bytes that can change": Answer(
        GET,
        (start(), body(bytearray(b"h"), more=True), body(memoryview(b"i"))),
        OK + b"transfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
    ),
    "its own date": Answer(
        GET,
        (start(200, (b"Date", b"now")), body()),
        b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 0\r\n\r\n",
    ),
    "pieces": Answer(
        GET,
        (start(), body(b"hel", more=True), body(b"", more=True), body(b"lo", more=True), body()),
        OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ),
    "pieces of which the last has bytes": Answer(
        GET,
        (start(), body(b"hel", more=True), body(b"lo")),
        OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ),
    "chunks that the application asks for": Answer(
        GET,
        (start(200, (b"Transfer-Encoding", b"chunked")), body(b"hi")),
        OK + b"content-length: 2\r\n\r\nhi",
    ),
    "chunks and a length": Answer(
        GET,
        (start(200, (b"transfer-encoding", b"chunked"), length(2)), body(b"hi")),
        OK + b"content-length: 2\r\n\r\nhi",
    ),
    "pieces for HTTP/1.0": Answer(
        OLD_GET, (start(), body(b"hel", more=True), body(b"lo")), OK + CLOSE + b"\r\nhello", ["close"]
    ),
    "a body for HTTP/1.0": Answer(
        OLD_GET, (start(), body(b"hi")), OK + b"content-length: 2\r\n" + CLOSE + b"\r\nhi", ["close"]
    ),
    "HEAD": Answer(HEAD, (start(), body(b"hi")), OK + b"\r\n"),
    "HEAD with a length": Answer(HEAD, (start(200, length(9)), body()), OK + b"content-length: 9\r\n\r\n"),
    "HEAD with a length and the body": Answer(
        HEAD, (start(200, length(2)), body(b"hi")), OK + b"content-length: 2\r\n\r\n"
    ),
    "HEAD in pieces": Answer(HEAD, (start(), body(b"h", more=True), body(b"i")), OK + b"\r\n"),
    "204": Answer(GET, (start(204), body()), b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n"),
    "204 with a body": Answer(
        GET, (start(204, length(2)), body(b"hi")), b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n"
    ),
    "205": Answer(
        GET, (start(205), body()), b"HTTP/1.1 205 Reset Content\r\n" + DATE + b"content-length: 0\r\n\r\n"
    ),
    "304": Answer(
        GET,
        (start(304, (b"etag", b'"1"'), length(9)), body()),
        b"HTTP/1.1 304 Not Modified\r\n" + DATE + b'etag: "1"\r\n\r\n',
    ),
    "304 in pieces": Answer(
        GET,
        (start(304), body(b"h", more=True), body(b"i")),
        b"HTTP/1.1 304 Not Modified\r\n" + DATE + b"\r\n",
    ),
    "close": Answer(
        GET,
        (start(200, (b"Connection", b"Close")), body(b"hi")),
        OK + b"content-length: 2\r\n" + CLOSE + b"\r\nhi",
        ["close"],
    ),
    "keep-alive": Answer(
        GET, (start(200, (b"connection", b"keep-alive")), body()), OK + b"content-length: 0\r\n\r\n"
    ),
    "trailers": Answer(
        TE,
        (start(trailers=True), body(b"hi"), trailers((b"X", b"1"), more=True), trailers((b"Y", b"2"))),
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\r\ny: 2\r\n\r\n",
    ),
    "trailers behind a length": Answer(
        TE,
        (start(200, length(2), trailers=True), body(b"hi"), trailers((b"x", b"1"))),
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\r\n\r\n",
    ),
    "trailers that the client does not take": Answer(
        GET,
        (start(trailers=True), body(b"hi"), trailers((b"x", b"1"))),
        OK + b"content-length: 2\r\n\r\nhi",
    ),
    "trailers of HEAD": Answer(
        TE.replace(b"GET", b"HEAD"), (start(trailers=True), body(), trailers((b"x", b"1"))), OK + b"\r\n"
    ),
    "trailers of 204": Answer(
        TE,
        (start(204, trailers=True), body(), trailers((b"x", b"1"))),
        b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n",
    ),
    "trailers for HTTP/1.0": Answer(
        b"GET / HTTP/1.0\r\nTE: trailers\r\n\r\n",
        (start(trailers=True), body(b"hi"), trailers((b"x", b"1"))),
        OK + b"content-length: 2\r\n" + CLOSE + b"\r\nhi",
        ["close"],
    ),
}


@pytest.mark.parametrize("row", ANSWERS.values(), ids=ANSWERS)
async def test_what_is_sent_is_what_the_client_gets(connect: Connect, row: Answer) -> None:
    client = connect(Script(*row.messages))
    assert await client.ask(row.asked) == row.answer
    assert client.ended == row.ended
    assert client.told == []
    if not row.ended:
        assert await client.ask(row.asked) == row.answer, "the connection goes on"


class Fault(NamedTuple):
    """What an application must not do."""

    messages: tuple[dict[str, Any], ...]
    words: str
    answer: bytes = FAILED


FAULTS = {
    "no answer": Fault((), "the application returned before its answer was complete"),
    "only a start": Fault((start(),), "the application returned before its answer was complete"),
    "an answer without its end": Fault(
        (start(), body(b"hi", more=True)),
        "the application returned before its answer was complete",
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ),
    "an answer without its trailers": Fault(
        (start(trailers=True), body(b"hi")),
        "the application returned before its answer was complete",
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ),
    "a body first": Fault(
        (body(),), "the application sent 'http.response.body': expected 'http.response.start'"
    ),
    "two starts": Fault(
        (start(), start()), "the application sent 'http.response.start': expected 'http.response.body'"
    ),
    "trailers first": Fault(
        (start(), trailers()), "the application sent 'http.response.trailers': expected 'http.response.body'"
    ),
    "a message of a WebSocket": Fault(
        ({"type": "websocket.accept"},),
        "the application sent 'websocket.accept': expected 'http.response.start'",
    ),
    "a body that is too long": Fault(
        (start(200, length(1)), body(b"hi")), "the answer's body is not of the length that its head says"
    ),
    "a body that is too short": Fault(
        (start(200, length(3)), body(b"hi")), "the answer's body is not of the length that its head says"
    ),
    "a body that becomes too long": Fault(
        (start(200, length(3)), body(b"hi", more=True), body(b"hi")),
        "the answer's body is not of the length that its head says",
        OK + b"content-length: 3\r\n\r\nhi",
    ),
    "a body that becomes too short": Fault(
        (start(200, length(3)), body(b"hi", more=True), body()),
        "the answer's body is not of the length that its head says",
        OK + b"content-length: 3\r\n\r\nhi",
    ),
    "a length of no number": Fault(
        (start(200, (b"content-length", b"-1")), body()), "content-length b'-1': expected a number"
    ),
    "a status below 200": Fault(
        (start(101), body()), "the application answered with 101: expected 200 to 599"
    ),
    "a status of text": Fault(
        ({"type": "http.response.start", "status": "200"}, body()),
        "the application answered with '200': expected 200 to 599",
    ),
    "CR in a header": Fault(
        (start(200, (b"x", b"a\r\nset-cookie: b")), body()),
        "b'x': b'a\\r\\nset-cookie: b' is no HTTP header: it has characters that cannot be sent",
    ),
    "a space in a name": Fault(
        (start(200, (b"x y", b"")), body()),
        "b'x y': b'' is no HTTP header: it has characters that cannot be sent",
    ),
    "no name": Fault(
        (start(200, (b"", b"x")), body()),
        "b'': b'x' is no HTTP header: it has characters that cannot be sent",
    ),
    "CR in a trailer": Fault(
        (start(trailers=True), body(b"hi"), trailers((b"x", b"\r"))),
        "b'x': b'\\r' is no HTTP header: it has characters that cannot be sent",
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ),
    "text for a body": Fault(
        (start(), body("hi")),
        "can't concat str to bytes",
    ),
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS)
async def test_what_an_application_does_wrong_is_told_and_ends_the_connection(
    connect: Connect, row: Fault
) -> None:
    client = connect(Script(*row.messages))
    assert await client.ask(TE) == row.answer
    assert client.ended == ["close"]
    [told] = client.told
    assert (told.name, told.phase) == (Name.REQUEST, Phase.FAILED)
    assert row.words in {told.detail["message"], str(told.error)}


async def test_what_comes_behind_the_end_is_told_and_the_connection_goes_on(connect: Connect) -> None:
    client = connect(Script(start(), body(b"hi"), body(b"!")))
    assert await client.ask(GET) == OK + b"content-length: 2\r\n\r\nhi"
    assert [str(told.error) for told in client.told] == [
        "the application sent 'http.response.body': expected 'nothing more'"
    ]
    assert client.ended == []


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ((), FAILED),
        ((start(),), FAILED),
        ((start(), body(b"hi", more=True)), OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
        ((start(200, length(9)), body(b"hi", more=True)), OK + b"content-length: 9\r\n\r\nhi"),
    ],
    ids=["before", "behind the start", "amid chunks", "amid a length"],
)
@pytest.mark.parametrize("error", [ZeroDivisionError("no"), SystemExit(3), asyncio.CancelledError()])
async def test_an_exception_is_told_and_ends_the_connection(
    connect: Connect, messages: tuple[dict[str, Any], ...], answer: bytes, error: BaseException
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        raise error

    client = connect(app)
    assert await client.ask(GET) == answer
    assert client.ended == ["close"]
    assert [told.error for told in client.told] == [error]
    assert client.messages == ["the application raised an exception"]


async def test_an_exception_behind_the_end_is_told_and_the_connection_goes_on(connect: Connect) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start())
        await send(body())
        raise ZeroDivisionError

    client = connect(app)
    assert statuses(await client.ask(GET, GET)) == [200, 200]
    assert client.ended == []
    assert len(client.told) == 2


# --- the scope ----------------------------------------------------------------------------------------


async def test_the_scope(connect: Connect) -> None:
    script = Script(start(), body())
    client = connect(script)
    client.server.state["pool"] = "made at the start"
    await client.ask(
        b"PUT /a%2Fb/%C3%A4?c=%20&d HTTP/1.1\r\nHOST: h\r\nX: 1\r\nx: 2\r\nContent-Length: 0\r\n\r\n"
    )
    assert script.scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/a/b/ä",
        "raw_path": b"/a%2Fb/%C3%A4",
        "query_string": b"c=%20&d",
        "root_path": "",
        "headers": [(b"host", b"h"), (b"x", b"1"), (b"x", b"2"), (b"content-length", b"0")],
        "client": PEER,
        "server": HERE,
        "state": {"pool": "made at the start"},
        "extensions": {"http.response.trailers": {}},
    }
    script.scope["state"]["own"] = 1
    await client.ask(OLD_GET)
    assert script.scope["http_version"] == "1.0"
    assert script.scope["state"] == {"pool": "made at the start"}


PATHS = {
    b"/": "/",
    b"/%": "/%",
    b"/%zz": "/%zz",
    b"/%ff": "/\ufffd",
    b"/%e2%82": "/\ufffd",
    b"/a+b": "/a+b",
    b"/%00": "/\0",
    b"//": "//",
    b"/%3Fa?b": "/?a",
}


@pytest.mark.parametrize("target", PATHS)
async def test_a_path_is_decoded_whatever_it_is(connect: Connect, target: bytes) -> None:
    script = Script(start(), body())
    await connect(script).ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target)
    assert script.scope["path"] == PATHS[target]


async def test_sockets_without_an_address_have_none(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(start(), body())
    client = connect(script)
    monkeypatch.setattr(client.wire, "get_extra_info", {"peername": "", "sockname": "/run/a.sock"}.get)
    await client.ask(GET)
    assert (script.scope["client"], script.scope["server"]) == (None, None)


# --- bodies -------------------------------------------------------------------------------------------


class Reader:
    """An application that receives when it is told to."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.receive: Any = None
        self.send: Any = None
        self.done = asyncio.Event()
        self.calls: list[asyncio.Task[None]] = []

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        self.receive, self.send = receive, send
        await self.done.wait()
        await asyncio.gather(*self.calls)

    async def _read(self) -> None:
        message = await self.receive()
        self.got.append(message)

    async def read(self, times: int = 1) -> list[dict[str, Any]]:
        """Return what is received from now on, until that waits."""
        self.calls += [asyncio.create_task(self._read()) for _ in range(times)]
        await turns()
        got, self.got = self.got, []
        return got


def request(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


GONE = {"type": "http.disconnect"}


async def test_a_body_comes_as_it_is_sent(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(post(6), b"ab")
    assert await app.read() == [request(b"ab", more=True)]
    assert await app.read() == []
    await client.ask(b"cd")
    assert await app.read(0) == [request(b"cd", more=True)]
    await client.ask(b"e")
    await client.ask(b"f")
    assert await app.read() == [request(b"ef", more=False)]
    app.done.set()


async def test_a_chunked_body_may_end_with_nothing(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(CHUNKED, b"1\r\na\r\n")
    assert await app.read() == [request(b"a", more=True)]
    await client.ask(b"0\r\n\r\n")
    assert await app.read() == [request(b"", more=False)]
    app.done.set()


async def test_behind_the_body_comes_nothing_until_the_answer_or_the_client_has_ended(
    connect: Connect,
) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(GET)
    assert await app.read() == [request(b"", more=False)]
    assert await app.read() == []
    await app.send(start())
    await app.send(body(b"hi"))
    assert await app.read(0) == [GONE]
    assert await app.read() == [GONE]
    app.done.set()
    app = Reader()
    client = connect(app)
    await client.ask(GET)
    await app.read()
    assert await app.read() == []
    client.wire.leave()
    assert await app.read(0) == [GONE]
    app.done.set()


async def test_two_may_wait_for_the_end(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(GET)
    await app.read()
    assert await app.read(2) == []
    client.wire.leave()
    assert await app.read(0) == [GONE, GONE]
    app.done.set()


async def test_a_client_that_goes_amid_its_body_is_a_disconnect(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(post(6), b"ab")
    client.wire.leave()
    assert await app.read() == [GONE]
    await app.send(start())
    await app.send(body(b"nobody reads it", more=True))
    await app.send(body())
    app.done.set()
    assert client.told == []


async def test_a_client_that_goes_before_the_application_begins(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    client.wire.feed(GET)
    client.wire.leave()
    await turns()
    assert await app.read() == [GONE]
    app.done.set()


async def test_a_client_that_goes_amid_the_answer(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(GET)
    await app.send(start())
    await app.send(body(b"hi", more=True))
    client.wire.leave()
    await app.send(body(b"hi", more=True))
    await app.send(body())
    assert client.wire.take().endswith(b"2\r\nhi\r\n")
    app.done.set()


async def test_a_body_that_is_refused_is_a_disconnect(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(CHUNKED, b"1\r\na\r\n")
    await app.read()
    assert statuses(await client.ask(b"junk\r\n")) == [400]
    assert await app.read() == [GONE]
    await app.send(start())
    await app.send(body(b"nobody waits for it"))
    assert await client.ask() == b""
    app.done.set()


async def test_a_body_that_is_refused_behind_the_start_of_the_answer_cuts_that_off(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(CHUNKED)
    await app.send(start())
    await app.send(body(b"hi", more=True))
    reading = asyncio.create_task(app.read())
    answer = await client.ask(b"junk\r\n")
    assert answer.endswith(b"\r\n\r\n2\r\nhi\r\n")
    assert client.ended == ["eof"]
    assert client.messages[0].endswith(" Not answered, as the answer had begun.")
    assert await reading == [{"type": "http.disconnect"}]
    app.done.set()


async def test_while_the_application_does_not_receive_the_client_is_not_read(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(post(1_000_000), *[b"x" * 10_000] * 10)
    assert not client.wire.is_reading()
    sizes: list[int] = []
    while sum(sizes) < 100_000:
        [message] = await app.read()
        sizes.append(len(message["body"]))
        await client.ask()
    assert sizes[0] == 10_000, "nobody has read more before it was wanted"
    assert max(sizes) == 70_000, "more than 64 KiB, by less than a piece"
    assert client.wire.is_reading()
    app.done.set()


async def test_while_the_client_does_not_read_the_application_waits(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(GET)
    await app.send(start())
    await app.send(body(b"one", more=True))
    client.wire.stall(100_000)
    sending = asyncio.create_task(app.send(body(b"two", more=True)))
    assert b"two" not in await client.ask()
    assert not sending.done()
    client.wire.drain()
    assert b"two" in await client.ask()
    assert sending.done()
    client.wire.stall(100_000)
    sending = asyncio.create_task(app.send(body(b"three", more=True)))
    await turns()
    client.wire.leave()
    await sending
    app.done.set()


async def test_an_answer_before_the_end_of_the_body_leaves_the_rest_to_be_thrown_away(
    connect: Connect,
) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(post(60_000), *[b"x" * 10_000] * 5)
    await app.send(start(413))
    await app.send(body())
    answer = await client.ask()
    assert b"\r\nconnection: close\r\n" not in answer, "it is little"
    assert client.wire.is_reading()
    await client.ask(b"x" * 10_000)
    app.done.set()
    app = Reader()
    client.server.app = app
    await client.ask(GET)
    assert await app.read() == [request(b"", more=False)]
    app.done.set()


async def test_an_answer_long_before_the_end_of_the_body_closes(connect: Connect) -> None:
    for asked in (post(65_537), CHUNKED):
        app = Reader()
        client = connect(app)
        await client.ask(asked)
        await app.send(start(413))
        await app.send(body())
        assert b"\r\nconnection: close\r\n" in await client.ask()
        assert client.ended == ["eof"]
        app.done.set()


EXPECTS = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"


async def test_100_continue_is_said_when_the_application_wants_the_body(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    assert await client.ask(EXPECTS) == b""
    assert await app.read() == []
    assert await client.ask() == CONTINUE
    await client.ask(b"hi")
    assert await app.read(0) == [request(b"hi", more=False)]
    app.done.set()


async def test_100_continue_is_not_said_when_the_answer_or_the_body_is_there(connect: Connect) -> None:
    app = Reader()
    client = connect(app)
    await client.ask(EXPECTS)
    await app.send(start(403))
    await app.send(body())
    answer = await client.ask()
    assert statuses(answer) == [403]
    assert b"\r\nconnection: close\r\n" in answer, "the body may come or not"
    app.done.set()
    app = Reader()
    client = connect(app)
    await client.ask(EXPECTS + b"h")
    assert await app.read() == [request(b"h", more=True)]
    assert await client.ask() == b""
    app.done.set()
    app = Reader()
    client = connect(app)
    await client.ask(EXPECTS)
    await app.send(start())
    await app.send(body(b"streams", more=True))
    await app.read()
    assert statuses(await client.ask()) == [200], "no other status comes amid an answer"
    app.done.set()


# --- the server stops ---------------------------------------------------------------------------------


async def test_what_does_not_end_in_time_is_cancelled() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    listener = bind("127.0.0.1", 0, "")
    told: list[TraceEvent] = []
    server = HttpServer(app, trace=Trace(told.append))
    await server.start(listener)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(GET)
    await began.wait()
    await server.stop(0.01)
    assert ended.is_set()
    assert [type(event.error) for event in told] == [asyncio.CancelledError]
    assert server.tasks == set()
    writer.close()


# --- lifespan -----------------------------------------------------------------------------------------


class Alive:
    """An application that has a lifespan, and says how it ended."""

    def __init__(self, *, fails: str = "") -> None:
        self.heard: list[str] = []
        self.fails = fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        for step in ("startup", "shutdown"):
            message = await receive()
            assert message == {"type": f"lifespan.{step}"}
            self.heard.append(step)
            scope["state"]["pool"] = "made at the start"
            outcome = "failed" if self.fails == step else "complete"
            await send({"type": f"lifespan.{step}.{outcome}", "message": "no database"})


async def test_a_lifespan_starts_and_ends_with_its_server() -> None:
    app = Alive()
    state: dict[str, Any] = {}
    lifespan = Lifespan(app, state)
    await lifespan.startup()
    assert app.heard == ["startup"]
    assert state == {"pool": "made at the start"}
    await lifespan.shutdown(5)
    assert app.heard == ["startup", "shutdown"]


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_a_lifespan_that_fails_says_why(step: str) -> None:
    lifespan = Lifespan(Alive(fails=step), {})
    if step == "shutdown":
        await lifespan.startup()
    with pytest.raises(LifespanFailed, match=f"the application's {step} failed: no database"):
        await (lifespan.startup() if step == "startup" else lifespan.shutdown(5))


@pytest.mark.parametrize("ends", ["raises", "returns"])
async def test_an_application_without_a_lifespan_needs_none(ends: str) -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        if ends == "raises":
            raise RuntimeError(f"{scope['type']}: what is that?")

    lifespan = Lifespan(app, {})
    await lifespan.startup()
    await lifespan.shutdown(5)


async def test_an_exception_amid_the_startup_is_told_and_the_application_runs() -> None:
    """As the protocol says; but it knew what was asked, so it is not simply without a lifespan."""

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise ZeroDivisionError("no")

    told: list[TraceEvent] = []
    server = HttpServer(app, trace=Trace(told.append))
    await server.start(bind("127.0.0.1", 0, ""), lifespan=True)
    await server.stop(5)
    assert [event.detail["message"] for event in told] == [
        "the application raised an exception as it started"
    ]
    assert isinstance(told[0].error, ZeroDivisionError)


async def test_a_shutdown_has_its_time() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.Event().wait()

    lifespan = Lifespan(app, {})
    await lifespan.startup()
    with pytest.raises(LifespanFailed, match=r"the application's shutdown took more than 0.01 seconds"):
        await lifespan.shutdown(0.01)


async def test_an_exception_amid_the_shutdown_is_told() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ZeroDivisionError("no")

    lifespan = Lifespan(app, {})
    await lifespan.startup()
    with pytest.raises(LifespanFailed, match="the application's shutdown failed: no"):
        await lifespan.shutdown(5)


async def test_an_application_that_ends_early_is_asked_for_no_shutdown() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    lifespan = Lifespan(app, {})
    await lifespan.startup()
    await turns()
    await lifespan.shutdown(5)


async def test_a_server_runs_the_lifespan_of_its_application_and_requests_have_its_state() -> None:
    alive = Alive()
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await alive(scope, receive, send)
            return
        seen.append(scope["state"])
        await send(start())
        await send(body(b"hi"))

    listener = bind("127.0.0.1", 0, "")
    server = HttpServer(app)
    await server.start(listener, lifespan=True)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(GET)
    await reader.readuntil(b"hi")
    assert seen == [{"pool": "made at the start"}]
    assert alive.heard == ["startup"]
    writer.close()
    await server.stop(5)
    assert alive.heard == ["startup", "shutdown"]


async def test_a_server_does_not_start_when_its_application_does_not() -> None:
    with bind("127.0.0.1", 0, "") as listener:
        server = HttpServer(Alive(fails="startup"))
        with pytest.raises(LifespanFailed):
            await server.start(listener, lifespan=True)


async def test_a_server_that_cannot_listen_ends_its_application() -> None:
    listener = bind("127.0.0.1", 0, "")
    listener.close()
    app = Alive()
    server = HttpServer(app)
    with pytest.raises(OSError, match="Bad file descriptor"):
        await server.start(listener, lifespan=True)
    assert app.heard == ["startup", "shutdown"]


async def test_a_shutdown_that_fails_is_told() -> None:
    told: list[TraceEvent] = []
    server = HttpServer(Alive(fails="shutdown"), trace=Trace(told.append))
    await server.start(bind("127.0.0.1", 0, ""), lifespan=True)
    await server.stop(5)
    assert [event.detail["message"] for event in told] == ["the application's shutdown failed: no database"]


async def test_a_server_without_lifespan_asks_for_none() -> None:
    app = Alive()
    server = HttpServer(app)
    await server.start(bind("127.0.0.1", 0, ""))
    await server.stop(5)
    assert app.heard == []


@pytest.mark.parametrize(
    ("asked", "closes"),
    [
        (CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", True),
        (CHUNKED + b"no chunk\r\n", True),
        (post(65_537) + b"x" * 65_537, True),
        (post(65_536) + b"x" * 65_536, False),
        (post(2) + b"hi", False),
    ],
)
@pytest.mark.parametrize("size", [1 << 20, 1000, 7])
async def test_an_answer_without_the_body_is_the_same_however_that_is_cut(
    connect: Connect, asked: bytes, closes: bool, size: int
) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send(start(401 if scope["method"] == "POST" else 200))
        await send(body())

    client = connect(refuse)
    data = asked + GET
    answers = b""
    for at in range(0, len(data), size):
        answers += await client.ask(data[at : at + size])
    assert answers.startswith(b"HTTP/1.1 401 ")
    assert (b"\r\nconnection: close\r\n" in answers) is closes
    assert answers.count(b"HTTP/1.1 200 ") == (0 if closes else 1)
    assert client.ended == (["eof"] if closes else [])
