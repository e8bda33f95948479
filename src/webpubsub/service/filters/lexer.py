"""The words of a filter."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from webpubsub.service.filters.problems import InvalidFilter

Kind = Literal["string", "number", "name", "mark", "end"]

_SPACE: Final = re.compile(r"\s*")
_TOKEN: Final = re.compile(
    r"(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>[+-]?\d[\w.]*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<mark>[(),])"
)


class Token(msgspec.Struct, frozen=True):
    """One word.

    Attributes:
        kind: What it is.
        text: As it was written; empty at the end.
        position: Where it starts, from 0.
    """

    kind: Kind
    text: str
    position: int


def read_tokens(text: str) -> list[Token]:
    """Split a filter into words; the last is the end.

    Raises:
        InvalidFilter: A character belongs to no word, or a string has no end.
    """
    tokens: list[Token] = []
    at = _skip(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        kind: Kind = found.lastgroup  # type: ignore[assignment]  # the groups are the kinds
        tokens.append(Token(kind, found[0], at))
        at = _skip(text, found.end())
    return [*tokens, Token("end", "", at)]


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _unreadable(text: str, at: int) -> InvalidFilter:
    if text[at] == "'":
        return InvalidFilter(f"There is an unterminated string literal at position {at} in '{text}'.")
    return InvalidFilter(f"Syntax error: character '{text[at]}' is not valid at position {at} in '{text}'.")
