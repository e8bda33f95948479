"""Requests and responses of the event protocol.

A *request* is what happened at a client, as the service tells it and a function receives it. A
*response* is what the function answers. Requests are frozen; responses are filled in by the function
that makes them, so they are not.

Presence events (preview) tell who joins and leaves a group. Functions receive them as user events of that
name with the data ``{"group": "..."}``, as the extension knows no other kind; the header ``ce-type`` tells
them from a client's.

Source: extension spec, sections 3 to 6; member names are the extension's in snake_case. Presence events:
service spec, section D.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from webpubsub.model.errors import UsageError
from webpubsub.model.metadata import Metadata, metadata_of
from webpubsub.model.mqtt.mqtt import MqttEventErrorResponse
from webpubsub.model.names import ConnectionId, EventName, GroupName, HubName, UserId
from webpubsub.model.payload import Data, Payload, WebPubSubDataType
from webpubsub.model.states import ConnectionStates


class WebPubSubEventType(StrEnum):
    """Who raised an event: the service itself, or a client."""

    SYSTEM = "system"
    USER = "user"

    @classmethod
    def _missing_(cls, value: object) -> WebPubSubEventType | None:
        if isinstance(value, str):
            return cls._value2member_map_.get(value.lower())  # type: ignore[return-value]
        return None


class WebPubSubErrorCode(StrEnum):
    """Why a function refuses an event; each code has its HTTP status."""

    UNAUTHORIZED = "unauthorized"
    USER_ERROR = "userError"
    SERVER_ERROR = "serverError"

    @property
    def status(self) -> int:
        """The HTTP status: 401, 400 or 500."""
        return ERROR_STATUS[self]

    @classmethod
    def _missing_(cls, value: object) -> WebPubSubErrorCode | None:
        if isinstance(value, str):
            return next((code for code in cls if code.lower() == value.lower()), None)
        return None


ERROR_STATUS: Final[dict[WebPubSubErrorCode, int]] = {
    WebPubSubErrorCode.UNAUTHORIZED: 401,
    WebPubSubErrorCode.USER_ERROR: 400,
    WebPubSubErrorCode.SERVER_ERROR: 500,
}


def parse_error_code(value: WebPubSubErrorCode | str) -> WebPubSubErrorCode:
    """Return the error code of any spelling of its name.

    Raises:
        UsageError: ``value`` names no error code.
    """
    try:
        return WebPubSubErrorCode(value)
    except ValueError:
        codes = ", ".join(repr(code.value) for code in WebPubSubErrorCode)
        raise UsageError(f"error code {value!r} is not one of {codes}") from None


class WebPubSubConnectionContext(msgspec.Struct, frozen=True, kw_only=True):
    """The connection an event belongs to.

    Attributes:
        event_type: ``system`` or ``user``.
        event_name: ``connect``, ``connected``, ``disconnected``, or the user event's name.
        hub: The hub's name.
        connection_id: The connection's id.
        user_id: The user, or None when anonymous.
        signature: ``ce-signature`` as received, or None.
        origin: ``WebHook-Request-Origin`` values joined with commas.
        states: The states set by earlier responses.
        headers: All request headers, name to values.
        subprotocol: What the client negotiated, or None.
        event_id: Counts the events of a connection; ``connect`` is 0.
    """

    event_type: WebPubSubEventType
    event_name: EventName
    hub: HubName
    connection_id: ConnectionId
    user_id: UserId | None = None
    signature: str | None = None
    origin: str | None = None
    states: ConnectionStates = msgspec.field(default_factory=ConnectionStates)
    headers: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    subprotocol: str | None = None
    event_id: int = 0


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate the client presented.

    Attributes:
        thumbprint: The certificate's fingerprint.
        content: PEM text, or None when the service does not pass it on.
    """

    thumbprint: str
    content: str | None = None


class EventErrorResponse(msgspec.Struct):
    """Refuses an event.

    Attributes:
        code: Decides the status: ``unauthorized`` 401, ``userError`` 400, ``serverError`` 500.
        error_message: Answered as text.

    Example:
        >>> EventErrorResponse("unauthorized", "no attackers here").status
        401

    Raises:
        UsageError: ``code`` is none of the three.
    """

    code: WebPubSubErrorCode | str
    error_message: str = ""

    def __post_init__(self) -> None:
        self.code = parse_error_code(self.code)

    @property
    def status(self) -> int:
        """The HTTP status of ``code``."""
        return parse_error_code(self.code).status


class _StatefulResponse(msgspec.Struct, kw_only=True):
    """A response that may change the connection's states.

    Attributes:
        states: States to set, name to JSON value; others stay.
        states_cleared: Drop the states of the request first.
    """

    states: dict[str, Any] = msgspec.field(default_factory=dict)
    states_cleared: bool = False

    def set_state(self, name: str, value: Any) -> None:
        """Set one state; any JSON value."""
        self.states[name] = value

    def clear_states(self) -> None:
        """Drop every state of the connection, also those set on this response so far."""
        self.states.clear()
        self.states_cleared = True


class ConnectEventResponse(_StatefulResponse):
    """Accepts a connecting client.

    Attributes:
        user_id: Replaces the token's user; None keeps it.
        groups: Joined at once; None or empty keeps the token's.
        subprotocol: One of those offered; None takes the first the service knows.
        roles: Replace the token's; None keeps them, empty removes them.
    """

    user_id: str | None = None
    groups: Sequence[str] | None = None
    subprotocol: str | None = None
    roles: Sequence[str] | None = None


