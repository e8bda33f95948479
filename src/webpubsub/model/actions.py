"""Actions: what a function asks the service to do.

One immutable value an action. The same values are what an output binding yields, what REST requests
parse into, what the hub performs, what the trace shows and what tests compare.

Source: extension spec, section 8; member names are the extension's in snake_case.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

from webpubsub.model.errors import InvalidName
from webpubsub.model.names import (
    parse_connection_id,
    parse_group_name,
    parse_user_id,
)
from webpubsub.model.payload import Data, Payload, WebPubSubDataType

__all__ = [
    "ACTIONS",
    "Action",
    "AddConnectionToGroupAction",
    "AddUserToGroupAction",
    "CloseAllConnectionsAction",
    "CloseClientConnectionAction",
    "CloseGroupConnectionsAction",
    "GrantPermissionAction",
    "RemoveConnectionFromGroupAction",
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


class Action(msgspec.Struct, frozen=True):
    """Base of all actions.

    Attributes:
        action_name: The extension's name of the action, e.g. ``sendToAll``.
    """

    action_name: ClassVar[str]


class SendAction(Action, frozen=True):
    """Base of the four actions that send a message.

    Their ``data`` is a Python value: ``str`` is sent as text, ``bytes`` as binary, any other value as its
    JSON; ``data_type`` overrides that. Read back, JSON is a `Payload`: its exact bytes.
    """

    def __post_init__(self) -> None:
        message = self._message
        payload = Payload.of(message.data, message.data_type)
        if payload.data_type is not WebPubSubDataType.JSON:
            _set(self, data=payload.value, data_type=payload.data_type)
            return
        if payload is message.data:
            payload.check()
        _set(self, data=payload, data_type=payload.data_type)

    @property
    def payload(self) -> Payload:
        """The exact bytes to send."""
        return Payload.of(self._message.data)

    @property
    def _message(self) -> SendToAllAction:
        # Each subclass declares `data` and `data_type` itself, after the target that comes first in its
        # constructor; this tells the type checker that they all have them.
        return self  # type: ignore[return-value]


class SendToAllAction(SendAction, frozen=True):
    """Send a message to every connection of the hub, except ``excluded``.

    Raises:
        InvalidData: ``data`` cannot be sent as ``data_type``.

    Example:
        >>> SendToAllAction("hi", excluded=["c1"]).payload.body
        b'hi'
    """

    action_name = "sendToAll"
    data: Data
    data_type: WebPubSubDataType | str | None = None
    excluded: Iterable[str] = ()

    def __post_init__(self) -> None:
        SendAction.__post_init__(self)
        _set_excluded(self)


class SendToGroupAction(SendAction, frozen=True):
    """Send a message to every connection of a group, except ``excluded``.

    Raises:
        InvalidName: ``group`` is not a group name.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToGroup"
    group: str
    data: Data
    data_type: WebPubSubDataType | str | None = None
    excluded: Iterable[str] = ()

    def __post_init__(self) -> None:
        parse_group_name(self.group)
        SendAction.__post_init__(self)
        _set_excluded(self)


class SendToUserAction(SendAction, frozen=True):
    """Send a message to every connection of a user.

    Raises:
        InvalidName: ``user_id`` is blank.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToUser"
    user_id: str
    data: Data
    data_type: WebPubSubDataType | str | None = None

    def __post_init__(self) -> None:
        parse_user_id(self.user_id)
        SendAction.__post_init__(self)


class SendToConnectionAction(SendAction, frozen=True):
    """Send a message to one connection.

    Raises:
        InvalidName: ``connection_id`` is blank.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToConnection"
    connection_id: str
    data: Data
    data_type: WebPubSubDataType | str | None = None

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)
        SendAction.__post_init__(self)


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


class CloseAllConnectionsAction(Action, frozen=True):
    """Close every connection of the hub, except ``excluded``; clients with a subprotocol are told why."""

    action_name = "closeAllConnections"
    excluded: Iterable[str] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        _set_excluded(self)


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
        _set_excluded(self)


class _PermissionAction(Action, frozen=True):
    connection_id: str
    permission: WebPubSubPermission | str
    target_name: str

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)
        parse_group_name(self.target_name)
        _set(self, permission=parse_permission(self.permission))


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


# The extension's names; looked up in lower case, as it compares without case.
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


def _set(action: Action, **values: Any) -> None:
    """Normalise fields of a frozen action while it is being made."""
    for name, value in values.items():
        msgspec.structs.force_setattr(action, name, value)


def _set_excluded(
    action: SendToAllAction | SendToGroupAction | CloseAllConnectionsAction | CloseGroupConnectionsAction,
) -> None:
    excluded: object = action.excluded
    if isinstance(excluded, str) or not isinstance(excluded, Iterable):
        raise InvalidName("excluded", excluded, "a list of connection ids")
    connection_ids = tuple(excluded)
    for connection_id in connection_ids:
        if not isinstance(connection_id, str):
            raise InvalidName("excluded", connection_id, "a connection id")
    _set(action, excluded=connection_ids)
