"""Subprotocols: one codec a module, and the table of those the service knows.

Source: client spec, sections 1.4, 2 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from webpubsub.model.errors import InvalidName
from webpubsub.model.names import ConnectionId, UserId
from webpubsub.service.messages import AckError, ClientMessage, Message
from webpubsub.service.protocols.json_v1 import JsonCodec
from webpubsub.service.protocols.raw import RawCodec

__all__ = ["RAW", "SUBPROTOCOLS", "Codec", "choose_subprotocol"]


class Codec(Protocol):
    """Turns a client's frames into messages, and messages into its frames.

    Methods that return None have no such frame in their subprotocol.
    """

    closes_on_failed_event: bool
    """Whether a user event that fails ends the connection (1011); else the client gets an ack, if asked."""

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one WebSocket message.

        Raises:
            ProtocolError: It is not one of the subprotocol's.
        """
        ...

    def message(self, message: Message) -> bytes:
        """Return the frame of a message."""
        ...

    def connected(self, connection_id: ConnectionId, user_id: UserId | None) -> bytes | None:
        """Return the first frame of a connection."""
        ...

    def disconnected(self, message: str) -> bytes | None:
        """Return the frame that says why the server closes."""
        ...

    def ack(self, ack_id: int, error: AckError | None) -> bytes | None:
        """Return the frame that answers a request with an ack id."""
        ...

    def pong(self) -> bytes | None:
        """Return the frame that answers a ping of the subprotocol."""
        ...


RAW: Final[Codec] = RawCodec()
SUBPROTOCOLS: Final[dict[str, Codec]] = {"json.webpubsub.azure.v1": JsonCodec()}

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def choose_subprotocol(offered: Sequence[str], chosen: str | None) -> tuple[str | None, Codec]:
    """Return the subprotocol to answer with, in the client's spelling, and its codec.

    Args:
        offered: What the client offers, in its order.
        chosen: What the connect handler picked; None or empty: then the first one the service knows is
            taken. A name the service does not know makes a simple client of that name.

    Raises:
        InvalidName: ``chosen`` cannot stand in a header.
    """
    if chosen:
        if not _TOKEN.fullmatch(chosen):
            raise InvalidName("subprotocol", chosen, "an HTTP token")
        spelled = next((name for name in offered if name.lower() == chosen.lower()), chosen)
        return spelled, SUBPROTOCOLS.get(chosen.lower(), RAW)
    for name in offered:
        codec = SUBPROTOCOLS.get(name.lower())
        if codec is not None:
            return name, codec
    return None, RAW
