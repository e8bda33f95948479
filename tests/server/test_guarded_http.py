"""The limits of a request's head, with uvicorn's own protocol under it and a fake transport."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState
from webpubsub.server.http_protocol import HEAD_SECONDS, MAX_HEAD_BYTES, GuardedHttp

from kit.http_wire import Wire
from kit.service_peers import turns
from webpubsub.model.http import RequestHead
from webpubsub.model.trace import SILENT, Trace, TraceEvent
from webpubsub.server import http_protocol

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = b"GET /client HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Client:
    """A client of an app that answers each request with the size of its body, and ``/early`` before it."""

    def __init__(self) -> None:
        self.upgraded: list[Any] = []
        self.served: list[int] = []
        self.headers: list[tuple[bytes, bytes]] = []  # of the last request
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.socket = Wire()
        config = uvicorn.Config(
            cast(Any, self.app),
            http=cast(Any, partial(GuardedHttp, SILENT)),
            ws=cast(Any, self.web_socket),
            log_config=None,
            lifespan="off",
            interface="asgi3",
        )
        config.load()
        self.told: list[TraceEvent] = []
        self.http = GuardedHttp(
            Trace(self.told.append), config=config, server_state=ServerState(), app_state={}
        )
        self.socket.protocol = self.http
        self.http.connection_made(self.socket)

    @property
    def messages(self) -> list[str]:
        """What the trace was told."""
        return [event.detail["message"] for event in self.told]

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
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

    def web_socket(self, head: RequestHead, _open_sockets: set[Any]) -> asyncio.Protocol:
        upgraded = self.upgraded
        upgraded.append(head)

        class WebSocket(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                upgraded.append(data)

        return WebSocket()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            cast(asyncio.Protocol, self.socket.protocol).data_received(piece)
        await turns()

    @property
    def status(self) -> int:
        """The status of the last answer; the answer's words are for people."""
        return int(self.socket.take()[9:12])

    def timer(self) -> asyncio.TimerHandle:
        timer = self.http._timer
        assert timer is not None
        assert timer.when() - asyncio.get_running_loop().time() == pytest.approx(HEAD_SECONDS, abs=1)
        return timer


async def test_a_request_is_served_and_nothing_is_timed_any_more() -> None:
    client = Client()
    await client.send(GET)
    assert client.served == [0]
    assert client.status == 200
    assert client.http._timer is None
    await client.send(GET[:10])
    assert not client.timer().cancelled()
    await client.send(GET[10:])
    assert client.served == [0, 0]
    assert client.http._timer is None
    assert client.socket.ended == []


async def test_who_says_nothing_is_hung_up_on() -> None:
    client = Client()
    client.timer()._run()
    assert client.socket.take() == b""
    assert client.socket.ended == ["close"]


async def test_a_head_that_trickles_in_is_given_up() -> None:
    client = Client()
    first = client.timer()
    for byte in GET[:-1]:
        await client.send(bytes([byte]))
    assert client.timer() is first, "each byte does not buy more time"
    first._run()
    assert client.status == 408
    assert client.socket.ended == ["close"]
    assert client.messages == ["The request's head was not complete after 15 seconds. Answered with 408."]


async def test_who_goes_is_not_timed() -> None:
    client = Client()
    timer = client.timer()
    client.http.connection_lost(None)
    assert timer.cancelled()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 3),
        b"GET / HTTP/1.1\r\nx: " + b"y" * 2 * MAX_HEAD_BYTES,
        b"\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["target", "headers", "one header", "empty lines"],
)
@pytest.mark.parametrize("size", [1 << 20, 4096, 777])
async def test_a_giant_head_is_refused(head: bytes, size: int) -> None:
    client = Client()
    for start in range(0, len(head), size):
        if client.socket.ended:
            break
        await client.send(head[start : start + size])
    assert start <= MAX_HEAD_BYTES + 2 * size, "at most one piece more than the limit"
    assert client.status == 431
    assert client.socket.ended == ["close"]
    assert client.http._timer is None
    assert client.served == []


async def test_a_head_may_be_as_large_as_the_limit() -> None:
    client = Client()
    head = GET[:-2] + b"x: " + b"y" * (MAX_HEAD_BYTES - len(GET) - 5) + b"\r\n\r\n"
    assert len(head) == MAX_HEAD_BYTES
    await client.send(head)
    assert client.served == [0]


async def test_a_large_body_is_no_head() -> None:
    client = Client()
    size = 3 * MAX_HEAD_BYTES
    await client.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    assert client.served == [size]
    assert client.status == 200


async def test_the_request_before_does_not_count_as_head() -> None:
    client = Client()
    body = b"x" * (MAX_HEAD_BYTES - 100)
    first = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    await client.send(first + GET[:5], b"x HTTP/1.1\r\n", b"Host: h\r\n" + b"x: y\r\n" * 100, b"\r\n")
    assert client.served == [len(body), 0]


CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_headers_behind_a_body_do_not_count() -> None:
    """RFC 9110, section 6.5.1: who looked at the head, as a proxy does, has not seen them."""
    client = Client()
    await client.send(CHUNKED + b"1\r\nx\r\n0\r\nX-Functions-Key: stolen\r\n\r\n" + GET)
    assert client.served == [1, 0]
    assert client.headers == [(b"host", b"h")]
    client = Client()
    await client.send(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Functions-Key: stolen\r\n\r\n")
    assert client.served == [1]
    assert client.headers == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("piece", [b"x: y\r\n" * 700, b"y" * 4096], ids=["lines", "one line"])
async def test_headers_behind_a_body_are_no_more_than_a_head(piece: bytes) -> None:
    client = Client()
    await client.send(CHUNKED + b"1\r\nx\r\n0\r\n")
    sent = 0
    while not client.socket.ended and sent < 10 * MAX_HEAD_BYTES:
        await client.send(piece)
        sent += len(piece)
    assert MAX_HEAD_BYTES < sent <= MAX_HEAD_BYTES + 2 * len(piece)
    assert client.status == 431
    assert client.served == []


async def test_a_body_in_small_chunks_is_no_head() -> None:
    client = Client()
    await client.send(CHUNKED)
    for _ in range(100):
        await client.send(b"1;%b\r\nx\r\n" % (b"e" * 1000))
    await client.send(b"0\r\n\r\n")
    assert client.served == [100]


# --- the order of answers -----------------------------------------------------------------------------


BAD_SECONDS = {
    "junk": b"\x16\x03\x01\r\n\r\n",
    "a giant head": GET[:-2] + b"x: " + b"y" * 2 * MAX_HEAD_BYTES,
    "a websocket": UPGRADE,
    "a websocket of old": UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@pytest.mark.parametrize("second", BAD_SECONDS.values(), ids=BAD_SECONDS)
async def test_no_refusal_is_taken_for_the_answer_to_the_request_before(second: bytes) -> None:
    client = Client()
    client.let_go.clear()
    await client.send(GET)
    await client.send(second)
    assert client.socket.take() == b""
    assert client.messages[0].endswith(" Not answered, as that would be taken for another answer.")
    assert client.upgraded == []
    assert client.socket.ended == ["close"]
    client = Client()
    await client.send(GET)
    assert client.status == 200
    await client.send(second)
    assert client.upgraded != [] or client.status in {400, 431}


async def test_a_head_that_trickles_in_behind_a_request_is_not_taken_for_its_answer() -> None:
    client = Client()
    client.let_go.clear()
    await client.send(GET + GET[:5])
    client.timer()._run()
    assert client.socket.take() == b""
    assert client.socket.ended == ["close"]


async def test_a_broken_body_is_refused_once() -> None:
    client = Client()
    await client.send(CHUNKED + b"no size\r\n")
    assert client.status == 400
    client = Client()
    await client.send(CHUNKED.replace(b"/", b"/early", 1))
    assert client.status == 200
    await client.send(b"no size\r\n")
    assert client.socket.take() == b"", "it was answered"
    assert client.socket.ended == ["close"]


# --- idle connections ---------------------------------------------------------------------------------


async def test_the_rest_of_a_body_that_was_answered_does_not_hold_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    await client.send(b"POST /early HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    assert client.status == 200
    await client.send(b"x")
    idle = client.http.timeout_keep_alive_task
    assert idle is not None
    monkeypatch.setattr(client.http, "timeout_keep_alive", 0)
    idle._run()
    assert client.socket.ended == ["close"]


async def test_a_body_that_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    await client.send(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"x")
    timer = client.http.timeout_keep_alive_task
    assert timer is not None
    timer._run()
    assert client.socket.ended == [], "the last piece came just now"
    timer = client.http.timeout_keep_alive_task
    assert timer is not None
    monkeypatch.setattr(client.http, "timeout_keep_alive", 0)
    client.http.flow.pause_reading()
    timer._run()
    assert client.socket.ended == [], "nobody reads here"
    client.http.flow.resume_reading()
    client.http.timeout_keep_alive_handler()
    assert client.status == 408
    assert client.socket.ended == ["close"]


async def test_a_body_that_comes_is_not_given_up() -> None:
    client = Client()
    await client.send(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"x")
    timer = client.http.timeout_keep_alive_task
    await client.send(b"x" * 8)
    assert client.status == 200
    assert timer is not None
    assert timer.cancelled()
    client.http.connection_lost(None)
    assert client.http.timeout_keep_alive_task is None


async def test_junk_is_refused() -> None:
    client = Client()
    await client.send(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    assert client.status == 400
    assert client.socket.ended == ["close"]


async def test_an_upgrade_gets_the_head_then_all_that_came_with_it() -> None:
    """The WebSocket's protocol says that it came too early."""
    client = Client()
    early = b"\x89\x80\0\0\0\0"
    await client.send(UPGRADE + early)
    head, *rest = client.upgraded
    assert (head.method, head.target) == ("GET", b"/client")
    assert rest == [early]
    assert client.http._timer is None


@given(cuts=st.lists(st.integers(0, len(UPGRADE) + 100), max_size=5))
def test_however_an_upgrade_is_cut_nothing_is_lost(cuts: list[int]) -> None:
    async def sent_in_pieces() -> list[Any]:
        client, sent = Client(), UPGRADE + b"e" * 100
        edges = [0, *sorted(cuts), len(sent)]
        await client.send(*(sent[a:b] for a, b in itertools.pairwise(edges) if a < b))
        return client.upgraded

    head, *rest = asyncio.run(sent_in_pieces())
    assert (head.method, head.target) == ("GET", b"/client")
    assert b"".join(rest) == b"e" * 100


async def test_a_great_deal_of_early_frames_goes_to_the_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "MAX_HEAD_BYTES", 256)
    client = Client()
    await client.send(UPGRADE + b"e" * 1000)
    assert b"".join(client.upgraded[1:]) == b"e" * 1000


async def test_4_2_1_a_websocket_needs_http_1_1() -> None:
    client = Client()
    await client.send(UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert client.status == 400
    assert client.upgraded == []
    assert client.socket.ended == ["close"]


async def test_an_upgrade_to_something_else_is_an_offer_that_is_not_taken() -> None:
    """And nobody is told to install a WebSocket library, as uvicorn would."""
    client = Client()
    await client.send(UPGRADE.replace(b"websocket", b"h2c"))
    assert client.status == 200
    assert client.upgraded == []
    assert client.messages == []
