"""Events of MQTT clients, and their answers.

Each is also the plain event or answer of the same name, so that a function written for any client takes
those of MQTT clients too. A connection is an MQTT *session*: its id is the client id, and one session may
outlive several network connections.

Source: extension spec, sections 3.4, 4.4 and 5.2; service spec, section D.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from webpubsub.model.errors import UsageError
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    WebPubSubConnectionContext,
    WebPubSubErrorCode,
)
from webpubsub.model.mqtt.mqtt import (
    MQTT_SUBPROTOCOL,
    MqttConnectEventErrorResponse,
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttEventErrorResponse,
    MqttUserProperties,
    parse_user_properties,
)
from webpubsub.model.mqtt.mqtt_codes import (
    MqttConnectCode,
    MqttProtocolVersion,
    MqttV311ConnectReturnCode,
    MqttV500ConnectReasonCode,
)


class MqttConnectionContext(WebPubSubConnectionContext, frozen=True, kw_only=True):
    """The MQTT session an event belongs to.

    ``connection_id`` is the client id. User properties of a message are ``headers`` called ``mqtt-<name>``.

    Attributes:
        physical_connection_id: The network connection the event came over.
        session_id: The session; None in a connect event, as it is not known yet which.
    """

    subprotocol: str | None = MQTT_SUBPROTOCOL
    physical_connection_id: str
    session_id: str | None = None

    @classmethod
    def of(
        cls, context: WebPubSubConnectionContext, physical_connection_id: str, session_id: str | None = None
    ) -> Self:
        """Return ``context`` as that of an MQTT session."""
        members = msgspec.structs.asdict(context) | {
            "subprotocol": MQTT_SUBPROTOCOL,
            "physical_connection_id": physical_connection_id,
            "session_id": session_id,
        }
        return cls(**members)


class MqttConnectEventResponse(ConnectEventResponse, kw_only=True):
    """Accepts a connecting MQTT client.

    User, groups and roles count for a new session only. ``subprotocol`` is always ``mqtt``.

    Attributes:
        user_properties: Sent in the CONNACK packet, of MQTT 5.0 only; a mapping or pairs will do.

    Raises:
        UsageError: The user properties are not names and values.

    Example:
        >>> MqttConnectEventResponse(user_id="alice", user_properties={"region": "eu"}).subprotocol
        'mqtt'
    """

    user_properties: MqttUserProperties = ()

    def __post_init__(self) -> None:
        self.subprotocol = MQTT_SUBPROTOCOL
        self.user_properties = parse_user_properties(self.user_properties)


class MqttConnectEventRequest(ConnectEventRequest, frozen=True, kw_only=True):
    """An MQTT client wants to connect, or to come back to its session; the answer decides.

    Attributes:
        mqtt: What its CONNECT packet says.
    """

    connection_context: MqttConnectionContext
    mqtt: MqttConnectProperties

    def create_response(
        self,
        user_id: str | None = None,
        groups: Sequence[str] | None = None,
        subprotocol: str | None = None,
        roles: Sequence[str] | None = None,
        user_properties: MqttUserProperties = (),
    ) -> MqttConnectEventResponse:
        """Accept the client, with the given overrides; the subprotocol is ``mqtt`` whatever is given.

        Raises:
            UsageError: The user properties are not names and values.
        """
        return MqttConnectEventResponse(
            user_id=user_id, groups=groups, roles=roles, user_properties=user_properties
        )

    def create_v311_error_response(
        self, code: MqttV311ConnectReturnCode | int, reason: str | None = None
    ) -> MqttConnectEventErrorResponse:
        """Refuse a client of MQTT 3.1.1, which sees nothing but the code.

        Raises:
            UsageError: ``code`` refuses no client.
        """
        return MqttConnectEventErrorResponse(code, reason)

    def create_v50_error_response(
        self,
        code: MqttV500ConnectReasonCode | int,
        reason: str | None = None,
        user_properties: MqttUserProperties = (),
    ) -> MqttConnectEventErrorResponse:
        """Refuse a client of MQTT 5.0.

        Raises:
            UsageError: ``code`` refuses no client, or the user properties are not names and values.
        """
        return MqttConnectEventErrorResponse(code, reason, user_properties)


class MqttConnectedEventRequest(ConnectedEventRequest, frozen=True):
    """An MQTT client has begun a new session. Nobody waits for an answer."""

    connection_context: MqttConnectionContext


class MqttDisconnectedEventRequest(DisconnectedEventRequest, frozen=True, kw_only=True):
    """An MQTT session has ended. Nobody waits for an answer.

    Attributes:
        mqtt: How it ended.
    """

    connection_context: MqttConnectionContext
    mqtt: MqttDisconnectedEventRequestProperties = MqttDisconnectedEventRequestProperties()


def is_mqtt(request: EventRequest) -> bool:
    """Whether the event comes from an MQTT client."""
    return isinstance(request.connection_context, MqttConnectionContext)


# What the codes of any client mean to one of MQTT. A user event does not tell the client's version; only
# 5.0 has reasons to refuse a message, so those are given.
_UNAUTHORIZED: Final = WebPubSubErrorCode.UNAUTHORIZED
_USER_ERROR: Final = WebPubSubErrorCode.USER_ERROR
_SERVER_ERROR: Final = WebPubSubErrorCode.SERVER_ERROR
_CODES: Final[dict[MqttProtocolVersion | None, dict[WebPubSubErrorCode, MqttConnectCode]]] = {
    MqttProtocolVersion.V311: {
        _UNAUTHORIZED: MqttV311ConnectReturnCode.NOT_AUTHORIZED,
        _USER_ERROR: MqttV311ConnectReturnCode.BAD_USERNAME_OR_PASSWORD,
        _SERVER_ERROR: MqttV311ConnectReturnCode.SERVER_UNAVAILABLE,
    },
    MqttProtocolVersion.V500: {
        _UNAUTHORIZED: MqttV500ConnectReasonCode.NOT_AUTHORIZED,
        _USER_ERROR: MqttV500ConnectReasonCode.BAD_USER_NAME_OR_PASSWORD,
        _SERVER_ERROR: MqttV500ConnectReasonCode.SERVER_UNAVAILABLE,
    },
    None: {
        _UNAUTHORIZED: MqttV500ConnectReasonCode.NOT_AUTHORIZED,
        _USER_ERROR: MqttV500ConnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        _SERVER_ERROR: MqttV500ConnectReasonCode.UNSPECIFIED_ERROR,
    },
}


def mqtt_error(request: EventRequest, error: EventErrorResponse) -> MqttEventErrorResponse:
    """Return what an error for any client is in MQTT; the answer keeps the status of ``error``."""
    version = request.mqtt.protocol_version if isinstance(request, MqttConnectEventRequest) else None
    make = MqttEventErrorResponse if version is None else MqttConnectEventErrorResponse
    return make(_CODES[version][WebPubSubErrorCode(error.code)], error.error_message)


_FOR_MQTT: Final = (MqttEventErrorResponse, MqttConnectEventResponse)


def check_client(request: EventRequest, response: EventResponse | None) -> None:
    """Check that a response for MQTT clients answers one.

    Raises:
        UsageError: This client is none.
    """
    if isinstance(response, _FOR_MQTT) and not is_mqtt(request):
        raise UsageError(
            f"{type(response).__name__} answers MQTT clients, and this client is none: expected what "
            "request.create_response(...) or request.create_error_response(...) returns"
        )


def response_for(request: EventRequest, response: EventResponse | None) -> EventResponse | None:
    """Return a response as the event's client needs it: what any client takes becomes MQTT's own form.

    Raises:
        UsageError: See `check_client`.
    """
    if not isinstance(request.connection_context, MqttConnectionContext):
        check_client(request, response)
        return response
    if isinstance(response, EventErrorResponse):
        return mqtt_error(request, response)
    if isinstance(response, ConnectEventResponse) and not isinstance(response, MqttConnectEventResponse):
        return _mqtt_response(response)
    return response


def _mqtt_response(response: ConnectEventResponse) -> MqttConnectEventResponse:
    return MqttConnectEventResponse(**msgspec.structs.asdict(response))


_STATUS_CODES: Final = {400: _USER_ERROR, 401: _UNAUTHORIZED, 403: _UNAUTHORIZED}
_UNSPECIFIED: Final[dict[MqttProtocolVersion, MqttConnectCode]] = {
    MqttProtocolVersion.V311: MqttV311ConnectReturnCode.SERVER_UNAVAILABLE,
    MqttProtocolVersion.V500: MqttV500ConnectReasonCode.UNSPECIFIED_ERROR,
}


def code_of_status(version: MqttProtocolVersion, status: int) -> MqttConnectCode:
    """Return what a refusal means that says no more than its HTTP status; 403 is taken as 401.

    Source: service spec, section D.9.
    """
    code = _STATUS_CODES.get(status)
    return _UNSPECIFIED[version] if code is None else _CODES[version][code]


_CODE_KINDS: Final[dict[MqttProtocolVersion, type[MqttConnectCode]]] = {
    MqttProtocolVersion.V311: MqttV311ConnectReturnCode,
    MqttProtocolVersion.V500: MqttV500ConnectReasonCode,
}


def code_of_version(version: MqttProtocolVersion, value: int) -> MqttConnectCode:
    """Return the code of a number; a number that is none in this version of MQTT means "unspecified"."""
    try:
        return _CODE_KINDS[version](value)
    except ValueError:
        return _UNSPECIFIED[version]
