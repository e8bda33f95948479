"""The fast lane and ASGI on one connection, byte for byte, with a fake transport."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState
from webpubsub.server.http_protocol import MAX_BODY_BYTES, FastLaneHttp, GuardedHttp

from kit.http_wire import Wire
from kit.service_peers import turns
from webpubsub.http.asgi import ClientGone, receive_body, send_answer
from webpubsub.model.http import HttpAnswer, LaneHandler, RawHeaders, RequestHead
from webpubsub.model.trace import Name, Phase, Trace, TraceEvent
from webpubsub.server.serving import Server, bind

TEXT = (b"content-type", b"text/plain")
DATE = b"Tue, 24 Nov 2026 00:00:00 GMT"

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

    ``/asgi/...`` is answered over ASGI only, ``.../later`` once `let_go` is set, ``/echo`` with the request.
    """

    def __init__(self) -> None:
        self.served: list[str] = []  # by which door each request came
        self.waiting = asyncio.Event()
        self.let_go = asyncio.Event()
        self.finished = 0

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | None:
        if target.startswith(b"/asgi"):
            return None
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


class Client:
    """A client of one connection to `App`; without a lane it is served as any ASGI server would."""

    def __init__(self, *, lane: bool = True) -> None:
        self.app = App()
        self.upgraded: list[Any] = []
        self.state = ServerState()
        self.state.default_headers = [(b"date", DATE)]
        self.socket = Wire()
        config = uvicorn.Config(
            cast(Any, self.app), ws=cast(Any, self.web_socket), log_config=None, lifespan="off"
        )
        config.load()
        options: dict[str, Any] = {"config": config, "server_state": self.state, "app_state": {}}
        self.told: list[TraceEvent] = []
        trace = Trace(self.told.append)
        self.http = FastLaneHttp(self.app, trace, **options) if lane else GuardedHttp(trace, **options)
        self.socket.protocol = self.http
        self.http.connection_made(self.socket)

    def web_socket(self, head: RequestHead, _open_sockets: set[Any]) -> asyncio.Protocol:
        upgraded = self.upgraded
        upgraded.append(head)

        class WebSocket(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                upgraded.append(data)

        return WebSocket()

    async def ask(self, *pieces: bytes) -> bytes:
        for piece in pieces:
            if not self.socket.ended:
                cast(asyncio.Protocol, self.socket.protocol).data_received(piece)
        await turns(30)
        return self.socket.take()


def request(target: str = "/echo", body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: h", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def sorted_heads(answers: bytes) -> bytes:
    """Return the answers with the headers of each in one order."""
    return re.sub(
        rb"(HTTP/1.1 [^\r]*\r\n)(.*?)\r\n\r\n",
        lambda head: head[1] + b"\r\n".join(sorted(head[2].split(b"\r\n"))) + b"\r\n\r\n",
        answers,
        flags=re.DOTALL,
    )


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
    "chunked": b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
    "repeated headers": request("/echo", b"", "X: 1", "X: 2"),
    "bytes of no encoding": b"GET /ack HTTP/1.1\r\nX: \xff\xfe\r\n\r\n",
    "raises": request("/raises"),
    "raises later": request("/raises-later"),
    "exits": request("/exits"),
    "an offer of HTTP/2": request("/ack", b"", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    "a request behind the last": request("/ack", b"", "Connection: close") + request("/echo"),
    "a request behind a failure": request("/raises") + request("/echo"),
    "an answer that cannot be sent, and a request": request("/bad-value") + request("/echo"),
    "no request": b"\x16\x03\x01 no HTTP\r\n\r\n",
    "two lengths": b"POST /ack HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
    "length and chunks": b"POST /ack HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nhi",
}


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
async def test_the_lane_answers_as_asgi_does(asked: bytes) -> None:
    by_lane, by_asgi = Client(), Client(lane=False)
    assert sorted_heads(await by_lane.ask(asked)) == sorted_heads(await by_asgi.ask(asked))
    assert by_lane.socket.ended == by_asgi.socket.ended
    assert by_asgi.app.served in ([], ["asgi"])
    assert len(by_lane.app.served) == len(by_asgi.app.served)
    assert by_lane.state.total_requests == by_asgi.state.total_requests
    assert by_lane.state.tasks == set()


async def test_an_answer_to_the_byte() -> None:
    client = Client()
    assert await client.ask(request("/two")) == (
        b"HTTP/1.1 200 OK\r\n"
        b"date: Tue, 24 Nov 2026 00:00:00 GMT\r\n"
        b"content-type: text/plain\r\n"
        b"ce-connectionstate: e30=\r\n"
        b"content-length: 2\r\n\r\n"
        b"{}"
    )
    assert client.app.served == ["lane"]
    client.state.default_headers = [(b"date", b"Tue, 24 Nov 2026 00:00:01 GMT")]
    assert b"\r\ndate: Tue, 24 Nov 2026 00:00:01 GMT\r\n" in await client.ask(request("/two"))


WELL_FORMED = [
    REQUESTS[name] for name in ("/ack", "/empty", "a body", "a query", "get", "head", "chunked", "close")
]
MIXED = [*WELL_FORMED, request("/asgi/echo", b"by ASGI"), request("/asgi/echo", b"x" * 2000)]


@given(asked=st.lists(st.sampled_from(MIXED), max_size=6), cuts=st.lists(st.integers(0, 4000), max_size=6))
@settings(max_examples=200)
def test_any_mixture_cut_anywhere_is_answered_in_order(asked: list[bytes], cuts: list[int]) -> None:
    async def answers(*, lane: bool) -> bytes:
        client, sent = Client(lane=lane), b"".join(asked)
        edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
        return sorted_heads(await client.ask(*(sent[a:b] for a, b in itertools.pairwise(edges) if a < b)))

    assert asyncio.run(answers(lane=True)) == asyncio.run(answers(lane=False))


# --- order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "served"),
    [
        (["/echo", "/echo", "/echo"], ["lane", "lane", "lane"]),
        (["/later", "/echo", "/asgi/echo"], ["lane", "asgi", "asgi"]),
        (["/asgi/later", "/echo", "/echo"], ["asgi", "asgi", "asgi"]),
        (["/echo", "/asgi/echo", "/echo", "/later"], ["lane", "asgi", "asgi", "asgi"]),
    ],
)
async def test_pipelined_requests_are_answered_in_order(targets: list[str], served: list[str]) -> None:
    client = Client()
    bodies = [b"number %d" % number for number in range(len(targets))]
    first = await client.ask(
        b"".join(request(target, body) for target, body in zip(targets, bodies, strict=True))
    )
    client.app.let_go.set()
    answers = first + await client.ask()
    assert re.findall(rb"number \d", answers) == bodies
    assert client.app.served == served
    assert await client.ask(request("/ack")) != b"", "the connection goes on"
    assert client.app.served[-1] == "lane", "and takes the lane again"


async def test_a_thousand_requests_at_once_need_no_depth() -> None:
    client = Client()
    asked = b"GET /ack HTTP/1.1\r\n\r\n" * 3000
    assert (await client.ask(asked)).count(b"HTTP/1.1 200 OK\r\n") == 3000


# --- bodies ---------------------------------------------------------------------------------------------


async def test_a_body_in_pieces_stays_in_the_lane() -> None:
    client = Client()
    asked = request(body=b"0123456789")
    answer = await client.ask(*(bytes([byte]) for byte in asked))
    assert answer.endswith(b"POST /echo 2 0123456789")
    assert client.app.served == ["lane"]


@pytest.mark.parametrize(
    ("size", "door"), [(MAX_BODY_BYTES, "lane"), (MAX_BODY_BYTES + 1, "asgi"), (9 * MAX_BODY_BYTES, "asgi")]
)
async def test_a_large_body_goes_by_asgi(size: int, door: str) -> None:
    client = Client()
    asked = request(body=b"x" * size)
    answer = await client.ask(*(asked[start : start + 100_000] for start in range(0, len(asked), 100_000)))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.app.served == [door]


async def test_chunks_that_come_one_by_one_go_by_asgi() -> None:
    client = Client()
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await client.ask(head, b"2\r\nhi\r\n", b"1\r\n!\r\n0\r\n\r\n")).endswith(b"POST /echo 2 hi!")
    assert client.app.served == ["asgi"]


