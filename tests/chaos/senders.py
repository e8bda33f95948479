"""Senders by REST: one that is healthy, and one that floods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from random import Random
from typing import Final

import aiohttp

from chaos.ledger import EVERYBODY, Sender
from webpubsub.model.access.tokens import rest_token

PACE: Final = 0.03
"""Seconds between two messages of the healthy one."""
LANES: Final = 4
"""Connections by which the other one floods."""
LARGE: Final = 100_000


class RestSender:
    """Numbers what it sends by one connection, one after the other.

    Args:
        name: Of its numbers.
        endpoint: The service, by a wire.
        key: Its access key.
        sender: Where they are written down.
    """

    def __init__(self, name: str, endpoint: str, key: str, sender: Sender) -> None:
        self._name = name
        to = "" if sender.group == EVERYBODY else f"/groups/{sender.group}"
        url = f"{endpoint}/api/hubs/chaos{to}/:send"
        self._url = f"{url}?api-version=2024-01-01"
        self._headers = {
            "Authorization": f"Bearer {rest_token(url, key, now=time.time())}",
            "Content-Type": "text/plain",
        }
        self.sender = sender

    async def send(self, session: aiohttp.ClientSession, size: int) -> None:
        """Send a message once, whatever becomes of it."""
        number = self.sender.send(time.monotonic())
        if await self.say(session, f"{self._name} {number} {'x' * size}"):
            self.sender.letters[number].accepted_at = time.monotonic()

    async def say(self, session: aiohttp.ClientSession, body: str) -> bool:
        """Send something without a number; whether it is accepted."""
        try:
            async with session.post(self._url, data=body, headers=self._headers) as answer:
                return answer.status == 202
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.05)
            return False


def size_of(rng: Random) -> int:
    """Return how large a message is: mostly small, sometimes very large."""
    return LARGE if rng.random() < 0.01 else rng.randint(10, 300)


async def send_healthily(senders: Iterable[RestSender], rng: Random, quiet: asyncio.Event) -> None:
    """Send in turns, at a pace that everybody can follow."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        turns = list(senders)
        while not quiet.is_set():
            for each in turns:
                await each.send(session, size_of(rng))
                await asyncio.sleep(PACE)


async def flood(sender: RestSender, rng: Random, quiet: asyncio.Event) -> None:
    """Send as much as goes for a while, again and again."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        while not quiet.is_set():
            size = rng.choice([200, 2000, 20_000])
            until = time.monotonic() + rng.uniform(0.2, 1.5)
            while time.monotonic() < until and not quiet.is_set():
                await sender.send(session, size)
            await asyncio.sleep(rng.uniform(0.5, 4))
