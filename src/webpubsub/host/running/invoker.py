"""Runs functions: async ones on the event loop, others in threads; and gives up those that run too long.

One timer watches all that run (``functionTimeout``): as every function has the same time, the first that
started is the first to be late. So a call costs one entry in a dictionary, and no timer of its own. A late
function's task is cancelled, and whoever called it is answered. A function that is not async runs in a
thread, which cannot be stopped; nobody waits for it any more.

Source: Functions host, "host.json, functionTimeout"; WebJobs SDK, FunctionExecutor.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from inspect import isawaitable
from types import CoroutineType
from typing import Any, Final

from webpubsub.host.dotnet.time_span import show_time_span
from webpubsub.host.function import FIRST_CALL, HostFunction, Invocation, RetryContext
from webpubsub.host.running.failure import as_failure
from webpubsub.host.running.invocation import Context, thread_local
from webpubsub.host.running.thread_pool import PATIENCE, ThreadPool
from webpubsub.model.errors import FunctionTimeout
from webpubsub.model.events import WebPubSubConnectionContext
from webpubsub.model.http import RawHeaders
from webpubsub.model.trace import SILENT, Name, Phase, Trace

# Parameters and results are whatever the bindings and the function make of them, hence Any.
Values = dict[str, Any]

_THREADS: Final = "PYTHON_THREADPOOL_THREAD_COUNT"

_Task = asyncio.Task[Any]

# Functions that started at about the same time are looked at together.
_SHORTEST_WAIT: Final = 0.05


def thread_count(environment: Mapping[str, str]) -> int:
    """Return how many functions that are not async run at once.

    The worker's default, and its rule that an unusable setting is no setting (Python spec, section 4).
    """
    text = environment.get(_THREADS, "")
    count = int(text) if text.isascii() and text.isdigit() else 0
    return count or min(32, (os.cpu_count() or 1) + 4)


class Invoker:
    """Calls functions with the values of their bindings, and tells the trace.

    Start it in the event loop it is used in.
    """

    def __init__(
        self,
        threads: int,
        *,
        clock: Callable[[], float] = time.time,
        trace: Trace = SILENT,
        function_timeout: float | None = None,
    ) -> None:
        """Run up to ``threads`` functions that are not async at once, each for so many seconds at most."""
        self._threads = threads
        self._clock = clock
        self._trace = trace
        self._pool: ThreadPool | None = None
        self._deadlines = Deadlines(function_timeout, given_up=self._replace_threads)

    def start(self) -> None:
        """Open the thread pool for the running event loop."""
        self._pool = ThreadPool(self._threads, asyncio.get_running_loop(), self._tell_starved)
        self._deadlines.start()

    async def stop(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for running functions; tell whether all finished."""
        try:
            return await self._deadlines.idle(timeout)
        finally:
            self._deadlines.stop()
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _replace_threads(self) -> None:
        if self._pool is not None:
            self._pool.replace_lost()

    async def invoke(
        self,
        function: HostFunction,
        source: Any,
        *,
        event: WebPubSubConnectionContext | None = None,
        headers: RawHeaders = (),
        retry: RetryContext = FIRST_CALL,
        failed: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Call a function, do what its outputs tell, and return its trigger's answer.

        Args:
            function: The function.
            source: What its trigger takes.
            event: The context of the event that led here.
            headers: Headers of the request that led here.
            retry: How often it was called before with this source.
            failed: Makes an answer of the source where none came of it; None: what was raised is raised.

        Raises:
            Exception: Whatever the function or a binding raised; the trace has been told.
        """
        invocation = Invocation(function, source, self._clock, event, headers, retry)
        trigger, deadlines = function.trigger, self._deadlines
        try:
            with self._trace.span(Name.FUNCTION, invocation.ids):
                # The current task is found sooner where its loop is known.
                deadlines.running[invocation] = (deadlines.clock(), asyncio.current_task(deadlines.loop))
                try:
                    is_source = trigger.takes_source
                    values: Values = {trigger.name: source if is_source else trigger.value(source)}
                    for binding in function.inputs:
                        values[binding.name] = binding.open(invocation)
                    for awaited in function.awaited:
                        values[awaited.name] = await awaited.fetch(invocation)
                    for output in function.outputs:
                        values[output.name] = output.open()
                    if function.takes_context:
                        values["context"] = Context(invocation)
                    if function.is_async:
                        result = function.run(values)
                        # A decorator of the user's own may have left nothing to await.
                        if isinstance(result, CoroutineType) or isawaitable(result):
                            result = await result
                    else:
                        result = await self._run_in_thread(function, invocation, values)
                    # An answer that cannot be used is a failure of the function, before outputs do anything.
                    answer = trigger.finish(result, values, source)
                    for output in function.outputs:
                        await output.close(values[output.name], invocation)
                    if function.result is not None:
                        await function.result.close(result, invocation)
                    return answer
                except BaseException as error:
                    # Bindings ask values of the function for their text and members, and those may raise
                    # anything, too.
                    failure = error if _is_ours(error) else as_failure(error)
                    if failure is error:
                        raise
                    raise failure from error
                finally:
                    if deadlines.running.pop(invocation, None) is None or deadlines.awaited is not None:
                        deadlines.left(invocation)
        except Exception:
            if failed is None:
                raise
            return failed(source)

    def _run_in_thread(
        self, function: HostFunction, invocation: Invocation, values: Values
    ) -> asyncio.Future[Any]:
        if self._pool is None:
            raise RuntimeError("the host is not started: await FunctionHost.start() first")
        name = function.definition.name
        if function.takes_context:
            return self._pool.run(_run_with_id, invocation, function.run, values, name=name)
        return self._pool.run(function.run, values, name=name)

    def _tell_starved(self, held: Mapping[str, int], waiting: int) -> None:
        """Tell which functions hold the threads for which others wait."""
        holders = sorted(held.items(), key=lambda found: (-found[1], found[0]))
        shown = ", ".join(f"'{name}' {count}" for name, count in holders)
        message = (
            f"calls of functions that are not async wait for a thread: {waiting}, the first for {PATIENCE:g} "
            f"seconds. All {sum(held.values())} are held, by {shown}. Make functions that wait 'async def', "
            f"or set {_THREADS} to more than {self._threads}"
        )
        self._trace.tell(Name.PROCESS, Phase.FAILED, {}, {"message": message})


def _is_ours(error: BaseException) -> bool:
    """Whether it is a call given up, and not what its function raised."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    # That of a coroutine that is closed while it waits is raised there, and in no function.
    trace = error.__traceback__
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)


