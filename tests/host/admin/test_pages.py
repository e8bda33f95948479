"""The admin endpoints: status, functions, runs by hand, keys."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

import webpubsub
from kit.asgi_client import Answer, AsgiClient
from webpubsub.host import FunctionHost
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import StorageError
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]
Load = Callable[..., FunctionHost]

HOST_ID = "my-host"
HOST_FILE = ("azure-webjobs-secrets", f"{HOST_ID}/host.json")
JSON = {"Content-Type": "application/json", "Host": "chat.example:7071"}

APP = """
import json
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.route(route="rooms/{room}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def enter(req):
    content_type = req.headers.get("content-type")
    seen.append((req.method, req.get_body().decode(), content_type, dict(req.route_params)))
    return "entered"

@app.route(route="reader", methods=["GET"])
def reader(req):
    seen.append(req.method)
    return "read"

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
async def tick(timer):
    seen.append(timer.past_due)

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
def message(request):
    event = json.loads(request)
    seen.append((event["data"], event["connectionContext"]["userId"]))

@app.generic_trigger(
    arg_name="data", type="webPubSubTrigger", dataType="binary",
    hub="chat", eventType="user", eventName="file")
def file(data):
    seen.append(data)

@app.route(route="broken")
def broken(req):
    raise LookupError("on purpose")
"""

EVENT = {
    "connectionContext": {
        "eventType": "User",
        "eventName": "message",
        "hub": "chat",
        "connectionId": "c1",
        "userId": "alice",
        "states": {},
        "headers": {},
    },
    "data": "hi",
    "dataType": "Text",
}


@pytest.fixture
async def client(run_app: Run) -> AsgiClient:
    found: AsgiClient = await run_app(
        APP, {"AzureFunctionsWebHost__hostid": HOST_ID}, storage=MemoryStorage()
    )
    return found


def seen() -> list[Any]:
    found: list[Any] = sys.modules["function_app"].seen
    return found


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - functions run in threads and tell nobody
            await asyncio.sleep(0.001)


# --- status -------------------------------------------------------------------------------------------


async def test_the_status_tells_what_runs(client: AsgiClient) -> None:
    answer = await client.request("GET", "/admin/host/status")
    status = answer.json
    assert 0 <= status.pop("processUptime") < 60_000
    assert status.pop("versionDetails").startswith(f"webpubsub {webpubsub.__version__}, Python 3.")
    assert status == {"id": HOST_ID, "state": "Running", "version": webpubsub.__version__}
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.header("cache-control") == "no-store"


async def test_the_status_names_what_does_not_run(load_app: Load) -> None:
    host = load_app(APP.replace("0 0 3 * * *", "every day"))
    status = (await AsgiClient(host).request("GET", "/admin/host/status")).json
    assert status["errors"] == [str(problem) for problem in host.problems]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_ping_is_answered(client: AsgiClient, method: str) -> None:
    answer = await client.request(method, "/admin/host/ping")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin", 404),
        ("GET", "/admin/", 404),
        ("GET", "/admin/vfs/site/wwwroot", 404),
        ("POST", "/admin/host/restart", 404),
        ("GET", "/admin/host/nokeys", 404),
        ("GET", "/admin/functions/nobody", 404),
        ("GET", "/admin/functions/nobody/status", 404),
        ("GET", "/admin/functions/nobody/keys", 404),
        ("POST", "/admin/host/status", 405),
        ("DELETE", "/admin/functions/tick", 405),
        ("GET", "/Admin/HOST/Ping", 200),
        ("GET", "/administrator", 404),
    ],
)
async def test_other_paths_and_methods(client: AsgiClient, method: str, path: str, status: int) -> None:
    assert (await client.request(method, path)).status == status


# --- functions ----------------------------------------------------------------------------------------


async def test_a_function_is_described_as_the_functions_host_does(client: AsgiClient, tmp_path: Any) -> None:
    answer = await client.request("GET", "/admin/functions/ENTER", {"Host": "chat.example:7071"})
    assert answer.json == {
        "name": "enter",
        "script_root_path_href": None,
        "script_href": None,
        "config_href": None,
        "test_data_href": None,
        "href": "http://chat.example:7071/admin/functions/enter",
        "invoke_url_template": "http://chat.example:7071/api/rooms/{room}",
        "language": "python",
        "config": {
            "name": "enter",
            "entryPoint": "enter",
            "scriptFile": "function_app.py",
            "language": "python",
            "functionDirectory": str(tmp_path),
            "bindings": [
                {
                    "direction": "IN",
                    "type": "httpTrigger",
                    "name": "req",
                    "methods": ["GET", "POST"],
                    "authLevel": "ANONYMOUS",
                    "route": "rooms/{room}",
                },
                {"direction": "OUT", "type": "http", "name": "$return"},
            ],
        },
        "files": None,
        "test_data": None,
        "isDisabled": False,
        "isDirect": False,
        "isProxy": False,
    }


async def test_all_functions_are_listed_disabled_ones_too(run_app: Run) -> None:
    client = await run_app(APP, {"AzureWebJobs.tick.Disabled": "true"})
    listed = (await client.request("GET", "/admin/functions")).json
    assert {function["name"]: function["isDisabled"] for function in listed} == {
        "enter": False,
        "reader": False,
        "message": False,
        "file": False,
        "broken": False,
        "tick": True,
    }
    assert {function["name"] for function in listed if function["invoke_url_template"] is None} == {
        "message",
        "file",
        "tick",
    }


async def test_the_status_of_a_function_has_its_errors(load_app: Load) -> None:
    host = load_app(APP.replace("0 0 3 * * *", "every day"))
    client = AsgiClient(host)
    (problem,) = host.problems
    assert (await client.request("GET", "/admin/functions/Tick/status")).json == {"errors": [str(problem)]}
    assert (await client.request("GET", "/admin/functions/enter/status")).json == {}


# --- runs by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [
        ("enter", '{"a": 1}', ("POST", '{"a": 1}', "application/json", {})),
        ("enter", "hello é", ("POST", "hello é", "text/plain; charset=utf-8", {})),
        ("enter", None, ("POST", "", "text/plain; charset=utf-8", {})),
        ("reader", "", "GET"),
        ("tick", None, False),
        ("TICK", "whatever", False),
        ("message", json.dumps(EVENT), ("hi", "alice")),
        ("file", json.dumps(EVENT), b"hi"),
        (
            "file",
            json.dumps(EVENT | {"data": {"type": "Buffer", "data": [0, 255]}, "dataType": "Binary"}),
            b"\x00\xff",
        ),
    ],
)
async def test_any_function_can_be_run(
    client: AsgiClient, function: str, given: str | None, expected: object
) -> None:
    body = json.dumps({} if given is None else {"input": given}).encode()
    answer = await client.request("POST", f"/admin/functions/{function}", JSON, body)
    assert (answer.status, answer.body) == (202, b"")
    await eventually(seen)
    assert seen() == [expected]


async def test_a_disabled_function_can_be_run_by_hand(run_app: Run) -> None:
    client = await run_app(APP, {"AzureWebJobs.tick.Disabled": "true"})
    assert (await client.request("POST", "/admin/functions/tick", JSON, b"{}")).status == 202
    await eventually(seen)


async def test_nobody_waits_for_a_run_and_its_failure_is_traced(
    client: AsgiClient, events: list[TraceEvent]
) -> None:
    events.clear()
    answer = await client.request("POST", "/admin/functions/broken", JSON, b'{"Input": ""}')
    assert answer.status == 202
    await eventually(lambda: [event for event in events if event.phase is Phase.FAILED])
    failed = events[-1]
    assert (failed.name, failed.ids["function"], str(failed.error)) == ("function", "broken", "on purpose")


async def test_a_host_that_stops_waits_for_a_run(run_app: Run) -> None:
    client = await run_app("""
import asyncio
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
async def tick(timer):
    await asyncio.sleep(0.05)
    seen.append("done")
""")
    assert (await client.request("POST", "/admin/functions/tick", JSON, b"{}")).status == 202
    await client.app.stop(5)
    assert seen() == ["done"]


@pytest.mark.parametrize(
    ("function", "body", "status", "text"),
    [
        ("nobody", b"{}", 404, "there is no function 'nobody'"),
        ("tick", b"", 400, "expected a JSON object as body, found: Input data was truncated"),
        ("tick", b"[]", 400, "expected a JSON object as body, found: Expected `object`, got `array`"),
        ("tick", b'{"input": {}}', 400, "'input' must be a string, found dict: put JSON into quotes"),
        ("message", b"{}", 400, "'input' must be the JSON of an event: "),
        ("message", b'{"input": "hello"}', 400, "'input' must be the JSON of an event: "),
        ("message", b'{"input": "{}"}', 400, "'input' must be the JSON of an event: "),
        (
            "message",
            json.dumps({"input": json.dumps(EVENT | {"data": 7, "dataType": "Nonsense"})}).encode(),
            400,
            "'input' must be the JSON of an event: ",
        ),
    ],
)
async def test_input_that_cannot_be_used_is_told(
    client: AsgiClient, function: str, body: bytes, status: int, text: str
) -> None:
    answer = await client.request("POST", f"/admin/functions/{function}", JSON, body)
    assert answer.status == status
    assert answer.text.startswith(text)
    assert seen() == []


@pytest.mark.parametrize(
    "content_type", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x"}]
)
async def test_a_body_must_be_declared_as_json(client: AsgiClient, content_type: dict[str, str]) -> None:
    answer = await client.request("POST", "/admin/functions/tick", content_type, b"{}")
    assert (answer.status, seen()) == (415, [])


async def test_pages_of_other_sites_change_nothing(client: AsgiClient) -> None:
    evil = JSON | {"Origin": "https://evil.example"}
    for method, path in [
        ("POST", "/admin/functions/tick"),
        ("POST", "/admin/host/keys/default"),
        ("DELETE", "/admin/host/keys/default"),
    ]:
        assert (await client.request(method, path, evil, b"{}")).status == 403
    own = JSON | {"Origin": "http://chat.example:7071"}
    assert (await client.request("POST", "/admin/functions/tick", own, b"{}")).status == 202


# --- keys ---------------------------------------------------------------------------------------------


async def call(client: AsgiClient, method: str, path: str, value: object = None) -> Answer:
    body = b"" if value is None else json.dumps(value).encode()
    return await client.request(method, path, JSON, body)


async def test_host_keys_are_shown_as_the_functions_host_does(client: AsgiClient) -> None:
    answer = await call(client, "GET", "/admin/host/keys")
    (key,) = answer.json["keys"]
    assert answer.json == {
        "keys": [{"name": "default", "value": key["value"]}],
        "links": [{"rel": "self", "href": "http://chat.example:7071/admin/host/keys"}],
    }
    assert (await call(client, "GET", "/admin/host/functionkeys")).json["keys"] == [key]
    assert (await call(client, "GET", "/admin/host/functionkeys/Default")).json == {
        "name": "Default",
        "value": key["value"],
        "links": [{"rel": "self", "href": "http://chat.example:7071/admin/host/functionkeys/Default"}],
    }
    (system,) = (await call(client, "GET", "/admin/host/systemkeys")).json["keys"]
    assert system["name"] == "webpubsub_extension"
    master = (await call(client, "GET", "/admin/host/systemkeys/_master")).json["value"]
    assert len({key["value"], system["value"], master}) == 3
    assert (await call(client, "GET", "/admin/host/keys/nothing")).status == 404


async def test_function_keys_are_made_when_somebody_asks(client: AsgiClient) -> None:
    (key,) = (await call(client, "GET", "/admin/functions/Tick/keys")).json["keys"]
    assert key["name"] == "default"
    assert (await call(client, "GET", "/admin/functions/tick/keys/default")).json["value"] == key["value"]
    assert (await call(client, "GET", "/admin/functions/enter/keys/default")).json["value"] != key["value"]


@pytest.mark.parametrize("root", ["/admin/host/keys", "/admin/host/systemkeys", "/admin/functions/tick/keys"])
async def test_keys_are_added_changed_renewed_and_deleted(client: AsgiClient, root: str) -> None:
    path = f"{root}/mine"
    answer = await call(client, "PUT", path, {"name": "mine", "value": "one"})
    assert (answer.status, answer.json) == (
        201,
        {
            "name": "mine",
            "value": "one",
            "links": [{"rel": "self", "href": f"http://chat.example:7071{path}"}],
        },
    )
    answer = await call(client, "PUT", path, {"Value": "two"})
    assert (answer.status, answer.json["value"]) == (200, "two")
    answer = await call(client, "POST", path)
    assert (answer.status, len(answer.json["value"])) == (200, 56)
    assert (await call(client, "GET", path)).json["value"] == answer.json["value"]
    assert (await call(client, "DELETE", path)).status == 204
    assert (await call(client, "DELETE", path)).status == 404
    assert (await call(client, "GET", path)).status == 404
    answer = await call(client, "POST", path)
    assert (answer.status, len(answer.json["value"])) == (201, 56)


@pytest.mark.parametrize("value", [{}, {"value": None}, {"value": ""}, {"value": 7}])
async def test_a_key_without_value_is_refused(client: AsgiClient, value: object) -> None:
    answer = await call(client, "PUT", "/admin/host/keys/mine", value)
    assert (answer.status, answer.text[:17]) == (400, "Invalid key value")
    assert (await call(client, "GET", "/admin/host/keys/mine")).status == 404


async def test_the_master_key_is_changed_and_never_deleted(client: AsgiClient) -> None:
    answer = await call(client, "PUT", "/admin/host/systemkeys/_master", {"value": "new"})
    assert (answer.status, answer.json["value"]) == (200, "new")
    assert (await call(client, "GET", "/admin/host/systemkeys/_master")).json["value"] == "new"
    assert (await call(client, "DELETE", "/admin/host/systemkeys/_master")).status == 400
    assert (await call(client, "GET", "/admin/host/systemkeys")).json["keys"][0]["name"] != "_master"


async def test_the_name_of_a_key_writes_no_line_of_its_own(
    client: AsgiClient, events: list[TraceEvent]
) -> None:
    await call(client, "POST", "/admin/host/keys/a%0A00:00:00 b")
    assert events[-1].detail["message"] == r"key 'a\n00:00:00 b' of 'host' (functionKeys) was added"


async def test_changes_are_traced_without_the_key(client: AsgiClient, events: list[TraceEvent]) -> None:
    await call(client, "PUT", "/admin/functions/tick/keys/mine", {"value": "se-cret"})
    await call(client, "PUT", "/admin/functions/tick/keys/mine", {"value": "se-cret2"})
    await call(client, "DELETE", "/admin/functions/tick/keys/mine")
    assert [event.detail["message"] for event in events if event.phase is Phase.COMPLETED] == [
        "key 'mine' of 'tick' (keys) was added",
        "key 'mine' of 'tick' (keys) was changed",
        "key 'mine' of 'tick' (keys) was deleted",
    ]


async def test_storage_that_fails_is_told(run_app: Run, events: list[TraceEvent]) -> None:
    class Away(MemoryStorage):
        async def read(self, container: str, name: str) -> bytes | None:
            raise StorageError("the storage is away")

    client = await run_app(APP, storage=Away())
    answer = await call(client, "GET", "/admin/host/keys")
    assert (answer.status, answer.text) == (500, "the storage is away")
    assert (events[-1].name, events[-1].phase) == ("setting", Phase.FAILED)


# --- with keys asked for ------------------------------------------------------------------------------


@pytest.fixture
async def guarded(run_app: Run) -> AsgiClient:
    found: AsgiClient = await run_app(
        APP, {"AzureFunctionsWebHost__hostid": HOST_ID}, auth=True, storage=MemoryStorage()
    )
    return found


def access(client: AsgiClient) -> Any:
    return client.app.access  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/host/status"),
        ("POST", "/admin/host/status"),
        ("GET", "/admin/functions"),
        ("GET", "/admin/functions/tick"),
        ("GET", "/admin/functions/nobody"),
        ("POST", "/admin/functions/tick"),
        ("GET", "/admin/functions/tick/status"),
        ("GET", "/admin/functions/tick/keys"),
        ("PUT", "/admin/functions/tick/keys/mine"),
        ("GET", "/admin/host/keys"),
        ("GET", "/admin/host/systemkeys/_master"),
        ("POST", "/admin/host/systemkeys/_master"),
        ("DELETE", "/admin/host/functionkeys/default"),
    ],
)
async def test_the_master_key_is_needed(guarded: AsgiClient, method: str, path: str) -> None:
    for code in ("", access(guarded).webhook_code, access(guarded).code("reader")):
        answer = await guarded.request(method, f"{path}?code={code}", JSON, b"{}")
        assert (answer.status, answer.body) == (401, b"")
    master = access(guarded).master
    assert (await guarded.request(method, path, JSON | {"x-functions-key": master}, b"{}")).status != 401


async def test_a_ping_needs_no_key_and_unknown_paths_tell_nothing(guarded: AsgiClient) -> None:
    assert (await guarded.request("GET", "/admin/host/ping")).status == 200
    assert (await guarded.request("GET", "/admin/host/nothing")).status == 404


async def test_a_page_of_another_site_that_has_the_master_key_may_do_everything(guarded: AsgiClient) -> None:
    headers = JSON | {"Origin": "https://portal.example", "x-functions-key": access(guarded).master}
    assert (await guarded.request("POST", "/admin/functions/tick", headers, b"{}")).status == 202


async def test_changed_keys_are_in_force_at_once(guarded: AsgiClient) -> None:
    changes: list[str] = []
    access(guarded).on_change = lambda: changes.append(access(guarded).webhook_code)
    master = {"x-functions-key": access(guarded).master}

    async def put(path: str, value: str) -> int:
        body = json.dumps({"value": value}).encode()
        return int((await guarded.request("PUT", path, JSON | master, body)).status)

    async def reads(key: str) -> int:
        return int((await guarded.request("GET", f"/api/reader?code={key}")).status)

    assert await put("/admin/functions/reader/keys/mine", "own") == 201
    assert await put("/admin/host/keys/ours", "shared") == 201
    assert [await reads(key) for key in ("own", "shared", "other")] == [200, 200, 401]
    await guarded.request("DELETE", "/admin/functions/reader/keys/mine", master)
    assert [await reads(key) for key in ("own", "shared")] == [401, 200]

    assert await put("/admin/host/systemkeys/webpubsub_extension", "hook") == 200
    webhook = "/runtime/webhooks/webpubsub?code="
    assert [(await guarded.request("POST", webhook + key)).status for key in ("hook", "own")] == [400, 401]
    assert changes[-1] == "hook"

    assert await put("/admin/host/systemkeys/_master", "chief") == 200
    assert (await guarded.request("GET", "/admin/functions", master)).status == 401
    assert (await guarded.request("GET", "/admin/functions?code=chief")).status == 200


# --- home page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "status"), [("true", 204), ("True", 204), ("1", 204), ("false", 200)])
async def test_the_home_page_can_be_switched_off(run_app: Run, value: str, status: int) -> None:
    client = await run_app(APP, {"AzureWebJobsDisableHomepage": value})
    answer = await client.request("GET", "/")
    assert (answer.status, bool(answer.body)) == (status, status == 200)


async def test_the_admin_endpoints_cost_a_start_nothing(run_app: Run) -> None:
    client = await run_app(APP, auth=False)
    await client.request("GET", "/api/reader")
    assert "_admin" not in vars(client.app)


async def test_no_web_page_reads_the_answers(run_app: Run) -> None:
    files = {"local__settings__json": '{"Host": {"CORS": "*"}}'}
    client = await run_app(APP, {}, storage=MemoryStorage(), files=files)
    page = {"Origin": "http://a.example"}
    allowed = (await client.request("GET", "/api/rooms/7", page)).header("access-control-allow-origin")
    assert allowed == "*"
    answer = await client.request("GET", "/admin/host/systemkeys/_master", page)
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, None)
    asked = page | {"Access-Control-Request-Method": "PUT"}
    answer = await client.request("OPTIONS", "/admin/host/systemkeys/_master", asked)
    assert (answer.status, answer.header("access-control-allow-origin")) == (405, None)
