"""The life of one timer: wait, run, remember; and all timers of an app.

The next occurrence is that after the start of a run; one that came during the run follows it at once. A run
that fails is called again as its retry policy says: as on Azure policies apply to timers, of all triggers
this host runs; whoever sent an HTTP request or an event is answered at once and may send it again.

Source: the timer extension's ``TimerListener``; WebJobs SDK, FunctionExecutorExtensions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar

from webpubsub.host.function import HostFunction, RetryContext
from webpubsub.host.running.invoker import Invoker
from webpubsub.host.settings.retry import RetryPolicy
from webpubsub.host.storage import Leases, Storage
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.host.timers.singleton import Singleton
from webpubsub.host.timers.status import TimerRecord, TimerStatus
from webpubsub.host.timers.trigger import TimerTick, TimerTrigger
from webpubsub.model.trace import SILENT, Name, Phase, Trace

Sleep = Callable[[float], Awaitable[None]]

# Sleeps are cut into pieces, so that a clock that was set, or a machine that slept, is noticed.
LONGEST_SLEEP: Final = 60.0

T = TypeVar("T")


class Timer:
    """Runs one function when it is due, in one host of several.

    Attributes:
        is_busy: The function runs, or what it did is being remembered.
    """

    def __init__(
        self,
        function: HostFunction,
        invoker: Invoker,
        storage: Storage,
        host_id: str,
        *,
        clock: Callable[[], float],
        sleep: Sleep,
        trace: Trace,
    ) -> None:
        assert isinstance(function.trigger, TimerTrigger)
        self._function = function
        self._trigger = trigger = function.trigger
        self._invoker = invoker
        self._clock = clock
        self._sleep = sleep
        self._trace = trace
        self._stopping = False
        self.is_busy = False
        name = f"{host_id}/Host.Functions.{function.definition.name}"
        record = TimerRecord(storage, name, trigger.zone, self._tell)
        self._record = record if trigger.is_monitored else None
        leases = storage if isinstance(storage, Leases) else MemoryStorage()
        self._turn = Singleton(leases, f"locks/{name}.Listener", sleep=sleep, tell=self._tell)

    async def live(self) -> None:
        """Run the function until `stop` or cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._turn.keep())
                while not self._stopping:
                    await self._turn.is_ours.wait()
                    await self._repeat()
                keeping.cancel()
        except Exception as error:  # noqa: BLE001 - the boundary of a task: told, with its traceback
            self._tell(error)
        finally:
            await self._turn.release()

    def stop(self) -> None:
        """Let `live` end after the current run."""
        self._stopping = True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _repeat(self) -> None:
        """Run the function while no other host does."""
        now = self._now()
        status = await self._first_status(now)
        self._report(status.next)
        if now > status.next:
            status = await self._run(TimerTick(status, is_past_due=True))
        elif self._trigger.run_on_startup:
            status = await self._run(TimerTick(status))
        while self._turn.is_ours.is_set() and not self._stopping:
            left = (status.next - self._now()).total_seconds()
            if left > 0:
                await self._sleep(min(left, LONGEST_SLEEP))
            else:
                status = await self._run(TimerTick(status))

    async def _first_status(self, now: datetime) -> TimerStatus:
        schedule = self._trigger.schedule
        if self._record is None:
            return TimerStatus(schedule.next_after(now))
        return await self._record.first(schedule, now)

    async def _run(self, tick: TimerTick) -> TimerStatus:
        began = self._now()
        self.is_busy = True
        try:
            await self._invoke(tick)
            status = TimerStatus(self._trigger.schedule.next_after(began), last=began, updated=began)
            if self._record is not None:
                await self._record.keep(status)
        finally:
            self.is_busy = False
        return status

    async def _invoke(self, tick: TimerTick) -> None:
        async def call(context: RetryContext) -> None:
            await self._invoker.invoke(self._function, tick, retry=context)

        async def pause(seconds: float, context: RetryContext) -> None:
            if self._stopping:
                raise asyncio.CancelledError  # as `Timers.stop` does to a pause that has begun
            self._report_retry(seconds, context)
            self.is_busy = False  # nothing is lost when the host stops now
            await self._sleep(seconds)
            self.is_busy = True

        try:
            if self._trigger.retry is None:
                await self._invoker.invoke(self._function, tick)
            else:
                await call_again(self._trigger.retry, call, pause)
        except Exception:  # noqa: BLE001, S110 - the invoker has told the trace; the timer goes on
            pass

    def _report(self, due: datetime) -> None:
        ids = {"function": self._function.definition.name}
        self._trace.tell(Name.TIMER, Phase.STARTED, ids, {"next": due.isoformat()})

    def _report_retry(self, seconds: float, context: RetryContext) -> None:
        ids = {"function": self._function.definition.name}
        detail = {"delay": seconds, "attempt": context.retry_count, "max": context.max_retry_count}
        self._trace.tell(Name.RETRY, Phase.STARTED, ids, detail)

    def _tell(self, error: Exception) -> None:
        ids = {"function": self._function.definition.name}
        self._trace.tell(Name.TIMER, Phase.FAILED, ids, {}, error)


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
        trace: Trace = SILENT,
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


async def call_again(
    policy: RetryPolicy,
    call: Callable[[RetryContext], Awaitable[T]],
    pause: Callable[[float, RetryContext], Awaitable[None]],
) -> T:
    """Call until that succeeds, or the policy is at its end.

    Args:
        policy: How often, and after which delays.
        call: The call; told how often it failed.
        pause: Waits some seconds before the next call, which it is shown.

    Raises:
        Exception: What the last call raised.
    """
    context = RetryContext(max_retry_count=policy.max_retry_count)
    for number, delay in enumerate(policy.delays(), 1):
        try:
            return await call(context)
        except Exception as error:  # noqa: BLE001 - the next call is told of it
            context = RetryContext(number, policy.max_retry_count, error)
        await pause(delay, context)
    return await call(context)
