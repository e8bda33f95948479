"""The Web PubSub bindings: typed and untyped functions see and say the same things."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from webpubsub.host import FunctionHost
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.actions import (
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    SendToAllAction,
    SendToGroupAction,
)
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]
Load = Callable[..., FunctionHost]

NOW = 1_767_225_600.0
KEY = "7aab239577fd4f24bc919802fb629f5f"
WEBHOOK = "/runtime/webhooks/webpubsub"
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-type": "azure.webpubsub.user.message",
    "ce-id": "1",
    "ce-signature": "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
    "ce-userId": "alice",
    "ce-connectionId": "0f9c97a2f0bf4706afe87a14e0797b11",
    "ce-hub": "chat",
    "ce-eventName": "message",
}
DISCONNECTED = EVENT | {"ce-type": "azure.webpubsub.sys.disconnected", "ce-eventName": "disconnected"}
CONNECT = EVENT | {"ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect"}


@pytest.fixture
def environ(connection_string: str) -> dict[str, str]:
    return {"WebPubSubConnectionString": connection_string, "HubName": "chat"}


# --- webPubSubTrigger ---------------------------------------------------------------------------------

TYPED = """
import webpubsub as wps

app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="%HubName%", event_type="user", event_name="message")
@app.web_pubsub_output(hub="%HubName%")
async def message(request: wps.UserEventRequest, actions: wps.Actions) -> wps.UserEventResponse:
    actions.send_to_group("lobby", request.data)
    response = request.create_response({"type": type(request.data).__name__})
    response.set_state("seen", True)
    return response

@app.web_pubsub_trigger(hub="%HubName%", event_type="user", event_name="parts", arg_name="event")
def parts(data, data_type, connection_context, event):
    return f"{data!r} {data_type} {connection_context.user_id} {event.data!r}"

@app.web_pubsub_trigger(hub="%HubName%", event_type="system", event_name="connect")
def connect(request: wps.ConnectEventRequest) -> wps.EventErrorResponse | wps.ConnectEventResponse:
    if "deny" in request.query:
        return request.create_error_response("unauthorized", "no")
    return request.create_response(user_id="bob", groups=["g"], roles=[])
"""


async def test_a_typed_function_takes_and_gives_values(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    client = await run_app(TYPED, environ, sinks={"WebPubSubConnectionString": sink})
    binary = EVENT | {"Content-Type": "application/octet-stream"}
    answer = await client.request("POST", WEBHOOK, binary, b"\xff\x00")
    assert (answer.status, answer.json) == (200, {"type": "bytes"})
    assert answer.header("content-type") == "application/json"
    assert answer.header("ce-connectionState") == "eyJzZWVuIjoiZEhKMVpRPT0ifQ=="
    assert sink.performed == [("chat", SendToGroupAction("lobby", b"\xff\x00"))]


async def test_a_typed_function_may_take_parts_by_name(run_app: Run, environ: dict[str, str]) -> None:
    client = await run_app(TYPED, environ)
    answer = await client.request("POST", WEBHOOK, EVENT | {"ce-eventName": "parts"}, b"hi")
    assert answer.text == "'hi' text alice 'hi'"


async def test_a_typed_connect_function_decides(run_app: Run, environ: dict[str, str]) -> None:
    client = await run_app(TYPED, environ)
    accepted = await client.request("POST", WEBHOOK, CONNECT, b"{}")
    assert accepted.json == {"userId": "bob", "groups": ["g"], "subprotocol": None, "roles": []}
    refused = await client.request("POST", WEBHOOK, CONNECT, b'{"query": {"deny": []}}')
    assert (refused.status, refused.text) == (401, "no")


PARTS = """
import azure.functions as func
app = func.FunctionApp()
seen = {{}}

@app.generic_trigger(arg_name="{name}", type="webPubSubTrigger", hub="chat", eventType="{type}",
                     eventName="{event}"{more})
def f({name}):
    seen["value"] = {name}
