"""The member ``mqtt`` of event bodies, answers and the host's JSON: one form for all of them, both ways.

Without user properties there is a null, as MQTT 3.1.1 has none.

Source: extension spec, sections 4.4 and 5.2; service spec, section D.9.
"""

from __future__ import annotations

from typing import Self

import msgspec

from webpubsub.model.mqtt.mqtt import (
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttDisconnectPacketProperties,
    MqttEventErrorResponse,
    MqttUserProperties,
    MqttUserProperty,
    parse_user_properties,
)
from webpubsub.model.mqtt.mqtt_codes import MqttProtocolVersion

_Properties = list[MqttUserProperty] | None


def _properties(value: MqttUserProperties) -> _Properties:
    return list(parse_user_properties(value)) or None


class ConnectJson(msgspec.Struct, rename="camel"):
    """``mqtt`` of a connect event."""

    protocol_version: MqttProtocolVersion
    username: str | None = None
    password: str | None = None
    user_properties: _Properties = None

    @classmethod
    def of(cls, value: MqttConnectProperties) -> Self:
        properties = _properties(value.user_properties)
        return cls(value.protocol_version, value.username, value.password, properties)

    @property
    def value(self) -> MqttConnectProperties:
        properties = tuple(self.user_properties or ())
        return MqttConnectProperties(self.protocol_version, self.username, self.password, properties)


class _PacketJson(msgspec.Struct, rename="camel"):
    code: int
    user_properties: _Properties = None

    @classmethod
    def of(cls, value: MqttDisconnectPacketProperties) -> Self:
        return cls(int(value.code), _properties(value.user_properties))

    @property
    def value(self) -> MqttDisconnectPacketProperties:
        return MqttDisconnectPacketProperties(self.code, tuple(self.user_properties or ()))


class DisconnectedJson(msgspec.Struct, rename="camel"):
    """``mqtt`` of a disconnected event."""

    initiated_by_client: bool = False
    disconnect_packet: _PacketJson | None = None

    @classmethod
    def of(cls, value: MqttDisconnectedEventRequestProperties) -> Self:
        packet = value.disconnect_packet
        return cls(value.initiated_by_client, None if packet is None else _PacketJson.of(packet))

    @property
    def value(self) -> MqttDisconnectedEventRequestProperties:
        packet = self.disconnect_packet
        return MqttDisconnectedEventRequestProperties(
            self.initiated_by_client, None if packet is None else packet.value
        )


class AcceptedJson(msgspec.Struct, rename="camel"):
    """``mqtt`` of an answer that accepts a client."""

    user_properties: _Properties = None

    @classmethod
    def of(cls, value: MqttUserProperties) -> Self | None:
        """Return the form of these user properties; None when there are none."""
        properties = _properties(value)
        return None if properties is None else cls(properties)


class ErrorJson(msgspec.Struct, rename="camel"):
    """``mqtt`` of an answer that refuses."""

    code: int
    reason: str | None = None
    user_properties: _Properties = None

    @classmethod
    def of(cls, value: MqttEventErrorResponse) -> Self:
        return cls(int(value.code), value.reason, _properties(value.user_properties))
