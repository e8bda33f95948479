"""Which key opens what: HTTP functions by their level, the webhook, disabled functions."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from kit.asgi_client import AsgiClient
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import ConfigurationError, StorageError
from webpubsub.model.http import HttpAnswer
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]
Load = Callable[..., FunctionHost]

HOST_ID = "my-host"
WEBHOOK = "/runtime/webhooks/webpubsub"
MASTER, SYSTEM, SHARED, OWN, OTHER = (
    "master-key+/=",
    "system-key",
    "shared-key",
    "own-key&%20",
    "others-key",
)

APP = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
def open_(req): return "open"

@app.route(route="usual")
def usual(req): return "usual"

@app.route(route="neighbour", auth_level=func.AuthLevel.FUNCTION)
def neighbour(req): return "neighbour"

@app.route(route="admins", auth_level=func.AuthLevel.ADMIN)
def admins(req): return "admins"

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
def message(request): return "heard"
"""


def key(name: str, value: str) -> dict[str, object]:
    return {"name": name, "value": value, "encrypted": False}


def stored() -> MemoryStorage:
    storage = MemoryStorage()
    files: dict[str, object] = {
        "host": {
            "masterKey": key("master", MASTER),
            "functionKeys": [key("default", SHARED)],
            "systemKeys": [key("webpubsub_extension", SYSTEM), key("other_extension", OTHER)],
        },
        "usual": {"keys": [key("default", OWN)]},
        "neighbour": {"keys": [key("default", OTHER)]},
    }
    for name, content in files.items():
        storage.blobs["azure-webjobs-secrets", f"{HOST_ID}/{name}.json"] = json.dumps(content).encode()
    return storage


@pytest.fixture
async def client(run_app: Run, connection_string: str) -> AsgiClient:
    environ = {
        "AzureFunctionsWebHost__hostid": HOST_ID,
        "WebPubSubConnectionString": connection_string,
    }
    found: AsgiClient = await run_app(APP, environ, auth=True, storage=stored())
    return found


LEVELS = [
    # path, and the keys that open it
    ("/api/open", {"", "nonsense", OTHER, SYSTEM, OWN, SHARED, MASTER}),
    ("/api/usual", {OWN, SHARED, MASTER}),
    ("/api/neighbour", {OTHER, SHARED, MASTER}),
    ("/api/admins", {MASTER}),
]


@pytest.mark.parametrize(("path", "keys"), LEVELS)
@pytest.mark.parametrize("given", ["", "nonsense", OWN, OWN[:-1], OTHER, SHARED, SYSTEM, MASTER])
async def test_each_level_has_its_keys(client: AsgiClient, path: str, keys: set[str], given: str) -> None:
    expected = 200 if given in keys or path == "/api/open" else 401
    assert (await client.request("GET", path, {"x-functions-key": given})).status == expected
    assert (await client.request("GET", f"{path}?code={quote(given)}")).status == expected
    assert (await client.request("GET", f"{path}?a=b&CODE={quote(given, safe='')}&c")).status == expected


async def test_the_header_comes_before_the_parameter(client: AsgiClient) -> None:
    async def status(header: str, parameter: str) -> int:
        answer = await client.request(
            "GET", f"/api/usual?code={quote(parameter)}", {"x-functions-key": header}
        )
        return int(answer.status)

    assert await status(OWN, "nonsense") == 200
    assert await status("nonsense", OWN) == 401
    assert await status("", OWN) == 401


async def test_a_refused_request_runs_nothing_and_is_told_nothing(
    client: AsgiClient, events: list[TraceEvent]
) -> None:
    events.clear()
    answer = await client.request("POST", "/api/usual", body=b"x")
    assert (answer.status, answer.body, events) == (401, b"", [])
    assert (await client.request("GET", "/api/nothing")).status == 404


