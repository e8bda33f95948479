"""A connection's own books: ack ids and event ids."""

from __future__ import annotations

from kit.service_peers import connection


def test_connect_was_event_0_so_events_count_from_1() -> None:
    client = connection()
    assert [client.next_event_id() for _ in range(3)] == [1, 2, 3]


def test_connections_are_told_apart_by_identity() -> None:
    one, other = connection("c1"), connection("c1")
    assert one != other
    assert len({one, other}) == 2
    assert repr(connection("c1", "alice")) == "Connection('c1', hub='chat', user_id='alice')"
