"""Unacknowledged messages: client spec, sections 4.1 and 4.2."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webpubsub.service.hub.outbox import Unacked
from webpubsub.service.protocols.numbered import Burst, Numbered


def message(name: str, expires_at: float | None = None) -> Numbered:
    found = Numbered(lambda _size: name.encode() + b"=", lambda sequence_id: b"%d;" % sequence_id)
    if expires_at is not None:
        found.expires_at = expires_at
    return found


def number(unacked: Unacked, *frames: Any) -> bytes:
    return unacked.number(Burst(frames))


def replayed(unacked: Unacked, now: float = 0, limit: int = 1000) -> bytes:
    unacked.begin_replay()
    pieces = []
    while unacked.is_replaying:
        pieces.append(unacked.replay(limit, now))
    return b"".join(pieces)


def test_messages_are_numbered_from_1_and_other_frames_are_not() -> None:
    unacked = Unacked()
    assert number(unacked, message("a"), b"ack;", message("b")) == b"a=1;ack;b=2;"
    assert number(unacked, b"pong;") == b"pong;"
    assert number(unacked) == b""
    assert number(unacked, message("c")) == b"c=3;"
    assert len(unacked) == 3
    assert replayed(unacked, 0) == b"a=1;b=2;c=3;"


def test_receivers_of_one_message_have_their_own_numbers() -> None:
    shared, one, other = message("m"), Unacked(), Unacked()
    number(one, message("a"))
    assert (number(one, shared), number(other, shared)) == (b"m=2;", b"m=1;")
    one.release(2)
    assert (replayed(one, 0), replayed(other, 0)) == (b"", b"m=1;")


def test_an_ack_releases_everything_up_to_its_id() -> None:
    unacked = Unacked()
    number(unacked, *(message(name) for name in "abcd"))
    unacked.release(2)
    assert replayed(unacked, 0) == b"c=3;d=4;"
    unacked.release(1)  # old news
    unacked.release(0)
    assert replayed(unacked, 0) == b"c=3;d=4;"
    unacked.release(2**64 - 1)  # more than was sent
    assert (replayed(unacked, 0), len(unacked), unacked.size) == (b"", 0, 0)
    assert number(unacked, message("e")) == b"e=5;"


def test_the_size_is_that_of_the_frames_at_most() -> None:
    unacked, found = Unacked(), message("m")
    number(unacked, found, b"not counted", found)
    assert unacked.size == 2 * len(b"m=18446744073709551615;")
    unacked.release(1)
    assert unacked.size == found.size


def test_what_has_expired_is_not_sent_again() -> None:
    unacked = Unacked()
    number(unacked, message("a", expires_at=10), message("b"), message("c", expires_at=11))
    assert replayed(unacked, 10) == b"b=2;c=3;"
    assert replayed(unacked, 11) == b"b=2;"


@given(
    st.lists(
        st.one_of(
            st.integers(1, 5).map(lambda count: ("send", count)),
            st.tuples(st.just("ack"), st.integers(0, 40)),
        )
    )
)
def test_it_is_always_what_was_sent_and_not_acknowledged(steps: list[tuple[str, int]]) -> None:
    unacked, sent, acked = Unacked(), 0, 0
    for what, count in steps:
        if what == "send":
            number(unacked, *[message("m")] * count)
            sent += count
        else:
            unacked.release(count)
            acked = max(acked, min(count, sent))
        expected = range(acked + 1, sent + 1)
        assert replayed(unacked, 0) == b"".join(b"m=%d;" % sequence_id for sequence_id in expected)
        assert (len(unacked), unacked.size) == (len(expected), len(expected) * message("m").size)


def test_they_are_sent_again_some_bytes_at_a_time_and_before_new_ones() -> None:
    unacked = Unacked()
    number(unacked, *(message(name) for name in "abcde"))
    unacked.begin_replay()
    assert unacked.replay(5, 0) == b"a=1;b=2;"
    unacked.release(3)
    assert unacked.is_replaying
    assert unacked.replay(5, 0) == b"d=4;e=5;"
    assert not unacked.is_replaying
    assert number(unacked, message("f")) == b"f=6;"
    assert not unacked.is_replaying


def test_of_nothing_nothing_is_sent_again() -> None:
    unacked = Unacked()
    unacked.begin_replay()
    assert number(unacked, message("a")) == b"a=1;"
    assert not unacked.is_replaying
