"""The four kinds of event a trigger can stand for, and what each brings and takes.

Source: extension spec, sections 3.4 and 4.1.
"""

from __future__ import annotations

from typing import Final

import msgspec

from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    UserEventRequest,
    UserEventResponse,
)

__all__ = ["EVENT_PARAMETERS", "SYSTEM_EVENTS", "USER_EVENT", "EventKind", "event_of"]


class EventKind(msgspec.Struct, frozen=True):
    """One kind of event.

    Attributes:
        name: ``connect``, ``connected``, ``disconnected`` or ``user``.
        request: The class of its requests.
        responses: The classes that can answer it; empty when nobody waits for an answer.
        parameters: What a trigger function may take by name beside the request: attributes of it.
    """

    name: str
    request: type[EventRequest]
    responses: tuple[type[ConnectEventResponse | UserEventResponse | EventErrorResponse], ...]
    parameters: tuple[str, ...]


_CONNECT: Final = EventKind(
    "connect",
    ConnectEventRequest,
    (ConnectEventResponse, EventErrorResponse),
    ("connection_context", "claims", "query", "subprotocols", "client_certificates"),
)
_CONNECTED: Final = EventKind("connected", ConnectedEventRequest, (), ("connection_context",))
_DISCONNECTED: Final = EventKind(
    "disconnected", DisconnectedEventRequest, (), ("connection_context", "reason")
)
USER_EVENT: Final = EventKind(
    "user",
    UserEventRequest,
    (UserEventResponse, EventErrorResponse),
    ("connection_context", "data", "data_type"),
)

SYSTEM_EVENTS: Final = {kind.name: kind for kind in (_CONNECT, _CONNECTED, _DISCONNECTED)}
EVENT_PARAMETERS: Final = frozenset(
    name for kind in (*SYSTEM_EVENTS.values(), USER_EVENT) for name in kind.parameters
)
_BY_REQUEST: Final = {kind.request: kind for kind in (*SYSTEM_EVENTS.values(), USER_EVENT)}


def event_of(request: EventRequest) -> EventKind:
    """Return the kind of event a request is."""
    return _BY_REQUEST[type(request)]
