"""Wires that break, stand still and are slow, each by its own dice."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import AbstractAsyncContextManager, suppress
from random import Random
from typing import Final

from kit.cut_wire import stretched

PAUSE: Final = 3.0
"""Seconds between two disturbances of a wire, on average."""
LONGEST_STALL: Final = 1.5
DISTURBANCES: Final = {"cut": 3, "deafened and cut": 3, "left": 2, "stalled": 6, "slowed": 3}
"""How often each comes among all."""
CHUNK: Final = 65_536
BUFFER: Final = 32_768
"""Bytes that wait in a wire's own sockets, so that its standing still is soon felt."""


class Link:
    """One connection by a wire: its ends near to the client and far from it."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.passing: list[asyncio.Task[None]] = []

    def cut(self) -> None:
        """Break it for both, without a goodbye."""
        self.near.transport.abort()
        self.far.transport.abort()

    def leave(self, seconds: float) -> None:
        """Break it for the client; the service hears of that later."""
        for task in self.passing:
            task.cancel()
        self.near.transport.abort()
        asyncio.get_running_loop().call_later(seconds, self.far.transport.abort)


class Wire:
    """A client's way to a port of this machine.

    Args:
        target: The port.
        rng: Its dice.
        happened: Is told of each disturbance.
    """

    def __init__(self, target: int, rng: Random, happened: Counter[str]) -> None:
        self._target = target
        self._rng = rng
        self._happened = happened
        self._links: set[Link] = set()
        self._flows = asyncio.Event()  # what the client says
        self._comes = asyncio.Event()  # what it hears
        self._flow()
        self._delay = 0.0
        self.port = 0

    async def disturb(self) -> None:
        """Disturb it now and then, until cancelled; then it is as good as any."""
        try:
            while True:
                await asyncio.sleep(self._rng.expovariate(1 / PAUSE))
                (what,) = self._rng.choices(list(DISTURBANCES), list(DISTURBANCES.values()))
                self._happened[what] += 1
                await self._do(what)
        finally:
            self._delay = 0.0
            self._flow()

    def _flow(self) -> None:
        self._flows.set()
        self._comes.set()

    async def _do(self, what: str) -> None:
        if what.endswith("cut"):
            if what != "cut":  # so that much is done of which the client never hears
                self._comes.clear()
                await asyncio.sleep(self._rng.uniform(0.05, 1))
            for link in list(self._links):
                link.cut()
            self._flow()
        elif what == "left":
            for link in list(self._links):
                link.leave(self._rng.uniform(0.1, 3))
        elif what == "stalled":
            self._flows.clear()
            self._comes.clear()
            await asyncio.sleep(self._rng.uniform(0.05, LONGEST_STALL))
            self._flow()
        else:
            self._delay = self._rng.uniform(0.002, 0.1)
            await asyncio.sleep(self._rng.uniform(0.2, 2))
            self._delay = 0.0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        end.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", self._target))
        except OSError:  # there is no service any more
            end.close()
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=end)
        link = Link(writer, far_writer)
        self._links.add(link)
        link.passing = [
            asyncio.create_task(self._pass(reader, far_writer, self._flows)),
            asyncio.create_task(self._pass(far_reader, writer, self._comes)),
        ]
        await asyncio.wait(link.passing)
        self._links.discard(link)

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, flows: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                await flows.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                target.write(data)
                await target.drain()
        target.close()

    async def finish(self) -> None:
        passing = [task for link in self._links for task in link.passing]
        for link in self._links:
            link.cut()
        if passing:
            await asyncio.wait(passing)


def wire_to(target: int, rng: Random, happened: Counter[str]) -> AbstractAsyncContextManager[Wire]:
    """A wire to a port of this machine."""
    return stretched(Wire(target, rng, happened))