async def test_bytes_of_any_kind_are_no_key(client: AsgiClient) -> None:
    assert (await client.request("GET", "/api/usual?code=%FF%00&code=own-key")).status == 401
    assert (await client.request("GET", "/api/usual", {"x-functions-key": "\xff\u20ac"})).status == 401


async def test_without_auth_nobody_is_asked_and_no_key_is_made(run_app: Run) -> None:
    storage = MemoryStorage()
    client = await run_app(APP, auth=False, storage=storage)
    for path, _ in LEVELS:
        assert (await client.request("GET", path, {"x-functions-key": "nonsense"})).status == 200
    assert storage.blobs == {}


# --- the webhook --------------------------------------------------------------------------------------


def event(connection_string: str) -> dict[str, str]:
    access_key = connection_string.split("AccessKey=")[1].split(";")[0]
    return {
        "Content-Type": "text/plain",
        "WebHook-Request-Origin": "wps.example",
        "ce-type": "azure.webpubsub.user.message",
        "ce-signature": f"sha256={hmac.new(access_key.encode(), b'c1', sha256).hexdigest()}",
        "ce-connectionId": "c1",
        "ce-hub": "chat",
        "ce-eventName": "message",
    }


@pytest.mark.parametrize(
    ("given", "status"),
    [(SYSTEM, 200), (MASTER, 200), (OTHER, 401), (SHARED, 401), (OWN, 401), ("nonsense", 401), ("", 401)],
)
async def test_the_webhook_takes_its_own_key_or_the_master_key(
    client: AsgiClient, connection_string: str, given: str, status: int
) -> None:
    headers = event(connection_string)
    url = f"{WEBHOOK}?code={quote(given)}"
    answer = await client.request("POST", url, headers, b"hi")
    assert (answer.status, answer.text) == (status, "heard" if status == 200 else "")
    assert (await client.request("POST", WEBHOOK, headers | {"X-Functions-Key": given})).status == status
    assert (await client.request("OPTIONS", url, headers)).status == status
    assert (await client.request("OPTIONS", WEBHOOK, headers)).status == 401


async def test_a_key_does_not_take_the_place_of_the_signature(
    client: AsgiClient, connection_string: str
) -> None:
    forged = event(connection_string) | {"ce-signature": "sha256=00"}
    assert (await client.request("POST", f"{WEBHOOK}?code={SYSTEM}", forged)).status == 401


async def test_a_refused_event_is_traced_without_the_key_it_came_with(
    client: AsgiClient, connection_string: str, events: list[TraceEvent]
) -> None:
    events.clear()
    await client.request("POST", f"{WEBHOOK}?code=almost", event(connection_string))
    (told,) = events
    assert (told.name, told.phase, told.detail) == ("event", Phase.FAILED, {"status": 401})
    assert "webpubsub_extension" in str(told.error)
    assert "almost" not in str(told)


async def test_the_door_without_asgi_asks_for_the_key_too(client: AsgiClient, connection_string: str) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in event(connection_string).items()]
    webhook = client.app.webhook  # type: ignore[attr-defined]
    assert webhook.open("POST", WEBHOOK.encode(), headers) == HttpAnswer(401)
    handler = webhook.open("POST", f"{WEBHOOK}?code={SYSTEM}".encode(), headers)
    assert (await handler(b"hi")).status == 200


async def test_before_the_keys_are_read_nothing_is_open(load_app: Load) -> None:
    host = load_app(APP, auth=True, storage=stored())
    client = AsgiClient(host)
    for path in ("/api/usual", "/api/admins", WEBHOOK, "/admin/host/status"):
        assert (await client.request("GET", f"{path}?code={MASTER}")).status == 401
        assert (await client.request("GET", f"{path}?code=")).status == 401


