"""The numbers MQTT gives its versions and its refusals, and the HTTP status of each.

Source: extension spec, sections 4.4 and 5.2; design, section 5.4.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from webpubsub.model.errors import UsageError


class MqttProtocolVersion(IntEnum):
    """The version of MQTT a client speaks, as its CONNECT packet numbers it."""

    V311 = 4
    V500 = 5


class MqttV311ConnectReturnCode(IntEnum):
    """Why a CONNECT of MQTT 3.1.1 is refused."""

    UNACCEPTABLE_PROTOCOL_VERSION = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    BAD_USERNAME_OR_PASSWORD = 4
    NOT_AUTHORIZED = 5


class MqttV500ConnectReasonCode(IntEnum):
    """Why a CONNECT of MQTT 5.0 is refused."""

    UNSPECIFIED_ERROR = 128
    MALFORMED_PACKET = 129
    PROTOCOL_ERROR = 130
    IMPLEMENTATION_SPECIFIC_ERROR = 131
    UNSUPPORTED_PROTOCOL_VERSION = 132
    CLIENT_IDENTIFIER_NOT_VALID = 133
    BAD_USER_NAME_OR_PASSWORD = 134
    NOT_AUTHORIZED = 135
    SERVER_UNAVAILABLE = 136
    SERVER_BUSY = 137
    BANNED = 138
    BAD_AUTHENTICATION_METHOD = 140
    TOPIC_NAME_INVALID = 144
    PACKET_TOO_LARGE = 149
    QUOTA_EXCEEDED = 151
    PAYLOAD_FORMAT_INVALID = 153
    RETAIN_NOT_SUPPORTED = 154
    QOS_NOT_SUPPORTED = 155
    USE_ANOTHER_SERVER = 156
    SERVER_MOVED = 157
    CONNECTION_RATE_EXCEEDED = 159


class MqttDisconnectReasonCode(IntEnum):
    """Why a client or the service ended an MQTT session; 3.1.1 knows only 0."""

    NORMAL_DISCONNECTION = 0
    DISCONNECT_WITH_WILL_MESSAGE = 4
    UNSPECIFIED_ERROR = 128
    MALFORMED_PACKET = 129
    PROTOCOL_ERROR = 130
    IMPLEMENTATION_SPECIFIC_ERROR = 131
    NOT_AUTHORIZED = 135
    SERVER_BUSY = 137
    SERVER_SHUTTING_DOWN = 139
    KEEP_ALIVE_TIMEOUT = 141
    SESSION_TAKEN_OVER = 142
    TOPIC_FILTER_INVALID = 143
    TOPIC_NAME_INVALID = 144
    RECEIVE_MAXIMUM_EXCEEDED = 147
    TOPIC_ALIAS_INVALID = 148
    PACKET_TOO_LARGE = 149
    MESSAGE_RATE_TOO_HIGH = 150
    QUOTA_EXCEEDED = 151
    ADMINISTRATIVE_ACTION = 152
    PAYLOAD_FORMAT_INVALID = 153
    RETAIN_NOT_SUPPORTED = 154
    QOS_NOT_SUPPORTED = 155
    USE_ANOTHER_SERVER = 156
    SERVER_MOVED = 157
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 158
    CONNECTION_RATE_EXCEEDED = 159
    MAXIMUM_CONNECT_TIME = 160
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 161
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 162


MqttConnectCode = MqttV311ConnectReturnCode | MqttV500ConnectReasonCode

_CODES: Final[dict[int, MqttConnectCode]] = {
    **{code.value: code for code in MqttV311ConnectReturnCode},
    **{code.value: code for code in MqttV500ConnectReasonCode},
}

# As Microsoft's ASP.NET Core package answers; any code that is not here is the client's mistake: 400.
# Of PROTOCOL_ERROR neither its package nor its extension makes anything but a failure of their own.
_STATUS: Final[dict[MqttConnectCode, int]] = {
    MqttV311ConnectReturnCode.SERVER_UNAVAILABLE: 503,
    MqttV311ConnectReturnCode.BAD_USERNAME_OR_PASSWORD: 401,
    MqttV311ConnectReturnCode.NOT_AUTHORIZED: 401,
    MqttV500ConnectReasonCode.UNSPECIFIED_ERROR: 500,
    MqttV500ConnectReasonCode.PROTOCOL_ERROR: 500,
    MqttV500ConnectReasonCode.BAD_USER_NAME_OR_PASSWORD: 401,
    MqttV500ConnectReasonCode.NOT_AUTHORIZED: 401,
    MqttV500ConnectReasonCode.SERVER_UNAVAILABLE: 500,
    MqttV500ConnectReasonCode.SERVER_BUSY: 500,
    MqttV500ConnectReasonCode.BANNED: 403,
    MqttV500ConnectReasonCode.QUOTA_EXCEEDED: 429,
    MqttV500ConnectReasonCode.USE_ANOTHER_SERVER: 500,
    MqttV500ConnectReasonCode.SERVER_MOVED: 500,
    MqttV500ConnectReasonCode.CONNECTION_RATE_EXCEEDED: 429,
}


def mqtt_status(code: MqttConnectCode) -> int:
    """Return the HTTP status of an answer that refuses with ``code``."""
    return _STATUS.get(code, 400)


def parse_connect_code(value: Any) -> MqttConnectCode:
    """Return the return code (1 to 5) or reason code (from 128) of a number.

    Raises:
        UsageError: ``value`` is no code to refuse a client with.
    """
    found = _CODES.get(value) if isinstance(value, int) and not isinstance(value, bool) else None
    if found is None:
        raise UsageError(
            f"MQTT code {value!r} refuses no client: expected a return code of MQTT 3.1.1 (1 to 5) or a "
            f"reason code of MQTT 5.0 ({', '.join(str(code.value) for code in MqttV500ConnectReasonCode)})"
        )
    return found
