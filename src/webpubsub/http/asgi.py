"""What every ASGI application here does alike: a whole body in, a whole answer out, a start and an end."""

from __future__ import annotations

import asyncio
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


class LifespanFailed(Exception):
    """An application could not start, or not end well."""


class Lifespan:
    """Starts and ends an application, which may know nothing of that.

    Attributes:
        error: What the application raised instead of saying whether it has started, although it had heard of
            it: then it runs all the same.

    Source: ASGI 3.0, "Lifespan Protocol", version 2.0.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], state: MutableMapping[str, Any]) -> None:
        """Begin nothing yet; the application fills ``state`` for its requests."""
        self.error: BaseException | None = None
        self._app = app
        self._state = state
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._has_heard = False
        self._outcome: asyncio.Future[Message] | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Return when the application has started, or when it turns out that it knows no lifespan.

        Raises:
            LifespanFailed: It says that it could not start.
        """
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        self._task = asyncio.get_running_loop().create_task(self._run(scope))
        await self._ask("startup")

    async def shutdown(self, seconds: float) -> None:
        """Let the application end.

        Args:
            seconds: For which it may take; then it is cancelled.

        Raises:
            LifespanFailed: It says that something went wrong, raised an exception, or took too long.
        """
        if self._task is None or self._task.done():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ask("shutdown")
                await self._task
        except TimeoutError:
            self._task.cancel()
            raise LifespanFailed(f"the application's shutdown took more than {seconds:g} seconds") from None
        if self.error is not None:
            raise LifespanFailed(f"the application's shutdown failed: {self.error}") from self.error

    async def _ask(self, step: str) -> None:
        self._outcome = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": f"lifespan.{step}"})
        message = await self._outcome
        if message["type"] == f"lifespan.{step}.failed":
            raise LifespanFailed(f"the application's {step} failed: {message.get('message', '')}")

    async def _run(self, scope: Message) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 - whoever knows no lifespan raises something
            self.error = error if self._has_heard else None
        self._tell({"type": "none"})

    async def _receive(self) -> Message:
        message = await self._messages.get()
        self._has_heard = True
        return message

    async def _send(self, message: Message) -> None:
        self._tell(message)

    def _tell(self, message: Message) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(message)
