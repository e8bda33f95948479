"""Pings: every open connection gets one in each keep-alive interval of its hub.

Each second has its own share of the connections of an interval, so thousands of pings never fall
together; one timer serves them all.

Source: client spec, section 1.7.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Pinged(Protocol):
    """Who gets pings."""

    def ping(self) -> None:
        """Ping the client, or give it up."""
        ...


class _Round:
    """The connections of one interval, a share for each of its seconds."""

    def __init__(self, interval: int) -> None:
        self._shares: list[set[Pinged]] = [set() for _ in range(interval)]
        self._second = 0

    def smallest(self) -> set[Pinged]:
        return min(self._shares, key=len)

    def tick(self) -> None:
        for client in list(self._shares[self._second]):
            client.ping()
        self._second = (self._second + 1) % len(self._shares)


class KeepAlive:
    """Pings every client once in its interval."""

    def __init__(self) -> None:
        self._rounds: dict[int, _Round] = {}
        self._shares: dict[Pinged, set[Pinged]] = {}

    def add(self, client: Pinged, interval: int) -> None:
        """Ping a client every ``interval`` seconds from now on."""
        found = self._rounds.get(interval)
        if found is None:
            found = self._rounds[interval] = _Round(interval)
        share = self._shares[client] = found.smallest()
        share.add(client)

    def discard(self, client: Pinged) -> None:
        share = self._shares.pop(client, None)
        if share is not None:
            share.discard(client)

    def tick(self) -> None:
        """Ping those whose second it is."""
        for found in list(self._rounds.values()):
            found.tick()

    async def run(self) -> None:
        """Tick once a second until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.tick()
