"""Threads for functions that are not async.

A finished call wakes the event loop, and that wake-up is what is dear (a write to a pipe and a turn of
the loop). So results are collected, and only the first of a batch wakes the loop, where
``loop.run_in_executor`` wakes it for each::

    in the loop    in a thread             in the loop
    run: _work --> _serve: _finished ----> _drain: futures
                       the first of a batch wakes it

Functions that block hold their threads. When a call has waited for one for some seconds, somebody is told
which functions hold them all.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from webpubsub.host.running.failure import as_failure

# A function's result is any Python value.
_Work = tuple["asyncio.Future[Any]", str, Callable[..., Any], tuple[Any, ...]]

PATIENCE: Final = 5.0
"""Seconds a call may wait for a thread before somebody is told."""
SILENCE: Final = 60.0
"""Seconds before it is told again."""

Starved = Callable[[Counter[str], int], None]
"""Is told which functions hold how many threads, and how many calls wait for one."""


class ThreadPool:
    """Runs calls in up to ``size`` threads; results come back to one event loop."""

    def __init__(
        self, size: int, loop: asyncio.AbstractEventLoop, starved: Starved = lambda _held, _waiting: None
    ) -> None:
        """Prepare; a thread is started when work finds none free."""
        self._starved = starved
        self._submitted = 0
        self._watch: asyncio.TimerHandle | None = None  # while calls wait
        self._size = self._wanted = size
        self._loop = loop
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._finished: deque[tuple[asyncio.Future[Any], Any, Exception | None]] = deque()
        self._waking = False
        self._pending = 0  # calls submitted and not yet drained; touched by the loop's thread only
        self._threads: list[threading.Thread] = []
        self._calls: list[asyncio.Future[Any] | None] = []  # what each thread runs now
        self._names: list[str] = []  # and what that is called

    def run(self, call: Callable[..., Any], *arguments: Any, name: str = "") -> asyncio.Future[Any]:
        """Call ``call`` in a thread, for the function ``name``; must be called in the loop's thread."""
        future = self._loop.create_future()
        self._pending += 1
        self._submitted += 1
        if self._pending > len(self._threads):
            if len(self._threads) < self._size:
                self._start_thread()
            elif self._watch is None:
                self._watch = self._loop.call_later(PATIENCE, self._look, self._submitted)
        self._work.put((future, name, call, arguments))
        return future

    def _look(self, number: int) -> None:
        """Tell who holds the threads if the call with this number still waits for one."""
        self._watch = None
        waiting = self._work.qsize()
        if not waiting:
            return
        is_starved = self._submitted - waiting < number
        if is_starved:
            self._starved(
                Counter(
                    name for name, call in zip(self._names, self._calls, strict=True) if call is not None
                ),
                waiting,
            )
        self._watch = self._loop.call_later(SILENCE if is_starved else PATIENCE, self._look, self._submitted)

    def replace_lost(self) -> None:
        """Take another thread for each that runs a call nobody awaits any more, until it comes back."""
        self._size = self._wanted + sum(call is not None and call.cancelled() for call in self._calls)
        while self._pending > len(self._threads) < self._size:
            self._start_thread()

    def close(self) -> None:
        """Let the threads end when they are done; none is waited for."""
        if self._watch is not None:
            self._watch.cancel()
        for _ in self._threads:
            self._work.put(None)
        self._threads.clear()

    def _start_thread(self) -> None:
        # Daemons: a function that never returns must not keep the process alive after its time to finish.
        number = len(self._threads)
        thread = threading.Thread(
            target=self._serve, args=(number,), name=f"webpubsub-function-{number}", daemon=True
        )
        self._calls.append(None)
        self._names.append("")
        self._threads.append(thread)
        thread.start()

    def _serve(self, number: int) -> None:
        calls, names = self._calls, self._names
        while (work := self._work.get()) is not None:
            future, names[number], call, arguments = work
            calls[number] = future
            try:
                # Given up while it waited for a thread: nobody wants its result.
                self._finish(future, None if future.cancelled() else call(*arguments), None)
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the call
                self._finish(future, None, as_failure(error))
            # Nothing of a call may stay alive while the thread waits for the next one.
            calls[number] = None
            del work, future, call, arguments

    def _finish(self, future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        self._finished.append((future, result, error))
        # Append before looking at the flag, and `_drain` clears the flag before it looks at the queue:
        # so a result is either seen by the drain under way, or wakes the loop again. (Testing for
        # "the queue holds one" instead loses a wake-up when two threads append at once.)
        if not self._waking:
            self._waking = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # The loop is closed: its time to finish is over, and nobody awaits this call any more.
                self._finished.clear()

    def _drain(self) -> None:
        self._waking = False
        while self._finished:
            future, result, error = self._finished.popleft()
            self._pending -= 1
            if future.done():  # cancelled by whoever awaited it
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
