"""A whole body, in whatever pieces it comes."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat
from typing import Any

import pytest

from kit.growth import peak_memory
from webpubsub.http.asgi import ClientGone, receive_body
from webpubsub.service.rest.bodies import read_body

MIB = 1024 * 1024


def pieces(*given: bytes, ends: bool = True) -> Any:
    """What an ASGI server hands on; without an end the client goes."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in given]
    if ends:
        messages[-1]["more_body"] = False
    iterator = chain(messages, repeat({"type": "http.disconnect"}))

    async def receive() -> Any:
        return next(iterator)

    return receive


@pytest.mark.parametrize(
    "given", [[b""], [b"abc"], [b"ab", b"c"], [b"", b"abc"], [b"a", b"b", b"", b"c", b""]]
)
async def test_a_body_is_put_together(given: list[bytes]) -> None:
    assert await receive_body(pieces(*given), 3) == b"".join(given)


@pytest.mark.parametrize("given", [[b"abcd"], [b"abc", b"d"], [b"abc", b"d", b"e"]])
async def test_a_body_over_its_limit_is_none(given: list[bytes]) -> None:
    assert await receive_body(pieces(*given), 3) is None


@pytest.mark.parametrize("given", [[], [b"a"], [b"a", b"b"]])
async def test_a_client_may_go_before_the_end(given: list[bytes]) -> None:
    with pytest.raises(ClientGone):
        await receive_body(pieces(*given, ends=False), 3)


@pytest.mark.parametrize("read", [receive_body, read_body])
@pytest.mark.parametrize("each", [1, 2, 1000])
def test_a_body_in_many_pieces_takes_its_size_and_no_more(read: Any, each: int) -> None:
    left = count = 100_000 // each

    async def receive() -> Any:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": bytes([left % 256]) * each, "more_body": left > 0}

    body, peak = peak_memory(lambda: asyncio.run(read(receive, MIB)))
    assert len(body) == count * each
    assert peak < len(body) * 5 / 4 + 300_000
