"""The tables of the documentation that say what becomes of a value: each row is tried."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import pytest_asyncio

import webpubsub as wps
from kit.docs_pages import DOCS, Table, pages, sections
from kit.event_values import mqtt_connect, mqtt_user
from kit.spec_app import CONNECT, USER, SpecApp, running_app
from webpubsub.functions.binding_members import BINDING_TYPES, Member
from webpubsub.functions.did_you_mean import camel_case
from webpubsub.functions.host_json import decode_actions
from webpubsub.host.bindings.http_trigger import build_request, request_data
from webpubsub.host.expressions import Template, system_data
from webpubsub.model.actions import ACTIONS
from webpubsub.model.http import HttpBounds
from webpubsub.model.mqtt_events import mqtt_error
from webpubsub.model.rest import OPERATIONS
from webpubsub.model.states import ConnectionStates

of_the_app = pytest.mark.asyncio(loop_scope="module")

APP = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp(http_auth_level="ANONYMOUS")
seen = []

@app.web_pubsub_trigger(hub="typed", event_type="user", event_name="message")
def typed(data: str):
    return eval(data)

@app.web_pubsub_trigger(hub="typed", event_type="system", event_name="connect")
def typed_connect(query):
    return eval(query["run"][0])

@app.generic_trigger("data", "webPubSubTrigger", hub="untyped", eventType="user", eventName="message")
def untyped(data: str):
    return eval(data)

@app.route(route="upstream")
@app.web_pubsub_context_input()
def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    return wps.http_response(wps_context, eval(wps_context.request.data))
"""


def tables(comment: str) -> list[Table]:
    items = [item for page in pages() for section in sections(page) for item in section.items]
    return [item for item in items if isinstance(item, Table) and item.comment == f"checked: {comment}"]


def rows(comment: str) -> list[Any]:
    """Return the rows of a table; each is there once."""
    (table,) = tables(comment)
    assert table.rows
    return [pytest.param(row, id=row[0].strip("`")[:60]) for row in table.rows]


def code(cell: str) -> str:
    return cell.strip().strip("`")


def evaluated(cell: str) -> Any:
    return eval(code(cell), {"wps": wps})


