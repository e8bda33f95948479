"""What a core asks its shell to do. Effects are values; the shell performs them in order."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from webpubsub.model.events import UserEventRequest
from webpubsub.service.hub.connection import Connection
from webpubsub.service.protocols.messages import Goodbye, Malformed, RaiseEvent
from webpubsub.service.protocols.numbered import Numbered


class Deliver(msgspec.Struct, frozen=True):
    """Write the same frame to every receiver.

    The receivers may be a live view of a group: perform the effect before the hub changes again.

    Attributes:
        frame: Ready bytes, or a message that gets a sequence id for each receiver.
        receivers: Connections whose codec made the frame.
        ttl_seconds: Drop it for those who have not taken it by then; 0 never drops it.
    """

    frame: bytes | Numbered
    receivers: Collection[Connection]
    ttl_seconds: int = 0


class Close(msgspec.Struct, frozen=True):
    """Close a connection.

    Attributes:
        connection: Which.
        code: The close code.
        reason: For the ``disconnected`` event and the client's ``disconnected`` message.
        text: The close frame's reason.
    """

    connection: Connection
    code: int
    reason: str
    text: str = ""


class Part(msgspec.Struct, frozen=True):
    """Answer the goodbye of a client."""

    connection: Connection
    goodbye: Goodbye


class Fail(msgspec.Struct, frozen=True):
    """End the connection of a client that broke its protocol, and say how."""

    connection: Connection
    malformed: Malformed


class Raise(msgspec.Struct, frozen=True):
    """Ask the event handler, then complete the client's request with its answer."""

    request: UserEventRequest
    message: RaiseEvent


End = Close | Part | Fail
Effect = Deliver | End | Raise
Effects = list[Effect]
