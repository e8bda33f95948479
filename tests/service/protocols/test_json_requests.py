"""What clients of the JSON subprotocols write: client spec, sections 3.1 and 3.3, text by text."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import EventName, GroupName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.json_requests import parse_json_request
from webpubsub.service.protocols.messages import (
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)

MAX = 18446744073709551615
# Of azure.webpubsub.TestMessage{value=1}, as Microsoft's documentation has it.
ANY_BASE64 = "Ci90eXBlLmdvb2dsZWFwaXMuY29tL2F6dXJlLndlYnB1YnN1Yi5UZXN0TWVzc2FnZRICCAE="
ANY = b"\x0a\x2ftype.googleapis.com/azure.webpubsub.TestMessage\x12\x02\x08\x01"


def as_json(body: str) -> Payload:
    return Payload(body.encode(), WebPubSubDataType.JSON)


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
    (
        '{"type":"sendToGroup","group":"g","dataType":"protobuf","data":"' + ANY_BASE64 + '"}',
        SendToGroup(GroupName("g"), Payload(ANY, WebPubSubDataType.PROTOBUF)),
    ),
    (
        '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":300}',
        SendToGroup(GroupName("g"), as_json("1"), ttl_seconds=300),
    ),
    ('{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":0}', SendToGroup(GroupName("g"), as_json("1"))),
    (
        '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":null,"metadata":null,"stream":null}',
        SendToGroup(GroupName("g"), as_json("1")),
    ),
    (
        '{"type":"sendToGroup","group":"g","data":1,"metadata":{"Trace":"1","trace":""}}',
        SendToGroup(GroupName("g"), as_json("1"), metadata={"Trace": "1", "trace": ""}),
    ),
    # With metadata there may be no data: that is an empty text.
    (
        '{"type":"sendToGroup","group":"g","metadata":{"a":"b"}}',
        SendToGroup(GroupName("g"), Payload.of(""), metadata={"a": "b"}),
    ),
    (
        '{"type":"event","event":"e","dataType":"binary","metadata":{"a":"b"},"ackId":1}',
        RaiseEvent(EventName("e"), Payload.of(""), 1, {"a": "b"}),
    ),
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
    assert parse_json_request(body.encode()) == message


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
    '{"type":"sendToGroup","group":"g","dataType":"protobuf","data":"x"}',
    '{"type":"sendToGroup","group":"g","dataType":"protobuf","data":"AQID"}',  # base64, but no Any
    '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":301}',
    '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":-1}',
    '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":1.5}',
    '{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":"1"}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":[]}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":"a"}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a":1}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a":null}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a":"1","a":"2"}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"":"1"}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a b":"1"}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a":"é"}}',
    '{"type":"sendToGroup","group":"g","data":1,"metadata":{"a":"' + "v" * 1025 + '"}}',
    '{"type":"sendToGroup","group":"g","metadata":{}}',
    '{"type":"sendToGroup","group":"g","data":null,"metadata":{"a":"b"}}',
    '{"type":"sendToGroup","group":"g","stream":{"streamId":"s"}}',
    '{"type":"sendToGroup","group":"g","data":1,"stream":{"streamId":"s"}}',
    '{"type":"event","event":"e","data":1,"metadata":{"a":1}}',
    '{"type":"sequenceAck"}',
    '{"type":"sequenceAck","sequenceId":null}',
    '{"type":"sequenceAck","sequenceId":-1}',
    '{"type":"sequenceAck","sequenceId":18446744073709551616}',
]


@pytest.mark.feature("messages that are not served")
@pytest.mark.parametrize("body", INVALID, ids=lambda body: body[:60])
def test_what_is_not_a_message_closes_with_1007(body: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_json_request(body.encode())
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("kind", ["ping", "sendToGroup", "EVENT"])
def test_json_nested_beyond_all_measure_closes_with_1007(kind: str) -> None:
    depth = 100_000
    body = f'{{"type":"{kind}","group":"g","event":"e","data":{"[" * depth + "]" * depth}}}'
    with pytest.raises(ProtocolError) as caught:
        parse_json_request(body.encode())
    assert caught.value.close_code == 1007


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
        ('{"type":"sendToGroup","group":"g","stream":{"streamId":"s"}}', "'stream' is not served"),
        ('{"type":"sendToGroup","group":"g"}', "it has neither data nor metadata"),
        ('{"type":"sendToGroup","group":"g","data":null}', "its data is null"),
        ('{"type":"event","event":"e","dataType":"binary","data":"x"}', "its binary data is not base64"),
        (
            '{"type":"event","event":"e","data":1,"metadata":{"a":"1","a":"2"}}',
            "a name of the metadata is given more than once",
        ),
        (
            '{"type":"event","event":"e","data":1,"metadata":{"a b":"1"}}',
            "the metadata name 'a b' is not 1 to 256 letters",
        ),
        (
            '{"type":"sendToGroup","group":"g","dataType":"xml","data":1}',
            "dataType 'xml' is not json, text, binary or protobuf",
        ),
    ],
)
def test_errors_say_what_was_wrong(body: str, words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_json_request(body.encode())
    assert words in str(caught.value)
