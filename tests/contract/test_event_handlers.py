"""Event handlers as people write them: Microsoft's middleware for express, and a Flask app."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from kit.contract_clients import client_url, get_json, hear_json, json_client
from kit.needs import Need, missing
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY

pytestmark = pytest.mark.contract

FOLDER = Path(__file__).parent
SECONDS = 20
Run = Callable[..., AbstractContextManager[Any]]


class App:
    """An event handler that runs."""

    def __init__(self, port: int, path: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.template = f"{self.url}{path}"

    async def told(self, count: int) -> Any:
        """What it was told, once that is so much."""
        deadline = time.monotonic() + SECONDS
        while len(found := await get_json(f"{self.url}/told")) < count:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)
        return found


@contextmanager
def started(arguments: list[str], folder: Path, path: str) -> Iterator[App]:
    printed = folder / "handler"
    with printed.open("wb") as stream:
        process = subprocess.Popen(arguments, stdout=stream, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(r"listening on (\d+)\n", printed.read_text())):
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            time.sleep(0.02)
        yield App(int(found[1]), path)
    finally:
        process.terminate()
        process.wait(SECONDS)


def express(need: Need, folder: Path, *allowed_endpoints: str) -> AbstractContextManager[App]:
    node = need("node", install="apt-get install nodejs npm")
    if not (FOLDER / "node/node_modules/@azure/web-pubsub-express").exists():
        missing("@azure/web-pubsub-express", "scripts/node")
    return started([node, str(FOLDER / "node/event_handler.js"), *allowed_endpoints], folder, "/api/chat")


def flask(folder: Path) -> AbstractContextManager[App]:
    program = str(FOLDER / "flask_event_handler.py")
    return started([sys.executable, program, DEFAULT_ACCESS_KEY], folder, "/api/{hub}/{event}")


@pytest.fixture(params=["express", "flask"])
def app(request: pytest.FixtureRequest, need: Need, tmp_path: Path) -> Iterator[App]:
    with express(need, tmp_path) if request.param == "express" else flask(tmp_path) as found:
        yield found


def write_settings(folder: Path, template: str, **top: Any) -> Path:
    """Write a settings file as an operator would."""
    handler = {
        "urlTemplate": template,
        "userEventPattern": "*",
        "systemEvents": ["connect", "connected", "disconnected"],
    }
    path = folder / "service.json"
    path.write_text(json.dumps({"hubs": {"chat": {"eventHandlers": [handler]}}, **top}))
    return path


def url(service: Any, user: str) -> str:
    return f"{client_url(service.connection_string, 'chat', user)}&q=1"


async def ask(client: ClientConnection, event: str, data: Any, data_type: str) -> list[Any]:
    """Raise an event and return what comes back, the ack last."""
    message = {"type": "event", "event": event, "dataType": data_type, "data": data, "ackId": id(client)}
    await client.send(json.dumps(message | {"ackId": time.monotonic_ns()}))
    answers = [await hear_json(client)]
    while answers[-1]["type"] != "ack":
        answers.append(await hear_json(client))
    return answers


@pytest.mark.feature("system events")
@pytest.mark.feature("cookies")
@pytest.mark.feature("signatures")
async def test_a_chat_with_its_event_handler(run_command: Run, tmp_path: Path, app: App) -> None:
    settings = write_settings(tmp_path, app.template)
    with run_command("service", "--port", "0", "--settings", str(settings)) as service:
        with pytest.raises(InvalidStatus) as refused:
            async with json_client(url(service, "attacker")):
                pass
        assert refused.value.response.status_code == 401
        async with (
            json_client(url(service, "alice")) as (alice, _),
            json_client(url(service, "bob")) as (bob, _),
        ):
            reply, ack = await ask(alice, "greet", "hello", "text")
            assert reply == {"type": "message", "from": "server", "dataType": "text", "data": "1: hello"}
            assert ack["success"]
            reply, ack = await ask(alice, "greet", {"a": [1]}, "json")
            assert (reply["dataType"], reply["data"]) == ("json", {"count": 2, "data": {"a": [1]}})
            # Each connection has states and cookies of its own.
            reply, ack = await ask(bob, "greet", "hi", "text")
            assert reply["data"] == "1: hi"
            [ack] = await ask(bob, "fails", "", "text")
            assert (ack["success"], ack["error"]["name"]) == (False, "InternalServerError")
            # What failed changed no state, and the connection is still there.
            reply, ack = await ask(bob, "greet", "hi", "text")
            assert reply["data"] == "2: hi"
            # The answer to connect put both into a group and let them send to it.
            await alice.send('{"type":"sendToGroup","group":"all","dataType":"text","data":"x"}')
            assert [(await hear_json(client))["data"] for client in (alice, bob)] == ["x", "x"]
        told = await app.told(7)
        assert told[0] == {"event": "connect", "user": "attacker", "query": ["1"]}
        of_alice = [event for event in told if event["user"] == "alice"]
        assert of_alice == [
            {"event": "connect", "user": "alice", "query": ["1"]},
            {"event": "connected", "user": "alice"},
            {"event": "disconnected", "user": "alice", "reason": ""},
        ]


@pytest.mark.feature("validation")
@pytest.mark.parametrize(
    ("allowed", "origin", "status"),
    [
        ([], None, 101),
        (["http://localhost"], None, 101),
        (["http://elsewhere", "http://localhost"], None, 101),
        (["http://elsewhere"], None, 500),
        # The middleware compares hosts with their ports; Azure names itself without one.
        (["http://localhost:8080"], None, 500),
        (["http://localhost:8080"], "localhost:8080", 101),
    ],
)
async def test_whom_microsofts_middleware_takes_events_from(
    need: Need, run_command: Run, tmp_path: Path, allowed: list[str], origin: str | None, status: int
) -> None:
    with express(need, tmp_path, *allowed) as app:
        top = {} if origin is None else {"webhookRequestOrigin": origin}
        settings = write_settings(tmp_path, app.template, **top)
        with run_command("service", "--port", "0", "--settings", str(settings)) as service:
            if status == 101:
                async with json_client(url(service, "alice")) as (client, _):
                    assert len(await ask(client, "greet", "hello", "text")) == 2
            else:
                with pytest.raises(InvalidStatus) as refused:
                    async with json_client(url(service, "alice")):
                        pass
                assert refused.value.response.status_code == status
                assert await app.told(0) == []


@pytest.mark.feature("validation")
async def test_on_start_an_app_that_takes_no_events_from_here_is_told_at_once(
    need: Need, run_command: Run, tmp_path: Path
) -> None:
    with express(need, tmp_path, "http://elsewhere") as app:
        settings = write_settings(tmp_path, app.template, validationMode="onStart")
        with run_command("service", "--port", "0", "--settings", str(settings)) as service:
            await until(service, "validation failed")
            assert f"abuse protection for {app.template} missed 'localhost'" in service.output


@pytest.mark.feature("hot reload")
async def test_an_edit_of_the_settings_file_is_used_while_clients_stay(
    run_command: Run, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    with flask(tmp_path / "a") as app:
        settings = write_settings(tmp_path, "http://127.0.0.1:1/", retryDelaysInSeconds=[])
        settings.write_text(settings.read_text().replace('"connect", ', "").replace('"*"', '"none"'))
        with run_command("service", "--port", "0", "--settings", str(settings)) as service:
            async with json_client(url(service, "alice")) as (client, _):
                [ack] = await ask(client, "greet", "hello", "text")
                assert not ack["success"]
                good = write_settings(tmp_path, app.template).read_text()
                settings.write_text(good.replace('"userEventPattern"', '"userEventPatern"'))
                await until(service, "setting failed")
                assert f"{settings}:1:" in service.output
                assert "unknown field `userEventPatern`" in service.output
                [ack] = await ask(client, "greet", "hello", "text")
                assert not ack["success"]
                settings.write_text(good)
                await until(service, f"setting completed: {settings}: changed: hub chat")
                async with json_client(url(service, "bob")) as (bob, _):
                    reply, _ = await ask(bob, "greet", "hello", "text")
                    assert reply["data"] == "1: hello"


async def until(service: Any, words: str) -> None:
    deadline = time.monotonic() + SECONDS
    while words not in service.output:
        assert time.monotonic() < deadline, service.output
        await asyncio.sleep(0.02)


@pytest.mark.feature("failed events")
async def test_a_failed_event_may_end_the_connection(run_command: Run, tmp_path: Path) -> None:
    with flask(tmp_path) as app:
        settings = write_settings(tmp_path, app.template, failedUserEvent="close")
        with run_command("service", "--port", "0", "--settings", str(settings)) as service:
            async with json_client(url(service, "alice")) as (client, _):
                [ack] = await ask(client, "fails", "", "text")
                assert not ack["success"]
                with pytest.raises(ConnectionClosedError) as closed:
                    await hear_json(client)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1011
