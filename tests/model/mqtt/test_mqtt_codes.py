"""MQTT's numbers, and the HTTP status of each."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model.errors import UsageError
from webpubsub.model.mqtt.mqtt_codes import (
    MqttDisconnectReasonCode,
    MqttProtocolVersion,
    MqttV311ConnectReturnCode,
    MqttV500ConnectReasonCode,
    mqtt_status,
    parse_connect_code,
)

# Every code that may refuse a client, as the ASP.NET Core package answers.
STATUS = {
    "UNACCEPTABLE_PROTOCOL_VERSION": (1, 400),
    "IDENTIFIER_REJECTED": (2, 400),
    "SERVER_UNAVAILABLE (3.1.1)": (3, 503),
    "BAD_USERNAME_OR_PASSWORD": (4, 401),
    "NOT_AUTHORIZED (3.1.1)": (5, 401),
    "UNSPECIFIED_ERROR": (128, 500),
    "MALFORMED_PACKET": (129, 400),
    "PROTOCOL_ERROR": (130, 500),
    "IMPLEMENTATION_SPECIFIC_ERROR": (131, 400),
    "UNSUPPORTED_PROTOCOL_VERSION": (132, 400),
    "CLIENT_IDENTIFIER_NOT_VALID": (133, 400),
    "BAD_USER_NAME_OR_PASSWORD": (134, 401),
    "NOT_AUTHORIZED": (135, 401),
    "SERVER_UNAVAILABLE": (136, 500),
    "SERVER_BUSY": (137, 500),
    "BANNED": (138, 403),
    "BAD_AUTHENTICATION_METHOD": (140, 400),
    "TOPIC_NAME_INVALID": (144, 400),
    "PACKET_TOO_LARGE": (149, 400),
    "QUOTA_EXCEEDED": (151, 429),
    "PAYLOAD_FORMAT_INVALID": (153, 400),
    "RETAIN_NOT_SUPPORTED": (154, 400),
    "QOS_NOT_SUPPORTED": (155, 400),
    "USE_ANOTHER_SERVER": (156, 500),
    "SERVER_MOVED": (157, 500),
    "CONNECTION_RATE_EXCEEDED": (159, 429),
}


@pytest.mark.parametrize(("name", "code", "status"), [(name, *row) for name, row in STATUS.items()])
def test_a_code_has_a_status(name: str, code: int, status: int) -> None:
    found = parse_connect_code(code)
    assert (found.name, found) == (name.partition(" ")[0], code)
    assert mqtt_status(found) == status


def test_the_table_has_every_code() -> None:
    codes = [*MqttV311ConnectReturnCode, *MqttV500ConnectReasonCode]
    assert codes == [code for code, _ in STATUS.values()]


@pytest.mark.parametrize("value", [0, 6, 127, 139, 158, 160, -1, True, "135", 135.0, None])
def test_any_other_number_is_an_error(value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        parse_connect_code(value)
    assert str(caught.value) == (
        f"MQTT code {value!r} refuses no client: expected a return code of MQTT 3.1.1 (1 to 5) or a reason "
        "code of MQTT 5.0 (128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 140, 144, 149, 151, 153, "
        "154, 155, 156, 157, 159)"
    )


def test_a_version_is_numbered_as_in_the_connect_packet() -> None:
    assert (MqttProtocolVersion.V311, MqttProtocolVersion.V500) == (4, 5)


def test_sessions_end_for_these_reasons() -> None:
    numbers = {0, 4, *range(128, 132), 135, 137, 139, *range(141, 145), *range(147, 163)}
    assert set(MqttDisconnectReasonCode) == numbers
