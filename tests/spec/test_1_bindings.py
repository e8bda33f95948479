"""Section 1 of the extension's specification: what a binding may say, row by row."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from kit.asgi_client import RecordingSink
from kit.spec_app import CONNECTION, DEFAULT, KEY, USER, WEBHOOK, SpecApp, loaded_app, running_app, without

OTHER = "Endpoint=https://other.example;AccessKey=other;Version=1.0;"
IDENTITY = {"Managed__serviceUri": "https://managed.example"}
UNSIGNED = without(USER, "ce-signature")


def app_of(*declarations: str) -> str:
    """An app with one function for each list of decorators."""
    functions = "\n".join(
        f"\n{declaration}\n    return 'ran f{number}'".replace("def f(", f"def f{number}(")
        for number, declaration in enumerate(declarations)
    )
    return f"import azure.functions as func\napp = func.FunctionApp()\nseen = []\n{functions}\n"


def trigger(members: str, name: str = "request") -> str:
    return (
        f"@app.generic_trigger(arg_name='{name}', type='webPubSubTrigger', {members})\n"
        f"def f({name}):\n    seen.append({name})"
    )


def output(members: str) -> str:
    return (
        "@app.route(route='{room?}')\n"
        f"@app.generic_output_binding(arg_name='actions', type='webPubSub', {members})\n"
        "def f(req, actions: func.Out[str]):\n"
        """    actions.set('{"actionName": "sendToAll", "data": "hi"}')"""
    )


def connection_input(members: str) -> str:
    return (
        "@app.route(route='{room?}')\n"
        f"@app.generic_input_binding(arg_name='connection', type='webPubSubConnection', {members})\n"
        "def f(req, connection: str):\n"
        "    return func.HttpResponse(connection)"
    )


# --- 1.1 webPubSubTrigger: an event, and whether it reaches the function ------------------------------

MESSAGE = "eventType='user', eventName='message'"
CHAT = f"hub='chat', {MESSAGE}"

REACHES: list[tuple[str, str, dict[str, str], dict[str, str], int]] = [
    # name, members, settings, headers of the event, status
    ("hub", CHAT, {}, {}, 200),
    ("hub in any case", f"hub='CHAT', {MESSAGE}", {}, {}, 200),
    ("another hub", CHAT, {}, {"ce-hub": "other"}, 404),
    ("hub %setting%", f"hub='%Hub%', {MESSAGE}", {"Hub": "chat"}, {}, 200),
    ("hub with a %setting% in it", f"hub='c%Middle%t', {MESSAGE}", {"Middle": "ha"}, {}, 200),
    ("no hub: WebPubSubHub", MESSAGE, {"WebPubSubHub": "chat"}, {}, 200),
    ("empty hub: WebPubSubHub", f"hub='', {MESSAGE}", {"WebPubSubHub": "chat"}, {}, 200),
    ("hub before WebPubSubHub", CHAT, {"WebPubSubHub": "other"}, {}, 200),
    (
        "no fallback to WebPubSubHub at request time",
        CHAT,
        {"WebPubSubHub": "other"},
        {"ce-hub": "other"},
        404,
    ),
    ("eventType user", CHAT, {}, {"ce-type": "azure.webpubsub.sys.message"}, 404),
    (
        "eventType system",
        "hub='chat', eventType='system', eventName='connected'",
        {},
        {"ce-type": "azure.webpubsub.sys.connected", "ce-eventName": "connected"},
        200,
    ),
    ("eventType in any case", "hub='chat', eventType='USER', eventName='message'", {}, {}, 200),
    ("eventType by number", "hub='chat', eventType=1, eventName='message'", {}, {}, 200),
    ("eventName in any case", "hub='chat', eventType='user', eventName='MESSAGE'", {}, {}, 200),
    ("eventName %setting%", "hub='chat', eventType='user', eventName='%Name%'", {"Name": "message"}, {}, 200),
    (
        "eventName of a subprotocol's client",
        "hub='chat', eventType='user', eventName='my.event'",
        {},
        {"ce-eventName": "my.event"},
        200,
    ),
    ("no wildcard eventName", "hub='chat', eventType='user', eventName='*'", {}, {}, 404),
    # connections: absent is the default one, present is exclusive
    ("connections absent: default", CHAT, {}, {}, 200),
    ("connections absent: default, unsigned", CHAT, {}, {"ce-signature": "sha256=00"}, 401),
    ("connections", f"{CHAT}, connections=['Other']", {"Other": CONNECTION}, {}, 200),
    ("connections, not the default", f"{CHAT}, connections=['Other']", {"Other": OTHER}, {}, 401),
    (
        "several connections",
        f"{CHAT}, connections=['Other', 'Third']",
        {"Other": OTHER, "Third": CONNECTION},
        {},
        200,
    ),
    (
        "connections are not expanded",
        f"{CHAT}, connections=['%Other%']",
        {"%Other%": CONNECTION, "Other": "Third"},
        {},
        200,
    ),
    ("connections empty: default", f"{CHAT}, connections=[]", {"Other": OTHER}, {}, 200),
    ("connection", f"{CHAT}, connection='Other'", {"Other": OTHER}, {}, 401),
    ("connection empty is ignored", f"{CHAT}, connection=''", {}, {}, 200),
    ("connection null is ignored", f"{CHAT}, connection=None", {}, {}, 200),
    (
        "connections before connection",
        f"{CHAT}, connection='Other', connections=['Third']",
        {"Other": OTHER, "Third": CONNECTION},
        {},
        200,
    ),
    (
        "connection when connections is empty",
        f"{CHAT}, connection='Other', connections=[]",
        {"Other": OTHER},
        {},
        401,
    ),
    (
        "connections may be identities",
        f"{CHAT}, connections=['Managed']",
        IDENTITY,
        {"WebHook-Request-Origin": "managed.example", "ce-signature": ""},
        200,
    ),
    ("clientProtocols all", f"{CHAT}, clientProtocols='all'", {}, {}, 200),
    ("clientProtocols webPubSub", f"{CHAT}, clientProtocols='webPubSub'", {}, {}, 200),
    ("clientProtocols mqtt", f"{CHAT}, clientProtocols='mqtt'", {}, {}, 404),
    ("clientProtocols in any case", f"{CHAT}, clientProtocols='WEBPUBSUB'", {}, {}, 200),
    ("clientProtocols 0 is all", f"{CHAT}, clientProtocols=0", {}, {}, 200),
    ("clientProtocols 1 is webPubSub", f"{CHAT}, clientProtocols=1", {}, {}, 200),
    ("clientProtocols 2 is mqtt", f"{CHAT}, clientProtocols=2", {}, {}, 404),
]


@pytest.mark.parametrize(
    ("members", "settings", "headers", "status"),
    [row[1:] for row in REACHES],
    ids=[row[0] for row in REACHES],
)
async def test_1_1_trigger(
    tmp_path: Path, members: str, settings: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with running_app(tmp_path, app_of(trigger(members)), DEFAULT | settings) as app:
        answer = await app.event(USER | headers, b"hi")
        assert (answer.status, len(app.seen)) == (status, status == 200)


@pytest.mark.parametrize(
    ("data_type", "kind"), [("", str), ("string", str), ("STRING", str), ("binary", bytes), ("BINARY", bytes)]
)
async def test_1_1_data_type(tmp_path: Path, data_type: str, kind: type) -> None:
    members = f"{CHAT}, data_type='{data_type}'" if data_type else CHAT
    async with running_app(tmp_path, app_of(trigger(members))) as app:
        await app.event(USER, b"hi")
        assert [type(value) for value in app.seen] == [kind]


# --- 1.1 to 1.5: what is refused when the app is loaded -----------------------------------------------

TRIGGER_PROBLEMS: list[tuple[str, str, dict[str, str], tuple[str, ...]]] = [
    # name, members, settings, what the problem says
    ("%setting% of hub", f"hub='%Nope%', {MESSAGE}", {}, ("setting 'Nope' of '%Nope%' does not exist",)),
    (
        "%setting% of eventName",
        "hub='chat', eventType='user', eventName='%Nope%'",
        {},
        ("setting 'Nope' of '%Nope%' does not exist",),
    ),
    ("no hub anywhere", MESSAGE, {}, ("'hub' is missing", "'WebPubSubHub'")),
    ("no eventType", "hub='chat', eventName='message'", {}, ("'eventType' is None", "'system' or 'user'")),
    ("another eventType", "hub='chat', eventType='both', eventName='x'", {}, ("'eventType' is 'both'",)),
    ("no eventName", "hub='chat', eventType='user'", {}, ("'eventName' is None: expected a name",)),
    (
        "another clientProtocols",
        f"{CHAT}, clientProtocols='amqp'",
        {},
        ("'clientProtocols' is 'amqp': expected 'all', 'webPubSub' or 'mqtt'",),
    ),
    ("an empty name in connections", f"{CHAT}, connections=['']", {}, ("'connections' is ['']",)),
    ("connections is no list", f"{CHAT}, connections='Other'", {"Other": OTHER}, ("expected a list",)),
    ("a name that is nowhere", f"{CHAT}, connections=['Nope']", {}, ("connection 'Nope' does not exist",)),
    ("connection that is nowhere", f"{CHAT}, connection='Nope'", {}, ("connection 'Nope' does not exist",)),
    (
        "two connections with one host, scheme and port ignored",
        f"{CHAT}, connections=['Other', 'Again']",
        {"Other": OTHER, "Again": "Endpoint=http://OTHER.example:8080;AccessKey=x;"},
        ("two connections have the host 'other.example'",),
    ),
    (
        "an eventType the extension does not have",
        "hub='chat', eventType='groupPresence', eventName='joined'",
        {},
        ("'eventType' is 'groupPresence'", "user events 'joined' and 'left'", "'ce-type'"),
    ),
]
OTHER_PROBLEMS: list[tuple[str, str, dict[str, str], tuple[str, ...]]] = [
    # name, declaration, settings, what the problem says
    (
        "output: no hub",
        output("connection='Other'"),
        {"Other": OTHER},
        ("binding 'actions'", "'hub' is missing"),
    ),
    # Differs: the extension takes an empty hub and fails at the first action.
    ("output: empty hub", output("hub=''"), DEFAULT, ("binding 'actions'", "'hub' is missing")),
    (
        "output: no connection at all",
        output("hub='chat'"),
        {},
        ("binding 'actions'", "'WebPubSubConnectionString' does not exist", "'connection'"),
    ),
    (
        "output: connection is not replaced by the default",
        output("hub='chat', connection='Nope'"),
        DEFAULT,
        ("connection 'Nope' does not exist", "another setting"),
    ),
    ("input: no hub", connection_input("userId='x'"), DEFAULT, ("binding 'connection'", "'hub' is missing")),
    (
        "input: no connection at all",
        connection_input("hub='chat'"),
        {},
        ("binding 'connection'", "'WebPubSubConnectionString' does not exist", "'connection'"),
    ),
    (
        "input: connection is not replaced by the default",
        connection_input("hub='chat', connection='Nope'"),
        DEFAULT,
        ("connection 'Nope' does not exist", "another setting"),
    ),
]


@pytest.mark.parametrize(
    ("declaration", "settings", "expected"),
    [(trigger(row[1]), row[2], row[3]) for row in TRIGGER_PROBLEMS] + [row[1:] for row in OTHER_PROBLEMS],
    ids=[row[0] for row in TRIGGER_PROBLEMS + OTHER_PROBLEMS],
)
def test_1_1_and_1_5_problems(
    tmp_path: Path, declaration: str, settings: dict[str, str], expected: tuple[str, ...]
) -> None:
    with loaded_app(tmp_path, app_of(declaration), settings) as app:
        (problem,) = app.host.problems
        assert str(problem).startswith("function_app.py:5: function 'f0': binding '")
        assert [part for part in expected if part not in str(problem)] == []


def test_1_1_two_triggers_with_one_key_are_told_with_its_four_parts(tmp_path: Path) -> None:
    again = trigger("hub='CHAT', eventType='User', eventName='MESSAGE', clientProtocols='ALL'")
    with loaded_app(tmp_path, app_of(trigger(CHAT), again)) as app:
        assert [str(problem) for problem in app.host.problems] == [
            "function_app.py:10: function 'f1': it has the same trigger as function 'f0' "
            "(function_app.py:5): hub 'chat', user event 'message', client protocol 'all'; change one of them"
        ]


@pytest.mark.parametrize(
    "members",
    [
        "hub='other', eventType='user', eventName='message'",
        "hub='chat', eventType='system', eventName='message'",
        "hub='chat', eventType='user', eventName='another'",
        "hub='chat', eventType='user', eventName='message', clientProtocols='webPubSub'",
    ],
)
def test_1_1_a_key_that_differs_in_one_part_is_another(tmp_path: Path, members: str) -> None:
    with loaded_app(tmp_path, app_of(trigger(CHAT), trigger(members))) as app:
        assert app.host.problems == ()


@pytest.mark.parametrize("annotation", ["int", "dict", "list[str]"])
def test_1_1_a_parameter_of_an_unbindable_type_is_refused(tmp_path: Path, annotation: str) -> None:
    # Differs: the extension fails each invocation.
    declaration = trigger(CHAT).replace("def f(request)", f"def f(request: {annotation})")
    with loaded_app(tmp_path, app_of(declaration)) as app:
        (problem,) = app.host.problems
        assert "parameter 'request' is annotated" in str(problem)


def test_1_1_without_any_connection_everything_is_accepted_and_said_so(tmp_path: Path) -> None:
    with loaded_app(tmp_path, app_of(trigger(CHAT)), {}) as app:
        assert app.host.problems == ()
        (warning,) = app.host.warnings
        assert "no Web PubSub connection is configured, so f0 take events from anybody" in warning


NAMES = [
    "request",
    "connectionContext",
    "data",
    "dataType",
    "claims",
    "query",
    "subprotocols",
    "clientCertificates",
    "reason",
]


@pytest.mark.parametrize("name", [*NAMES, "REQUEST", "clientcertificates"])
def test_1_1_nine_names_are_filled(tmp_path: Path, name: str) -> None:
    with loaded_app(tmp_path, app_of(trigger(CHAT, name))) as app:
        assert app.host.warnings == ()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("event", ""),
        ("headers", ""),
        ("requests", "; did you mean 'request'?"),
        ("connection_context", "; did you mean 'connectionContext'?"),
        ("subProtocol", "; did you mean 'subprotocols'?"),
    ],
)
def test_1_1_any_other_name_is_none_and_said_so(tmp_path: Path, name: str, near: str) -> None:
    with loaded_app(tmp_path, app_of(trigger(CHAT, name))) as app:
        filled = ", ".join(f"'{each}'" for each in NAMES)
        assert app.host.problems == ()
        assert app.host.warnings == (
            f"function_app.py:5: function 'f0': parameter '{name}' is always None: the extension fills "
            f"{filled} only; call it 'request' to get the whole event{near}",
        )


# --- 1.2 webPubSub ------------------------------------------------------------------------------------

TOLD: list[tuple[str, str, dict[str, str], str, tuple[str, str]]] = [
    # name, members, settings, query, (connection, hub) the action goes to
    ("hub", "hub='chat'", {}, "", ("WebPubSubConnectionString", "chat")),
    ("no hub: WebPubSubHub", "", {"WebPubSubHub": "chat"}, "", ("WebPubSubConnectionString", "chat")),
    ("hub %setting%", "hub='%Hub%'", {"Hub": "chat"}, "", ("WebPubSubConnectionString", "chat")),
    ("hub {expression}", "hub='{query.hub}'", {}, "?hub=Asked", ("WebPubSubConnectionString", "asked")),
    (
        "hub %setting% and {expression}",
        "hub='%Hub%_{query.hub}'",
        {"Hub": "chat"},
        "?hub=asked",
        ("WebPubSubConnectionString", "chat_asked"),
    ),
    ("connection", "hub='chat', connection='Other'", {"Other": OTHER}, "", ("Other", "chat")),
    ("connection empty: default", "hub='chat', connection=''", {}, "", ("WebPubSubConnectionString", "chat")),
]


@pytest.mark.parametrize(
    ("members", "settings", "query", "expected"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD]
)
async def test_1_2_output(
    tmp_path: Path, members: str, settings: dict[str, str], query: str, expected: tuple[str, str]
) -> None:
    sinks = {"WebPubSubConnectionString": RecordingSink(), "Other": RecordingSink()}
    async with running_app(tmp_path, app_of(output(members)), DEFAULT | settings, sinks=sinks) as app:
        assert (await app.request("GET", f"/api/{query}")).status == 200
        told = [(name, hub) for name, sink in sinks.items() for hub, _ in sink.performed]
        assert told == [expected]


@pytest.mark.parametrize("make", [output, connection_input])
def test_1_2_a_connection_is_a_name_and_a_literal_is_not_shown(tmp_path: Path, make: Any) -> None:
    with loaded_app(tmp_path, app_of(make(f"hub='chat', connection='{CONNECTION}'"))) as app:
        (problem,) = app.host.problems
        assert "the connection is a connection string: expected the name of a setting" in str(problem)
        assert KEY not in str(problem)


# --- 1.3 webPubSubConnection --------------------------------------------------------------------------

MADE: list[tuple[str, str, dict[str, str], str, dict[str, Any]]] = [
    # name, members, settings, query, claims
    ("hub", "hub='chat'", {}, "", {"aud": "https://wps.example/client/hubs/chat"}),
    (
        "no hub: WebPubSubHub",
        "userId='u'",
        {"WebPubSubHub": "chat"},
        "",
        {"aud": "https://wps.example/client/hubs/chat"},
    ),
    (
        "hub %setting%",
        "hub='%Hub%'",
        {"Hub": "chat"},
        "",
        {"aud": "https://wps.example/client/hubs/chat"},
    ),
    ("hub {expression}", "hub='{query.h}'", {}, "?h=x", {"aud": "https://wps.example/client/hubs/x"}),
    ("no userId", "hub='chat'", {}, "", {"sub": None}),
    ("userId", "hub='chat', userId='alice'", {}, "", {"sub": "alice"}),
    ("userId %setting%", "hub='chat', userId='%User%'", {"User": "bob"}, "", {"sub": "bob"}),
    ("userId {expression}", "hub='chat', userId='{query.user}'", {}, "?user=eve", {"sub": "eve"}),
    (
        "connection",
        "hub='chat', connection='Other'",
        {"Other": OTHER},
        "",
        {"aud": "https://other.example/client/hubs/chat"},
    ),
    ("clientProtocol default", "hub='chat', clientProtocol='Default'", {}, "", {"sub": None}),
    # Differs: roles, groups and the lifetime cannot be said in Azure.
    (
        "roles, groups",
        "hub='chat', roles=['webpubsub.sendToGroup'], groups=['g']",
        {},
        "",
        {"role": ["webpubsub.sendToGroup"], "webpubsub.group": ["g"]},
    ),
    ("no roles, groups", "hub='chat'", {}, "", {"role": None, "webpubsub.group": None}),
]


@pytest.mark.parametrize(
    ("members", "settings", "query", "claims"), [row[1:] for row in MADE], ids=[row[0] for row in MADE]
)
async def test_1_3_connection_input(
    tmp_path: Path, members: str, settings: dict[str, str], query: str, claims: dict[str, Any]
) -> None:
    async with running_app(tmp_path, app_of(connection_input(members)), DEFAULT | settings) as app:
        answer = await app.request("GET", f"/api/{query}")
        found = jwt.decode(answer.json["accessToken"], options={"verify_signature": False})
        assert {name: found.get(name) for name in claims} == claims


@pytest.mark.parametrize(("data_type", "kind"), [("", "str"), ("string", "str"), ("binary", "bytes")])
async def test_1_3_data_type(tmp_path: Path, data_type: str, kind: str) -> None:
    members = "hub='chat'" + (f", data_type='{data_type}'" if data_type else "")
    declaration = (
        connection_input(members)
        .replace("connection: str", "connection")
        .replace(
            "func.HttpResponse(connection)",
            "func.HttpResponse(connection, headers={'x-kind': type(connection).__name__})",
        )
    )
    async with running_app(tmp_path, app_of(declaration)) as app:
        answer = await app.request("GET", "/api/")
        assert (answer.header("x-kind"), list(answer.json)) == (kind, ["baseUrl", "url", "accessToken"])


# --- 1.6 options --------------------------------------------------------------------------------------


def options(**members: str) -> str:
    return json.dumps({"version": "2.0", "extensions": {"webpubsub": members}})


ENVIRONMENT = "AzureFunctionsJobHost__extensions__webpubsub__"

HUBS: list[tuple[str, str, dict[str, str], str, str]] = [
    # name, hub of the binding, settings, host.json, hub
    ("attribute before option", "hub='mine', ", {}, options(hub="option"), "mine"),
    ("option before WebPubSubHub", "", {"WebPubSubHub": "setting"}, options(hub="option"), "option"),
    ("WebPubSubHub", "", {"WebPubSubHub": "setting"}, options(), "setting"),
    (
        "option of the environment",
        "",
        {f"{ENVIRONMENT}hub": "environment"},
        options(hub="option"),
        "environment",
    ),
]


@pytest.mark.parametrize(
    ("hub", "settings", "host_json", "expected"), [row[1:] for row in HUBS], ids=[row[0] for row in HUBS]
)
def test_1_6_priority_of_hubs(
    tmp_path: Path, hub: str, settings: dict[str, str], host_json: str, expected: str
) -> None:
    source = app_of(trigger(f"{hub}{MESSAGE}"))
    with loaded_app(tmp_path, source, DEFAULT | settings, host_json) as app:
        assert [function.hub for function in app.host.functions] == [expected]


ACCESSES: list[tuple[str, dict[str, str], str, str]] = [
    # name, settings, host.json, the service whose events are taken
    ("option before setting", DEFAULT, options(connectionString=OTHER), "other.example"),
    ("setting", DEFAULT, options(), "wps.example"),
    (
        "the setting's value before its serviceUri",
        DEFAULT | {"WebPubSubConnectionString__serviceUri": "https://managed.example"},
        options(),
        "wps.example",
    ),
    (
        "serviceUri",
        {"WebPubSubConnectionString__serviceUri": "https://managed.example"},
        options(),
        "managed.example",
    ),
]


@pytest.mark.parametrize(
    ("settings", "host_json", "expected"), [row[1:] for row in ACCESSES], ids=[row[0] for row in ACCESSES]
)
async def test_1_6_priority_of_the_default_access(
    tmp_path: Path, settings: dict[str, str], host_json: str, expected: str
) -> None:
    async with running_app(tmp_path, app_of(trigger(CHAT)), settings, host_json) as app:
        hosts = ["wps.example", "other.example", "managed.example"]
        accepted = [
            host
            for host in hosts
            if (await app.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": host})).status == 200
        ]
        assert accepted == [expected]


# --- the binding types, and names of members ----------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spelled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    declarations = trigger(CHAT).replace("webPubSubTrigger", "WEBPUBSUBTRIGGER")
    async with running_app(tmp_path_factory.mktemp("app"), app_of(declarations)) as app:
        yield app


@pytest.mark.asyncio(loop_scope="module")
async def test_0_binding_types_are_matched_in_any_case(spelled: SpecApp) -> None:
    assert (await spelled.event(USER)).text == "ran f0"
