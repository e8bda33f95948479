"""A connection's own books: ack ids and event ids."""

from __future__ import annotations

from kit.service_peers import connection
from webpubsub.service.hub.connection import AckCache


def test_successful_ack_ids_are_remembered() -> None:
    acks = AckCache()
    assert 1 not in acks.ids
    acks.add(1)
    acks.add(2**64 - 1)
    acks.add(0)
    assert [ack_id in acks.ids for ack_id in (0, 1, 2, 2**64 - 1)] == [True, True, False, True]


def test_the_last_thousand_are_kept() -> None:
    acks = AckCache()
    for ack_id in range(1000):
        acks.add(ack_id)
    assert 0 in acks.ids
    acks.add(1000)
    assert 0 not in acks.ids
    assert all(ack_id in acks.ids for ack_id in range(1, 1001))


def test_an_id_that_comes_again_takes_no_place() -> None:
    acks = AckCache()
    for _ in range(1001):
        acks.add(1)
    acks.add(2)
    assert 1 in acks.ids
    assert 2 in acks.ids


def test_connect_was_event_0_so_events_count_from_1() -> None:
    client = connection()
    assert [client.next_event_id() for _ in range(3)] == [1, 2, 3]


def test_connections_are_told_apart_by_identity() -> None:
    one, other = connection("c1"), connection("c1")
    assert one != other
    assert len({one, other}) == 2
    assert repr(connection("c1", "alice")) == "Connection('c1', hub='chat', user_id='alice')"