def _run_with_id(invocation: Invocation, run: Callable[[Values], Any], values: Values) -> Any:
    """Mark the thread with the invocation, as the worker does."""
    thread_local.invocation_id = invocation.id
    try:
        return run(values)
    finally:
        thread_local.invocation_id = None


class Deadlines:
    """What runs now, in the order it started.

    Attributes:
        running: Calls, with the time they began, on the clock, and their task; whoever calls puts it there,
            takes it out, and tells `left` when it was not there any more or somebody waits.
        awaited: Set when nothing runs; None while nobody waits for that.
        loop: That of all tasks, once started.
        clock: Seconds since some moment.
    """

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
        self.clock = clock
        self._given_up = given_up
        self.running: dict[Invocation, tuple[float, _Task | None]] = {}
        self._late: dict[Invocation, _Task] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.awaited: asyncio.Event | None = None

    def start(self) -> None:
        """Start to look for late functions; in the event loop they run in."""
        self.loop = loop = asyncio.get_running_loop()
        if self._limit is not None:
            self._timer = loop.call_later(max(self.sweep(), _SHORTEST_WAIT), self.start)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def idle(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until nothing runs; tell whether that came true."""
        self.awaited = asyncio.Event()
        if not self.running:
            self.awaited.set()
        try:
            await asyncio.wait_for(self.awaited.wait(), timeout)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self.awaited = None

    def left(self, invocation: Invocation) -> None:
        """Take note of a call that was taken out of `running`, or was not there any more.

        Raises:
            FunctionTimeout: It was given up; whatever it returned or raised since does not count.
        """
        if invocation in self._late:
            self._refuse(invocation)
        elif not self.running and self.awaited is not None:
            self.awaited.set()

    def sweep(self) -> float:
        """Cancel what is late; return in how many seconds the next function can be late."""
        assert self._limit is not None
        late: list[tuple[Invocation, _Task]] = []
        now = self.clock()
        wait = self._limit
        for invocation, (began, task) in self.running.items():
            if now - began < self._limit:
                wait = began + self._limit - now
                break
            if task is not None:
                late.append((invocation, task))
        for invocation, task in late:
            del self.running[invocation]
            self._late[invocation] = task
            task.cancel()
        if late:
            self._given_up()
            if not self.running and self.awaited is not None:
                self.awaited.set()
        return wait

    def _refuse(self, invocation: Invocation) -> None:
        task = self._late.pop(invocation)
        if task.uncancel():  # somebody else cancelled it as well, and is to see that
            return
        assert self._limit is not None
        function = invocation.function
        shown = show_time_span(self._limit)
        raise FunctionTimeout(function.definition.name, invocation.id, shown, goes_on=not function.is_async)
