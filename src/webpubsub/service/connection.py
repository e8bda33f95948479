"""A client's connection, as the hub knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.service.permissions import Permissions

if TYPE_CHECKING:
    from webpubsub.service.protocols import Codec

__all__ = ["AckCache", "Connection", "Transport"]

REMEMBERED_ACKS: Final = 1000


class Transport(Protocol):
    """The bytes' way to a client, given by the shell; the core only hands it on."""

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them."""
        ...

    def get_write_buffer_size(self) -> int:
        """How many bytes wait because the client does not read."""
        ...


class AckCache:
    """The ack ids of a connection's last successful requests.

    One set for all kinds of request. Failed ones are not remembered, so they may be tried again under
    the same id.

    Source: client spec, section 3.4.
    """

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        """Start with no id."""
        self._ids: dict[int, None] | None = None  # made on first use: most clients never ask for acks

    def __contains__(self, ack_id: int) -> bool:
        return self._ids is not None and ack_id in self._ids

    def add(self, ack_id: int) -> None:
        """Remember a success; beyond 1,000 the oldest is forgotten."""
        if self._ids is None:
            self._ids = {}
        elif len(self._ids) >= REMEMBERED_ACKS:
            del self._ids[next(iter(self._ids))]
        self._ids[ack_id] = None


class Connection:
    """One client of a hub.

    Attributes:
        id: Opaque; 32 hex digits.
        hub: The hub it is in.
        user_id: Its user, or None when anonymous.
        codec: Turns its frames into messages and back.
        subprotocol: What was negotiated, in the client's spelling, or None.
        permissions: What it may do to groups.
        groups: The groups it is in.
        state: The opaque state string set by event handlers, or None.
        acks: Its successful ack ids.
        events: How many events it has raised; the next event's id.
        frames: Frames waiting for the end of this loop turn; see `delivery`.
        transport: Where frames go; None before the upgrade and after the end.
    """

    __slots__ = (
        "acks",
        "codec",
        "events",
        "frames",
        "groups",
        "hub",
        "id",
        "permissions",
        "state",
        "subprotocol",
        "transport",
        "user_id",
    )

    def __init__(
        self,
        connection_id: ConnectionId,
        hub: HubName,
        *,
        codec: Codec,
        user_id: UserId | None = None,
        subprotocol: str | None = None,
        roles: Iterable[str] = (),
        state: str | None = None,
    ) -> None:
        self.id = connection_id
        self.hub = hub
        self.user_id = user_id
        self.codec = codec
        self.subprotocol = subprotocol
        self.permissions = Permissions(roles)
        self.groups: set[GroupName] = set()
        self.state = state
        self.acks = AckCache()
        self.events = 1  # connect was event 0
        self.frames: list[bytes] = []
        self.transport: Transport | None = None

    def next_event_id(self) -> int:
        """Return the id of the event that is raised now."""
        event_id = self.events
        self.events += 1
        return event_id

    def __repr__(self) -> str:
        return f"Connection({self.id!r}, hub={self.hub!r}, user_id={self.user_id!r})"
