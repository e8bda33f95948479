"""Event handlers: one that can be relied on, and one that fails, is slow and starts again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from aiohttp import web

Answer = Callable[[web.BaseRequest, str], Awaitable[web.Response]]

RESTARTS: Final = 8.0
"""Seconds between two restarts, on average."""
MOODS: Final = {"well": 65, "slow": 10, "failed": 12, "refused": 3, "hung up": 10}
"""How often a request is met by each."""


class Witness:
    """Hears of connections, and is always well.

    Attributes:
        ended: Why connections have ended, as the service says.
        faults: What is wrong with what it hears.
    """

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self.faults: list[str] = []
        self._began: set[str] = set()

    async def answer(self, request: web.BaseRequest, name: str) -> web.Response:
        connection = request.headers["ce-connectionId"]
        if name == "connected":
            if connection in self._began:
                self.faults.append(f"{connection} was connected twice")
            self._began.add(connection)
            return web.Response(status=204)
        if connection not in self._began or connection in self.ended:
            self.faults.append(f"{connection} was disconnected, but was not there")
        self.ended[connection] = (await request.json())["reason"]
        return web.Response(status=204)

    @property
    def still_there(self) -> list[str]:
        return sorted(self._began.difference(self.ended))


class Moody:
    """Decides on clients, and answers to their events.

    Attributes:
        heard: The numbers of events, by their senders, each as it came.
    """

    def __init__(self, rng: Random, happened: Counter[str]) -> None:
        self._rng = rng
        self._happened = happened
        self.heard: dict[str, list[int]] = {}
        self.is_moody = True

    async def answer(self, request: web.BaseRequest, name: str) -> web.Response:
        text = await request.text()
        if name != "connect":
            sender, number = text.split(" ")
            self.heard.setdefault(sender, []).append(int(number))
        (mood,) = self._rng.choices(list(MOODS), list(MOODS.values())) if self.is_moody else ("well",)
        if mood != "well":
            self._happened[f"handler {mood}"] += 1
        if mood == "slow":
            await asyncio.sleep(self._rng.uniform(0.1, 1))
        elif mood == "failed":
            return web.Response(status=500)
        elif mood == "refused":
            return web.Response(status=401 if name == "connect" else 400)
        elif mood == "hung up" and request.transport is not None:
            request.transport.abort()
        if name == "connect":
            return web.Response(status=204)
        return web.Response(text=f"reply {text}")


class Handler:
    """A server for one of them."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def restart(self, rng: Random, happened: Counter[str]) -> None:
        """Go and come back now and then, until cancelled."""
        while True:
            await asyncio.sleep(rng.expovariate(1 / RESTARTS))
            happened["handler restarted"] += 1
            await self.stop()
            try:
                await asyncio.sleep(rng.uniform(0.1, 1))
            finally:
                await self.start()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers={"WebHook-Allowed-Origin": "*"})
        return await self._answer(request, request.path.rpartition("/")[2])


@asynccontextmanager
async def handler_of(answer: Answer) -> AsyncIterator[Handler]:
    """A server that is there until the end, but for its restarts."""
    handler = Handler(answer)
    await handler.start()
    try:
        yield handler
    finally:
        await handler.stop()
