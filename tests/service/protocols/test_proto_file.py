"""Message classes from ``webpubsub.proto``: client spec, section 5.1."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from typing import Any, Final

import pytest
from google.protobuf import any_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from webpubsub.service import protobuf_messages
from webpubsub.service.protocols.proto_file import message_class


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
    if newer is not None:
        return bool(newer)
    label: int = field.label  # type: ignore[attr-defined]  # of protobuf before 6
    return label == FieldDescriptor.LABEL_REPEATED


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


# A second reading of the file, of as much of the language as it uses: what protoc has made is held to it.
PACKAGE: Final = "azure.webpubsub"
MAP: Final = "map<string, string>"

SCALARS: Final = {"bool", "bytes", "int64", "string", "uint32", "uint64"}

COMMENT: Final = re.compile(r"//.*")
MESSAGE: Final = re.compile(r"^message (\w+) \{(?:\}|(.*?)^\})", re.MULTILINE | re.DOTALL)
ONEOF: Final = re.compile(r"oneof (\w+) \{(.*?)\}", re.DOTALL)
FIELD: Final = re.compile(r"(?:(optional|repeated) )?(map<string, string>|[\w.]+) (\w+) = (\d+);")


def parse_proto(text: str) -> FileDescriptorProto:
    """Read a proto3 file of messages with fields, oneofs and maps of strings, without nested messages."""
    file = FileDescriptorProto(name="webpubsub.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append("google/protobuf/any.proto")
    for name, body in MESSAGE.findall(COMMENT.sub("", text)):
        add_members(file.message_type.add(name=name), body)
    return file


def add_members(message: DescriptorProto, body: str) -> None:
    for oneof, members in ONEOF.findall(body):
        message.oneof_decl.add(name=oneof)
        for member in FIELD.findall(members):
            add_field(message, *member).oneof_index = len(message.oneof_decl) - 1
    for member in FIELD.findall(ONEOF.sub("", body)):
        field = add_field(message, *member)
        if member[0] == "optional":  # which is a oneof of one member, by name and in fact
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


def add_field(
    message: DescriptorProto, label: str, kind: str, name: str, number: str
) -> FieldDescriptorProto:
    field = message.field.add(name=name, number=int(number))
    is_many = label == "repeated" or kind == MAP
    field.label = field.Label.Value("LABEL_REPEATED" if is_many else "LABEL_OPTIONAL")
    if kind in SCALARS:
        field.type = field.Type.Value(f"TYPE_{kind.upper()}")
        return field
    field.type = field.Type.Value("TYPE_MESSAGE")
    if kind == MAP:
        kind = f"{message.name}.{add_map_entry(message, name)}"
    field.type_name = f".{kind}" if kind.startswith("google.") else f".{PACKAGE}.{kind}"
    return field


def add_map_entry(message: DescriptorProto, name: str) -> str:
    """Add the message that a map is a list of, and return its name."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    add_field(entry, "", "string", "key", "1")
    add_field(entry, "", "string", "value", "2")
    return entry.name


def test_comments_and_layout_do_not_matter() -> None:
    file = parse_proto(
        'syntax = "proto3";\n'
        "// message Not { string a = 1; }\n"
        "message Empty {}\n"
        "message One {\n  string a = 1; // of two\n  repeated bytes b_c = 12;\n}\n"
    )
    assert [message.name for message in file.message_type] == ["Empty", "One"]
    assert [(field.name, field.number) for field in file.message_type[1].field] == [("a", 1), ("b_c", 12)]


def test_the_compiled_descriptors_are_those_of_the_file() -> None:
    folder = resources.files("webpubsub.service.protocols")
    (compiled,) = FileDescriptorSet.FromString(folder.joinpath("webpubsub.binpb").read_bytes()).file
    for message in compiled.message_type:
        forget_json_names(message)
    expected = parse_proto(folder.joinpath("webpubsub.proto").read_text("utf-8"))
    assert compiled == expected, "run scripts/protobuf"


def forget_json_names(message: DescriptorProto) -> None:
    """What protoc works out of the names of fields."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        forget_json_names(nested)


def test_the_public_names_are_the_messages_of_either_direction() -> None:
    assert protobuf_messages.__all__ == ["DownstreamMessage", "UpstreamMessage"]
    for name in protobuf_messages.__all__:
        assert getattr(protobuf_messages, name) is message_class(name)


def test_the_default_pool_is_left_alone() -> None:
    message_class("UpstreamMessage")
    pool = any_pb2.DESCRIPTOR.pool
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("azure.webpubsub.UpstreamMessage")


def test_protobuf_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, webpubsub.service.service; sys.exit('google.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
