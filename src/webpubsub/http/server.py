"""The HTTP/1.1 server: a socket that listens, a clock for all connections, a start and an end.

Each connection says until when it waits; once a second the server looks whose time is over.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import partial
from typing import Any, Final

from webpubsub.http.asgi import Lifespan, LifespanFailed
from webpubsub.http.protocol import CLOSE_SECONDS, HttpConnection
from webpubsub.http.server_state import ServerState
from webpubsub.model.trace import Name, Phase

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HttpServer(ServerState):
    """Serves an application on one socket; see `ServerState` for what it is made with."""

    _lifespan: Lifespan | None = None
    _server: asyncio.Server | None = None
    _clock: asyncio.TimerHandle | None = None

    async def start(
        self, listener: Any, tls: ssl.SSLContext | None = None, *, lifespan: bool = False
    ) -> None:
        """Take requests from now on.

        Args:
            listener: A socket that listens; it is closed when the server stops.
            tls: With the certificate it shows, or None: then it speaks plain HTTP.
            lifespan: Whether the application starts before the first request, and ends behind the last.

        Raises:
            LifespanFailed: The application says that it cannot start.
        """
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if tls is not None:
            self.scheme = "https"
            # Without the last, a client that is gone without a word would hold up the stop for half a minute.
            options = {
                "ssl": tls,
                "ssl_handshake_timeout": self.bounds.head_timeout,
                "ssl_shutdown_timeout": CLOSE_SECONDS,
            }
        if lifespan:
            self._lifespan = Lifespan(self.app, self.state)
            await self._lifespan.startup()
            if self._lifespan.error is not None:
                self._tell("the application raised an exception as it started", self._lifespan.error)
        self._go_on(loop)
        try:
            self._server = await loop.create_server(partial(HttpConnection, self), sock=listener, **options)
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, seconds: float) -> None:
        """Take no more requests, give those under way some seconds to finish, close every connection.

        What an application's lifespan says goes to the trace.
        """
        if self._server is not None:
            self._server.close()
        self.is_stopping = True
        for connection in list(self.connections):
            connection.shutdown()
        for socket in list(self.open_sockets):
            socket.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (self.connections or self.open_sockets or self.tasks) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # who is here leaves by many ways, of which none is hot then
        for task in list(self.tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=1)
        if self._clock is not None:
            self._clock.cancel()
        if self._lifespan is not None:
            try:
                await self._lifespan.shutdown(max(end - loop.time(), CLOSE_SECONDS))
            except LifespanFailed as error:
                self._tell(str(error), error.__cause__)

    def _tell(self, problem: str, error: BaseException | None) -> None:
        self.trace.tell(Name.REQUEST, Phase.FAILED, {}, {"message": problem}, error)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tick(loop.time(), time.time())
        self._clock = loop.call_later(1, self._go_on, loop)

    def tick(self, now: float, date: float) -> None:
        """Look whose time is over.

        Args:
            now: Seconds on the clock of time limits.
            date: Seconds since the epoch.
        """
        self.now = now
        self.date_line = b"date: %b\r\n" % http_date(date).encode()
        for connection in [each for each in self.connections if each.due <= now]:
            connection.on_time()


def http_date(seconds: float) -> str:
    """Return a time as HTTP writes it, in no locale (RFC 9110, section 5.6.7).

    Example:
        >>> http_date(784111777)
        'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    found = time.gmtime(seconds)
    day = f"{_DAYS[found.tm_wday]}, {found.tm_mday:02d} {_MONTHS[found.tm_mon - 1]} {found.tm_year:04d}"
    return f"{day} {found.tm_hour:02d}:{found.tm_min:02d}:{found.tm_sec:02d} GMT"
