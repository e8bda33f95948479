"""Heads, bodies and answers of one connection by ASGI, byte for byte, with a fake socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.http_wire import DATE, Client, Connect, cut, statuses
from webpubsub.model.http import HttpBounds

MAX_HEAD_BYTES = 1024
SMALL = HttpBounds(max_head_bytes=MAX_HEAD_BYTES)
GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET /client HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def post(size: int, path: str = "/") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (path.encode(), size)


class App:
    """An app that answers each request once its body has come, and ``/early`` before it."""

    def __init__(self) -> None:
        self.served: list[int] = []  # the sizes of bodies
        self.headers: list[tuple[bytes, bytes]] = []  # of the last request
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, scope["path"] != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            more = message["more_body"]
        await self.let_go.wait()
        self.served.append(size)
        self.headers = scope["headers"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


OK = b"HTTP/1.1 200 OK\r\n" + DATE + b"content-length: 0\r\n\r\n"


async def test_a_request_is_served_and_nothing_is_timed_any_more(connect: Connect) -> None:
    app = App()
    client = connect(app)
    assert await client.ask(GET) == OK
    assert app.served == [0]
    assert await client.ask(GET[:10]) == b""
    client.after(14)
    assert await client.ask(GET[10:]) == OK
    app.let_go.clear()
    await client.ask(GET)
    client.after(1000)
    assert client.ended == []
    app.let_go.set()
    assert await client.ask() == OK


async def test_a_refusal_to_the_byte(connect: Connect) -> None:
    client = connect(App())
    assert await client.ask(b"GET / HTTP/1.1\r\n\r\n") == (
        b"HTTP/1.1 400 Bad Request\r\n"
        b"date: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
        b"content-type: text/plain; charset=utf-8\r\n"
        b"connection: close\r\n"
        b"content-length: 45\r\n\r\n"
        b"The request has 0 Host headers: expected one."
    )
    assert client.messages == ["The request has 0 Host headers: expected one. Answered with 400."]


# --- the time of heads --------------------------------------------------------------------------------


async def test_who_says_nothing_is_hung_up_on(connect: Connect) -> None:
    client = connect(App())
    client.after(14)
    assert client.ended == []
    client.after(1)
    assert await client.ask() == b""
    assert client.ended == ["close"]
    assert client.messages == []


@pytest.mark.parametrize("before", [b"", GET], ids=["the first", "the second"])
@pytest.mark.parametrize("begun", [GET[:-1], b"\r\n\r\n\r\n"], ids=["a head", "empty lines"])
async def test_a_head_that_trickles_in_is_given_up(connect: Connect, before: bytes, begun: bytes) -> None:
    """Each byte does not buy more time: 15 seconds from the first."""
    client = connect(App())
    await client.ask(before)
    client.after(8 if before else 0)
    for byte in begun[:5]:
        assert await client.ask(bytes([byte])) == b""
        client.after(2.9)
    assert client.ended == []
    await client.ask(begun[5:])
    client.after(0.5)
    assert statuses(await client.ask()) == [408]
    assert client.ended == ["eof"]
    assert client.messages == [
        "The request's head was not complete after 15 seconds (headTimeout). Answered with 408."
    ]


async def test_who_goes_is_not_timed(connect: Connect) -> None:
    client = connect(App())
    client.wire.leave()
    client.after(1000)
    assert client.ended == ["lost"]


# --- the size of heads --------------------------------------------------------------------------------

GIANTS = {
    "target": b"GET /" + b"a" * MAX_HEAD_BYTES,
    "headers": b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 6),
    "one header": b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES,
    "empty lines": b"\r\n" * (MAX_HEAD_BYTES // 2 + 1),
}


@pytest.mark.parametrize("giant", GIANTS.values(), ids=GIANTS)
@pytest.mark.parametrize("size", [1 << 20, 77, 1])
async def test_a_head_one_byte_too_large_is_refused(connect: Connect, giant: bytes, size: int) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    assert await client.ask(*cut(giant[:MAX_HEAD_BYTES], range(0, len(giant), size))) == b""
    assert statuses(await client.ask(giant[MAX_HEAD_BYTES:][:1])) == [431]
    assert client.ended == ["eof"]
    assert app.served == []
    assert client.messages == [
        "The request's head is larger than 1024 bytes (maxHeadBytes). Answered with 431."
    ]


@pytest.mark.parametrize("size", [1 << 20, 77, 1])
async def test_a_head_may_be_as_large_as_the_limit(connect: Connect, size: int) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    head = GET[:-2] + b"x: " + b"y" * (MAX_HEAD_BYTES - len(GET) - 5) + b"\r\n\r\n"
    assert len(head) == MAX_HEAD_BYTES
    assert await client.ask(*cut(head + GET, range(0, len(head), size))) == OK + OK
    larger = head[:-4] + b"y\r\n\r\n"
    assert statuses(await client.ask(*cut(larger + GET, range(0, len(head), size)))) == [431]
    assert app.served == [0, 0]


async def test_the_limit_of_heads_is_64_kib_where_nothing_else_is_set(connect: Connect) -> None:
    client = connect(App())
    assert await client.ask(GET[:-2] + b"x: " + b"y" * 60_000 + b"\r\n\r\n") == OK
    assert statuses(await client.ask(GET[:-2] + b"x: " + b"y" * 65_536)) == [431]
    assert client.messages == [
        "The request's head is larger than 65536 bytes (maxHeadBytes). Answered with 431."
    ]


@pytest.mark.parametrize("size", [1 << 20, 4096])
async def test_a_large_body_is_no_head(connect: Connect, size: int) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    sent = post(3 * MAX_HEAD_BYTES) + b"x" * 3 * MAX_HEAD_BYTES
    client.wire.feed(*cut(sent, range(0, len(sent), size)))
    assert await client.ask() == OK
    assert app.served == [3 * MAX_HEAD_BYTES]


async def test_the_request_before_does_not_count_as_head(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    body = b"x" * (MAX_HEAD_BYTES - 100)
    await client.ask(
        post(len(body)) + body + GET[:5], b"x HTTP/1.1\r\n", b"Host: h\r\n" + b"x: y\r\n" * 100, b"\r\n"
    )
    assert app.served == [len(body), 0]


async def test_headers_behind_a_body_do_not_count(connect: Connect) -> None:
    """RFC 9110, section 6.5.1: who looked at the head, as a proxy does, has not seen them."""
    app = App()
    client = connect(app, bounds=SMALL)
    await client.ask(CHUNKED + b"1\r\nx\r\n0\r\nX-Functions-Key: stolen\r\n\r\n" + GET)
    assert app.served == [1, 0]
    assert app.headers == [(b"host", b"h")]
    await client.ask(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Functions-Key: stolen\r\n\r\n")
    assert app.headers == [(b"host", b"h"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(
    ("begun", "more"), [(b"0\r\n", b"x: y\r\n"), (b"0\r\n", b"y")], ids=["lines", "one line"]
)
@pytest.mark.parametrize("size", [1, 70])
async def test_what_follows_a_body_is_no_more_than_a_head(
    connect: Connect, begun: bytes, more: bytes, size: int
) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    await client.ask(CHUNKED + b"1\r\nx\r\n" + begun)
    sent = 2 + len(begun)  # behind the last byte of the body
    while not client.ended:
        answer = await client.ask(more * size)
        sent += len(more * size)
    assert MAX_HEAD_BYTES < sent <= MAX_HEAD_BYTES + len(more * size)
    assert statuses(answer) == [431]
    assert client.messages == [
        "The request's trailer is larger than 1024 bytes (maxHeadBytes). Answered with 431."
    ]
    assert app.served == []


@pytest.mark.parametrize("size", [1 << 20, 77, 1])
async def test_a_chunk_extension_is_no_more_than_a_head(connect: Connect, size: int) -> None:
    app = App()
    line = b"1;" + b"e" * (MAX_HEAD_BYTES - 4) + b"\r\n"
    client = connect(app, bounds=SMALL)
    assert await client.ask(*cut(CHUNKED + line + b"x\r\n0\r\n\r\n", range(0, len(line), size))) == OK
    larger = CHUNKED + b"1;e" + line[2:] + b"x\r\n0\r\n\r\n"
    assert statuses(await client.ask(*cut(larger, range(0, len(larger), size)))) == [431]
    assert client.messages == [
        "The request's chunk extension is larger than 1024 bytes (maxHeadBytes). Answered with 431."
    ]
    assert app.served == [1]


async def test_a_body_in_small_chunks_is_no_head(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    await client.ask(CHUNKED)
    for _ in range(100):
        await client.ask(b"1;%b\r\nx\r\n" % (b"e" * 100))
    assert await client.ask(b"0\r\n\r\n") == OK
    assert app.served == [100]


# --- the order of answers -----------------------------------------------------------------------------

BAD_SECONDS = {
    "junk": b"\x16\x03\x01\r\n\r\n",
    "a giant head": GET[:-2] + b"x: " + b"y" * 2 * MAX_HEAD_BYTES,
    "a websocket of old": UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@pytest.mark.parametrize("second", BAD_SECONDS.values(), ids=BAD_SECONDS)
async def test_no_refusal_is_taken_for_the_answer_to_the_request_before(
    connect: Connect, second: bytes
) -> None:
    """What waits behind a request is only looked at when that is answered."""
    app = App()
    client = connect(app, bounds=SMALL)
    app.let_go.clear()
    assert await client.ask(GET, second) == b""
    assert client.messages == []
    app.let_go.set()
    answers = await client.ask()
    assert answers.startswith(OK)
    assert statuses(answers)[1:] in ([400], [431])
    assert app.served == [0]
    assert client.ended == ["eof"]


async def test_a_websocket_begins_when_the_request_before_is_answered(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    app.let_go.clear()
    await client.ask(GET, UPGRADE, b"frames")
    assert client.upgraded == []
    app.let_go.set()
    assert await client.ask() == OK
    [upgraded] = client.upgraded
    assert upgraded.received == b"frames"


async def test_a_head_behind_a_request_has_its_time_from_when_it_is_read(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=SMALL)
    app.let_go.clear()
    await client.ask(GET + GET[:5])
    client.after(1000)
    assert client.ended == []
    app.let_go.set()
    assert await client.ask() == OK
    client.after(14.9)
    assert client.ended == []
    client.after(0.1)
    assert statuses(await client.ask()) == [408]


async def test_a_broken_body_is_refused_once(connect: Connect) -> None:
    client = connect(App())
    assert statuses(await client.ask(CHUNKED + b"no size\r\n")) == [400]
    client = connect(App())
    answer = await client.ask(CHUNKED.replace(b"/", b"/early", 1))
    assert statuses(answer) == [200]
    assert b"\r\nconnection: close\r\n" in answer
    assert await client.ask(b"no size\r\n") == b"", "it was answered"
    assert client.ended == ["eof"]


# --- the time of bodies -------------------------------------------------------------------------------


async def test_the_rest_of_a_body_that_was_answered_does_not_hold_the_connection(connect: Connect) -> None:
    client = connect(App())
    assert await client.ask(post(9, "/early")) == OK
    client.after(70)
    await client.ask(b"x")
    client.after(4.9)
    assert client.ended == []
    client.after(1)
    assert await client.ask() == b"", "it was answered"
    assert client.ended == ["eof"]
    assert client.messages == ["The request's body was not complete after 75 seconds (bodyTimeout)."]


async def test_the_rest_of_a_body_that_was_answered_is_read_and_the_next_request_served(
    connect: Connect,
) -> None:
    client = connect(App())
    assert await client.ask(post(9, "/early")) == OK
    assert await client.ask(b"x" * 9 + GET) == OK
    client.after(74)
    assert await client.ask(GET) == OK


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (post(100), b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"1;", b"e"),
        (CHUNKED + b"0\r\n", b"a: b\r\n"),
        (CHUNKED, b"0"),
    ],
    ids=["bytes", "chunks", "an extension", "trailers", "a size"],
)
async def test_no_piece_buys_a_body_more_time(connect: Connect, begun: bytes, piece: bytes) -> None:
    app = App()
    client = connect(app)
    await client.ask(begun)
    for _ in range(15):
        assert await client.ask(piece) == b""
        client.after(5)
    client.after(1)
    assert statuses(await client.ask()) == [408]
    assert client.messages == [
        "The request's body was not complete after 75 seconds (bodyTimeout). Answered with 408."
    ]
    assert app.served == []


async def test_a_body_that_stops_coming_is_given_up(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=HttpBounds(body_timeout=300, idle_timeout=75))
    await client.ask(post(9), b"x")
    client.after(74)
    await client.ask(b"x")
    client.after(74)
    assert client.ended == []
    client.after(1)
    assert statuses(await client.ask()) == [408]
    assert client.ended == ["eof"]
    assert client.messages == [
        "Nothing more of the request's body came for 75 seconds (idleTimeout). Answered with 408."
    ]


async def test_a_large_body_has_a_second_more_for_each_10_000_bytes(connect: Connect) -> None:
    client = connect(App(), bounds=HttpBounds(body_timeout=10, idle_timeout=75))
    client.wire.feed(post(1_000_000))
    for _ in range(9):
        await client.ask(*[b"x" * 10_000] * 10)
        client.after(11)  # 9,091 bytes a second
    assert client.ended == []
    for _ in range(4):
        await client.ask(b"x" * 10_000)
        client.after(1.2)
    assert client.ended == []
    await client.ask(b"x" * 10_000)
    client.after(2.5)
    assert statuses(await client.ask()) == [408]
    assert client.messages == [
        "The request's body was not complete after 105 seconds (bodyTimeout). Answered with 408."
    ]


async def test_while_the_application_does_not_read_no_time_of_the_client_passes(connect: Connect) -> None:
    app = App()
    reads = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await reads.wait()
        await app(scope, receive, send)

    client = connect(slow)
    client.wire.feed(post(100_000), *[b"x" * 1000] * 99)
    await client.ask()
    assert not client.wire.is_reading()
    client.after(1000)
    client.after(1000)
    assert client.ended == []
    reads.set()
    assert await client.ask() == b""
    assert client.wire.is_reading()
    client.after(70)
    assert client.ended == []
    client.after(20)
    assert statuses(await client.ask()) == [408]


EXPECTS = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"


async def test_while_a_client_waits_for_100_continue_none_of_its_time_passes(connect: Connect) -> None:
    app = App()
    reads = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await reads.wait()
        await app(scope, receive, send)

    client = connect(slow)
    assert await client.ask(EXPECTS) == b""
    client.after(1000)
    client.after(1000)
    assert client.ended == []
    reads.set()
    assert await client.ask() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.after(74)
    assert client.ended == []
    client.after(1)
    assert statuses(await client.ask()) == [408]
    reads.clear()
    client = connect(slow)
    await client.ask(EXPECTS, b"x")
    client.after(1000)
    assert client.ended == [], "the application does not read it"
    reads.set()
    assert await client.ask() == b"", "who sends unasked has not waited"
    client.after(75)
    assert statuses(await client.ask()) == [408]


async def test_a_body_that_comes_is_not_given_up(connect: Connect) -> None:
    client = connect(App())
    await client.ask(post(9), b"x")
    assert await client.ask(b"x" * 8) == OK
    client.after(74)
    assert client.ended == []
    client.after(1)
    assert client.ended == ["close"], "idle"


# --- how much bodies hold -----------------------------------------------------------------------------

MEBIBYTE = HttpBounds(max_bodies_bytes=1024 * 1024)


async def test_bodies_hold_no_more_altogether_than_is_set(connect: Connect) -> None:
    app = App()
    client = connect(app, bounds=MEBIBYTE)
    others = [client.another() for _ in range(4)]
    for other in others:
        other.wire.feed(post(300_000), b"x" * 250_000)
        await other.ask()
    assert client.server.held == 1_000_000
    assert await client.ask(post(48_576) + b"x" * 48_576) == OK
    assert statuses(await client.ask(post(48_577) + b"x" * 48_577)) == [503]
    assert client.messages == [
        "The bodies of all requests hold more than 1048576 bytes (maxBodiesBytes). Answered with 503."
    ]
    others[0].wire.leave()
    await client.ask()
    assert client.server.held == 750_000
    assert await others[1].ask(b"x" * 50_000) == OK
    assert client.server.held == 500_000


async def test_chunks_count_as_they_come(connect: Connect) -> None:
    client = connect(App(), bounds=MEBIBYTE)
    client.wire.feed(CHUNKED, *[b"4000\r\n" + b"x" * 0x4000 + b"\r\n"] * 64)
    assert await client.ask() == b""
    assert client.server.held == 1024 * 1024
    assert statuses(await client.ask(b"1\r\nx\r\n")) == [503]
    await client.ask()
    assert client.server.held == 0


async def test_what_is_thrown_away_is_not_held(connect: Connect) -> None:
    client = connect(App())
    assert await client.ask(post(60_000, "/early")) == OK
    await client.ask(b"x" * 50_000)
    assert client.server.held == 0


# --- answers that are not read ------------------------------------------------------------------------


async def test_an_answer_that_nobody_reads_is_given_up(connect: Connect) -> None:
    async def endless(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            if client.wire.buffered:
                return
            client.wire.stall(1000)

    client = connect(endless)
    await client.ask(GET)
    client.after(74)
    assert client.ended == []
    client.wire.buffered = 900
    client.after(1)
    assert client.ended == [], "some of it was read"
    client.after(75)
    assert client.ended == ["abort"]


async def test_an_answer_that_is_read_slowly_goes_on(connect: Connect) -> None:
    app = App()
    client = connect(app)
    client.wire.stall(1000)
    app.let_go.clear()
    await client.ask(GET)
    client.wire.drain()
    client.after(1000)
    assert client.ended == []
    app.let_go.set()
    assert await client.ask() == OK


async def test_who_has_read_an_answer_late_is_idle_from_then_on(connect: Connect) -> None:
    client = connect(App())
    await client.ask(GET)
    client.wire.stall(1000)
    client.after(70)
    client.wire.drain()
    client.after(70)
    assert client.ended == []
    assert await client.ask(GET) == OK
    await client.ask(GET[:5])
    client.wire.stall(1000)
    client.wire.drain()
    client.after(15)
    assert statuses(await client.ask()) == [408], "a head that has begun has no more time for that"


# --- the end ------------------------------------------------------------------------------------------


async def test_what_comes_behind_a_refusal_is_thrown_away_for_five_seconds(connect: Connect) -> None:
    """Else the client's system could lose the refusal over its own unread bytes."""
    app = App()
    client = connect(app)
    assert statuses(await client.ask(b"junk\r\n\r\n")) == [400]
    assert client.ended == ["eof"]
    assert await client.ask(GET, b"x" * 100_000) == b""
    client.after(4.9)
    assert client.ended == ["eof"]
    client.after(0.1)
    assert client.ended == ["eof", "abort"]
    assert app.served == []


