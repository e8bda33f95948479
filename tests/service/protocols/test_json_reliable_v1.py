"""``json.reliable.webpubsub.azure.v1``, byte by byte: client spec, section 4."""

from __future__ import annotations

import pytest

from kit.service_peers import RELIABLE, group, server_frames, text
from webpubsub.model.names import ConnectionId, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.messages import Message, SequenceAck
from webpubsub.service.protocols.numbered import Numbered

HI = Payload(b"hi", WebPubSubDataType.TEXT)


def written(message: Message, sequence_id: int) -> list[tuple[int, bytes]]:
    found = RELIABLE.message(message)
    assert isinstance(found, Numbered)
    return server_frames(found.frame(sequence_id))


@pytest.mark.parametrize(
    ("message", "sequence_id", "expected"),
    [
        (Message(HI), 1, '{"type":"message","from":"server","dataType":"text","data":"hi","sequenceId":1}'),
        (
            Message(HI, group("g"), UserId("alice")),
            2**64 - 1,
            '{"type":"message","from":"group","group":"g","fromUserId":"alice","dataType":"text",'
            '"data":"hi","sequenceId":18446744073709551615}',
        ),
        (
            Message(Payload(b'{"b":1.0,"a":[]}', WebPubSubDataType.JSON)),
            10,
            '{"type":"message","from":"server","dataType":"json","data":{"b":1.0,"a":[]},"sequenceId":10}',
        ),
        (
            Message(Payload(b"\x01\x02\x03", WebPubSubDataType.BINARY)),
            7,
            '{"type":"message","from":"server","dataType":"binary","data":"AQID","sequenceId":7}',
        ),
    ],
)
def test_the_sequence_id_is_the_last_member(message: Message, sequence_id: int, expected: str) -> None:
    assert written(message, sequence_id) == text(expected)


def test_the_greeting_has_a_reconnection_token() -> None:
    greeting = RELIABLE.connected(ConnectionId("c1"), UserId("alice"), "abc.def")
    assert server_frames(greeting or b"") == text(
        '{"type":"system","event":"connected","userId":"alice","connectionId":"c1",'
        '"reconnectionToken":"abc.def"}'
    )


def test_other_frames_have_no_number() -> None:
    assert server_frames(RELIABLE.ack(1, None) or b"") == text('{"type":"ack","ackId":1,"success":true}')
    assert server_frames(RELIABLE.pong() or b"") == text('{"type":"pong"}')
    assert RELIABLE.is_reliable


def test_a_sequence_ack() -> None:
    body = b'{"type":"sequenceAck","sequenceId":18446744073709551615}'
    assert RELIABLE.decode(True, body) == SequenceAck(2**64 - 1)
