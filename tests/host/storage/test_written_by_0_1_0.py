"""What version 0.1.0 left in an app's folder is what a newer host goes on with."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from kit.asgi_client import AsgiClient

Run = Callable[..., Any]

HELLO = "yqCrhS6bQBjQBPdKz7sDQJcfzg8zSUXeVKaHhvF_xVnkAzFuw1X7nA=="
MASTER = "f29p2H5mlEnD_B_unVB5Rlnk-lqxCSdqDg9I3EUgMz07AzFu-A3UyQ=="
SHARED = "NqB6_jQzwIXXjwQEcfqvOG7-FB-E3Pv81R2gGne0YdpsAzFulxGqGA=="
WEBHOOK = "UGm5nbzSj2JgZxt5u5oMc3avZRPpbjCtXQxosJ5KE54zAzFu0BcL0g=="

# The folder after a run, byte for byte.
KEPT = {
    ".webpubsub/.gitignore": "*\n",
    ".webpubsub/azure-webjobs-secrets/chat/host.json": """{
  "masterKey": {
    "name": "master",
    "value": "f29p2H5mlEnD_B_unVB5Rlnk-lqxCSdqDg9I3EUgMz07AzFu-A3UyQ==",
    "encrypted": false
  },
  "functionKeys": [
    {
      "name": "default",
      "value": "NqB6_jQzwIXXjwQEcfqvOG7-FB-E3Pv81R2gGne0YdpsAzFulxGqGA==",
      "encrypted": false
    }
  ],
  "systemKeys": [
    {
      "name": "webpubsub_extension",
      "value": "UGm5nbzSj2JgZxt5u5oMc3avZRPpbjCtXQxosJ5KE54zAzFu0BcL0g==",
      "encrypted": false
    }
  ]
}""",
    ".webpubsub/azure-webjobs-secrets/chat/hello.json": """{
  "keys": [
    {
      "name": "default",
      "value": "yqCrhS6bQBjQBPdKz7sDQJcfzg8zSUXeVKaHhvF_xVnkAzFuw1X7nA==",
      "encrypted": false
    }
  ]
}""",
    ".webpubsub/azure-webjobs-hosts/timers/chat/Host.Functions.tick/status": (
        '{"Last":"2026-11-29T08:49:00.000075+00:00","Next":"2026-11-29T08:50:00+00:00",'
        '"LastUpdated":"2026-11-29T08:49:00.000075+00:00"}'
    ),
    ".webpubsub/azure-webjobs-hosts/locks/chat/Host.Functions.tick.Listener": "",
}

APP = """
import azure.functions as func
app = func.FunctionApp()
runs = []

@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def tick(timer: func.TimerRequest) -> None:
    runs.append(timer)

@app.route(route="hello", auth_level=func.AuthLevel.FUNCTION)
def hello(req: func.HttpRequest) -> str:
    return "hi"

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
def message(request): ...
"""


@pytest.fixture
def slept() -> asyncio.Queue[float]:
    """For how long the host has begun to sleep; it never wakes."""
    return asyncio.Queue()


@pytest.fixture
def start(run_app: Run, connection_string: str, slept: asyncio.Queue[float]) -> Run:
    """Start the app at a time of the 29th of November, over what was kept."""

    async def sleep(seconds: float) -> None:
        slept.put_nowait(seconds)
        await asyncio.get_running_loop().create_future()

    async def at(time: str) -> AsgiClient:
        moment = datetime.fromisoformat(f"2026-11-29T{time}+00:00").timestamp()
        environ = {"AzureFunctionsWebHost__hostid": "chat", "WebPubSubConnectionString": connection_string}
        given = {"files": KEPT, "auth": True, "clock": lambda: moment, "sleep": sleep}
        client: AsgiClient = await run_app(APP, environ, **given)
        return client

    return at


async def test_its_keys_open_what_they_opened(start: Run, tmp_path: Path) -> None:
    client = await start("08:49:30")
    for key, status in ((HELLO, 200), (SHARED, 200), (MASTER, 200), (WEBHOOK, 401), (HELLO[:-3], 401)):
        assert (await client.request("GET", "/api/hello", {"x-functions-key": key})).status == status
    asking = {"WebHook-Request-Origin": "wps.example"}
    for key, status in ((WEBHOOK, 200), (MASTER, 200), (HELLO, 401)):
        url = f"/runtime/webhooks/webpubsub?code={quote(key)}"
        assert (await client.request("OPTIONS", url, asking)).status == status
    for name in (name for name in KEPT if "secrets" in name):
        assert (tmp_path / name).read_text() == KEPT[name]


@pytest.mark.parametrize(
    ("time", "seconds_left", "missed"),
    [("08:49:40", 20, []), ("08:50:20", 40, ["2026-11-29T08:49:00.000075+00:00"])],
)
async def test_its_timers_go_on(
    start: Run, slept: asyncio.Queue[float], time: str, seconds_left: float, missed: list[str]
) -> None:
    await start(time)
    async with asyncio.timeout(20):
        while await slept.get() != seconds_left:  # until the next minute; other sleeps are of the lease
            pass
    runs = sys.modules["function_app"].runs
    assert [(run.past_due, run.schedule_status["Last"]) for run in runs] == [(True, last) for last in missed]
