"""Events of MQTT clients in the host's JSON, their answers, and what the decorators check of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import webpubsub as wps
from kit.event_values import (
    connect,
    mqtt_connect,
    mqtt_connected,
    mqtt_context,
    mqtt_disconnected,
    mqtt_user,
    trigger_bytes,
    user,
)
from webpubsub.functions.adapter import Adapter
from webpubsub.functions.host_json import decode_request, decode_response, encode_request, encode_response
from webpubsub.functions.host_json.trigger_bytes import decode_user_event
from webpubsub.model.errors import PeerError, UsageError

V311, V500 = wps.MqttProtocolVersion.V311, wps.MqttProtocolVersion.V500

# --- events -------------------------------------------------------------------------------------------

CONTEXT = """  "connectionContext": {
    "physicalConnectionId": "p1",
    "sessionId": %s,
    "eventType": "System",
    "eventName": "%s",
    "hub": "chat",
    "connectionId": "c1",
    "userId": "alice",
    "signature": "sha256=00",
    "origin": "a.webpubsub.azure.com",
    "states": {},
    "headers": {
      "ce-hub": [
        "chat"
      ]
    }
  }
}"""
CONNECT_JSON = (
    """{
  "mqtt": {
    "protocolVersion": 5,
    "username": "bob",
    "password": "c2VjcmV0",
    "userProperties": [
      {
        "name": "a",
        "value": "b"
      }
    ]
  },
  "claims": {
    "sub": [
      "alice"
    ]
  },
  "query": {
    "a": [
      "1",
      "2"
    ]
  },
  "headers": {
    "host": [
      "h"
    ]
  },
  "subprotocols": [
    "mqtt"
  ],
  "clientCertificates": [
    {
      "Thumbprint": "ABC",
      "content": "PEM"
    }
  ],
"""
    + CONTEXT % ("null", "connect")
)
CONNECTED_JSON = "{\n" + CONTEXT % ('"s1"', "connected")
DISCONNECTED_JSON = (
    """{
  "mqtt": {
    "initiatedByClient": true,
    "disconnectPacket": {
      "code": 4,
      "userProperties": [
        {
          "name": "a",
          "value": "b"
        }
      ]
    }
  },
  "reason": "bye",
"""
    + CONTEXT % ('"s1"', "disconnected")
)
ENDED_JSON = (
    """{
  "mqtt": {
    "initiatedByClient": false,
    "disconnectPacket": null
  },
  "reason": "bye",
"""
    + CONTEXT % ('"s1"', "disconnected")
)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (mqtt_connect(), CONNECT_JSON),
        (mqtt_connected(), CONNECTED_JSON),
        (mqtt_disconnected(4), DISCONNECTED_JSON),
        (mqtt_disconnected(None), ENDED_JSON),
    ],
)
def test_an_event_is_json_in_the_extensions_member_order(request_: wps.EventRequest, text: str) -> None:
    assert encode_request(request_) == text
    assert decode_request(text) == request_


def test_a_user_event_has_the_context_of_its_session() -> None:
    members = json.loads(encode_request(mqtt_user()))
    assert list(members) == ["data", "dataType", "connectionContext"]
    assert list(members["connectionContext"])[:3] == ["physicalConnectionId", "sessionId", "eventType"]
    assert decode_request(members) == mqtt_user()


def test_the_context_of_any_other_client_has_no_session() -> None:
    assert next(iter(json.loads(encode_request(connect()))["connectionContext"])) == "eventType"


def test_a_user_event_of_the_worker_has_it_in_the_metadata() -> None:
    value = trigger_bytes()
    datum = value.trigger_metadata["ConnectionContext"]
    context = json.loads(datum.value) | {"physicalConnectionId": "p1", "sessionId": "s1"}
    value.trigger_metadata = {
        **value.trigger_metadata,
        "ConnectionContext": type(datum)(json.dumps(context), "json"),  # type: ignore[call-arg]
    }
    assert decode_user_event(value) == mqtt_user("hello")


@pytest.mark.parametrize(
    "mqtt", [None, {}, {"protocolVersion": 6}, {"protocolVersion": 5, "userProperties": [1]}]
)
def test_a_connect_event_needs_its_version(mqtt: Any) -> None:
    with pytest.raises(PeerError, match=r"^the host's value of 'request' cannot be read: "):
        decode_request({**json.loads(CONNECT_JSON), "mqtt": mqtt})


@pytest.mark.parametrize("mqtt", [{}, {"mqtt": None}, {"mqtt": {}}])
def test_a_session_may_end_without_a_word(mqtt: dict[str, Any]) -> None:
    found = decode_request({"connectionContext": json.loads(ENDED_JSON)["connectionContext"], **mqtt})
    assert isinstance(found, wps.MqttDisconnectedEventRequest)
    assert found.mqtt == wps.MqttDisconnectedEventRequestProperties(False, None)


# --- answers: what the worker returns to the extension --------------------------------------------------

TO_JSON: list[tuple[wps.EventRequest, wps.EventResponse, dict[str, Any]]] = [
    (
        mqtt_connect(),
        mqtt_connect().create_response("bob", ["g"], roles=["r"], user_properties={"a": "b"}),
        {
            "userId": "bob",
            "groups": ["g"],
            "subprotocol": "mqtt",
            "roles": ["r"],
            "mqtt": {"userProperties": [{"name": "a", "value": "b"}]},
        },
    ),
    (mqtt_connect(), wps.ConnectEventResponse(user_id="bob"), {"userId": "bob", "subprotocol": "mqtt"}),
    (
        mqtt_connect(),
        wps.MqttConnectEventErrorResponse(wps.MqttV500ConnectReasonCode.BANNED, "no", {"a": "b"}),
        {"mqtt": {"code": 138, "reason": "no", "userProperties": [{"name": "a", "value": "b"}]}},
    ),
    # The extension answers 500 to errors in any other form.
    (
        mqtt_connect(V311),
        wps.EventErrorResponse("unauthorized", "no"),
        {"mqtt": {"code": 5, "reason": "no", "userProperties": None}},
    ),
    (
        mqtt_user(),
        wps.EventErrorResponse("userError", "no"),
        {"mqtt": {"code": 131, "reason": "no", "userProperties": None}},
    ),
    (mqtt_user(), wps.UserEventResponse("hi"), {"data": "hi", "dataType": "text"}),
]


@pytest.mark.parametrize(("request_", "response", "members"), TO_JSON)
def test_a_response_is_written(
    request_: wps.EventRequest, response: wps.EventResponse, members: dict[str, Any]
) -> None:
    written = encode_response(response, request_)
    assert written == members
    json.dumps(written)  # plain values, which is what the worker can send


# --- answers: what a function may return ----------------------------------------------------------------

FROM_VALUE: list[tuple[wps.EventRequest, Any, wps.EventResponse | None]] = [
    (mqtt_connect(), None, None),
    (mqtt_connect(), {}, wps.MqttConnectEventResponse()),
    (
        mqtt_connect(),
        {"userId": "bob", "mqtt": {"userProperties": [{"name": "a", "value": "b"}]}, "subprotocol": "x"},
        wps.MqttConnectEventResponse(user_id="bob", user_properties={"a": "b"}),
    ),
    (
        mqtt_connect(),
        '{"mqtt": {"userProperties": null}, "groups": ["g"], "states": {"n": 1}}',
        wps.MqttConnectEventResponse(groups=["g"], states={"n": 1}),
    ),
    (mqtt_connect(), {"mqtt": None, "roles": []}, wps.MqttConnectEventResponse(roles=[])),
    (
        mqtt_connect(),
        {"mqtt": {"code": 135, "reason": "reason"}, "errorMessage": "reason", "code": "userError"},
        wps.MqttConnectEventErrorResponse(135, "reason"),
    ),
    (mqtt_connect(V311), '{"mqtt": {"code": 5}}', wps.MqttConnectEventErrorResponse(5)),
    (
        mqtt_connect(),
        {"code": "unauthorized", "errorMessage": "no"},
        wps.EventErrorResponse("unauthorized", "no"),
    ),
    (
        mqtt_user(),
        {"mqtt": {"code": 151, "reason": "enough", "userProperties": [{"name": "a", "value": "b"}]}},
        wps.MqttEventErrorResponse(151, "enough", {"a": "b"}),
    ),
    (mqtt_user(), wps.MqttEventErrorResponse(151), wps.MqttEventErrorResponse(151)),
    (mqtt_user(), wps.EventErrorResponse("userError"), wps.EventErrorResponse("userError")),
    # Without a code it is JSON like any other.
    (mqtt_user(), {"mqtt": {"topic": "t"}}, wps.UserEventResponse({"mqtt": {"topic": "t"}})),
    (user(), {"mqtt": "v5"}, wps.UserEventResponse({"mqtt": "v5"})),
    # Properties of a CONNACK mean nothing to other clients.
    (
        connect(),
        {"userId": "bob", "mqtt": {"userProperties": [{"name": "a", "value": "b"}]}},
        wps.ConnectEventResponse(user_id="bob"),
    ),
]


@pytest.mark.parametrize(("request_", "value", "response"), FROM_VALUE)
def test_a_value_is_read(request_: wps.EventRequest, value: Any, response: wps.EventResponse | None) -> None:
    found = decode_response(request_, value)
    assert found == response
    assert type(found) is type(response)


@pytest.mark.parametrize(
    ("request_", "value", "problem"),
    [
        (mqtt_connect(), {"mqtt": {"code": 42}}, "MQTT code 42 refuses no client: expected a return code"),
        (
            mqtt_connect(),
            {"mqtt": {"code": "135"}},
            "'mqtt' is {'code': '135'} (dict): Expected `int`, got `str` - at `$.code`",
        ),
        (
            mqtt_connect(),
            {"mqtt": {"userProperties": {"a": "b"}}},
            "'mqtt' is {'userProperties': {'a': 'b'}} (dict): Expected `array | null`, got `object` - at "
            "`$.userProperties`",
        ),
        (mqtt_connect(), {"mqtt": "v5"}, "'mqtt' is 'v5' (str): Expected `object`, got `str`"),
        (
            user(),
            {"mqtt": {"code": 135}},
            "the answer has a code in 'mqtt', and this client is not one of MQTT: expected 'code' and "
            "'errorMessage' beside each other; to send such a dict as JSON, return UserEventResponse(...) of "
            "it",
        ),
        (
            connect(),
            wps.MqttConnectEventErrorResponse(135),
            "MqttConnectEventErrorResponse answers MQTT clients",
        ),
        (
            connect(),
            wps.MqttConnectEventResponse(),
            "MqttConnectEventResponse answers MQTT clients, and this",
        ),
        (
            mqtt_connected(),
            wps.MqttEventErrorResponse(135),
            "nobody waits for an answer to the connected event: expected None, found MqttEventErrorResponse(",
        ),
    ],
)
def test_a_value_that_answers_nobody(request_: wps.EventRequest, value: Any, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode_response(request_, value)
    assert str(caught.value).startswith(problem)


# --- decorators -----------------------------------------------------------------------------------------


def of_plain(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse | wps.EventErrorResponse: ...  # type: ignore[empty-body]
def of_mqtt(  # type: ignore[empty-body]
    request: wps.MqttConnectEventRequest,
) -> wps.MqttConnectEventResponse | wps.MqttConnectEventErrorResponse: ...
def of_either(request: wps.MqttConnectEventRequest | wps.ConnectEventRequest) -> None: ...
def of_any_event(request: wps.EventRequest) -> None: ...
def untyped(request): ...  # type: ignore[no-untyped-def]
def of_mqtt_disconnected(request: wps.MqttDisconnectedEventRequest) -> None: ...
def returns_mqtt(request: wps.ConnectEventRequest) -> wps.MqttConnectEventResponse: ...  # type: ignore[empty-body]
def returns_mqtt_error(request: wps.ConnectEventRequest) -> wps.MqttConnectEventErrorResponse: ...  # type: ignore[empty-body]
def returns_nothing_useful(request: wps.ConnectedEventRequest) -> wps.MqttEventErrorResponse: ...  # type: ignore[empty-body]


def system(
    function: Callable[..., Any], event_name: str = "connect", client_protocols: str | None = None
) -> Any:
    app = wps.FunctionApp()
    decorate = app.web_pubsub_trigger(
        hub="chat", event_type="system", event_name=event_name, client_protocols=client_protocols
    )
    return decorate(function)


@pytest.mark.parametrize("client_protocols", ["mqtt", "MQTT", "all", None])
@pytest.mark.parametrize(
    "function", [of_plain, of_mqtt, of_either, of_any_event, untyped, returns_mqtt, returns_mqtt_error]
)
def test_functions_may_take_events_of_mqtt(function: Any, client_protocols: str | None) -> None:
    binding = system(function, client_protocols=client_protocols)._function.get_bindings()[0]
    expected = {} if client_protocols is None else {"clientProtocols": client_protocols.lower()}
    assert {name: value for name, value in binding.get_dict_repr().items() if name == "clientProtocols"} == (
        expected
    )


def test_a_user_event_may_be_refused_in_mqtt_form() -> None:
    def message(request: wps.UserEventRequest) -> wps.MqttEventErrorResponse | str: ...  # type: ignore[empty-body]

    app = wps.FunctionApp()
    decorate = app.web_pubsub_trigger(
        hub="chat", event_type="user", event_name="message", client_protocols="mqtt"
    )
    assert decorate(message) is not None


@pytest.mark.parametrize(
    ("function", "event_name", "client_protocols", "problem"),
    [
        (
            of_mqtt,
            "connect",
            "webPubSub",
            "parameter 'request' is annotated MqttConnectEventRequest, but the connect event brings "
            "ConnectEventRequest: annotate it ConnectEventRequest, or set client_protocols='mqtt'",
        ),
        (
            of_plain,
            "connected",
            "mqtt",
            "parameter 'request' is annotated ConnectEventRequest, but the connected event brings "
            "MqttConnectedEventRequest: annotate it MqttConnectedEventRequest, or set event_name='connect'",
        ),
        (
            of_mqtt_disconnected,
            "connected",
            "all",
            "parameter 'request' is annotated MqttDisconnectedEventRequest, but the connected event brings "
            "ConnectedEventRequest: annotate it ConnectedEventRequest, or set event_name='disconnected'",
        ),
        (
            returns_mqtt,
            "connect",
            "webPubSub",
            "it is annotated to return MqttConnectEventResponse, which cannot answer the connect event: "
            "expected ConnectEventResponse or EventErrorResponse",
        ),
        (
            returns_mqtt_error,
            "connect",
            "webpubsub",
            "it is annotated to return MqttConnectEventErrorResponse, which cannot answer the connect event: "
            "expected ConnectEventResponse or EventErrorResponse",
        ),
        (
            returns_nothing_useful,
            "connected",
            "mqtt",
            "it is annotated to return MqttEventErrorResponse, which cannot answer the connected event: "
            "expected nothing, as nobody waits for an answer",
        ),
    ],
)
def test_a_mistake_is_found_at_decoration(
    function: Any, event_name: str, client_protocols: str, problem: str
) -> None:
    with pytest.raises((wps.FunctionError, wps.FunctionErrors)) as raised:
        system(function, event_name, client_protocols)
    assert problem in str(raised.value).splitlines()[0]


def test_a_function_for_any_client_works_in_the_worker_for_one_of_mqtt() -> None:
    def connecting(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse | wps.EventErrorResponse:
        if request.connection_context.user_id == "alice":
            return request.create_error_response("unauthorized", "not alice")
        return request.create_response("bob", None, request.subprotocols[0])

    wrapper = system(connecting)._function.get_user_function()
    assert wrapper(request=CONNECT_JSON) == {
        "mqtt": {"code": 135, "reason": "not alice", "userProperties": None}
    }
    as_bob = CONNECT_JSON.replace('"userId": "alice"', '"userId": "bob"')
    assert wrapper(request=as_bob) == {"userId": "bob", "subprotocol": "mqtt"}


def test_an_answer_for_mqtt_clients_to_another_names_the_function() -> None:
    def connecting(request: wps.ConnectEventRequest) -> wps.MqttConnectEventResponse:
        return wps.MqttConnectEventResponse()

    adapter: Adapter = system(connecting)._function.get_user_function().__webpubsub__
    with pytest.raises(UsageError, match=r"function 'connecting': MqttConnectEventResponse answers MQTT"):
        adapter.call({"request": connect()})
    assert adapter.call({"request": mqtt_connect()}) == wps.MqttConnectEventResponse()


def test_headers_are_found_in_any_case_by_typed_functions() -> None:
    members = json.loads(encode_request(mqtt_connected()))
    members["connectionContext"]["headers"] = {"ce-userId": ["alice"], "ce-physicalConnectionId": ["p1"]}
    headers = decode_request(members).connection_context.headers
    for name in ("ce-userId", "CE-USERID", "ce-userid"):
        assert headers[name] == ["alice"]


def test_mqtt_is_no_name_for_an_output() -> None:
    def connecting(request: wps.ConnectEventRequest, mqtt: wps.Actions) -> None: ...

    with pytest.raises((wps.FunctionError, wps.FunctionErrors), match="the output is called 'mqtt'"):
        wps.FunctionApp().web_pubsub_output(hub="chat", arg_name="mqtt")(connecting)


def test_the_context_of_a_session_is_read_without_headers() -> None:
    context = mqtt_context("system", "connected")
    assert context.headers == {"ce-hub": ["chat"]}
    assert decode_request(CONNECTED_JSON).connection_context == context
