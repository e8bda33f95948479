"""What MQTT adds to the event protocol: properties of packets, and errors with MQTT's own codes.

Source: extension spec, sections 4.4 and 5.2; service spec, section D.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from webpubsub.model.errors import UsageError
from webpubsub.model.mqtt.mqtt_codes import (
    MqttConnectCode,
    MqttDisconnectReasonCode,
    MqttProtocolVersion,
    mqtt_status,
    parse_connect_code,
)

MQTT_SUBPROTOCOL: Final = "mqtt"

_DISCONNECT_CODES: Final[dict[int, MqttDisconnectReasonCode]] = {
    code.value: code for code in MqttDisconnectReasonCode
}


class MqttUserProperty(msgspec.Struct, frozen=True):
    """A user property of an MQTT 5.0 packet; a name may come more than once.

    Attributes:
        name: Its name.
        value: Its value.
    """

    name: str
    value: str


# What people may write where user properties go.
MqttUserProperties = Mapping[str, str] | Iterable[MqttUserProperty | tuple[str, str]]


def parse_user_properties(value: MqttUserProperties) -> tuple[MqttUserProperty, ...]:
    """Return user properties of a mapping, of pairs, or of themselves, in their order.

    Raises:
        UsageError: A name or a value is not a string.

    Example:
        >>> parse_user_properties({"region": "eu"})
        (MqttUserProperty(name='region', value='eu'),)
    """
    items = value.items() if isinstance(value, Mapping) else value
    try:
        return tuple(_user_property(item) for item in items)
    except (TypeError, ValueError):
        raise UsageError(
            f"MQTT user properties are {value!r}: expected names and values, all of them strings"
        ) from None


def _user_property(item: MqttUserProperty | tuple[str, str]) -> MqttUserProperty:
    if isinstance(item, MqttUserProperty):
        return item
    name, value = item
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError
    return MqttUserProperty(name, value)


class MqttConnectProperties(msgspec.Struct, frozen=True):
    """What a client's CONNECT packet says.

    Attributes:
        protocol_version: 3.1.1 or 5.0.
        username: Its user name; checked by nobody but the function.
        password: Its password, as the service passes it on: in base64.
        user_properties: Of MQTT 5.0; empty when it has none.
    """

    protocol_version: MqttProtocolVersion
    username: str | None = None
    password: str | None = None
    user_properties: Sequence[MqttUserProperty] = ()


class MqttDisconnectPacketProperties(msgspec.Struct, frozen=True):
    """What the DISCONNECT packet says that ended a session.

    Attributes:
        code: A `MqttDisconnectReasonCode`, or a plain number when it is none of them; 0 for 3.1.1.
        user_properties: Of MQTT 5.0; empty when it has none.
    """

    code: int
    user_properties: Sequence[MqttUserProperty] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "code", _DISCONNECT_CODES.get(self.code, self.code))


class MqttDisconnectedEventRequestProperties(msgspec.Struct, frozen=True):
    """How an MQTT session ended.

    Attributes:
        initiated_by_client: Whether the client sent a DISCONNECT packet.
        disconnect_packet: That packet, or None when there was none.
    """

    initiated_by_client: bool = False
    disconnect_packet: MqttDisconnectPacketProperties | None = None


class MqttEventErrorResponse(msgspec.Struct):
    """Refuses an event of an MQTT client with a code of MQTT.

    Attributes:
        code: Decides the status, for example 401 for `MqttV500ConnectReasonCode.NOT_AUTHORIZED`.
        reason: In words; a client of MQTT 3.1.1 does not see it.
        user_properties: For the client, of MQTT 5.0 only; a mapping or pairs will do.

    Raises:
        UsageError: ``code`` refuses nobody, or the user properties are not names and values.

    Example:
        >>> MqttEventErrorResponse(135, "no attackers here").status
        401
    """

    code: MqttConnectCode | int
    reason: str | None = None
    user_properties: MqttUserProperties = ()

    def __post_init__(self) -> None:
        self.code = parse_connect_code(self.code)
        self.user_properties = parse_user_properties(self.user_properties)

    @property
    def status(self) -> int:
        """The HTTP status of ``code``."""
        return mqtt_status(parse_connect_code(self.code))


class MqttConnectEventErrorResponse(MqttEventErrorResponse):
    """Refuses an MQTT client that wants to connect; its CONNACK has the code.

    A code of the other version of MQTT reaches the client as "unspecified error".
    """
