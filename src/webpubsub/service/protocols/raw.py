"""Simple clients: no subprotocol; every frame is the user event ``message``, or goes to one group.

They get payloads only: no acks, no system messages, no names of groups or senders, no metadata.

Source: client spec, sections 1.3 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from webpubsub.model.errors import InvalidName, PeerError
from webpubsub.model.names import ConnectionId, EventName, GroupName, UserId, parse_group_name
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.frames import binary_frame, text_frame
from webpubsub.service.protocols.messages import AckError, Message, RaiseEvent, SendToGroup

_EVENT = EventName("message")
_AS_TEXT: Final = {WebPubSubDataType.TEXT, WebPubSubDataType.JSON}


class RawCodec:
    """The codec of clients without a subprotocol, or with one only their app knows."""

    closes_on_failure = True
    is_reliable = False

    def decode(self, is_text: bool, body: bytes) -> RaiseEvent:
        """Read a frame as the event ``message``: text as text, binary as binary."""
        return RaiseEvent(_EVENT, _payload(is_text, body))

    def message(self, message: Message) -> bytes:
        """Return the payload alone: text and JSON as a text frame, binary and protobuf as a binary frame."""
        payload = message.payload
        return (text_frame if payload.data_type in _AS_TEXT else binary_frame)(payload.body)

    def connected(
        self, connection_id: ConnectionId, user_id: UserId | None, reconnection_token: str | None = None
    ) -> None:
        """Return None: simple clients get no system messages."""

    def disconnected(self, message: str) -> None:
        """Return None: simple clients get no system messages."""

    def ack(self, ack_id: int, error: AckError | None) -> None:
        """Return None: simple clients have no acks."""

    def pong(self) -> None:
        """Return None: simple clients have WebSocket pings only."""


class RawPublisher(msgspec.Struct, frozen=True):
    """Reads the frames of a simple client that publishes them all to one group.

    It needs the permission to send to the group but not to be in it.

    Attributes:
        group: Where its frames go.
        no_echo: Whether it is spared its own messages when it is in the group.
    """

    group: GroupName
    no_echo: bool = False

    def decode(self, is_text: bool, body: bytes) -> SendToGroup:
        """Read a frame as a message to the group: text as text, binary as binary."""
        return SendToGroup(self.group, _payload(is_text, body), self.no_echo)


def _payload(is_text: bool, body: bytes) -> Payload:
    return Payload(body, WebPubSubDataType.TEXT if is_text else WebPubSubDataType.BINARY)


def parse_mode(query: Mapping[str, Sequence[str]]) -> RawPublisher | None:
    """Read what a client wants its frames to be, should it turn out to be a simple one.

    Of a parameter given more than once the last counts.

    Args:
        query: ``webpubsub_mode`` is ``sendEvent`` (as without it) or ``sendToGroup`` in any case; ``group``
            and ``noEcho`` (``true`` or ``false``) count in the latter only.

    Returns:
        Who reads its frames instead of its codec, or None when they are events.

    Raises:
        PeerError: A parameter is outside its rules (400).
    """
    mode = query.get("webpubsub_mode", ("",))[-1]
    if mode.lower() in ("", "sendevent"):
        return None
    if mode.lower() != "sendtogroup":
        raise PeerError(f"webpubsub_mode is {mode!r}: expected 'sendEvent' or 'sendToGroup'")
    no_echo = query.get("noEcho", ("false",))[-1]
    if no_echo.lower() not in ("true", "false"):
        raise PeerError(f"noEcho is {no_echo!r}: expected 'true' or 'false'")
    try:
        group = parse_group_name(query.get("group", ("",))[-1])
    except InvalidName as error:
        raise PeerError(f"webpubsub_mode is 'sendToGroup', but {error}") from error
    return RawPublisher(group, no_echo.lower() == "true")
