"""What is told when functions that block hold all threads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from kit.virtual_time import VirtualTime
from webpubsub.model.trace import Phase, TraceEvent

APP = """
import threading
import azure.functions as func
app = func.FunctionApp(http_auth_level="ANONYMOUS")
gate = threading.Event()
began = threading.Semaphore(0)

@app.route(route="slow")
def slow(req: func.HttpRequest) -> str:
    began.release()
    gate.wait(30)
    return "slow"

@app.route(route="quick")
def quick(req: func.HttpRequest, context: func.Context) -> str:
    return "quick"
"""


async def test_the_log_names_the_functions_that_hold_the_threads(
    run_app: Callable[..., Any], events: list[TraceEvent]
) -> None:
    client = await run_app(APP, {"PYTHON_THREADPOOL_THREAD_COUNT": "64"})
    module = sys.modules["function_app"]
    calls = [asyncio.create_task(client.request("GET", "/api/slow")) for _ in range(64)]
    for _ in calls:
        assert await asyncio.to_thread(module.began.acquire, timeout=10)
    time = VirtualTime()
    calls.append(asyncio.create_task(client.request("GET", "/api/quick")))
    await time.go_on(0)
    await time.go_on(5)
    found = [event for event in events if event.name == "process"]
    module.gate.set()
    assert {(await call).status for call in calls} == {200}
    assert [(event.phase, event.detail["message"]) for event in found] == [
        (
            Phase.FAILED,
            "calls of functions that are not async wait for a thread: 1, the first for 5 seconds. All 64 are "
            "held, by 'slow' 64. Make functions that wait 'async def', or set PYTHON_THREADPOOL_THREAD_COUNT "
            "to more than 64",
        )
    ]
