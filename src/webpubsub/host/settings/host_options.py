"""``host.json`` as the Functions host reads it: values as text, and the environment over the file.

``AzureFunctionsJobHost__extensions__http__routePrefix`` comes before ``extensions.http.routePrefix``; members
of objects and items of lists may be set the same way.

Source: Python spec, section 6; Functions host, HostJsonFileConfigurationSource.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from webpubsub.host.dotnet.time_span import parse_time_span
from webpubsub.host.settings.environment import Environment
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.json_file import JsonFile

_ROOT: Final = "AzureFunctionsJobHost"
_FLAGS: Final = {"true": True, "false": False}
T = TypeVar("T")


class HostOptions:
    """The options of one app.

    Raises:
        ConfigurationError: From every method: a value is not what it must be; the text names the file with
            line and column, or the variable.
    """

    def __init__(self, file: JsonFile, environment: Environment) -> None:
        self._file = file
        self._environment = environment

    def text(self, *path: str) -> str | None:
        found = self._environment.get(_name(path))
        return self._file.get(*path, kind=str) if found is None else found

    def number(self, *path: str) -> int | None:
        return self._read(path, "a whole number", int)

    def seconds(self, *path: str) -> float | None:
        return self._read(path, "a number of seconds", _finite)

    def flag(self, *path: str) -> bool | None:
        return self._read(path, "true or false", lambda text: _FLAGS[text.lower()])

    def span(self, *path: str, example: str) -> timedelta | None:
        return self._read(path, f"a time such as '{example}'", _time_span)

    def members(self, *path: str) -> dict[str, str]:
        """Return the members of an object as text; nested objects are left out."""
        found = self._file.get(*path, kind=dict, default={})
        return {name: _text(value) for name, value in found.items() if not isinstance(value, dict | list)} | {
            name: value for name, value in self._set_below(path) if ":" not in name
        }

    def texts(self, *path: str) -> tuple[str, ...]:
        """Return the items of a list as text; an item of the environment replaces that of its number."""
        found = self._file.get(*path, kind=list, default=[])
        items = {str(number): _text(item) for number, item in enumerate(found)} | dict(self._set_below(path))
        return tuple(items[number] for number in sorted(items, key=lambda name: (len(name), name)))

    def problem(self, path: tuple[str, ...], expected: str, found: Any) -> ConfigurationError:
        """Return the error that what is set at ``path`` is not ``expected``."""
        if _name(path) in self._environment:
            variable = "__".join((_ROOT, *path))
            return ConfigurationError(f"setting '{variable}' is '{found}': expected {expected}")
        return self._file.problem(path, expected, found)

    def _read(self, path: tuple[str, ...], expected: str, convert: Callable[[str], T]) -> T | None:
        found = self._environment.get(_name(path))
        if found is None and (found := self._file.get(*path, kind=object)) is None:
            return None
        try:
            return convert(_text(found))
        except (ValueError, KeyError):
            raise self.problem(path, expected, found) from None

    def _set_below(self, path: tuple[str, ...]) -> list[tuple[str, str]]:
        start = f"{_name(path)}:".lower()
        return [
            (name[len(start) :], value) for name, value in self._environment.items() if name.startswith(start)
        ]


def _name(path: tuple[str, ...]) -> str:
    return ":".join((_ROOT, *path))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _time_span(text: str) -> timedelta:
    span = parse_time_span(text)
    if span is None:
        raise ValueError(text)
    return span
