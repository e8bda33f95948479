"""The four kinds of event a trigger can stand for, and what each brings and takes.

Source: extension spec, sections 3.4 and 4.1.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import msgspec

from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    UserEventRequest,
    UserEventResponse,
)
from webpubsub.model.mqtt.mqtt import MqttEventErrorResponse
from webpubsub.model.mqtt_events import (
    MqttConnectedEventRequest,
    MqttConnectEventRequest,
    MqttDisconnectedEventRequest,
)


class EventKind(msgspec.Struct, frozen=True, dict=True):
    """One kind of event.

    Attributes:
        name: ``connect``, ``connected``, ``disconnected`` or ``user``.
        request: The class of its requests.
        mqtt_request: The class of those of MQTT clients; maybe the same.
        responses: The classes that can answer it, whatever the client; empty when nobody waits for an
            answer.
        parameters: What a trigger function may take by name beside the request: attributes of it.
    """

    name: str
    request: type[EventRequest]
    mqtt_request: type[EventRequest]
    responses: tuple[type[ConnectEventResponse | UserEventResponse | EventErrorResponse], ...]
    parameters: tuple[str, ...]

    def requests(self, client_protocols: str) -> tuple[type[EventRequest], ...]:
        """Return the classes of its requests for a trigger with these ``clientProtocols``, in lower case."""
        requests = {"webpubsub": (self.request,), "mqtt": (self.mqtt_request,)}
        return requests.get(client_protocols) or tuple(dict.fromkeys((self.request, self.mqtt_request)))

    @cached_property
    def answers(self) -> tuple[type[EventResponse], ...]:
        """The classes that can answer it, one for MQTT clients only included."""
        return (*self.responses, MqttEventErrorResponse) if self.responses else ()


_CONNECT: Final = EventKind(
    "connect",
    ConnectEventRequest,
    MqttConnectEventRequest,
    (ConnectEventResponse, EventErrorResponse),
    ("connection_context", "claims", "query", "subprotocols", "client_certificates"),
)
_CONNECTED: Final = EventKind(
    "connected", ConnectedEventRequest, MqttConnectedEventRequest, (), ("connection_context",)
)
_DISCONNECTED: Final = EventKind(
    "disconnected",
    DisconnectedEventRequest,
    MqttDisconnectedEventRequest,
    (),
    ("connection_context", "reason"),
)
USER_EVENT: Final = EventKind(
    "user",
    UserEventRequest,
    UserEventRequest,
    (UserEventResponse, EventErrorResponse),
    ("connection_context", "data", "data_type"),
)

SYSTEM_EVENTS: Final = {kind.name: kind for kind in (_CONNECT, _CONNECTED, _DISCONNECTED)}
EVENT_PARAMETERS: Final = frozenset(
    name for kind in (*SYSTEM_EVENTS.values(), USER_EVENT) for name in kind.parameters
)
EVENT_OF_REQUEST: Final = {
    request: kind
    for kind in (*SYSTEM_EVENTS.values(), USER_EVENT)
    for request in (kind.request, kind.mqtt_request)
}
