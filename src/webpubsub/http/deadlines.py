"""Time limits of what is awaited, by one timer for all of them."""

from __future__ import annotations

import asyncio
from asyncio import current_task, get_running_loop
from types import TracebackType


class Deadlines:
    """Gives pieces of work so much time, as `asyncio.timeout` does.

    That costs a timer each. All deadlines here share one: it waits for the first of them, and then for the
    first of those that are left.

    Use it from one event loop.

    Attributes:
        open: Those that have not passed.
        fires_at: Loop time at which the timer fires.

    Example::

        with deadlines.within(100.0):
            await answer
    """

    def __init__(self) -> None:
        self.open: dict[_Deadline, None] = {}
        self.fires_at = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> _Deadline:
        """Cancel the ``with`` block when it takes longer, which then raises `TimeoutError`."""
        return _Deadline(self, seconds)

    def _fire(self) -> None:
        loop = get_running_loop()
        now = loop.time()
        for deadline in [found for found in self.open if found.when <= now]:
            del self.open[deadline]
            deadline.expire()
        self.fires_at = min((deadline.when for deadline in self.open), default=float("inf"))
        self._timer = loop.call_at(self.fires_at, self._fire) if self.open else None

    def wait_for(self, deadline: _Deadline, loop: asyncio.AbstractEventLoop) -> None:
        """Let the timer fire for a deadline that comes before all others."""
        if self._timer is not None:
            self._timer.cancel()
        self.fires_at = deadline.when
        self._timer = loop.call_at(deadline.when, self._fire)


class _Deadline:
    __slots__ = ("_cancelling", "_expired", "_of", "_seconds", "_task", "when")

    def __init__(self, of: Deadlines, seconds: float) -> None:
        self._of = of
        self._seconds = seconds

    def __enter__(self) -> None:
        loop, of = get_running_loop(), self._of
        task = current_task(loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self.when = loop.time() + self._seconds
        of.open[self] = None
        if self.when < of.fires_at:
            of.wait_for(self, loop)

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._expired:
            del self._of.open[self]
        # As in asyncio.timeout: who was cancelled by somebody else, too, stays cancelled.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
