"""Events as the host's JSON: what a trigger function is handed as ``request``.

Source: extension spec, sections 4.3 and 4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from webpubsub.functions.host_json.data_json import HostValue, decode_data, read
from webpubsub.model.errors import InvalidData, PeerError
from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    DisconnectedEventRequest,
    EventRequest,
    PreflightRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.http import SPELLINGS, Headers
from webpubsub.model.mqtt.mqtt_json import ConnectJson, DisconnectedJson
from webpubsub.model.mqtt_events import (
    MqttConnectedEventRequest,
    MqttConnectEventRequest,
    MqttConnectionContext,
    MqttDisconnectedEventRequest,
)
from webpubsub.model.names import ConnectionId, EventName, HubName, UserId
from webpubsub.model.states import STATE_HEADER, ConnectionStates

_Lists = dict[str, list[str]]


class _ContextJson(msgspec.Struct, rename="camel"):
    event_type: str | int
    event_name: str | None  # null in an HTTP function when its header is missing, and so the next two
    hub: str | None
    connection_id: str | None
    user_id: str | None = None
    signature: str | None = None
    origin: str | None = None
    states: dict[str, Any] | None = None
    headers: _Lists | None = None
    physical_connection_id: str | None = None  # of MQTT clients
    session_id: str | None = None


class _CertificateJson(msgspec.Struct):
    # The extension writes a capital T, the event protocol does not.
    capital: str | None = msgspec.field(name="Thumbprint", default=None)
    small: str | None = msgspec.field(name="thumbprint", default=None)
    content: str | None = None


class RequestJson(msgspec.Struct, rename="camel"):
    """The members of every kind of event."""

    connection_context: _ContextJson | None = None
    claims: _Lists | None = None
    query: _Lists | None = None
    headers: _Lists | None = None
    subprotocols: list[str] | None = None
    client_certificates: list[_CertificateJson] | None = None
    data: Any = None
    data_type: Any = None
    reason: str | None = None
    is_valid: bool | None = None
    mqtt: Any = None


def encode_request(request: EventRequest) -> str:
    """Return what an untyped function gets for ``request``: indented JSON.

    Binary data is shown as UTF-8 with replacement characters, as the extension does. Typed functions get
    the exact bytes.
    """
    return indented(request_members(request))


def indented(members: Any) -> str:
    """Return JSON text as the extension writes it for scripts."""
    return msgspec.json.format(msgspec.json.encode(members), indent=2).decode()


def decode_request(value: HostValue) -> EventRequest:
    """Read the event of a trigger.

    Raises:
        PeerError: It is no event of Web PubSub.
    """
    if isinstance(value, EventRequest):
        return value
    request = request_of(read("request", value, RequestJson))
    if not isinstance(request, EventRequest):
        raise PeerError(
            "the host's value of 'request' is no event: expected connect, connected, "
            "disconnected or a user event"
        )
    return request


def request_members(request: EventRequest | PreflightRequest) -> dict[str, Any]:
    """Return the members of a request."""
    if isinstance(request, PreflightRequest):
        return {"isValid": request.is_valid, "connectionContext": None}
    return {**_event_members(request), "connectionContext": _context_members(request.connection_context)}


def _event_members(request: EventRequest) -> dict[str, Any]:
    match request:
        case MqttConnectEventRequest():
            return {"mqtt": ConnectJson.of(request.mqtt), **_connect_members(request)}
        case ConnectEventRequest():
            return _connect_members(request)
        case UserEventRequest():
            text = request.payload.body.decode(errors="replace")
            return {"data": text, "dataType": request.data_type.capitalize()}
        case MqttDisconnectedEventRequest():
            return {"mqtt": DisconnectedJson.of(request.mqtt), "reason": request.reason}
        case DisconnectedEventRequest():
            return {"reason": request.reason}
        case _:
            return {}


def _connect_members(request: ConnectEventRequest) -> dict[str, Any]:
    return {
        "claims": lists(request.claims),
        "query": lists(request.query),
        "headers": lists(request.headers),
        "subprotocols": list(request.subprotocols),
        "clientCertificates": [
            {"Thumbprint": certificate.thumbprint, "content": certificate.content}
            for certificate in request.client_certificates
        ],
    }


def _context_members(context: WebPubSubConnectionContext) -> dict[str, Any]:
    mqtt = {}
    if isinstance(context, MqttConnectionContext):
        mqtt = {"physicalConnectionId": context.physical_connection_id, "sessionId": context.session_id}
    return mqtt | {
        "eventType": context.event_type.capitalize(),
        "eventName": context.event_name or None,
        "hub": context.hub or None,
        "connectionId": context.connection_id or None,
        "userId": context.user_id,
        "signature": context.signature,
        "origin": context.origin,
        "states": context.states.raw,
        "headers": {SPELLINGS.get(name, name): list(values) for name, values in context.headers.items()},
    }


def lists(values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return headers, claims or query as plain lists."""
    return {name: list(items) for name, items in values.items()}


