"""Expressions in bindings: ``%setting%`` at load, ``{query.user}`` at each invocation.

Source: Python spec, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from webpubsub.model.errors import ConfigurationError, PeerError

__all__ = ["Template", "expand_settings", "system_data"]

_SETTING: Final = re.compile(r"%([^%]*)%")
_PART: Final = re.compile(r"\{([^{}]*)\}|([^{}]+)|[{}]")


def expand_settings(text: str, environment: Mapping[str, str]) -> str:
    """Return ``text`` with every ``%name%`` replaced by the setting's value.

    Raises:
        ConfigurationError: A setting does not exist, or a ``%`` stands alone.

    Example:
        >>> expand_settings("%Hub%-2", {"Hub": "chat"})
        'chat-2'
    """
    if text.count("%") % 2:
        raise ConfigurationError(f"'{text}' has a '%' without its partner: a setting is written '%name%'")

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if found is None:
            raise ConfigurationError(
                f"setting '{match[1]}' of '{text}' does not exist: add it to 'Values' in "
                "local.settings.json or to the environment"
            )
        return found

    return _SETTING.sub(value, text)


class _Expression(msgspec.Struct, frozen=True):
    text: str
    path: tuple[str, ...]


class Template(msgspec.Struct, frozen=True):
    """Text with expressions, parsed once.

    Attributes:
        text: The text, settings replaced.
        parts: Literals and expressions in order.

    Example:
        >>> Template.parse("u-{query.id}", {}).resolve({"Query": {"ID": "7"}}, "userId")
        'u-7'
    """

    text: str
    parts: tuple[str | _Expression, ...]

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str]) -> Template:
        """Replace settings and find the expressions.

        Raises:
            ConfigurationError: A setting does not exist, a bracket stands alone, or an expression has a
                format.
        """
        expanded = expand_settings(text, environment)
        return cls(expanded, tuple(_part(match, expanded) for match in _PART.finditer(expanded)))

    @property
    def is_constant(self) -> bool:
        """Whether nothing is left to be resolved."""
        return all(isinstance(part, str) for part in self.parts)

    def resolve(self, data: Mapping[str, Any], target: str) -> str:
        """Return the text for one invocation.

        Args:
            data: Binding data: nested mappings, names in any case; a callable is called for its value.
            target: What the text is for, shown in the error.

        Raises:
            PeerError: An expression has no value (status 500, as the Functions host answers).
        """
        return "".join(part if isinstance(part, str) else _value(part, data, target) for part in self.parts)


def _part(match: re.Match[str], text: str) -> str | _Expression:
    inside, literal = match[1], match[2]
    if literal is not None:
        return literal
    if inside is None:
        raise ConfigurationError(f"'{text}' has a '{match[0]}' without its partner at {match.start() + 1}")
    if ":" in inside:
        raise ConfigurationError(f"'{match[0]}' in '{text}' has a format, which this host does not apply")
    return _Expression(match[0], tuple(inside.strip().lower().split(".")))


def _value(expression: _Expression, data: Mapping[str, Any], target: str) -> str:
    found: Any = data
    path = expression.path
    for name in path:
        if not isinstance(found, Mapping):
            found = None
            break
        found = next((value for key, value in found.items() if key.lower() == name), None)
    if callable(found):
        found = found()
    if found is None:
        raise PeerError(f"{expression.text} of {target} has no value in this invocation", status=500)
    if isinstance(found, str):
        return found
    if isinstance(found, Mapping | list | tuple):
        kind = "an object" if isinstance(found, Mapping) else "a list"
        raise PeerError(f"{expression.text} of {target} is {kind}: expected one value", status=500)
    return msgspec.json.encode(found).decode()


def system_data(function: str, utc_now: Callable[[], str], new_guid: Callable[[], str]) -> dict[str, Any]:
    """Return the binding data every invocation has.

    Args:
        function: The function's name.
        utc_now: The time, ISO 8601.
        new_guid: A new GUID at each call.
    """
    system = {"methodname": function, "utcnow": utc_now, "randguid": new_guid}
    return {"sys": system, "rand-guid": new_guid, "datetime": utc_now}
