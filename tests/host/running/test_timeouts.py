"""``functionTimeout``: what happens to functions that take too long."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from kit.asgi_client import AsgiClient
from kit.spec_app import USER, WEBHOOK
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.host.function import Invocation
from webpubsub.host.running.invoker import Deadlines
from webpubsub.model.errors import FunctionTimeout
from webpubsub.model.trace import Phase, Trace, TraceEvent


class Call:
    """Stands for an invocation: deadlines ask for no more than this."""

    def __init__(self, name: str = "f", *, is_async: bool = True) -> None:
        self.id = f"id-{name}"
        self.function = self
        self.definition = self
        self.name = name
        self.is_async = is_async


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def run(deadlines: Deadlines, call: Call, body: Callable[[], Any]) -> Any:
    """Run ``body`` as the invoker runs a function."""
    invocation = cast(Invocation, call)
    deadlines.running[invocation] = (deadlines.clock(), asyncio.current_task())
    try:
        return await body()
    finally:
        if deadlines.running.pop(invocation, None) is None or deadlines.awaited is not None:
            deadlines.left(invocation)


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def start(
    deadlines: Deadlines, call: Call, body: Callable[[], Any] = wait_for_ever
) -> asyncio.Task[Any]:
    task = asyncio.create_task(run(deadlines, call, body))
    await asyncio.sleep(0)
    return task


async def test_the_first_to_start_is_the_first_to_be_late(clock: Clock) -> None:
    deadlines = Deadlines(10, clock=clock)
    first = await start(deadlines, Call("a"))
    clock.now = 4
    second = await start(deadlines, Call("b"))
    assert deadlines.sweep() == 6
    clock.now = 9.5
    assert deadlines.sweep() == 0.5
    clock.now = 10
    assert deadlines.sweep() == 4
    with pytest.raises(FunctionTimeout):
        await first
    assert not second.done()
    clock.now = 20
    assert deadlines.sweep() == 10
    with pytest.raises(FunctionTimeout):
        await second


@pytest.mark.parametrize(
    ("is_async", "consequence"),
    [
        (True, "It was cancelled."),
        (False, "It runs in a thread, which cannot be stopped: it goes on, and nobody waits for it."),
    ],
)
async def test_what_is_told(clock: Clock, is_async: bool, consequence: str) -> None:
    deadlines = Deadlines(300, clock=clock)
    task = await start(deadlines, Call("slow", is_async=is_async))
    clock.now = 300
    deadlines.sweep()
    with pytest.raises(FunctionTimeout) as caught:
        await task
    assert str(caught.value) == (
        f"Timeout value of 00:05:00 exceeded by function 'slow' (Id: 'id-slow'). {consequence}"
    )


async def returns_anyway() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "late"
    raise AssertionError("nobody sets the event")


async def raises_instead() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise LookupError("cleaning up failed")


@pytest.mark.parametrize("body", [returns_anyway, raises_instead])
async def test_what_a_late_function_does_in_the_end_does_not_count(clock: Clock, body: Any) -> None:
    deadlines = Deadlines(10, clock=clock)
    task = await start(deadlines, Call(), body)
    clock.now = 10
    deadlines.sweep()
    with pytest.raises(FunctionTimeout):
        await task


async def test_the_task_of_a_late_function_goes_on(clock: Clock) -> None:
    """A timer's task runs its function again."""
    deadlines = Deadlines(10, clock=clock)

    async def twice() -> str:
        with pytest.raises(FunctionTimeout):
            await run(deadlines, Call(), wait_for_ever)
        await asyncio.sleep(0)
        return "goes on"

    task = asyncio.create_task(twice())
    await asyncio.sleep(0)
    clock.now = 10
    deadlines.sweep()
    assert await task == "goes on"
    assert task.cancelling() == 0


async def test_whoever_else_cancels_is_heard(clock: Clock) -> None:
    deadlines = Deadlines(10, clock=clock)
    task = await start(deadlines, Call())
    clock.now = 10
    task.cancel()
    deadlines.sweep()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nobody_waits_for_what_was_given_up(clock: Clock) -> None:
    deadlines = Deadlines(10, clock=clock)
    task = await start(deadlines, Call())
    waiting = asyncio.create_task(deadlines.idle(60))
    await asyncio.sleep(0)
    clock.now = 10
    deadlines.sweep()
    assert await waiting
    with pytest.raises(FunctionTimeout):
        await task


async def test_given_up_is_told_once_a_look(clock: Clock) -> None:
    looks: list[int] = []
    deadlines = Deadlines(10, clock=clock, given_up=lambda: looks.append(1))
    tasks = [await start(deadlines, Call(name)) for name in "abc"]
    deadlines.sweep()
    assert looks == []
    clock.now = 10
    deadlines.sweep()
    assert looks == [1]
    assert await asyncio.gather(*tasks, return_exceptions=True) != []


# --- in the host --------------------------------------------------------------------------------------

APP = """
import asyncio, threading
import azure.functions as func
app = func.FunctionApp()
release = threading.Event()
ended = threading.Event()

@app.route(route="loop")
async def loop(req):
    await asyncio.Event().wait()

@app.route(route="sync")
def sync(req):
    release.wait(20)
    ended.set()
    return "late"

@app.route(route="quick")
def quick(req):
    return "quick"

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message")
async def message(request):
    await asyncio.Event().wait()
"""


@pytest.fixture
async def hurried(
    write_app: Callable[..., Path], connection_string: str, events: list[TraceEvent]
) -> AsyncIterator[FunctionHost]:
    """A host that gives functions no time to speak of, and has one thread."""
    environ = {"WebPubSubConnectionString": connection_string, "PYTHON_THREADPOOL_THREAD_COUNT": "1"}
    settings = HostSettings.load(write_app(APP), environ)
    host = FunctionHost(msgspec.structs.replace(settings, function_timeout=0.05), trace=Trace(events.append))
    assert host.problems == ()
    await host.start()
    yield host
    sys.modules["function_app"].release.set()
    await host.stop(5)


@pytest.mark.parametrize("path", ["/api/loop", "/api/sync"])
async def test_an_http_caller_is_answered(hurried: FunctionHost, events: list[TraceEvent], path: str) -> None:
    answer = await AsgiClient(hurried).request("GET", path)
    assert (answer.status, answer.text) == (500, "The function failed.")
    assert (events[-1].name, events[-1].phase) == ("function", Phase.FAILED)
    assert isinstance(events[-1].error, FunctionTimeout)
    assert events[-1].error.goes_on is (path == "/api/sync")


async def test_the_service_is_answered(hurried: FunctionHost, events: list[TraceEvent]) -> None:
    answer = await AsgiClient(hurried).request("POST", WEBHOOK, USER, b"hi")
    assert (answer.status, answer.text) == (500, "The function failed.")
    assert isinstance(events[-1].error, FunctionTimeout)


async def test_another_thread_takes_the_place_of_a_lost_one(hurried: FunctionHost) -> None:
    client = AsgiClient(hurried)
    late = await asyncio.gather(*(client.request("GET", "/api/sync") for _ in range(3)))
    assert [answer.status for answer in late] == [500] * 3
    assert (await client.request("GET", "/api/quick")).text == "quick"


async def test_stopping_does_not_wait_for_what_was_given_up(hurried: FunctionHost) -> None:
    await AsgiClient(hurried).request("GET", "/api/sync")
    await asyncio.wait_for(hurried.stop(60), 5)
