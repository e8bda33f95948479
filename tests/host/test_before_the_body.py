"""What the host refuses by a request's head, without asking the server for the body once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kit.asgi_client import AsgiClient
from webpubsub.host.storage.memory import MemoryStorage

Run = Callable[..., Any]

WEBHOOK = "/runtime/webhooks/webpubsub"
MASTER, SYSTEM, OWN = "master-key", "system-key", "own-key"
LARGE = {"Content-Length": "104857601"}
REFUSED_LENGTH = "The request body is larger than 100 MiB."

APP = """
import asyncio
import azure.functions as func
app = func.FunctionApp()
go = asyncio.Event()

@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
async def open_(req): return req.get_body().decode()

@app.route(route="guarded", methods=["POST"])
async def guarded(req): return req.get_body().decode()

@app.route(route="off", auth_level=func.AuthLevel.ANONYMOUS)
async def off(req): return "off"

@app.route(route="slow", auth_level=func.AuthLevel.ANONYMOUS)
async def slow(req):
    await go.wait()
    return "slow"

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
async def message(request): return "heard"
"""
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-type": "azure.webpubsub.user.message",
    "ce-signature": "sha256=00",  # right where no connection is configured, wrong where one is
    "ce-connectionId": "c1",
    "ce-hub": "chat",
    "ce-eventName": "message",
}


def key(name: str, value: str) -> dict[str, object]:
    return {"name": name, "value": value, "encrypted": False}


def stored() -> MemoryStorage:
    storage = MemoryStorage()
    files: dict[str, object] = {
        "host": {
            "masterKey": key("master", MASTER),
            "functionKeys": [],
            "systemKeys": [key("webpubsub_extension", SYSTEM)],
        },
        "guarded": {"keys": [key("default", OWN)]},
    }
    for name, content in files.items():
        storage.blobs["azure-webjobs-secrets", f"my-host/{name}.json"] = json.dumps(content).encode()
    return storage


@pytest.fixture
async def client(run_app: Run) -> AsgiClient:
    found: AsgiClient = await run_app(
        APP,
        {"AzureFunctionsWebHost__hostid": "my-host", "AzureWebJobs.off.Disabled": "true"},
        files={
            "host__json": '{"version": "2.0", "extensions": {"http": {'
            '"maxOutstandingRequests": 1, "customHeaders": {"X-Frame-Options": "DENY"}}}}',
            "local__settings__json": '{"Host": {"CORS": "http://a.example"}}',
        },
        auth=True,
        storage=stored(),
    )
    return found


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("POST", "/api/nothing", {}, 404),
        ("POST", "/", {}, 404),
        ("GET", "/", {}, 200),
        ("PUT", f"/api/guarded?code={OWN}", {}, 404),
        ("POST", "/api/guarded", {}, 401),
        ("POST", "/api/guarded?code=nonsense", {}, 401),
        ("POST", "/api/guarded", LARGE, 401),
        ("POST", f"/api/guarded?code={OWN}", LARGE, 413),
        ("POST", "/api/off", {}, 404),
        ("POST", "/api/open", LARGE, 413),
        ("POST", "/api/open", {"Content-Length": "9" * 5000}, 413),
        ("OPTIONS", "/api/open", {"Origin": "http://a.example", "Access-Control-Request-Method": "PUT"}, 204),
        ("POST", "/admin/nothing", {}, 404),
        ("POST", "/admin/functions/guarded", {}, 401),
        ("POST", f"/admin/functions/guarded?code={OWN}", {}, 401),
        ("POST", "/admin/functions/guarded", LARGE, 401),
        ("PUT", f"/admin/functions/guarded?code={MASTER}", {}, 405),
        ("POST", f"/admin/functions/guarded?code={MASTER}", LARGE, 413),
        ("POST", WEBHOOK, EVENT, 401),
        ("POST", f"{WEBHOOK}?code=nonsense", EVENT, 401),
        ("OPTIONS", WEBHOOK, EVENT, 401),
        ("PATCH", f"{WEBHOOK}?code={SYSTEM}", EVENT, 404),
        ("OPTIONS", f"{WEBHOOK}?code={SYSTEM}", EVENT, 200),
        ("POST", f"{WEBHOOK}?code={SYSTEM}", {}, 400),
        ("PUT", f"{WEBHOOK}?code={SYSTEM}", EVENT, 400),
        ("POST", f"{WEBHOOK}?code={SYSTEM}", EVENT | {"ce-hub": "other"}, 404),
        ("POST", f"{WEBHOOK}?code={SYSTEM}", EVENT | LARGE, 413),
    ],
)
async def test_what_the_head_decides_waits_for_no_body(
    client: AsgiClient, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    answer = await client.request(method, target, headers, b"body")
    assert (answer.status, client.received) == (status, 0)
    if status == 413:
        assert answer.text == REFUSED_LENGTH


async def test_a_web_page_of_another_site_is_refused_by_its_head(run_app: Run) -> None:
    """Where nobody is asked for a key, a page could else run the developer's functions."""
    client = await run_app(APP)
    headers = {"Host": "localhost:7071", "Origin": "http://evil.example", "Content-Type": "application/json"}
    answer = await client.request("POST", "/admin/functions/guarded", headers, b"{}")
    assert (answer.status, client.received) == (403, 0)


