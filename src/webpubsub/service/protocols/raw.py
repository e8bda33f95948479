"""Simple clients: no subprotocol, every frame is the user event ``message``.

They get payloads only: no acks, no system messages, no names of groups or senders.

Source: client spec, section 2.
"""

from __future__ import annotations

from webpubsub.model.names import ConnectionId, EventName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.frames import binary_frame, text_frame
from webpubsub.service.messages import AckError, Message, RaiseEvent

__all__ = ["RawCodec"]

_EVENT = EventName("message")


class RawCodec:
    """The codec of clients without a subprotocol, or with one only their app knows."""

    closes_on_failed_event = True

    def decode(self, is_text: bool, body: bytes) -> RaiseEvent:
        """Read a frame as the event ``message``: text as text, binary as binary."""
        kind = WebPubSubDataType.TEXT if is_text else WebPubSubDataType.BINARY
        return RaiseEvent(_EVENT, Payload(body, kind))

    def message(self, message: Message) -> bytes:
        """Return the payload alone: text and JSON as a text frame, binary as a binary frame."""
        payload = message.payload
        if payload.data_type is WebPubSubDataType.BINARY:
            return binary_frame(payload.body)
        return text_frame(payload.body)

    def connected(self, connection_id: ConnectionId, user_id: UserId | None) -> None:
        """Return None: simple clients get no system messages."""

    def disconnected(self, message: str) -> None:
        """Return None: simple clients get no system messages."""

    def ack(self, ack_id: int, error: AckError | None) -> None:
        """Return None: simple clients have no acks."""

    def pong(self) -> None:
        """Return None: simple clients have WebSocket pings only."""
