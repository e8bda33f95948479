"""Message classes from ``webpubsub.proto``: client spec, section 5.1."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from google.protobuf import any_pb2
from google.protobuf.descriptor import FieldDescriptor

from webpubsub.service.protocols.proto_file import message_class, parse_proto


def members(name: str) -> dict[int, str]:
    return {field.number: described(field) for field in message_class(name).DESCRIPTOR.fields}


def described(field: FieldDescriptor) -> str:
    kind = next(name for name in vars(FieldDescriptor) if is_type(field, name)).removeprefix("TYPE_").lower()
    if field.message_type is not None:
        is_map = field.message_type.GetOptions().map_entry
        kind = "map" if is_map else field.message_type.name
    many = "repeated " if is_repeated(field) and kind != "map" else ""
    return f"{'optional ' if is_optional(field) else many}{kind} {field.name}"


def is_type(field: FieldDescriptor, name: str) -> bool:
    return name.startswith("TYPE_") and getattr(FieldDescriptor, name) == field.type


def is_optional(field: FieldDescriptor) -> bool:
    oneof = field.containing_oneof
    return oneof is not None and oneof.name == f"_{field.name}"


def is_repeated(field: FieldDescriptor) -> bool:
    newer = getattr(field, "is_repeated", None)
    return bool(newer) if newer is not None else field.label == FieldDescriptor.LABEL_REPEATED


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "UpstreamMessage",
            {
                1: "SendToGroupMessage send_to_group_message",
                5: "EventMessage event_message",
                6: "JoinGroupMessage join_group_message",
                7: "LeaveGroupMessage leave_group_message",
                8: "SequenceAckMessage sequence_ack_message",
                9: "PingMessage ping_message",
                13: "StreamDataMessage stream_data_message",
                14: "StreamEndMessage stream_end_message",
                15: "SetGroupStateMessage set_group_state_message",
                16: "SubscribeGroupStateMessage subscribe_group_state_message",
                17: "UnsubscribeGroupStateMessage unsubscribe_group_state_message",
            },
        ),
        (
            "SendToGroupMessage",
            {
                1: "string group",
                2: "optional uint64 ack_id",
                3: "MessageData data",
                4: "optional bool no_echo",
                5: "optional uint32 ttl_seconds",
                6: "map metadata",
                7: "StreamStartInfo stream",
            },
        ),
        (
            "MessageData",
            {1: "string text_data", 2: "bytes binary_data", 3: "Any protobuf_data", 4: "string json_data"},
        ),
        (
            "DataMessage",
            {
                1: "string from",
                2: "optional string group",
                3: "MessageData data",
                4: "optional uint64 sequence_id",
                5: "map metadata",
                6: "StreamInfo stream",
            },
        ),
        ("PingMessage", {}),
        ("DisconnectedMessage", {2: "string reason"}),
        (
            "GroupStateMessage",
            {1: "string group", 2: "repeated GroupStateItem items", 3: "optional uint64 sequence_id"},
        ),
        (
            "GroupStateItem",
            {
                1: "string connection_id",
                2: "optional string user_id",
                3: "optional GroupState state",
                4: "int64 updated_at",
            },
        ),
    ],
)
def test_the_fields_of_the_specification(name: str, fields: dict[int, str]) -> None:
    assert members(name) == fields


def test_every_message_of_the_file_is_read() -> None:
    names = set(message_class("UpstreamMessage").DESCRIPTOR.file.message_types_by_name)
    assert len(names) == 31
    assert {"UpstreamMessage", "DownstreamMessage", "PingMessage", "PongMessage", "GroupState"} <= names


def test_a_oneof_holds_one_member() -> None:
    data: Any = message_class("MessageData")(text_data="a")
    data.json_data = "1"
    assert data.WhichOneof("data") == "json_data"


def test_comments_and_layout_do_not_matter() -> None:
    file = parse_proto(
        'syntax = "proto3";\n'
        "// message Not { string a = 1; }\n"
        "message Empty {}\n"
        "message One {\n  string a = 1; // of two\n  repeated bytes b_c = 12;\n}\n"
    )
    assert [message.name for message in file.message_type] == ["Empty", "One"]
    assert [(field.name, field.number) for field in file.message_type[1].field] == [("a", 1), ("b_c", 12)]


def test_the_default_pool_is_left_alone() -> None:
    message_class("UpstreamMessage")
    pool = any_pb2.DESCRIPTOR.pool
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("azure.webpubsub.UpstreamMessage")


def test_protobuf_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, webpubsub.service.service; sys.exit('google.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
