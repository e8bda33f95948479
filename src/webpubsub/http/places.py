"""The connections that a client of HTTP may have to one origin, and who waits for one.

::

    enter --there is a place--------------------------> connect --the connection ends--> leave
      `----none: wait in line--> a connection is free, or its place                        |
                 ^-------------------------------------------------------------------------'
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from webpubsub.http.errors import Crowded, HttpCallError
from webpubsub.model.http import CallBounds

T = TypeVar("T")


class Places(Generic[T]):
    """The places of one origin, each for a connection from before it is made until it has ended.

    Attributes:
        idle: Connections that are free; the one that was used last stands last.
        taken: How many places are.
        waiting: Who waits, first come, first served.
    """

    def __init__(self, authority: str, give_back: Callable[[T], None]) -> None:
        """Begin with none.

        Args:
            authority: The origin, for people.
            give_back: Takes a connection that was free for somebody who has gone meanwhile.
        """
        self.idle: OrderedDict[T, None] = OrderedDict()
        self.taken = 0
        self._authority = authority
        self._give_back = give_back
        self.waiting: deque[asyncio.Future[T | None]] = deque()

    @property
    def is_empty(self) -> bool:
        return not (self.taken or self.waiting)

    async def enter(self, bounds: CallBounds, *, is_first: bool = False) -> T | None:
        """Take a place for a connection that is to be made: None; or wait, maybe for one that is free.

        Args:
            bounds: How many there may be, and how many may wait.
            is_first: Wait before all others, for who had a connection.

        Raises:
            Crowded: Too many wait, or the time to wait is over.
        """
        if self.taken < bounds.max_connections and not self.waiting:
            self.taken += 1
            return None
        if len(self.waiting) >= bounds.max_waiting and not is_first:
            raise Crowded(
                f"{self._authority} has all of its {self.taken} connections (maxConnections) in use, and "
                f"{len(self.waiting)} calls wait for one already (maxWaiting)"
            )
        turn: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        (self.waiting.appendleft if is_first else self.waiting.append)(turn)
        try:
            async with asyncio.timeout(bounds.wait_timeout):
                return await turn
        except BaseException as error:
            if turn in self.waiting:
                self.waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:  # it came at the same time
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise Crowded(
                    f"none of the {self.taken} connections to {self._authority} (maxConnections) became free "
                    f"within {bounds.wait_timeout:g} seconds (waitTimeout)"
                ) from None
            raise

    def hand_over(self, connection: T) -> bool:
        """Give a connection that is free to who waits first; whether somebody does."""
        turn = self._next()
        if turn is not None:
            turn.set_result(connection)
        return turn is not None

    def leave(self) -> None:
        """Give a place up, as its connection has ended, or was never made."""
        turn = self._next()
        if turn is None:
            self.taken -= 1
        else:
            turn.set_result(None)

    def close(self, error: HttpCallError) -> None:
        """Let nobody wait any longer."""
        while (turn := self._next()) is not None:
            turn.set_exception(error)

    def _pass_on(self, connection: T | None) -> None:
        if connection is None:
            self.leave()
        else:
            self._give_back(connection)

    def _next(self) -> asyncio.Future[T | None] | None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():  # else who waited has gone
                return turn
        return None
