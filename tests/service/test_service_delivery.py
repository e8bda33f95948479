"""Delivery: one write a connection and loop turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service_peers import Socket, connection, turns
from webpubsub.service import delivery as module
from webpubsub.service.connection import Connection
from webpubsub.service.delivery import Delivery
from webpubsub.service.effects import Deliver


class Writes(Socket):
    """A socket that remembers each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))


def client(name: str = "c1") -> tuple[Connection, Writes]:
    found, socket = connection(name), Writes()
    found.transport = socket
    return found, socket


def delivery() -> tuple[Delivery, list[Connection]]:
    slow: list[Connection] = []
    return Delivery(slow.append), slow


async def test_frames_of_one_turn_are_one_write_in_their_order() -> None:
    (one, socket), (other, other_socket) = client(), client("c2")
    found, _ = delivery()
    found.deliver(Deliver(b"a", (one, other)))
    found.deliver(Deliver(b"b", (one,)))
    found.deliver(Deliver(b"c", (one, other)))
    assert socket.writes == []
    await turns(1)
    assert socket.writes == [b"abc"]
    assert other_socket.writes == [b"ac"]
    found.deliver(Deliver(b"d", (one,)))
    await turns(1)
    assert socket.writes == [b"abc", b"d"]


async def test_too_much_at_once_is_congestion_until_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    clients = [client(str(number))[0] for number in range(2)]
    found, _ = delivery()
    found.deliver(Deliver(b"a", clients))
    assert not found.is_congested
    found.deliver(Deliver(b"b", clients))
    assert found.is_congested
    await turns(1)
    assert not found.is_congested


async def test_a_message_to_many_is_sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    clients = [client(str(number)) for number in range(5)]
    found, _ = delivery()
    found.deliver(Deliver(b"x", [receiver for receiver, _ in clients]))
    written = []
    for _ in range(3):
        await turns(1)
        written.append(sum(bool(socket.writes) for _, socket in clients))
    assert written == [2, 4, 5]


async def test_frames_that_come_between_slices_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 1)
    (one, socket), (other, other_socket) = client(), client("c2")
    found, _ = delivery()
    found.deliver(Deliver(b"1", (one, other)))
    await turns(1)
    found.deliver(Deliver(b"2", (one, other)))
    await turns(3)
    assert socket.writes == [b"1", b"2"]
    assert other_socket.writes == [b"12"]


async def test_flush_writes_at_once_and_only_once() -> None:
    receiver, socket = client()
    found, _ = delivery()
    found.deliver(Deliver(b"a", (receiver,)))
    found.flush(receiver)
    assert socket.writes == [b"a"]
    await turns()
    assert socket.writes == [b"a"]


async def test_frames_for_somebody_gone_are_dropped() -> None:
    receiver, socket = client()
    found, _ = delivery()
    found.deliver(Deliver(b"a", (receiver,)))
    receiver.transport = None
    await turns()
    assert receiver.frames == []
    assert socket.writes == []


async def test_a_client_that_does_not_read_is_reported() -> None:
    (one, socket), (other, other_socket) = client(), client("c2")
    found, slow = delivery()
    socket.buffered = 16 * 1024 * 1024
    found.deliver(Deliver(b"a", (one, other)))
    await turns(1)
    assert slow == []
    socket.buffered += 1
    found.deliver(Deliver(b"b", (one, other)))
    await turns(1)
    assert slow == [one]
    assert other_socket.writes == [b"a", b"b"]


async def test_a_transport_that_raises_does_not_end_delivery_to_others() -> None:
    class Broken(Writes):
        def write(self, data: Any) -> None:
            raise RuntimeError("the handle is closed")

    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    (one, _), (other, other_socket) = client(), client("c2")
    one.transport = Broken()
    found, _ = delivery()
    found.deliver(Deliver(b"a", (one, other)))
    await turns()
    assert other_socket.writes == [b"a"]
    found.deliver(Deliver(b"b", (other,)))
    await turns()
    assert other_socket.writes == [b"a", b"b"]
    assert [str(error["exception"]) for error in errors] == ["the handle is closed"]
