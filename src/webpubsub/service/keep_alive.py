"""Pings: every open connection gets one in each keep-alive interval of its hub.

Each second has its own share of the connections of an interval, so thousands of pings never fall
together; one timer serves them all.

Source: client spec, section 1.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")


class _Round(Generic[C]):
    """The connections of one interval, a share for each of its seconds."""

    def __init__(self, interval: int) -> None:
        self._shares: list[set[C]] = [set() for _ in range(interval)]
        self._second = 0

    def smallest(self) -> set[C]:
        return min(self._shares, key=len)

    def take(self) -> list[C]:
        """Return those whose second it is."""
        share = self._shares[self._second]
        self._second = (self._second + 1) % len(self._shares)
        return list(share)


class KeepAlive(Generic[C]):
    """Pings every client once in its interval."""

    def __init__(self, ping: Callable[[C], None]) -> None:
        """Let ``ping`` ping a client, or give it up."""
        self._ping = ping
        self._rounds: dict[int, _Round[C]] = {}
        self._shares: dict[C, set[C]] = {}

    def add(self, client: C, interval: int) -> None:
        """Ping a client every ``interval`` seconds from now on."""
        found = self._rounds.get(interval)
        if found is None:
            found = self._rounds[interval] = _Round(interval)
        share = self._shares[client] = found.smallest()
        share.add(client)

    def discard(self, client: C) -> None:
        share = self._shares.pop(client, None)
        if share is not None:
            share.discard(client)

    def tick(self) -> None:
        """Ping those whose second it is."""
        for found in list(self._rounds.values()):
            for client in found.take():
                self._ping(client)

    async def run(self) -> None:
        """Tick once a second until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.tick()
