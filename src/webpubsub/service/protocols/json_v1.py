"""``json.webpubsub.azure.v1``: one JSON object a text frame; and its reliable form, with numbered messages.

JSON payloads pass through as their source text, so numbers and key order survive; the members of
outgoing messages stand in the order in which Azure writes them.

Source: client spec, sections 3 and 4.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from webpubsub.model.errors import ProtocolError
from webpubsub.model.names import ConnectionId, UserId
from webpubsub.model.payload import WebPubSubDataType
from webpubsub.service.protocols.frames import SHORT_TEXT, text_frame, text_header
from webpubsub.service.protocols.json_requests import parse_json_request
from webpubsub.service.protocols.messages import AckError, ClientMessage, Message
from webpubsub.service.protocols.numbered import Numbered

_encode = msgspec.json.encode

_PONG: Final = text_frame(b'{"type":"pong"}')


class JsonCodec:
    """The codec of ``json.webpubsub.azure.v1``."""

    closes_on_failure = False
    is_reliable = False

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one message.

        Raises:
            ProtocolError: A binary frame (1003), or not a message of this subprotocol (1007).
        """
        if not is_text:
            raise ProtocolError(1003, "The JSON subprotocol requires text messages.")
        return parse_json_request(body)

    def message(self, message: Message) -> bytes | Numbered:
        return _framed(message_members(message) + b"}")

    def connected(
        self, connection_id: ConnectionId, user_id: UserId | None, reconnection_token: str | None = None
    ) -> bytes:
        found = {"type": "system", "event": "connected", "userId": user_id, "connectionId": connection_id}
        return _frame(
            found if reconnection_token is None else {**found, "reconnectionToken": reconnection_token}
        )

    def disconnected(self, message: str) -> bytes:
        return _frame({"type": "system", "event": "disconnected", "message": message})

    def ack(self, ack_id: int, error: AckError | None) -> bytes:
        if error is None:
            return _framed(b'{"type":"ack","ackId":%d,"success":true}' % ack_id)
        detail = {"name": error.name, "message": error.message}
        return _frame({"type": "ack", "ackId": ack_id, "success": False, "error": detail})

    def pong(self) -> bytes:
        return _PONG


def message_members(message: Message) -> bytes:
    """Return the object of a message without its closing brace, as reliable clients get one more member."""
    payload = message.payload
    data = _ENCODERS[payload.data_type](payload.body)
    if message.group is None:
        head = b'{"type":"message","from":"server"'
    else:
        head = b'{"type":"message","from":"group","group":' + _encode(message.group)
        if message.from_user_id is not None:
            head += b',"fromUserId":' + _encode(message.from_user_id)
    members = b'%b,"dataType":"%b","data":%b' % (head, payload.data_type.encode(), data)
    return members + b',"metadata":' + _encode(message.metadata) if message.metadata else members


def _frame(value: object) -> bytes:
    return _framed(_encode(value))


def _framed(body: bytes) -> bytes:
    size = len(body)
    return (SHORT_TEXT[size] if size < 126 else text_header(size)) + body


def _as_base64(body: bytes) -> bytes:
    return b'"%b"' % base64.b64encode(body)


_ENCODERS: Final[dict[WebPubSubDataType, Callable[[bytes], bytes]]] = {
    WebPubSubDataType.TEXT: lambda body: _encode(body.decode(errors="replace")),
    WebPubSubDataType.JSON: lambda body: body,
    WebPubSubDataType.BINARY: _as_base64,
    WebPubSubDataType.PROTOBUF: _as_base64,
}


class ReliableJsonCodec(JsonCodec):
    """The codec of ``json.reliable.webpubsub.azure.v1``."""

    is_reliable = True

    def message(self, message: Message) -> Numbered:
        """Return a message whose last member is ``sequenceId``."""
        body = message_members(message) + b',"sequenceId":'
        return Numbered(lambda size: text_header(len(body) + size) + body, _tail)


@lru_cache(16_384)  # of the connections of a group, many need the same
def _tail(sequence_id: int) -> bytes:
    return b"%d}" % sequence_id
