"""Calls over kept connections: those to one origin are shared, and the one used last is used next.

A connection writes a request and waits for its answer, one at a time; then it goes back to its pool.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, cast

from webpubsub.http.errors import HttpCallError, InvalidAnswer, InvalidCall, NotReached, Unanswered
from webpubsub.http.response import Response, ResponseReader
from webpubsub.http.urls import Origin, Url

IDLE_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 10.0  # an address; a name may have several
_WITHOUT_LENGTH: Final = {"GET", "HEAD", "OPTIONS"}


class HttpPool:
    """Sends requests, each over a connection of its own while it lasts; there may be any number of them.

    Use it from one event loop. Time limits are the caller's: one who is cancelled ends the connection.

    Args:
        max_body: Bytes of an answer's body that are read; of longer ones only a little more than that.
        idle_seconds: How long a connection is kept without use.
        tls: Instead of the system's certificate authorities.
    """

    def __init__(
        self, *, max_body: int, idle_seconds: float = IDLE_SECONDS, tls: ssl.SSLContext | None = None
    ) -> None:
        self._max_body = max_body
        self._idle_seconds = idle_seconds
        self._tls = tls
        self._connections: set[Connection] = set()
        # The one that was used last stands last; each is found at once, however many there are.
        self._idle: dict[Origin, OrderedDict[Connection, None]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def request(
        self,
        method: str,
        url: Url,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        may_repeat: bool = False,
    ) -> Response:
        """Send a request and return its answer, whatever its status.

        Args:
            method: In capitals.
            url: Where to.
            headers: Besides ``Host``, ``User-Agent`` and ``Content-Length``; values are sent in UTF-8.
            body: May be empty.
            may_repeat: Send it again, once and over a new connection, when a kept one ended before the
                first byte of an answer: the server has most likely closed it as the request was on its way.

        Raises:
            InvalidCall: A header cannot be sent.
            NotReached: No connection could be made, or it ended before the answer did.
            InvalidAnswer: What came back is no HTTP answer.
        """
        request = _head(method, url, headers, len(body)) + body
        kept = self._take(url.origin)
        if kept is not None:
            try:
                return await kept.exchange(method, request)
            except Unanswered:
                if not may_repeat:
                    raise
        connection = await self._connect(url.origin)
        return await connection.exchange(method, request)

    async def close(self) -> None:
        """End all connections; a later request opens new ones."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            await asyncio.wait([connection.closed for connection in self._connections])

    # --- connections ----------------------------------------------------------------------------------

    def _take(self, origin: Origin) -> Connection | None:
        """Return a kept connection that goes on, as far as is known here."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.popitem()[0]
            if not connection.is_closing:
                return connection
        return None

    def take_back(self, connection: Connection) -> None:
        """Keep a connection whose answer is complete."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(connection.origin, OrderedDict())[connection] = None
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._close_idle)

    def discard(self, connection: Connection) -> None:
        """Use a connection no more that ends while nobody waits for it."""
        idle = self._idle.get(connection.origin)
        if idle is not None:
            idle.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """Let a connection go that has ended."""
        self._connections.discard(connection)
        self.discard(connection)

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        latest = loop.time() - self._idle_seconds
        for origin, idle in list(self._idle.items()):
            while idle and next(iter(idle)).idle_since <= latest:
                idle.popitem(last=False)[0].close()
            if not idle:
                del self._idle[origin]
        if self._idle:
            oldest = min(next(iter(idle)).idle_since for idle in self._idle.values())
            self._sweep = loop.call_at(oldest + self._idle_seconds, self._close_idle)

    async def _connect(self, origin: Origin) -> Connection:
        """Connect to the first address of a name that takes the connection.

        uvloop would wait at one that does not answer for as long as the system does.
        """
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if origin.scheme == "https":
            options = {"ssl": await self._tls_context(), "server_hostname": origin.host}
        problems: list[str] = []
        try:
            for host, port in await _addresses(origin):
                try:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        _, connection = await loop.create_connection(
                            lambda: Connection(self, origin, self._max_body), host, port, **options
                        )
                except OSError as error:  # TLS errors and TimeoutError are such, too
                    problems.append(f"{host} port {port}: {str(error) or 'it does not answer'}")
                else:
                    self._hold(connection)
                    return connection
        except OSError as error:  # there is no such name
            problems.append(f"{origin.host}: {error}")
        raise NotReached("; ".join(problems))

    def _hold(self, connection: Connection) -> None:
        """Know a connection until it has ended.

        Not from `connection_made` on: who is cancelled right behind that has no connection, of the end of
        which uvloop says nothing.
        """
        if not connection.closed.done():
            self._connections.add(connection)

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # reading all certificates takes some 20 ms
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


async def _addresses(origin: Origin) -> list[tuple[str, int]]:
    import socket

    found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


def _head(method: str, url: Url, headers: Sequence[tuple[str, str]], length: int) -> bytes:
    lines = "\r\n".join(map(": ".join, headers))
    # Only the line ends that were just written: quicker than a look into each value.
    ends = max(len(headers) - 1, 0)
    if lines.count("\n") != ends or lines.count("\r") != ends or "\0" in lines:
        raise InvalidCall("a header has a line end or a zero byte in it")
    if lines:
        lines += "\r\n"
    if url.authorization is not None and not any(name.lower() == "authorization" for name, _ in headers):
        lines += f"Authorization: {url.authorization}\r\n"
    if length or method not in _WITHOUT_LENGTH:
        lines += f"Content-Length: {length}\r\n"
    try:
        return f"{method}{url.head}{lines}\r\n".encode()
    except UnicodeEncodeError:
        raise InvalidCall("a header has a character that has no UTF-8 form") from None


class Connection(asyncio.Protocol):
    """A connection of a pool, to which it goes back after each complete answer.

    Attributes:
        origin: The other end.
        idle_since: Loop time of the last answer.
        closed: Done when it has ended.
    """

    __slots__ = ("_answer", "_loop", "_pool", "_reader", "_transport", "closed", "idle_since", "origin")

    def __init__(self, pool: HttpPool, origin: Origin, max_body: int) -> None:
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
        if method == "HEAD" or self._reader.is_head:
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
