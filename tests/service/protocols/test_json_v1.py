"""``json.webpubsub.azure.v1``: client spec, section 3, text by text."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.service_peers import server_frames
from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import ConnectionId, GroupName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.json_v1 import JsonCodec
from webpubsub.service.protocols.messages import AckError, ClientMessage, Message, RaiseEvent, SendToGroup
from webpubsub.service.protocols.numbered import Numbered

codec = JsonCodec()
MAX = 18446744073709551615


def as_json(body: str) -> Payload:
    return Payload(body.encode(), WebPubSubDataType.JSON)


@pytest.mark.parametrize(
    "data",
    [
        "1.0",
        "1.00",
        "0.1e-7",
        "123456789012345678901234567890",
        "-0",
        '{"b": 1, "a": 2, "a": 3}',
        "[ 1 ,\t2 ]",
        '"\\u00e9\\/"',
        "[null]",
        "true",
    ],
)
def test_json_keeps_its_source_text_all_the_way(data: str) -> None:
    message = codec.decode(True, b'{"type":"sendToGroup","group":"g","data":%b}' % data.encode())
    assert isinstance(message, SendToGroup)
    assert message.payload.body == data.encode()
    [(_, sent)] = server_frames(codec.message(Message(message.payload, message.group)))
    assert (
        sent == b'{"type":"message","from":"group","group":"g","dataType":"json","data":%b}' % data.encode()
    )


def test_binary_frames_close_with_1003() -> None:
    with pytest.raises(ProtocolError, match=r"^The JSON subprotocol requires text messages\.$") as caught:
        codec.decode(False, b'{"type":"ping"}')
    assert caught.value.close_code == 1003


# --- downstream ---------------------------------------------------------------------------------------

GROUP, ALICE = GroupName("g"), UserId("alice")

DOWNSTREAM: list[tuple[bytes | Numbered | None, str]] = [
    (
        codec.connected(ConnectionId("c1"), ALICE),
        '{"type":"system","event":"connected","userId":"alice","connectionId":"c1"}',
    ),
    (
        codec.connected(ConnectionId("c1"), None),
        '{"type":"system","event":"connected","userId":null,"connectionId":"c1"}',
    ),
    (
        codec.connected(ConnectionId("c1"), UserId("")),
        '{"type":"system","event":"connected","userId":"","connectionId":"c1"}',
    ),
    (codec.disconnected('so "long"'), '{"type":"system","event":"disconnected","message":"so \\"long\\""}'),
    (codec.ack(1, None), '{"type":"ack","ackId":1,"success":true}'),
    (codec.ack(0, None), '{"type":"ack","ackId":0,"success":true}'),
    (codec.ack(MAX, None), '{"type":"ack","ackId":18446744073709551615,"success":true}'),
    (
        codec.ack(MAX, AckError("Forbidden", "no")),
        '{"type":"ack","ackId":18446744073709551615,"success":false,"error":{"name":"Forbidden","message":"no"}}',
    ),
    (codec.pong(), '{"type":"pong"}'),
    (
        codec.message(Message(Payload.of("Hello"))),
        '{"type":"message","from":"server","dataType":"text","data":"Hello"}',
    ),
    (
        codec.message(Message(Payload.of({"a": 1}))),
        '{"type":"message","from":"server","dataType":"json","data":{"a":1}}',
    ),
    (
        codec.message(Message(Payload.of(b"\x01\x02\x03"))),
        '{"type":"message","from":"server","dataType":"binary","data":"AQID"}',
    ),
    (
        codec.message(Message(Payload.of("hi"), GROUP)),
        '{"type":"message","from":"group","group":"g","dataType":"text","data":"hi"}',
    ),
    (
        codec.message(Message(Payload.of("hi"), GROUP, ALICE)),
        '{"type":"message","from":"group","group":"g","fromUserId":"alice","dataType":"text","data":"hi"}',
    ),
    (
        codec.message(Message(Payload(b"\x0a\x01x", WebPubSubDataType.PROTOBUF))),
        '{"type":"message","from":"server","dataType":"protobuf","data":"CgF4"}',
    ),
    (
        codec.message(Message(Payload.of("hi"), GROUP, ALICE, metadata={"Trace": "1", "b": '"'})),
        '{"type":"message","from":"group","group":"g","fromUserId":"alice","dataType":"text","data":"hi",'
        '"metadata":{"Trace":"1","b":"\\""}}',
    ),
    (
        codec.message(Message(Payload.of(""), metadata={"a": "b"})),
        '{"type":"message","from":"server","dataType":"text","data":"","metadata":{"a":"b"}}',
    ),
    (
        codec.message(Message(Payload.of('"\né'), GroupName('a"b'), UserId("Zoë"))),
        '{"type":"message","from":"group","group":"a\\"b","fromUserId":"Zoë","dataType":"text","data":"\\"\\né"}',
    ),
]


@pytest.mark.feature("JSON frames")
@pytest.mark.parametrize(("frame", "body"), DOWNSTREAM, ids=[body[:60] for _, body in DOWNSTREAM])
def test_frames_have_their_members_in_azures_order(frame: bytes, body: str) -> None:
    assert server_frames(frame) == [(0x81, body.encode())]


def test_a_failed_event_does_not_end_the_connection() -> None:
    assert not codec.closes_on_failure


# --- any bytes ----------------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_types = st.sampled_from(["joinGroup", "LEAVEGROUP", "sendToGroup", "event", "ping", "sequenceAck", "invoke"])
_nearly = st.fixed_dictionaries(
    {"type": _types | _json},
    optional={
        "group": st.just("g") | _json,
        "event": st.just("e") | _json,
        "data": st.just("AQID") | _json,
        "dataType": st.sampled_from(["text", "json", "binary", "protobuf"]) | _json,
        "ackId": st.integers(-1, 2**65) | _json,
        "sequenceId": st.integers(-1, 2**65) | _json,
        "noEcho": st.booleans() | _json,
        "ttlSeconds": st.integers(-1, 301) | _json,
        "metadata": st.just({"a": "b"}) | _json,
    },
)


@given(
    st.binary(max_size=60)
    | _nearly.map(lambda value: json.dumps(value).encode())
    | _json.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")),
    st.booleans(),
)
def test_anything_is_a_message_or_a_protocol_error(body: bytes, is_text: bool) -> None:
    code, reason = None, "x"
    try:
        message = codec.decode(is_text, body)
    except ProtocolError as error:
        code, reason = error.close_code, str(error)
    else:
        assert is_text
        assert isinstance(message, get_args(ClientMessage))
        if isinstance(message, SendToGroup | RaiseEvent):
            sent = codec.message(Message(message.payload, metadata=message.metadata))
            [(_, frame)] = server_frames(sent)
            json.loads(frame)  # whatever was taken can be passed on
    assert code in (None, 1007 if is_text else 1003)
    assert reason.encode(), "it can be written down"