async def test_a_signature_is_looked_at_before_the_body(run_app: Run, connection_string: str) -> None:
    client = await run_app(APP, {"WebPubSubConnectionString": connection_string})
    answer = await client.request("POST", WEBHOOK, EVENT, b"body")
    assert (answer.status, client.received) == (401, 0)


@pytest.mark.parametrize(
    ("target", "headers", "text"),
    [
        ("/api/open", {}, "body"),
        (f"/api/guarded?code={OWN}", {"Content-Length": "104857600"}, "body"),
        (f"{WEBHOOK}?code={SYSTEM}", EVENT, "heard"),
    ],
)
async def test_the_body_is_read_once_somebody_wants_it(
    client: AsgiClient, target: str, headers: dict[str, str], text: str
) -> None:
    answer = await client.request("POST", target, headers, b"body")
    assert (answer.status, answer.text, client.received) == (200, text, 1)


async def test_one_request_too_many_is_refused_by_its_head(client: AsgiClient) -> None:
    slow = asyncio.create_task(client.request("POST", "/api/slow"))
    await asyncio.sleep(0)
    client.received = 0
    answer = await client.request("POST", "/api/open", body=b"body")
    assert (answer.status, client.received) == (429, 0)
    assert (await client.request("POST", "/api/guarded", body=b"body")).status == 401
    sys.modules["function_app"].go.set()
    assert (await slow).text == "slow"


async def test_who_comes_to_be_one_too_many_while_its_body_comes_is_refused_too(client: AsgiClient) -> None:
    whole = asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        async def receive_late() -> Any:
            await whole.wait()
            return await receive()

        await client.app(scope, receive_late, send)

    waiting = asyncio.create_task(AsgiClient(late).request("POST", "/api/open", body=b"body"))
    await asyncio.sleep(0)
    slow = asyncio.create_task(client.request("POST", "/api/slow"))
    await asyncio.sleep(0)
    whole.set()
    assert (await waiting).status == 429
    sys.modules["function_app"].go.set()
    assert (await slow).text == "slow"


@pytest.mark.parametrize(
    ("target", "headers", "status", "is_marked"),
    [
        ("/api/nothing", {}, 404, True),
        ("/api/guarded", {}, 401, True),
        ("/api/off", {}, 404, True),
        ("/api/open", LARGE, 413, False),
        ("/admin/host/status", {}, 401, False),
        (WEBHOOK, {}, 401, False),
    ],
)
async def test_refusals_have_the_headers_that_they_had_behind_the_body(
    client: AsgiClient, target: str, headers: dict[str, str], status: int, is_marked: bool
) -> None:
    answer = await client.request("POST", target, headers | {"Origin": "http://a.example"}, b"body")
    assert answer.status == status
    assert answer.header("x-frame-options") == ("DENY" if is_marked else None)
    assert answer.header("access-control-allow-origin") == ("http://a.example" if is_marked else None)
