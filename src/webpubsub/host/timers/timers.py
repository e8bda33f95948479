"""Runs timer functions when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from webpubsub.host.function import HostFunction
from webpubsub.host.running.invoker import Invoker
from webpubsub.host.storage import Storage
from webpubsub.host.timers.timer import Sleep, Timer
from webpubsub.model.trace import Trace

__all__ = ["Sleep", "Timers"]


class Timers:
    """One task a timer function, so no function overlaps itself."""

    def __init__(
        self,
        functions: Iterable[HostFunction],
        invoker: Invoker,
        *,
        storage: Storage,
        host_id: str,
        clock: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
        trace: Trace | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            functions: Those that have a `TimerTrigger`.
            invoker: Runs them.
            storage: Keeps their statuses; when it is one of `Leases`, one host of several runs each timer.
            host_id: The folder of the app in it.
            clock: Seconds since the epoch.
            sleep: Waits for some seconds.
            trace: The listener, or None.
        """
        self._functions = tuple(functions)
        self._make: Callable[[HostFunction], Timer] = lambda function: Timer(
            function, invoker, storage, host_id, clock=clock, sleep=sleep, trace=trace
        )
        self._tasks: dict[Timer, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Start waiting for the first time of each function."""
        for function in self._functions:
            timer, name = self._make(function), f"timer {function.definition.name}"
            self._tasks[timer] = asyncio.create_task(timer.live(), name=name)

    async def stop(self, timeout: float) -> None:
        """End the waiting; functions that run have ``timeout`` seconds to finish."""
        if not self._tasks:
            return
        for timer, task in self._tasks.items():
            timer.stop()
            if not timer.is_busy:
                task.cancel()
        _, late = await asyncio.wait(self._tasks.values(), timeout=timeout)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks = {}
