"""``webpubsub start --auth``: the keys of functions, /admin and the webhook, with real peers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kit.contract_clients import client_url, hear

pytestmark = pytest.mark.contract

APP = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()

@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
def open_(req: func.HttpRequest) -> str:
    return "open"

@app.route(route="usual", methods=["GET"])
def usual(req: func.HttpRequest) -> str:
    return "usual"

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
def message(request: wps.UserEventRequest) -> str:
    return f"echo {request.data}"
"""


@pytest.fixture(params=[("--auth",), ("--auth", "--reload"), ("--auth", "--in-process")], ids=" ".join)
def command(request: pytest.FixtureRequest, tmp_path: Path, run_command: Callable[..., Any]) -> Iterator[Any]:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    with run_command("start", str(app), "--port", "0", "--service-port", "0", *request.param) as running:
        yield running


def base_of(command: Any) -> str:
    found = re.search(r"(http://\S+)/api/open\n", command.output)
    assert found is not None, command.output
    return found.group(1)


def url_with_code(command: Any, name: str) -> str:
    found = re.search(rf"(http://\S+/api/{name}\?code=\S+)", command.output)
    assert found is not None, command.output
    return found.group(1)


def master_of(command: Any) -> dict[str, str]:
    found = re.search(r"^Master key: (\S+)$", command.output, re.MULTILINE)
    assert found is not None, command.output
    return {"x-functions-key": found.group(1)}


async def status_of(method: str, url: str, **more: Any) -> int:
    async with aiohttp.ClientSession() as session, session.request(method, url, **more) as answer:
        return answer.status


async def echoed(command: Any, text: str) -> str | bytes:
    async with connect(client_url(command.connection_string, "chat", "alice")) as client:
        await client.send(text)
        (heard,) = await hear(client)
        return heard


async def test_the_embedded_service_has_the_key_and_nobody_else(command: Any) -> None:
    assert await echoed(command, "one") == "echo one"
    webhook = f"{base_of(command)}/runtime/webhooks/webpubsub"
    forged = {
        "Content-Type": "text/plain",
        "WebHook-Request-Origin": "localhost",
        "ce-type": "azure.webpubsub.user.message",
        "ce-connectionId": "c1",
        "ce-hub": "chat",
        "ce-eventName": "message",
    }
    assert await status_of("POST", webhook, headers=forged, data=b"forged") == 401
    assert await status_of("POST", f"{webhook}?code=guessed", headers=forged, data=b"forged") == 401
    assert await status_of("OPTIONS", webhook, headers=forged) == 401
    assert await echoed(command, "two") == "echo two"


async def test_functions_and_admin_endpoints_ask_for_keys(command: Any) -> None:
    base, usual = base_of(command), url_with_code(command, "usual")
    bare, _, code = usual.partition("?code=")
    assert await status_of("GET", f"{base}/api/open") == 200
    assert await status_of("GET", usual) == 200
    assert await status_of("GET", bare) == 401
    assert await status_of("GET", bare, headers={"x-functions-key": code}) == 200
    assert await status_of("GET", f"{base}/admin/host/ping") == 200
    assert await status_of("GET", f"{base}/admin/host/status") == 401
    assert await status_of("GET", f"{base}/admin/host/status", headers=master_of(command)) == 200
    output = command.output.partition("Ready\n")[2]
    assert code not in output
    assert master_of(command)["x-functions-key"] not in output


async def test_the_embedded_service_follows_when_the_key_changes(command: Any) -> None:
    assert await echoed(command, "before") == "echo before"
    url = f"{base_of(command)}/admin/host/systemkeys/webpubsub_extension"
    assert await status_of("POST", url, headers=master_of(command)) == 200
    # With --reload the service hears of it after the caller does.
    async with asyncio.timeout(10):
        while True:
            try:
                assert await echoed(command, "after") == "echo after"
                return
            except ConnectionClosed:
                continue


async def test_the_next_start_has_the_same_keys(tmp_path: Path, run_command: Callable[..., Any]) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    seen = []
    for _ in range(2):
        with run_command("start", str(app), "--port", "0", "--service-port", "0", "--auth") as running:
            seen.append((url_with_code(running, "usual").partition("?")[2], master_of(running)))
    assert seen[0] == seen[1]
    private = list((app / ".webpubsub").rglob("*.json"))
    assert sorted(path.name for path in private) == ["host.json", "usual.json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


async def test_a_changed_app_keeps_its_keys(tmp_path: Path, run_command: Callable[..., Any]) -> None:
    app = tmp_path / "app"
    app.mkdir()
    file = app / "function_app.py"
    file.write_text(APP)
    arguments = ("start", str(app), "--port", "0", "--service-port", "0", "--auth", "--reload")
    with run_command(*arguments) as running:
        usual = url_with_code(running, "usual")
        assert await echoed(running, "one") == "echo one"
        await asyncio.sleep(1)  # keys were written; a start anew for that would show now
        assert running.output.splitlines().count("Ready") == 1
        file.write_text(APP.replace("echo", "changed"))
        async with asyncio.timeout(20):
            while running.output.splitlines().count("Ready") < 2:  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.05)
        assert await echoed(running, "two") == "changed two"
        assert await status_of("GET", usual) == 200
