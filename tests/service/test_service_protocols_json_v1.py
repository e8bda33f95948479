"""``json.webpubsub.azure.v1``: client spec, section 3, text by text."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_peers import server_frames
from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import ConnectionId, GroupName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.messages import (
    AckError,
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Message,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)
from webpubsub.service.protocols.json_v1 import JsonCodec

codec = JsonCodec()
MAX = 18446744073709551615


def as_json(body: str) -> Payload:
    return Payload(body.encode(), WebPubSubDataType.JSON)


# --- upstream -----------------------------------------------------------------------------------------

UPSTREAM: list[tuple[str, Any]] = [
    ('{"type":"joinGroup","group":"g"}', JoinGroup(GroupName("g"))),
    ('{"type":"joinGroup","group":"g","ackId":1}', JoinGroup(GroupName("g"), 1)),
    ('{"type":"joinGroup","group":"g","ackId":null}', JoinGroup(GroupName("g"))),
    ('{"type":"joinGroup","group":"g","ackId":0}', JoinGroup(GroupName("g"), 0)),
    ('{"type":"joinGroup","group":"g","ackId":18446744073709551615}', JoinGroup(GroupName("g"), MAX)),
    ('{"ackId":1,"group":"a b/é.*","type":"joinGroup"}', JoinGroup(GroupName("a b/é.*"), 1)),
    (' { "type" : "joinGroup" , "group" : "g" } ', JoinGroup(GroupName("g"))),
    ('{"type":"joinGroup","group":"g","unknown":[{}]}', JoinGroup(GroupName("g"))),
    ('{"type":"leaveGroup","group":"g","ackId":2}', LeaveGroup(GroupName("g"), 2)),
    (
        '{"type":"sendToGroup","group":"g","data":{"b":1.0,"a":1e2}}',
        SendToGroup(GroupName("g"), as_json('{"b":1.0,"a":1e2}')),
    ),
    (
        '{"type":"sendToGroup","group":"g","dataType":"json","data":"hi","noEcho":true,"ackId":3}',
        SendToGroup(GroupName("g"), as_json('"hi"'), True, 3),
    ),
    (
        '{"type":"sendToGroup","group":"g","dataType":"text","data":"h\\u00e9\\n","noEcho":false}',
        SendToGroup(GroupName("g"), Payload.of("hé\n")),
    ),
    (
        '{"type":"sendToGroup","group":"g","dataType":"binary","data":"AQID"}',
        SendToGroup(GroupName("g"), Payload.of(b"\x01\x02\x03")),
    ),
    (
        '{"type":"sendToGroup","group":"g","dataType":"binary","data":""}',
        SendToGroup(GroupName("g"), Payload.of(b"")),
    ),
    ('{"type":"event","event":"e","data":1}', RaiseEvent("e", as_json("1"))),  # type: ignore[arg-type]
    (
        '{"type":"event","event":"A_b.c-1","dataType":"text","data":"","ackId":4}',
        RaiseEvent("A_b.c-1", Payload.of(""), 4),  # type: ignore[arg-type]
    ),
    ('{"type":"event","event":"e","data":false}', RaiseEvent("e", as_json("false"))),  # type: ignore[arg-type]
    ('{"type":"ping"}', Ping()),
    ('{"type":"ping","ackId":"whatever"}', Ping()),
    ('{"type":"sequenceAck","sequenceId":5}', SequenceAck(5)),
    ('{"type":"sequenceAck","sequenceId":18446744073709551615}', SequenceAck(MAX)),
    # Types are compared without case, members are not.
    ('{"type":"JOINGROUP","group":"g","ackId":1}', JoinGroup(GroupName("g"), 1)),
    (
        '{"group":"g","data":{"z":0.10,"a":1},"type":"sendtogroup"}',
        SendToGroup(GroupName("g"), as_json('{"z":0.10,"a":1}')),
    ),
    ('{"type":"Event","event":"e","data":"x","dataType":"text"}', RaiseEvent("e", Payload.of("x"))),  # type: ignore[arg-type]
    ('{"type":"PING"}', Ping()),
]


@pytest.mark.parametrize(("body", "message"), UPSTREAM)
def test_requests(body: str, message: ClientMessage) -> None:
    assert codec.decode(True, body.encode()) == message


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


INVALID = [
    "",
    " ",
    "null",
    "1",
    '"ping"',
    "[]",
    '[{"type":"ping"}]',
    "{",
    '{"type":"ping"}x',
    "{}",
    '{"type":null}',
    '{"type":1}',
    '{"type":""}',
    '{"type":"nope"}',
    '{"Type":"ping"}',
    '{"type":"joinGroup"}',
    '{"type":"joinGroup","Group":"g"}',
    '{"type":"joinGroup","group":null}',
    '{"type":"joinGroup","group":1}',
    '{"type":"joinGroup","group":""}',
    '{"type":"joinGroup","group":"  "}',
    '{"type":"joinGroup","group":"' + "g" * 1025 + '"}',
    '{"type":"joinGroup","group":"\\ud800"}',
    '{"type":"joinGroup","group":"g","ackId":-1}',
    '{"type":"joinGroup","group":"g","ackId":18446744073709551616}',
    '{"type":"joinGroup","group":"g","ackId":1' + "0" * 5000 + "}",
    '{"type":"joinGroup","group":"g","ackId":1.5}',
    '{"type":"joinGroup","group":"g","ackId":"1"}',
    '{"type":"joinGroup","group":"g","ackId":true}',
    '{"type":"JoinGroup","group":"","ackId":1}',
    '{"type":"leaveGroup","group":" "}',
    '{"type":"sendToGroup","group":"g"}',
    '{"type":"sendToGroup","data":1}',
    '{"type":"sendToGroup","group":"g","data":null}',
    '{"type":"sendToGroup","group":"g","data": null }',
    '{"type":"sendToGroup","group":"g","dataType":"text","data":1}',
    '{"type":"sendToGroup","group":"g","dataType":"text","data":null}',
    '{"type":"sendToGroup","group":"g","dataType":"text","data":"\\ud800"}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"AQI"}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"A-I="}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"AQ-ID"}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"AQ ID"}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"é"}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":[1]}',
    '{"type":"sendToGroup","group":"g","dataType":"xml","data":"x"}',
    '{"type":"sendToGroup","group":"g","dataType":1,"data":"x"}',
    '{"type":"sendToGroup","group":"g","data":1,"noEcho":null}',
    '{"type":"sendToGroup","group":"g","data":1,"noEcho":"true"}',
    '{"type":"sendToGroup","group":"g","data":1,"noEcho":1}',
    '{"type":"sendToGroup","group":"g","data":"\\q"}',
    '{"type":"sendToGroup","group":"g","data":01}',
    '{"type":"sendToGroup","group":"g","data":NaN}',
    '{"type":"sendToGroup","group":"g","data":"a\x01"}',
    '{"type":"event","data":1}',
    '{"type":"event","event":"e"}',
    '{"type":"event","event":"1e","data":1}',
    '{"type":"event","event":"","data":1}',
    '{"type":"event","event":"a b","data":1}',
    '{"type":"event","event":"' + "e" * 129 + '","data":1}',
    '{"type":"event","event":"e","data":1,"ackId":[]}',
    '{"type":"sequenceAck"}',
    '{"type":"sequenceAck","sequenceId":null}',
    '{"type":"sequenceAck","sequenceId":-1}',
    '{"type":"sequenceAck","sequenceId":18446744073709551616}',
]


@pytest.mark.parametrize("body", INVALID, ids=lambda body: body[:60])
def test_what_is_not_a_message_closes_with_1007(body: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(True, body.encode())
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("kind", ["ping", "sendToGroup", "EVENT"])
def test_json_nested_beyond_all_measure_closes_with_1007(kind: str) -> None:
    depth = 100_000
    body = f'{{"type":"{kind}","group":"g","event":"e","data":{"[" * depth + "]" * depth}}}'
    with pytest.raises(ProtocolError) as caught:
        codec.decode(True, body.encode())
    assert caught.value.close_code == 1007


def test_binary_frames_close_with_1003() -> None:
    with pytest.raises(ProtocolError, match=r"^The JSON subprotocol requires text messages\.$") as caught:
        codec.decode(False, b'{"type":"ping"}')
    assert caught.value.close_code == 1003


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"type":"nope"}', "the message type 'nope' is unknown"),
        ('{"type":"streamData","streamId":"s"}', "the message type 'streamData' is not served"),
        ('{"type":"invoke"}', "the message type 'invoke' is not served"),
        (
            '{"type":"joinGroup","group":" "}',
            "not a valid JSON protocol message: ' ' is not a valid group name",
        ),
        ('{"type":"joinGroup"}', "missing required field `group`"),
        (
            '{"type":"sendToGroup","group":"g","dataType":"xml","data":1}',
            "dataType 'xml' is not json, text or binary",
        ),
    ],
)
def test_errors_say_what_was_wrong(body: str, words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(True, body.encode())
    assert words in str(caught.value)


# --- downstream ---------------------------------------------------------------------------------------

GROUP, ALICE = GroupName("g"), UserId("alice")

DOWNSTREAM: list[tuple[bytes | None, str]] = [
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
        codec.message(Message(Payload.of('"\né'), GroupName('a"b'), UserId("Zoë"))),
        '{"type":"message","from":"group","group":"a\\"b","fromUserId":"Zoë","dataType":"text","data":"\\"\\né"}',
    ),
]


@pytest.mark.parametrize(("frame", "body"), DOWNSTREAM, ids=[body[:60] for _, body in DOWNSTREAM])
def test_frames_have_their_members_in_azures_order(frame: bytes, body: str) -> None:
    assert server_frames(frame) == [(0x81, body.encode())]


def test_a_failed_event_does_not_end_the_connection() -> None:
    assert not codec.closes_on_failed_event


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
        "dataType": st.sampled_from(["text", "json", "binary"]) | _json,
        "ackId": st.integers(-1, 2**65) | _json,
        "sequenceId": st.integers(-1, 2**65) | _json,
        "noEcho": st.booleans() | _json,
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
            [(_, frame)] = server_frames(codec.message(Message(message.payload)))
            json.loads(frame)  # whatever was taken can be passed on
    assert code in (None, 1007 if is_text else 1003)
    assert reason.encode(), "it can be written down"
