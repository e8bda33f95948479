"""``protobuf.webpubsub.azure.v1``: client spec, section 5, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.service_peers import BINARY, server_frames
from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import ConnectionId, GroupName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.messages import AckError, JoinGroup, Message
from webpubsub.service.protocols.proto_file import message_class
from webpubsub.service.protocols.protobuf_v1 import ProtobufCodec

codec = ProtobufCodec()
GROUP, ALICE, C1 = GroupName("g"), UserId("alice"), ConnectionId("c1")
ANY = Payload(b"\x0a\x01x", WebPubSubDataType.PROTOBUF)
MAX = 2**64 - 1


def test_requests_come_in_binary_frames() -> None:
    assert codec.decode(False, bytes.fromhex("32 08 0A 04 726F6F6D 10 00")) == JoinGroup(GroupName("room"), 0)


def test_text_frames_close_with_1003() -> None:
    with pytest.raises(
        ProtocolError, match=r"^The protobuf subprotocol requires binary messages\.$"
    ) as caught:
        codec.decode(True, b"\x4a\x00")
    assert caught.value.close_code == 1003


DOWNSTREAM: list[tuple[Any, str]] = [
    (codec.connected(C1, ALICE), "1A 0D 0A 0B 0A 02 6331 12 05 616C696365"),
    (codec.connected(C1, None), "1A 06 0A 04 0A 02 6331"),
    (codec.connected(C1, None, "t"), "1A 09 0A 07 0A 02 6331 1A 01 74"),
    (codec.disconnected("bye"), "1A 07 12 05 12 03 627965"),
    (codec.disconnected(""), "1A 02 12 00"),
    (codec.ack(1, None), "0A 04 08 01 10 01"),
    (codec.ack(0, None), "0A 02 10 01"),
    (codec.ack(MAX, None), "0A 0D 08 FFFFFFFFFFFFFFFFFF01 10 01"),
    (codec.ack(1, AckError("No", "why")), "0A 0D 08 01 1A 09 0A 02 4E6F 12 03 776879"),
    (codec.pong(), "22 00"),
    (codec.message(Message(Payload.of("Hello"))), "12 11 0A 06 736572766572 1A 07 0A 05 48656C6C6F"),
    (codec.message(Message(Payload.of(b"\x01\x02"))), "12 0E 0A 06 736572766572 1A 04 12 02 0102"),
    (codec.message(Message(ANY)), "12 0F 0A 06 736572766572 1A 05 1A 03 0A 01 78"),
    (codec.message(Message(Payload.of(1.0))), "12 0F 0A 06 736572766572 1A 05 22 03 312E30"),
    (codec.message(Message(Payload.of(""))), "12 0C 0A 06 736572766572 1A 02 0A 00"),
    (
        codec.message(Message(Payload.of("hi"), GROUP, ALICE)),  # the sender's user has no place here
        "12 10 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869",
    ),
    (
        codec.message(Message(Payload.of("hi"), GROUP, metadata={"a": "b", "c": ""})),
        "12 1F 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869 2A 06 0A 01 61 12 01 62 2A 05 0A 01 63 12 00",
    ),
]


@pytest.mark.parametrize(("frame", "raw"), DOWNSTREAM)
def test_frames_byte_by_byte(frame: bytes, raw: str) -> None:
    assert server_frames(frame) == [(BINARY, bytes.fromhex(raw))]


@pytest.mark.parametrize("frame", [frame for frame, _ in DOWNSTREAM])
def test_the_library_knows_every_field(frame: bytes) -> None:
    [(_, body)] = server_frames(frame)
    found = message_class("DownstreamMessage").FromString(body)
    assert found.WhichOneof("message")
    before = found.ByteSize()
    found.DiscardUnknownFields()
    assert found.ByteSize() == before


@given(
    st.text(max_size=300),
    st.sampled_from([WebPubSubDataType.TEXT, WebPubSubDataType.JSON]),
    st.none() | st.text(min_size=1, max_size=200),
    st.dictionaries(st.text("abc", min_size=1), st.text("xyz", max_size=200), max_size=3),
)
def test_the_library_reads_what_is_written(
    text: str, kind: WebPubSubDataType, group: str | None, metadata: dict[str, str]
) -> None:
    message = Message(
        Payload(text.encode(), kind), None if group is None else GroupName(group), metadata=metadata
    )
    [(_, body)] = server_frames(codec.message(message))
    found = message_class("DownstreamMessage").FromString(body).data_message
    assert getattr(found, "from") == ("server" if group is None else "group")
    assert (found.group if found.HasField("group") else None) == group
    assert found.data.WhichOneof("data") == f"{kind}_data"
    assert getattr(found.data, f"{kind}_data") == text
    assert dict(found.metadata) == metadata
    assert not found.HasField("sequence_id")


def test_a_failed_request_does_not_end_the_connection() -> None:
    assert not codec.closes_on_failure
    assert not codec.is_reliable
