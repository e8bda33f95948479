"""The MQTT rows of the extension's specification, sections 3 to 6, through the whole host."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.spec_app import (
    CONNECT,
    CONNECTED,
    CONNECTION_ID,
    DISCONNECTED,
    SIGNATURE,
    USER,
    SpecApp,
    running_app,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What the client's user name, or its message, says is what the function returns; it keeps what it was given.
APP = """
import json
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()
seen = []

def run(script, request):
    if script == "raise":
        raise LookupError("secret")
    return eval(script or "None", {"wps": wps, "request": request})

def trigger(protocol, event, hub="chat", **more):
    kind = "user" if event == "message" else "system"
    return app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub=hub, eventType=kind,
                               eventName=event, clientProtocols=protocol, **more)

@trigger("mqtt", "connect")
def connect(request: str):
    seen.append(json.loads(request))
    return run(seen[0]["mqtt"]["username"], None)

@trigger("MQTT", "connected")
def connected(request: str):
    seen.append(json.loads(request))

@trigger("mqtt", "disconnected")
def disconnected(request: str):
    seen.append(json.loads(request))

@trigger("mqtt", "message")
def message(request: str):
    seen.append(json.loads(request))
    return run(seen[0]["data"], None)

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="connect", client_protocols="mqtt")
async def typed_connect(request: wps.MqttConnectEventRequest):
    seen.append(request)
    return run(request.mqtt.username, request)

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="disconnected", client_protocols="mqtt")
def typed_disconnected(request: wps.MqttDisconnectedEventRequest):
    seen.append(request)

@app.web_pubsub_trigger(hub="typed", event_type="user", event_name="message", client_protocols="mqtt")
def typed_message(request: wps.UserEventRequest):
    seen.append(request)
    return run(request.data, request)

