"""``webPubSubTrigger``: events of the service.

Source: extension spec, sections 1.1, 3.6 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from webpubsub.functions.host_json import decode_response, encode_request
from webpubsub.host.bindings.hub import parse_hub
from webpubsub.host.connections import DEFAULT_CONNECTION
from webpubsub.host.expressions import Template, expand_settings
from webpubsub.host.function import RETURN, Binding, Facilities, FunctionDefinition
from webpubsub.model.cloudevents import HttpAnswer, answer_of, build_answer, build_refusal
from webpubsub.model.errors import ConfigurationError, EventRefused
from webpubsub.model.events import (
    ConnectEventRequest,
    EventRequest,
    UserEventRequest,
    WebPubSubEventType,
)
from webpubsub.model.names import HubName

__all__ = ["ALL_PROTOCOLS", "AWAITED", "DONE", "EventKey", "WebPubSubTrigger"]

# Hub, event type, event name and client protocol, in lower case.
EventKey = tuple[str, str, str, str]

ALL_PROTOCOLS: Final = "all"
# Events whose answer somebody waits for; every other is answered with `DONE`, whatever the function does.
AWAITED: Final = (UserEventRequest, ConnectEventRequest)
DONE: Final = HttpAnswer(200)
_PROTOCOLS: Final = {"all", "webpubsub", "mqtt"}
# What the extension fills by the parameter's name; any other name gets nothing.
_MEMBERS: Final = {
    name.lower(): name
    for name in (
        "connectionContext",
        "data",
        "dataType",
        "claims",
        "query",
        "reason",
        "subprotocols",
        "clientCertificates",
    )
}


class WebPubSubTrigger:
    """Starts a function for one kind of event.

    Attributes:
        name: The binding's name.
        hub: The hub's name.
        event_type: ``system`` or ``user``.
        event_name: As written, settings replaced.
        key: What it is found by.
        validator: Checks origin and signature.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: A member is missing or unusable.
        """
        environment = facilities.environment
        self.name: str = binding["name"]
        hub = parse_hub(binding, environment)
        if isinstance(hub, Template):
            raise ConfigurationError(f"'hub' is '{hub.text}': a trigger's hub cannot have expressions")
        self.hub: HubName = hub
        self.event_type = _event_type(binding.get("eventType"))
        self.event_name = expand_settings(_text(binding, "eventName"), environment)
        protocol = _protocol(binding.get("clientProtocols"))
        self.key: EventKey = (hub, self.event_type.value, self.event_name.lower(), protocol)
        if any(other["name"] == RETURN for other in definition.bindings):
            raise ConfigurationError(
                f"the return value answers the event, so '{RETURN}' cannot be an output: name the output "
                "and make it a parameter"
            )
        self.validator = facilities.connections.validator(_connections(binding, facilities))
        self._make = _value_maker(self.name, binding.get("dataType"))
        self._is_typed = definition.is_typed(self.name)

    def value(self, source: EventRequest | None) -> object:
        """Return the request itself, or what the worker hands over; None for an unknown system event."""
        if self._is_typed or source is None:
            return source
        return self._make(source)

    def data(self, source: EventRequest | None) -> Mapping[str, Any]:
        """Return the members of the event's JSON form."""
        found: dict[str, Any] = {} if source is None else msgspec.json.decode(encode_request(source))
        return found

    def finish(self, result: Any, values: Mapping[str, Any], source: EventRequest | None) -> HttpAnswer:
        """Return the answer to the event; nobody waits for a result but connect and user events do.

        Raises:
            UsageError: What the function returned cannot answer the event.
        """
        if source is None or not isinstance(source, AWAITED):
            return DONE
        response = result if self._is_typed else decode_response(source, result)
        try:
            return build_answer(answer_of(source, response))
        except EventRefused as refused:
            return build_refusal(refused)


def _text(binding: Binding, member: str) -> str:
    value = binding.get(member)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"'{member}' is {value!r}: expected a name")
    return value


def _event_type(value: Any) -> WebPubSubEventType:
    try:
        return WebPubSubEventType(value)
    except ValueError:
        raise ConfigurationError(f"'eventType' is {value!r}: expected 'system' or 'user'") from None


def _protocol(value: Any) -> str:
    protocol = str(value or ALL_PROTOCOLS).lower()
    if protocol not in _PROTOCOLS:
        raise ConfigurationError(f"'clientProtocols' is {value!r}: expected 'all', 'webPubSub' or 'mqtt'")
    return protocol


def _connections(binding: Binding, facilities: Facilities) -> list[str]:
    names = binding.get("connections") or [name for name in [binding.get("connection")] if name]
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"'connections' is {names!r}: expected a list of setting names")
    if names:
        return list(names)
    return [DEFAULT_CONNECTION] if DEFAULT_CONNECTION in facilities.connections else []


def _value_maker(name: str, data_type: Any) -> Callable[[EventRequest], object]:
    """Return what turns an event into what the worker hands over for a parameter called ``name``."""
    is_binary = str(data_type or "").lower() == "binary"
    if name.lower() == "request":
        return _as(encode_request, is_binary)
    member = _MEMBERS.get(name.lower())
    if member is None:
        return lambda request: None
    if member == "data":
        return _message_bytes if is_binary else _message_text
    return _as(lambda request: _member_text(request, member), is_binary)


def _message_bytes(request: EventRequest) -> bytes | None:
    return request.payload.body if isinstance(request, UserEventRequest) else None


def _message_text(request: EventRequest) -> str | None:
    # As in Azure, binary data is damaged here: 'dataType: binary' is what keeps it.
    return request.payload.body.decode(errors="replace") if isinstance(request, UserEventRequest) else None


def _as(make: Callable[[EventRequest], str | None], is_binary: bool) -> Callable[[EventRequest], object]:
    if not is_binary:
        return make

    def encoded(request: EventRequest) -> bytes | None:
        text = make(request)
        return None if text is None else text.encode()

    return encoded


def _member_text(request: EventRequest, member: str) -> str | None:
    """Return one member of the request's JSON form: text as it is, anything else as JSON text."""
    members: Mapping[str, Any] = msgspec.json.decode(encode_request(request))
    value = members.get(member)
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
