"""``protobuf.reliable.webpubsub.azure.v1``: client spec, sections 4 and 5."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.service_peers import BINARY, server_frames
from webpubsub.model.names import ConnectionId, GroupName
from webpubsub.model.payload import Payload
from webpubsub.service.protocols.messages import Message
from webpubsub.service.protocols.proto_file import message_class
from webpubsub.service.protocols.protobuf_v1 import ReliableProtobufCodec

codec = ReliableProtobufCodec()


@pytest.mark.parametrize(
    ("sequence_id", "raw"),
    [
        (1, "12 12 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869 20 01"),
        (127, "12 12 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869 20 7F"),
        (128, "12 13 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869 20 80 01"),
        (2**64 - 1, "12 1B 0A 05 67726F7570 12 01 67 1A 04 0A 02 6869 20 FFFFFFFFFFFFFFFFFF01"),
    ],
)
def test_messages_end_with_their_sequence_id(sequence_id: int, raw: str) -> None:
    numbered = codec.message(Message(Payload.of("hi"), GroupName("g")))
    assert server_frames(numbered.frame(sequence_id)) == [(BINARY, bytes.fromhex(raw))]


@given(st.integers(1, 2**64 - 1), st.integers(0, 300) | st.sampled_from([16_370, 65_500, 65_520]))
def test_the_library_reads_every_length(sequence_id: int, size: int) -> None:
    numbered = codec.message(Message(Payload.of("x" * size), metadata={"a": "b"}))
    frame = numbered.frame(sequence_id)
    assert len(frame) <= numbered.size
    [(_, body)] = server_frames(frame)
    found = message_class("DownstreamMessage").FromString(body).data_message
    assert (found.sequence_id, found.data.text_data, dict(found.metadata)) == (
        sequence_id,
        "x" * size,
        {"a": "b"},
    )


def test_everything_else_is_that_of_the_plain_subprotocol() -> None:
    assert codec.is_reliable
    assert codec.pong() == b"\x82\x02\x22\x00"
    [(_, body)] = server_frames(codec.connected(ConnectionId("c1"), None, "t"))
    assert body == bytes.fromhex("1A 09 0A 07 0A 02 6331 1A 01 74")