async def test_a_host_whose_keys_cannot_be_used_does_not_start(load_app: Load) -> None:
    storage = MemoryStorage()
    path = ("azure-webjobs-secrets", f"{HOST_ID}/host.json")
    storage.blobs[path] = json.dumps({"masterKey": key("master", "x") | {"encrypted": True}}).encode()
    host = load_app(APP, {"AzureFunctionsWebHost__hostid": HOST_ID}, auth=True, storage=storage)
    with pytest.raises(ConfigurationError, match="key 'master' is encrypted"):
        await host.start()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await host({"type": "lifespan"}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "key 'master' is encrypted" in sent[0]["message"]


@pytest.mark.parametrize("error", [StorageError("the storage is away"), asyncio.CancelledError()])
async def test_a_host_that_has_not_read_its_keys_leaves_no_connection_open(
    load_app: Load, error: BaseException
) -> None:
    class Away(MemoryStorage):
        is_open = False

        async def read(self, container: str, name: str) -> bytes | None:
            self.is_open = True
            raise error

        async def close(self) -> None:
            self.is_open = False

    storage = Away()
    with pytest.raises(type(error)):
        await load_app(APP, storage=storage, auth=True).start()
    assert not storage.is_open


async def test_the_codes_open_what_they_are_for(client: AsgiClient, connection_string: str) -> None:
    access = client.app.access  # type: ignore[attr-defined]
    codes = {name: access.code(name) for name in ("open_", "usual", "neighbour", "admins")}
    assert codes == {"open_": None, "usual": OWN, "neighbour": OTHER, "admins": MASTER}
    assert (access.webhook_code, access.master) == (SYSTEM, MASTER)


@pytest.mark.parametrize("level", ["system", "", 7])
def test_an_unknown_level_is_told(write_app: Callable[..., Path], level: object) -> None:
    trigger = {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": level}
    files = {
        "f/function__json": json.dumps({"scriptFile": "f.py", "bindings": [trigger]}),
        "f/f__py": "def main(req): ...",
    }
    host = FunctionHost(HostSettings.load(write_app(**files), {}))
    (problem,) = host.problems
    assert f"'authLevel' is {level!r}: expected 'anonymous', 'function' or 'admin'" in str(problem)


# --- disabled functions -------------------------------------------------------------------------------

DISABLED = {"AzureWebJobs.usual.Disabled": "true", "AzureWebJobs.open_.Disabled": "1"}


async def test_a_disabled_function_is_there_for_administrators_only(run_app: Run) -> None:
    environ = DISABLED | {"AzureFunctionsWebHost__hostid": HOST_ID}
    client = await run_app(APP, environ, auth=True, storage=stored())
    for path, given, status in [
        ("/api/open", "", 404),
        ("/api/open", MASTER, 200),
        ("/api/usual", "", 401),
        ("/api/usual", OWN, 404),
        ("/api/usual", SHARED, 404),
        ("/api/usual", MASTER, 200),
        ("/api/neighbour", OTHER, 200),
    ]:
        assert (await client.request("GET", path, {"x-functions-key": given})).status == status
    assert [listing.name for listing in client.app.functions] == ["neighbour", "admins", "message"]


async def test_without_auth_a_disabled_function_is_not_there(run_app: Run) -> None:
    client = await run_app(APP, DISABLED)
    assert (await client.request("GET", f"/api/open?code={MASTER}")).status == 404
    assert (await client.request("GET", "/api/usual")).status == 404
    assert (await client.request("GET", "/api/neighbour")).status == 200


async def test_an_enabled_function_takes_the_place_of_a_disabled_one(run_app: Run) -> None:
    source = APP + '\n@app.route(route="usual")\ndef usual2(req): return "instead"\n'
    client = await run_app(source, DISABLED)
    assert (await client.request("GET", "/api/usual")).text == "instead"


async def test_a_disabled_function_may_lack_what_it_needs(load_app: Load) -> None:
    source = APP.replace('hub="chat"', 'hub="%NotThere%"')
    host = load_app(source, {"AzureWebJobs.message.Disabled": "true"})
    assert host.problems == ()
