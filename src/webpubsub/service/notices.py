"""Events of a connection that nobody waits for: connected, joined, left, disconnected.

They go to the event handler one after the other, in the order in which they were raised. A client that joins
and leaves faster than its handler hears of it waits for that. What others do to it, by REST, cannot wait; so
beyond a bound such events are dropped, and that is told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

MAX_UNTOLD: Final = 100
"""How many may wait before their connection's requests do."""
MAX_NOTICES: Final = 20_000
"""How many may wait at all: twice as many as there are when a connection in many groups ends."""

Notice = Callable[[], Awaitable[None]]
"""Tells the event handler one event."""


class Notices:
    """The events of one connection that are still to be told.

    Args:
        on_end: Called when all are told.
    """

    __slots__ = ("_notices", "_on_end", "_room", "task")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._notices: deque[Notice] = deque()
        self._on_end = on_end
        self._room: asyncio.Event | None = None
        self.task = asyncio.get_running_loop().create_task(self._tell())

    def put(self, notice: Notice) -> None:
        """Tell one event behind the others."""
        self._notices.append(notice)

    def __len__(self) -> int:
        return len(self._notices)

    async def catch_up(self) -> None:
        """Return when few of them wait."""
        while len(self._notices) > MAX_UNTOLD:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    async def _tell(self) -> None:
        try:
            while self._notices:
                try:
                    await self._notices.popleft()()
                except Exception as error:  # noqa: BLE001 - a fault of ours, and no reason to leave out the rest
                    detail = {"message": "an event could not be told", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(detail)
                if self._room is not None and len(self._notices) <= MAX_UNTOLD:
                    self._room.set()
                    self._room = None
        finally:
            if self._room is not None:  # cancelled
                self._notices.clear()
                self._room.set()
            self._on_end()