class UserEventResponse(_StatefulResponse, kw_only=False):
    """Answers the client that raised a user event.

    Without data the client gets no message, only its ack (JSON null is `None` with `data_type="json"`).

    Attributes:
        data: The Python value to send: ``str`` as text, ``bytes`` as binary, anything else as JSON.
        data_type: Overrides the inference.

    Raises:
        InvalidData: ``data`` cannot be sent as ``data_type``.

    Example:
        >>> UserEventResponse({"answer": 42}).payload.content_type
        'application/json'
    """

    data: Data = None
    data_type: WebPubSubDataType | str | None = None

    def __post_init__(self) -> None:
        if type(self.data) is Payload and self.data_type is self.data.data_type:
            return
        payload = self.payload
        if payload is not None:
            self.data_type = payload.data_type

    @property
    def payload(self) -> Payload | None:
        """The message to send, or None."""
        if self.data is None and self.data_type is None:
            return None
        return Payload.of(self.data, self.data_type)


class EventRequest(msgspec.Struct, frozen=True):
    """What every event has: the connection it belongs to."""

    connection_context: WebPubSubConnectionContext

    def create_error_response(self, code: WebPubSubErrorCode | str, message: str = "") -> EventErrorResponse:
        """Refuse this event with ``unauthorized``, ``userError`` or ``serverError``.

        An MQTT client is told the code of MQTT that means the same.

        Raises:
            UsageError: ``code`` is none of the three.
        """
        return EventErrorResponse(code, message)


class ConnectEventRequest(EventRequest, frozen=True):
    """A client wants to connect; the answer decides.

    Attributes:
        claims: Claims of its token, each a list of strings.
        query: Query parameters of its URL, without the token.
        headers: Headers of its upgrade request, without the token.
        subprotocols: Those it offers, in its order.
        client_certificates: Those it presented.
    """

    claims: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    headers: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    subprotocols: Sequence[str] = ()
    client_certificates: Sequence[ClientCertificate] = ()

    def create_response(
        self,
        user_id: str | None = None,
        groups: Sequence[str] | None = None,
        subprotocol: str | None = None,
        roles: Sequence[str] | None = None,
    ) -> ConnectEventResponse:
        """Accept the client, with the given overrides."""
        return ConnectEventResponse(user_id=user_id, groups=groups, subprotocol=subprotocol, roles=roles)


class ConnectedEventRequest(EventRequest, frozen=True):
    """A client has connected. Nobody waits for an answer."""


class UserEventRequest(EventRequest, frozen=True):
    """A client raised an event of its own, or sent a message without a subprotocol.

    Attributes:
        payload: The exact bytes and their data type.
    """

    payload: Payload

    @property
    def data(self) -> Data:
        """The message as a Python value: ``str``, ``bytes``, or parsed JSON.

        Raises:
            InvalidData: The client sent text that is not UTF-8, or JSON that does not parse.
        """
        return self.payload.value

    @property
    def data_type(self) -> WebPubSubDataType:
        """How the client meant its message."""
        return self.payload.data_type

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its data; names in lower case, as the event's headers have it."""
        return metadata_of(self.connection_context.headers)

    def create_response(
        self, data: Data = None, data_type: WebPubSubDataType | str | None = None
    ) -> UserEventResponse:
        """Answer the client with ``data``; without it, only states and the ack."""
        return UserEventResponse(data, data_type)


class DisconnectedEventRequest(EventRequest, frozen=True):
    """A client is gone for good. Nobody waits for an answer.

    Attributes:
        reason: Why, in the words of whoever closed the connection; may be empty.
    """

    reason: str = ""


class PreflightRequest(msgspec.Struct, frozen=True):
    """The service asks whether this endpoint takes events from it (abuse protection).

    Attributes:
        is_valid: Whether the origin is one of the configured connections.
    """

    is_valid: bool


EventResponse = ConnectEventResponse | UserEventResponse | EventErrorResponse | MqttEventErrorResponse


class WebPubSubConnection(msgspec.Struct, frozen=True):
    """What a client needs to connect.

    Attributes:
        base_url: The WebSocket URL without token.
        url: The same with ``access_token`` in its query.
        access_token: The token.
    """

    base_url: str
    url: str
    access_token: str


class WebPubSubContextResponse(msgspec.Struct, frozen=True):
    """The HTTP answer that a function with a `WebPubSubContext` should give as it is.

    Attributes:
        status: HTTP status.
        body: Text body, or None.
        headers: Name to values.
    """

    status: int
    body: str | None = None
    headers: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)


class WebPubSubContext(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream request of the service, parsed and checked, in a function with an HTTP trigger.

    Attributes:
        request: The event, or None when there was an error or an unknown event.
        response: What to answer when ``has_error`` or ``is_preflight``.
        error_message: What was wrong, or None.
        has_error: The request is not a valid event.
        is_preflight: The request is the abuse-protection handshake.
    """

    request: EventRequest | PreflightRequest | None = None
    response: WebPubSubContextResponse
    error_message: str | None = None
    has_error: bool = False
    is_preflight: bool = False


class PresenceEventRequest(EventRequest, frozen=True):
    """A group has gained or lost a connection, a system event of it. Nobody waits for an answer.

    Attributes:
        group: Which.
    """

    group: GroupName


class GroupJoinedEventRequest(PresenceEventRequest, frozen=True):
    """A connection has joined a group."""


class GroupLeftEventRequest(PresenceEventRequest, frozen=True):
    """A connection has left a group, or has ended as a member of it."""