def request_of(found: RequestJson) -> EventRequest | PreflightRequest | None:
    """Return the request of its JSON; None for a system event this version does not know."""
    if found.connection_context is None:
        return None if found.is_valid is None else PreflightRequest(found.is_valid)
    context = _context_of(found.connection_context)
    if context.event_type is WebPubSubEventType.USER:
        return _user_event(context, found)
    make = _SYSTEM_EVENTS.get(context.event_name.lower())
    return None if make is None else make(context, found)


def _user_event(context: WebPubSubConnectionContext, found: RequestJson) -> UserEventRequest:
    data = "" if found.data is None else found.data
    try:
        return UserEventRequest(context, decode_data(data, found.data_type, text_as_binary=True))
    except InvalidData as error:
        raise PeerError(f"the host's value of 'request' cannot be read: {error}") from error


def _connect(context: WebPubSubConnectionContext, found: RequestJson) -> ConnectEventRequest:
    members: dict[str, Any] = {
        "claims": found.claims or {},
        "query": found.query or {},
        "headers": found.headers or {},
        "subprotocols": found.subprotocols or [],
        "client_certificates": [
            ClientCertificate(certificate.capital or certificate.small or "", certificate.content)
            for certificate in found.client_certificates or []
        ],
    }
    if isinstance(context, MqttConnectionContext):
        mqtt = read("request", found.mqtt, ConnectJson).value
        return MqttConnectEventRequest(connection_context=context, mqtt=mqtt, **members)
    return ConnectEventRequest(context, **members)


def _connected(context: WebPubSubConnectionContext, _found: RequestJson) -> ConnectedEventRequest:
    if isinstance(context, MqttConnectionContext):
        return MqttConnectedEventRequest(context)
    return ConnectedEventRequest(context)


def _disconnected(context: WebPubSubConnectionContext, found: RequestJson) -> DisconnectedEventRequest:
    reason = found.reason or ""
    if isinstance(context, MqttConnectionContext):
        mqtt = read("request", found.mqtt or {}, DisconnectedJson).value
        return MqttDisconnectedEventRequest(connection_context=context, reason=reason, mqtt=mqtt)
    return DisconnectedEventRequest(context, reason)


_SYSTEM_EVENTS: Final[Mapping[str, Callable[[WebPubSubConnectionContext, RequestJson], EventRequest]]] = {
    "connect": _connect,
    "connected": _connected,
    "disconnected": _disconnected,
}


def _context_of(found: _ContextJson) -> WebPubSubConnectionContext:
    headers = Headers(
        [
            (name.lower().encode("latin-1", "replace"), value.encode())
            for name, values in (found.headers or {}).items()
            for value in values
        ]
    )
    event_id = _first(headers, "ce-id") or ""
    context = WebPubSubConnectionContext(
        event_type=_event_type(found.event_type),
        event_name=EventName(found.event_name or ""),
        hub=HubName(found.hub or ""),
        connection_id=ConnectionId(found.connection_id or ""),
        user_id=None if found.user_id is None else UserId(found.user_id),
        signature=found.signature,
        origin=found.origin,
        states=_states_of(found.states, headers),
        headers=headers,
        subprotocol=_first(headers, "ce-subprotocol"),
        event_id=int(event_id) if event_id.isdecimal() and len(event_id) < 20 else 0,
    )
    if found.physical_connection_id is None:
        return context
    return MqttConnectionContext.of(context, found.physical_connection_id, found.session_id)


def _states_of(states: dict[str, Any] | None, headers: Mapping[str, Sequence[str]]) -> ConnectionStates:
    # The header is what the service will be sent back, in whatever format it was written.
    header = _first(headers, STATE_HEADER)
    return ConnectionStates(header) if header is not None else ConnectionStates.of(states or {})


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = headers.get(name)
    return values[0] if values else None


# .NET numbers its enums.
_EVENT_TYPES: Final[dict[Any, str]] = {0: "system", 1: "user"}


def _event_type(value: str | int) -> WebPubSubEventType:
    try:
        return WebPubSubEventType(_EVENT_TYPES.get(value) or str(value))
    except ValueError:
        raise PeerError(
            f"the host's value of 'request' has the eventType {value!r}: expected 'system' or 'user'"
        ) from None
