"""Simple clients: client spec, section 2."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model.errors import PeerError
from webpubsub.model.names import ConnectionId, GroupName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.messages import AckError, Message, RaiseEvent, SendToGroup
from webpubsub.service.protocols.raw import RawCodec, RawPublisher, parse_mode

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


def test_an_any_is_sent_as_it_is() -> None:
    payload = Payload(b"\x0a\x01x", WebPubSubDataType.PROTOBUF)
    assert codec.message(Message(payload)) == b"\x82\x03\x0a\x01x"


def test_metadata_is_not_shown() -> None:
    assert codec.message(Message(Payload.of("hi"), metadata={"a": "b"})) == b"\x81\x02hi"
    assert codec.message(Message(Payload.of(""), metadata={"a": "b"})) == b"\x81\x00"


def test_there_is_nothing_else_for_simple_clients() -> None:
    assert codec.connected(ConnectionId("c1"), UserId("alice")) is None  # type: ignore[func-returns-value]
    assert codec.disconnected("bye") is None  # type: ignore[func-returns-value]
    assert codec.ack(1, AckError("Forbidden", "no")) is None  # type: ignore[func-returns-value]
    assert codec.pong() is None  # type: ignore[func-returns-value]
    assert codec.closes_on_failure


# --- the mode sendToGroup: client spec, section 1.3 ---------------------------------------------------


@pytest.mark.parametrize("no_echo", [True, False])
def test_a_publishers_frames_go_to_its_group(no_echo: bool) -> None:
    publisher = RawPublisher(GroupName("g"), no_echo)
    assert publisher.decode(True, b'{"a":1}') == SendToGroup(GroupName("g"), Payload.of('{"a":1}'), no_echo)
    assert publisher.decode(False, b"\xff") == SendToGroup(GroupName("g"), Payload.of(b"\xff"), no_echo)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"webpubsub_mode": [""]},
        {"webpubsub_mode": ["sendEvent"]},
        {"webpubsub_mode": ["SENDEVENT"]},
        {"webpubsub_mode": ["sendToGroup", "sendEvent"]},  # the last counts
        {"webpubsub_mode": ["sendEvent"], "group": [" "], "noEcho": ["maybe"]},
        {"group": ["g"]},
    ],
)
def test_frames_are_events_unless_asked_otherwise(query: dict[str, list[str]]) -> None:
    assert parse_mode(query) is None


@pytest.mark.parametrize(
    ("mode", "others", "publisher"),
    [
        ("sendToGroup", {"group": ["g"]}, RawPublisher(GroupName("g"))),
        ("SENDTOGROUP", {"group": ["a", "b c/é"]}, RawPublisher(GroupName("b c/é"))),
        ("sendToGroup", {"group": ["g"], "noEcho": ["false"]}, RawPublisher(GroupName("g"))),
        ("sendToGroup", {"group": ["g"], "noEcho": ["x", "True"]}, RawPublisher(GroupName("g"), True)),
    ],
)
def test_publishing_to_a_group(mode: str, others: dict[str, list[str]], publisher: RawPublisher) -> None:
    assert parse_mode({"webpubsub_mode": [mode], **others}) == publisher


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"webpubsub_mode": ["other"]}, "webpubsub_mode is 'other': expected 'sendEvent' or 'sendToGroup'"),
        ({"webpubsub_mode": ["sendToGroup"]}, "webpubsub_mode is 'sendToGroup', but '' is not a valid group"),
        ({"webpubsub_mode": ["sendToGroup"], "group": ["g", " "]}, "' ' is not a valid group name"),
        ({"webpubsub_mode": ["sendToGroup"], "group": ["g" * 1025]}, "is not a valid group name"),
        ({"webpubsub_mode": ["sendToGroup"], "group": ["g"], "noEcho": ["1"]}, "noEcho is '1'"),
        ({"webpubsub_mode": ["sendToGroup"], "group": ["g"], "noEcho": [""]}, "noEcho is ''"),
    ],
)
def test_a_mode_outside_its_rules_is_refused(query: dict[str, list[str]], words: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_mode(query)
    assert caught.value.status == 400
    assert words in str(caught.value)
