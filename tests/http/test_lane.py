"""The fast lane and ASGI on one connection, byte for byte, with a fake transport."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.http_wire import DATE, Client, Connect, cut, sorted_heads
from kit.service_peers import turns
from webpubsub.http.asgi import ClientGone, receive_body, send_answer
from webpubsub.http.protocol import MAX_LANE_BYTES
from webpubsub.http.server import HttpServer
from webpubsub.model.http import HttpAnswer, HttpBounds, LaneHandler, RawHeaders
from webpubsub.model.trace import Name, Phase
from webpubsub.server.serving import bind

TEXT = (b"content-type", b"text/plain")
ANSWERS = {
    b"/ack": HttpAnswer(200, (TEXT,), b"ack"),
    b"/two": HttpAnswer(200, [TEXT, (b"ce-connectionstate", b"e30=")], b"{}"),
    b"/empty": HttpAnswer(204),
    b"/unchanged": HttpAnswer(304, ((b"etag", b'"1"'),), b"not shown"),
    b"/refused": HttpAnswer(401),
    b"/unusual": HttpAnswer(299, (), b"no reason phrase"),
    b"/bad-value": HttpAnswer(200, ((b"x", b"a\r\nset-cookie: b"),)),
    b"/bad-name": HttpAnswer(200, ((b"x y", b"a"),)),
    b"/bad-status": HttpAnswer(999),
}


class App:
    """An application with two doors that lead to the same answers.

    ``/asgi/...`` is answered over ASGI only, ``.../later`` once `let_go` is set, ``/echo`` with the request;
    ``/no`` is refused by its head.
    """

    def __init__(self) -> None:
        self.served: list[str] = []  # by which door each request came
        self.waiting = asyncio.Event()
        self.let_go = asyncio.Event()
        self.finished = 0

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | HttpAnswer | None:
        if target.startswith(b"/asgi"):
            return None
        if target == b"/no":
            return HttpAnswer(401, (TEXT,), b"no")
        if target == b"/no-lane":
            raise ZeroDivisionError("the lane is broken")

        def handle(body: bytes) -> HttpAnswer | Awaitable[HttpAnswer]:
            self.served.append("lane")
            return self.answer(method, target, headers, body)

        return handle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await receive_body(receive, 100_000_000)
        except ClientGone:
            return
        assert body is not None
        self.served.append("asgi")
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        answer = self.answer(scope["method"], target, scope["headers"], body)
        await send_answer(answer if isinstance(answer, HttpAnswer) else await answer, send)

    def answer(
        self, method: str, target: bytes, headers: RawHeaders, body: bytes
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        if target == b"/raises":
            raise ZeroDivisionError("no answer")
        if target.endswith(b"/later"):
            return self.later(body)
        if target == b"/raises-later" or target == b"/exits":
            return self.failing(SystemExit("gone") if target == b"/exits" else ZeroDivisionError("no answer"))
        assert type(body) is bytes
        shown = b"%b %b %d %b" % (method.encode(), target, len(headers), body[:100])
        return ANSWERS.get(target) or HttpAnswer(200, (TEXT,), shown)

    async def later(self, body: bytes) -> HttpAnswer:
        self.waiting.set()
        await self.let_go.wait()
        self.finished += 1
        return HttpAnswer(200, (TEXT,), b"later " + body)

    async def failing(self, error: BaseException) -> HttpAnswer:
        await asyncio.sleep(0)
        raise error


def request(target: str = "/echo", body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: h", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


# --- the same answers ---------------------------------------------------------------------------------

REQUESTS = {
    **{path.decode(): request(path.decode()) for path in ANSWERS},
    "a body": request(body=b"0123456789" * 10),
    "a large body": request(body=b"x" * 60_000),
    "a query": request("/echo?code=1&x=%20"),
    "get": b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n",
    "head": b"HEAD /ack HTTP/1.1\r\nHost: h\r\n\r\n",
    "head of nothing": b"HEAD /empty HTTP/1.1\r\nHost: h\r\n\r\n",
    "close": request("/ack", b"", "Connection: close"),
    "http/1.0": b"POST /ack HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
    "http/1.0 kept alive": b"GET /ack HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "no host": b"GET /ack HTTP/1.1\r\n\r\n",
    "chunked": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
    "repeated headers": request("/echo", b"", "X: 1", "X: 2"),
    "bytes of no encoding": b"GET /ack HTTP/1.1\r\nHost: h\r\nX: \xff\xfe\r\n\r\n",
    "raises": request("/raises"),
    "raises later": request("/raises-later"),
    "exits": request("/exits"),
    "an offer of HTTP/2": request("/ack", b"", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    "a request behind the last": request("/ack", b"", "Connection: close") + request("/echo"),
    "a request behind a failure": request("/raises") + request("/echo"),
    "an answer that cannot be sent, and a request": request("/bad-value") + request("/echo"),
    "no request": b"\x16\x03\x01 no HTTP\r\n\r\n",
    "two lengths": b"POST /ack HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
    "length and chunks": b"POST /ack HTTP/1.1\r\nHost: h\r\n"
    b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nhi",
}


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
async def test_the_lane_answers_as_asgi_does(connect: Connect, asked: bytes) -> None:
    app, peer = App(), App()
    by_lane, by_asgi = connect(app, lane=app), connect(peer)
    assert sorted_heads(await by_lane.ask(asked)) == sorted_heads(await by_asgi.ask(asked))
    assert by_lane.ended == by_asgi.ended
    assert len(app.served) == len(peer.served)
    assert set(peer.served) <= {"asgi"}


async def test_an_answer_to_the_byte(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    assert await client.ask(request("/two")) == (
        b"HTTP/1.1 200 OK\r\n"
        b"date: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
        b"content-type: text/plain\r\n"
        b"ce-connectionstate: e30=\r\n"
        b"content-length: 2\r\n\r\n"
        b"{}"
    )
    assert app.served == ["lane"]
    client.server.tick(0, 0)
    assert b"\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in await client.ask(request("/two"))


WELL_FORMED = [
    REQUESTS[name] for name in ("/ack", "/empty", "a body", "a query", "get", "head", "chunked", "close")
]
MIXED = [*WELL_FORMED, request("/asgi/echo", b"by ASGI"), request("/asgi/echo", b"x" * 2000)]


@given(asked=st.lists(st.sampled_from(MIXED), max_size=6), cuts=st.lists(st.integers(0, 4000), max_size=6))
@settings(max_examples=200)
def test_any_mixture_cut_anywhere_is_answered_in_order(asked: list[bytes], cuts: list[int]) -> None:
    async def answers(*, lane: bool) -> bytes:
        app = App()
        client = Client(app, lane=app if lane else None)
        answered = await client.ask(*cut(b"".join(asked), cuts))
        await client.finish()
        return sorted_heads(answered)

    assert asyncio.run(answers(lane=True)) == asyncio.run(answers(lane=False))


# --- order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "served"),
    [
        (["/echo", "/echo", "/echo"], ["lane", "lane", "lane"]),
        (["/later", "/echo", "/asgi/echo"], ["lane", "lane", "asgi"]),
        (["/asgi/later", "/echo", "/echo"], ["asgi", "lane", "lane"]),
        (["/echo", "/asgi/echo", "/echo", "/later"], ["lane", "asgi", "lane", "lane"]),
    ],
)
async def test_pipelined_requests_are_answered_in_order(
    connect: Connect, targets: list[str], served: list[str]
) -> None:
    """What waits behind a request is read when that is answered, and takes the lane as any other."""
    app = App()
    client = connect(app, lane=app)
    bodies = [b"number %d" % number for number in range(len(targets))]
    first = await client.ask(
        b"".join(request(target, body) for target, body in zip(targets, bodies, strict=True))
    )
    app.let_go.set()
    answers = first + await client.ask()
    assert re.findall(rb"number \d", answers) == bodies
    assert app.served == served
    assert await client.ask(request("/ack")) != b"", "the connection goes on"


async def test_thousands_of_requests_at_once_need_no_depth(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    asked = b"GET /ack HTTP/1.1\r\nHost: h\r\n\r\n" * 3000
    assert (await client.ask(asked)).count(b"HTTP/1.1 200 OK\r\n") == 3000
    app.let_go.set()
    client.wire.feed(request("/later") * 500)
    await turns(2000)
    assert app.finished == 500
    assert app.served == ["lane"] * 3500


# --- bodies ---------------------------------------------------------------------------------------------


async def test_a_body_in_pieces_stays_in_the_lane(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    asked = request(body=b"0123456789")
    answer = await client.ask(*(bytes([byte]) for byte in asked))
    assert answer.endswith(b"POST /echo 2 0123456789")
    assert app.served == ["lane"]


@pytest.mark.parametrize(
    ("size", "door"), [(MAX_LANE_BYTES, "lane"), (MAX_LANE_BYTES + 1, "asgi"), (9 * MAX_LANE_BYTES, "asgi")]
)
async def test_a_large_body_goes_by_asgi(connect: Connect, size: int, door: str) -> None:
    app = App()
    client = connect(app, lane=app)
    asked = request(body=b"x" * size)
    answer = await client.ask(*(asked[start : start + 100_000] for start in range(0, len(asked), 100_000)))
    while not answer:
        answer = await client.ask()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert app.served == [door]


async def test_chunks_go_by_asgi(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await client.ask(head, b"2\r\nhi\r\n", b"1\r\n!\r\n0\r\n\r\n")).endswith(b"POST /echo 2 hi!")
    assert app.served == ["asgi"]


async def test_a_body_that_stops_coming_is_given_up_in_the_lane_too(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    assert await client.ask(request(body=b"x" * 200_000)[:-1]) == b""
    client.after(75)
    assert (await client.ask()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.ended == ["eof"]
    assert app.served == []


async def test_headers_behind_a_body_do_not_count(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    chunked = (
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\nce-userId: you\r\n\r\n"
    )
    assert (await client.ask(chunked)).endswith(b"POST /echo 2 hi")


async def test_who_expects_100_continue_gets_it_at_once(connect: Connect) -> None:
    """The lane has looked at the head, and wants the body."""
    app = App()
    client = connect(app, lane=app)
    asked = request("/echo", b"hi", "Expect: 100-continue")
    assert await client.ask(asked[:-2]) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await client.ask(asked[-2:])).endswith(b"POST /echo 3 hi")
    assert app.served == ["lane"]


async def test_who_does_not_wait_for_100_continue_needs_none(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    answer = await client.ask(request("/ack", b"hi", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert app.served == ["lane"]


async def test_a_head_in_the_lane_has_its_limit_too(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    assert (await client.ask(b"GET /ack HTTP/1.1\r\n", *([b"x: y\r\n" * 1000] * 12))).startswith(
        b"HTTP/1.1 431 "
    )
    assert client.ended == ["eof"]
    assert app.served == []


# --- answers that need no body --------------------------------------------------------------------------

REFUSED = b"HTTP/1.1 401 Unauthorized\r\n" + DATE + b"content-type: text/plain\r\ncontent-length: 2\r\n\r\nno"
REFUSED_AND_CLOSED = REFUSED.replace(b"content-length", b"connection: close\r\ncontent-length")


async def test_a_refusal_by_the_head_waits_for_no_body_and_the_next_request_is_served(
    connect: Connect,
) -> None:
    app = App()
    client = connect(app, lane=app)
    refused, served = request("/no", b"0123456789"), request("/ack")
    assert await client.ask(refused[:-5]) == REFUSED
    assert (await client.ask(refused[-5:] + served)).endswith(b"ack")
    assert client.server.held == 0
    assert (await client.ask(refused + served)).count(b"HTTP/1.1 ") == 2
    assert app.served == ["lane", "lane"]


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request("/no", b"x" * 65_536), REFUSED),
        (request("/no", b"x" * 65_537), REFUSED_AND_CLOSED),
        (request("/no", b"x", "Expect: 100-continue"), REFUSED_AND_CLOSED),
        (request("/no", b"", "Expect: 100-continue"), REFUSED),
    ],
    ids=["as much as is thrown away", "too much", "a body that is not sent unasked", "no body"],
)
async def test_a_refusal_closes_where_too_much_would_have_to_be_read(
    connect: Connect, asked: bytes, answer: bytes, is_cut: bool
) -> None:
    """By what the head says, not by how much of the body has come."""
    app = App()
    client = connect(app, lane=app)
    pieces = cut(asked, range(50, len(asked), 5000)) if is_cut else [asked]
    assert await client.ask(*pieces) == answer
    assert client.ended == (["eof"] if b"close" in answer else [])
    assert app.served == []


# --- how much bodies hold -------------------------------------------------------------------------------

SMALL = HttpBounds(max_bodies_bytes=1024 * 1024)


async def test_a_request_for_whose_body_there_is_no_room_is_not_run(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app, bounds=SMALL)
    other = client.another()
    assert await other.ask(request("/later", b"x" * 1_000_000)) == b""
    assert client.server.held == 1_000_000
    assert (await client.ask(request("/later", b"x" * 50_000))).startswith(b"HTTP/1.1 503 ")
    assert client.server.held == 1_000_000
    assert app.served == ["lane"]
    assert client.messages == [
        "The bodies of all requests hold more than 1048576 bytes (maxBodiesBytes). Answered with 503."
    ]


async def test_a_body_is_held_until_its_answer_even_when_nobody_waits_for_that(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/later", b"0123456789"), request("/ack", b"behind"))
    client.wire.leave()
    assert client.server.held == 10
    app.let_go.set()
    await client.ask()
    assert client.server.held == 0
    assert app.finished == 1


# --- clients that go, wait or do not read ------------------------------------------------------------------


async def test_nobody_is_answered_who_has_gone(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/later"))
    assert len(client.server.tasks) == 1
    client.wire.leave(ConnectionResetError())
    app.let_go.set()
    assert await client.ask() == b""
    assert app.finished == 1, "the function runs to its end"
    assert client.server.tasks == set()
    assert client.told == []


async def test_a_client_that_goes_amid_its_body_asks_nothing(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request(body=b"hi")[:-1])
    client.wire.leave(ConnectionResetError())
    assert app.served == []
    assert client.server.connections == set()
    assert client.server.held == 0


async def test_who_does_not_read_answers_gets_no_more(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    client.wire.stall(100_000)
    assert await client.ask(request("/ack")) == b""
    client.wire.drain()
    assert (await client.ask()).endswith(b"ack")
    assert app.served == ["asgi"]


async def test_a_connection_is_closed_that_was_idle_for_the_whole_time(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/ack"))
    client.after(74)
    await client.ask(request("/ack"))
    client.after(74)
    assert client.ended == [], "the second request was not long ago"
    await client.ask(request("/later"))
    client.after(1000)
    assert client.ended == [], "a function runs"
    app.let_go.set()
    await client.ask()
    client.after(74)
    assert client.ended == []
    client.after(1)
    assert client.ended == ["close"]


async def test_no_connection_is_closed_whose_request_came_with_one_that_was_answered(
    connect: Connect,
) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/ack") + request("/later"))
    client.after(75)
    assert client.ended == []
    app.let_go.set()
    assert (await client.ask()).endswith(b"later ")


# --- the end --------------------------------------------------------------------------------------------


async def test_a_shutdown_waits_for_the_answer_and_closes_behind_it(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/later"))
    client.http.shutdown()
    assert client.ended == []
    app.let_go.set()
    assert b"\r\nconnection: close\r\n" in await client.ask()
    assert client.ended == ["close"]


async def test_a_shutdown_waits_for_a_body(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request(body=b"hi")[:-1])
    client.http.shutdown()
    answer = await client.ask(b"i")
    assert answer.endswith(b"POST /echo 2 hi")
    assert b"\r\nconnection: close\r\n" in answer
    assert client.ended == ["close"]


@pytest.mark.parametrize("begun", [b"", request("/ack")[:-1]], ids=["idle", "amid a head"])
async def test_a_shutdown_closes_where_nothing_is_under_way(connect: Connect, begun: bytes) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/ack"), begun)
    client.http.shutdown()
    assert client.ended == ["close"]


async def test_what_waits_behind_the_last_answer_is_not_run(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    await client.ask(request("/later"), request("/ack"))
    client.http.shutdown()
    app.let_go.set()
    assert (await client.ask()).count(b"HTTP/1.1 ") == 1
    assert client.ended == ["eof"], "there is more to be thrown away"
    assert app.served == ["lane"]


async def test_a_server_stops_when_the_lane_is_empty() -> None:
    app = App()
    listener = bind("127.0.0.1", 0, "")
    server = HttpServer(app, lane=app)
    await server.start(listener)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(request("/ack") + request("/later"))
    await reader.readuntil(b"ack")
    await app.waiting.wait()
    stopping = asyncio.create_task(server.stop(20))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    app.let_go.set()
    assert (await reader.read()).endswith(b"later ")
    await stopping
    assert app.served == ["lane", "lane"]
    writer.close()


# --- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/raises", "/raises-later"])
async def test_a_handler_that_raises_is_a_500_with_its_traceback(connect: Connect, target: str) -> None:
    app = App()
    client = connect(app, lane=app)
    assert (await client.ask(request(target))).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert client.ended == ["close"]
    [told] = client.told
    assert (told.name, told.phase, type(told.error)) == (Name.REQUEST, Phase.FAILED, ZeroDivisionError)


async def test_a_broken_lane_is_told_and_asgi_answers(connect: Connect) -> None:
    app = App()
    client = connect(app, lane=app)
    assert (await client.ask(request("/no-lane"))).endswith(b"POST /no-lane 2 ")
    assert app.served == ["asgi"]
    assert [type(told.error) for told in client.told] == [ZeroDivisionError]


@pytest.mark.parametrize("lane", [True, False])
@pytest.mark.parametrize("target", ["/bad-value", "/bad-name", "/bad-status"])
async def test_an_answer_that_cannot_be_sent_is_a_500(connect: Connect, target: str, lane: bool) -> None:
    app = App()
    client = connect(app, lane=app if lane else None)
    answer = await client.ask(request(target))
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"cookie" not in answer
    assert client.ended == ["close"]
    assert len(client.told) == 1


# --- WebSockets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [b"", request("/ack")], ids=["first", "after a request"])
async def test_an_upgrade_is_none_of_the_lane_s_business(connect: Connect, before: bytes) -> None:
    app = App()
    client = connect(app, lane=app)
    head = b"GET /ack HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    await client.ask(before + head + b"frames")
    [upgraded] = client.upgraded
    assert (upgraded.head.method, upgraded.head.target) == ("GET", b"/ack")
    assert upgraded.head.headers[0] == (b"host", b"h")
    assert upgraded.received == b"frames"
    assert app.served == (["lane"] if before else [])
    assert client.server.connections == set()
    assert client.server.open_sockets == {upgraded}
