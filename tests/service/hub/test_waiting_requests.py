"""Requests that wait their turn."""

from __future__ import annotations

import pytest

from kit.service_peers import group
from webpubsub.model.names import EventName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.hub.connection import WaitingRequests
from webpubsub.service.protocols.messages import (
    ClientMessage,
    Goodbye,
    JoinGroup,
    LeaveGroup,
    Malformed,
    RaiseEvent,
    SendToGroup,
)

BODY = Payload(b"x" * 1000, WebPubSubDataType.BINARY)


def test_requests_are_taken_in_their_order() -> None:
    waiting = WaitingRequests()
    assert not waiting
    waiting.put(JoinGroup(group("a")))
    waiting.put(Goodbye(1000, ""))
    assert [waiting.take(), waiting.take()] == [JoinGroup(group("a")), Goodbye(1000, "")]
    assert not waiting


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (JoinGroup(group("room"), 1), 260),
        (LeaveGroup(group("room")), 260),
        (SendToGroup(group("room"), BODY), 1260),
        (RaiseEvent(EventName("e"), BODY), 1257),
        (RaiseEvent(EventName("e"), BODY, metadata={"name": "value"}), 1266),
        (Goodbye(1000, "bye"), 256),
        (Malformed(1007, "no"), 256),
    ],
)
def test_each_counts_what_its_client_chose_and_256_bytes(request_: ClientMessage, size: int) -> None:
    waiting = WaitingRequests()
    waiting.put(request_)
    assert waiting.size == size
    waiting.take()
    assert waiting.size == 0
