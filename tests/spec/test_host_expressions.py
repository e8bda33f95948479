"""Section 6 of the Python specification: ``%name%`` and ``{expr}``, row by row, through the running host."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from kit.asgi_client import RecordingSink
from kit.spec_app import CONNECT, DEFAULT, DISCONNECTED, USER, loaded_app, running_app, without

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def negotiate(user_id: str) -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.route(route="{{room?}}")
@app.generic_input_binding(arg_name="connection", type="webPubSubConnection", hub="chat", userId={user_id!r})
def negotiate(req, connection: str):
    seen.append("ran")
    return func.HttpResponse(connection)
"""


def subject(connection: str) -> Any:
    token = json.loads(connection)["accessToken"]
    return jwt.decode(token, options={"verify_signature": False, "verify_aud": False, "verify_exp": False})[
        "sub"
    ]


# --- HTTP: expression, request, value -----------------------------------------------------------------

HTTP_ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("%UserName%", {}, "alice"),
    ("%username%-%USERNAME%", {}, "alice-alice"),
    ("%Section:Name%", {}, "bob"),
    ("%Section__Name%", {}, "bob"),
    ("%Expression%", {"url": "/api/?id=7"}, "7"),
    ("{query.userid}", {"url": "/api/?userId=alice"}, "alice"),
    ("{QUERY.USERID}", {"url": "/api/?userId=alice"}, "alice"),
    ("{query.id}", {"url": "/api/?id=1&id=2"}, "1,2"),
    ("x{query.id}", {"url": "/api/?id="}, "x"),
    ("{headers.x-ms-client-principal-name}", {"headers": {"X-MS-Client-Principal-Name": "bob"}}, "bob"),
    ("{room}", {"url": "/api/lobby"}, "lobby"),
    ("{id}", {"body": b'{"id": "body"}'}, "body"),
    ("{ID}", {"body": b'{"Id": "body"}'}, "body"),
    ("{user.name}", {"body": b'{"user": {"Name": "nested"}}'}, "nested"),
    ("{user.my-name}", {"body": b'{"user": {"my-name": "dashed"}}'}, "dashed"),
    ("{flag} {count} {share}", {"body": b'{"flag": true, "count": 3, "share": 0.5}'}, "True 3 0.5"),
    ("x{user.name}", {"body": b'{"user": {"name": null}}'}, "x"),
    # body, then query, then route
    ("{room}", {"url": "/api/?room=query", "body": b'{"room": "body"}'}, "query"),
    ("{room}", {"url": "/api/route?room=query", "body": b'{"room": "body"}'}, "route"),
    # 'code' of the query is a key
    ("{code}", {"url": "/api/?code=secret", "body": b'{"code": "body"}'}, "body"),
    ("{query.code}", {"url": "/api/?code=shown"}, "shown"),
    # the host's own
    ("{sys.MethodName}", {}, "negotiate"),
    ("{sys.UtcNow}", {}, "2026-01-02T03-04-05Z"),
    ("{sys.UtcNow:yyyy-MM-dd HH:mm}", {}, "2026-01-02 03:04"),
    ("{datetime}", {}, "2026-01-02T03-04-05Z"),
    ("{datetime:yyyy-MM-dd}", {}, "2026-01-02"),
    ("{datetime}", {"url": "/api/?datetime=mine"}, "mine"),
    # literal braces
    ("{{{query.id}}}", {"url": "/api/?id=7"}, "{7}"),
]
SETTINGS = DEFAULT | {"UserName": "alice", "Section__Name": "bob", "Expression": "{query.id}"}


@pytest.mark.parametrize(("text", "request_", "expected"), HTTP_ROWS)
async def test_a_request_gives_values(
    tmp_path: Path, text: str, request_: dict[str, Any], expected: str
) -> None:
    async with running_app(tmp_path, negotiate(text), SETTINGS, clock=lambda: NOW) as app:
        answer = await app.request(
            "POST", request_.get("url", "/api/"), request_.get("headers", ()), request_.get("body", b"")
        )
        assert (answer.status, app.failure) == (200, "")
        assert subject(answer.text) == expected


