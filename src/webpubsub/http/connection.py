"""One connection: writes a request and waits for its answer, one at a time."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from webpubsub.http.errors import HttpCallError, InvalidAnswer, NotReached, Unanswered
from webpubsub.http.response import Response, ResponseReader
from webpubsub.http.urls import Origin


class Keeper(Protocol):
    """Who keeps connections from one request to the next: the pool."""

    def take_back(self, connection: Connection) -> None:
        """Keep a connection whose answer is complete."""
        ...

    def discard(self, connection: Connection) -> None:
        """Use a connection no more that ends while nobody waits for it."""
        ...

    def forget(self, connection: Connection) -> None:
        """Let a connection go that has ended."""
        ...


class Connection(asyncio.Protocol):
    """A connection of a pool, to which it goes back after each complete answer.

    Attributes:
        origin: The other end.
        idle_since: Loop time of the last answer.
        closed: Done when it has ended.
    """

    __slots__ = ("_answer", "_loop", "_pool", "_reader", "_transport", "closed", "idle_since", "origin")

    def __init__(self, pool: Keeper, origin: Origin, max_body: int) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._reader = ResponseReader(max_body)
        self._answer: asyncio.Future[Response] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    async def exchange(self, method: str, request: bytes) -> Response:
        """Write a request and return its answer; who is cancelled here ends the connection.

        Raises:
            Unanswered: It ended before the first byte of the answer.
            NotReached: It ended before the answer did.
            InvalidAnswer: What came is no HTTP answer.
        """
        if self.is_closing:
            raise Unanswered(f"{self.origin.authority} closed the connection")
        self._reader.expect(method)
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._answer = answer
        self._transport.write(request)
        try:
            return await answer
        finally:
            if self._answer is answer:  # cancelled: what is still to come would be taken for the next answer
                self._answer = None
                self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Whether it takes no more requests."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection, at once; the other end may have got what it was asked."""
        self._fail(NotReached(f"the connection to {self.origin.authority} was closed on this side"))

    # --- what the transport calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on; the last byte of an answer sets the connection free."""
        if self._answer is None:  # nobody asked
            self._pool.discard(self)
            self._transport.abort()
            return
        try:
            response = self._reader.feed(data)
        except InvalidAnswer as error:
            self._fail(error)
            return
        if response is not None:
            self._complete(response)

    def eof_received(self) -> None:
        """Complete an answer that goes on until here; the transport then closes itself."""
        if self._answer is None:
            self._pool.discard(self)
            return
        response = self._reader.end()
        if response is not None:
            self._complete(response)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        self._pool.forget(self)
        self.closed.set_result(None)
        cause = f"{self.origin.authority} closed the connection{f': {error}' if error else ''}"
        self._fail(NotReached(cause) if self._reader.has_begun else Unanswered(cause))

    def _complete(self, response: Response) -> None:
        answer, self._answer = self._answer, None
        # A server may answer before it has the whole request; the rest of it is not for the next answer.
        if self._reader.is_reusable and not self._transport.get_write_buffer_size():
            self._pool.take_back(self)
        else:
            self._transport.abort()
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _fail(self, error: HttpCallError) -> None:
        answer, self._answer = self._answer, None
        self._transport.abort()
        if answer is not None and not answer.done():
            answer.set_exception(error)
