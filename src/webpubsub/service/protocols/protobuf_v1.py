"""``protobuf.webpubsub.azure.v1``: one protobuf message a binary frame; and its reliable form.

What clients get is written field by field: a message to many is mostly bytes that are there already. The
numbers are those of ``webpubsub.proto``; as in all of proto3, an empty text and a 0 are not written.

Source: client spec, sections 4 and 5.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import ConnectionId, UserId
from webpubsub.model.payload import WebPubSubDataType
from webpubsub.model.protobuf import bytes_field, bytes_head, varint_field
from webpubsub.service.protocols.frames import binary_frame, binary_header
from webpubsub.service.protocols.messages import AckError, ClientMessage, Message
from webpubsub.service.protocols.numbered import Numbered
from webpubsub.service.protocols.protobuf_requests import parse_protobuf_request

# Fields of DownstreamMessage.
_ACK: Final = 1
DATA_MESSAGE: Final = 2
_SYSTEM: Final = 3
_PONG: Final = 4
# Fields of SystemMessage.
_CONNECTED: Final = 1
_DISCONNECTED: Final = 2

# Fields of MessageData.
_DATA: Final[dict[WebPubSubDataType, int]] = {
    WebPubSubDataType.TEXT: 1,
    WebPubSubDataType.BINARY: 2,
    WebPubSubDataType.PROTOBUF: 3,
    WebPubSubDataType.JSON: 4,
}
_FROM_SERVER: Final = bytes_field(1, b"server")
_FROM_GROUP: Final = bytes_field(1, b"group")

_SEQUENCE_ID = 4


class ProtobufCodec:
    """The codec of ``protobuf.webpubsub.azure.v1``."""

    closes_on_failure = False
    is_reliable = False

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one message.

        Raises:
            ProtocolError: A text frame (1003), or not a message of this subprotocol (1007).
        """
        if is_text:
            raise ProtocolError(1003, "The protobuf subprotocol requires binary messages.")
        return parse_protobuf_request(body)

    def message(self, message: Message) -> bytes | Numbered:
        return binary_frame(bytes_field(DATA_MESSAGE, data_members(message)))

    def connected(
        self, connection_id: ConnectionId, user_id: UserId | None, reconnection_token: str | None = None
    ) -> bytes:
        members = _text(1, connection_id) + _text(2, user_id) + _text(3, reconnection_token)
        return binary_frame(bytes_field(_SYSTEM, bytes_field(_CONNECTED, members)))

    def disconnected(self, message: str) -> bytes:
        return binary_frame(bytes_field(_SYSTEM, bytes_field(_DISCONNECTED, _text(2, message))))

    def ack(self, ack_id: int, error: AckError | None) -> bytes:
        members = varint_field(1, ack_id) if ack_id else b""
        if error is None:
            members += varint_field(2, True)
        else:
            members += bytes_field(3, _text(1, error.name) + _text(2, error.message))
        return binary_frame(bytes_field(_ACK, members))

    def pong(self) -> bytes:
        return binary_frame(bytes_field(_PONG, b""))


def data_members(message: Message) -> bytes:
    """Return the fields of a DataMessage but for its sequence id, which reliable clients get."""
    if message.group is None:
        members = _FROM_SERVER
    else:
        members = _FROM_GROUP + bytes_field(2, message.group.encode())
    payload = message.payload
    members += bytes_field(3, bytes_field(_DATA[payload.data_type], payload.body))
    for name, value in message.metadata.items():
        members += bytes_field(5, bytes_field(1, name.encode()) + bytes_field(2, value.encode()))
    return members


def _text(number: int, text: str | None) -> bytes:
    return bytes_field(number, text.encode()) if text else b""


class ReliableProtobufCodec(ProtobufCodec):
    """The codec of ``protobuf.reliable.webpubsub.azure.v1``."""

    is_reliable = True

    def message(self, message: Message) -> Numbered:
        """Return a message whose last field is ``sequence_id``."""
        members = data_members(message)

        def lead(size: int) -> bytes:
            body = bytes_head(DATA_MESSAGE, len(members) + size) + members
            return binary_header(len(body) + size) + body

        return Numbered(lead, _tail)


@lru_cache(16_384)  # of the connections of a group, many need the same
def _tail(sequence_id: int) -> bytes:
    return varint_field(_SEQUENCE_ID, sequence_id)
