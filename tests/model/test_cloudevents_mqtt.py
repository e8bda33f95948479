"""The event protocol over HTTP for clients of MQTT: literal headers and bodies, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.event_values import (
    connect,
    mqtt_connect,
    mqtt_connected,
    mqtt_disconnected,
    mqtt_user,
)
from webpubsub.model.cloudevents import (
    answer_of,
    build_answer,
    build_body,
    build_headers,
    build_refusal,
    parse_answer,
    parse_context,
    parse_event,
)
from webpubsub.model.errors import CloudEventError, EventRefused, UsageError
from webpubsub.model.events import (
    ConnectEventResponse,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    WebPubSubConnectionContext,
)
from webpubsub.model.mqtt.mqtt import MqttConnectEventErrorResponse, MqttEventErrorResponse
from webpubsub.model.mqtt.mqtt_codes import MqttProtocolVersion
from webpubsub.model.mqtt_events import MqttConnectEventResponse, MqttConnectionContext
from webpubsub.model.ports import EventAnswer

MQTT: list[tuple[bytes, bytes]] = [
    (b"webhook-request-origin", b"localhost"),
    (b"ce-type", b"azure.webpubsub.user.message"),
    (b"ce-id", b"3"),
    (b"ce-connectionid", b"c1"),
    (b"ce-hub", b"chat"),
    (b"ce-eventname", b"message"),
    (b"ce-userid", "日本".encode()),
    (b"ce-subprotocol", b"mqtt"),
    (b"ce-connectionstate", b"eyJjb3VudGVyIjoiTWc9PSJ9"),
]
PHYSICAL, SESSION = (b"ce-physicalconnectionid", b"p1"), (b"ce-sessionid", b"s1")


def without_subprotocol() -> list[tuple[bytes, bytes]]:
    return [header for header in MQTT if header[0] != b"ce-subprotocol"]


@pytest.mark.parametrize(
    ("raw", "physical_id", "session_id"),
    [
        ([*MQTT, PHYSICAL, SESSION], "p1", "s1"),
        ([*MQTT, PHYSICAL], "p1", None),
        ([*MQTT, PHYSICAL, (PHYSICAL[0], b"p2")], "p1", None),
    ],
)
def test_headers_read_as_an_mqtt_session(
    raw: list[tuple[bytes, bytes]], physical_id: str, session_id: str | None
) -> None:
    found = parse_context(raw)
    assert isinstance(found, MqttConnectionContext)
    assert (found.physical_connection_id, found.session_id) == (physical_id, session_id)
    assert (found.connection_id, found.user_id, found.subprotocol) == ("c1", "日本", "mqtt")
    assert dict(found.states) == {"counter": 2}


@pytest.mark.parametrize(
    "raw",
    [
        [*MQTT, SESSION],
        [*without_subprotocol(), PHYSICAL],
        [*without_subprotocol(), (b"ce-subprotocol", b"json.webpubsub.azure.v1"), PHYSICAL],
        [*without_subprotocol(), (b"ce-subprotocol", b"MQTT"), PHYSICAL],
    ],
)
def test_both_headers_make_an_mqtt_session(raw: list[tuple[bytes, bytes]]) -> None:
    assert type(parse_context(raw)) is WebPubSubConnectionContext


@pytest.mark.parametrize(
    ("request_", "session"),
    [(mqtt_connect(), {}), (mqtt_user(), {"ce-sessionId": "s1"})],
)
def test_an_mqtt_session_writes_its_headers(request_: EventRequest, session: dict[str, str]) -> None:
    headers = dict(build_headers(request_, origin="o", signature="s", time="t", request_id="r"))
    wanted = {
        "ce-source": "/hubs/chat/client/c1/p1",
        "ce-connectionId": "c1",
        "ce-subprotocol": "mqtt",
        "ce-physicalConnectionId": "p1",
        **session,
    }
    assert {name: headers[name] for name in wanted} == wanted
    assert ("ce-sessionId" in headers) is bool(session)


def session_of(request: EventRequest) -> tuple[str, str | None]:
    assert isinstance(request.connection_context, MqttConnectionContext)
    return request.connection_context.physical_connection_id, request.connection_context.session_id


@pytest.mark.parametrize(
    "request_", [mqtt_connect(), mqtt_connected(), mqtt_disconnected(), mqtt_disconnected(None), mqtt_user()]
)
def test_an_mqtt_event_is_read_as_it_was_written(request_: EventRequest) -> None:
    headers = build_headers(request_, origin="o", signature="s", time="t", request_id="r")
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    found = parse_event(parse_context(raw), dict(headers)["Content-Type"], build_body(request_))
    assert type(found) is type(request_)
    assert session_of(found) == session_of(request_)
    assert getattr(found, "mqtt", None) == getattr(request_, "mqtt", None)
    assert getattr(found, "payload", None) == getattr(request_, "payload", None)


def test_an_mqtt_connect_event_without_its_version_is_an_error_of_the_sender() -> None:
    with pytest.raises(CloudEventError, match=r"the body of the connect event cannot be read: .*`mqtt`"):
        parse_event(mqtt_connect().connection_context, "application/json", b"{}")


def refusal(request: EventRequest, response: EventResponse) -> tuple[int, str, bytes]:
    """Return status, content type and body of the answer."""
    with pytest.raises(EventRefused) as caught:
        answer_of(request, response)
    answer = build_refusal(caught.value)
    return answer.status, dict(answer.headers)[b"content-type"].decode(), answer.body


JSON = "application/json"
V311 = mqtt_connect(MqttProtocolVersion.V311)
V500 = mqtt_connect(MqttProtocolVersion.V500)
REFUSALS: list[tuple[EventRequest, EventResponse, int, bytes]] = [
    (
        V311,
        MqttConnectEventErrorResponse(4, "no"),
        401,
        b'{"mqtt":{"code":4,"reason":"no","userProperties":null}}',
    ),
    (
        V500,
        MqttConnectEventErrorResponse(137, user_properties={"a": "b"}),
        500,
        b'{"mqtt":{"code":137,"reason":null,"userProperties":[{"name":"a","value":"b"}]}}',
    ),
    (
        mqtt_user(),
        MqttEventErrorResponse(151, "enough"),
        429,
        b'{"mqtt":{"code":151,"reason":"enough","userProperties":null}}',
    ),
    # errors for any client keep their status
    (
        V311,
        EventErrorResponse("unauthorized", "no"),
        401,
        b'{"mqtt":{"code":5,"reason":"no","userProperties":null}}',
    ),
    (
        V311,
        EventErrorResponse("userError", "no"),
        400,
        b'{"mqtt":{"code":4,"reason":"no","userProperties":null}}',
    ),
    (V311, EventErrorResponse("serverError"), 500, b'{"mqtt":{"code":3,"reason":"","userProperties":null}}'),
    (
        V500,
        EventErrorResponse("serverError", "no"),
        500,
        b'{"mqtt":{"code":136,"reason":"no","userProperties":null}}',
    ),
    (
        mqtt_user(),
        EventErrorResponse("userError", "no"),
        400,
        b'{"mqtt":{"code":131,"reason":"no","userProperties":null}}',
    ),
]


@pytest.mark.parametrize(("request_", "response", "status", "body"), REFUSALS)
def test_an_mqtt_client_is_refused_with_a_code(
    request_: EventRequest, response: EventResponse, status: int, body: bytes
) -> None:
    assert refusal(request_, response) == (status, JSON, body)


def test_no_other_client_is_refused_with_a_code_of_mqtt() -> None:
    request = connect()
    with pytest.raises(UsageError, match="MqttConnectEventErrorResponse answers MQTT clients"):
        answer_of(request, MqttConnectEventErrorResponse(135))
    with pytest.raises(UsageError, match="MqttConnectEventResponse answers MQTT clients"):
        answer_of(request, MqttConnectEventResponse())


@pytest.mark.parametrize("kind", [ConnectEventResponse, MqttConnectEventResponse])
def test_an_mqtt_client_is_accepted_with_either_response(kind: type[ConnectEventResponse]) -> None:
    response = kind(user_id="bob")
    response.set_state("counter", 2)
    answer = build_answer(answer_of(mqtt_connect(), response))
    assert answer.body == b'{"mqtt":null,"userId":"bob","groups":null,"subprotocol":"mqtt","roles":null}'
    assert dict(answer.headers) == {
        b"content-type": b"application/json",
        b"ce-connectionstate": b"eyJjb3VudGVyIjoiTWc9PSJ9",
    }


def test_the_service_reads_what_an_mqtt_client_is_answered() -> None:
    body = b'{"mqtt":{"userProperties":[{"name":"a","value":"b"}]},"groups":["g"],"subProtocol":"mqtt"}'
    found = parse_answer(V500, 200, JSON, "state", body)
    assert found == EventAnswer(MqttConnectEventResponse(groups=["g"], user_properties={"a": "b"}), "state")
    assert parse_answer(V500, 204, None, None, b"") == EventAnswer(status=204)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b'{"mqtt":{"code":138,"reason":"no"}}', MqttConnectEventErrorResponse(138, "no")),
        (401, b"no", MqttConnectEventErrorResponse(135)),
        (500, b"", MqttConnectEventErrorResponse(128)),
    ],
)
def test_the_service_reads_why_an_mqtt_client_is_refused(
    status: int, body: bytes, error: MqttConnectEventErrorResponse
) -> None:
    with pytest.raises(EventRefused) as caught:
        parse_answer(V500, status, None, None, body)
    assert (caught.value.status, caught.value.message, caught.value.mqtt) == (status, body.decode(), error)


def test_other_refusals_have_nothing_of_mqtt() -> None:
    with pytest.raises(EventRefused) as caught:
        parse_answer(mqtt_user(), 401, None, None, b"no")
    assert caught.value.mqtt is None


@given(st.binary(max_size=60), st.integers(300, 599))
def test_every_refusal_has_a_code(body: bytes, status: int) -> None:
    with pytest.raises(EventRefused) as caught:
        parse_answer(V500, status, JSON, None, body)
    assert isinstance(caught.value.mqtt, MqttEventErrorResponse | MqttConnectEventErrorResponse)
    assert caught.value.mqtt.code >= 128


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b'{"mqtt":{}}', b'{"mqtt":{"userProperties":[]}}']))
def test_any_acceptance_is_read_or_refused(body: bytes) -> None:
    try:
        response = parse_answer(V500, 200, JSON, None, body).response
    except EventRefused as refused:
        assert refused.status == 500  # noqa: PT017 - both ends are fine, and nothing else
    else:
        assert response is None or response == MqttConnectEventResponse()