"""


@pytest.mark.parametrize(
    ("name", "data_type", "headers", "body", "expected"),
    [
        ("data", "", EVENT, b"hi", "hi"),
        ("Data", "", EVENT, b"hi", "hi"),
        ("data", "", EVENT | {"Content-Type": "application/octet-stream"}, b"\xff", "\ufffd"),
        ("data", "binary", EVENT | {"Content-Type": "application/octet-stream"}, b"\xff\x00", b"\xff\x00"),
        ("data", "", DISCONNECTED, b'{"reason": "bye"}', None),
        ("data", "binary", DISCONNECTED, b'{"reason": "bye"}', None),
        ("dataType", "", EVENT | {"Content-Type": "application/json"}, b"1", "Json"),
        ("reason", "", DISCONNECTED, b'{"reason": "bye"}', "bye"),
        ("reason", "binary", DISCONNECTED, b'{"reason": "bye"}', b"bye"),
        ("reason", "", EVENT, b"hi", None),
        ("reason", "binary", EVENT, b"hi", None),
        ("claims", "", CONNECT, b'{"claims": {"sub": ["a"]}}', '{\n  "sub": [\n    "a"\n  ]\n}'),
        ("query", "", CONNECT, b'{"query": {"q": ["1", "2"]}}', '{\n  "q": [\n    "1",\n    "2"\n  ]\n}'),
        ("subprotocols", "", CONNECT, b'{"subprotocols": ["p"]}', '[\n  "p"\n]'),
        ("clientCertificates", "", CONNECT, b"{}", "[]"),
        ("anything", "", EVENT, b"hi", None),
    ],
)
async def test_the_name_of_an_untyped_parameter_decides_what_it_gets(
    run_app: Run,
    environ: dict[str, str],
    name: str,
    data_type: str,
    headers: dict[str, str],
    body: bytes,
    expected: Any,
) -> None:
    import sys

    kind = "system" if ".sys." in headers["ce-type"] else "user"
    more = f", data_type='{data_type}'" if data_type else ""
    source = PARTS.format(name=name, type=kind, event=headers["ce-eventName"], more=more)
    client = await run_app(source, environ)
    assert (await client.request("POST", WEBHOOK, headers, body)).status == 200
    assert sys.modules["function_app"].seen == {"value": expected}


async def test_the_whole_request_may_be_bytes(run_app: Run, environ: dict[str, str]) -> None:
    import sys

    client = await run_app(
        PARTS.format(name="request", type="user", event="message", more=", data_type='binary'"), environ
    )
    await client.request("POST", WEBHOOK, EVENT, b"hi")
    value = sys.modules["function_app"].seen["value"]
    assert isinstance(value, bytes)
    assert json.loads(value)["data"] == "hi"


def trigger(members: str) -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", {members})
def f(request): ...
"""


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            "eventType='user', eventName='m'",
            "'hub' is missing: set it in the binding, or the setting 'WebPubSubHub' for all bindings",
        ),
        (
            "hub='%Nope%', eventType='user', eventName='m'",
            "setting 'Nope' of '%Nope%' does not exist: add it to 'Values' in local.settings.json or to the "
            "environment",
        ),
        (
            "hub='{a}', eventType='user', eventName='m'",
            "'hub' is '{a}': a trigger's hub cannot have expressions",
        ),
        (
            "hub='9', eventType='user', eventName='m'",
            "'9' is not a valid hub name: expected a letter, then up to 127 letters, digits, or any of "
            "_ ` , . [ ]",
        ),
        ("hub='h', eventType='both', eventName='m'", "'eventType' is 'both': expected 'system' or 'user'"),
        ("hub='h', eventName='m'", "'eventType' is None: expected 'system' or 'user'"),
        ("hub='h', eventType='user'", "'eventName' is None: expected a name"),
        (
            "hub='h', eventType='user', eventName='m', clientProtocols='amqp'",
            "'clientProtocols' is 'amqp': expected 'all', 'webPubSub' or 'mqtt'",
        ),
        (
            "hub='h', eventType='user', eventName='m', connections='A'",
            "'connections' is 'A': expected a list of setting names",
        ),
        (
            "hub='h', eventType='user', eventName='m', connections=['A', '']",
            "'connections' is ['A', '']: expected a list of setting names",
        ),
        (
            "hub='h', eventType='user', eventName='m', connections=['Nowhere']",
            "connection 'Nowhere' does not exist: add a setting 'Nowhere' with the connection string of the "
            "service, or set the binding's 'connection' to the name of another setting",
        ),
        (
            "hub='h', eventType='user', eventName='m', connections=['HubName']",
            "connection 'HubName': the connection string has no 'Endpoint': expected 'Endpoint=https://...'",
        ),
        (
            "hub='h', eventType='user', eventName='m', connections=['WebPubSubConnectionString', 'Same']",
            "two connections have the host 'wps.example': a signature could not be assigned; keep one",
        ),
    ],
)
def test_a_trigger_that_cannot_work_is_told(
    load_app: Load, environ: dict[str, str], members: str, problem: str
) -> None:
    environ["Same"] = "Endpoint=http://wps.example:8080;AccessKey=other;"
    host = load_app(trigger(members), environ)
    assert [str(found) for found in host.problems] == [
        f"function_app.py:5: function 'f': binding 'request': {problem}"
    ]