async def test_who_closes_its_side_ends_the_lingering(connect: Connect) -> None:
    client = connect(App())
    await client.ask(b"junk\r\n\r\n")
    assert not client.http.eof_received(), "the socket closes itself"


async def test_a_last_answer_has_as_long_as_it_is_read(connect: Connect) -> None:
    client = connect(App())
    await client.ask(GET)
    client.wire.stall(1000)
    client.http.shutdown()
    assert client.ended == ["close"]
    for left in (900, 800, 700):
        client.wire.buffered = left
        client.after(5)
        assert client.ended == ["close"]
    client.after(5)
    assert client.ended == ["close", "abort"]


async def test_a_last_answer_that_is_small_has_its_time_too(connect: Connect) -> None:
    """Though the server is not told of a client that does not read so little."""
    client = connect(App())
    await client.ask(GET)
    client.wire.buffered = 1000
    client.http.shutdown()
    client.wire.buffered = 900
    client.after(5)
    assert client.ended == ["close"]
    client.after(5)
    assert client.ended == ["close", "abort"]


async def test_a_close_that_the_client_does_not_complete_is_cut_short(connect: Connect) -> None:
    client = connect(App())
    await client.ask(GET)
    client.wire.stall(1000)
    client.http.shutdown()
    client.after(4.9)
    assert client.ended == ["close"]
    client.after(0.1)
    assert client.ended == ["close", "abort"]


