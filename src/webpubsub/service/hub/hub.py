"""A hub: its connections, users and groups, and what the actions of the REST API do to them.

Everything here is immediate and without I/O. Performing an action changes the hub's own books and
returns `Effects` for the shell: frames to write and connections to close.

Source: service spec, sections A.4 and A.7.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from webpubsub.model import actions, rest
from webpubsub.model.errors import RestError
from webpubsub.model.metadata import NO_METADATA
from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.service.filters import Filter, parse_filter
from webpubsub.service.hub.connection import PLAIN_MEMBER, Connection, Membership
from webpubsub.service.hub.effects import Close, Deliver, Effects
from webpubsub.service.protocols import Codec
from webpubsub.service.protocols.messages import Message

CLOSED_BY_APP: Final = "Application server closed the connection."


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


class Hub:
    """One hub.

    Attributes:
        name: Its canonical name.
        connections: Connections by id.
        everybody: All of them as receivers.
        groups: Groups with at least one connection.
        users: Users with at least one connection.

    Args:
        name: Its canonical name.
        on_presence: Is told which connection has joined (True) or left (False) which group.
    """

    def __init__(
        self, name: HubName, on_presence: Callable[[Connection, GroupName, bool], None] | None = None
    ) -> None:
        self.name = name
        self._on_presence = on_presence
        self.connections: dict[ConnectionId, Connection] = {}
        self.everybody = Audience()
        self.groups: dict[GroupName, Audience] = {}
        self.users: dict[UserId, Audience] = {}

    # --- membership -----------------------------------------------------------------------------------

    def add(self, connection: Connection, groups: Iterable[GroupName] = ()) -> None:
        """Take a connection in and let it join ``groups``, which needs no permission."""
        self.connections[connection.id] = connection
        self.everybody.add(connection)
        if connection.user_id is not None:
            self.users.setdefault(connection.user_id, Audience()).add(connection)
        for group in groups:
            self.join(connection, group)

    def remove(self, connection: Connection) -> bool:
        """Let a connection go; whether it was here."""
        if self.connections.pop(connection.id, None) is None:
            return False
        self.everybody.discard(connection)
        if connection.user_id is not None:
            _leave(self.users, connection.user_id, connection)
        for group in list(connection.groups):
            self.leave(connection, group)
        return True

    def join(self, connection: Connection, group: GroupName, membership: Membership = PLAIN_MEMBER) -> None:
        """Put a connection into a group; who is in it already only gets the new options."""
        is_new = group not in connection.groups
        connection.groups[group] = membership
        if not is_new:
            return
        members = self.groups.get(group)
        if members is None:
            members = self.groups[group] = Audience()
        members.add(connection)
        if self._on_presence is not None:
            self._on_presence(connection, group, True)

    def leave(self, connection: Connection, group: GroupName) -> None:
        """Take a connection out of a group if it is in it."""
        if group not in connection.groups:
            return
        del connection.groups[group]
        _leave(self.groups, group, connection)
        if self._on_presence is not None:
            self._on_presence(connection, group, False)

    # --- messages -------------------------------------------------------------------------------------

    def publish(
        self,
        audience: Audience | None,
        message: Message,
        excluded: Collection[str] = (),
        chosen: Filter | None = None,
    ) -> Effects:
        """Send a message: clients, functions and REST all come by here.

        Args:
            audience: Everybody, a group or a user; None when there is no such.
            message: What to send; encoded once for each codec among the receivers.
            excluded: Ids of connections that do not get it.
            chosen: Selects who gets it, or None.
        """
        if audience is None:
            return []
        ttl = message.ttl_seconds
        effects: Effects = []
        for codec, receivers in audience.receivers(excluded, None if chosen is None else chosen.matches):
            effects.append(Deliver(codec.message(message), receivers, ttl))
        return effects

    # --- actions --------------------------------------------------------------------------------------

    def perform(self, value: Any) -> Effects:
        """Perform an action.

        Raises:
            RestError: The target does not exist and the API says so (404), a limit is reached (409), or a
                filter is none (400).
        """
        return _PERFORM[type(value)](self, value)

    def ask(self, question: Any) -> Any:
        """Answer a question of the REST API: with a value, None for yes, or with what can be awaited for it.

        Raises:
            RestError: No (404).
        """
        return _ANSWER[type(question)](self, question)

    def _send_to_all(self, action: actions.SendToAllAction) -> Effects:
        chosen = _chosen(action.filter)
        audience = self.everybody if chosen is None else self._candidates(chosen)
        return self.publish(audience, _message(action), frozenset(action.excluded), chosen)

    def _send_to_group(self, action: actions.SendToGroupAction) -> Effects:
        group = GroupName(action.group)
        excluded, chosen = frozenset(action.excluded), _chosen(action.filter)
        return self.publish(self.groups.get(group), _message(action, group), excluded, chosen)

    def _send_to_user(self, action: actions.SendToUserAction) -> Effects:
        chosen = _chosen(action.filter)
        return self.publish(self.users.get(UserId(action.user_id)), _message(action), (), chosen)

    def _send_to_connection(self, action: actions.SendToConnectionAction) -> Effects:
        connection = self.connections.get(ConnectionId(action.connection_id))
        if connection is None:
            return []  # sends are fire and forget
        message = _message(action)
        return [Deliver(connection.codec.message(message), (connection,), message.ttl_seconds)]

    def _add_user_to_group(self, action: actions.AddUserToGroupAction) -> Effects:
        for connection in self._of_user(action.user_id):
            self.join(connection, GroupName(action.group))
        if UserId(action.user_id) not in self.users:
            raise RestError(404, "Error.User.NotExisted", f"User `{action.user_id}` is not found.", "User")
        return []

    def _remove_user_from_group(self, action: actions.RemoveUserFromGroupAction) -> Effects:
        for connection in self._of_user(action.user_id):
            self.leave(connection, GroupName(action.group))
        return []

    def _remove_user_from_all_groups(self, action: actions.RemoveUserFromAllGroupsAction) -> Effects:
        for connection in self._of_user(action.user_id):
            for group in list(connection.groups):
                self.leave(connection, group)
        return []

    def _add_connection_to_group(self, action: actions.AddConnectionToGroupAction) -> Effects:
        connection = self._existing(action.connection_id, "Error.Connection.NotExisted")
        self.join(connection, GroupName(action.group))
        return []

    def _remove_connection_from_group(self, action: actions.RemoveConnectionFromGroupAction) -> Effects:
        connection = self.connections.get(ConnectionId(action.connection_id))
        if connection is not None:
            self.leave(connection, GroupName(action.group))
        return []

    def _remove_connection_from_all_groups(
        self, action: actions.RemoveConnectionFromAllGroupsAction
    ) -> Effects:
        connection = self.connections.get(ConnectionId(action.connection_id))
        if connection is not None:
            for group in list(connection.groups):
                self.leave(connection, group)
        return []

    def _add_connections_to_groups(self, action: actions.AddConnectionsToGroupsAction) -> Effects:
        for connection in self._selected(action.filter):
            for group in action.groups:
                self.join(connection, GroupName(group))
        return []

    def _remove_connections_from_groups(self, action: actions.RemoveConnectionsFromGroupsAction) -> Effects:
        for connection in self._selected(action.filter):
            for group in action.groups:
                self.leave(connection, GroupName(group))
        return []

    def _close_all(self, action: actions.CloseAllConnectionsAction) -> Effects:
        return _closings(self.everybody, action.reason, action.excluded)

    def _close_group(self, action: actions.CloseGroupConnectionsAction) -> Effects:
        return _closings(self.groups.get(GroupName(action.group), ()), action.reason, action.excluded)

    def _close_client(self, action: actions.CloseClientConnectionAction) -> Effects:
        connection = self.connections.get(ConnectionId(action.connection_id))
        return [] if connection is None else _closings((connection,), action.reason)

    def _close_user(self, action: actions.CloseUserConnectionsAction) -> Effects:
        return _closings(self._of_user(action.user_id), action.reason, action.excluded)

    def _grant(self, action: actions.GrantPermissionAction) -> Effects:
        connection = self._existing(action.connection_id, "Info.Connection.NotExisted")
        connection.permissions.grant(
            actions.WebPubSubPermission(action.permission), GroupName(action.target_name)
        )
        return []

    def _revoke(self, action: actions.RevokePermissionAction) -> Effects:
        connection = self.connections.get(ConnectionId(action.connection_id))
        if connection is not None:
            connection.permissions.revoke(
                actions.WebPubSubPermission(action.permission), GroupName(action.target_name)
            )
        return []

    # --- questions ------------------------------------------------------------------------------------

    def _connection_exists(self, question: rest.ConnectionExists) -> None:
        self._existing(question.connection_id, "Warning.Connection.NotExisted")

    def _list(self, question: rest.ListConnections) -> Collection[Connection]:
        return tuple(self.groups.get(GroupName(question.group), ()))

    def _group_exists(self, question: rest.GroupExists) -> None:
        if GroupName(question.group) not in self.groups:
            raise RestError(
                404, "Warning.Group.NotExisted", f"Group `{question.group}` is not found.", "Group"
            )

    def _user_exists(self, question: rest.UserExists) -> None:
        if UserId(question.user_id) not in self.users:
            raise RestError(
                404, "Warning.User.NotExisted", f"User `{question.user_id}` is not found.", "User"
            )

    def _permission_exists(self, question: rest.PermissionExists) -> None:
        connection = self._existing(question.connection_id, "Info.Connection.NotExisted")
        permission = actions.WebPubSubPermission(question.permission)
        if not connection.permissions.allow(permission, GroupName(question.target_name)):
            raise RestError(404, "Info.Connection.NotExisted", "The permission is not granted.", "Connection")

    def _selected(self, text: str | None) -> list[Connection]:
        """Return those a filter selects; what is done to them then no longer changes who they are."""
        chosen = _chosen(text)
        if chosen is None:
            return list(self.everybody)
        return [connection for connection in self._candidates(chosen) or () if chosen.matches(connection)]

    def _candidates(self, chosen: Filter) -> Audience | None:
        """Return an audience in which everybody is whom a filter can select."""
        if chosen.user_id is not None:
            return self.users.get(chosen.user_id)
        if chosen.group is not None:
            return self.groups.get(chosen.group)
        return self.everybody

    def _of_user(self, user_id: str) -> list[Connection]:
        return list(self.users.get(UserId(user_id), ()))

    def _existing(self, connection_id: str, code: str) -> Connection:
        connection = self.connections.get(ConnectionId(connection_id))
        if connection is None:
            raise RestError(404, code, f"Connection `{connection_id}` is not found.", "Connection")
        return connection


_PERFORM: Final[dict[type[Any], Callable[[Hub, Any], Effects]]] = {
    actions.SendToAllAction: Hub._send_to_all,
    actions.SendToGroupAction: Hub._send_to_group,
    actions.SendToUserAction: Hub._send_to_user,
    actions.SendToConnectionAction: Hub._send_to_connection,
    actions.AddUserToGroupAction: Hub._add_user_to_group,
    actions.RemoveUserFromGroupAction: Hub._remove_user_from_group,
    actions.RemoveUserFromAllGroupsAction: Hub._remove_user_from_all_groups,
    actions.AddConnectionToGroupAction: Hub._add_connection_to_group,
    actions.RemoveConnectionFromGroupAction: Hub._remove_connection_from_group,
    actions.RemoveConnectionFromAllGroupsAction: Hub._remove_connection_from_all_groups,
    actions.AddConnectionsToGroupsAction: Hub._add_connections_to_groups,
    actions.RemoveConnectionsFromGroupsAction: Hub._remove_connections_from_groups,
    actions.CloseAllConnectionsAction: Hub._close_all,
    actions.CloseClientConnectionAction: Hub._close_client,
    actions.CloseGroupConnectionsAction: Hub._close_group,
    actions.CloseUserConnectionsAction: Hub._close_user,
    actions.GrantPermissionAction: Hub._grant,
    actions.RevokePermissionAction: Hub._revoke,
}
_ANSWER: Final[dict[type[Any], Callable[[Hub, Any], Any]]] = {
    rest.ConnectionExists: Hub._connection_exists,
    rest.GroupExists: Hub._group_exists,
    rest.UserExists: Hub._user_exists,
    rest.PermissionExists: Hub._permission_exists,
    rest.ListConnections: Hub._list,
}


def _message(action: actions.SendAction, group: GroupName | None = None) -> Message:
    return Message(
        action.payload,
        group,
        ttl_seconds=action.message_ttl_seconds or 0,
        metadata=action.metadata or NO_METADATA,
    )


def _chosen(text: str | None) -> Filter | None:
    return None if text is None else parse_filter(text)


def _closings(connections: Iterable[Connection], reason: str | None, excluded: Iterable[str] = ()) -> Effects:
    """Close with 1000 and no text: a reason may not fit into a close frame, so the message carries it."""
    text = f"{CLOSED_BY_APP} Reason: {reason}" if reason else CLOSED_BY_APP
    spared = set(excluded)
    return [Close(connection, 1000, text) for connection in connections if connection.id not in spared]


def _leave(audiences: dict[Any, Audience], name: str, connection: Connection) -> None:
    audience = audiences.get(name)
    if audience is None:
        return
    audience.discard(connection)
    if not audience:
        del audiences[name]
