"""What a client of a subprotocol may do to which group.

Roles give a permission for every group or for single groups; grants and revocations by REST override
them for one group each, and a role given again by REST is an override removed.

Source: client spec, section 8; service spec, sections A.7 and B.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import RestError
from webpubsub.model.names import GroupName

__all__ = ["Permissions"]

MAX_RULES: Final = 1000

_ROLES: Final = {
    "webpubsub.joinLeaveGroup": WebPubSubPermission.JOIN_LEAVE_GROUP,
    "webpubsub.sendToGroup": WebPubSubPermission.SEND_TO_GROUP,
}


class Permissions:
    """The permissions of one connection.

    Example:
        >>> permissions = Permissions(["webpubsub.sendToGroup", "webpubsub.joinLeaveGroup.chess"])
        >>> permissions.allow(WebPubSubPermission.JOIN_LEAVE_GROUP, GroupName("chess"))
        True
    """

    __slots__ = ("_everywhere", "_rules")

    def __init__(self, roles: Iterable[str] = ()) -> None:
        """Start from role names; unknown ones are ignored."""
        self._everywhere: set[WebPubSubPermission] = set()
        # Literal rules: (permission, group) -> allowed. Few connections have any.
        self._rules: dict[tuple[WebPubSubPermission, GroupName], bool] = {}
        for role in roles:
            permission = _ROLES.get(role)
            if permission is not None:
                self._everywhere.add(permission)
                continue
            for prefix, permission in _ROLES.items():
                if role.startswith(f"{prefix}.") and len(self._rules) < 2 * MAX_RULES:
                    self._rules[permission, GroupName(role[len(prefix) + 1 :])] = True

    def allow(self, permission: WebPubSubPermission, group: GroupName) -> bool:
        """Whether the connection has ``permission`` for ``group``."""
        rule = self._rules.get((permission, group)) if self._rules else None
        return permission in self._everywhere if rule is None else rule

    def grant(self, permission: WebPubSubPermission, group: GroupName) -> None:
        """Allow for one group.

        Raises:
            RestError: The connection would have more than 1,000 rules of its own (409).
        """
        self._override(permission, group, allowed=True)

    def revoke(self, permission: WebPubSubPermission, group: GroupName) -> None:
        """Forbid for one group, whatever the roles say.

        Raises:
            RestError: The connection would have more than 1,000 rules of its own (409).
        """
        self._override(permission, group, allowed=False)

    def _override(self, permission: WebPubSubPermission, group: GroupName, *, allowed: bool) -> None:
        if self.allow(permission, group) == allowed:
            return
        self._rules.pop((permission, group), None)
        if self.allow(permission, group) == allowed:
            return
        if sum(kind is permission for kind, _ in self._rules) >= MAX_RULES:
            raise RestError(
                409,
                "Error.Connection.Conflict",
                f"The connection has {MAX_RULES} rules for {permission} already.",
                "Connection",
            )
        self._rules[permission, group] = allowed
