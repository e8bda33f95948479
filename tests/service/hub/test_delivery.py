"""Delivery: one write a connection and loop turn."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.service_peers import RELIABLE, Socket, connection, turns
from kit.virtual_time import VirtualTime
from webpubsub.service.hub import delivery as module
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.delivery import Delivery
from webpubsub.service.hub.effects import Deliver
from webpubsub.service.protocols.numbered import Numbered


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
    return Delivery(lambda _: None, slow.append), slow


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
    assert found.queued <= module.MAX_QUEUED
    found.deliver(Deliver(b"b", clients))
    assert found.queued > module.MAX_QUEUED
    await turns(1)
    assert found.queued <= module.MAX_QUEUED


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


# --- those who do not keep up -------------------------------------------------------------------------


async def test_a_plain_client_may_leave_1000_messages_unread() -> None:
    (one, socket), (found, slow) = client(), delivery()
    found.hold(one)
    for _ in range(1001):
        found.deliver(Deliver(b"m", (one,)))
        await turns(1)
    assert slow == []
    found.deliver(Deliver(b"m", (one,)))
    await turns(1)
    assert slow == [one]
    assert socket.writes == []


async def test_what_comes_in_one_turn_is_not_too_much_for_who_reads_on() -> None:
    (one, socket), (found, slow) = client(), delivery()
    found.hold(one)
    for _ in range(5000):
        found.deliver(Deliver(b"m", (one,)))
    await turns(1)
    assert slow == []
    found.release(one)
    assert socket.writes == [b"m" * 5000]


async def test_who_sends_to_somebody_behind_waits_until_it_reads_again() -> None:
    (one, _), (other, _), (found, _) = client(), client("c2"), delivery()
    found.hold(one)
    found.deliver(Deliver(b"m", (other,)))
    assert not found.is_outrun, "nobody waits for those they do not send to"
    found.deliver(Deliver(b"m", (other, one)))
    assert found.is_outrun
    waiting = asyncio.create_task(found.catch_up())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    found.release(one)
    await waiting
    assert not found.is_outrun
    found.deliver(Deliver(b"m", (one,)))
    assert not found.is_outrun


async def test_nobody_is_waited_for_longer_than_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    (one, _), (found, slow) = client(), delivery()
    found.hold(one)
    found.deliver(Deliver(b"m", (one,)))
    assert found.is_outrun
    await found.catch_up()
    assert found._behind == {}
    found.deliver(Deliver(b"m", (one,)))
    assert not found.is_outrun
    assert slow == []


async def test_who_has_gone_is_not_waited_for() -> None:
    (one, _), (found, _) = client(), delivery()
    found.hold(one)
    found.deliver(Deliver(b"m", (one,)))
    found.detach(one)
    await asyncio.wait_for(found.catch_up(), 1)


async def test_who_has_ended_is_not_remembered() -> None:
    (one, _), (found, _) = client(), delivery()
    found.hold(one)
    found.forget(one)
    assert found._behind == {}


# --- clients that do not read, and messages that expire -------------------------------------------------


async def test_what_a_client_does_not_read_is_held_until_it_reads_again() -> None:
    receiver, socket = client()
    found, slow = delivery()
    found.hold(receiver)
    for frame in (b"a", b"b"):
        found.deliver(Deliver(frame, (receiver,)))
        await turns(1)
    assert socket.writes == []
    found.deliver(Deliver(b"c", (receiver,)))
    found.release(receiver)
    assert socket.writes == [b"abc"]
    found.deliver(Deliver(b"d", (receiver,)))
    await turns(1)
    assert socket.writes == [b"abc", b"d"]
    assert slow == []
    assert found.queued <= module.MAX_QUEUED


@pytest.mark.feature("message TTL")
async def test_a_message_expires_only_where_it_is_held() -> None:
    time, (one, socket), (other, other_socket) = VirtualTime(), client(), client("c2")
    found, _ = delivery()
    found.hold(other)
    for frame, ttl in ((b"a", 0), (b"b", 1), (b"c", 2)):
        found.deliver(Deliver(frame, (one, other), ttl))
    await time.go_on(1)
    assert socket.writes == [b"abc"]
    found.release(other)
    assert other_socket.writes == [b"ac"]


async def test_too_much_held_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    receiver, socket = client()
    found, slow = delivery()
    found.hold(receiver)
    socket.buffered = 4
    found.deliver(Deliver(b"123456", (receiver,)))
    await turns(1)
    assert slow == []
    found.deliver(Deliver(b"7", (receiver,)))
    await turns(1)
    assert slow == [receiver]


async def test_what_has_expired_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    time, (receiver, socket) = VirtualTime(), client()
    found, slow = delivery()
    found.hold(receiver)
    found.deliver(Deliver(b"12345678", (receiver,), 1))
    await time.go_on(1)
    found.deliver(Deliver(b"90123456", (receiver,)))
    await turns(1)
    found.release(receiver)
    assert (slow, socket.writes) == ([], [b"90123456"])


# --- reliable clients -----------------------------------------------------------------------------------


def reliable_client(name: str = "c1") -> tuple[Connection, Writes]:
    found, socket = connection(name, codec=RELIABLE), Writes()
    found.transport = socket
    return found, socket


def message(body: str = "m") -> Numbered:
    return Numbered(lambda _size: body.encode() + b"=", lambda sequence_id: b"%d;" % sequence_id)


async def test_messages_are_numbered_where_they_are_written() -> None:
    (one, socket), (other, other_socket) = reliable_client(), reliable_client("c2")
    found, _ = delivery()
    found.deliver(Deliver(message("a"), (one,)))
    found.deliver(Deliver(b"ack;", (one,)))
    found.deliver(Deliver(message("b"), (one, other)))
    await turns(1)
    assert (socket.writes, other_socket.writes) == ([b"a=1;ack;b=2;"], [b"b=1;"])


async def test_connections_with_the_same_frames_have_their_own_numbers() -> None:
    clients = [reliable_client(str(number)) for number in range(4)]
    found, _ = delivery()
    receivers = [receiver for receiver, _ in clients]
    found.deliver(Deliver(message("a"), receivers[2:3]))
    await turns(1)
    for frame in (message("b"), message("c")):
        found.deliver(Deliver(frame, receivers))
    found.deliver(Deliver(b"ack;", receivers[1:2]))
    await turns(1)
    assert [b"".join(socket.writes) for _, socket in clients] == [
        b"b=1;c=2;",
        b"b=1;c=2;ack;",
        b"a=1;b=2;c=3;",
        b"b=1;c=2;",
    ]


async def test_an_expired_message_takes_no_number() -> None:
    time, (receiver, socket) = VirtualTime(), reliable_client()
    found, _ = delivery()
    found.hold(receiver)
    found.deliver(Deliver(message("a"), (receiver,), 1))
    found.deliver(Deliver(message("b"), (receiver,)))
    await time.go_on(1)
    found.release(receiver)
    assert socket.writes == [b"b=1;"]


async def test_who_is_back_gets_a_greeting_the_old_messages_the_new_ones_and_no_acks() -> None:
    receiver, socket = reliable_client()
    found, _ = delivery()
    for name in "abc":
        found.deliver(Deliver(message(name), (receiver,)))
    await turns(1)
    assert receiver.unacked is not None
    receiver.unacked.release(1)
    found.deliver(Deliver(b"ack;", (receiver,)))
    found.deliver(Deliver(message("d"), (receiver,)))  # waits for the end of the turn
    found.detach(receiver)
    assert receiver.transport is None
    found.deliver(Deliver(message("e"), (receiver,)))
    found.deliver(Deliver(b"ack;", (receiver,)))
    await turns(1)
    assert socket.writes == [b"a=1;b=2;c=3;"]
    receiver.transport = again = Writes()
    found.reattach(receiver, b"hello;")
    assert again.writes == [b"hello;b=2;c=3;", b"d=4;e=5;"]
    found.deliver(Deliver(message("f"), (receiver,)))
    await turns(1)
    assert again.writes[2:] == [b"f=6;"]


async def test_what_was_missed_is_held_when_the_old_messages_fill_the_new_socket() -> None:
    receiver, _ = reliable_client()
    found, _ = delivery()
    found.deliver(Deliver(message("a"), (receiver,)))
    await turns(1)
    found.detach(receiver)
    found.deliver(Deliver(message("b"), (receiver,)))
    await turns(1)

    class Full(Writes):
        def write(self, data: Any) -> None:
            super().write(data)
            found.hold(receiver)  # as its protocol does when asyncio says so

    receiver.transport = again = Full()
    found.reattach(receiver, b"hello;")
    found.deliver(Deliver(message("c"), (receiver,)))
    await turns(1)
    assert again.writes == [b"hello;a=1;"]
    found.release(receiver)
    assert again.writes[1:] == [b"b=2;c=3;"]


async def test_what_expires_while_a_client_is_away_is_not_sent_again() -> None:
    time, (receiver, _) = VirtualTime(), reliable_client()
    found, _ = delivery()
    found.deliver(Deliver(message("a"), (receiver,), 5))
    found.deliver(Deliver(message("b"), (receiver,)))
    await turns(1)
    found.detach(receiver)
    found.deliver(Deliver(message("c"), (receiver,), 5))
    found.deliver(Deliver(message("d"), (receiver,)))
    await time.go_on(5)
    receiver.transport = again = Writes()
    found.reattach(receiver, b"")
    assert again.writes == [b"b=2;", b"d=3;"]


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_thousand_unacknowledged_messages_are_the_most(is_away: bool) -> None:
    receiver, _ = reliable_client()
    found, slow = delivery()
    for _ in range(600):
        found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    if is_away:
        found.detach(receiver)
    for _ in range(400):
        found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    assert slow == []
    found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    assert slow == [receiver]


@pytest.mark.parametrize("is_away", [False, True])
async def test_sixteen_megabytes_unacknowledged_are_the_most(is_away: bool) -> None:
    receiver, _ = reliable_client()
    found, slow = delivery()
    large = message("x" * (4 * 1024 * 1024 - len("=18446744073709551615;")))
    assert large.size == 4 * 1024 * 1024
    for _ in range(2):
        found.deliver(Deliver(large, (receiver,)))
    await turns(1)
    if is_away:
        found.detach(receiver)
    for _ in range(2):
        found.deliver(Deliver(large, (receiver,)))
    await turns(1)
    assert slow == []
    found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    assert slow == [receiver]


async def test_acks_make_room_for_more() -> None:
    receiver, _ = reliable_client()
    found, slow = delivery()
    assert receiver.unacked is not None
    for round_number in range(1, 4):
        for _ in range(1000):
            found.deliver(Deliver(message(), (receiver,)))
        await turns(1)
        receiver.unacked.release(1000 * round_number)
    assert slow == []
