"""``webpubsub start --workers``: one app in several processes on one port, with a service elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from kit.contract_clients import client_url, hear

pytestmark = pytest.mark.contract

APP = """
import asyncio, os
from pathlib import Path
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp()

@app.route(route="pid", auth_level=func.AuthLevel.ANONYMOUS)
async def pid(req: func.HttpRequest) -> str:
    return str(os.getpid())

@app.route(route="guarded")
async def guarded(req: func.HttpRequest) -> str:
    return str(os.getpid())

@app.route(route="slow", auth_level=func.AuthLevel.ANONYMOUS)
async def slow(req: func.HttpRequest) -> str:
    print("slow began", flush=True)
    await asyncio.sleep(1.5)
    return "slow done"

@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def tick(timer: func.TimerRequest) -> None:
    with open(Path(__file__).with_name("ticks"), "a") as ticks:
        ticks.write(f"{os.getpid()}\\n")

@app.web_pubsub_trigger(hub="chat", event_type="system", event_name="connect")
def connect(request: wps.ConnectEventRequest) -> None: ...

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
@app.web_pubsub_output(hub="chat")
def message(request: wps.UserEventRequest, actions: wps.Actions) -> str:
    actions.send_to_all(f"{os.getpid()} heard {request.data}")
    return "ack"
"""

Run = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


def settings_for(app: Path, connection_string: str) -> None:
    values = {"WebPubSubConnectionString": connection_string}
    (app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))


@pytest.fixture
def service(run_command: Run) -> Iterator[Any]:
    with run_command("service", "--port", "0") as command:
        yield command


def start(run_command: Run, app: Path, *more: str) -> AbstractContextManager[Any]:
    return run_command("start", str(app), "--port", "0", "--no-service", "--workers", "2", *more)


async def answered(url: str, **more: Any) -> tuple[int, str]:
    # A connection of its own each: it is connections that are spread.
    async with aiohttp.ClientSession() as session, session.get(url, **more) as answer:
        return answer.status, await answer.text()


async def pids_of(url: str, count: int = 2, **more: Any) -> set[int]:
    """Ask until ``count`` workers have answered."""
    found: set[int] = set()
    async with asyncio.timeout(15):
        while len(found) < count:
            status, text = await answered(url, **more)
            assert status == 200, text
            found.add(int(text))
    return found


async def test_workers_share_a_port_are_replaced_and_run_timers_once(
    app: Path, service: Any, run_command: Run
) -> None:
    settings_for(app, service.connection_string)
    with start(run_command, app) as command:
        assert command.output.splitlines().count("Ready") == 1
        assert command.output.count("Functions:") == 1
        base = command.host_url
        before = await pids_of(f"{base}/api/pid")
        assert command.process.pid not in before

        ticks = app / "ticks"
        async with asyncio.timeout(15):
            while not ticks.exists() or len(ticks.read_text().split()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(set(ticks.read_text().split())) == 1, "one worker runs the timer"

        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        after = before
        async with asyncio.timeout(20):
            while after == before or victim in after:
                after = await pids_of(f"{base}/api/pid")
        assert len(after) == len(before & after) + 1 == 2
        line = rf"worker failed worker=\d pid={victim}: it was ended by SIGKILL, and is started again in 1 s"
        assert re.search(line, command.output), command.output
        async with asyncio.timeout(5):  # it answers before the line about it is written
            while not re.search(r"worker started worker=\d pid=\d+", command.output):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert command.output.splitlines().count("Ready") == 1


async def test_events_and_actions_of_a_service_elsewhere(app: Path, run_command: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    handler = f"chat=http://127.0.0.1:{port}/runtime/webhooks/webpubsub"
    with run_command("service", "--port", "0", "--event-handler", handler) as service:
        settings_for(app, service.connection_string)
        with run_command("start", str(app), "--port", str(port), "--no-service", "--workers", "2"):
            async with connect(client_url(service.connection_string, "chat", "alice")) as client:
                await client.send("hello")
                heard = sorted(map(str, await hear(client, 2)))
                assert re.fullmatch(r"\d+ heard hello", heard[0])
                assert heard[1] == "ack"


async def test_requests_under_way_are_answered_before_the_end(app: Path, run_command: Run) -> None:
    with start(run_command, app) as command:
        asking = [asyncio.create_task(answered(f"{command.host_url}/api/slow")) for _ in range(4)]
        async with asyncio.timeout(10):
            while command.output.count("slow began") < 4:  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.02)
        await asyncio.to_thread(command.stop)
        assert await asyncio.gather(*asking) == [(200, "slow done")] * 4


async def test_a_key_that_changes_in_one_worker_changes_in_all(app: Path, run_command: Run) -> None:
    with start(run_command, app, "--auth") as command:
        base = command.host_url
        (keys,) = (app / ".webpubsub/azure-webjobs-secrets").glob("*/host.json")
        master = json.loads(keys.read_text())["masterKey"]["value"]
        headers = {"x-functions-key": master}
        assert len(await pids_of(f"{base}/api/guarded", headers=headers)) == 2
        new = "a-key-of-our-own-that-is-long-enough-0123456789"
        async with aiohttp.ClientSession(headers=headers) as session:
            url = f"{base}/admin/host/functionkeys/ours"
            async with session.put(url, json={"name": "ours", "value": new}) as answer:
                assert answer.status in (200, 201), await answer.text()
        async with asyncio.timeout(15):
            is_open: set[int] = set()
            while len(is_open) < 2:
                status, text = await answered(f"{base}/api/guarded", headers={"x-functions-key": new})
                if status == 200:
                    is_open.add(int(text))


def test_the_workers_of_a_command_that_was_killed_end_too(app: Path, run_command: Run) -> None:
    with start(run_command, app) as command:
        pids = asyncio.run(pids_of(f"{command.host_url}/api/pid"))
        command.process.kill()
        command.process.wait()
        deadline = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < deadline, "a worker goes on alone"
            time.sleep(0.05)
        command.process.returncode = 0  # it ended as it should
