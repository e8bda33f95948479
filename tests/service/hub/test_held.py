"""Frames that wait for a client, and those among them that expire: service spec, section A.3."""

from __future__ import annotations

from webpubsub.service.hub.outbox import ExpiringFrame, Held
from webpubsub.service.protocols.numbered import Numbered


def test_frames_wait_in_their_order() -> None:
    held, message = Held(), Numbered(lambda _size: b"m", lambda sequence_id: b"%d" % sequence_id)
    for frame in (b"a", message, ExpiringFrame(b"bb", 5)):
        held.put(frame)
    assert (len(held), held.size) == (3, 1 + len(b"m18446744073709551615") + 2)
    assert held.take(1000, 4.9) == [b"a", message, b"bb"]
    assert (len(held), held.size) == (0, 0)


def test_they_are_taken_some_bytes_at_a_time() -> None:
    held = Held()
    for frame in (b"aa", b"bb", ExpiringFrame(b"cc", 5), b"dd"):
        held.put(frame)
    assert (held.take(3, 5), held.size) == ([b"aa", b"bb"], 4)
    assert (held.take(1, 5), held.size) == ([b"dd"], 0), "what has expired takes no room"


def test_what_has_expired_is_dropped() -> None:
    held, message = Held(), Numbered(lambda _size: b"m", lambda sequence_id: b"%d" % sequence_id)
    message.expires_at = 6
    for frame in (b"a", ExpiringFrame(b"bb", 5), message):
        held.put(frame)
    held.drop_expired(5)
    assert (len(held), held.size) == (2, 1 + message.size)
    held.drop_expired(6)
    assert (len(held), held.size, held.take(1000, 6)) == (1, 1, [b"a"])
