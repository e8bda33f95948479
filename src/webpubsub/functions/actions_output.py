"""The output object: what a function tells the service to do.

Source: extension spec, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

import azure.functions

from webpubsub.functions.host_json.action_json import decode_actions
from webpubsub.model.actions import (
    Action,
    AddConnectionsToGroupsAction,
    AddConnectionToGroupAction,
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    CloseClientConnectionAction,
    CloseGroupConnectionsAction,
    CloseUserConnectionsAction,
    GrantPermissionAction,
    RemoveConnectionFromAllGroupsAction,
    RemoveConnectionFromGroupAction,
    RemoveConnectionsFromGroupsAction,
    RemoveUserFromAllGroupsAction,
    RemoveUserFromGroupAction,
    RevokePermissionAction,
    SendToAllAction,
    SendToConnectionAction,
    SendToGroupAction,
    SendToUserAction,
    WebPubSubPermission,
)
from webpubsub.model.payload import Data, WebPubSubDataType
from webpubsub.model.send_actions import SendOptions

DataType = WebPubSubDataType | str | None


class Actions(azure.functions.Out[Any]):
    """The actions of one function call, performed in order after it has returned.

    What it is told is checked at once; nothing is performed when the function raises. It stands alone, so
    a unit test makes one, passes it, and compares `items`.

    Every method raises `UsageError` (`InvalidName`, `InvalidData`) for what can never be performed.

    The extension on Azure does not know filters, ``message_ttl_seconds`` and ``metadata``, and so ignores
    them; nor `close_user_connections`, `remove_connection_from_all_groups`, `add_connections_to_groups` and
    `remove_connections_from_groups`, which it refuses.

    Attributes:
        told: The actions so far, as the host reads them; `items` is a copy.

    Example:
        >>> actions = Actions()
        >>> actions.add_user_to_group("alice", "lobby")
        >>> actions.items
        (AddUserToGroupAction(user_id='alice', group='lobby'),)
    """

    def __init__(self) -> None:
        self.told: list[Action] = []

    @property
    def items(self) -> tuple[Action, ...]:
        """The actions so far."""
        return tuple(self.told)

    def add(self, *actions: Action | Mapping[str, Any]) -> None:
        """Add actions, as values or as dicts in the extension's form."""
        self.told += decode_actions(actions)

    def set(self, val: Any) -> None:
        """Replace all actions: one action, a list, or the extension's JSON as text or dicts."""
        self.told = decode_actions(val)

    def get(self) -> tuple[Action, ...]:
        """Return `items`; together with `set`, what makes this an ``azure.functions.Out``."""
        return self.items

    def send_to_all(
        self,
        data: Data,
        data_type: DataType = None,
        *,
        excluded: Iterable[str] = (),
        filter: str | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message to every connection of the hub that ``filter`` selects but ``excluded``."""
        self.told.append(SendToAllAction(data, data_type, excluded, filter, **options))

    def send_to_group(
        self,
        group: str,
        data: Data,
        data_type: DataType = None,
        *,
        excluded: Iterable[str] = (),
        filter: str | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message to every connection of a group that ``filter`` selects but ``excluded``."""
        self.told.append(SendToGroupAction(group, data, data_type, excluded, filter, **options))

    def send_to_user(
        self,
        user_id: str,
        data: Data,
        data_type: DataType = None,
        *,
        filter: str | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message to every connection of a user that ``filter`` selects."""
        self.told.append(SendToUserAction(user_id, data, data_type, filter, **options))

    def send_to_connection(
        self, connection_id: str, data: Data, data_type: DataType = None, **options: Unpack[SendOptions]
    ) -> None:
        """Send a message to one connection."""
        self.told.append(SendToConnectionAction(connection_id, data, data_type, **options))

    def add_user_to_group(self, user_id: str, group: str) -> None:
        """Put every connection of a user into a group."""
        self.told.append(AddUserToGroupAction(user_id, group))

    def remove_user_from_group(self, user_id: str, group: str) -> None:
        """Take every connection of a user out of a group."""
        self.told.append(RemoveUserFromGroupAction(user_id, group))

    def remove_user_from_all_groups(self, user_id: str) -> None:
        """Take every connection of a user out of all its groups."""
        self.told.append(RemoveUserFromAllGroupsAction(user_id))

    def add_connection_to_group(self, connection_id: str, group: str) -> None:
        """Put one connection into a group."""
        self.told.append(AddConnectionToGroupAction(connection_id, group))

    def remove_connection_from_group(self, connection_id: str, group: str) -> None:
        """Take one connection out of a group."""
        self.told.append(RemoveConnectionFromGroupAction(connection_id, group))

    def remove_connection_from_all_groups(self, connection_id: str) -> None:
        """Take one connection out of all its groups."""
        self.told.append(RemoveConnectionFromAllGroupsAction(connection_id))

    def add_connections_to_groups(self, groups: Iterable[str], filter: str | None = None) -> None:
        """Put every connection that ``filter`` selects into all of ``groups``."""
        self.told.append(AddConnectionsToGroupsAction(groups, filter))

    def remove_connections_from_groups(self, groups: Iterable[str], filter: str | None = None) -> None:
        """Take every connection that ``filter`` selects out of all of ``groups``."""
        self.told.append(RemoveConnectionsFromGroupsAction(groups, filter))

    def close_all_connections(self, *, excluded: Iterable[str] = (), reason: str | None = None) -> None:
        """Close every connection of the hub but ``excluded``; clients with a subprotocol are told why."""
        self.told.append(CloseAllConnectionsAction(excluded, reason))

    def close_client_connection(self, connection_id: str, reason: str | None = None) -> None:
        """Close one connection."""
        self.told.append(CloseClientConnectionAction(connection_id, reason))

    def close_group_connections(
        self, group: str, *, excluded: Iterable[str] = (), reason: str | None = None
    ) -> None:
        """Close every connection of a group but ``excluded``."""
        self.told.append(CloseGroupConnectionsAction(group, excluded, reason))

    def close_user_connections(
        self, user_id: str, *, excluded: Iterable[str] = (), reason: str | None = None
    ) -> None:
        """Close every connection of a user but ``excluded``."""
        self.told.append(CloseUserConnectionsAction(user_id, excluded, reason))

    def grant_permission(
        self, connection_id: str, permission: WebPubSubPermission | str, target_name: str
    ) -> None:
        """Let one connection join and leave, or send to, the group ``target_name``."""
        self.told.append(GrantPermissionAction(connection_id, permission, target_name))

    def revoke_permission(
        self, connection_id: str, permission: WebPubSubPermission | str, target_name: str
    ) -> None:
        """Forbid one connection to join and leave, or send to, the group ``target_name``."""
        self.told.append(RevokePermissionAction(connection_id, permission, target_name))

    def __repr__(self) -> str:
        return f"Actions({self.told!r})"
