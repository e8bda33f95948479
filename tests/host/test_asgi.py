"""The ASGI application: bodies, the home page, CORS, selection of functions, the server's life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from webpubsub.host import FunctionHost, bodies
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]
Load = Callable[..., FunctionHost]

APP = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="size")
def size(req): return str(len(req.get_body()))

@app.route(route="Second", methods=["POST"])
def Second(req): return "second"

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def tick(timer): ...
"""


async def test_the_home_page_tells_that_the_app_runs(run_app: Run) -> None:
    client = await run_app(APP)
    answer = await client.request("GET", "/")
    assert (answer.status, answer.text) == (200, "Your function app is up and running.\n")
    assert (await client.request("POST", "/")).status == 404
    assert (await client.request("GET", "/nothing")).status == 404


async def test_a_route_may_take_the_place_of_the_home_page(run_app: Run) -> None:
    source = APP.split("@app")[0] + "@app.route(route='')\ndef f(req): return 'mine'\n"
    client = await run_app(source, {"AzureFunctionsJobHost__extensions__http__routePrefix": ""})
    assert (await client.request("GET", "/")).text == "mine"


async def test_a_body_may_come_in_pieces(run_app: Run) -> None:
    client = await run_app(APP)
    chunks = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"de"},
    ]
    assert (await client.request("POST", "/api/size", chunks=chunks)).text == "5"


@pytest.mark.parametrize("path", ["/api/size", "/admin/functions/tick"])
async def test_a_body_that_is_too_large_is_413(
    run_app: Run, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 4)
    client = await run_app(APP)
    chunks = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"de"},
    ]
    answer = await client.request("POST", path, chunks=chunks)
    assert (answer.status, answer.text) == (413, "The request body is larger than 100 MiB.")
    assert (await client.request("POST", path, body=b"abcde")).status == 413
    assert (await client.request("POST", "/api/size", body=b"abcd")).text == "4"


async def test_a_client_that_goes_away_gets_no_answer_and_runs_nothing(
    run_app: Run, events: list[TraceEvent]
) -> None:
    client = await run_app(APP)
    events.clear()
    chunks = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]
    assert (await client.request("POST", "/api/size", chunks=chunks)).status == 0
    assert events == []


async def test_cors_is_answered_when_it_is_set(run_app: Run) -> None:
    files = {"local__settings__json": '{"Host": {"CORS": "http://a.example"}}'}
    client = await run_app(APP, files=files)
    origin = {"Origin": "http://a.example"}
    answer = await client.request("POST", "/api/second", origin)
    assert (answer.text, answer.header("access-control-allow-origin")) == ("second", "http://a.example")
    preflight = await client.request(
        "OPTIONS", "/api/second", origin | {"Access-Control-Request-Method": "POST"}
    )
    assert (preflight.status, preflight.header("access-control-allow-methods")) == (204, "POST")
    refused = await client.request("POST", "/api/second", {"Origin": "http://b.example"})
    assert (refused.text, refused.header("access-control-allow-origin")) == ("second", None)
    probe = await client.request("OPTIONS", "/runtime/webhooks/webpubsub", origin)
    assert (probe.status, probe.header("vary")) == (400, None)


async def test_without_cors_nothing_is_added(run_app: Run) -> None:
    client = await run_app(APP)
    answer = await client.request("POST", "/api/second", {"Origin": "http://a.example"})
    assert [name for name, _ in answer.headers] == [b"content-type", b"content-length"]


def test_some_functions_may_be_chosen_in_any_case(load_app: Load) -> None:
    host = load_app(APP, only=["SIZE", "tick"])
    assert [listing.name for listing in host.functions] == ["size", "tick"]
    assert host.problems == ()


def test_a_choice_of_a_function_that_is_not_there_is_told(load_app: Load) -> None:
    host = load_app(APP, only=["siez", "tick"])
    assert [str(problem) for problem in host.problems] == [
        "there is no function siez: the app's functions are size, Second, tick"
    ]
    assert [listing.name for listing in host.functions] == ["tick"]


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_a_setting_switches_a_function_off(load_app: Load, value: str) -> None:
    host = load_app(APP, {"AzureWebJobs.second.Disabled": value, "AzureWebJobs.size.Disabled": "false"})
    assert [listing.name for listing in host.functions] == ["size", "tick"]


async def test_problems_are_told_to_the_trace(load_app: Load, events: list[TraceEvent]) -> None:
    host = load_app("import azure.functions as func\n")
    (event,) = events
    assert (event.name, event.phase, event.error) == ("setting", Phase.FAILED, host.problems[0])
    assert event.detail == {"message": str(host.problems[0])}


async def test_starting_and_stopping_twice_is_once(load_app: Load) -> None:
    host = load_app(APP)
    await host.start()
    await host.start()
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "timer tick"]) == 1
    await host.stop(1)
    await host.stop(1)
    await host.start()
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "timer tick"]) == 1
    await host.stop(1)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "timer tick"] == []


async def live(host: FunctionHost, *messages: str) -> list[dict[str, Any]]:
    received = iter([{"type": f"lifespan.{message}"} for message in messages])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await host({"type": "lifespan"}, receive, send)
    return sent


async def test_the_server_may_lead_its_life(load_app: Load) -> None:
    assert await live(load_app(APP), "startup", "shutdown") == [
        {"type": "lifespan.startup.complete"},
        {"type": "lifespan.shutdown.complete"},
    ]


async def test_an_app_that_cannot_run_at_all_does_not_start(load_app: Load) -> None:
    assert await live(load_app("x = 1"), "startup") == [
        {
            "type": "lifespan.startup.failed",
            "message": "function_app.py has no function app: expected one module-level name bound to a "
            "FunctionApp, for example 'app = func.FunctionApp()'",
        }
    ]


async def test_web_sockets_are_refused(load_app: Load) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await load_app(APP)({"type": "websocket", "path": "/"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "no WebSocket is served here"}]
