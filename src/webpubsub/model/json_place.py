"""Where in a JSON text a value stands: msgspec tells a path, people want line and column."""

from __future__ import annotations

import json
from json.decoder import scanstring  # type: ignore[attr-defined]  # the parser's own, missing in typeshed
from typing import Final

JsonPath = tuple[str | int, ...]

_BLANKS: Final = " \t\r\n"
_decoder: Final = json.JSONDecoder()


def place(text: str, path: JsonPath) -> tuple[int, int]:
    """Return line and column, from 1, of the value at ``path``, or of the last value on the way to it.

    Args:
        text: Valid JSON.
        path: Names of members and numbers of items.

    Example:
        >>> place('{"a": [1,\\n 2]}', ("a", 1))
        (2, 2)
    """
    at = _skip(text, 0)
    for step in path:
        found = _child(text, at, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _child(text: str, at: int, step: str | int) -> int | None:
    if isinstance(step, int):
        return _item(text, at, step) if text[at] == "[" else None
    return _member(text, at, step) if text[at] == "{" else None


def _member(text: str, at: int, name: str) -> int | None:
    found = None
    at = _skip(text, at + 1)
    while text[at] == '"':
        key, at = scanstring(text, at + 1)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            found = at  # the last one counts, as it does for parsers
        at = _next(text, at)
    return found


def _item(text: str, at: int, number: int) -> int | None:
    at = _skip(text, at + 1)
    for _ in range(number):
        if text[at] == "]":
            return None
        at = _next(text, at)
    return None if text[at] == "]" else at


def _next(text: str, at: int) -> int:
    """Return where the value after the one at ``at`` starts, or the bracket that ends them."""
    at = _skip(text, _decoder.raw_decode(text, at)[1])
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
