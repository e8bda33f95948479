"""Running functions: threads, context, trace, shutdown."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from webpubsub.host import FunctionHost
from webpubsub.host.running.invoker import thread_count
from webpubsub.host.settings.environment import Environment
from webpubsub.model.trace import SILENT, Phase, Trace, TraceEvent

Run = Callable[..., Any]

HEAD = """
import threading
import azure.functions as func
app = func.FunctionApp()
seen = {}
"""


def seen() -> dict[str, Any]:
    found: dict[str, Any] = sys.modules["function_app"].seen
    return found


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, min(32, (os.cpu_count() or 1) + 4)),
        ("1", 1),
        ("40", 40),
        ("0", None),
        ("-1", None),
        ("x", None),
        ("", None),
    ],
)
def test_the_number_of_threads_may_be_set(setting: str | None, expected: int | None) -> None:
    values = {} if setting is None else {"PYTHON_THREADPOOL_THREAD_COUNT": setting}
    assert thread_count(Environment(values)) == (expected or min(32, (os.cpu_count() or 1) + 4))


async def test_async_functions_run_on_the_loop_and_others_in_threads(run_app: Run) -> None:
    client = await run_app(
        HEAD
        + """
@app.route(route="sync")
def sync(req):
    seen["sync"] = threading.get_ident()
    return ""

@app.route(route="loop")
async def loop(req):
    seen["async"] = threading.get_ident()
    return ""
"""
    )
    await client.request("GET", "/api/sync")
    await client.request("GET", "/api/loop")
    assert seen()["async"] == threading.get_ident()
    assert seen()["sync"] != threading.get_ident()


async def test_the_context_is_the_workers(run_app: Run, tmp_path: Any) -> None:
    client = await run_app(
        HEAD
        + """
@app.function_name("named")
@app.route(route="x")
def x(req, context: func.Context):
    seen.update(
        id=context.invocation_id, name=context.function_name, directory=context.function_directory,
        parent=context.trace_context.trace_parent, old=context.trace_context.Traceparent,
        state=context.trace_context.trace_state, attributes=context.trace_context.attributes,
        retries=(context.retry_context.retry_count, context.retry_context.max_retry_count),
        exceptions=(context.retry_context.exception, context.retry_context.rpc_exception),
        thread=context.thread_local_storage.invocation_id, storage=context.thread_local_storage,
        is_context=isinstance(context, func.Context),
    )
    return ""
"""
    )
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
    assert (await client.request("GET", "/api/x", headers)).status == 200
    context = seen()
    assert str(UUID(context["id"])) == context["id"] == context["thread"]
    assert (context["name"], context["directory"]) == ("named", str(tmp_path))
    assert context["parent"] == context["old"] == headers["traceparent"]
    assert (context["state"], context["attributes"]) == ("a=b", {})
    assert (context["retries"], context["exceptions"]) == ((0, 0), (None, None))
    assert context["is_context"]
    assert getattr(context["storage"], "invocation_id", None) is None


async def test_an_async_function_gets_the_context_too(run_app: Run) -> None:
    client = await run_app(
        HEAD
        + """
@app.route(route="x")
async def x(req, context):
    return context.function_name + context.trace_context.trace_parent
"""
    )
    assert (await client.request("GET", "/api/x")).text == "x"


async def test_a_parameter_called_context_may_be_a_binding(run_app: Run) -> None:
    client = await run_app(
        HEAD
        + "@app.route(route='x', trigger_arg_name='context')\ndef x(context):\n    return context.method\n"
    )
    assert (await client.request("GET", "/api/x")).text == "GET"


async def test_the_trace_is_told_of_start_and_end_with_ids(run_app: Run, events: list[TraceEvent]) -> None:
    client = await run_app(HEAD + "@app.route(route='x')\ndef x(req):\n    return ''\n")
    events.clear()
    await client.request("GET", "/api/x")
    await client.request("GET", "/api/x")
    assert [(event.name, event.phase) for event in events] == [
        ("function", Phase.STARTED),
        ("function", Phase.COMPLETED),
    ] * 2
    first, second = events[1], events[3]
    assert first.ids == {"function": "x", "invocation": events[0].ids["invocation"]}
    assert first.ids["invocation"] != second.ids["invocation"]
    assert 0 <= first.detail["duration"] < 10


async def test_everything_works_without_a_trace(run_app: Run) -> None:
    client = await run_app(HEAD + "@app.route(route='x')\ndef x(req):\n    return 'x'\n", trace=SILENT)
    assert (await client.request("GET", "/api/x")).text == "x"
    assert (await client.request("OPTIONS", "/runtime/webhooks/webpubsub")).status == 400


async def test_a_host_that_is_not_started_says_so(
    load_app: Callable[..., FunctionHost], client_of: Any, events: list[TraceEvent]
) -> None:
    host = load_app(HEAD + "@app.route(route='x')\ndef x(req):\n    return 'x'\n")
    assert (await client_of(host).request("GET", "/api/x")).status == 500
    assert str(events[-1].error) == "the host is not started: await FunctionHost.start() first"


SLOW = (
    HEAD
    + """
import asyncio
release = threading.Event()
began = threading.Event()

@app.route(route="sync")
def sync(req):
    began.set()
    release.wait(10)
    return "late"

@app.route(route="loop")
async def loop(req):
    began.set()
    while not release.is_set():
        await asyncio.sleep(0)
    return "late"
"""
)


async def until_set(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


@pytest.mark.parametrize("path", ["/api/sync", "/api/loop"])
async def test_stopping_waits_for_functions_in_flight(
    load_app: Callable[..., FunctionHost], client_of: Any, path: str
) -> None:
    host = load_app(SLOW)
    await host.start()
    app = sys.modules["function_app"]
    call = asyncio.create_task(client_of(host).request("GET", path))
    await until_set(app.began)
    stopping = asyncio.create_task(host.stop(10))
    await asyncio.sleep(0)
    assert not stopping.done()
    app.release.set()
    await stopping
    assert (await call).text == "late"


async def test_stopping_does_not_wait_for_ever(load_app: Callable[..., FunctionHost], client_of: Any) -> None:
    host = load_app(SLOW)
    await host.start()
    app = sys.modules["function_app"]
    call = asyncio.create_task(client_of(host).request("GET", "/api/sync"))
    await until_set(app.began)
    await host.stop(0.01)
    assert not call.done()
    app.release.set()
    assert (await call).text == "late"


async def test_a_cancelled_request_is_told_as_failed(
    load_app: Callable[..., FunctionHost], client_of: Any, events: list[TraceEvent]
) -> None:
    host = load_app(SLOW)
    await host.start()
    call = asyncio.create_task(client_of(host).request("GET", "/api/loop"))
    await until_set(sys.modules["function_app"].began)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert isinstance(events[-1].error, asyncio.CancelledError)
    await host.stop(1)


async def test_a_listener_that_hears_only_failures_is_told_only_those(run_app: Run) -> None:
    class Failures(list[TraceEvent]):
        __call__ = list.append

        def hears(self, _name: str, phase: Phase) -> bool:
            return phase is Phase.FAILED

    told = Failures()
    client = await run_app(
        HEAD
        + """
@app.route(route="fine")
async def fine(req):
    return ""

@app.route(route="fails")
async def fails(req):
    raise ZeroDivisionError
""",
        trace=Trace(told),
    )
    await client.request("GET", "/api/fine")
    assert told == []
    await client.request("GET", "/api/fails")
    (event,) = told
    assert (event.phase, event.ids["function"], type(event.error)) == (
        Phase.FAILED,
        "fails",
        ZeroDivisionError,
    )
    assert event.detail["duration"] >= 0
