"""Actions as JSON: what a webPubSub output binding carries.

Source: extension spec, section 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from webpubsub.functions.did_you_mean import camel_case, did_you_mean
from webpubsub.functions.host_json.data_json import decode_data, encode_data
from webpubsub.model.actions import ACTIONS, Action, SendAction, WebPubSubPermission, parse_permission
from webpubsub.model.errors import UsageError
from webpubsub.model.payload import MALFORMED_JSON

# The attributes of each action with the names they have in JSON, in the extension's order.
_MEMBERS: Final = {
    action: {name: camel_case(name) for name in action.__struct_fields__} for action in ACTIONS.values()
}
_BY_LOWER_NAME: Final = {name.lower(): action for name, action in ACTIONS.items()}


# --- writing --------------------------------------------------------------------------------------------


def encode_actions(actions: Iterable[Action]) -> str:
    """Return the text of a JSON list of actions, as the extension takes it from an output.

    Example:
        >>> encode_actions([SendToGroupAction("g", b"hi")])
        '[{"actionName":"sendToGroup","group":"g","data":{"type":"Buffer","data":[104,105]},"dataType":"binary"}]'
    """
    return msgspec.json.encode([_members_of(action) for action in actions]).decode()


def _members_of(action: Action) -> dict[str, Any]:
    members: dict[str, Any] = {"actionName": action.action_name}
    for attribute, member in _MEMBERS[type(action)].items():
        value = getattr(action, attribute)
        if value is not None and value != ():
            members[member] = value
    if isinstance(action, SendAction):
        members["data"] = encode_data(action.payload)
    return members


# --- reading --------------------------------------------------------------------------------------------


def decode_actions(value: Any) -> list[Action]:
    """Return the actions of whatever was set on an output.

    Args:
        value: An action, a dict in the extension's form, JSON text of one or of a list, or a list of those;
            None is no action.

    Raises:
        UsageError: One of them is no action; its index and name are in the text.

    Example:
        >>> decode_actions('{"actionName": "SendToAll", "data": "hi"}')[0].data
        'hi'
    """
    return list(read_actions(value))


def read_actions(value: Any) -> Iterator[Action]:
    """Yield the actions of `decode_actions` one by one, so that those before a mistake can be performed.

    Raises:
        UsageError: As `decode_actions`, when the mistake is reached.
    """
    try:
        for index, item in enumerate(_items(value)):
            yield _action(index, item)
    except RecursionError:
        raise UsageError(f"the list set on the output is nested too deep: {_EXPECTED}") from None


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, str | bytes | bytearray):
        value = _parsed(value)
    if isinstance(value, list | tuple):
        for element in value:
            yield from _items(element)
    elif value is not None:
        yield value


def _parsed(text: str | bytes | bytearray) -> Any:
    try:
        value = msgspec.json.decode(text)
    except MALFORMED_JSON as error:
        raise UsageError(f"the text set on the output is not JSON: {error}; {_EXPECTED}") from None
    if not isinstance(value, dict | list):
        raise UsageError(f"the text set on the output is the JSON of {value!r}: {_EXPECTED}")
    return value


_EXPECTED: Final = "expected actions, such as SendToAllAction('hi'), or their JSON objects"


def _action(index: int, item: Any) -> Action:
    if isinstance(item, Action):
        return item
    if not isinstance(item, Mapping):
        raise UsageError(f"actions[{index}] is {item!r} ({type(item).__name__}): {_EXPECTED}")
    members = {str(name).lower(): value for name, value in item.items()}
    action = _class_of(index, members.get("actionname"))
    try:
        return action(**_arguments(action, members))
    except UsageError as error:
        raise UsageError(f"actions[{index}] ({action.action_name}): {error}") from error


def _class_of(index: int, name: Any) -> type[Action]:
    action = _BY_LOWER_NAME.get(name.lower()) if isinstance(name, str) else None
    if action is not None:
        return action
    if name is None:
        raise UsageError(f"actions[{index}] has no 'actionName': expected one of {', '.join(ACTIONS)}")
    raise UsageError(
        f"actions[{index}] has the actionName {name!r}: expected one of {', '.join(ACTIONS)}"
        f"{did_you_mean(name, ACTIONS)}"
    )


def _arguments(action: type[Action], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments; `decode_data` reads the two members of a message together."""
    arguments: dict[str, Any] = {}
    for attribute, member in _MEMBERS[action].items():
        if attribute == "data":
            arguments["data"] = decode_data(members.get("data"), members.get("datatype"))
        elif attribute != "data_type":
            arguments[attribute] = _READERS[attribute](member, members.get(member.lower()))
    return arguments


def _required(member: str, value: Any) -> str:
    if value is None:
        raise UsageError(f"'{member}' is missing")
    if not isinstance(value, str):
        raise UsageError(f"'{member}' is {value!r}: expected a string")
    return value


def _optional(member: str, value: Any) -> str | None:
    return None if value is None else _required(member, value)


def _excluded(_member: str, value: Any) -> Any:
    return () if value is None else value


def _groups(member: str, value: Any) -> Any:
    if value is None:
        raise UsageError(f"'{member}' is missing: expected a list of group names")
    return value


def _as_it_is(_member: str, value: Any) -> Any:
    return value  # the action checks it


def _permission(member: str, value: Any) -> WebPubSubPermission:
    if value is None:
        raise UsageError(f"'{member}' is missing: expected 'sendToGroup' or 'joinLeaveGroup'")
    return parse_permission(value)


_READERS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "group": _required,
    "user_id": _required,
    "connection_id": _required,
    "target_name": _required,
    "permission": _permission,
    "excluded": _excluded,
    "reason": _optional,
    "groups": _groups,
    "filter": _optional,
    "message_ttl_seconds": _as_it_is,
    "metadata": _as_it_is,
}