# --- upgrades -----------------------------------------------------------------------------------------


async def test_an_upgrade_gets_the_head_then_all_that_came_with_it(connect: Connect) -> None:
    """The WebSocket's protocol says that it came too early."""
    client = connect(App())
    early = b"\x89\x80\0\0\0\0"
    assert await client.ask(UPGRADE + early) == b""
    [upgraded] = client.upgraded
    assert (upgraded.head.method, upgraded.head.target) == ("GET", b"/client")
    assert upgraded.received == early
    client.after(1000)
    assert client.ended == [], "its time is none of ours"


@given(cuts=st.lists(st.integers(0, len(UPGRADE) + 100), max_size=5))
def test_however_an_upgrade_is_cut_nothing_is_lost(cuts: list[int]) -> None:
    async def received() -> bytes:
        client = Client(App())
        await client.ask(*cut(UPGRADE + b"e" * 100, cuts))
        [upgraded] = client.upgraded
        await client.finish()
        return bytes(upgraded.received)

    assert asyncio.run(received()) == b"e" * 100


async def test_a_great_deal_of_early_frames_goes_to_the_websocket(connect: Connect) -> None:
    client = connect(App(), bounds=HttpBounds(max_head_bytes=1024))
    await client.ask(UPGRADE + b"e" * 5000)
    assert client.upgraded[0].received == b"e" * 5000


async def test_who_has_no_web_sockets_serves_the_request(connect: Connect) -> None:
    client = connect(App(), takes_web_sockets=False)
    assert await client.ask(UPGRADE) == OK