@pytest.mark.parametrize(
    ("text", "length", "ends"),
    [
        ("{rand-guid}", 36, ("", "")),
        ("{sys.RandGuid}", 36, ("", "")),
        ("{rand-guid:}", 36, ("", "")),
        ("{rand-guid:N}", 32, ("", "")),
        ("{rand-guid:D}", 36, ("", "")),
        ("{rand-guid:B}", 38, ("{", "}")),
        ("{rand-guid:P}", 38, ("(", ")")),
    ],
)
async def test_each_call_has_a_guid_of_its_own(
    tmp_path: Path, text: str, length: int, ends: tuple[str, str]
) -> None:
    async with running_app(tmp_path, negotiate(text)) as app:
        first, second = [subject((await app.request("GET", "/api/")).text) for _ in range(2)]
    assert len(first) == len(second) == length
    assert first != second
    assert first.startswith(ends[0])
    assert first.endswith(ends[1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{id}", "No value for named parameter 'id'."),
        ("{body}", "No value for named parameter 'body'."),
        ("{null}", "No value for named parameter 'null'."),
        ("{query.userid}", "Error while accessing 'userid': property doesn't exist. (in 'query.userid')"),
        ("{headers.x-user}", "Error while accessing 'x-user': property doesn't exist. (in 'headers.x-user')"),
        ("{object.a.b}", "Error while accessing 'a': property doesn't exist. (in 'object.a.b')"),
        ("{object}", "'object' is an object: expected one value"),
        ("{list}", "'list' is a list: expected one value"),
    ],
)
async def test_a_value_that_is_missing_fails_the_call_before_it_runs(
    tmp_path: Path, text: str, problem: str
) -> None:
    async with running_app(tmp_path, negotiate(text)) as app:
        answer = await app.request("POST", "/api/", body=b'{"null": null, "object": {}, "list": []}')
        assert (answer.status, answer.text, app.seen) == (500, "The function failed.", [])
        assert app.failure == f"'userId' of binding 'connection': {problem}"


# --- Web PubSub: expression, event, value -------------------------------------------------------------

JSON_USER = USER | {"Content-Type": "application/json"}
CONNECT_BODY = json.dumps({"claims": {"sub": ["a"]}, "query": {"q": ["1"]}, "subprotocols": ["p"]}).encode()


def echo(name: str, kind: str, event: str, hub: str) -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.generic_trigger(
    arg_name={name!r}, type="webPubSubTrigger", hub="%Hub%", eventType={kind!r}, eventName=%r)
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub={hub!r})
def f({name}, actions: func.Out[str]):
    actions.set('{{"actionName": "sendToAll", "data": "hi"}}')
