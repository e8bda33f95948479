"""The actions that send a message, and what all actions have in common.

A message may be for some connections only (``filter``), be of use for a while only
(``message_ttl_seconds``), and carry facts beside its data (``metadata``). The extension on Azure knows
none of the three: it sends to everybody, for ever, without metadata.

Source: extension spec, section 8; service spec, sections A.3, A.4 and C.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, TypedDict

import msgspec

from webpubsub.model.errors import InvalidName
from webpubsub.model.metadata import Metadata, check_metadata
from webpubsub.model.names import PLAIN_GROUP, parse_connection_id, parse_group_name, parse_user_id
from webpubsub.model.payload import Data, Payload, WebPubSubDataType

MAX_TTL_SECONDS: Final = 300


class SendOptions(TypedDict, total=False):
    """What every send may have, as keyword arguments; see `SendAction`."""

    message_ttl_seconds: int | None
    metadata: Metadata | None


class Action(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Base of all actions.

    Attributes:
        action_name: The extension's name of the action, e.g. ``sendToAll``.
    """

    action_name: ClassVar[str]


class SendAction(Action, frozen=True, kw_only=True, dict=True):
    """Base of the four actions that send a message.

    Their ``data`` is a Python value: ``str`` is sent as text, ``bytes`` as binary, any other value as its
    JSON; ``data_type`` overrides that. Read back, JSON is a `Payload`: its exact bytes.

    Attributes:
        message_ttl_seconds: A client that takes longer than these 1 to 300 seconds to get the message does
            not get it; 0 and None set no limit.
        metadata: Facts beside the data, shown to clients of the JSON and protobuf subprotocols.
    """

    message_ttl_seconds: int | None = None
    metadata: Metadata | None = None

    def __post_init__(self) -> None:
        message = self._message
        payload = Payload.of(message.data, message.data_type)
        data: Data = payload
        if payload.data_type is not WebPubSubDataType.JSON:
            data = payload.value
        elif payload is message.data:
            payload.check()
        _set_field(self, "data", data)
        _set_field(self, "data_type", payload.data_type)
        self.__dict__["payload"] = payload
        if self.message_ttl_seconds is not None:
            _check_ttl(self.message_ttl_seconds)
        if self.metadata is not None:
            set_fields(self, metadata=_checked_metadata(self.metadata))

    @cached_property
    def payload(self) -> Payload:
        """The exact bytes to send; made once, with the action."""
        return Payload.of(self._message.data)

    @property
    def _message(self) -> SendToAllAction:
        # Each subclass declares `data` and `data_type` itself, after the target that comes first in its
        # constructor; this tells the type checker that they all have them.
        return self  # type: ignore[return-value]


class SendToAllAction(SendAction, frozen=True):
    """Send a message to every connection of the hub that ``filter`` selects, except ``excluded``.

    Raises:
        InvalidData: ``data`` cannot be sent as ``data_type``.
        InvalidName: An option is outside its rules.

    Example:
        >>> SendToAllAction("hi", excluded=["c1"]).payload.body
        b'hi'
    """

    action_name = "sendToAll"
    data: Data
    data_type: WebPubSubDataType | str | None = None
    excluded: Iterable[str] = ()
    filter: str | None = None

    def __post_init__(self) -> None:
        SendAction.__post_init__(self)
        if self.excluded != () or self.filter is not None:
            _check_choice(self)


class SendToGroupAction(SendAction, frozen=True):
    """Send a message to every connection of a group that ``filter`` selects, except ``excluded``.

    Raises:
        InvalidName: ``group`` is not a group name, or an option is outside its rules.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToGroup"
    group: str
    data: Data
    data_type: WebPubSubDataType | str | None = None
    excluded: Iterable[str] = ()
    filter: str | None = None

    def __post_init__(self) -> None:
        SendAction.__post_init__(self)
        if self.excluded != () or self.filter is not None:
            _check_choice(self)
        if not (isinstance(self.group, str) and PLAIN_GROUP.fullmatch(self.group)):
            parse_group_name(self.group)


class SendToUserAction(SendAction, frozen=True):
    """Send a message to every connection of a user that ``filter`` selects.

    Raises:
        InvalidName: ``user_id`` is blank, or an option is outside its rules.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToUser"
    user_id: str
    data: Data
    data_type: WebPubSubDataType | str | None = None
    filter: str | None = None

    def __post_init__(self) -> None:
        parse_user_id(self.user_id)
        SendAction.__post_init__(self)
        _set_field(self, "filter", filter_text(self.filter))


class SendToConnectionAction(SendAction, frozen=True):
    """Send a message to one connection.

    Raises:
        InvalidName: ``connection_id`` is blank, or an option is outside its rules.
        InvalidData: ``data`` cannot be sent as ``data_type``.
    """

    action_name = "sendToConnection"
    connection_id: str
    data: Data
    data_type: WebPubSubDataType | str | None = None

    def __post_init__(self) -> None:
        parse_connection_id(self.connection_id)
        SendAction.__post_init__(self)


def _check_choice(action: SendToAllAction | SendToGroupAction) -> None:
    if action.excluded != ():
        _set_field(action, "excluded", texts_of("excluded", action.excluded))
    if action.filter is not None:
        _set_field(action, "filter", filter_text(action.filter))


# --- what fields of actions are made of ---------------------------------------------------------------


_set_field: Final = msgspec.structs.force_setattr


def set_fields(action: Action, **values: Any) -> None:
    """Normalise fields of a frozen action while it is being made."""
    for name, value in values.items():
        _set_field(action, name, value)


_SINGULAR: Final = {"excluded": "connection id", "groups": "group name"}


def texts_of(name: str, found: object) -> tuple[str, ...]:
    """Return a list of names; one name alone is a slip.

    Raises:
        InvalidName: It is no list, or has something else than strings in it.
    """
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise InvalidName(name, found, f"a list of {_SINGULAR[name]}s")
    items = tuple(found)
    for item in items:
        if not isinstance(item, str):
            raise InvalidName(name, item, f"a {_SINGULAR[name]}")
    return items


def filter_text(found: object) -> str | None:
    """Return an OData filter as it is: the service reads it; an empty one is none.

    Raises:
        InvalidName: It is no text.
    """
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise InvalidName("filter", found, "an OData filter such as \"userId eq 'alice'\"")
    return found


def _check_ttl(found: object) -> None:
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_TTL_SECONDS:
        raise InvalidName("messageTtlSeconds", found, f"a whole number from 0 to {MAX_TTL_SECONDS}")


def _checked_metadata(found: object) -> Metadata | None:
    items = found.items() if isinstance(found, Mapping) else [(None, None)]
    if not all(isinstance(text, str) for item in items for text in item):
        raise InvalidName("metadata", found, "names with texts, such as {'trace': '1'}")
    metadata = dict(items)
    check_metadata(metadata)
    return metadata or None
