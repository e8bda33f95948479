"""The life of a process: its parts start in their order, it is told to stop, they stop in the reverse order.

All five ways to run this package go through `run_until_stopped`, and differ in their parts only.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, Protocol

from webpubsub.model.trace import SILENT, Trace
from webpubsub.server.descriptors import Descriptors, raise_limit
from webpubsub.server.ending import LAST_SECONDS, Grace, end_soon

# Seconds for stopping: of a process with the app; of one with children, which may take all of theirs.
APP_GRACE: Final = 30
PARENT_GRACE: Final = APP_GRACE + LAST_SECONDS

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_USUAL: Final = gc.get_threshold()
_NEW_OBJECTS: Final = 50_000


class Part(Protocol):
    """What runs for as long as the process does: the app, the service, children."""

    async def start(self) -> None:
        """Return when it runs."""

    async def stop(self, grace: Grace) -> None:
        """End in time; also where `start` failed, or was cancelled."""


class Background:
    """A task beside the other parts, which ends with them."""

    def __init__(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._run = run
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let it run."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, _grace: Grace) -> None:
        """Cancel it.

        Raises:
            Exception: Whatever ended it before.
        """
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


def run_until_stopped(
    *parts: Part | None,
    seconds: float,
    trace: Trace = SILENT,
    ready: Callable[[], str] | None = None,
    until: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Run ``parts`` until Ctrl-C or SIGTERM, on the fastest loop there is.

    Once they have stopped, the process ends soon, whatever the app still does.

    Args:
        parts: Started in this order, and stopped in the reverse one; None is nothing.
        seconds: All the time there is for stopping.
        trace: Is told what the process runs short of.
        ready: Returns what to show once all have started, before the line that tools wait for.
        until: Called then; when it returns or raises, that is the end, too.

    Raises:
        Exception: Whatever a part or ``until`` raised; the parts have stopped.
    """

    async def main() -> None:
        await live((descriptors, *parts), Grace(seconds), _watch_signals().wait(), ready, until)

    look_rarely_for_garbage()
    descriptors = Descriptors(raise_limit(), trace)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())
        end_soon(0)


async def live(
    parts: Sequence[Part | None],
    grace: Grace,
    stopped: Awaitable[object],
    ready: Callable[[], str] | None = None,
    until: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Do what `run_until_stopped` does, until ``stopped``, which waits for no start."""
    async with AsyncExitStack() as stack:

        async def run() -> None:
            for part in parts:
                if part is not None:
                    stack.push_async_callback(part.stop, grace)
                    await part.start()
            if ready is not None:
                announce_ready(ready())
            await (asyncio.Event().wait if until is None else until)()

        await first(stopped, run())


async def first(*endings: Awaitable[object]) -> None:
    """Return when one of ``endings`` has; the others are cancelled.

    Raises:
        Exception: Whatever one of them raised.
    """
    tasks = [asyncio.ensure_future(each) for each in endings]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in ended:
        task.result()


def announce_ready(overview: str) -> None:
    """Show what runs, and the line that tools wait for."""
    sys.stdout.write(f"{overview}Ready\n")
    sys.stdout.flush()


def _watch_signals() -> asyncio.Event:
    """Return what the first signal sets."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # a second one does not wait for anything

    for number in _SIGNALS:
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows: only through the interpreter's own handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    return stopped


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def look_rarely_for_garbage() -> None:
    """Look for garbage less often, and never among what there is now: code, mostly, which stays anyway.

    Events under way look like garbage that is still to be found: 200 of them at once, and Python looks every
    fifteen events. Measured with events to functions and 200 clients: 20% less CPU time for looking more
    rarely, another 17% for leaving out what there was at the start.

    An app that has set a threshold of its own keeps that.
    """
    gc.freeze()
    if gc.get_threshold() == _USUAL:
        gc.set_threshold(_NEW_OBJECTS, *_USUAL[1:])
