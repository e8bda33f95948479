"""Expressions in bindings: ``%setting%`` at load, ``{query.user}`` at each invocation.

Doubled braces are literal ones. A name starts with a letter or ``_``; dots lead into objects, and names
after the first may hold dashes. A format follows the first colon; it counts for times and GUIDs, and is
ignored for everything else, as in Azure.

Source: Python spec, section 6; WebJobs SDK, BindingTemplateParser, BindingTemplateToken,
BindingDataPathHelper and NameResolverExtensions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from webpubsub.host.dotnet.formats import DEFAULT_DATETIME, compile_datetime, compile_guid, show_number
from webpubsub.model.errors import ConfigurationError, PeerError
from webpubsub.model.payload import MALFORMED_JSON

_SETTING: Final = re.compile(r"%([^%]*)%")
_PART: Final = re.compile(r"(\{\{|\}\})|\{([^{}]*)\}|([^{}]+)|[{}]")
# Python's \w is what C# allows in an identifier, but for some marks.
_NAME: Final = re.compile(r"[^\W\d][\w.-]*")
_SYSTEM_NAMES: Final = {"rand-guid", "datetime"}
_MISSING: Final = object()


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
    path: tuple[str, ...]
    show_datetime: Callable[[datetime], str]
    show_guid: Callable[[UUID], str]


class Template(msgspec.Struct, frozen=True):
    """Text with expressions, parsed once.

    Attributes:
        text: The text, settings replaced; without expressions, what it always is.
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
            ConfigurationError: A setting does not exist, a bracket stands alone, or an expression or its
                format is unusable.
        """
        expanded = expand_settings(text, environment)
        parts = tuple(_part(match, expanded) for match in _PART.finditer(expanded))
        literals = [part for part in parts if isinstance(part, str)]
        return cls("".join(literals) if len(literals) == len(parts) else expanded, parts)

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
    brace, inside, literal = match.groups()
    if brace is not None or literal is not None:
        return literal or brace[0]
    if inside is None:
        raise ConfigurationError(
            f"'{text}' has a '{match[0]}' without its partner at {match.start() + 1}: a brace that is meant "
            "literally is doubled"
        )
    try:
        return _expression(inside)
    except ConfigurationError as error:
        raise ConfigurationError(f"'{match[0]}' in '{text}' is unusable: {error}") from error


def _expression(inside: str) -> _Expression:
    name, _, given = inside.partition(":")
    path = tuple(name.split("."))
    known = tuple(name.lower().split("."))
    _check_path(name, path)
    if known == ("datetime",) and "." in given:
        raise ConfigurationError(
            f"Azure cuts a format of '{name}' at its first dot: write '{{sys.UtcNow:{given}}}' instead"
        )
    shown = given.strip() and given
    # What the value will be is known for the host's own values alone.
    is_guid, is_time = known in _GUIDS, known in _TIMES
    return _Expression(
        path,
        compile_datetime(shown if shown and is_time else DEFAULT_DATETIME),
        compile_guid(shown if shown and is_guid else "D"),
    )


def _check_path(name: str, path: tuple[str, ...]) -> None:
    if name.lower() in _SYSTEM_NAMES:
        return
    if not _NAME.fullmatch(name) or not all(path):
        raise ConfigurationError(
            "expected a name of letters, digits and '_' that starts with no digit, or several with dots "
            "between"
        )
    if "-" in path[0]:
        raise ConfigurationError("only names after a dot may have a dash")


def _value(expression: _Expression, data: Mapping[str, Any], target: str) -> str:
    path = expression.path
    found = data.get(path[0].lower(), _MISSING)
    if found is _MISSING:
        found = _member(data, path[0])
    if found is _MISSING:
        raise PeerError(f"{target}: No value for named parameter '{path[0]}'.", status=500)
    for name in path[1:]:
        found = _member(found, name)
        if found is _MISSING:
            problem = f"Error while accessing '{name}': property doesn't exist."
            raise PeerError(f"{target}: {problem} (in '{'.'.join(path)}')", status=500)
    return _shown(found() if callable(found) else found, expression, target)


def _member(found: Any, name: str) -> Any:
    if not isinstance(found, Mapping):
        return _MISSING
    wanted = name.lower()
    return next((value for key, value in found.items() if key.lower() == wanted), _MISSING)


def _shown(found: Any, expression: _Expression, target: str) -> str:
    match found:
        case str():
            return found
        case None:
            return ""
        case bool() | int() | float():
            return show_number(found)
        case datetime():
            return expression.show_datetime(found)
        case UUID():
            return expression.show_guid(found)
    kind = "an object" if isinstance(found, Mapping) else "a list"
    path = ".".join(expression.path)
    raise PeerError(f"{target}: '{path}' is {kind}: expected one value", status=500)


_TIMES: Final = {("datetime",), ("sys", "utcnow")}
_GUIDS: Final = {("rand-guid",), ("sys", "randguid")}


class BodyTooLong(PeerError):
    """A body that is not decoded for an expression."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body has more than {limit} bytes, and is not read for an expression in a binding "
            "(extensions.http.maxExpressionBodyBytes).",
            status=413,
        )


class BindingData(Mapping[str, Any]):
    """Binding data of which some is made only when a name asks for it.

    Attributes:
        known: What is there, by name in lower case; it comes first.
        more: Makes the rest.
    """

    def __init__(self, known: Mapping[str, Any], more: Callable[[], Mapping[str, Any]]) -> None:
        self.known = known
        self.more = more
        self._made: Mapping[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self.known[name] if name in self.known else self._rest()[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._rest(), **self.known})

    def __len__(self) -> int:
        return len({**self._rest(), **self.known})

    def _rest(self) -> Mapping[str, Any]:
        if self._made is None:
            self._made = self.more()
        return self._made


def body_members(body: bytes, limit: int) -> dict[str, Any]:
    """Return what `json_members` does.

    Raises:
        BodyTooLong: It has more than ``limit`` bytes.
    """
    if len(body) > limit:
        raise BodyTooLong(limit)
    return json_members(body)


def json_members(text: str | bytes) -> dict[str, Any]:
    """Return the members of a JSON object that have a value, names in lower case; {} for any other text."""
    start = text.lstrip()[:1]
    if start not in ("{", b"{"):
        return {}
    try:
        members = msgspec.json.decode(text, type=dict[str, Any])
    except (*MALFORMED_JSON, UnicodeError):
        return {}
    return {name.lower(): value for name, value in members.items() if value is not None}


def system_data(
    function: str, utc_now: Callable[[], datetime], new_guid: Callable[[], UUID]
) -> dict[str, Any]:
    """Return the binding data every invocation has.

    Args:
        function: The function's name.
        utc_now: The time.
        new_guid: A new GUID at each call.
    """
    system = {"methodname": function, "utcnow": utc_now, "randguid": new_guid}
    return {"sys": system, "rand-guid": new_guid, "datetime": utc_now}
