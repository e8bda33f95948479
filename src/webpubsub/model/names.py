"""Names of the things in a Web PubSub service, and the rules they obey.

All five are plain strings at run time; the types keep them from being swapped. Each ``parse_*``
function is the one place where a foreign string becomes a name; nothing behind it checks again.

Source: data-plane REST API 2024-12-01, path parameters.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from webpubsub.model.errors import InvalidName

HubName = NewType("HubName", str)
GroupName = NewType("GroupName", str)
UserId = NewType("UserId", str)
ConnectionId = NewType("ConnectionId", str)
EventName = NewType("EventName", str)

MAX_GROUP_LENGTH: Final = 1024

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_HUB = re.compile(r"[A-Za-z][A-Za-z0-9_`,.\[\]]{0,127}")
_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")


def parse_hub_name(value: str) -> HubName:
    """Return the canonical (lower-case) hub name; hubs are case-insensitive.

    Raises:
        InvalidName: ``value`` is outside the hub pattern.

    Example:
        >>> parse_hub_name("Sample_FuncChat")
        'sample_funcchat'
    """
    if not isinstance(value, str) or not _HUB.fullmatch(value):
        raise InvalidName("hub", value, "a letter, then up to 127 letters, digits, or any of _ ` , . [ ]")
    return HubName(value.lower())


PLAIN_GROUP: Final = re.compile(r"[!-~][ -~]{0,1023}")
"""Group names as most are: what it matches whole is one, and `parse_group_name` need not be asked."""


def parse_group_name(value: str) -> GroupName:
    """Return the group name as it is; groups are case-sensitive.

    Raises:
        InvalidName: ``value`` is empty, only white space, or longer than 1,024 characters.
    """
    if not _is_name(value) or len(value) > MAX_GROUP_LENGTH:
        raise InvalidName("group", value, f"1 to {MAX_GROUP_LENGTH} characters, not only white space")
    return GroupName(value)


def parse_connection_id(value: str) -> ConnectionId:
    """Return the connection id as it is.

    Raises:
        InvalidName: ``value`` is empty or only white space.
    """
    if not _is_name(value):
        raise InvalidName("connection", value, "at least one character that is not white space")
    return ConnectionId(value)


def parse_user_id(value: str) -> UserId:
    """Return the user id as it is, when used as a REST target.

    Raises:
        InvalidName: ``value`` is empty or only white space.
    """
    if not _is_name(value):
        raise InvalidName("user", value, "at least one character that is not white space")
    return UserId(value)


def parse_event_name(value: str) -> EventName:
    """Return the user event name as it is.

    Raises:
        InvalidName: ``value`` is outside the event pattern.
    """
    if not isinstance(value, str) or not _EVENT.fullmatch(value):
        raise InvalidName("event", value, "a letter, then up to 127 letters, digits, or any of _ . -")
    return EventName(value)


def _is_name(value: object) -> bool:
    # A lone surrogate has no UTF-8 form, so a name with one could not be written on any wire.
    return (
        isinstance(value, str)
        and bool(value)
        and not value.isspace()
        and (value.isascii() or not _LONE_SURROGATE.search(value))
    )