async def test_a_body_that_stops_coming_is_given_up_in_the_lane_too() -> None:
    client = Client()
    assert await client.ask(request(body=b"x" * 200_000)[:-1]) == b""
    client.http.timeout_keep_alive = 0
    client.http.timeout_keep_alive_handler()
    assert client.socket.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.socket.ended == ["close"]
    assert client.app.served == []


async def test_headers_behind_a_body_do_not_count() -> None:
    client = Client()
    chunked = (
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nce-userId: you\r\n\r\n"
    )
    assert (await client.ask(chunked)).endswith(b"POST /echo 1 hi")
    assert client.app.served == ["lane"]


async def test_who_expects_100_continue_gets_it() -> None:
    client = Client()
    asked = request("/echo", b"hi", "Expect: 100-continue")
    assert await client.ask(asked[:-2]) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await client.ask(asked[-2:])).endswith(b"POST /echo 3 hi")
    assert client.app.served == ["asgi"]


async def test_who_does_not_wait_for_100_continue_needs_none() -> None:
    client = Client()
    answer = await client.ask(request("/ack", b"hi", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.app.served == ["lane"]


async def test_a_head_in_the_lane_has_its_limit_too() -> None:
    client = Client()
    assert (await client.ask(b"GET /ack HTTP/1.1\r\n", *([b"x: y\r\n" * 1000] * 12))).startswith(
        b"HTTP/1.1 431 "
    )
    assert client.socket.ended == ["close"]
    assert client.app.served == []


# --- clients that go, wait or do not read ------------------------------------------------------------------


async def test_nobody_is_answered_who_has_gone() -> None:
    client = Client()
    await client.ask(request("/later"))
    assert len(client.state.tasks) == 1
    client.socket.ended.append("reset")
    client.http.connection_lost(ConnectionResetError())
    client.app.let_go.set()
    assert await client.ask() == b""
    assert client.app.finished == 1, "the function runs to its end"
    assert client.state.tasks == set()
    assert client.told == []


async def test_a_client_that_goes_amid_its_body_asks_nothing() -> None:
    client = Client()
    await client.ask(request(body=b"hi")[:-1])
    client.socket.ended.append("reset")
    client.http.connection_lost(ConnectionResetError())
    assert client.app.served == []
    assert client.state.connections == set()


async def test_who_does_not_read_answers_gets_no_more() -> None:
    client = Client()
    client.http.pause_writing()
    assert await client.ask(request("/ack")) == b""
    client.http.resume_writing()
    assert (await client.ask()).endswith(b"ack")
    assert client.app.served == ["asgi"]


async def test_a_connection_is_closed_that_was_idle_for_the_whole_time() -> None:
    client = Client()

    def fire() -> None:
        timer = client.http.timeout_keep_alive_task
        assert timer is not None
        timer.cancel()
        client.http.timeout_keep_alive_handler()

    await client.ask(request("/ack"))
    first = client.http.timeout_keep_alive_task
    await client.ask(request("/ack"))
    assert client.http.timeout_keep_alive_task is first, "one timer for many requests"
    fire()
    assert client.socket.ended == [], "the second request was not long ago"
    await client.ask(request("/later"))
    client.http.timeout_keep_alive = 0
    fire()
    assert client.socket.ended == [], "a function runs"
    assert client.http.timeout_keep_alive_task is None
    client.app.let_go.set()
    await client.ask()
    assert client.socket.ended == ["close"], "its answer started the timer, which is at once at its end"


async def test_no_connection_is_closed_whose_request_came_with_one_that_was_answered() -> None:
    client = Client()
    await client.ask(request("/ack") + request("/later"))
    client.http.timeout_keep_alive = 0
    client.http.timeout_keep_alive_handler()
    assert client.socket.ended == []
    client.app.let_go.set()
    assert (await client.ask()).endswith(b"later ")


async def test_the_timers_of_a_connection_end_with_it() -> None:
    client = Client()
    await client.ask(request("/ack"))
    timer = client.http.timeout_keep_alive_task
    assert timer is not None
    client.http.connection_lost(ConnectionResetError())
    assert timer.cancelled()


# --- the end --------------------------------------------------------------------------------------------


async def test_a_shutdown_waits_for_the_answer_and_closes_behind_it() -> None:
    client = Client()
    await client.ask(request("/later"))
    client.http.shutdown()
    assert client.socket.ended == []
    client.app.let_go.set()
    assert b"\r\nconnection: close\r\n" in await client.ask()
    assert client.socket.ended == ["close"]


async def test_a_shutdown_waits_for_a_body() -> None:
    client = Client()
    await client.ask(request(body=b"hi")[:-1])
    client.http.shutdown()
    answer = await client.ask(b"i")
    assert answer.endswith(b"POST /echo 2 hi")
    assert b"\r\nconnection: close\r\n" in answer
    assert client.socket.ended == ["close"]


async def test_a_shutdown_closes_what_is_idle() -> None:
    client = Client()
    await client.ask(request("/ack"))
    client.http.shutdown()
    assert client.socket.ended == ["close"]


async def test_a_server_stops_when_the_lane_is_empty() -> None:
    app = App()
    listener = bind("127.0.0.1", 0, "")
    server = Server(app, listener, lane=app)
    await server.start()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(request("/ack") + request("/later"))
    await reader.readuntil(b"ack")
    await app.waiting.wait()
    stopping = asyncio.create_task(server.stop(20))
    await asyncio.sleep(0.15)
    assert not stopping.done()
    app.let_go.set()
    assert (await reader.read()).endswith(b"later ")
    await stopping
    assert app.served == ["lane", "lane"]
    writer.close()


# --- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/raises", "/raises-later"])
async def test_a_handler_that_raises_is_a_500_with_its_traceback(target: str) -> None:
    client = Client()
    assert (await client.ask(request(target))).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert client.socket.ended == ["close"]
    [told] = client.told
    assert (told.name, told.phase, type(told.error)) == (Name.REQUEST, Phase.FAILED, ZeroDivisionError)


async def test_a_broken_lane_is_told_and_asgi_answers() -> None:
    client = Client()
    assert (await client.ask(request("/no-lane"))).endswith(b"POST /no-lane 2 ")
    assert client.app.served == ["asgi"]
    assert [type(told.error) for told in client.told] == [ZeroDivisionError]


@pytest.mark.parametrize("target", ["/bad-value", "/bad-name", "/bad-status"])
async def test_an_answer_that_cannot_be_sent_ends_the_connection(target: str) -> None:
    client = Client()
    assert await client.ask(request(target)) == b""
    assert client.socket.ended == ["close"]
    assert len(client.told) == 1


# --- WebSockets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [b"", request("/ack")], ids=["first", "after a request"])
async def test_an_upgrade_is_none_of_the_lane_s_business(before: bytes) -> None:
    client = Client()
    head = b"GET /ack HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    await client.ask(before + head + b"frames")
    [head, *_] = client.upgraded
    assert (head.method, head.target, head.headers[0]) == ("GET", b"/ack", (b"host", b"h"))
    assert client.upgraded[1:] == [b"frames"]
    assert client.app.served == (["lane"] if before else [])
    assert client.http.timeout_keep_alive_task is None
