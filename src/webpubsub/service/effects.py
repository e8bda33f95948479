"""What a core asks its shell to do. Effects are values; the shell performs them in order."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from webpubsub.model.events import UserEventRequest
from webpubsub.service.connection import Connection
from webpubsub.service.messages import RaiseEvent

__all__ = ["Close", "Deliver", "Effect", "Effects", "Raise"]


class Deliver(msgspec.Struct, frozen=True):
    """Write the same frame to every receiver.

    The receivers may be a live view of a group: perform the effect before the hub changes again.
    """

    frame: bytes
    receivers: Collection[Connection]


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


class Raise(msgspec.Struct, frozen=True):
    """Ask the event handler, then complete the client's request with its answer."""

    request: UserEventRequest
    message: RaiseEvent


Effect = Deliver | Close | Raise
Effects = list[Effect]
