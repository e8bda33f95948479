"""What of a request's bytes is taken, and as what: RFC 9112 and 9110, section by section.

Each row is sent with a request behind it: one that is served is followed by that one, one that is refused by
none. All of it comes in one piece, byte by byte, and cut at random places, to applications with and without a
fast lane; answers and what the applications see are the same.
"""

from __future__ import annotations

import pytest

from kit.http_wire import Client, Connect, Recorder, Seen, cuttings, statuses
from kit.rfc_9112 import BEHIND, LENGTH, LINE, TABLE, WEB_SOCKET, Row, get

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def wanted(row: Row) -> tuple[list[int], list[tuple[str, bytes, bytes]]]:
    """Return the statuses and the requests that an application sees, with the request behind."""
    seen = [*row.seen, *([("GET", b"/behind", b"")] if row.goes_on else [])]
    return [200] * len(seen) + ([row.refusal] if row.refusal else []), seen


def shown(seen: list[Seen]) -> list[tuple[str, bytes, bytes]]:
    return [(method, target, body) for method, target, _, body in seen]


async def answered(client: Client, pieces: list[bytes], *, one_by_one: bool) -> bytes:
    """Return the answers without those of 100: these come or not, as more does."""
    answers = b""
    if one_by_one:
        for piece in pieces:
            answers += await client.ask(piece)
    else:
        answers = await client.ask(*pieces)
    return answers.replace(CONTINUE, b"")


@pytest.mark.parametrize("has_lane", [False, True], ids=["asgi", "lane"])
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
async def test_what_becomes_of_a_request(connect: Connect, row: Row, has_lane: bool) -> None:
    expected: bytes | None = None
    for how, pieces in cuttings(row.sent + BEHIND, seed=9112).items():
        for one_by_one in (False, True):
            app = Recorder()
            client = connect(app, lane=app if has_lane else None)
            answers = await answered(client, pieces, one_by_one=one_by_one)
            assert (statuses(answers), shown(app.seen)) == wanted(row), (how, answers)
            assert bool(client.ended) != row.goes_on, how
            assert expected in (None, answers), how
            expected = answers
            if row.headers is not None:
                assert tuple(app.seen[0][2]) == row.headers
            assert client.upgraded == []


async def test_head_is_answered_without_a_body(connect: Connect) -> None:
    app = Recorder()
    for lane in (None, app):
        client = connect(app, lane=lane)
        answer = await client.ask(get(b"HEAD / HTTP/1.1", b"Host: h"))
        assert answer.endswith(b"\r\ncontent-length: 2\r\n\r\n")


@pytest.mark.parametrize("line", [b"HEAD / HTTP/1.1\r\nHost: h\r\nExpect: x", b"HEAD / HTTP/1.1"])
async def test_head_is_refused_without_a_body(connect: Connect, line: bytes) -> None:
    answer = await connect(Recorder()).ask(get(line))
    assert answer.endswith(b"\r\n\r\n")
    assert b"\r\ncontent-length: " in answer
    answer = await connect(Recorder()).ask(get(b"HEAD / HTTP/1.1", b"Host: h"), b"junk\r\n\r\n")
    assert answer.endswith(b"Invalid method encountered."), "that is no HEAD"


WEB_SOCKETS = {
    "a WebSocket": get(LINE, b"Host: h", *WEB_SOCKET),
    "in any case": get(LINE, b"Host: h", b"connection: keep-alive,UPGRADE", b"upgrade: WebSocket"),
    "among others": get(LINE, b"Host: h", b"Connection: upgrade", b"Upgrade: h2c, websocket"),
    "in several headers": get(
        LINE,
        *(
            b"Host: h",
            b"Connection: upgrade",
            b"Connection: keep-alive",
            b"Upgrade: websocket",
            b"Upgrade: h2c",
        ),
    ),
    "without a body": get(LINE, b"Host: h", *WEB_SOCKET, LENGTH + b"0"),
}


@pytest.mark.parametrize("head", WEB_SOCKETS.values(), ids=WEB_SOCKETS)
async def test_what_becomes_a_web_socket(connect: Connect, head: bytes) -> None:
    app = Recorder()
    for how, pieces in cuttings(head + BEHIND, seed=6455).items():
        client = connect(app, lane=app)
        assert await client.ask(*pieces) == b""
        [upgraded] = client.upgraded
        assert upgraded.received == BEHIND, how
        assert app.seen == []
