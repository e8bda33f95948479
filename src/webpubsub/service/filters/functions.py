"""The types and functions of the filter language.

A filter is checked before there is a connection, so its types are those it has for a *model connection*
without user and subprotocol. That shows in two ways: a function of something null is of type ``null``
there, and ``null`` will do for a string or an integer, but not for a boolean.

Strings are counted in UTF-16 units, as .NET does, and compared by their characters. A null among the
arguments does not raise: predicates are false, everything else is null as its row says.

Source: service spec, sections C.1 and C.2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal, Protocol

import msgspec

from webpubsub.service.filters.syntax import Expression, InvalidFilter, show

Type = Literal["string", "int", "bool", "null", "collection"]
Evaluate = Callable[[Any], Any]  # from a connection; constants take None

STRING: Final = "string"
INT: Final = "int"
BOOL: Final = "bool"
NULL: Final = "null"
COLLECTION: Final = "collection"


class Subject(Protocol):
    """What a filter is asked about: a client's connection."""

    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> str | None: ...

    @property
    def subprotocol(self) -> str | None: ...

    @property
    def groups(self) -> Collection[str]: ...


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


class Function(msgspec.Struct, frozen=True):
    """One function.

    Attributes:
        parameters: The types it takes, one or more a parameter.
        optional: How many of the last parameters may be missing.
        result: The type it returns.
        call: What it does; may get None for any string or collection.
        is_null: From which arguments are null, whether the result is.
    """

    parameters: tuple[tuple[Type, ...], ...]
    result: Type
    call: Callable[..., Any]
    is_null: Callable[[Iterable[bool]], bool]
    optional: int = 0

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return len(self.parameters) - self.optional <= count <= len(self.parameters)


def _length(value: Collection[str] | None) -> int | None:
    if value is None:
        return None
    return _units(value) if isinstance(value, str) else len(value)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _contains(text: str | None, part: str | None) -> bool:
    return text is not None and part is not None and part in text


def _startswith(text: str | None, part: str | None) -> bool:
    return text is not None and part is not None and text.startswith(part)


def _endswith(text: str | None, part: str | None) -> bool:
    return text is not None and part is not None and text.endswith(part)


def _indexof(text: str | None, part: str | None) -> int:
    at = -1 if text is None or part is None else text.find(part)
    return at if text is None or at <= 0 or text.isascii() else _units(text[:at])


def _concat(left: str | None, right: str | None) -> str | None:
    return right if left is None else left if right is None else left + right


def _substring(text: str | None, start: int, length: int | None = None) -> str | None:
    if text is None:
        return None
    available = _units(text) - start
    if length is None:
        length = available
    if start < 0 or not 0 <= length <= available:
        return None
    if text.isascii():
        return text[start : start + length]
    units = text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * (start + length)]
    return units.decode("utf-16-le", "surrogatepass")


def _by_character(change: Callable[[str], str]) -> Callable[[str | None], str | None]:
    """Change case one character for one, whatever the language, so that ``ß`` stays one character."""

    def changed(text: str | None) -> str | None:
        if text is None or text.isascii():
            return text and change(text)
        return "".join(new if len(new := change(old)) == 1 else old for old in text)

    return changed


def _trim(text: str | None) -> str | None:
    return text and text.strip()


def _never(_: Iterable[bool]) -> bool:
    return False


_TEXT: Final[tuple[Type, ...]] = (STRING,)
_NUMBER: Final[tuple[Type, ...]] = (INT,)

FUNCTIONS: Final[dict[str, Function]] = {
    "length": Function(((STRING, COLLECTION),), INT, _length, any),
    "tolower": Function((_TEXT,), STRING, _by_character(str.lower), any),
    "toupper": Function((_TEXT,), STRING, _by_character(str.upper), any),
    "trim": Function((_TEXT,), STRING, _trim, any),
    "contains": Function((_TEXT, _TEXT), BOOL, _contains, _never),
    "startswith": Function((_TEXT, _TEXT), BOOL, _startswith, _never),
    "endswith": Function((_TEXT, _TEXT), BOOL, _endswith, _never),
    "indexof": Function((_TEXT, _TEXT), INT, _indexof, _never),
    "concat": Function((_TEXT, _TEXT), STRING, _concat, all),
    "substring": Function((_TEXT, _NUMBER, _NUMBER), STRING, _substring, any, optional=1),
}
