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
from webpubsub.service.hub.effects import Acked, Deliver
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
    return Delivery(lambda _: None, slow.append, slow.append, lambda: 2.0), slow


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
    (one, _), (other, _), (found, slow) = client(), client("c2"), delivery()
    found.hold(one)
    found.deliver(Deliver(b"m", (other,)))
    assert found.outrun == [], "nobody waits for those they do not send to"
    found.deliver(Deliver(b"m", (other, one)))
    assert found.outrun == [one]
    waiting = asyncio.create_task(found.catch_up(other, found.outrun))
    await turns()
    assert not waiting.done()
    found.release(one)
    await waiting
    found.outrun = []
    found.deliver(Deliver(b"m", (one,)))
    assert found.outrun == []
    assert slow == []


async def test_who_does_not_catch_up_within_the_patience_is_cut_off() -> None:
    time, (one, _), (other, _) = VirtualTime(), client(), client("c2")

    def cut_off(connection: Connection) -> None:
        slow.append((connection, time.now))
        found.forget(connection)

    slow: list[tuple[Connection, float]] = []
    found, began = Delivery(lambda _: None, cut_off, cut_off, lambda: 2.0), time.now
    found.hold(one)
    await time.go_on(60)
    assert slow == [], "nobody waits for it"
    waits = [asyncio.create_task(found.catch_up(other, [one]))]
    await turns()
    await time.go_on(1.9)
    waits.append(asyncio.create_task(found.catch_up(other, [one])))
    await turns()
    assert [wait.done() for wait in waits] == [False, False]
    await time.go_on(0.1)
    assert slow == [(one, began + 62)], "its time runs from the first on who waits"
    assert [wait.done() for wait in waits] == [True, True]


async def test_the_times_of_several_run_side_by_side() -> None:
    time, (one, _), (other, _) = VirtualTime(), client(), client("c2")
    slow: list[Connection] = []

    def cut_off(connection: Connection) -> None:
        slow.append(connection)
        found.forget(connection)

    found = Delivery(lambda _: None, cut_off, cut_off, lambda: 2.0)
    found.hold(one)
    found.hold(other)
    waiting = asyncio.create_task(found.catch_up(client("c3")[0], [one, other]))
    await turns()
    await time.go_on(2)
    assert waiting.done()
    assert slow == [one, other]


async def test_nobody_is_impatient_with_who_only_waits_for_itself() -> None:
    time, (one, _), (found, slow) = VirtualTime(), client(), delivery()
    found.hold(one)
    found.deliver(Deliver(b"m", (one,)))
    waiting = asyncio.create_task(found.catch_up(one, found.outrun))
    await turns()
    await time.go_on(60)
    assert (slow, waiting.done()) == ([], False)
    found.release(one)
    await waiting


async def test_who_has_gone_is_not_waited_for() -> None:
    (one, _), (other, _), (found, _) = client(), client("c2"), delivery()
    found.hold(one)
    waiting = asyncio.create_task(found.catch_up(other, [one]))
    await turns()
    found.detach(one)
    await waiting


async def test_a_queue_that_is_full_is_waited_for_without_looking_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    monkeypatch.setattr(module, "SLICE", 1)
    clients, (found, _) = [client(f"c{number}")[0] for number in range(6)], delivery()
    for one in clients:
        found.deliver(Deliver(b"m", (one,)))
    assert found.queued > module.MAX_QUEUED
    waiting = asyncio.create_task(found.catch_up(clients[0]))
    await turns(1)
    assert not waiting.done()
    await turns(4)
    assert waiting.done()
    assert found.queued <= module.MAX_QUEUED


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
    assert socket.writes == [b"ab", b"c"]
    found.deliver(Deliver(b"d", (receiver,)))
    await turns(1)
    assert socket.writes == [b"ab", b"c", b"d"]
    assert slow == []
    assert found.queued == 0


async def test_what_is_held_is_written_as_far_as_the_client_reads() -> None:
    """One copy for each that stopped reading would be too much when there are thousands."""
    receiver, socket = client()
    found, _ = delivery()
    found.hold(receiver)
    frame = b"x" * 1000
    for _ in range(200):
        found.deliver(Deliver(frame, (receiver,)))
        await turns(1)

    def pauses(data: Any) -> None:
        Writes.write(socket, data)
        found.hold(receiver)

    socket.write = pauses  # type: ignore[method-assign]
    found.release(receiver)
    assert [len(data) for data in socket.writes] == [66_000], "64 KiB, and the frame in which they end"
    found.deliver(Deliver(b"y", (receiver,)))
    await turns(1)
    for _ in range(3):
        found.release(receiver)
    assert [len(data) for data in socket.writes] == [66_000, 66_000, 66_000, 2001]
    assert b"".join(socket.writes) == frame * 200 + b"y"
    found.release(receiver)
    assert receiver.held is None


