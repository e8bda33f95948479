"""Files people write: JSON whose problems are told with file, line and column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # the parser's own, missing in typeshed
from pathlib import Path
from typing import Any, Final

from webpubsub.model.errors import ConfigurationError

_KINDS: Final = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}

JsonPath = tuple[str | int, ...]

_BLANKS: Final = " \t\r\n"
_decoder: Final = json.JSONDecoder()


class JsonFile:
    """One file, which holds an object; member names are read in any case.

    A missing or empty file is an empty object.

    Attributes:
        path: Where it is.
        name: What texts call it.
        is_empty: It is missing, or blank.

    Raises:
        ConfigurationError: The file is not JSON, or not an object; every text starts with
            ``file:line:column``.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read the file at ``path``; texts call it by its path in ``root``, if that is given."""
        self.path = path
        self.name = str(path) if root is None else path.relative_to(root).as_posix()
        try:
            self._text = path.read_text("utf-8-sig") if path.is_file() else ""
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{self.name}: expected UTF-8 text, found another byte at {error.start}"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{self.name} cannot be read: {error.strerror}") from error
        self.is_empty = not self._text.strip()
        try:
            self._value: Any = {} if self.is_empty else json.loads(self._text)
        except json.JSONDecodeError as error:
            place = f"{self.name}:{error.lineno}:{error.colno}"
            raise ConfigurationError(f"{place}: expected JSON, found a mistake: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
            raise ConfigurationError(
                f"{self.name}: expected JSON, found what cannot be read: {error}"
            ) from error
        if not isinstance(self._value, dict):
            raise self.problem((), "an object", self._value)

    def get(self, *names: str, kind: type, default: Any = None) -> Any:
        """Return the member at the path ``names``, or ``default`` when it is absent.

        Raises:
            ConfigurationError: It, or an object on the way to it, is of another kind.
        """
        value = self._value
        path: tuple[str, ...] = ()
        for name in names:
            if not isinstance(value, dict):
                raise self.problem(path, "an object", value)
            found = _key(value, name)
            if found is None:
                return default
            value, path = value[found], (*path, found)
        # JSON's true is no number, although Python's True is an int.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.problem(path, _KINDS[kind], value)
        return value

    def strings(self, name: str) -> Mapping[str, str]:
        """Return the object ``name`` whose members must all be strings.

        Raises:
            ConfigurationError: It is not an object, or a member is not a string.
        """
        members = self.get(name, kind=dict, default={})
        for member in members:
            self.get(name, member, kind=str)
        return dict(members)

    def problem(self, names: tuple[str, ...], expected: str, found: Any) -> ConfigurationError:
        """Return the error that the value at ``names`` is not ``expected``."""
        shown = f"'{'.'.join(names)}'" if names else "the file"
        line, column = self.place(*names)
        return ConfigurationError(f"{self.name}:{line}:{column}: {shown} must be {mismatch(expected, found)}")

    def place(self, *path: str | int) -> tuple[int, int]:
        """Return line and column of the value at ``path``: names of members, numbers of items."""
        return place(self._text, tuple(self._spelled(path)))

    def _spelled(self, path: JsonPath) -> Iterator[str | int]:
        value = self._value
        for step in path:
            found = _key(value, step) if isinstance(step, str) else step
            if found is None:
                return
            yield found
            value = value[found]


def mismatch(expected: str, found: Any) -> str:
    """Return ``"a string, found a number (5)"``."""
    value = "" if isinstance(found, dict | list | None) else f" ({json.dumps(found)})"
    return f"{expected}, found {_KINDS[type(found)]}{value}"


def _key(value: dict[str, Any], name: str) -> str | None:
    """Return how the member ``name`` is spelled."""
    return next((key for key in value if key.lower() == name.lower()), None)


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
