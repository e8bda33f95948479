"""One HTTP exchange over ASGI: a whole body in, a whole answer out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def send_answer(answer: HttpAnswer, send: Send, *, is_head: bool = False) -> None:
    """Send the whole answer; to a HEAD request without its body."""
    is_bare = answer.status in BODILESS
    headers = (
        [*answer.headers] if is_bare else [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_bare or is_head else answer.body})
