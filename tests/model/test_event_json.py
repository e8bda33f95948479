"""Bodies of events of MQTT clients and of their answers; those of others are tested with their headers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from kit.event_values import mqtt_connect, mqtt_connected, mqtt_context, mqtt_disconnected
from webpubsub.model.event_json import (
    SYSTEM_EVENTS,
    build_accepted,
    build_error,
    build_system_event,
    parse_accepted,
    parse_error,
)
from webpubsub.model.events import ConnectEventResponse, EventRequest
from webpubsub.model.mqtt.mqtt import (
    MqttConnectEventErrorResponse,
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttDisconnectPacketProperties,
    MqttEventErrorResponse,
    MqttUserProperty,
)
from webpubsub.model.mqtt.mqtt_codes import MqttDisconnectReasonCode, MqttProtocolVersion
from webpubsub.model.mqtt_events import (
    MqttConnectEventRequest,
    MqttConnectEventResponse,
    MqttDisconnectedEventRequest,
)

V311, V500 = MqttProtocolVersion.V311, MqttProtocolVersion.V500

CONNECT = b"""{
  "claims": {"sub": ["alice"]},
  "query": {"a": ["1", "2"]},
  "headers": {"host": ["h"]},
  "subprotocols": ["mqtt"],
  "clientCertificates": [{"thumbprint": "ABC", "content": "PEM"}],
  "mqtt": {
    "protocolVersion": 5, "username": "bob", "password": "c2VjcmV0",
    "userProperties": [{"name": "a", "value": "b"}]
  }
}"""
DISCONNECTED = b"""{
  "reason": "bye",
  "mqtt": {
    "initiatedByClient": true,
    "disconnectPacket": {"code": 0, "userProperties": [{"name": "a", "value": "b"}]}
  }
}"""
BODIES: list[tuple[bytes, EventRequest]] = [
    (CONNECT, mqtt_connect()),
    (b"{}", mqtt_connected()),
    (DISCONNECTED, mqtt_disconnected(0)),
    (
        b'{"reason": "bye", "mqtt": {"initiatedByClient": false, "disconnectPacket": null}}',
        mqtt_disconnected(None),
    ),
]


def parse(event: str, body: bytes) -> Any:
    return SYSTEM_EVENTS[event](mqtt_context("system", event, None), body)


@pytest.mark.parametrize(("body", "request_"), BODIES)
def test_a_body_is_read_and_written(body: bytes, request_: EventRequest) -> None:
    context = request_.connection_context
    assert SYSTEM_EVENTS[context.event_name](context, body) == request_
    assert json.loads(build_system_event(request_)) == json.loads(body)


def test_a_client_of_3_1_1_has_little_to_say() -> None:
    body = b'{"mqtt": {"protocolVersion": 4}}'
    found = parse("connect", body)
    assert isinstance(found, MqttConnectEventRequest)
    assert found.mqtt == MqttConnectProperties(V311, None, None, ())
    assert json.loads(build_system_event(found))["mqtt"] == {
        "protocolVersion": 4,
        "username": None,
        "password": None,
        "userProperties": None,
    }


def test_members_nobody_knows_are_dropped() -> None:
    body = b'{"mqtt": {"protocolVersion": 5, "cleanStart": true, "userProperties": null}, "more": 1}'
    assert parse("connect", body).mqtt == MqttConnectProperties(V500)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"mqtt": null}',
        b'{"mqtt": {}}',
        b'{"mqtt": {"protocolVersion": 3}}',
        b'{"mqtt": {"protocolVersion": "5"}}',
        b'{"mqtt": {"protocolVersion": 5, "userProperties": [{"name": "a"}]}}',
        b"",
    ],
)
def test_a_connect_event_needs_its_version(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse("connect", body)


@pytest.mark.parametrize(
    ("body", "mqtt"),
    [
        (b"{}", MqttDisconnectedEventRequestProperties()),
        (b'{"mqtt": {}}', MqttDisconnectedEventRequestProperties()),
        (
            b'{"mqtt": {"initiatedByClient": true, "disconnectPacket": {"code": 255}}}',
            MqttDisconnectedEventRequestProperties(True, MqttDisconnectPacketProperties(255)),
        ),
        (
            b'{"mqtt": {"disconnectPacket": {"code": 152, "userProperties": null}}}',
            MqttDisconnectedEventRequestProperties(
                False, MqttDisconnectPacketProperties(MqttDisconnectReasonCode.ADMINISTRATIVE_ACTION)
            ),
        ),
    ],
)
def test_the_end_of_a_session_is_told_whatever_is_said_of_it(
    body: bytes, mqtt: MqttDisconnectedEventRequestProperties
) -> None:
    found = parse("disconnected", body)
    assert isinstance(found, MqttDisconnectedEventRequest)
    assert (found.reason, found.mqtt) == ("", mqtt)


# --- the answer to connect ----------------------------------------------------------------------------

ACCEPTED = [
    (
        b'{"mqtt":{"userProperties":[{"name":"a","value":"b"}]},"userId":"userId",'
        b'"groups":["group1","group2"],"subprotocol":"mqtt","roles":["webpubsub.joinLeaveGroup"]}',
        MqttConnectEventResponse(
            user_id="userId",
            groups=["group1", "group2"],
            roles=["webpubsub.joinLeaveGroup"],
            user_properties={"a": "b"},
        ),
    ),
    (
        b'{"mqtt":null,"userId":null,"groups":null,"subprotocol":"mqtt","roles":null}',
        MqttConnectEventResponse(),
    ),
]


@pytest.mark.parametrize(("body", "response"), ACCEPTED)
def test_an_answer_that_accepts_is_written_and_read(body: bytes, response: ConnectEventResponse) -> None:
    assert build_accepted(response) == body
    assert parse_accepted(mqtt_connect(), body) == response


@pytest.mark.parametrize(
    ("body", "response"),
    [
        (b"null", None),
        (b"{}", MqttConnectEventResponse()),
        (b'{"mqtt": {}, "subprotocol": null, "userId": "bob"}', MqttConnectEventResponse(user_id="bob")),
        (b'{"mqtt": {"userProperties": null}}', MqttConnectEventResponse()),
    ],
)
def test_members_of_an_answer_may_be_missing(body: bytes, response: Any) -> None:
    assert parse_accepted(mqtt_connect(), body) == response


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"mqtt": {"userProperties": {"a": "b"}}}'])
def test_an_answer_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_accepted(mqtt_connect(), body)


def test_an_answer_that_refuses_is_written_and_read() -> None:
    body = b'{"mqtt":{"code":138,"reason":"The user is banned.","userProperties":[{"name":"a","value":"b"}]}}'
    error = MqttConnectEventErrorResponse(138, "The user is banned.", [MqttUserProperty("a", "b")])
    assert build_error(error) == body
    assert parse_error(mqtt_connect(), 403, body) == error


def test_an_answer_that_refuses_may_be_short() -> None:
    assert (
        build_error(MqttEventErrorResponse(5)) == b'{"mqtt":{"code":5,"reason":null,"userProperties":null}}'
    )
    found = parse_error(mqtt_connect(V311), 401, b'{"mqtt":{"code":5}}')
    assert found == MqttConnectEventErrorResponse(5)


@pytest.mark.parametrize(
    ("version", "status", "body", "error"),
    [
        # a code of the other version, or of none
        (V311, 401, b'{"mqtt":{"code":135,"reason":"no"}}', (3, "no")),
        (V500, 401, b'{"mqtt":{"code":5,"reason":"no"}}', (128, "no")),
        (V500, 400, b'{"mqtt":{"code":1000}}', (128, None)),
        # no code at all: the status tells
        (V311, 401, b"", (5, None)),
        (V500, 400, b"go away", (134, None)),
        (V500, 500, b'{"mqtt":{}}', (128, None)),
        (V500, 401, b'{"mqtt":{"code":"135"}}', (135, None)),
    ],
)
def test_a_refusal_always_has_a_code_of_the_clients_version(
    version: MqttProtocolVersion, status: int, body: bytes, error: tuple[int, str | None]
) -> None:
    assert parse_error(mqtt_connect(version), status, body) == MqttConnectEventErrorResponse(*error)