def test_the_return_value_of_a_trigger_cannot_be_an_output(load_app: Load, environ: dict[str, str]) -> None:
    source = trigger("hub='h', eventType='user', eventName='m'").replace(
        "def f", "@app.generic_output_binding(arg_name='$return', type='webPubSub', hub='h')\ndef f"
    )
    host = load_app(source, environ)
    assert [str(found) for found in host.problems] == [
        "function_app.py:5: function 'f': binding 'request': the return value answers the event, so "
        "'$return' cannot be an output: name the output and make it a parameter"
    ]


def test_the_hub_of_all_bindings_may_be_a_setting(load_app: Load, environ: dict[str, str]) -> None:
    host = load_app(trigger("eventType='user', eventName='m'"), environ | {"WebPubSubHub": "%HubName%2"})
    assert [(listing.hub, listing.event_type, listing.event_name) for listing in host.functions] == [
        ("chat2", "user", "m")
    ]


# --- webPubSubConnection ------------------------------------------------------------------------------


def negotiate(members: str, *, route: str = "negotiate") -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()

@app.route(route="{route}")
@app.generic_input_binding(arg_name="connection", type="webPubSubConnection", {members})
def negotiate(req, connection: str):
    return func.HttpResponse(connection)
"""


def claims_of(answer: Any) -> dict[str, Any]:
    token = answer.json["accessToken"]
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False,
                    "enforce_minimum_key_length": False}  # fmt: skip
    found: dict[str, Any] = jwt.decode(token, KEY.encode(), algorithms=["HS256"], options=options)
    return found


async def test_an_untyped_function_gets_url_and_token_as_json(run_app: Run, environ: dict[str, str]) -> None:
    client = await run_app(negotiate("hub='%HubName%', userId='{query.user}'"), environ, clock=lambda: NOW)
    answer = await client.request("GET", "/api/negotiate?USER=alice")
    assert answer.json["baseUrl"] == "wss://wps.example/client/hubs/chat"
    url = urlsplit(answer.json["url"])
    assert (url.scheme, url.netloc, url.path) == ("wss", "wps.example", "/client/hubs/chat")
    assert parse_qs(url.query) == {"access_token": [answer.json["accessToken"]]}
    assert claims_of(answer) == {
        "aud": "https://wps.example/client/hubs/chat",
        "nbf": NOW,
        "iat": NOW,
        "exp": NOW + 3600,
        "sub": "alice",
    }


@pytest.mark.parametrize(
    ("members", "url", "headers", "body", "expected"),
    [
        ("hub='chat'", "/api/negotiate", {}, b"", {}),
        ("hub='chat', userId='fixed'", "/api/negotiate", {}, b"", {"sub": "fixed"}),
        ("hub='chat', userId='{id}'", "/api/users/7/negotiate", {}, b'{"id": "x"}', {"sub": "7"}),
        ("hub='chat', userId='{name}'", "/api/negotiate", {}, b'{"Name": "n"}', {"sub": "n"}),
        (
            "hub='chat', userId='{headers.x-ms-client-principal-name}'",
            "/api/negotiate",
            {"X-MS-CLIENT-PRINCIPAL-NAME": "bob"},
            b"",
            {"sub": "bob"},
        ),
        (
            "hub='chat', roles=['webpubsub.sendToGroup'], groups=['room-{query.room}'], expiresAfter=60",
            "/api/negotiate?room=1",
            {},
            b"",
            {"role": ["webpubsub.sendToGroup"], "webpubsub.group": ["room-1"], "exp": NOW + 60},
        ),
        (
            "hub='{query.hub}'",
            "/api/negotiate?hub=Dynamic",
            {},
            b"",
            {"aud": "https://wps.example/client/hubs/dynamic"},
        ),
        (
            "hub='chat', connection='Other'",
            "/api/negotiate",
            {},
            b"",
            {"aud": "http://other.example:8080/client/hubs/chat"},
        ),
    ],
)
async def test_the_token_says_what_the_binding_says(
    run_app: Run,
    environ: dict[str, str],
    members: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    expected: dict[str, Any],
) -> None:
    environ["Other"] = f"Endpoint=http://other.example:8080;AccessKey={KEY};"
    route = "users/{id}/negotiate" if "users" in url else "negotiate"
    client = await run_app(negotiate(members, route=route), environ, clock=lambda: NOW)
    answer = await client.request("POST", url, headers, body)
    claims = claims_of(answer)
    assert {name: claims.get(name) for name in expected} == expected
    assert ("sub" in claims) == ("sub" in expected)


async def test_a_typed_function_gets_a_value(run_app: Run, environ: dict[str, str]) -> None:
    client = await run_app(
        """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()

