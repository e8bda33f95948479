"""What clients of the JSON subprotocols write: text -> request.

JSON payloads pass through as their source text, so numbers and key order survive.

Source: client spec, sections 3.1 and 3.3.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from webpubsub.model.errors import InvalidData, InvalidName, ProtocolError
from webpubsub.model.metadata import NO_METADATA, Metadata, check_metadata
from webpubsub.model.names import parse_event_name, parse_group_name
from webpubsub.model.payload import EMPTY_TEXT, MALFORMED_JSON, Payload, WebPubSubDataType
from webpubsub.model.send_actions import MAX_TTL_SECONDS
from webpubsub.service.protocols.messages import (
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)

UInt64 = Annotated[int, msgspec.Meta(ge=0)]
TtlSeconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_TTL_SECONDS)]
_MAX_UINT64: Final = 2**64 - 1
_ABSENT: Final = msgspec.Raw()


# Clients name few groups again and again.
_group_name: Final = lru_cache(1024)(parse_group_name)


class _JoinGroup(msgspec.Struct, tag_field="type", tag="joinGroup", rename="camel"):
    group: str
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        return JoinGroup(_group_name(self.group), _ack_id(self.ack_id))


class _LeaveGroup(msgspec.Struct, tag_field="type", tag="leaveGroup", rename="camel"):
    group: str
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        return LeaveGroup(_group_name(self.group), _ack_id(self.ack_id))


class _SendToGroup(msgspec.Struct, tag_field="type", tag="sendToGroup", rename="camel"):
    group: str
    data: msgspec.Raw = _ABSENT
    data_type: str | None = None
    no_echo: bool = False
    ack_id: UInt64 | None = None
    ttl_seconds: TtlSeconds | None = None
    metadata: msgspec.Raw = _ABSENT
    stream: msgspec.Raw = _ABSENT

    def parsed(self) -> ClientMessage:
        if self.stream is not _ABSENT and bytes(self.stream) != b"null":
            raise InvalidData("'stream' is not served")
        metadata = NO_METADATA if self.metadata is _ABSENT else _metadata(self.metadata)
        return SendToGroup(
            _group_name(self.group),
            _payload(self.data, self.data_type, metadata),
            self.no_echo,
            _ack_id(self.ack_id),
            self.ttl_seconds or 0,
            metadata,
        )


class _Event(msgspec.Struct, tag_field="type", tag="event", rename="camel"):
    event: str
    data: msgspec.Raw = _ABSENT
    data_type: str | None = None
    ack_id: UInt64 | None = None
    metadata: msgspec.Raw = _ABSENT

    def parsed(self) -> ClientMessage:
        metadata = NO_METADATA if self.metadata is _ABSENT else _metadata(self.metadata)
        payload, ack_id = _payload(self.data, self.data_type, metadata), _ack_id(self.ack_id)
        return RaiseEvent(parse_event_name(self.event), payload, ack_id, metadata)


class _Ping(msgspec.Struct, tag_field="type", tag="ping"):
    def parsed(self) -> ClientMessage:
        return Ping()


class _SequenceAck(msgspec.Struct, tag_field="type", tag="sequenceAck", rename="camel"):
    sequence_id: UInt64

    def parsed(self) -> ClientMessage:
        return SequenceAck(_uint64(self.sequence_id, "sequenceId"))


class _Type(msgspec.Struct):
    type: str


_NAMES: Final = {
    name.lower(): name for name in ("joinGroup", "leaveGroup", "sendToGroup", "event", "ping", "sequenceAck")
}
# Asked for by newer clients, not served here: said by name, as "unknown" would send people looking.
_UNSERVED: Final = {
    "streamdata",
    "streamend",
    "invoke",
    "cancelinvocation",
    "setgroupstate",
    "subscribegroupstate",
    "unsubscribegroupstate",
}

_Wire = _JoinGroup | _LeaveGroup | _SendToGroup | _Event | _Ping | _SequenceAck
_decoder: msgspec.json.Decoder[_Wire] = msgspec.json.Decoder(_Wire)
_type_decoder = msgspec.json.Decoder(_Type)
_string_decoder = msgspec.json.Decoder(str)
_metadata_decoder = msgspec.json.Decoder(dict[str, str])
_NOT_VALID: Final = (*MALFORMED_JSON, InvalidName, InvalidData)


def parse_json_request(body: bytes) -> ClientMessage:
    """Read one message of a client.

    Raises:
        ProtocolError: It is not one of the subprotocol's (1007).

    Example:
        >>> parse_json_request(b'{"type":"joinGroup","group":"g","ackId":1}')
        JoinGroup(group='g', ack_id=1)
    """
    try:
        return _decoder.decode(body).parsed()
    except _NOT_VALID as error:
        return _parse_in_any_case(body, error)


def _parse_in_any_case(body: bytes, error: Exception) -> ClientMessage:
    """Read a message whose ``type`` is not in its usual spelling, or say what is wrong with it.

    Types are compared without case, but hardly any client makes use of that; so the usual spelling is
    tried first, at a fifth of the cost.
    """
    try:
        found = _type_decoder.decode(body).type
        name = _NAMES.get(found.lower())
        if name is None:
            served = "is not served" if found.lower() in _UNSERVED else "is unknown"
            raise ProtocolError(1007, f"the message type {found!r} {served}")
        if name != found:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            return _decoder.decode(msgspec.json.encode({**members, "type": name})).parsed()
    except _NOT_VALID as second:
        raise ProtocolError(1007, _not_valid(second)) from second
    raise ProtocolError(1007, _not_valid(error)) from error


def _not_valid(error: Exception) -> str:
    return f"The client message is not a valid JSON protocol message: {error}"


def _ack_id(value: int | None) -> int | None:
    return None if value is None else _uint64(value, "ackId")


def _uint64(value: int, name: str) -> int:
    if value > _MAX_UINT64:
        raise ProtocolError(1007, f"{name} is larger than {_MAX_UINT64}")
    return value


def _metadata(member: msgspec.Raw) -> Metadata:
    text = bytes(member)
    if text == b"null":
        return NO_METADATA
    found = _metadata_decoder.decode(text)
    if json.loads(text, object_pairs_hook=len) != len(found):
        raise InvalidData("a name of the metadata is given more than once")
    check_metadata(found)
    return found


def _payload(data: msgspec.Raw, data_type: str | None, metadata: Metadata) -> Payload:
    if data is _ABSENT:
        if metadata:
            return EMPTY_TEXT
        raise InvalidData("it has neither data nor metadata")
    raw = bytes(data)
    kind = _JSON if data_type is None else _DATA_TYPES.get(data_type) or _data_type(data_type)
    if kind is _JSON:
        if raw == b"null":
            raise InvalidData("its data is null")
        return Payload(raw, kind)
    text = _string_decoder.decode(raw)
    if kind is _TEXT:
        return Payload(text.encode(), kind)
    payload = Payload(_from_base64(text, kind), kind)
    payload.check()
    return payload


def _from_base64(text: str, kind: WebPubSubDataType) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidData(f"its {kind} data is not base64: {error}") from error


# As nearly all clients write them; the class itself knows other spellings, at ten times the cost.
_JSON, _TEXT = WebPubSubDataType.JSON, WebPubSubDataType.TEXT
_DATA_TYPES: Final = {kind.value: kind for kind in WebPubSubDataType}


def _data_type(name: str) -> WebPubSubDataType:
    try:
        return WebPubSubDataType(name)
    except ValueError:
        raise InvalidData(f"its dataType {name!r} is not json, text, binary or protobuf") from None
