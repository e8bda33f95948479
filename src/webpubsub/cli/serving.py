"""uvicorn inside this process: servers that share one loop and leave signals alone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import uvicorn

from webpubsub.model.errors import ConfigurationError

__all__ = ["Server", "bind", "run_until_stopped"]

BACKLOG = 4096


class Server:
    """One HTTP server on one socket."""

    def __init__(self, app: Any, listener: socket.socket, *, grace: int, ws: Any = "none") -> None:
        """Serve ``app``; stopping waits ``grace`` seconds for requests under way."""
        config = uvicorn.Config(
            app,
            http="httptools",
            ws=ws,
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nobody's word is taken for who called or under which name
            server_header=False,
            timeout_graceful_shutdown=grace,
            # Longer than clients keep idle connections (aiohttp: 15 s), so that the client is the one who
            # closes; else a request may meet a connection that was just closed here.
            timeout_keep_alive=75,
            backlog=BACKLOG,
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

    async def stop(self) -> None:
        """Take no more requests, finish those under way, close every connection."""
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
        ConfigurationError: The address cannot be had; ``way_out`` says what to do then.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; {way_out}"
        ) from error
    listener.setblocking(False)
    return listener


def run_until_stopped(main: Callable[[Callable[[], Awaitable[object]]], Coroutine[Any, Any, None]]) -> None:
    """Run ``main`` on the fastest loop there is; it gets a function that waits for Ctrl-C or SIGTERM."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_with_signals(main))


async def _with_signals(
    main: Callable[[Callable[[], Awaitable[object]]], Coroutine[Any, Any, None]],
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows: only through the interpreter's own handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    await main(stopped.wait)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
