"""JSON bodies of the event protocol: system and presence events, and the answers to connect; MQTT's too.

The service writes what the host reads and the other way round, so both directions stand together.

Source: extension spec, sections 3.8, 4.4 and 5.2; service spec, sections D.4, D.5, D.8 and D.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    PresenceEventRequest,
    WebPubSubConnectionContext,
)
from webpubsub.model.mqtt.mqtt import MqttConnectEventErrorResponse, MqttEventErrorResponse
from webpubsub.model.mqtt.mqtt_json import AcceptedJson, ConnectJson, DisconnectedJson, ErrorJson
from webpubsub.model.mqtt_events import (
    MqttConnectedEventRequest,
    MqttConnectEventRequest,
    MqttConnectEventResponse,
    MqttConnectionContext,
    MqttDisconnectedEventRequest,
    code_of_status,
    code_of_version,
)
from webpubsub.model.payload import MALFORMED_JSON


class _ConnectBody(msgspec.Struct, rename="camel"):
    claims: dict[str, list[str]] | None = None
    query: dict[str, list[str]] | None = None
    headers: dict[str, list[str]] | None = None
    subprotocols: list[str] | None = None
    client_certificates: list[ClientCertificate] | None = None


class _MqttConnectBody(_ConnectBody, rename="camel", kw_only=True):
    mqtt: ConnectJson


class _DisconnectedBody(msgspec.Struct):
    reason: str | None = None


class _MqttDisconnectedBody(_DisconnectedBody):
    mqtt: DisconnectedJson = msgspec.field(default_factory=DisconnectedJson)


class _GroupBody(msgspec.Struct):
    group: str


_connect_body: Final = msgspec.json.Decoder(_ConnectBody)
_mqtt_connect_body: Final = msgspec.json.Decoder(_MqttConnectBody)
_disconnected_body: Final = msgspec.json.Decoder(_DisconnectedBody)
_mqtt_disconnected_body: Final = msgspec.json.Decoder(_MqttDisconnectedBody)


# --- connect ------------------------------------------------------------------------------------------


def _parse_connect(context: WebPubSubConnectionContext, body: bytes) -> ConnectEventRequest:
    if isinstance(context, MqttConnectionContext):
        found = _mqtt_connect_body.decode(body)
        return MqttConnectEventRequest(
            connection_context=context, mqtt=found.mqtt.value, **_connect_members(found)
        )
    return ConnectEventRequest(context, **_connect_members(_connect_body.decode(body)))


def _connect_members(found: _ConnectBody) -> dict[str, Any]:
    return {
        "claims": found.claims or {},
        "query": found.query or {},
        "headers": found.headers or {},
        "subprotocols": found.subprotocols or [],
        "client_certificates": found.client_certificates or [],
    }


def _build_connect(request: ConnectEventRequest) -> _ConnectBody:
    members: dict[str, Any] = {
        "claims": _lists(request.claims),
        "query": _lists(request.query),
        "headers": _lists(request.headers),
        "subprotocols": list(request.subprotocols),
        "client_certificates": list(request.client_certificates),
    }
    if isinstance(request, MqttConnectEventRequest):
        return _MqttConnectBody(**members, mqtt=ConnectJson.of(request.mqtt))
    return _ConnectBody(**members)


def _lists(values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(items) for name, items in values.items()}


# --- connected, disconnected --------------------------------------------------------------------------


def _parse_connected(context: WebPubSubConnectionContext, _body: bytes) -> ConnectedEventRequest:
    if isinstance(context, MqttConnectionContext):
        return MqttConnectedEventRequest(context)
    return ConnectedEventRequest(context)


def _parse_disconnected(context: WebPubSubConnectionContext, body: bytes) -> DisconnectedEventRequest:
    if isinstance(context, MqttConnectionContext):
        found = _mqtt_disconnected_body.decode(body)
        return MqttDisconnectedEventRequest(
            connection_context=context, reason=found.reason or "", mqtt=found.mqtt.value
        )
    return DisconnectedEventRequest(context, _disconnected_body.decode(body).reason or "")


def _build_disconnected(request: DisconnectedEventRequest) -> _DisconnectedBody:
    if isinstance(request, MqttDisconnectedEventRequest):
        return _MqttDisconnectedBody(request.reason, DisconnectedJson.of(request.mqtt))
    return _DisconnectedBody(request.reason)


SYSTEM_EVENTS: Final[Mapping[str, Callable[[WebPubSubConnectionContext, bytes], EventRequest]]] = {
    "connect": _parse_connect,
    "connected": _parse_connected,
    "disconnected": _parse_disconnected,
}


def build_system_event(request: EventRequest) -> bytes:
    """Return the body of a system or presence event."""
    match request:
        case ConnectEventRequest():
            return msgspec.json.encode(_build_connect(request))
        case DisconnectedEventRequest():
            return msgspec.json.encode(_build_disconnected(request))
        case PresenceEventRequest():
            return msgspec.json.encode(_GroupBody(request.group))
        case _:
            return b"{}"


# --- the answer to connect ----------------------------------------------------------------------------


class _Accepted(msgspec.Struct, rename="camel"):
    user_id: str | None = None
    groups: list[str] | None = None
    subprotocol: str | None = None
    roles: list[str] | None = None


class _MqttAccepted(msgspec.Struct, rename="camel"):
    # In this order, as the extension writes them.
    mqtt: AcceptedJson | None = None
    user_id: str | None = None
    groups: list[str] | None = None
    subprotocol: str | None = None
    roles: list[str] | None = None


class _Error(msgspec.Struct):
    mqtt: ErrorJson


_accepted: Final = msgspec.json.Decoder(_Accepted | None)
_mqtt_accepted: Final = msgspec.json.Decoder(_MqttAccepted | None)
_error: Final = msgspec.json.Decoder(_Error)


def parse_accepted(request: ConnectEventRequest, body: bytes) -> ConnectEventResponse | None:
    """Read the answer that accepts a client; None for a body that says nothing.

    Raises:
        msgspec.DecodeError: The body is not what it should be; see `MALFORMED_JSON`.
    """
    if not isinstance(request, MqttConnectEventRequest):
        found = _accepted.decode(body)
        return None if found is None else ConnectEventResponse(**msgspec.structs.asdict(found))
    mqtt_found = _mqtt_accepted.decode(body)
    if mqtt_found is None:
        return None
    properties = mqtt_found.mqtt and mqtt_found.mqtt.user_properties
    return MqttConnectEventResponse(
        user_id=mqtt_found.user_id,
        groups=mqtt_found.groups,
        roles=mqtt_found.roles,
        user_properties=properties or (),
    )


def build_accepted(response: ConnectEventResponse) -> bytes:
    """Return the body of the answer that accepts a client, nulls included."""
    members: dict[str, Any] = {
        "user_id": response.user_id,
        "groups": None if response.groups is None else list(response.groups),
        "subprotocol": response.subprotocol,
        "roles": None if response.roles is None else list(response.roles),
    }
    if isinstance(response, MqttConnectEventResponse):
        return msgspec.json.encode(_MqttAccepted(AcceptedJson.of(response.user_properties), **members))
    return msgspec.json.encode(_Accepted(**members))


def parse_error(request: MqttConnectEventRequest, status: int, body: bytes) -> MqttConnectEventErrorResponse:
    """Read the answer that refuses an MQTT client; a body that cannot be read leaves the status to tell."""
    version = request.mqtt.protocol_version
    try:
        found = _error.decode(body).mqtt
    except MALFORMED_JSON:
        return MqttConnectEventErrorResponse(code_of_status(version, status))
    code = code_of_version(version, found.code)
    return MqttConnectEventErrorResponse(code, found.reason, found.user_properties or ())


def build_error(error: MqttEventErrorResponse) -> bytes:
    """Return the body of the answer that refuses an MQTT client, or its event."""
    return msgspec.json.encode(_Error(ErrorJson.of(error)))
