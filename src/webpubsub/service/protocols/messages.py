"""What clients ask for and what they are sent, whatever their subprotocol.

A subprotocol's codec turns frames into these values and these values into frames. What WebSocket itself lets
a client say is among them, so that everything a client says stands in one order.

Source: client spec, section 3.
"""

from __future__ import annotations

import msgspec

from webpubsub.model.metadata import NO_METADATA, Metadata
from webpubsub.model.names import EventName, GroupName, UserId
from webpubsub.model.payload import Payload


class JoinGroup(msgspec.Struct, frozen=True):
    """The client wants to join a group."""

    group: GroupName
    ack_id: int | None = None


class LeaveGroup(msgspec.Struct, frozen=True):
    """The client wants to leave a group."""

    group: GroupName
    ack_id: int | None = None


class SendToGroup(msgspec.Struct, frozen=True):
    """The client publishes to a group; with ``no_echo`` it does not get its own message.

    ``ttl_seconds`` and ``metadata`` are those of the `Message`.
    """

    group: GroupName
    payload: Payload
    no_echo: bool = False
    ack_id: int | None = None
    ttl_seconds: int = 0
    metadata: Metadata = NO_METADATA


class RaiseEvent(msgspec.Struct, frozen=True):
    """The client raises a user event."""

    event: EventName
    payload: Payload
    ack_id: int | None = None
    metadata: Metadata = NO_METADATA


class Ping(msgspec.Struct, frozen=True):
    """The client asks for a pong in its subprotocol."""


class SequenceAck(msgspec.Struct, frozen=True):
    """The client confirms messages; only reliable subprotocols number them."""

    sequence_id: int


class PingFrame(msgspec.Struct, frozen=True):
    """The client asks for a pong in WebSocket's own frames, with the same body."""

    body: bytes


class Goodbye(msgspec.Struct, frozen=True):
    """The client closes; the code is None when it gave none. Nothing of it counts that comes behind."""

    code: int | None
    reason: str


class Malformed(msgspec.Struct, frozen=True):
    """What came is no message, so nothing of the client counts that comes behind.

    Attributes:
        code: The close code to end with.
        reason: What is wrong, for the client and for the trace.
    """

    code: int
    reason: str


ClientMessage = (
    JoinGroup | LeaveGroup | SendToGroup | RaiseEvent | Ping | SequenceAck | PingFrame | Goodbye | Malformed
)


class Message(msgspec.Struct, frozen=True):
    """A message to clients.

    Attributes:
        payload: What it carries.
        group: The group it was sent to, or None when it comes from the server.
        from_user_id: The user that published it, or None.
        ttl_seconds: It is dropped for those who have not taken it by then: clients that do not read, and
            clients whose connection waits to be recovered; 0 never drops it.
        metadata: Names and values beside the payload; raw clients do not see them.
    """

    payload: Payload
    group: GroupName | None = None
    from_user_id: UserId | None = None
    ttl_seconds: int = 0
    metadata: Metadata = NO_METADATA


class AckError(msgspec.Struct, frozen=True):
    """Why a request failed; ``name`` is what client libraries look at."""

    name: str
    message: str
