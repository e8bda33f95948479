"""Settings files: JSON whose problems are told with file, line and column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # the parser's own, missing in typeshed
from pathlib import Path
from typing import Any, Final

from webpubsub.model.errors import ConfigurationError

__all__ = ["JsonFile"]

_BLANKS: Final = " \t\r\n"
_KINDS: Final = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class JsonFile:
    """One settings file; member names are read in any case.

    A missing or empty file is an empty object.

    Raises:
        ConfigurationError: The file is not JSON, or not an object; every text starts with
            ``file:line:column``.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at ``path``."""
        self.path = path
        try:
            self._text = path.read_text("utf-8-sig") if path.is_file() else ""
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{path}: expected UTF-8 text, found another byte at {error.start}"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        self.is_empty = not self._text.strip()
        try:
            self._value: Any = {} if self.is_empty else json.loads(self._text)
        except json.JSONDecodeError as error:
            place = f"{path}:{error.lineno}:{error.colno}"
            raise ConfigurationError(f"{place}: expected JSON, found a mistake: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
            raise ConfigurationError(f"{path}: expected JSON, found what cannot be read: {error}") from error
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
            found = next((key for key in value if key.lower() == name.lower()), None)
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
        kind = _KINDS[type(found)]
        value = "" if isinstance(found, dict | list | None) else f" ({json.dumps(found)})"
        return ConfigurationError(
            f"{self.path}:{self._place(names)}: {shown} must be {expected}, found {kind}{value}"
        )

    def _place(self, names: tuple[str, ...]) -> str:
        at = _position(self._text, names)
        line = self._text.count("\n", 0, at) + 1
        return f"{line}:{at - self._text.rfind(chr(10), 0, at)}"


def _position(text: str, names: tuple[str, ...]) -> int:
    """Return where the value at the path ``names`` starts in the valid JSON ``text``.

    Python's parser tells positions of mistakes only, so this walks the objects on the way.
    """
    at = _skip(text, 0)
    parse_value = json.JSONDecoder().raw_decode
    for name in names:
        while True:
            key, at = scanstring(text, _skip(text, at + 1) + 1)
            at = _skip(text, _skip(text, at) + 1)
            if key.lower() == name.lower():
                break
            at = _skip(text, parse_value(text, at)[1])
    return at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
