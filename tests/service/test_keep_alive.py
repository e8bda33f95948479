"""Pings: client spec, section 1.7."""

from __future__ import annotations

import asyncio

import pytest

from webpubsub.service.keep_alive import KeepAlive


class Client:
    def __init__(self) -> None:
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1


def clients(keep_alive: KeepAlive[Client], count: int, interval: int) -> list[Client]:
    found = [Client() for _ in range(count)]
    for client in found:
        keep_alive.add(client, interval)
    return found


def test_each_client_is_pinged_once_in_its_interval() -> None:
    keep_alive = KeepAlive(Client.ping)
    slow, quick = clients(keep_alive, 45, 20), clients(keep_alive, 3, 2)
    for _ in range(20):
        keep_alive.tick()
    assert [client.pings for client in slow] == [1] * 45
    assert [client.pings for client in quick] == [10] * 3


def test_the_pings_of_an_interval_are_spread_over_its_seconds() -> None:
    keep_alive = KeepAlive(Client.ping)
    found = clients(keep_alive, 45, 20)
    seconds = []
    for _ in range(20):
        before = sum(client.pings for client in found)
        keep_alive.tick()
        seconds.append(sum(client.pings for client in found) - before)
    assert sorted(seconds) == [2] * 15 + [3] * 5


def test_who_is_gone_is_not_pinged() -> None:
    keep_alive = KeepAlive(Client.ping)
    one, other = clients(keep_alive, 2, 1)
    keep_alive.discard(one)
    keep_alive.discard(one)
    keep_alive.tick()
    assert (one.pings, other.pings) == (0, 1)


async def test_the_clock_ticks_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_alive, slept = KeepAlive(Client.ping), list[float]()
    [client] = clients(keep_alive, 1, 1)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr("webpubsub.service.keep_alive.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await keep_alive.run()
    assert slept == [1] * 4
    assert client.pings == 3
