"""Actions: what a function asks the service to do; and questions, which change nothing.

One immutable value an action. The same values are what an output binding yields, what REST requests
parse into, what the hub performs, what the trace shows and what tests compare.

The actions that send a message stand in `send_actions`. Questions, and tokens for clients, are the other
requests of the REST API.

Source: extension spec, section 8; member names are the extension's in snake_case. Questions: service spec,
sections A.4, A.6 and B.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from webpubsub.model.access.connection_string import ClientProtocol
from webpubsub.model.errors import InvalidName
from webpubsub.model.names import (
    parse_connection_id,
    parse_group_name,
    parse_user_id,
)
from webpubsub.model.send_actions import (
    Action,
    SendAction,
    SendToAllAction,
    SendToConnectionAction,
    SendToGroupAction,
    SendToUserAction,
    filter_text,
    set_fields,
    texts_of,
)

__all__ = [
    "ACTIONS",
    "Action",
    "AddConnectionToGroupAction",
    "AddConnectionsToGroupsAction",
    "AddUserToGroupAction",
    "CloseAllConnectionsAction",
    "CloseClientConnectionAction",
    "CloseGroupConnectionsAction",
    "CloseUserConnectionsAction",
    "GrantPermissionAction",
    "RemoveConnectionFromAllGroupsAction",
    "RemoveConnectionFromGroupAction",
    "RemoveConnectionsFromGroupsAction",
    "RemoveUserFromAllGroupsAction",
    "RemoveUserFromGroupAction",
    "RevokePermissionAction",
    "SendAction",
    "SendToAllAction",
    "SendToConnectionAction",
    "SendToGroupAction",
    "SendToUserAction",
    "WebPubSubPermission",
    "parse_permission",
]


class WebPubSubPermission(StrEnum):
    """What a client of a subprotocol may do to a group.

    Source: data-plane REST API, permissions.
    """

    SEND_TO_GROUP = "sendToGroup"
    JOIN_LEAVE_GROUP = "joinLeaveGroup"

    @classmethod
    def _missing_(cls, value: object) -> WebPubSubPermission | None:
        """Accept any case, and the extension's numbers 1 and 2."""
        by_number = {1: cls.SEND_TO_GROUP, 2: cls.JOIN_LEAVE_GROUP}
        if isinstance(value, int):
            return by_number.get(value)
        if isinstance(value, str):
            if value in {"1", "2"}:
                return by_number[int(value)]
            return next((member for member in cls if member.lower() == value.lower()), None)
        return None


class _UserGroupAction(Action, frozen=True):
    user_id: str
    group: str

    def __post_init__(self) -> None:
        parse_user_id(self.user_id)
        parse_group_name(self.group)


class AddUserToGroupAction(_UserGroupAction, frozen=True):
    """Put every connection of a user into a group.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "addUserToGroup"


class RemoveUserFromGroupAction(_UserGroupAction, frozen=True):
    """Take every connection of a user out of a group.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "removeUserFromGroup"


class RemoveUserFromAllGroupsAction(Action, frozen=True):
    """Take every connection of a user out of all its groups.

    Raises:
        InvalidName: ``user_id`` is blank.
    """

    action_name = "removeUserFromAllGroups"
    user_id: str

    def __post_init__(self) -> None:
        parse_user_id(self.user_id)


class _ConnectionGroupAction(Action, frozen=True):
    connection_id: str
    group: str

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)
        parse_group_name(self.group)


class AddConnectionToGroupAction(_ConnectionGroupAction, frozen=True):
    """Put one connection into a group.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "addConnectionToGroup"


class RemoveConnectionFromGroupAction(_ConnectionGroupAction, frozen=True):
    """Take one connection out of a group.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "removeConnectionFromGroup"


class RemoveConnectionFromAllGroupsAction(Action, frozen=True):
    """Take one connection out of all its groups.

    Raises:
        InvalidName: ``connection_id`` is blank.
    """

    action_name = "removeConnectionFromAllGroups"
    connection_id: str

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)


class _BulkGroupAction(Action, frozen=True):
    groups: Iterable[str]
    filter: str | None = None

    def __post_init__(self) -> None:
        groups = texts_of("groups", self.groups)
        if not groups:
            raise InvalidName("groups", [], "at least one group name")
        for group in groups:
            parse_group_name(group)
        set_fields(self, groups=groups, filter=filter_text(self.filter))


class AddConnectionsToGroupsAction(_BulkGroupAction, frozen=True):
    """Put every connection that ``filter`` selects into all of ``groups``; without one, all of the hub.

    Raises:
        InvalidName: There is no group, or one is outside its rules.

    Example:
        >>> AddConnectionsToGroupsAction(["vip"], filter="startswith(userId, 'gold-')").groups
        ('vip',)
    """

    action_name = "addConnectionsToGroups"


