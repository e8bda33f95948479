"""Properties of MQTT packets, and errors with MQTT's own codes."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model.errors import UsageError
from webpubsub.model.mqtt.mqtt import (
    MqttConnectEventErrorResponse,
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttDisconnectPacketProperties,
    MqttEventErrorResponse,
    MqttUserProperty,
    parse_user_properties,
)
from webpubsub.model.mqtt.mqtt_codes import (
    MqttDisconnectReasonCode,
    MqttProtocolVersion,
    MqttV311ConnectReturnCode,
    MqttV500ConnectReasonCode,
)

A, B = MqttUserProperty("a", "1"), MqttUserProperty("b", "2")


@pytest.mark.parametrize(
    "value", [{"a": "1", "b": "2"}, [("a", "1"), ("b", "2")], [A, B], (A, ("b", "2")), iter([A, B])]
)
def test_user_properties_may_be_a_mapping_or_pairs(value: Any) -> None:
    assert parse_user_properties(value) == (A, B)


def test_a_user_property_may_come_twice_and_keeps_its_place() -> None:
    found = parse_user_properties([("a", "2"), ("b", "1"), ("a", "1")])
    assert [(each.name, each.value) for each in found] == [("a", "2"), ("b", "1"), ("a", "1")]


@pytest.mark.parametrize("value", [{"a": 1}, {1: "a"}, ["abc"], [("a",)], [None], 5])
def test_what_are_no_user_properties(value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        parse_user_properties(value)
    assert str(caught.value) == (
        f"MQTT user properties are {value!r}: expected names and values, all of them strings"
    )


def test_a_disconnect_code_is_known_by_name_when_it_has_one() -> None:
    known = MqttDisconnectPacketProperties(152).code
    assert known is MqttDisconnectReasonCode.ADMINISTRATIVE_ACTION
    assert MqttDisconnectPacketProperties(255).code == 255


def test_packets_are_frozen_and_without_user_properties_unless_given() -> None:
    connect = MqttConnectProperties(MqttProtocolVersion.V311)
    assert (connect.username, connect.password, connect.user_properties) == (None, None, ())
    with pytest.raises(AttributeError):
        connect.username = "bob"  # type: ignore[misc]
    ended = MqttDisconnectedEventRequestProperties()
    assert (ended.initiated_by_client, ended.disconnect_packet) == (False, None)


@pytest.mark.parametrize(
    ("code", "expected", "status"),
    [
        (MqttV311ConnectReturnCode.NOT_AUTHORIZED, MqttV311ConnectReturnCode.NOT_AUTHORIZED, 401),
        (5, MqttV311ConnectReturnCode.NOT_AUTHORIZED, 401),
        (138, MqttV500ConnectReasonCode.BANNED, 403),
    ],
)
@pytest.mark.parametrize("error", [MqttEventErrorResponse, MqttConnectEventErrorResponse])
def test_an_error_has_the_status_of_its_code(
    error: type[MqttEventErrorResponse], code: int, expected: int, status: int
) -> None:
    response = error(code, "no", {"a": "1"})
    assert response.code is expected
    assert (response.status, response.reason, response.user_properties) == (status, "no", (A,))


def test_an_error_may_go_without_words() -> None:
    response = MqttEventErrorResponse(135)
    assert (response.reason, response.user_properties) == (None, ())


def test_an_error_of_an_unknown_code_cannot_be_made() -> None:
    with pytest.raises(UsageError, match=r"^MQTT code 42 refuses no client"):
        MqttConnectEventErrorResponse(42)
