"""One HTTP exchange over ASGI: a whole body in, a whole answer out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from webpubsub.model.http import BODILESS, HttpAnswer

# ASGI messages and scopes have values of many types.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def receive_body(receive: Receive, limit: int) -> bytes | None:
    """Return the whole body, or None when it has more than ``limit`` bytes.

    Raises:
        ClientGone: It never became complete.
    """
    start, more = await _next_piece(receive)
    if not more:
        return start if len(start) <= limit else None
    block = BytesIO()  # not a list: a body may come as millions of pieces
    size = block.write(start)
    while more and size <= limit:
        piece, more = await _next_piece(receive)
        size += block.write(piece)
    return block.getvalue() if size <= limit else None


async def _next_piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


async def send_answer(answer: HttpAnswer, send: Send, *, is_head: bool = False) -> None:
    """Send the whole answer; to a HEAD request without its body."""
    is_bare = answer.status in BODILESS
    headers = (
        [*answer.headers] if is_bare else [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_bare or is_head else answer.body})