async def test_of_what_is_held_a_close_writes_little_and_a_cut_nothing() -> None:
    (one, socket), (other, other_socket), (found, _) = client(), client("c2"), delivery()
    for receiver in (one, other):
        found.hold(receiver)
    for _ in range(200):
        found.deliver(Deliver(b"x" * 1000, (one, other)))
        await turns(1)
    found.deliver(Deliver(b"last", (one, other)))
    found.finish(one)
    found.drop(other)
    assert [len(data) for data in socket.writes] == [66_000]
    assert other_socket.writes == []
    assert (one.held, other.held, one.frames, other.frames) == (None, None, [], [])
    assert found.queued == 0
    await turns()
    assert other_socket.writes == []


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
    assert receiver.held is None
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
    found.release(receiver)
    assert receiver.held is None


async def test_what_is_sent_again_is_written_as_far_as_the_client_reads() -> None:
    receiver, _ = reliable_client()
    found, _ = delivery()
    for _ in range(200):
        found.deliver(Deliver(message("x" * 990), (receiver,)))
    await turns(1)
    found.detach(receiver)

    class Full(Writes):
        def write(self, data: Any) -> None:
            super().write(data)
            found.hold(receiver)

    receiver.transport = again = Full()
    found.reattach(receiver, b"hello;")
    assert len(again.writes) == 1
    assert 64 * 1024 < len(again.writes[0]) < 66 * 1024
    found.deliver(Deliver(message("y"), (receiver,)))
    await turns(1)
    while receiver.held is not None:
        found.release(receiver)
    sent = b"".join(again.writes).split(b";")[1:-1]
    assert [int(frame.rpartition(b"=")[2]) for frame in sent] == list(range(1, 202))
    assert max(map(len, again.writes)) < 66 * 1024


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
    assert b"".join(again.writes) == b"b=2;d=3;"


async def test_who_is_away_may_miss_a_thousand_messages() -> None:
    receiver, _ = reliable_client()
    found, slow = delivery()
    for _ in range(600):
        found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    found.detach(receiver)
    for _ in range(400):
        found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    assert slow == []
    found.deliver(Deliver(message(), (receiver,)))
    await turns(1)
    assert slow == [receiver]


async def owing() -> tuple[VirtualTime, Connection, Delivery, list[Connection]]:
    """A client that owes an ack too many."""
    time, (receiver, _), (found, slow) = VirtualTime(), reliable_client(), delivery()
    for count in (1000, 1):
        assert not receiver.owes_acks
        for _ in range(count):
            found.deliver(Deliver(message(), (receiver,)))
        await turns(1)
    assert receiver.owes_acks
    return time, receiver, found, slow


async def test_who_owes_a_thousand_acks_is_cut_off_when_the_patience_is_over() -> None:
    """Also where nobody waits for it, as who publishes by REST does not."""
    time, receiver, found, slow = await owing()
    found.deliver(Deliver(message(), (receiver,)))
    await time.go_on(1.9)
    assert slow == []
    await time.go_on(0.1)
    assert slow == [receiver]


async def test_who_publishes_waits_for_acks_of_half_of_them() -> None:
    time, receiver, found, slow = await owing()
    assert receiver.unacked is not None
    found.deliver(Deliver(message(), (receiver,)))
    assert found.outrun == [receiver]
    waiting = asyncio.create_task(found.catch_up(client("c2")[0], found.outrun))
    await time.go_on(1)
    for sequence_id, is_done in ((501, False), (502, True)):
        receiver.unacked.release(sequence_id)
        found.apply([Acked(receiver)])
        await turns()
        assert waiting.done() is is_done
    await time.go_on(60)
    assert slow == []


async def test_who_owes_acks_and_stopped_reading_has_to_do_both() -> None:
    time, receiver, found, slow = await owing()
    assert receiver.unacked is not None
    found.hold(receiver)
    receiver.unacked.release(1001)
    found.apply([Acked(receiver)])
    found.deliver(Deliver(message(), (receiver,)))
    assert found.outrun == [receiver]
    await time.go_on(2)
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
