"""Events of MQTT clients, and their answers."""

from __future__ import annotations

from typing import Any

import pytest

from kit.event_values import (
    connect,
    mqtt_connect,
    mqtt_connected,
    mqtt_context,
    mqtt_disconnected,
    mqtt_user,
    user,
)
from webpubsub.model.errors import UsageError
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
)
from webpubsub.model.mqtt.mqtt import (
    MqttConnectEventErrorResponse,
    MqttEventErrorResponse,
    MqttUserProperty,
)
from webpubsub.model.mqtt.mqtt_codes import (
    MqttProtocolVersion,
    MqttV311ConnectReturnCode,
    MqttV500ConnectReasonCode,
)
from webpubsub.model.mqtt_events import (
    MqttConnectEventResponse,
    MqttConnectionContext,
    code_of_status,
    code_of_version,
    is_mqtt,
    response_for,
)

V311, V500 = MqttProtocolVersion.V311, MqttProtocolVersion.V500


@pytest.mark.parametrize(
    ("request_", "plain"),
    [
        (mqtt_connect(), ConnectEventRequest),
        (mqtt_connected(), ConnectedEventRequest),
        (mqtt_disconnected(), DisconnectedEventRequest),
    ],
)
def test_an_mqtt_event_is_also_the_plain_one(request_: EventRequest, plain: type[EventRequest]) -> None:
    assert isinstance(request_, plain)
    assert is_mqtt(request_)
    with pytest.raises(AttributeError):
        request_.connection_context = mqtt_context("system", "connect")  # type: ignore[misc]


def test_a_session_and_its_network_connection_are_two_things() -> None:
    context = mqtt_connected().connection_context
    assert isinstance(context, WebPubSubConnectionContext)
    assert (context.connection_id, context.physical_connection_id, context.session_id) == ("c1", "p1", "s1")
    assert context.subprotocol == "mqtt"


def test_a_context_becomes_that_of_a_session() -> None:
    plain = connect(a=1).connection_context
    found = MqttConnectionContext.of(plain, "p1")
    assert (found.physical_connection_id, found.session_id, found.subprotocol) == ("p1", None, "mqtt")
    assert (found.user_id, dict(found.states), found.headers) == ("alice", {"a": 1}, plain.headers)


@pytest.mark.parametrize("subprotocol", [None, "mqtt", "json.webpubsub.azure.v1"])
def test_a_client_is_accepted_with_subprotocol_mqtt(subprotocol: str | None) -> None:
    response = mqtt_connect().create_response("bob", ["g"], subprotocol, ["r"], {"region": "eu"})
    assert response == MqttConnectEventResponse(
        user_id="bob", groups=["g"], roles=["r"], user_properties=[MqttUserProperty("region", "eu")]
    )
    assert response.subprotocol == "mqtt"


def test_a_client_is_refused_with_a_code_of_its_version() -> None:
    v311 = mqtt_connect(V311).create_v311_error_response(MqttV311ConnectReturnCode.IDENTIFIER_REJECTED, "no")
    assert v311 == MqttConnectEventErrorResponse(2, "no")
    v50 = mqtt_connect().create_v50_error_response(MqttV500ConnectReasonCode.BANNED, "no", {"a": "b"})
    assert v50 == MqttConnectEventErrorResponse(138, "no", {"a": "b"})
    with pytest.raises(UsageError, match=r"^MQTT code 7 refuses no client"):
        mqtt_connect().create_v50_error_response(7)


# --- answers for any client ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "codes"),
    [
        (mqtt_connect(V311), {"unauthorized": 5, "userError": 4, "serverError": 3}),
        (mqtt_connect(V500), {"unauthorized": 135, "userError": 134, "serverError": 136}),
        (mqtt_user(), {"unauthorized": 135, "userError": 131, "serverError": 128}),
    ],
)
@pytest.mark.parametrize("code", ["unauthorized", "userError", "serverError"])
def test_an_error_for_any_client_has_a_code_in_mqtt(
    request_: EventRequest, codes: dict[str, int], code: str
) -> None:
    response = response_for(request_, request_.create_error_response(code, "no"))
    assert isinstance(response, MqttEventErrorResponse)
    assert (response.code, response.reason, response.user_properties) == (codes[code], "no", ())
    assert isinstance(response, MqttConnectEventErrorResponse) is isinstance(request_, ConnectEventRequest)


def test_a_response_for_any_client_becomes_one_of_mqtt() -> None:
    plain = ConnectEventResponse(user_id="bob", groups=["g"], subprotocol="x", roles=[])
    plain.set_state("a", 1)
    found = response_for(mqtt_connect(), plain)
    assert found == MqttConnectEventResponse(user_id="bob", groups=["g"], roles=[], states={"a": 1})


UNCHANGED: list[tuple[EventRequest, Any]] = [
    (mqtt_connect(), None),
    (mqtt_connect(), MqttConnectEventResponse(user_id="bob")),
    (mqtt_connect(), MqttConnectEventErrorResponse(135)),
    (mqtt_user(), UserEventResponse("hi")),
    (connect(), ConnectEventResponse(subprotocol="x")),
    (connect(), EventErrorResponse("userError")),
    (user(), None),
]


@pytest.mark.parametrize(("request_", "response"), UNCHANGED)
def test_any_other_response_stays_as_it_is(request_: EventRequest, response: Any) -> None:
    assert response_for(request_, response) is response


@pytest.mark.parametrize(
    "response", [MqttConnectEventResponse(), MqttConnectEventErrorResponse(135), MqttEventErrorResponse(135)]
)
def test_a_response_for_mqtt_clients_answers_no_other(response: Any) -> None:
    with pytest.raises(UsageError) as caught:
        response_for(connect(), response)
    assert str(caught.value) == (
        f"{type(response).__name__} answers MQTT clients, and this client is none: expected what "
        "request.create_response(...) or request.create_error_response(...) returns"
    )


# --- refusals that arrive -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "v311", "v500"),
    [(400, 4, 134), (401, 5, 135), (403, 5, 135), (404, 3, 128), (500, 3, 128), (503, 3, 128)],
)
def test_a_status_without_words_has_a_code(status: int, v311: int, v500: int) -> None:
    assert code_of_status(V311, status) is MqttV311ConnectReturnCode(v311)
    assert code_of_status(V500, status) is MqttV500ConnectReasonCode(v500)


@pytest.mark.parametrize(
    ("version", "value", "code"),
    [(V311, 5, 5), (V500, 138, 138), (V311, 138, 3), (V500, 5, 128), (V500, -1, 128)],
)
def test_a_code_of_the_other_version_is_unspecified(
    version: MqttProtocolVersion, value: int, code: int
) -> None:
    assert code_of_version(version, value) == code