""".replace("%r", repr(event))


WPS_ROWS: list[tuple[str, str, str, str, dict[str, str], bytes, str]] = [
    ("request", "user", "message", "for_{connectionContext.userId}", USER, b"hi", "for_alice"),
    ("request", "user", "message", "for_{CONNECTIONCONTEXT.USERID}", USER, b"hi", "for_alice"),
    ("request", "user", "message", "{request.connectionContext.hub}", USER, b"hi", "chat"),
    ("request", "user", "message", "for_{data}", USER, b"hi", "for_hi"),
    ("request", "user", "message", "as_{dataType}", USER, b"hi", "as_text"),
    ("request", "user", "message", "on_{connectionContext.eventName}", USER, b"hi", "on_message"),
    ("request", "user", "message", "of_{connectionContext.eventType}", USER, b"hi", "of_user"),
    ("request", "user", "message", "x{connectionContext.userId}", without(USER, "ce-userId"), b"hi", "x"),
    ("request", "system", "disconnected", "for_{reason}", DISCONNECTED, b'{"reason": "bye"}', "for_bye"),
    # a parameter that gets JSON adds the members of that
    ("data", "user", "message", "room_{room}", JSON_USER, b'{"room": "7"}', "room_7"),
    ("data", "user", "message", "for_{connectionContext.userId}", JSON_USER, b'{"room": "7"}', "for_alice"),
    ("connectionContext", "user", "message", "for_{userId}", USER, b"hi", "for_alice"),
]


@pytest.mark.parametrize(("name", "kind", "event", "hub", "headers", "body", "expected"), WPS_ROWS)
async def test_an_event_gives_values(
    tmp_path: Path,
    name: str,
    kind: str,
    event: str,
    hub: str,
    headers: dict[str, str],
    body: bytes,
    expected: str,
) -> None:
    sink = RecordingSink()
    sinks = {"WebPubSubConnectionString": sink}
    settings = DEFAULT | {"Hub": "chat"}
    async with running_app(tmp_path, echo(name, kind, event, hub), settings, sinks=sinks) as app:
        assert (await app.event(headers, body)).status == 200
        assert app.failure == ""
    assert [hub for hub, _ in sink.performed] == [expected]


@pytest.mark.parametrize(
    ("hub", "problem"),
    [
        ("{reason}", "No value for named parameter 'reason'."),
        ("{claims}", "No value for named parameter 'claims'."),
        ("{connectionContext}", "'connectionContext' is an object: expected one value"),
        (
            "{connectionContext.missing}",
            "Error while accessing 'missing': property doesn't exist. (in 'connectionContext.missing')",
        ),
    ],
)
async def test_what_an_event_does_not_have_fails_the_call(tmp_path: Path, hub: str, problem: str) -> None:
    source = echo("request", "user", "message", hub)
    async with running_app(tmp_path, source, DEFAULT | {"Hub": "chat"}) as app:
        assert (await app.event(USER, b"hi")).status == 500
        assert app.failure == f"'hub' of binding 'actions': {problem}"


# --- which members resolve what -----------------------------------------------------------------------


def binding_app(decorator: str) -> str:
    return f"import azure.functions as func\napp = func.FunctionApp()\n\n{decorator}\ndef f(request): ...\n"


TRIGGER = "@app.generic_trigger(arg_name='request', type='webPubSubTrigger', {})"


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            "hub='{query.hub}', eventType='user', eventName='message'",
            "a trigger's hub cannot have expressions",
        ),
        ("hub='%Missing%', eventType='user', eventName='message'", "setting 'Missing' of '%Missing%'"),
        ("hub='chat', eventType='user', eventName='%Missing%'", "setting 'Missing' of '%Missing%'"),
        ("hub='chat', eventType='%Kind%', eventName='message'", "expected 'system' or 'user'"),
        (
            "hub='chat', eventType='user', eventName='message', connections=['%Name%']",
            "connection '%Name%' does not exist",
        ),
    ],
)
def test_a_trigger_resolves_settings_in_hub_and_event_name_alone(
    tmp_path: Path, members: str, problem: str
) -> None:
    settings = DEFAULT | {"Kind": "user", "Name": "WebPubSubConnectionString"}
    with loaded_app(tmp_path, binding_app(TRIGGER.format(members)), settings) as app:
        (found,) = app.host.problems
    assert problem in str(found)


async def test_connect_has_its_members(tmp_path: Path) -> None:
    sink = RecordingSink()
    source = echo("request", "system", "connect", "for_{claims.sub}")
    settings, sinks = DEFAULT | {"Hub": "chat"}, {"WebPubSubConnectionString": sink}
    async with running_app(tmp_path, source, settings, sinks=sinks) as app:
        assert (await app.event(CONNECT, CONNECT_BODY)).status == 500
        assert app.failure == "'hub' of binding 'actions': 'claims.sub' is a list: expected one value"
