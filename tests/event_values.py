"""Events that the tests of the bindings share: the host's literal JSON and the values it stands for."""

from __future__ import annotations

from typing import Any

from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    DisconnectedEventRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
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
