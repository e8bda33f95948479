"""A client's connection as the hub knows it, and sets of connections that get the same message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.model.states import NO_STATES, ConnectionStates
from webpubsub.service.hub.outbox import Held, Unacked
from webpubsub.service.hub.permissions import Permissions
from webpubsub.service.protocols import Codec

if TYPE_CHECKING:
    from webpubsub.service.protocols import Codec
    from webpubsub.service.protocols.messages import ClientMessage

REMEMBERED_ACKS: Final = 1000


class Transport(Protocol):
    """The bytes' way to a client, given by the shell; the core only hands it on."""

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them."""
        ...

    def get_write_buffer_size(self) -> int:
        """How many bytes wait because the client does not read."""
        ...

    def abort(self) -> None:
        """Drop the client without a word."""
        ...


class AckCache:
    """The ack ids of a connection's last successful requests.

    One set for all kinds of request. Failed ones are not remembered, so they may be tried again under
    the same id.

    Attributes:
        ids: They.

    Source: client spec, section 3.4.
    """

    __slots__ = ("_order", "ids")

    def __init__(self) -> None:
        self.ids: set[int] = _NO_IDS  # made on first use: most clients never ask for acks
        self._order: deque[int] = _NO_ORDER

    def add(self, ack_id: int) -> None:
        """Remember a success; beyond 1,000 the oldest is forgotten."""
        if ack_id in self.ids:
            return
        if self.ids is _NO_IDS:
            self.ids, self._order = set(), deque()
        elif len(self._order) >= REMEMBERED_ACKS:
            # The first key of a dict instead would be looked for behind all that were taken out.
            self.ids.discard(self._order.popleft())
        self.ids.add(ack_id)
        self._order.append(ack_id)


_NO_IDS: Final[set[int]] = set()
_NO_ORDER: Final[deque[int]] = deque()


class Connection:
    """One client of a hub.

    Attributes:
        id: Opaque; 32 hex digits.
        hub: The hub it is in.
        user_id: Its user, or None when anonymous.
        codec: Turns messages into its frames, and its frames into messages.
        decode: What reads its frames: its codec's, or that of a simple client that publishes to a group.
        subprotocol: What was negotiated, in the client's spelling, or None.
        permissions: What it may do to groups.
        groups: The groups it is in.
        states: Those set by event handlers.
        acks: Its successful ack ids.
        events: How many events it has raised; the next event's id.
        frames: What waits for the end of this loop turn, see `delivery`: bytes, and messages to be numbered
            when the connection is reliable.
        held: What waits because the client does not read or is away; None while it reads.
        unacked: The messages to be sent again if need be; None unless the connection is reliable.
        transport: Where frames go; None before the upgrade, while the client is away, and after the end.
    """

    __slots__ = (
        "acks",
        "codec",
        "decode",
        "events",
        "frames",
        "groups",
        "held",
        "hub",
        "id",
        "permissions",
        "states",
        "subprotocol",
        "transport",
        "unacked",
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
        decode: Callable[[bool, bytes], ClientMessage] | None = None,
    ) -> None:
        self.id = connection_id
        self.hub = hub
        self.user_id = user_id
        self.codec = codec
        self.decode = codec.decode if decode is None else decode
        self.subprotocol = subprotocol
        self.permissions = Permissions(roles)
        self.groups: set[GroupName] = set()
        self.states = NO_STATES if state is None else ConnectionStates(state)
        self.acks = AckCache()
        self.events = 1  # connect was event 0
        self.frames: list[Any] = []
        self.held: Held | None = None
        self.unacked = Unacked() if codec.is_reliable else None
        self.transport: Transport | None = None

    def next_event_id(self) -> int:
        """Return the id of the event that is raised now."""
        self.events += 1
        return self.events - 1

    def __repr__(self) -> str:
        return f"Connection({self.id!r}, hub={self.hub!r}, user_id={self.user_id!r})"


class Audience:
    """The connections of a hub, a group or a user, sorted by codec.

    A message is encoded once for each codec among the receivers, so they are kept apart from the start;
    sending then never looks at a single receiver.
    """

    __slots__ = ("by_codec",)

    def __init__(self) -> None:
        self.by_codec: dict[Codec, dict[ConnectionId, Connection]] = {}

    def add(self, connection: Connection) -> None:
        """Add a connection; adding it twice changes nothing."""
        members = self.by_codec.get(connection.codec)
        if members is None:
            members = self.by_codec[connection.codec] = {}
        members[connection.id] = connection

    def discard(self, connection: Connection) -> None:
        members = self.by_codec.get(connection.codec)
        if members is not None and members.pop(connection.id, None) is not None and not members:
            del self.by_codec[connection.codec]

    def receivers(
        self, excluded: Collection[str] = (), matches: Callable[[Connection], bool] | None = None
    ) -> list[tuple[Codec, Collection[Connection]]]:
        """Return each codec with its connections that match, except those whose ids are ``excluded``."""
        receivers: list[tuple[Codec, Collection[Connection]]] = []
        for codec, members in self.by_codec.items():
            if matches is not None:
                found = [
                    member for name, member in members.items() if name not in excluded and matches(member)
                ]
                if found:
                    receivers.append((codec, found))
            elif excluded and any(name in members for name in excluded):
                others = members.copy()  # a thirtieth of what a look at every member costs
                for name in excluded:
                    others.pop(ConnectionId(name), None)
                receivers.append((codec, others.values()))
            else:
                receivers.append((codec, members.values()))
        return receivers

    def __iter__(self) -> Iterator[Connection]:
        for members in self.by_codec.values():
            yield from members.values()

    def __bool__(self) -> bool:
        return bool(self.by_codec)

    def __len__(self) -> int:
        return sum(map(len, self.by_codec.values()))
