"""The members of bindings: one table, for decorators, function.json, the host and the docs.

A decorator's argument is called like its member, in snake_case. A ``%setting%`` is known only to the host,
and so is a ``{binding expression}``; both pass unchecked until then.

Source: extension spec, sections 1 and 4.3; Functions in Python spec, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from webpubsub.functions.did_you_mean import camel_case, did_you_mean, listed
from webpubsub.functions.event_kinds import SYSTEM_EVENTS, USER_EVENT, EventKind
from webpubsub.model.errors import ConfigurationError, InvalidName, UsageError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import parse_event_name, parse_hub_name

# The setting that names the connection of bindings that name none.
DEFAULT_CONNECTION: Final = "WebPubSubConnectionString"


class Values(msgspec.Struct, frozen=True):
    """What a member may be.

    Attributes:
        expected: That, in texts about function.json.
        read: Returns the value that is meant, or None when it is none of these.
        argument: What a decorator's argument may be, in texts; ``expected`` when empty.
        choices: All of them, in their canonical spelling, where they can be listed.
    """

    expected: str
    read: Callable[[Any], Any]
    argument: str = ""
    choices: tuple[str, ...] = ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str] | None:
    is_list = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return list(value) if is_list else None


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < float("inf") else None


def _one_of(*choices: str, is_numbered: bool = False) -> Values:
    """Return values that are read in any case, and those of the extension's .NET enums also by number."""
    spellings = {choice.lower(): choice for choice in choices}
    if is_numbered:
        spellings |= {str(number): choice for number, choice in enumerate(choices)}
    return Values(
        f"{listed(choices[:-1])} or '{choices[-1]}'",
        lambda value: spellings.get(str(value).lower()),
        f"one of {listed(choices)}",
        choices,
    )


_ANY: Final = Values("anything", lambda value: value)  # checked by its reader
_TEXT: Final = Values("a string", _text)
_NAME: Final = Values("a name", lambda value: _text(value) or None)
_TEXTS: Final = Values("a list of strings", _texts)
_SETTINGS: Final = Values("a list of setting names", _texts, "a list of strings")
_SECONDS: Final = Values("seconds, more than 0", _seconds, "seconds or a timedelta, above 0")
_EVENT_TYPE: Final = _one_of("system", "user", is_numbered=True)
_CLIENT_PROTOCOLS: Final = _one_of("all", "webPubSub", "mqtt", is_numbered=True)
_CLIENT_PROTOCOL: Final = _one_of("default", "mqtt", is_numbered=True)
_DATA_TYPE: Final = Values(
    "one of 'string', 'binary', 'stream', 'undefined'",
    _one_of("string", "binary", "stream", "undefined").read,
)


class Member(msgspec.Struct, frozen=True):
    """One member of a binding.

    Attributes:
        name: Its name in function.json.
        values: What it may be.
        default: What stands for it when it is absent. With a default, an empty text or list is absent, too.
        is_required: It must be there.
        takes: ``%`` when a ``%setting%`` in it is replaced as the app is loaded, and ``{`` when a
            ``{binding expression}`` is resolved for each call.
        is_here_only: Azure's host ignores it.
    """

    name: str
    values: Values = _ANY
    default: Any = None
    is_required: bool = False
    takes: str = ""
    is_here_only: bool = False

    def read(self, found: Any) -> Any:
        """Return the value that is meant by ``found``, which is what function.json says.

        Raises:
            ConfigurationError: It is no value of this member's.
        """
        is_empty = self.default is not None and found in ("", [])
        if not self.is_required and (found is None or is_empty):
            return self.default
        value = self.values.read(found)
        if value is None:
            raise ConfigurationError(f"'{self.name}' is {found!r}: expected {self.values.expected}")
        return value


class BindingType(msgspec.Struct, frozen=True):
    """A type of binding.

    Attributes:
        name: Its ``type`` in function.json.
        direction: ``in`` or ``out``.
        members: Its members by name, without those that all bindings have.
    """

    name: str
    direction: str
    members: Mapping[str, Member]


def _type(name: str, direction: str, *members: Member) -> BindingType:
    return BindingType(name, direction, {member.name: member for member in members})


_HUB: Final = Member("hub", _TEXT, takes="%{")
_CONNECTION: Final = Member("connection", _TEXT, DEFAULT_CONNECTION)
# Who may send events: the default connection without both, where there is one.
_SENDERS: Final = (Member("connections", _SETTINGS, ()), Member("connection", _TEXT))

