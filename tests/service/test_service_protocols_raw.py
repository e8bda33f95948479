"""Simple clients: client spec, section 2."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model.names import ConnectionId, GroupName, UserId
from webpubsub.model.payload import Payload
from webpubsub.service.messages import AckError, Message, RaiseEvent
from webpubsub.service.protocols.raw import RawCodec

codec = RawCodec()


def test_text_is_the_event_message_as_text() -> None:
    assert codec.decode(True, b'{"type":"ping"}') == RaiseEvent("message", Payload.of('{"type":"ping"}'))  # type: ignore[arg-type]


def test_binary_is_the_event_message_as_binary() -> None:
    assert codec.decode(False, b"\x00\xff") == RaiseEvent("message", Payload.of(b"\x00\xff"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "data_type", "frame"),
    [
        ("héllo", "text", b"\x81\x06h\xc3\xa9llo"),
        ("hi", "json", b'\x81\x04"hi"'),  # a JSON string keeps its quotes
        ({"a": [1, None]}, "json", b'\x81\x0e{"a":[1,null]}'),
        (b"\x00\xff", "binary", b"\x82\x02\x00\xff"),
        ("", "text", b"\x81\x00"),
    ],
)
def test_messages_are_their_payload_alone(data: Any, data_type: str, frame: bytes) -> None:
    payload = Payload.of(data, data_type)
    assert codec.message(Message(payload)) == frame
    assert codec.message(Message(payload, GroupName("g"), UserId("alice"))) == frame


def test_there_is_nothing_else_for_simple_clients() -> None:
    assert codec.connected(ConnectionId("c1"), UserId("alice")) is None  # type: ignore[func-returns-value]
    assert codec.disconnected("bye") is None  # type: ignore[func-returns-value]
    assert codec.ack(1, AckError("Forbidden", "no")) is None  # type: ignore[func-returns-value]
    assert codec.pong() is None  # type: ignore[func-returns-value]
    assert codec.closes_on_failed_event
