"""Events that the tests of the bindings share: the host's literal JSON and the values it stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from webpubsub.functions.host_json.trigger_bytes import TriggerBytes
from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    DisconnectedEventRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.mqtt.mqtt import (
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttDisconnectPacketProperties,
    MqttUserProperty,
)
from webpubsub.model.mqtt.mqtt_codes import MqttProtocolVersion
from webpubsub.model.mqtt_events import (
    MqttConnectedEventRequest,
    MqttConnectEventRequest,
    MqttConnectionContext,
    MqttDisconnectedEventRequest,
)
from webpubsub.model.names import ConnectionId, EventName, HubName, UserId
from webpubsub.model.payload import Payload
from webpubsub.model.states import ConnectionStates


def context(event_type: str, event_name: str, **states: Any) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        event_type=WebPubSubEventType(event_type),
        event_name=EventName(event_name),
        hub=HubName("chat"),
        connection_id=ConnectionId("c1"),
        user_id=UserId("alice"),
        signature="sha256=00",
        origin="a.webpubsub.azure.com",
        states=ConnectionStates.of(states),
        headers={"ce-hub": ["chat"]},
    )


def user(data: Any = "hello", data_type: str | None = None, **states: Any) -> UserEventRequest:
    return UserEventRequest(context("user", "message", **states), Payload.of(data, data_type))


def connect(**states: Any) -> ConnectEventRequest:
    return ConnectEventRequest(
        context("system", "connect", **states),
        claims={"sub": ["alice"]},
        query={"a": ["1", "2"]},
        headers={"host": ["h"]},
        subprotocols=["json.webpubsub.azure.v1"],
        client_certificates=[ClientCertificate("ABC", "PEM")],
    )


def connected() -> ConnectedEventRequest:
    return ConnectedEventRequest(context("system", "connected"))


def disconnected(reason: str = "bye") -> DisconnectedEventRequest:
    return DisconnectedEventRequest(context("system", "disconnected"), reason)


def mqtt_context(event_type: str, event_name: str, session_id: str | None = "s1") -> MqttConnectionContext:
    return MqttConnectionContext.of(context(event_type, event_name), "p1", session_id)


def mqtt_connect(version: MqttProtocolVersion = MqttProtocolVersion.V500) -> MqttConnectEventRequest:
    return MqttConnectEventRequest(
        connection_context=mqtt_context("system", "connect", None),
        mqtt=MqttConnectProperties(version, "bob", "c2VjcmV0", (MqttUserProperty("a", "b"),)),
        claims={"sub": ["alice"]},
        query={"a": ["1", "2"]},
        headers={"host": ["h"]},
        subprotocols=["mqtt"],
        client_certificates=[ClientCertificate("ABC", "PEM")],
    )


def mqtt_connected() -> MqttConnectedEventRequest:
    return MqttConnectedEventRequest(mqtt_context("system", "connected"))


def mqtt_disconnected(code: int | None = 0) -> MqttDisconnectedEventRequest:
    packet = None if code is None else MqttDisconnectPacketProperties(code, (MqttUserProperty("a", "b"),))
    return MqttDisconnectedEventRequest(
        connection_context=mqtt_context("system", "disconnected"),
        reason="bye",
        mqtt=MqttDisconnectedEventRequestProperties(packet is not None, packet),
    )


def mqtt_user(data: Any = "hello") -> UserEventRequest:
    return UserEventRequest(mqtt_context("user", "message"), Payload.of(data))


USER_JSON = """{
  "data": "hello",
  "dataType": "Text",
  "connectionContext": {
    "eventType": "User",
    "eventName": "message",
    "hub": "chat",
    "connectionId": "c1",
    "userId": "alice",
    "signature": "sha256=00",
    "origin": "a.webpubsub.azure.com",
    "states": {},
    "headers": {
      "ce-hub": [
        "chat"
      ]
    }
  }
}"""

CONNECT_JSON = """{
  "claims": {
    "sub": [
      "alice"
    ]
  },
  "query": {
    "a": [
      "1",
      "2"
    ]
  },
  "headers": {
    "host": [
      "h"
    ]
  },
  "subprotocols": [
    "json.webpubsub.azure.v1"
  ],
  "clientCertificates": [
    {
      "Thumbprint": "ABC",
      "content": "PEM"
    }
  ],
  "connectionContext": {
    "eventType": "System",
    "eventName": "connect",
    "hub": "chat",
    "connectionId": "c1",
    "userId": "alice",
    "signature": "sha256=00",
    "origin": "a.webpubsub.azure.com",
    "states": {},
    "headers": {
      "ce-hub": [
        "chat"
      ]
    }
  }
}"""


@dataclass
class Datum:
    """A value as the worker keeps it."""

    value: Any
    type: str | None


def trigger_bytes(data: bytes = b"hello", data_type: str = "Text", **states: Any) -> TriggerBytes:
    """Return what the worker hands over for the trigger of a user event."""
    connection_context = json.loads(USER_JSON)["connectionContext"] | {"states": states}
    value = TriggerBytes(data)
    value.trigger_metadata = {
        "ConnectionContext": Datum(json.dumps(connection_context), "json"),
        "DataType": Datum(json.dumps(data_type), "json"),
    }
    return value
