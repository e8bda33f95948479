"""Section 8 of the extension's specification: the output binding, row by row.

A function is asked over HTTP to set what the request says, as Python; the service is a real HTTP peer that
remembers what it was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kit.rest_service import RestService, running_rest_service
from kit.spec_app import KEY, SpecApp, running_app
from webpubsub.model import actions

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = """
import json
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()
seen = []

@app.route(route="set", methods=["POST"])
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
def set_actions(req: func.HttpRequest, actions: func.Out[str]):
    actions.set(eval(req.get_body()))
    return "done"

@app.route(route="typed", methods=["POST"])
@app.web_pubsub_output(hub="chat")
async def typed(req: func.HttpRequest, actions: wps.Actions):
    actions.set(eval(req.get_body()))
    return "done"
"""

# What was sent: method, path and query without the api-version, content type, body.
Sent = tuple[str, str, str | None, bytes]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[RestService]:
    async with running_rest_service() as service:
        yield service


class OutputApp:
    """The app and its service."""

    def __init__(self, app: SpecApp, service: RestService) -> None:
        self._app = app
        self._service = service

    async def sends(self, script: str, function: str = "set") -> tuple[int, list[Sent]]:
        """Let a function set ``script``; return its status and what the service was sent."""
        self._service.requests.clear()
        answer = await self._app.request("POST", f"/api/{function}", (), script.encode())
        return answer.status, [_sent(*request) for request in self._service.requests]

    @property
    def failure(self) -> str:
        return self._app.failure


def _sent(method: str, target: str, headers: dict[str, str], body: bytes) -> Sent:
    path, _, version = target.rpartition("api-version=")
    assert (version, headers["authorization"][:7]) == ("2024-12-01", "Bearer ")
    return method, path.rstrip("?&"), headers.get("content-type"), body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(service: RestService, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OutputApp]:
    settings = {"WebPubSubConnectionString": f"Endpoint={service.url};AccessKey={KEY};"}
    async with running_app(tmp_path_factory.mktemp("app"), APP, settings) as running:
        yield OutputApp(running, service)


def ids(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


# --- 8.1 the actions ------------------------------------------------------------------------------------

HUB = "/api/hubs/chat"
TEXT, JSON, BINARY = "text/plain", "application/json", "application/octet-stream"
ACTIONS: list[tuple[str, dict[str, Any], Sent]] = [
    ("sendToAll", {"data": "hi", "dataType": "text"}, ("POST", f"{HUB}/:send", TEXT, b"hi")),
    (
        "sendToAll",
        {"data": "hi", "dataType": "text", "excluded": ["c1", "c 2"]},
        ("POST", f"{HUB}/:send?excluded=c1&excluded=c%202", TEXT, b"hi"),
    ),
    (
        "sendToGroup",
        {"group": "g", "data": "hi", "dataType": "text", "excluded": ["c1"]},
        ("POST", f"{HUB}/groups/g/:send?excluded=c1", TEXT, b"hi"),
    ),
    (
        "sendToGroup",
        {"group": "a/b", "data": "hi", "dataType": "text"},
        ("POST", f"{HUB}/groups/a%2Fb/:send", TEXT, b"hi"),
    ),
    (
        "sendToUser",
        {"userId": "alice", "data": "hi", "dataType": "text"},
        ("POST", f"{HUB}/users/alice/:send", TEXT, b"hi"),
    ),
    (
        "sendToConnection",
        {"connectionId": "c1", "data": "hi", "dataType": "text"},
        ("POST", f"{HUB}/connections/c1/:send", TEXT, b"hi"),
    ),
    (
        "addUserToGroup",
        {"userId": "alice", "group": "g"},
        ("PUT", f"{HUB}/users/alice/groups/g", None, b""),
    ),
    (
        "removeUserFromGroup",
        {"userId": "alice", "group": "g"},
        ("DELETE", f"{HUB}/users/alice/groups/g", None, b""),
    ),
    (
        "removeUserFromAllGroups",
        {"userId": "alice"},
        ("DELETE", f"{HUB}/users/alice/groups", None, b""),
    ),
    (
        "addConnectionToGroup",
        {"connectionId": "c1", "group": "g"},
        ("PUT", f"{HUB}/groups/g/connections/c1", None, b""),
    ),
    (
        "removeConnectionFromGroup",
        {"connectionId": "c1", "group": "g"},
        ("DELETE", f"{HUB}/groups/g/connections/c1", None, b""),
    ),
    ("closeAllConnections", {}, ("POST", f"{HUB}/:closeConnections", None, b"")),
    (
        "closeAllConnections",
        {"excluded": ["c1"], "reason": "bye all"},
        ("POST", f"{HUB}/:closeConnections?excluded=c1&reason=bye%20all", None, b""),
    ),
    ("closeClientConnection", {"connectionId": "c1"}, ("DELETE", f"{HUB}/connections/c1", None, b"")),
    (
        "closeClientConnection",
        {"connectionId": "c1", "reason": "bye"},
        ("DELETE", f"{HUB}/connections/c1?reason=bye", None, b""),
    ),
    (
        "closeGroupConnections",
        {"group": "g", "excluded": ["c1"], "reason": "bye"},
        ("POST", f"{HUB}/groups/g/:closeConnections?excluded=c1&reason=bye", None, b""),
    ),
    (
        "grantPermission",
        {"connectionId": "c1", "permission": "sendToGroup", "targetName": "g"},
        ("PUT", f"{HUB}/permissions/sendToGroup/connections/c1?targetName=g", None, b""),
    ),
    (
        "revokePermission",
        {"connectionId": "c1", "permission": "joinLeaveGroup", "targetName": "g"},
        ("DELETE", f"{HUB}/permissions/joinLeaveGroup/connections/c1?targetName=g", None, b""),
    ),
    # What the extension lacks and the service has.
    (
        "sendToAll",
        {"data": "hi", "dataType": "text", "filter": "userId eq null", "messageTtlSeconds": 5},
        ("POST", f"{HUB}/:send?filter=userId%20eq%20null&messageTtlSeconds=5", TEXT, b"hi"),
    ),
    (
        "closeUserConnections",
        {"userId": "alice", "excluded": ["c1"], "reason": "bye"},
        ("POST", f"{HUB}/users/alice/:closeConnections?excluded=c1&reason=bye", None, b""),
    ),
    (
        "removeConnectionFromAllGroups",
        {"connectionId": "c1"},
        ("DELETE", f"{HUB}/connections/c1/groups", None, b""),
    ),
    (
        "addConnectionsToGroups",
        {"groups": ["g"], "filter": "userId eq null"},
        ("POST", f"{HUB}/:addToGroups", JSON, b'{"groups":["g"],"filter":"userId eq null"}'),
    ),
    (
        "removeConnectionsFromGroups",
        {"groups": ["g", "h"]},
        ("POST", f"{HUB}/:removeFromGroups", JSON, b'{"groups":["g","h"]}'),
    ),
]
ACTION_IDS = [" ".join([name, *members]) for name, members, _ in ACTIONS]


@pytest.mark.parametrize("function", ["set", "typed"])
@pytest.mark.parametrize(("name", "members", "expected"), ACTIONS, ids=ACTION_IDS)
async def test_8_1_action(
    app: OutputApp, function: str, name: str, members: dict[str, Any], expected: Sent
) -> None:
    assert await app.sends(repr({"actionName": name, **members}), function) == (200, [expected])


@pytest.mark.parametrize(("name", "members", "expected"), ACTIONS, ids=ACTION_IDS)
async def test_8_1_names_in_any_case(
    app: OutputApp, name: str, members: dict[str, Any], expected: Sent
) -> None:
    upper = {"ACTIONNAME": name.upper()} | {key.upper(): value for key, value in members.items()}
    assert await app.sends(repr(upper)) == (200, [expected])


async def test_8_1_every_action_of_the_extension_is_here() -> None:
    assert {name for name, _, _ in ACTIONS} == set(actions.ACTIONS)


# --- 8.1 forms of the value -----------------------------------------------------------------------------

HI = ("POST", f"{HUB}/:send", TEXT, b"hi")
ALICE = ("PUT", f"{HUB}/users/alice/groups/g", None, b"")
ONE = '{"actionName": "sendToAll", "data": "hi"}'
TWO = '{"actionName": "addUserToGroup", "userId": "alice", "group": "g"}'

FORMS: list[tuple[str, str, list[Sent]]] = [
    # name, what is set, what is sent
    ("nothing", "None", []),
    ("an object", ONE, [HI]),
    ("an array", f"[{ONE}, {TWO}]", [HI, ALICE]),
    ("an empty array", "[]", []),
    ("text of an object", f"json.dumps({ONE})", [HI]),
    ("text of an array", f"json.dumps([{ONE}, {TWO}])", [HI, ALICE]),
    ("blanks around", f"'  ' + json.dumps({ONE}) + chr(10)", [HI]),
    ("text of an empty array", "'[]'", []),
    ("an array of texts", f"[json.dumps({ONE}), json.dumps({TWO})]", [HI, ALICE]),
    # Differs: bytes and JSON null are errors in the extension.
    ("bytes of an object", f"json.dumps({ONE}).encode()", [HI]),
    ("null in an array", f"[None, {ONE}]", [HI]),
    ("a tuple", f"({ONE}, {TWO})", [HI, ALICE]),
    ("a typed action", "wps.SendToAllAction('hi')", [HI]),
    ("typed actions", "[wps.SendToAllAction('hi'), wps.AddUserToGroupAction('alice', 'g')]", [HI, ALICE]),
]


@pytest.mark.parametrize("function", ["set", "typed"])
@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in FORMS], ids=ids(FORMS))
async def test_8_1_form(app: OutputApp, function: str, script: str, expected: list[Sent]) -> None:
    assert await app.sends(script, function) == (200, expected)


NO_ACTIONS: list[tuple[str, str, str]] = [
    # name, what is set, what the log says
    ("text that is no JSON", "'hi'", "the text set on the output is not JSON"),
    ("text of a JSON string", "'\"hi\"'", "the JSON of 'hi': expected actions"),
    ("text of a number", "'5'", "the JSON of 5: expected actions"),
    ("a number", "5", "actions[0] is 5 (int): expected actions"),
    ("bytes that are no JSON", "b'\\xff'", "the text set on the output is not JSON"),
    ("no actionName", "{'data': 'hi'}", "actions[0] has no 'actionName': expected one of sendToAll, "),
    ("actionName null", "{'actionName': None}", "actions[0] has no 'actionName'"),
    ("an unknown actionName", "{'actionName': 'sendToNobody'}", "the actionName 'sendToNobody'"),
    ("a near miss", "{'actionName': 'sendToGrup'}", "; did you mean 'sendToGroup'?"),
    ("the whole class name", "{'actionName': 'SendToAllAction'}", "the actionName 'SendToAllAction'"),
    ("an old name", "{'operationKind': 'sendToAll', 'data': 'hi'}", "actions[0] has no 'actionName'"),
]


@pytest.mark.parametrize("function", ["set", "typed"])
@pytest.mark.parametrize(("script", "text"), [row[1:] for row in NO_ACTIONS], ids=ids(NO_ACTIONS))
async def test_8_1_what_is_no_action(app: OutputApp, function: str, script: str, text: str) -> None:
    assert await app.sends(script, function) == (500, [])
    assert text in app.failure


# Differs: the extension finds out from the service, or its client library.
MISSING: list[tuple[str, dict[str, Any], str]] = [
    ("sendToGroup", {"data": "x"}, "actions[0] (sendToGroup): 'group' is missing"),
    ("sendToGroup", {"group": "", "data": "x"}, "'' is not a valid group name"),
    ("sendToUser", {"data": "x"}, "actions[0] (sendToUser): 'userId' is missing"),
    ("sendToConnection", {"data": "x"}, "actions[0] (sendToConnection): 'connectionId' is missing"),
    ("addUserToGroup", {"group": "g"}, "actions[0] (addUserToGroup): 'userId' is missing"),
    ("addUserToGroup", {"userId": 5, "group": "g"}, "'userId' is 5: expected a string"),
    ("removeUserFromAllGroups", {}, "'userId' is missing"),
    ("closeClientConnection", {}, "'connectionId' is missing"),
    ("closeAllConnections", {"excluded": "c1"}, "expected a list of connection ids"),
    ("closeAllConnections", {"excluded": [5]}, "5 is not a valid excluded"),
    ("grantPermission", {"connectionId": "c", "targetName": "g"}, "'permission' is missing"),
    ("grantPermission", {"connectionId": "c", "targetName": "g", "permission": "all"}, "'sendToGroup' or"),
    ("grantPermission", {"connectionId": "c", "targetName": "g", "permission": 0}, "'sendToGroup' or"),
    ("grantPermission", {"connectionId": "c", "permission": "sendToGroup"}, "'targetName' is missing"),
]


@pytest.mark.parametrize(("name", "members", "text"), MISSING)
async def test_8_1_members_that_cannot_be(
    app: OutputApp, name: str, members: dict[str, Any], text: str
) -> None:
    assert await app.sends(repr({"actionName": name, **members})) == (500, [])
    assert text in app.failure


PERMISSIONS = [
    ("sendToGroup", "sendToGroup"),
    ("SENDTOGROUP", "sendToGroup"),
    (1, "sendToGroup"),
    ("joinLeaveGroup", "joinLeaveGroup"),
    ("JoinLeaveGroup", "joinLeaveGroup"),
    (2, "joinLeaveGroup"),
]


@pytest.mark.parametrize(("value", "name"), PERMISSIONS)
async def test_8_1_permission(app: OutputApp, value: Any, name: str) -> None:
    action = {"actionName": "grantPermission", "connectionId": "c", "targetName": "g", "permission": value}
    expected = ("PUT", f"{HUB}/permissions/{name}/connections/c?targetName=g", None, b"")
    assert await app.sends(repr(action)) == (200, [expected])


# --- 8.1 order and failure ------------------------------------------------------------------------------


def to(*users: str) -> list[dict[str, str]]:
    return [{"actionName": "sendToUser", "userId": user, "data": user} for user in users]


def messages(*users: str) -> list[Sent]:
    return [("POST", f"{HUB}/users/{user}/:send", TEXT, user.encode()) for user in users]


async def test_8_1_actions_are_performed_in_order(app: OutputApp) -> None:
    users = [f"u{number}" for number in range(20)]
    assert await app.sends(repr(to(*users))) == (200, messages(*users))


@pytest.mark.parametrize("form", ["{}", "json.dumps({})"])
async def test_8_1_the_first_that_is_refused_stops_the_rest(app: OutputApp, form: str) -> None:
    script = form.format(to("a", "refused", "b"))
    assert await app.sends(script) == (500, messages("a", "refused"))
    assert app.failure == "action sendToUser on hub 'chat' was refused: Bad Request (status 400)"


@pytest.mark.parametrize("form", ["{}", "json.dumps({})"])
async def test_8_1_the_first_that_is_no_action_stops_the_rest(app: OutputApp, form: str) -> None:
    script = form.format([*to("a"), {"actionName": "nope"}, *to("b")])
    assert await app.sends(script) == (500, messages("a"))
    assert "actions[1] has the actionName 'nope'" in app.failure


async def test_8_1_a_typed_output_is_checked_before_anything_is_done(app: OutputApp) -> None:
    # Differs: there nothing is performed when the function raises, and setting raises in the function.
    script = repr([*to("a"), {"actionName": "nope"}, *to("b")])
    assert await app.sends(script, "typed") == (500, [])


# --- 8.2 data and dataType ------------------------------------------------------------------------------

BUFFER = {"type": "Buffer", "data": [104, 255]}
DATA: list[tuple[str, dict[str, Any], tuple[str, bytes]]] = [
    # name, members, content type and body
    ("text", {"data": "hé", "dataType": "text"}, (TEXT, "hé".encode())),
    ("json, as its text", {"data": '{"a": 1.50}', "dataType": "json"}, (JSON, b'{"a": 1.50}')),
    ("binary", {"data": BUFFER, "dataType": "binary"}, (BINARY, b"h\xff")),
    ("an empty Buffer", {"data": {"type": "Buffer", "data": []}, "dataType": "binary"}, (BINARY, b"")),
    ("Buffer in any case", {"data": {"type": "bUFFER", "data": [104]}, "dataType": "binary"}, (BINARY, b"h")),
    ("a Buffer as text", {"data": {"type": "Buffer", "data": [104]}, "dataType": "text"}, (TEXT, b"h")),
    ("a Buffer as json", {"data": {"type": "Buffer", "data": [53]}, "dataType": "json"}, (JSON, b"5")),
    ("dataType in any case", {"data": "hi", "dataType": "TEXT"}, (TEXT, b"hi")),
    ("dataType 0", {"data": BUFFER, "dataType": 0}, (BINARY, b"h\xff")),
    ("dataType 1", {"data": "5", "dataType": 1}, (JSON, b"5")),
    ("dataType 2", {"data": "hi", "dataType": 2}, (TEXT, b"hi")),
    ("no dataType: text", {"data": "hi"}, (TEXT, b"hi")),
    ("dataType null: text", {"data": "hi", "dataType": None}, (TEXT, b"hi")),
    ("an empty string", {"data": ""}, (TEXT, b"")),
    # Differs: without a dataType the extension takes strings only.
    ("no dataType: a Buffer", {"data": BUFFER}, (BINARY, b"h\xff")),
    ("no dataType: an object", {"data": {"a": 1}}, (JSON, b'{"a":1}')),
    ("no dataType: a number", {"data": 5}, (JSON, b"5")),
    ("no dataType: a list", {"data": [1]}, (JSON, b"[1]")),
    ("no dataType: a boolean", {"data": True}, (JSON, b"true")),
    ("Python's bytes", {"data": b"\xff"}, (BINARY, b"\xff")),
]
SENDS = [
    ("sendToAll", {}, ":send"),
    ("sendToGroup", {"group": "g"}, "groups/g/:send"),
    ("sendToUser", {"userId": "u"}, "users/u/:send"),
    ("sendToConnection", {"connectionId": "c"}, "connections/c/:send"),
]


@pytest.mark.parametrize(("name", "target", "path"), SENDS, ids=ids(SENDS))
@pytest.mark.parametrize(("members", "expected"), [row[1:] for row in DATA], ids=ids(DATA))
async def test_8_2_data(
    app: OutputApp,
    name: str,
    target: dict[str, str],
    path: str,
    members: dict[str, Any],
    expected: tuple[str, bytes],
) -> None:
    action = {"actionName": name, **target, **members}
    assert await app.sends(repr(action)) == (200, [("POST", f"{HUB}/{path}", *expected)])


NO_DATA: list[tuple[str, dict[str, Any], str]] = [
    # name, members, what the log says
    ("binary from a string", {"data": "aGk=", "dataType": "binary"}, "Buffer object"),
    ("binary from another object", {"data": {"a": 1}, "dataType": "binary"}, "Buffer object"),
    ("a Buffer of base64 (differs)", {"data": {"type": "Buffer", "data": "aGk="}}, "0 to 255"),
    ("a Buffer of anything", {"data": {"type": "Buffer", "data": [256]}}, "0 to 255"),
    ("json from a number", {"data": 5, "dataType": "json"}, "stringify it with json.dumps(...)"),
    ("json from an object", {"data": {"a": 1}, "dataType": "json"}, "stringify it with json.dumps(...)"),
    ("json from an array", {"data": [1], "dataType": "json"}, "stringify it with json.dumps(...)"),
    ("json from a boolean", {"data": True, "dataType": "json"}, "stringify it with json.dumps(...)"),
    ("json from null", {"data": None, "dataType": "json"}, "'data' is missing or null"),
    ("text from a number", {"data": 5, "dataType": "text"}, "expected a string"),
    ("text from an object", {"data": {"a": 1}, "dataType": "text"}, "expected a string"),
    ("no data", {}, "'data' is missing or null"),
    ("an unknown dataType", {"data": "hi", "dataType": "xml"}, "'xml' is not one of"),
    ("an unknown number", {"data": "hi", "dataType": 3}, "3 is not one of"),
    # Differs: the extension leaves it to the service, which refuses it.
    ("json that is none", {"data": "{", "dataType": "json"}, "not valid JSON"),
]


@pytest.mark.parametrize(("members", "text"), [row[1:] for row in NO_DATA], ids=ids(NO_DATA))
async def test_8_2_data_that_cannot_be_sent(app: OutputApp, members: dict[str, Any], text: str) -> None:
    assert await app.sends(repr({"actionName": "sendToAll", **members})) == (500, [])
    assert text in app.failure
    assert "actions[0] (sendToAll): " in app.failure
