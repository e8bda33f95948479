"""The functions that run now, and when they have run too long: ``functionTimeout``.

One timer watches them all: as every function has the same time, the first that started is the first to be
late. So a call costs one entry in a dictionary, and no timer of its own.

A late function's task is cancelled, and whoever called it is answered. A function that is not async runs in
a thread, which cannot be stopped; nobody waits for it any more.

Source: Functions host, "host.json, functionTimeout"; WebJobs SDK, FunctionExecutor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from webpubsub.host.dotnet.time_span import show_time_span
from webpubsub.host.function import Invocation
from webpubsub.model.errors import FunctionTimeout

_Task = asyncio.Task[Any]

# Functions that started at about the same time are looked at together.
_SHORTEST_WAIT: Final = 0.05


class Deadlines:
    """What runs now, in the order it started."""

    def __init__(
        self,
        limit: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        given_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Give functions ``limit`` seconds.

        Args:
            limit: Seconds; None for no limit.
            clock: Seconds since some moment.
            given_up: Called when the tasks of late functions have been cancelled.
        """
        self._limit = limit
        self._clock = clock
        self._given_up = given_up
        self._running: dict[Invocation, tuple[float, _Task | None]] = {}
        self._late: dict[Invocation, _Task] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Event | None = None  # somebody waits for the last one that runs

    def start(self) -> None:
        """Start to look for late functions; in the event loop they run in."""
        self._loop = loop = asyncio.get_running_loop()
        if self._limit is not None:
            self._timer = loop.call_later(max(self.sweep(), _SHORTEST_WAIT), self.start)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def idle(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until nothing runs; tell whether that came true."""
        self._idle = asyncio.Event()
        if not self._running:
            self._idle.set()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._idle = None

    def enter(self, invocation: Invocation) -> None:
        """Count the time of ``invocation``, which runs in the current task."""
        # Python 3.11 takes twice as long when it has to look for the loop.
        self._running[invocation] = (self._clock(), asyncio.current_task(self._loop))

    def leave(self, invocation: Invocation) -> None:
        """Count no more.

        Raises:
            FunctionTimeout: It was given up; whatever it returned or raised since does not count.
        """
        if self._running.pop(invocation, None) is None:
            self._refuse(invocation)
        elif not self._running and self._idle is not None:
            self._idle.set()

    def sweep(self) -> float:
        """Cancel what is late; return in how many seconds the next function can be late."""
        assert self._limit is not None
        late: list[tuple[Invocation, _Task]] = []
        now = self._clock()
        wait = self._limit
        for invocation, (began, task) in self._running.items():
            if now - began < self._limit:
                wait = began + self._limit - now
                break
            if task is not None:
                late.append((invocation, task))
        for invocation, task in late:
            del self._running[invocation]
            self._late[invocation] = task
            task.cancel()
        if late:
            self._given_up()
            if not self._running and self._idle is not None:
                self._idle.set()
        return wait

    def _refuse(self, invocation: Invocation) -> None:
        task = self._late.pop(invocation)
        if task.uncancel():  # somebody else cancelled it as well, and is to see that
            return
        assert self._limit is not None
        function = invocation.function
        shown = show_time_span(self._limit)
        raise FunctionTimeout(function.definition.name, invocation.id, shown, goes_on=not function.is_async)