def test_every_table_that_says_so_is_checked() -> None:
    items = [item for page in pages() for section in sections(page) for item in section.items]
    comments = {item.comment for item in items if item.comment.startswith("checked: ")}
    checked = set(re.findall(r'rows\("([^"]+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert comments == {f"checked: {comment}" for comment in checked}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SpecApp]:
    async with running_app(tmp_path_factory.mktemp("app"), APP) as running:
        yield running


# --- answers ------------------------------------------------------------------------------------------


def check_answer(answer: Any, status: str, content_type: str, body: str) -> None:
    expected = (int(status), code(content_type) or None, code(body))
    assert (answer.status, answer.header("content-type"), answer.text) == expected


@of_the_app
@pytest.mark.parametrize("hub", ["typed", "untyped"])
@pytest.mark.parametrize("row", rows("answers to a user event"))
async def test_answers_to_a_user_event(app: SpecApp, hub: str, row: list[str]) -> None:
    check_answer(await app.event(USER | {"ce-hub": hub}, code(row[0]).encode()), *row[2:])


@of_the_app
@pytest.mark.parametrize("row", rows("answers to a connect event"))
async def test_answers_to_a_connect_event(app: SpecApp, row: list[str]) -> None:
    body = json.dumps({"query": {"run": [code(row[0])]}}).encode()
    check_answer(await app.event(CONNECT | {"ce-hub": "typed"}, body), *row[2:])


@of_the_app
@pytest.mark.parametrize("row", rows("answers of http_response"))
async def test_answers_of_http_response(app: SpecApp, row: list[str]) -> None:
    check_answer(await app.request("POST", "/api/upstream", USER, code(row[0]).encode()), *row[1:])


@of_the_app
@pytest.mark.parametrize("hub", ["typed", "untyped"])
@pytest.mark.parametrize("row", rows("states"))
async def test_states(app: SpecApp, hub: str, row: list[str]) -> None:
    before, script, after = map(code, row)
    header = ConnectionStates.of(json.loads(before)).header or ""
    answer = await app.event(USER | {"ce-hub": hub, "ce-connectionState": header}, script.encode())
    assert dict(ConnectionStates(answer.header("ce-connectionState"))) == json.loads(after)


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("error codes"))
def test_error_codes(row: list[str]) -> None:
    name, member, status = row
    assert evaluated(member) == code(name)
    assert wps.EventErrorResponse(code(name)).status == int(status)


def test_all_error_codes_are_there() -> None:
    assert [code(row.values[0][0]) for row in rows("error codes")] == [*wps.WebPubSubErrorCode]


@pytest.mark.parametrize("row", rows("MQTT codes of errors"))
def test_mqtt_codes_of_errors(row: list[str]) -> None:
    error = wps.EventErrorResponse(code(row[0]))
    events = (
        mqtt_connect(wps.MqttProtocolVersion.V311),
        mqtt_connect(wps.MqttProtocolVersion.V500),
        mqtt_user(),
    )
    assert [int(mqtt_error(event, error).code) for event in events] == [int(cell) for cell in row[1:]]


@pytest.mark.parametrize("row", rows("MQTT statuses"))
def test_mqtt_statuses(row: list[str]) -> None:
    number, member, status, _ = row
    assert evaluated(member) == int(number)
    assert wps.MqttEventErrorResponse(int(number)).status == int(status)


def test_all_mqtt_codes_are_there() -> None:
    found = [int(row.values[0][0]) for row in rows("MQTT statuses")]
    assert found == [*wps.MqttV311ConnectReturnCode, *wps.MqttV500ConnectReasonCode]


# --- members of bindings ------------------------------------------------------------------------------

MEMBERS = {
    wps.web_pubsub_trigger: ("webPubSubTrigger", rows("members of webPubSubTrigger")),
    wps.web_pubsub_output: ("webPubSub", rows("members of webPubSub")),
    wps.web_pubsub_connection_input: ("webPubSubConnection", rows("members of webPubSubConnection")),
    wps.web_pubsub_context_input: ("webPubSubContext", rows("members of webPubSubContext")),
}


def default_of(member: Member) -> str:
    """Return how the cell of its default begins."""
    if member.is_required:
        return "required"
    return "" if member.default in (None, ()) else f"`{member.default}`"


@pytest.mark.parametrize("decorator", MEMBERS, ids=lambda decorator: decorator.__name__)
def test_members_of_bindings(decorator: Any) -> None:
    type_, documented = MEMBERS[decorator]
    found = [row.values[0] for row in documented]
    by_name = {code(cells[0]): cells for cells in found}
    by_argument = {code(cells[1]): cells for cells in found if code(cells[1])}
    binding = BINDING_TYPES[type_.lower()]
    assert by_name["type`, `direction"][5].startswith(f"`{type_}`, `{binding.direction}`")
    parameters = inspect.signature(decorator).parameters
    assert {*by_argument} == {*parameters} - {"app"}
    assert by_argument["arg_name"][2].startswith(f'`"{parameters["arg_name"].default}"`')
    assert [name for name in by_name if name in binding.members] == [*binding.members]
    for member in binding.members.values():
        _, argument, default, setting, expression, _, *azure = by_name[member.name]
        assert camel_case(code(argument)) == member.name
        assert default.startswith(default_of(member))
        assert (setting == "yes", expression == "yes") == ("%" in member.takes, "{" in member.takes)
        assert azure in ([], ["**ignored**" if member.is_here_only else "the same"])


# --- actions ------------------------------------------------------------------------------------------


def rest_operation(action: type[wps.Action]) -> str:
    (row,) = [operation for operation in OPERATIONS if operation.value is action]
    path = re.sub(r"{(\w+)}", lambda match: f"{{{camel_case(match[1])}}}", row.path)
    return f"{row.method} {path}"


def actions_of_the_code() -> Iterator[list[str]]:
    for action in ACTIONS.values():
        method = re.sub(r"(?<!^)([A-Z])", r"_\1", action.__name__.removesuffix("Action")).lower()
        assert hasattr(wps.Actions, method)
        arguments = ", ".join(f"`{name}`" for name in action.__struct_fields__)
        yield [f"`{method}`, `wps.{action.__name__}`", arguments, f"`{rest_operation(action)}`"]


def test_all_actions_are_there() -> None:
    assert [row.values[0] for row in rows("actions")] == list(actions_of_the_code())


@pytest.mark.parametrize("row", rows("data of actions"))
def test_data_of_actions(row: list[str]) -> None:
    members, content_type, body = row
    value = {"actionName": "sendToAll", **evaluated(members)}
    if content_type == "error":
        with pytest.raises(wps.UsageError, match=re.escape(body)):
            decode_actions(value)
        return
    (action,) = decode_actions(value)
    assert isinstance(action, wps.SendToAllAction)
    assert (action.payload.content_type, action.payload.text) == (code(content_type), code(body))


# --- expressions --------------------------------------------------------------------------------------

SCOPE = {
    "method": "POST",
    "path": "/api/rooms/lobby",
    "query_string": b"userId=alice",
    "headers": [(b"x-forwarded-for", b"10.0.0.1")],
}
BODY = b'{"size": 3, "owner": {"name": "bob"}}'


@pytest.mark.parametrize("row", rows("expressions"))
def test_expressions(row: list[str]) -> None:
    request = request_data(build_request(SCOPE, {"room": "lobby"}, BODY))
    system = system_data("join", lambda: datetime(2026, 1, 2, tzinfo=UTC), lambda: pytest.fail("no GUID"))
    assert Template.parse(code(row[0]), {}).resolve({**system, **request}, "test") == code(row[1])


def test_the_bounds_of_the_host_s_server_are_what_the_page_says() -> None:
    items = [item for section in sections(DOCS / "host.md") for item in section.items]
    rows = {row[0]: row for item in items if isinstance(item, Table) for row in item.rows}
    for field in msgspec.structs.fields(HttpBounds):
        _, default, text = rows[f"`extensions.http.{field.encode_name}`"]
        assert float(default.strip("`")) == field.default
        assert f"from {get_args(field.type)[1].ge:,}" in text
