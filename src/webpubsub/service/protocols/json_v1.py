"""``json.webpubsub.azure.v1``: one JSON object a text frame.

JSON payloads pass through as their source text, so numbers and key order survive; the members of
outgoing messages stand in the order in which Azure writes them.

Source: client spec, section 3.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from webpubsub.model.errors import InvalidName, ProtocolError
from webpubsub.model.names import (
    ConnectionId,
    UserId,
    parse_event_name,
    parse_group_name,
)
from webpubsub.model.payload import MALFORMED_JSON, Payload, WebPubSubDataType
from webpubsub.service.frames import text_frame
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

__all__ = ["JsonCodec"]

UInt64 = Annotated[int, msgspec.Meta(ge=0)]
_MAX_UINT64: Final = 2**64 - 1


class _JoinGroup(msgspec.Struct, tag_field="type", tag="joinGroup", rename="camel"):
    group: str
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        return JoinGroup(parse_group_name(self.group), _ack_id(self.ack_id))


class _LeaveGroup(msgspec.Struct, tag_field="type", tag="leaveGroup", rename="camel"):
    group: str
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        return LeaveGroup(parse_group_name(self.group), _ack_id(self.ack_id))


class _SendToGroup(msgspec.Struct, tag_field="type", tag="sendToGroup", rename="camel"):
    group: str
    data: msgspec.Raw
    data_type: str | None = None
    no_echo: bool = False
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        payload = _payload(self.data, self.data_type)
        return SendToGroup(parse_group_name(self.group), payload, self.no_echo, _ack_id(self.ack_id))


class _Event(msgspec.Struct, tag_field="type", tag="event", rename="camel"):
    event: str
    data: msgspec.Raw
    data_type: str | None = None
    ack_id: UInt64 | None = None

    def parsed(self) -> ClientMessage:
        payload = _payload(self.data, self.data_type)
        return RaiseEvent(parse_event_name(self.event), payload, _ack_id(self.ack_id))


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
_encode = msgspec.json.encode

_PONG: Final = text_frame(b'{"type":"pong"}')


class JsonCodec:
    """The codec of ``json.webpubsub.azure.v1``."""

    closes_on_failed_event = False

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one message.

        Raises:
            ProtocolError: A binary frame (1003), or not a message of this subprotocol (1007).
        """
        if not is_text:
            raise ProtocolError(1003, "The JSON subprotocol requires text messages.")
        try:
            return _decoder.decode(body).parsed()
        except (*MALFORMED_JSON, InvalidName) as error:
            return _decode_in_any_case(body, error)

    def message(self, message: Message) -> bytes:
        """Return a message from a group or from the server."""
        payload = message.payload
        data = _ENCODERS[payload.data_type](payload.body)
        if message.group is None:
            head = b'{"type":"message","from":"server"'
        else:
            head = b'{"type":"message","from":"group","group":' + _encode(message.group)
            if message.from_user_id is not None:
                head += b',"fromUserId":' + _encode(message.from_user_id)
        return text_frame(b'%b,"dataType":"%b","data":%b}' % (head, payload.data_type.encode(), data))

    def connected(self, connection_id: ConnectionId, user_id: UserId | None) -> bytes:
        """Return the first frame: who and which connection the client is."""
        return _frame(
            {"type": "system", "event": "connected", "userId": user_id, "connectionId": connection_id}
        )

    def disconnected(self, message: str) -> bytes:
        """Return the frame before a close by the server."""
        return _frame({"type": "system", "event": "disconnected", "message": message})

    def ack(self, ack_id: int, error: AckError | None) -> bytes:
        """Return the ack of a request."""
        if error is None:
            return text_frame(b'{"type":"ack","ackId":%d,"success":true}' % ack_id)
        detail = {"name": error.name, "message": error.message}
        return _frame({"type": "ack", "ackId": ack_id, "success": False, "error": detail})

    def pong(self) -> bytes:
        """Return the answer to a ping."""
        return _PONG


def _frame(value: object) -> bytes:
    return text_frame(_encode(value))


def _decode_in_any_case(body: bytes, error: Exception) -> ClientMessage:
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
            return _decoder.decode(_encode({**members, "type": name})).parsed()
    except (*MALFORMED_JSON, InvalidName) as second:
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


def _payload(data: msgspec.Raw, data_type: str | None) -> Payload:
    raw = bytes(data)
    kind = WebPubSubDataType.JSON if data_type is None else _data_type(data_type)
    if kind is WebPubSubDataType.JSON:
        if raw == b"null":
            raise ProtocolError(1007, "the message's data is null")
        return Payload(raw, kind)
    text = _string_decoder.decode(raw)
    if kind is WebPubSubDataType.TEXT:
        return Payload(text.encode(), kind)
    try:
        return Payload(base64.b64decode(text, validate=True), kind)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(1007, f"the message's binary data is not base64: {error}") from error


def _data_type(name: str) -> WebPubSubDataType:
    try:
        return WebPubSubDataType(name)
    except ValueError:
        raise ProtocolError(1007, f"the message's dataType {name!r} is not json, text or binary") from None


_ENCODERS: Final[dict[WebPubSubDataType, Callable[[bytes], bytes]]] = {
    WebPubSubDataType.TEXT: lambda body: _encode(body.decode(errors="replace")),
    WebPubSubDataType.JSON: lambda body: body,
    WebPubSubDataType.BINARY: lambda body: b'"%b"' % base64.b64encode(body),
}
