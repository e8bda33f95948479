"""What clients of the protobuf subprotocols write: client spec, section 5, byte by byte."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from google.protobuf.any_pb2 import Any as ProtobufAny
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import EventName, GroupName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.messages import (
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)
from webpubsub.service.protocols.proto_file import message_class
from webpubsub.service.protocols.protobuf_requests import parse_protobuf_request

G = GroupName("g")
MAX = 2**64 - 1


def as_json(body: str) -> Payload:
    return Payload(body.encode(), WebPubSubDataType.JSON)


UPSTREAM: list[tuple[str, ClientMessage]] = [
    ("32 08 0A 04 726F6F6D 10 00", JoinGroup(GroupName("room"), 0)),  # of Microsoft's emulator's tests
    ("32 03 0A 01 67", JoinGroup(G)),
    ("32 05 0A 01 67 10 01", JoinGroup(G, 1)),
    ("32 0E 0A 01 67 10 FFFFFFFFFFFFFFFFFF01", JoinGroup(G, MAX)),
    ("32 05 10 01 0A 01 67", JoinGroup(G, 1)),  # in any order
    ("32 05 0A 03 61 C3 A9", JoinGroup(GroupName("aé"))),
    ("32 05 0A 01 67 78 01", JoinGroup(G)),  # with a field 15 that nobody knows
    ("3A 05 0A 01 67 10 02", LeaveGroup(G, 2)),
    ("0A 09 0A 01 67 1A 04 0A 02 6869", SendToGroup(G, Payload.of("hi"))),
    ("0A 07 0A 01 67 1A 02 0A 00", SendToGroup(G, Payload.of(""))),
    ("0A 07 0A 01 67 1A 02 12 00", SendToGroup(G, Payload.of(b""))),
    ("0A 09 0A 01 67 1A 04 12 02 00FF", SendToGroup(G, Payload.of(b"\x00\xff"))),
    ("0A 0A 0A 01 67 1A 05 22 03 312E30", SendToGroup(G, as_json("1.0"))),
    (
        "0A 0C 0A 01 67 1A 07 1A 05 0A 01 78 12 00",
        # The library leaves the empty value out, as proto3 has it.
        SendToGroup(G, Payload(b"\x0a\x01x", WebPubSubDataType.PROTOBUF)),
    ),
    (
        "0A 0F 0A 01 67 10 03 1A 04 0A 02 6869 20 01 28 05",
        SendToGroup(G, Payload.of("hi"), True, 3, 5),
    ),
    ("0A 0C 0A 01 67 1A 04 0A 02 6869 28 AC 02", SendToGroup(G, Payload.of("hi"), ttl_seconds=300)),
    (
        "0A 11 0A 01 67 1A 04 0A 02 6869 32 06 0A 01 61 12 01 62",
        SendToGroup(G, Payload.of("hi"), metadata={"a": "b"}),
    ),
    ("0A 0B 0A 01 67 32 06 0A 01 61 12 01 62", SendToGroup(G, Payload.of(""), metadata={"a": "b"})),
    ("0A 0D 0A 01 67 1A 00 32 06 0A 01 61 12 01 62", SendToGroup(G, Payload.of(""), metadata={"a": "b"})),
    ("2A 09 0A 01 65 12 04 0A 02 6869", RaiseEvent(EventName("e"), Payload.of("hi"))),
    (
        "2A 13 0A 01 65 12 04 0A 02 6869 18 04 22 06 0A 01 61 12 01 62",
        RaiseEvent(EventName("e"), Payload.of("hi"), 4, {"a": "b"}),
    ),
    ("42 02 08 05", SequenceAck(5)),
    ("42 0B 08 FFFFFFFFFFFFFFFFFF01", SequenceAck(MAX)),
    ("42 00", SequenceAck(0)),
    ("4A 00", Ping()),
    ("32 03 0A 01 67 4A 00", Ping()),  # of two, the last
]


@pytest.mark.parametrize(("raw", "message"), UPSTREAM)
def test_requests(raw: str, message: ClientMessage) -> None:
    assert parse_protobuf_request(bytes.fromhex(raw)) == message


INVALID = [
    ("", "it is none of the known messages"),
    ("00", "not a valid protobuf protocol message"),
    ("FF", "not a valid protobuf protocol message"),
    ("32 08 0A 04 72", "not a valid protobuf protocol message"),
    ("32 03 0A 01 FF", "not a valid protobuf protocol message"),  # no UTF-8
    ("12 00", "it is none of the known messages"),
    ("52 00", "it is none of the known messages"),  # 10 to 12 are nobody's yet
    ("5A 00", "it is none of the known messages"),
    ("62 00", "it is none of the known messages"),
    ("6A 03 0A 01 73", "stream_data_message is not served"),
    ("72 03 0A 01 73", "stream_end_message is not served"),
    ("7A 03 0A 01 67", "set_group_state_message is not served"),
    ("82 01 03 0A 01 67", "subscribe_group_state_message is not served"),
    ("8A 01 03 0A 01 67", "unsubscribe_group_state_message is not served"),
    ("32 00", "'' is not a valid group name"),
    ("32 03 0A 01 20", "' ' is not a valid group name"),
    ("3A 02 10 01", "'' is not a valid group name"),
    ("0A 06 1A 04 0A 02 6869", "'' is not a valid group name"),
    ("0A 03 0A 01 67", "it has neither data nor metadata"),
    ("0A 05 0A 01 67 1A 00", "it has neither data nor metadata"),
    ("0A 0C 0A 01 67 1A 04 0A 02 6869 28 AD 02", "ttl_seconds is 301: expected 0 to 300"),
    ("0A 0B 0A 01 67 32 06 0A 01 20 12 01 62", "the metadata name ' ' is not"),
    ("0A 0C 0A 01 67 32 07 0A 01 61 12 02 C3A9", "the metadata value of 'a' is not"),
    ("0A 09 0A 01 67 1A 04 22 02 6869", "the payload is not valid JSON"),
    ("0A 07 0A 01 67 1A 02 22 00", "the payload is not valid JSON"),
    ("0A 08 0A 01 67 3A 03 0A 01 73", "'stream' is not served"),
    ("2A 06 12 04 0A 02 6869", "'' is not a valid event name"),
    ("2A 09 0A 01 31 12 04 0A 02 6869", "'1' is not a valid event name"),
    ("2A 03 0A 01 65", "it has neither data nor metadata"),
    ("2A 0B 0A 01 65 12 04 0A 02 6869 2A 00", "'stream' is not served"),
]


@pytest.mark.feature("messages that are not served")
@pytest.mark.parametrize(("raw", "words"), INVALID)
def test_what_is_not_a_message_closes_with_1007(raw: str, words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_protobuf_request(bytes.fromhex(raw))
    assert caught.value.close_code == 1007
    assert words in str(caught.value)


def test_a_group_name_that_is_too_long_closes_with_1007() -> None:
    upstream = message_class("UpstreamMessage")
    body = upstream(join_group_message={"group": "g" * 1025}).SerializeToString()
    with pytest.raises(ProtocolError, match="is not a valid group name"):
        parse_protobuf_request(body)


# --- with the library on the other side ---------------------------------------------------------------

_text = st.text(max_size=12)
_ack_ids = st.none() | st.integers(0, MAX)
_data = st.one_of(
    _text.map(lambda text: ({"text_data": text}, Payload.of(text))),
    st.binary(max_size=12).map(lambda body: ({"binary_data": body}, Payload.of(body))),
    st.integers().map(lambda value: ({"json_data": f" {value}"}, as_json(f" {value}"))),
    st.tuples(_text, st.binary(max_size=12)).map(lambda found: _any(*found)),
)
_values = st.text("xyz ", max_size=3).map(str.strip)
_metadata = st.dictionaries(st.text("abc", min_size=1, max_size=3), _values, max_size=3)


def _any(type_url: str, value: bytes) -> tuple[dict[str, Any], Payload]:
    found = ProtobufAny(type_url=type_url, value=value)
    data = {"protobuf_data": {"type_url": type_url, "value": value}}
    return data, Payload(found.SerializeToString(), WebPubSubDataType.PROTOBUF)


def written(**member: Any) -> bytes:
    return bytes(message_class("UpstreamMessage")(**member).SerializeToString())


@given(_text.filter(str.strip), _data, st.booleans(), _ack_ids, st.integers(0, 300), _metadata)
def test_what_the_library_writes_is_read(
    group: str,
    data: tuple[dict[str, Any], Payload],
    no_echo: bool,
    ack_id: int | None,
    ttl: int,
    metadata: dict[str, str],
) -> None:
    sent = {"data": data[0], "ack_id": ack_id, "metadata": metadata}
    send = {"group": group, "no_echo": no_echo, "ttl_seconds": ttl, **sent}
    expected = SendToGroup(GroupName(group), data[1], no_echo, ack_id, ttl, metadata)
    assert parse_protobuf_request(written(send_to_group_message=send)) == expected
    event = RaiseEvent(EventName("e"), data[1], ack_id, metadata)
    assert parse_protobuf_request(written(event_message={"event": "e", **sent})) == event


@given(st.binary(max_size=40) | st.sampled_from(UPSTREAM).map(lambda row: bytes.fromhex(row[0])[:-1]))
def test_anything_is_a_message_or_a_protocol_error(body: bytes) -> None:
    code, reason = 1007, "x"
    try:
        message = parse_protobuf_request(body)
    except ProtocolError as error:
        code, reason = error.close_code, str(error)
    else:
        assert isinstance(message, get_args(ClientMessage))
    assert code == 1007
    assert reason.encode(), "it can be written down"
