"""Runs timer functions when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from webpubsub.host.bindings.timer import TimerStatus, TimerTrigger
from webpubsub.host.function import HostFunction
from webpubsub.host.invoker import Invoker
from webpubsub.model.trace import Phase, Trace, TraceEvent

__all__ = ["Sleep", "Timers"]

Sleep = Callable[[float], Awaitable[None]]

# Sleeps are cut into pieces, so that a clock that was set, or a machine that slept, is noticed.
LONGEST_SLEEP: Final = 60.0


class Timers:
    """One task a timer function; the next time is taken after a run, so no function overlaps itself."""

    def __init__(
        self,
        functions: Iterable[HostFunction],
        invoker: Invoker,
        *,
        clock: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
        trace: Trace | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            functions: Those that have a `TimerTrigger`.
            invoker: Runs them.
            clock: Seconds since the epoch.
            sleep: Waits for some seconds.
            trace: The listener, or None.
        """
        self._functions = tuple(functions)
        self._invoker = invoker
        self._clock = clock
        self._sleep = sleep
        self._trace = trace
        self._tasks: dict[HostFunction, asyncio.Task[None]] = {}
        self._busy: set[HostFunction] = set()
        self._stopping = False

    def start(self) -> None:
        """Start waiting for the first time of each function."""
        self._stopping = False
        self._tasks = {
            function: asyncio.create_task(self._repeat(function), name=f"timer {function.definition.name}")
            for function in self._functions
        }

    async def stop(self, timeout: float) -> None:
        """End the waiting; functions that run have ``timeout`` seconds to finish."""
        self._stopping = True
        busy = {task for function, task in self._tasks.items() if function in self._busy}
        for task in self._tasks.values():
            if task not in busy:
                task.cancel()
        if busy:
            _, late = await asyncio.wait(busy, timeout=timeout)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks = {}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _repeat(self, function: HostFunction) -> None:
        trigger = function.trigger
        assert isinstance(trigger, TimerTrigger)
        due = trigger.schedule.next_after(self._now())
        status = TimerStatus(next=due)
        self._report(function, due)
        if trigger.run_on_startup:
            status = await self._run(function, trigger, status)
        while not self._stopping:
            await self._wait_until(status.next)
            status = await self._run(function, trigger, status)

    async def _wait_until(self, due: datetime) -> None:
        while (left := (due - self._now()).total_seconds()) > 0:
            await self._sleep(min(left, LONGEST_SLEEP))

    async def _run(self, function: HostFunction, trigger: TimerTrigger, status: TimerStatus) -> TimerStatus:
        began = self._now()
        self._busy.add(function)
        try:
            await self._invoker.invoke(function, status)
        except Exception:  # noqa: BLE001, S110 - the invoker has told the trace; the timer goes on
            pass
        finally:
            self._busy.discard(function)
        now = self._now()
        return TimerStatus(last=began, next=trigger.schedule.next_after(now), updated=now)

    def _report(self, function: HostFunction, due: datetime) -> None:
        if self._trace is not None:
            ids = {"function": function.definition.name}
            self._trace(TraceEvent("timer", Phase.STARTED, ids, {"next": due.isoformat()}))
