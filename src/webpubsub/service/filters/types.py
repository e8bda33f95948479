"""The types of the filter language.

A filter is checked before there is a connection, so its types are those it has for a *model connection*
without user and subprotocol. That shows in two ways: a function of something null is of type ``null``
there, and ``null`` will do for a string or an integer, but not for a boolean.

Source: service spec, section C.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from webpubsub.service.filters.problems import InvalidFilter
from webpubsub.service.filters.syntax import Expression, show

Type = Literal["string", "int", "bool", "null", "collection"]
Evaluate = Callable[[Any], Any]  # from a connection; constants take None

STRING: Final = "string"
INT: Final = "int"
BOOL: Final = "bool"
NULL: Final = "null"
COLLECTION: Final = "collection"


class Typed(msgspec.Struct, frozen=True):
    """A compiled part of a filter.

    Attributes:
        type: What it is when it is not null.
        evaluate: Returns its value for a connection.
        on_model: Its type for the model connection: ``type``, or ``null``.
        is_null: Whether its value is null for the model connection; an identifier's type is its own even
            so.
        constant: Its value is the same for every connection, and may be asked of None.
    """

    type: Type
    evaluate: Evaluate
    on_model: Type
    is_null: bool = False
    constant: bool = False


def wrong_type(found: Type, wanted: Type) -> str:
    """Return what is wrong with a type that does not fit."""
    return f"Type '{found}', expect '{wanted}'."


def within(node: Expression, problem: InvalidFilter) -> InvalidFilter:
    """Return the problem as one of ``node``, unless it has a part of its own."""
    return problem if problem.part is not None else InvalidFilter(problem.detail, show(node))


def expect(node: Expression, operand: Typed, wanted: Type, *, nullable: bool = False) -> None:
    """Check the type of an operand of ``node``.

    Raises:
        InvalidFilter: It is not ``wanted``; with ``nullable`` null will do.
    """
    found = operand.type if nullable else operand.on_model
    if found != wanted and not (nullable and found == NULL):
        raise within(node, InvalidFilter(wrong_type(found, wanted)))