@app.route(route="negotiate")
@app.web_pubsub_connection_input(hub="chat", user_id="{query.user}", roles=["webpubsub.joinLeaveGroup"])
async def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    return func.HttpResponse(f"{type(connection).__name__} {connection.base_url} {req.params['user']}")
""",
        environ,
    )
    answer = await client.request("GET", "/api/negotiate?user=alice")
    assert answer.text == "WebPubSubConnection wss://wps.example/client/hubs/chat alice"


async def test_an_expression_without_a_value_fails_before_the_function_runs(
    run_app: Run, environ: dict[str, str], events: list[TraceEvent]
) -> None:
    client = await run_app(negotiate("hub='chat', userId='{query.user}'"), environ)
    assert (await client.request("GET", "/api/negotiate?other=")).status == 500
    assert str(events[-1].error) == (
        "'userId' of binding 'connection': Error while accessing 'user': property doesn't exist. "
        "(in 'query.user')"
    )


async def test_expressions_of_a_trigger_read_the_event(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    client = await run_app(
        """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="for_{connectionContext.userId}")
@app.generic_input_binding(arg_name="connection", type="webPubSubConnection", hub="chat", userId="{data}")
def f(request, actions: func.Out[str], connection: str):
    import json
    actions.set('{"actionName": "sendToAll", "data": "x"}')
    return json.loads(connection)["accessToken"]
""",
        environ,
        sinks={"WebPubSubConnectionString": sink},
    )
    answer = await client.request("POST", WEBHOOK, EVENT, b"carol")
    assert jwt.decode(answer.text, options={"verify_signature": False})["sub"] == "carol"
    assert [hub for hub, _ in sink.performed] == ["for_alice"]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            "hub='chat', clientProtocol='socketio'",
            "'clientProtocol' is 'socketio': expected 'default' or 'mqtt'",
        ),
        ("hub='chat', roles='one'", "'roles' is 'one': expected a list of strings"),
        ("hub='chat', groups=[1]", "'groups' is [1]: expected a list of strings"),
        ("hub='chat', expiresAfter=0", "'expiresAfter' is 0: expected seconds, more than 0"),
        ("hub='chat', expiresAfter=True", "'expiresAfter' is True: expected seconds, more than 0"),
        (
            "hub='chat', userId='{a'",
            "'{a' has a '{' without its partner at 1: a brace that is meant literally is doubled",
        ),
        (
            "hub='chat', connection='Keyless'",
            "connection 'Keyless' has no AccessKey to sign with: set 'Keyless' to a connection string with "
            "AccessKey, or remove it and set 'Keyless__serviceUri' to sign in with an identity",
        ),
    ],
)
def test_an_input_that_cannot_work_is_told(
    load_app: Load, environ: dict[str, str], members: str, problem: str
) -> None:
    environ["Keyless"] = "Endpoint=https://wps.example;"
    host = load_app(negotiate(members), environ)
    assert [str(found) for found in host.problems] == [
        f"function_app.py:5: function 'negotiate': binding 'connection': {problem}"
    ]


# --- webPubSub ----------------------------------------------------------------------------------------


def sender(call: str, head: str = "actions: func.Out[str]") -> str:
    return f"""