# Written for any client, without a thought of MQTT.
@app.web_pubsub_trigger(hub="plain", event_type="system", event_name="connect")
def plain_connect(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse | wps.EventErrorResponse:
    seen.append(request)
    if "deny" in request.query:
        return request.create_error_response(request.query["deny"][0], "no")
    return request.create_response("bob", ["g"], request.subprotocols[0], [])

def named(protocol, hub):
    def who(request):
        return {"data": protocol, "dataType": "text"}
    who.__name__ = f"{hub}_{protocol}"
    return trigger(protocol, "message", hub)(who)

@app.route(methods=["POST"], auth_level="anonymous")
@app.web_pubsub_context_input()
def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    seen.append(wps_context.request)
    return func.HttpResponse(wps_context.error_message or "", status_code=wps_context.response.status)

for protocol in ("all", "webPubSub", "mqtt"):
    named(protocol, "three")
named("all", "one")
named("webPubSub", "other")
"""

MQTT = {"ce-subprotocol": "mqtt", "ce-physicalConnectionId": "p1"}
SESSION = MQTT | {"ce-sessionId": "s1"}
V311 = {"protocolVersion": 4, "username": None, "password": None, "userProperties": None}
V500 = {
    "protocolVersion": 5,
    "username": None,
    "password": "c2VjcmV0",
    "userProperties": [{"name": "a", "value": "b"}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path_factory.mktemp("app"), APP) as running:
        yield running


def body(mqtt: dict[str, Any] = V500, script: str | None = None, **more: Any) -> bytes:
    return json.dumps({"mqtt": mqtt | {"username": script}, "subprotocols": ["mqtt"], **more}).encode()


# --- 3.4 headers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "physical_id", "session_id"),
    [
        (SESSION, "p1", "s1"),
        (MQTT, "p1", None),
        ([*MQTT.items(), ("ce-physicalConnectionId", "p2"), *SESSION.items()], "p1", "s1"),
    ],
)
async def test_3_4_a_session_and_its_network_connection(
    app: SpecApp, headers: Any, physical_id: str, session_id: str | None
) -> None:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    assert (await app.event([*CONNECTED.items(), *pairs], b"{}")).status == 200
    context = app.seen[0]["connectionContext"]
    assert (context["physicalConnectionId"], context["sessionId"]) == (physical_id, session_id)


async def test_3_4_without_the_physical_id_it_is_a_plain_client(app: SpecApp) -> None:
    headers = USER | {"ce-hub": "other", "ce-subprotocol": "mqtt", "ce-sessionId": "s1"}
    assert (await app.event(headers)).text == "webPubSub"


# --- 3.6 lookup: the client's protocol first, then all --------------------------------------------------


@pytest.mark.parametrize(
    ("hub", "mqtt", "plain"),
    [
        ("three", "mqtt", "webPubSub"),
        ("THREE", "mqtt", "webPubSub"),
        ("one", "all", "all"),
        ("other", None, "webPubSub"),
    ],
)
async def test_3_6_lookup(app: SpecApp, hub: str, mqtt: str | None, plain: str) -> None:
    for more, expected in ((SESSION, mqtt), ({}, plain)):
        answer = await app.event(USER | {"ce-hub": hub} | more)
        assert (answer.status, answer.text) == ((404, "") if expected is None else (200, expected))


# --- 4.4 what the function receives ---------------------------------------------------------------------

CONTEXT = {
    "physicalConnectionId": "p1",
    "sessionId": "s1",
    "eventType": "System",
    "eventName": "disconnected",
    "hub": "chat",
    "connectionId": CONNECTION_ID,
    "userId": "alice",
    "signature": SIGNATURE,
    "origin": "wps.example",
    "states": {},
    "headers": {name: [value] for name, value in (DISCONNECTED | SESSION).items()},
}


async def test_4_4_connect(app: SpecApp) -> None:
    more: dict[str, Any] = {
        "claims": {"sub": ["alice"]},
        "clientCertificates": [{"thumbprint": "T", "content": "PEM"}],
    }
    await app.event(CONNECT | MQTT, body(**more))
    headers = {name: [value] for name, value in (CONNECT | MQTT).items()}
    assert json.dumps(app.seen[0]) == json.dumps(
        {
            "mqtt": V500,
            "claims": {"sub": ["alice"]},
            "query": {},
            "headers": {},
            "subprotocols": ["mqtt"],
            "clientCertificates": [{"Thumbprint": "T", "content": "PEM"}],
            "connectionContext": CONTEXT | {"sessionId": None, "eventName": "connect", "headers": headers},
        }
    )


@pytest.mark.parametrize("mqtt", [V311, V500])
async def test_4_4_connect_of_each_version(app: SpecApp, mqtt: dict[str, Any]) -> None:
    await app.event(CONNECT | MQTT, body(mqtt))
    assert app.seen[0]["mqtt"] == mqtt


@pytest.mark.parametrize(
    "content", [b"{}", b'{"mqtt": {"username": "u"}}', b'{"mqtt": {"protocolVersion": 3}}']
)
async def test_4_4_the_version_is_mandatory(app: SpecApp, content: bytes) -> None:
    answer = await app.event(CONNECT | MQTT, content)
    assert answer.status == 400
    assert answer.text.startswith("the body of the connect event cannot be read: ")
    assert app.seen == []


@pytest.mark.parametrize(
    ("mqtt", "shown"),
    [
        (
            {"initiatedByClient": True, "disconnectPacket": {"code": 0, "userProperties": None}},
            {"initiatedByClient": True, "disconnectPacket": {"code": 0, "userProperties": None}},
        ),
        (
            {
                "initiatedByClient": True,
                "disconnectPacket": {"code": 4, "userProperties": [{"name": "a", "value": "b"}]},
            },
            {
                "initiatedByClient": True,
                "disconnectPacket": {"code": 4, "userProperties": [{"name": "a", "value": "b"}]},
            },
        ),
        (
            {"initiatedByClient": False, "disconnectPacket": None},
            {"initiatedByClient": False, "disconnectPacket": None},
        ),
        (
            {"initiatedByClient": True, "disconnectPacket": {"code": 254}},
            {"initiatedByClient": True, "disconnectPacket": {"code": 254, "userProperties": None}},
        ),
    ],
)
async def test_4_4_disconnected(app: SpecApp, mqtt: dict[str, Any], shown: dict[str, Any]) -> None:
    answer = await app.event(DISCONNECTED | SESSION, json.dumps({"reason": "bye", "mqtt": mqtt}).encode())
    assert (answer.status, answer.body) == (200, b"")
    assert json.dumps(app.seen[0]) == json.dumps(
        {"mqtt": shown, "reason": "bye", "connectionContext": CONTEXT}
    )


async def test_4_4_connected_and_user_events_have_the_context_only(app: SpecApp) -> None:
    await app.event(CONNECTED | SESSION, b"{}")
    assert list(app.seen[0]) == ["connectionContext"]
    await app.event(USER | SESSION, b"")
    assert list(app.seen[0]) == ["data", "dataType", "connectionContext"]
    assert list(app.seen[0]["connectionContext"])[:2] == ["physicalConnectionId", "sessionId"]


async def test_4_4_a_typed_function_gets_values(app: SpecApp) -> None:
    await app.event(CONNECT | MQTT | {"ce-hub": "typed"}, body(query={"q": ["1"]}))
    request = app.seen[0]
    assert type(request).__name__ == "MqttConnectEventRequest"
    assert (request.mqtt.protocol_version, request.mqtt.password) == (5, "c2VjcmV0")
    assert [(each.name, each.value) for each in request.mqtt.user_properties] == [("a", "b")]
    context = request.connection_context
    assert (context.physical_connection_id, context.session_id) == ("p1", None)
    assert context.headers["CE-PhysicalConnectionId"] == ["p1"]
    ended = {"reason": "bye", "mqtt": {"initiatedByClient": True, "disconnectPacket": {"code": 152}}}
    await app.event(DISCONNECTED | SESSION | {"ce-hub": "typed"}, json.dumps(ended).encode())
    assert (app.seen[0].mqtt.initiated_by_client, app.seen[0].reason) == (True, "bye")
    assert app.seen[0].mqtt.disconnect_packet.code.name == "ADMINISTRATIVE_ACTION"


# --- 5.2 answers to connect -----------------------------------------------------------------------------

NOTHING = '{"mqtt":null,"userId":null,"groups":null,"subprotocol":"mqtt","roles":null}'
ACCEPTED: list[tuple[str, str, str]] = [
    ("nothing", "", ""),
    ("an empty object", "{}", NOTHING),
    (
        "everything",
        "{'mqtt': {'userProperties': [{'name': 'a', 'value': 'b'}]}, 'userId': 'u', 'groups': ['g1', 'g2'], "
        "'subprotocol': 'mqtt', 'roles': ['webpubsub.joinLeaveGroup']}",
        '{"mqtt":{"userProperties":[{"name":"a","value":"b"}]},"userId":"u","groups":["g1","g2"],'
        '"subprotocol":"mqtt","roles":["webpubsub.joinLeaveGroup"]}',
    ),
    ("another subprotocol", "{'subprotocol': 'json'}", NOTHING),
    ("unknown members", "{'userId': None, 'more': 1}", NOTHING),
    ("code success", "{'code': 'success', 'groups': []}", NOTHING.replace('"groups":null', '"groups":[]')),
    ("no user properties", "{'mqtt': {'userProperties': None}}", NOTHING),
]


@pytest.mark.parametrize(("script", "text"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
@pytest.mark.parametrize("hub", ["chat", "typed"])
async def test_5_2_accepted(app: SpecApp, hub: str, script: str, text: str) -> None:
    answer = await app.event(CONNECT | MQTT | {"ce-hub": hub}, body(V500, script))
    assert (answer.status, answer.text) == (200, text)
    assert answer.header("content-type") == ("application/json" if text else None)


async def test_5_2_accepted_with_states(app: SpecApp) -> None:
    answer = await app.event(CONNECT | MQTT, body(V500, "{'states': {'counter': 2}}"))
    assert answer.header("ce-connectionState") == "eyJjb3VudGVyIjoiTWc9PSJ9"


TYPED = [
    (
        "request.create_response('bob', roles=['r'], user_properties={'a': 'b'})",
        200,
        '{"mqtt":{"userProperties":[{"name":"a","value":"b"}]},"userId":"bob","groups":null,'
        '"subprotocol":"mqtt","roles":["r"]}',
    ),
    ("wps.MqttConnectEventResponse()", 200, NOTHING),
    ("wps.ConnectEventResponse()", 200, NOTHING),
    (
        "request.create_v50_error_response(wps.MqttV500ConnectReasonCode.BANNED, 'no', {'a': 'b'})",
        403,
        '{"mqtt":{"code":138,"reason":"no","userProperties":[{"name":"a","value":"b"}]}}',
    ),
    (
        "request.create_v311_error_response(4)",
        401,
        '{"mqtt":{"code":4,"reason":null,"userProperties":null}}',
    ),
    (
        "request.create_error_response('unauthorized', 'no')",
        401,
        '{"mqtt":{"code":135,"reason":"no","userProperties":null}}',
    ),
]


@pytest.mark.parametrize(("script", "status", "text"), TYPED)
async def test_5_2_typed(app: SpecApp, script: str, status: int, text: str) -> None:
    answer = await app.event(CONNECT | MQTT | {"ce-hub": "typed"}, body(V500, script))
    assert (answer.status, answer.text) == (status, text)


# --- 5.2 errors: each code has its status ---------------------------------------------------------------

STATUS = {
    400: [1, 2, 129, 131, 132, 133, 140, 144, 149, 153, 154, 155],
    401: [4, 5, 134, 135],
    403: [138],
    429: [151, 159],
    500: [128, 130, 136, 137, 156, 157],
    503: [3],
}
CODES = [(code, status) for status, codes in STATUS.items() for code in codes]


@pytest.mark.parametrize(("code", "status"), CODES)
@pytest.mark.parametrize("hub", ["chat", "typed"])
async def test_5_2_an_error_in_connect(app: SpecApp, hub: str, code: int, status: int) -> None:
    script = (
        f"{{'mqtt': {{'code': {code}, 'reason': 'no'}}, 'errorMessage': 'dropped', 'states': {{'a': 1}}}}"
    )
    answer = await app.event(CONNECT | MQTT | {"ce-hub": hub}, body(V500, script))
    assert (answer.status, answer.header("content-type")) == (status, "application/json")
    assert answer.text == f'{{"mqtt":{{"code":{code},"reason":"no","userProperties":null}}}}'
    assert answer.header("ce-connectionState") is None


@pytest.mark.parametrize(("code", "status"), CODES)
@pytest.mark.parametrize("hub", ["chat", "typed"])
async def test_5_2_an_error_in_a_user_event(app: SpecApp, hub: str, code: int, status: int) -> None:
    script = f"{{'mqtt': {{'code': {code}, 'userProperties': [{{'name': 'a', 'value': 'b'}}]}}}}"
    answer = await app.event(USER | SESSION | {"ce-hub": hub}, script.encode())
    assert (answer.status, answer.header("content-type")) == (status, "application/json")
    properties = '[{"name":"a","value":"b"}]'
    assert answer.text == f'{{"mqtt":{{"code":{code},"reason":null,"userProperties":{properties}}}}}'


PLAIN: list[tuple[str, dict[str, Any] | None, int, int]] = [
    # code, client (None: a user event), status, code of MQTT
    ("unauthorized", V311, 401, 5),
    ("userError", V311, 400, 4),
    ("serverError", V311, 500, 3),
    ("unauthorized", V500, 401, 135),
    ("userError", V500, 400, 134),
    ("serverError", V500, 500, 136),
    ("Unauthorized", None, 401, 135),
    ("userError", None, 400, 131),
    ("serverError", None, 500, 128),
]


@pytest.mark.parametrize(("name", "client", "status", "code"), PLAIN)
@pytest.mark.parametrize("hub", ["chat", "typed"])
async def test_5_2_an_error_for_any_client(
    app: SpecApp, hub: str, name: str, client: dict[str, Any] | None, status: int, code: int
) -> None:
    script = f"{{'code': '{name}', 'errorMessage': 'no'}}"
    if client is None:
        answer = await app.event(USER | SESSION | {"ce-hub": hub}, script.encode())
    else:
        answer = await app.event(CONNECT | MQTT | {"ce-hub": hub}, body(client, script))
    assert (answer.status, answer.header("content-type")) == (status, "application/json")
    assert answer.text == f'{{"mqtt":{{"code":{code},"reason":"no","userProperties":null}}}}'


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("{'mqtt': {'code': 6}}", "MQTT code 6 refuses no client"),
        ("{'mqtt': {'code': 0}}", "MQTT code 0 refuses no client"),
        ("{'mqtt': {'code': 'x'}}", "'mqtt' is {'code': 'x'} (dict): Expected `int`, got `str`"),
        ("[1]", "the connect event cannot be answered with [1] (list)"),
    ],
)
async def test_5_2_an_impossible_answer_is_a_failure(app: SpecApp, script: str, problem: str) -> None:
    answer = await app.event(CONNECT | MQTT, body(V500, script))
    assert answer.status == 500
    assert answer.json["mqtt"]["code"] == 136
    assert problem in app.failure


# --- 3.8 failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mqtt", "code"), [(V311, 3), (V500, 136)])
@pytest.mark.parametrize("hub", ["chat", "typed"])
async def test_3_8_a_function_that_raises_refuses_the_client(
    app: SpecApp, hub: str, mqtt: dict[str, Any], code: int
) -> None:
    answer = await app.event(CONNECT | MQTT | {"ce-hub": hub}, body(mqtt, "raise"))
    assert (answer.status, answer.header("content-type")) == (500, "application/json")
    assert answer.text == (
        f'{{"mqtt":{{"code":{code},"reason":"The function failed.","userProperties":null}}}}'
    )
    assert app.failure == "secret"


async def test_3_8_a_user_event_that_fails_is_plain_text(app: SpecApp) -> None:
    answer = await app.event(USER | SESSION, b"raise")
    assert (answer.status, answer.text) == (500, "The function failed.")
    assert answer.header("content-type") == "text/plain; charset=utf-8"


# --- 6 the context of an HTTP function ------------------------------------------------------------------


async def test_6_a_context_has_the_event_of_the_session(app: SpecApp) -> None:
    answer = await app.request("POST", "/api/upstream", CONNECT | MQTT, body(V311))
    assert (answer.status, answer.text) == (200, "")
    assert type(app.seen[0]).__name__ == "MqttConnectEventRequest"
    assert app.seen[0].mqtt.protocol_version == 4
    answer = await app.request("POST", "/api/upstream", CONNECT | MQTT, b"{}")
    assert (answer.status, answer.text.partition(":")[0]) == (
        400,
        "the body of the connect event cannot be read",
    )


# --- functions for any client ---------------------------------------------------------------------------


async def test_a_function_for_any_client_takes_those_of_mqtt(app: SpecApp) -> None:
    plain = CONNECT | {"ce-hub": "plain"}
    answer = await app.event(plain | MQTT, body())
    assert answer.text == '{"mqtt":null,"userId":"bob","groups":["g"],"subprotocol":"mqtt","roles":[]}'
    answer = await app.event(plain | MQTT, body(V311, query={"deny": ["unauthorized"]}))
    assert (answer.status, answer.text) == (401, '{"mqtt":{"code":5,"reason":"no","userProperties":null}}')
    # and the others as before
    answer = await app.event(plain, b'{"subprotocols": ["x"]}')
    assert answer.text == '{"userId":"bob","groups":["g"],"subprotocol":"x","roles":[]}'
    answer = await app.event(plain, b'{"query": {"deny": ["unauthorized"]}}')
    assert (answer.status, answer.text) == (401, "no")


async def test_a_bad_signature_is_refused_as_for_any_client(app: SpecApp) -> None:
    answer = await app.event(CONNECT | MQTT | {"ce-signature": "sha256=00"}, body())
    assert (answer.status, answer.body) == (401, b"")