class RemoveConnectionsFromGroupsAction(_BulkGroupAction, frozen=True):
    """Take every connection that ``filter`` selects out of all of ``groups``; without one, all of the hub.

    Raises:
        InvalidName: There is no group, or one is outside its rules.
    """

    action_name = "removeConnectionsFromGroups"


class CloseAllConnectionsAction(Action, frozen=True):
    """Close every connection of the hub, except ``excluded``; clients with a subprotocol are told why."""

    action_name = "closeAllConnections"
    excluded: Iterable[str] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        set_fields(self, excluded=texts_of("excluded", self.excluded))


class CloseClientConnectionAction(Action, frozen=True):
    """Close one connection.

    Raises:
        InvalidName: ``connection_id`` is blank.
    """

    action_name = "closeClientConnection"
    connection_id: str
    reason: str | None = None

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)


class CloseGroupConnectionsAction(Action, frozen=True):
    """Close every connection of a group, except ``excluded``.

    Raises:
        InvalidName: ``group`` is not a group name.
    """

    action_name = "closeGroupConnections"
    group: str
    excluded: Iterable[str] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        parse_group_name(self.group)
        set_fields(self, excluded=texts_of("excluded", self.excluded))


class CloseUserConnectionsAction(Action, frozen=True):
    """Close every connection of a user, except ``excluded``.

    Raises:
        InvalidName: ``user_id`` is blank.
    """

    action_name = "closeUserConnections"
    user_id: str
    excluded: Iterable[str] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        parse_user_id(self.user_id)
        set_fields(self, excluded=texts_of("excluded", self.excluded))


class _PermissionAction(Action, frozen=True):
    connection_id: str
    permission: WebPubSubPermission | str
    target_name: str

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)
        parse_group_name(self.target_name)
        set_fields(self, permission=parse_permission(self.permission))


class GrantPermissionAction(_PermissionAction, frozen=True):
    """Let one connection join and leave, or send to, the group ``target_name``.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "grantPermission"


class RevokePermissionAction(_PermissionAction, frozen=True):
    """Forbid one connection to join and leave, or send to, the group ``target_name``.

    Raises:
        InvalidName: A name is outside its rules.
    """

    action_name = "revokePermission"


# By the extension's names; looked up in lower case, as it compares without case.
ACTIONS: Final[dict[str, type[Action]]] = {
    action.action_name: action
    for action in (
        SendToAllAction,
        SendToGroupAction,
        SendToUserAction,
        SendToConnectionAction,
        AddUserToGroupAction,
        RemoveUserFromGroupAction,
        RemoveUserFromAllGroupsAction,
        AddConnectionToGroupAction,
        RemoveConnectionFromGroupAction,
        CloseAllConnectionsAction,
        CloseClientConnectionAction,
        CloseGroupConnectionsAction,
        GrantPermissionAction,
        RevokePermissionAction,
        # Not the extension's: the REST API has them, so our host performs them too.
        CloseUserConnectionsAction,
        RemoveConnectionFromAllGroupsAction,
        AddConnectionsToGroupsAction,
        RemoveConnectionsFromGroupsAction,
    )
}


def parse_permission(value: WebPubSubPermission | str) -> WebPubSubPermission:
    """Return the permission of any spelling of its name.

    Raises:
        InvalidName: ``value`` names no permission.
    """
    try:
        return WebPubSubPermission(value)
    except ValueError:
        raise InvalidName("permission", value, "'sendToGroup' or 'joinLeaveGroup'") from None


class ConnectionExists(msgspec.Struct, frozen=True):
    """Is there such a connection?"""

    connection_id: str


class GroupExists(msgspec.Struct, frozen=True):
    """Does the group have a connection?"""

    group: str


class UserExists(msgspec.Struct, frozen=True):
    """Does the user have a connection?"""

    user_id: str


class PermissionExists(msgspec.Struct, frozen=True):
    """May the connection do this to the group ``target_name``?"""

    connection_id: str
    permission: str
    target_name: str


class ListConnections(msgspec.Struct, frozen=True):
    """Which connections are in the group?

    Attributes:
        group: The group.
        maxpagesize: How many of them one answer has, 1 to 200; None is 200.
        top: How many of them all answers together have; None is all.
        continuation_token: Where the next page begins, as the page before said.
    """

    group: str
    maxpagesize: int | None = None
    top: int | None = None
    continuation_token: str | None = None


class GenerateClientToken(msgspec.Struct, frozen=True):
    """Make a client access token, valid for ``minutes_to_expire`` minutes."""

    user_id: str | None = None
    role: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    minutes_to_expire: int = 60
    client_type: ClientProtocol = ClientProtocol.DEFAULT