import json
import azure.functions as func
app = func.FunctionApp()

@app.route(route="send")
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
def send(req, {head}):
    {call}
    return "sent"
"""


HI = SendToAllAction("hi")
GROUP = SendToGroupAction("g", "hi", excluded=["c1"])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("pass", []),
        ("actions.set(None)", []),
        ("actions.set('[]')", []),
        ("""actions.set('{"actionName": "sendToAll", "data": "hi"}')""", [HI]),
        ("""actions.set('[{"actionName": "SENDTOALL", "data": "hi", "dataType": "text"}]')""", [HI]),
        ("""actions.set([{"actionName": "sendToAll", "data": "hi"}])""", [HI]),
        (
            """actions.set(json.dumps([
            {"actionName": "sendToGroup", "group": "g", "data": "hi", "excluded": ["c1"]},
            {"actionName": "addUserToGroup", "userId": "u", "group": "g"},
            {"actionName": "closeAllConnections", "reason": "late"}]))""",
            [GROUP, AddUserToGroupAction("u", "g"), CloseAllConnectionsAction(reason="late")],
        ),
        ("""actions.set("[]"); actions.set('{"actionName": "sendToAll", "data": "hi"}')""", [HI]),
    ],
)
async def test_actions_of_an_untyped_function_are_performed_in_order(
    run_app: Run, environ: dict[str, str], sink: Any, events: list[TraceEvent], call: str, expected: list[Any]
) -> None:
    client = await run_app(sender(call), environ, sinks={"WebPubSubConnectionString": sink})
    answer = await client.request("POST", "/api/send")
    assert (answer.status, answer.text) == (200, "sent")
    assert sink.performed == [("chat", action) for action in expected]
    assert sink.request_ids == [events[-1].ids["invocation"]] * len(expected)


async def test_the_first_action_that_fails_stops_the_rest_and_fails_the_function(
    run_app: Run, environ: dict[str, str], sink: Any, events: list[TraceEvent]
) -> None:
    sink.fail_at = 1
    call = "actions.set([{'actionName': 'sendToAll', 'data': str(n)} for n in range(3)])"
    client = await run_app(sender(call), environ, sinks={"WebPubSubConnectionString": sink})
    assert (await client.request("POST", "/api/send")).status == 500
    assert sink.performed == [("chat", SendToAllAction("0"))]
    assert (events[-1].name, events[-1].phase, str(events[-1].error)) == (
        "function",
        Phase.FAILED,
        "the service is away",
    )


@pytest.mark.parametrize("call", ["actions.set('no json')", "actions.set({'actionName': 'sendToAllAction'})"])
async def test_what_is_no_action_fails_the_function(
    run_app: Run, environ: dict[str, str], sink: Any, events: list[TraceEvent], call: str
) -> None:
    client = await run_app(sender(call), environ, sinks={"WebPubSubConnectionString": sink})
    assert (await client.request("POST", "/api/send")).status == 500
    assert events[-1].phase is Phase.FAILED
    assert sink.performed == []


async def test_nothing_is_performed_when_the_function_raises(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    call = "actions.set([{'actionName': 'sendToAll', 'data': 'x'}]); raise LookupError"
    client = await run_app(sender(call), environ, sinks={"WebPubSubConnectionString": sink})
    assert (await client.request("POST", "/api/send")).status == 500
    assert sink.performed == []


async def test_nothing_is_performed_when_the_answer_is_impossible(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    source = sender("actions.set([{'actionName': 'sendToAll', 'data': 'x'}])").replace(
        'return "sent"', "return 5"
    )
    client = await run_app(source, environ, sinks={"WebPubSubConnectionString": sink})
    assert (await client.request("POST", "/api/send")).status == 500
    assert sink.performed == []


async def test_the_return_value_may_be_the_actions(run_app: Run, environ: dict[str, str], sink: Any) -> None:
    client = await run_app(
        """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(arg_name="req", type="httpTrigger", route="send")
