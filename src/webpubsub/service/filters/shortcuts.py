"""Which single user or group a filter is about, so that nobody else need be asked."""

from __future__ import annotations

from webpubsub.model.names import GroupName, UserId
from webpubsub.service.filters.syntax import Comparison, Expression, Identifier, In, Junction, Literal


def find_shortcut(node: Expression) -> tuple[UserId | None, GroupName | None]:
    """Return the user and the group that every matching connection has; None where any will do."""
    if isinstance(node, Junction) and node.operator == "and":
        found = [find_shortcut(operand) for operand in node.operands]
        users = (user for user, _ in found if user is not None)
        groups = (group for _, group in found if group is not None)
        return next(users, None), next(groups, None)
    if isinstance(node, Comparison) and node.operator == "eq":
        return _user(node.left, node.right) or _user(node.right, node.left), None
    if isinstance(node, In) and _is(node.right, "groups"):
        group = _string(node.left)
        return None, None if group is None else GroupName(group)
    return None, None


def _user(identifier: Expression, value: Expression) -> UserId | None:
    text = _string(value) if _is(identifier, "userid") else None
    return None if text is None else UserId(text)


def _is(node: object, name: str) -> bool:
    return isinstance(node, Identifier) and node.name.lower() == name


def _string(node: Expression) -> str | None:
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else None
