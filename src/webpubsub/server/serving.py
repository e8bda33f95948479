"""uvicorn inside this process: where its servers listen, how they start and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, cast

import uvicorn

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import FastLane
from webpubsub.model.trace import SILENT, Trace
from webpubsub.server.http_protocol import FastLaneHttp, GuardedHttp
from webpubsub.server.tls import Tls, scheme_of

BACKLOG = 4096

# Addresses that people call localhost: every name of it leads to them.
_LOCALHOST: Final = {"localhost", "127.0.0.1", "0.0.0.0", "::"}
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Server:
    """One HTTP server on one socket."""

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        *,
        ws: Any = "none",
        lane: FastLane | None = None,
        tls: Tls | None = None,
        trace: Trace = SILENT,
    ) -> None:
        """Serve ``app``.

        Args:
            app: The ASGI application.
            listener: A socket that listens.
            ws: Serves WebSockets: what uvicorn's ``ws=`` takes.
            lane: The application's short way for hot requests, or None.
            tls: The certificate it shows, or None: then it speaks plain HTTP.
            trace: Is told of requests that no application answers.
        """
        http: Any = partial(GuardedHttp, trace) if lane is None else partial(FastLaneHttp, lane, trace)
        config = uvicorn.Config(
            app,
            http=http,
            ws=ws,
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nobody's word is taken for who called or under which name
            server_header=False,
            # Longer than clients keep idle connections (aiohttp: 15 s), so that the client is the one who
            # closes; else a request may meet a connection that was just closed here.
            timeout_keep_alive=75,
            backlog=BACKLOG,
            ssl_certfile=None if tls is None else tls.certfile,
            ssl_keyfile=None if tls is None else tls.keyfile,
            ssl_ciphers="",  # Python's own choice; that of older uvicorn takes CBC suites with TLS 1.2
        )
        self._listener = listener
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the server takes requests."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.001)

    async def stop(self, seconds: float) -> None:
        """Take no more requests, give those under way some seconds to finish, close every connection."""
        self._server.config.timeout_graceful_shutdown = cast(int, seconds)  # it takes parts of seconds too
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: two servers share this process, and it decides their order."""
        yield


def bind(host: str, port: int, way_out: str) -> socket.socket:
    """Return a listening socket; whoever connects before it is served waits.

    It listens at once, as two sockets that only hold the same address do not yet exclude each other.

    Raises:
        ConfigurationError: The port cannot be had, and ``way_out`` says what to do then; or ``host`` is no
            address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return listening(family, address)
    except OSError as error:
        is_elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        fix = "give an address of this machine with --host" if is_elsewhere else way_out
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; {fix}"
        ) from error


def listening(
    family: socket.AddressFamily, address: tuple[object, ...], *, is_shared: bool = False
) -> socket.socket:
    """Return a socket that listens; several can share an address where the system has ``SO_REUSEPORT``.

    Raises:
        OSError: The address cannot be had.
    """
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def shown_url(listener: socket.socket, host: str, tls: Tls | None = None) -> str:
    """Return the URL of a server that was told to listen on ``host``, as people type it."""
    return _url("localhost" if host.lower() in _LOCALHOST else host, listener, tls)


def reachable_url(listener: socket.socket) -> str:
    """Return the URL by which this machine itself reaches a server without TLS for certain."""
    host = listener.getsockname()[0]
    return _url(_LOOPBACK.get(host, host), listener)


def _url(host: str, listener: socket.socket, tls: Tls | None = None) -> str:
    return f"{scheme_of(tls)}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