@app.generic_output_binding(arg_name="$return", type="webPubSub", hub="chat")
def send(req):
    return [{"actionName": "sendToAll", "data": "hi"}]
""",
        environ,
        sinks={"WebPubSubConnectionString": sink},
    )
    assert (await client.request("GET", "/api/send")).status == 204
    assert sink.performed == [("chat", HI)]


async def test_a_typed_function_may_refuse_and_still_act(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    client = await run_app(
        """
import webpubsub as wps
app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
@app.web_pubsub_output(hub="chat")
def f(request: wps.UserEventRequest, actions: wps.Actions) -> wps.EventErrorResponse:
    actions.send_to_all("hi")
    return request.create_error_response("userError", "no")
""",
        environ,
        sinks={"WebPubSubConnectionString": sink},
    )
    answer = await client.request("POST", WEBHOOK, EVENT, b"x")
    assert (answer.status, answer.text) == (400, "no")
    assert sink.performed == [("chat", HI)]


async def test_typed_and_untyped_bindings_may_be_mixed(
    run_app: Run, environ: dict[str, str], sink: Any
) -> None:
    client = await run_app(
        """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
@app.web_pubsub_output(hub="chat")
@app.generic_output_binding(arg_name="more", type="webPubSub", hub="chat")
def f(request: str, actions: wps.Actions, more: func.Out[str]):
    actions.send_to_all("hi")
    more.set('{"actionName": "sendToGroup", "group": "g", "data": "hi", "excluded": ["c1"]}')
    return {"data": type(request).__name__}
""",
        environ,
        sinks={"WebPubSubConnectionString": sink},
    )
    answer = await client.request("POST", WEBHOOK, EVENT, b"x")
    assert (answer.status, answer.text) == (200, "str")
    assert sorted(str(action) for _, action in sink.performed) == sorted([str(HI), str(GROUP)])


async def test_a_timer_has_the_hosts_own_expressions(run_app: Run, environ: dict[str, str]) -> None:
    import sys

    client = await run_app(
        """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()
seen = []

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *", run_on_startup=True)
@app.web_pubsub_connection_input(hub="chat", user_id="{sys.methodname} {sys.utcnow}")
async def tick(timer: func.TimerRequest, connection: wps.WebPubSubConnection):
    seen.append(connection.access_token)
""",
        environ,
        clock=lambda: NOW,
        storage=MemoryStorage(),
    )
    for _ in range(50):  # the timer's task takes a few turns of the loop
        await asyncio.sleep(0)
    await client.app.stop(5)
    (token,) = sys.modules["function_app"].seen
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == "tick 2026-01-01T00-00-00Z"


def test_an_output_without_connection_is_told(load_app: Load) -> None:
    host = load_app(sender("pass"))
    assert [str(found) for found in host.problems] == [
        "function_app.py:6: function 'send': binding 'actions': connection 'WebPubSubConnectionString' does "
        "not exist: add a setting 'WebPubSubConnectionString' with the connection string of the service, or "
        "set the binding's 'connection' to the name of another setting"
    ]


def test_typed_functions_are_checked_too(load_app: Load, environ: dict[str, str]) -> None:
    host = load_app(
        """
import webpubsub as wps
app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
def f(request, surprise): ...

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="other")
def g(request): ...
""",
        environ,
    )
    (problem,) = host.problems
    assert str(problem).startswith("function_app.py:5: function 'f': parameter 'surprise' has no binding: ")
    assert [listing.name for listing in host.functions] == ["g"]


def test_a_decorator_that_refuses_is_told_with_its_place(load_app: Load, environ: dict[str, str]) -> None:
    host = load_app(
        """
import webpubsub as wps
app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="chat", event_type="both", event_name="message")
def f(request): ...
""",
        environ,
    )
    (problem,) = host.problems
    assert str(problem).startswith("function_app.py:5: function 'f': ")
