"""A filter, ready to be asked about connections.

Where it is about a single user or group only, nobody else need be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from webpubsub.model.errors import RestError
from webpubsub.model.names import GroupName, UserId
from webpubsub.service.filters.compiler import compile_filter
from webpubsub.service.filters.functions import Subject
from webpubsub.service.filters.grammar import parse_expression
from webpubsub.service.filters.syntax import (
    Comparison,
    Expression,
    Identifier,
    In,
    InvalidFilter,
    Junction,
    Literal,
)

REMEMBERED_FILTERS: Final = 64


class FilterBounds(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long filters may be. In settings the names are ``maxBytes`` and ``maxClauses``.

    Attributes:
        max_bytes: How many bytes one may have.
        max_clauses: How many conditions it may join by ``and`` and ``or``, however they are nested.
    """

    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 64 * 1024
    max_clauses: Annotated[int, msgspec.Meta(ge=1)] = 1000


class Filter(msgspec.Struct, frozen=True):
    """A filter whose syntax and types are right.

    Attributes:
        text: As it was written.
        clauses: How many conditions it joins.
        matches: Whether a connection is meant; never raises.
        user_id: When set, only connections of this user can match: look for them there.
        group: When set, only members of this group can match.

    Example:
        >>> chess = parse_filter("'chess' in groups and userId ne null")
        >>> chess.group
        'chess'
    """

    text: str
    clauses: int
    matches: Callable[[Subject], bool]
    user_id: UserId | None = None
    group: GroupName | None = None


def check_filter(text: str, bounds: FilterBounds) -> None:
    """Make sure that a filter can be used, where it comes in.

    Args:
        text: The filter.
        bounds: How long it may be; what is longer is not read.

    Raises:
        RestError: It is too long, or its syntax or types are wrong (400, ``Error.BadRequest``, target
            ``filter``).
    """
    # A character has four bytes at most, so nearly all filters are known not to be too long.
    size = len(text)
    if 4 * size > bounds.max_bytes:
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > bounds.max_bytes:
        raise _too_long(f"more than {bounds.max_bytes} bytes", "maxBytes")
    if parse_filter(text).clauses > bounds.max_clauses:
        raise _too_long(f"more than {bounds.max_clauses} clauses", "maxClauses")


def _too_long(what: str, member: str) -> RestError:
    message = f"The filter has {what} (filters.{member}). (Parameter 'filter')"
    return RestError(400, "Error.BadRequest", message, "filter")


@lru_cache(maxsize=REMEMBERED_FILTERS)
def parse_filter(text: str) -> Filter:
    """Compile a filter; the last ones are remembered, as many are sent again and again.

    An empty text is no filter at all, which is for the caller to see, as how long it is: `check_filter`.

    Raises:
        RestError: Its syntax or types are wrong (400, ``Error.BadRequest``, target ``filter``).

    Example:
        >>> parse_filter("userId in ('ann', 'bob')").text
        "userId in ('ann', 'bob')"
    """
    try:
        expression, clauses = parse_expression(text)
        matches = compile_filter(expression)
    except InvalidFilter as problem:
        message = f"Invalid syntax for '{problem.part or text}': {problem.detail} (Parameter 'filter')"
        raise RestError(400, "Error.BadRequest", message, "filter") from problem
    user_id, group = find_shortcut(expression)
    return Filter(text, clauses, matches, user_id, group)


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
