"""Subprotocols: one codec a module, and the table of those the service knows.

Source: client spec, sections 1.4 and 2 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from webpubsub.model.errors import InvalidName
from webpubsub.model.names import ConnectionId, UserId
from webpubsub.service.protocols.json_v1 import JsonCodec, ReliableJsonCodec
from webpubsub.service.protocols.messages import AckError, ClientMessage, Message
from webpubsub.service.protocols.numbered import Numbered
from webpubsub.service.protocols.protobuf_v1 import ProtobufCodec, ReliableProtobufCodec
from webpubsub.service.protocols.raw import RawCodec


class Codec(Protocol):
    """Turns a client's frames into messages, and messages into its frames.

    Methods that return None have no such frame in their subprotocol.

    A *reliable* subprotocol numbers its messages for each connection, so that they can be acknowledged and
    sent again. Its `message` returns a `Numbered`: the frame encoded once, to which each receiver's
    sequence id is added when it is written. Everything else (system messages, acks, pongs) is ready bytes
    in every subprotocol.
    """

    is_reliable: bool
    """Whether messages are `Numbered`; the client then acknowledges them and may recover its connection."""

    closes_on_failure: bool
    """Whether a request that fails ends the connection (1011, or 1008 without permission), as in
    subprotocols without acks; else the client gets an ack, if asked."""

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one WebSocket message.

        Raises:
            ProtocolError: It is not one of the subprotocol's.
        """
        ...

    def message(self, message: Message) -> bytes | Numbered:
        """Return the frame of a message, a `Numbered` one in reliable subprotocols only."""
        ...

    def connected(
        self, connection_id: ConnectionId, user_id: UserId | None, reconnection_token: str | None = None
    ) -> bytes | None:
        """Return the first frame of a connection; the token is given in reliable subprotocols only."""
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


class ClientProtocol(Protocol):
    """Turns the bytes of one client's socket into what it says, in its order.

    One object a socket, so that bytes may be cut anywhere.
    """

    def receive(self, data: bytes) -> Sequence[ClientMessage]:
        """Return what ``data`` completes.

        Of what breaks the protocol a `Malformed` is made. That or a `Goodbye` is the last message there is:
        nothing that comes behind is looked at, in this call and later.
        """
        ...

    def ignore_messages(self) -> None:
        """Tell of no more requests, but still of a goodbye, and of what breaks the framing."""
        ...


RAW: Final[Codec] = RawCodec()
SUBPROTOCOLS: Final[dict[str, Codec]] = {
    "json.webpubsub.azure.v1": JsonCodec(),
    "json.reliable.webpubsub.azure.v1": ReliableJsonCodec(),
    "protobuf.webpubsub.azure.v1": ProtobufCodec(),
    "protobuf.reliable.webpubsub.azure.v1": ReliableProtobufCodec(),
}

# As nearly all clients write them; one text for all.
_KNOWN: Final = {name: (name, codec) for name, codec in SUBPROTOCOLS.items()}
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
        known = _KNOWN.get(name)
        if known is not None:
            return known
        codec = SUBPROTOCOLS.get(name.lower())
        if codec is not None:
            return name, codec
    return None, RAW
