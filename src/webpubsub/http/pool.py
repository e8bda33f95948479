"""Calls over kept connections: those to one origin are shared, and the one used last is used next."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from webpubsub.http.connection import Connection
from webpubsub.http.errors import InvalidCall, NotReached, Unanswered
from webpubsub.http.response import Response
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
