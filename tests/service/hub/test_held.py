"""Frames that wait for a client, and those among them that expire: service spec, section A.3."""

from __future__ import annotations

from webpubsub.service.hub.outbox import ExpiringFrame, Held
from webpubsub.service.protocols.numbered import Numbered


def test_frames_wait_in_their_order() -> None:
    held, message = Held(), Numbered(lambda _size: b"m", lambda sequence_id: b"%d" % sequence_id)
    for frame in (b"a", message, ExpiringFrame(b"bb", 5)):
        held.put(frame)
    assert (len(held), held.size) == (3, 1 + len(b"m18446744073709551615") + 2)
    assert held.take(4.9) == [b"a", message, b"bb"]


def test_what_has_expired_is_dropped() -> None:
    held, message = Held(), Numbered(lambda _size: b"m", lambda sequence_id: b"%d" % sequence_id)
    message.expires_at = 6
    for frame in (b"a", ExpiringFrame(b"bb", 5), message):
        held.put(frame)
    assert held.take(5) == [b"a", message]
    held.drop_expired(5)
    assert (len(held), held.size) == (2, 1 + message.size)
    held.drop_expired(6)
    assert (held.take(6), len(held), held.size) == ([b"a"], 1, 1)
