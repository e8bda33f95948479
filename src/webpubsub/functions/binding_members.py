"""What decorators are told, checked before it becomes members of function.json.

A ``%setting%`` is known only to the host, and so is a ``{binding expression}``; both pass unchecked.

Source: extension spec, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from webpubsub.functions.did_you_mean import did_you_mean
from webpubsub.functions.event_kinds import SYSTEM_EVENTS, USER_EVENT, EventKind
from webpubsub.model.errors import InvalidName, UsageError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import parse_event_name, parse_hub_name

CLIENT_PROTOCOLS: Final = ("all", "webPubSub", "mqtt")
CLIENT_PROTOCOL: Final = ("default", "mqtt")


def hub_name(value: str | None, *, expressions: bool = False) -> str | None:
    """Return the hub as written; None stands for the setting ``WebPubSubHub``.

    Raises:
        UsageError: It can be no hub's name.
    """
    if value is None or _is_setting(value) or (expressions and isinstance(value, str) and "{" in value):
        return value
    try:
        parse_hub_name(value)
    except InvalidName as error:
        raise UsageError(f"hub {error}; or a setting, such as '%HubName%'") from None
    return value


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
        if not _is_setting(name):
            _check_user_event(name)
        return USER_EVENT
    if _is_setting(name):
        return None
    found = SYSTEM_EVENTS.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise UsageError(
            f"there is no system event {name!r}: expected 'connect', 'connected' or 'disconnected'; any "
            f"other is a user event{did_you_mean(name, SYSTEM_EVENTS)}"
        )
    return found


def choice(name: str, value: str | None, choices: tuple[str, ...]) -> str | None:
    """Return the canonical spelling of one of ``choices``.

    Raises:
        UsageError: It is none of them.
    """
    if value is None:
        return None
    found = next((each for each in choices if each.lower() == str(value).lower()), None)
    if found is None:
        expected = ", ".join(repr(each) for each in choices)
        raise UsageError(f"{name} is {value!r}: expected one of {expected}{did_you_mean(value, choices)}")
    return found


def texts(name: str, values: Iterable[str] | None) -> list[str] | None:
    """Return a list of strings.

    Raises:
        UsageError: It is anything else, a single string included.
    """
    if values is None:
        return None
    items = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    if isinstance(values, str) or not all(isinstance(item, str) for item in items):
        raise UsageError(f"{name} is {values!r}: expected a list of strings")
    return items


def seconds(name: str, value: float | timedelta | None) -> float | None:
    """Return a duration in seconds.

    Raises:
        UsageError: It is no duration, or not above zero.
    """
    found = value.total_seconds() if isinstance(value, timedelta) else value
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < float("inf"):
        raise UsageError(f"{name} is {value!r}: expected seconds or a timedelta, above 0")
    return found


def _check_user_event(name: str) -> None:
    try:
        parse_event_name(name)
    except InvalidName as error:
        raise UsageError(f"{error}; or a setting, such as '%EventName%'") from None


def _is_setting(value: object) -> bool:
    return isinstance(value, str) and value.count("%") >= 2
