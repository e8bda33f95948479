"""The syntax tree of a filter, and how errors show it.

Parts are shown as Azure shows them: operators within operators get parentheses, quotes are not doubled,
and what was written around it (spaces, other parentheses) is lost. `InvalidFilter` says what is wrong while
it is not known yet in which words to say it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

TOO_DEEP: Final = "Recursion depth exceeded allowed limit."


class Literal(msgspec.Struct, frozen=True):
    """``'text'``, an integer, ``true``, ``false`` or ``null``."""

    value: str | int | bool | None


class Identifier(msgspec.Struct, frozen=True):
    """A property of the connection, as it was spelled."""

    name: str


class Call(msgspec.Struct, frozen=True):
    """``startswith(userId,'a')``."""

    name: str
    arguments: tuple[Expression, ...]


class Not(msgspec.Struct, frozen=True):
    """``not true``."""

    operand: Expression


class Comparison(msgspec.Struct, frozen=True):
    """``userId eq 'a'``; also ``ne``, ``gt``, ``ge``, ``lt``, ``le``."""

    operator: str
    left: Expression
    right: Expression


class ListOf(msgspec.Struct, frozen=True):
    """``('a','b')``, only after ``in``."""

    items: tuple[Expression, ...]


class In(msgspec.Struct, frozen=True):
    """``userId in ('a','b')`` and ``'a' in groups``."""

    left: Expression
    right: Expression | ListOf


class Junction(msgspec.Struct, frozen=True):
    """Two or more operands joined by ``and``, or by ``or``."""

    operator: str
    operands: tuple[Expression, ...]


Expression = Literal | Identifier | Call | Not | Comparison | In | Junction


def show(node: Expression | ListOf) -> str:
    """Return the text of a part of a filter, for an error."""
    return _SHOW[type(node)](node)


def _show_literal(node: Literal) -> str:
    if isinstance(node.value, str):
        return f"'{node.value}'"
    return "null" if node.value is None else str(node.value)


def _show_junction(node: Junction) -> str:
    first, *others = map(_wrapped, node.operands)
    return "(" * (len(others) - 1) + first + ")".join(f" {node.operator} {other}" for other in others)


def _joined(nodes: Sequence[Expression]) -> str:
    return ",".join(map(show, nodes))


def _wrapped(node: Expression) -> str:
    return f"({show(node)})" if isinstance(node, Not | Comparison | In | Junction) else show(node)


_SHOW: Final[dict[type[Any], Callable[[Any], str]]] = {
    Literal: _show_literal,
    Identifier: lambda node: node.name,
    Call: lambda node: f"{node.name}({_joined(node.arguments)})",
    Not: lambda node: f"not {_wrapped(node.operand)}",
    Comparison: lambda node: f"{_wrapped(node.left)} {node.operator} {_wrapped(node.right)}",
    In: lambda node: f"{show(node.left)} in {show(node.right)}",
    ListOf: lambda node: f"({_joined(node.items)})",
    Junction: _show_junction,
}


class InvalidFilter(Exception):
    """A filter that cannot be used; leaves this package as `RestError`.

    Attributes:
        detail: What is wrong.
        part: The part of the filter it is wrong with; None for a problem whose part is the nearest
            operator or function around it, or else the whole filter.
    """

    def __init__(self, detail: str, part: str | None = None) -> None:
        super().__init__(detail, part)
        self.detail = detail
        self.part = part


def unsupported(token: str) -> InvalidFilter:
    """Return the problem of something the language does not have."""
    return InvalidFilter(f"Token '{token}' is not supported.")
