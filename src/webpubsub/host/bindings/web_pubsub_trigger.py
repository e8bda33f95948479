"""``webPubSubTrigger``: events of the service.

Source: extension spec, sections 1.1, 3.6 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from webpubsub.functions.binding_members import is_binary, read_member
from webpubsub.functions.did_you_mean import did_you_mean, listed
from webpubsub.functions.host_json import decode_response, encode_request
from webpubsub.functions.host_json.request_json import indented, request_members
from webpubsub.host.bindings.members import as_data_type, parse_connection_names, parse_hub
from webpubsub.host.expressions import BindingData, BodyTooLong, Template, expand_settings, json_members
from webpubsub.host.function import RETURN, Binding, Facilities, FunctionDefinition
from webpubsub.model.cloudevents import answer_of, build_answer, build_refusal, build_text_answer
from webpubsub.model.errors import ConfigurationError, EventRefused
from webpubsub.model.events import (
    ConnectEventRequest,
    DisconnectedEventRequest,
    EventRequest,
    UserEventRequest,
    WebPubSubEventType,
)
from webpubsub.model.http import HttpAnswer
from webpubsub.model.names import HubName
from webpubsub.model.ports import EventAnswer

# Hub, event type, event name and client protocol, in lower case.
EventKey = tuple[str, str, str, str]

ALL_PROTOCOLS: Final = "all"
# Events whose answer somebody waits for; every other is answered with `DONE`, whatever the function does.
AWAITED: Final = (UserEventRequest, ConnectEventRequest)
DONE: Final = HttpAnswer(200)
_NOTHING: Final = build_answer(EventAnswer())
_GROUP_PRESENCE: Final = {"grouppresence", "2"}

Make = Callable[[EventRequest], str | None] | Callable[[EventRequest], bytes | None]


class WebPubSubTrigger:
    """Starts a function for one kind of event.

    Attributes:
        name: The binding's name.
        hub: The hub's name.
        event_type: ``system`` or ``user``.
        event_name: As written, settings replaced.
        key: What it is found by.
        validator: Checks origin and signature.
        takes_source: See `Trigger`.
        warnings: What runs, but does not do what its author meant.
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
        self.event_type = _event_type(binding)
        self.event_name = expand_settings(read_member(binding, "eventName"), environment)
        protocol = read_member(binding, "clientProtocols").lower()
        self.key: EventKey = (hub, self.event_type.value, self.event_name.lower(), protocol)
        if any(other["name"] == RETURN for other in definition.bindings):
            raise ConfigurationError(
                f"the return value answers the event, so '{RETURN}' cannot be an output: name the output "
                "and make it a parameter"
            )
        self.validator = facilities.connections.validator(
            parse_connection_names(binding, facilities.connections)
        )
        self._make = event_parameter(binding)
        self._max_body = facilities.max_expression_body_bytes
        adapter = definition.adapter
        self._is_typed = self.takes_source = definition.is_typed(self.name)
        self._read = adapter.read_answer if adapter is not None and self._is_typed else decode_response
        problem = None if self._is_typed else name_problem(self.name)
        self.warnings = () if problem is None else (problem,)

    def value(self, source: EventRequest | None) -> object:
        """Return the request itself, or what the worker hands over; None for an unknown system event."""
        if self._is_typed or source is None:
            return source
        return self._make(source)

    def data(self, source: EventRequest | None) -> Mapping[str, Any]:
        """Return the members of the event's JSON form, by name and together as ``request``.

        A parameter that gets JSON, as ``connectionContext`` and the ``data`` of JSON messages do, adds the
        members of that. Like the body of a request, one over the limit is not decoded, and all of its names
        raise `BodyTooLong`.
        """
        return {} if source is None else BindingData({}, partial(self._members, source))

    def _members(self, source: EventRequest) -> Mapping[str, Any]:
        if isinstance(source, UserEventRequest) and len(source.payload.body) > self._max_body:
            raise BodyTooLong(self._max_body)
        members = msgspec.json.decode(encode_request(source))
        found = {name.lower(): value for name, value in members.items() if value is not None}
        own = self._make(source)
        return found | {"request": members} | (json_members(own) if isinstance(own, str) else {})

    def finish(self, result: Any, values: Mapping[str, Any], source: EventRequest | None) -> HttpAnswer:
        """Return the answer to the event; nobody waits for a result but connect and user events do.

        Raises:
            UsageError: What the function returned cannot answer the event.
        """
        if source is None or not isinstance(source, AWAITED):
            if self._is_typed:
                self._read(source, result)  # refuses an answer that nobody waits for
            return DONE
        if isinstance(source, UserEventRequest):
            if result is None and source.connection_context.states.header is None:
                return _NOTHING
            answer = build_text_answer(source, result) if isinstance(result, str) else None
            if answer is not None:
                return answer
        try:
            return build_answer(answer_of(source, self._read(source, result)))
        except EventRefused as refused:
            return build_refusal(refused)


def _event_type(binding: Binding) -> WebPubSubEventType:
    try:
        return WebPubSubEventType(read_member(binding, "eventType"))
    except ConfigurationError as error:
        if str(binding.get("eventType")).lower() not in _GROUP_PRESENCE:
            raise
        raise ConfigurationError(
            f"{error}; group presence comes as the user events 'joined' and 'left', and only the header "
            "'ce-type', 'azure.webpubsub.gp.joined', tells it from a client's own event"
        ) from None


def event_parameter(binding: Binding) -> Make:
    """Return what makes the value of a trigger's parameter; a name nobody knows, in any case, gets None."""
    name = binding["name"].lower()
    if name == "data" and is_binary(binding):
        return _message_bytes
    return as_data_type(binding, _MAKERS.get(name, _nothing))


def name_problem(name: str) -> str | None:
    """Return why a parameter called ``name`` never gets a value, or None when it does."""
    if name.lower() in _MAKERS:
        return None
    return (
        f"parameter '{name}' is always None: the extension fills {listed(_NAMES)} only; call it 'request' to "
        f"get the whole event{did_you_mean(name, _NAMES)}"
    )


def _message_bytes(request: EventRequest) -> bytes | None:
    return request.payload.body if isinstance(request, UserEventRequest) else None


def _message_text(request: EventRequest) -> str | None:
    # As in Azure, binary data is damaged here: 'dataType: binary' is what keeps it.
    return request.payload.body.decode(errors="replace") if isinstance(request, UserEventRequest) else None


def _data_type(request: EventRequest) -> str:
    return request.data_type.capitalize() if isinstance(request, UserEventRequest) else "Text"


def _reason(request: EventRequest) -> str | None:
    return request.reason if isinstance(request, DisconnectedEventRequest) else None


def _member(name: str) -> Callable[[EventRequest], str | None]:
    def json_text(request: EventRequest) -> str | None:
        value = request_members(request).get(name)
        return None if value is None else indented(value)

    return json_text


def _nothing(_request: EventRequest) -> None:
    return None


_TEXTS: Final[dict[str, Callable[[EventRequest], str | None]]] = {
    "request": encode_request,
    "connectionContext": _member("connectionContext"),
    "data": _message_text,
    "dataType": _data_type,
    "claims": _member("claims"),
    "query": _member("query"),
    "subprotocols": _member("subprotocols"),
    "clientCertificates": _member("clientCertificates"),
    "reason": _reason,
}
_NAMES: Final = tuple(_TEXTS)
_MAKERS: Final = {name.lower(): make for name, make in _TEXTS.items()}