# The members of every binding.
_COMMON: Final = {
    member.name: member
    for member in (
        Member("type"),
        Member("direction"),
        Member("name"),
        Member("dataType", _DATA_TYPE, "string"),
    )
}
# By their names in lower case, as they are compared.
BINDING_TYPES: Final = {
    type_.name.lower(): type_
    for type_ in (
        _type("httpTrigger", "in", *map(Member, ("authLevel", "methods", "route", "webHookType"))),
        _type("timerTrigger", "in", *map(Member, ("schedule", "runOnStartup", "useMonitor"))),
        _type(
            "webPubSubTrigger",
            "in",
            Member("hub", _TEXT, takes="%"),
            Member("eventType", _EVENT_TYPE, is_required=True),
            Member("eventName", _NAME, is_required=True, takes="%"),
            *_SENDERS,
            Member("clientProtocols", _CLIENT_PROTOCOLS, "all"),
        ),
        _type(
            "webPubSubConnection",
            "in",
            _HUB,
            Member("userId", _TEXT, takes="%{"),
            _CONNECTION,
            Member("clientProtocol", _CLIENT_PROTOCOL, "default"),
            Member("roles", _TEXTS, (), takes="%{", is_here_only=True),
            Member("groups", _TEXTS, (), takes="%{", is_here_only=True),
            Member("expiresAfter", _SECONDS, 3600, is_here_only=True),
        ),
        _type("webPubSubContext", "in", *_SENDERS),
        _type("http", "out"),
        _type("webPubSub", "out", _HUB, _CONNECTION),
    )
}


def known_members(type_: object) -> Mapping[str, Member]:
    """Return the members that a binding of any type may have, as far as they are known."""
    known = BINDING_TYPES.get(str(type_).lower())
    return _COMMON if known is None else {**_COMMON, **known.members}


def read_member(binding: Mapping[str, Any], name: str) -> Any:
    """Return the value that a binding means by one of its members.

    Raises:
        ConfigurationError: It is no value of that member's.
    """
    return known_members(binding["type"])[name].read(binding.get(name))


def is_binary(binding: Mapping[str, Any]) -> bool:
    """Whether the function wants bytes; any other type, or none, is text."""
    return str(binding.get("dataType")).lower() == "binary"


def written_members(type_: str, **arguments: Any) -> dict[str, Any]:
    """Return the members that a decorator's arguments stand for; None is left out.

    Raises:
        UsageError: One is no value of its member's.
    """
    members = BINDING_TYPES[type_.lower()].members
    return {
        (member := members[camel_case(name)]).name: _written(member, name, given)
        for name, given in arguments.items()
        if given is not None
    }


def _written(member: Member, argument: str, given: Any) -> Any:
    value = given
    if isinstance(given, timedelta):
        value = given.total_seconds()
    elif isinstance(given, Iterable) and not isinstance(given, str):
        value = list(given)
    found = member.values.read(value)
    if found is None:
        expected = member.values.argument or member.values.expected
        hint = did_you_mean(given, member.values.choices)
        raise UsageError(f"{argument} is {given!r}: expected {expected}{hint}")
    if member.name == "hub" and not _has_setting(found) and ("{" not in found or "{" not in member.takes):
        _check_name(parse_hub_name, found, "hub ", "HubName")
    return found


def parse_event_type(value: WebPubSubEventType | str) -> WebPubSubEventType:
    """Return the event type of any spelling.

    Raises:
        UsageError: It is neither ``system`` nor ``user``.
    """
    try:
        return WebPubSubEventType(value)
    except ValueError:
        raise UsageError(f"the event type is {value!r}: expected 'system' or 'user'") from None


def event_kind(kind: WebPubSubEventType, name: str) -> EventKind | None:
    """Return the event a trigger stands for; None when a setting names a system event.

    Raises:
        UsageError: There is no such event.
    """
    if kind is WebPubSubEventType.USER:
        if not _has_setting(name):
            _check_name(parse_event_name, name, "", "EventName")
        return USER_EVENT
    if _has_setting(name):
        return None
    found = SYSTEM_EVENTS.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise UsageError(
            f"there is no system event {name!r}: expected 'connect', 'connected' or 'disconnected'; any "
            f"other is a user event{did_you_mean(name, SYSTEM_EVENTS)}"
        )
    return found


def _check_name(parse: Callable[[str], str], text: str, what: str, setting: str) -> None:
    try:
        parse(text)
    except InvalidName as error:
        raise UsageError(f"{what}{error}; or a setting, such as '%{setting}%'") from None


def _has_setting(value: object) -> bool:
    return isinstance(value, str) and value.count("%") >= 2
