"""Web frameworks behind functions: ``AsgiFunctionApp`` and ``WsgiFunctionApp``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from webpubsub.host import FunctionHost
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]

ASGI = """
import json
import azure.functions as func
import webpubsub as wps

seen = []

async def web(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            seen.append(message["type"])
            if message["type"] == "lifespan.startup":
                scope["state"]["db"] = "open"
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    message = await receive()
    shown = {
        "method": scope["method"], "path": scope["path"], "root_path": scope["root_path"],
        "query": scope["query_string"].decode(), "body": message["body"].decode(),
        "header": dict(scope["headers"]).get(b"x-a", b"").decode(), "state": dict(scope["state"]),
    }
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(shown).encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"\\n"})

app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
"""

WSGI = """
import azure.functions as func
import webpubsub as wps

def web(environ, start_response):
    start_response("202 Accepted", [("Content-Type", "text/x")])
    body = environ["wsgi.input"].read()
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']} ".encode(), body]

app = func.WsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
"""

ENDLESS = """
import asyncio
import azure.functions as func

async def web(scope, receive, send):
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b""})

app = func.AsgiFunctionApp(app=web)
"""

TYPED = """
@wps.web_pubsub_trigger(app, hub="chat", event_type="user", event_name="message")
def message(request: wps.UserEventRequest) -> str:
    return f"[{request.data}]"
"""


async def test_an_asgi_app_gets_the_request_with_the_prefix(run_app: Run) -> None:
    client = await run_app(ASGI)
    answer = await client.request("POST", "/api/some/path?x=1&y=", {"X-A": "b"}, b"hello")
    assert (answer.status, answer.header("content-type")) == (201, "application/json")
    assert [value for name, value in answer.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
    assert answer.json == {
        "method": "POST",
        "path": "/api/some/path",
        "root_path": "",
        "query": "x=1&y=",
        "body": "hello",
        "header": "b",
        "state": {"db": "open"},
    }


async def test_the_apps_life_begins_with_the_first_request_and_ends_with_the_host(run_app: Run) -> None:
    client = await run_app(ASGI)
    seen = sys.modules["function_app"].seen
    assert seen == []
    await client.request("GET", "/api/1")
    await client.request("GET", "/api/2")
    assert seen == ["lifespan.startup"]
    await client.app.stop(5)
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_app_that_was_never_asked_is_not_ended(run_app: Run) -> None:
    client = await run_app(ASGI)
    await client.app.stop(5)
    assert sys.modules["function_app"].seen == []


async def test_an_app_that_does_not_end_is_told(
    load_app: Callable[..., FunctionHost], client_of: Any, events: list[TraceEvent]
) -> None:
    host = load_app(ENDLESS)
    await host.start()
    assert (await client_of(host).request("GET", "/api/x")).status == 201
    events.clear()
    await host.stop(0.02)
    (failed,) = events
    assert (failed.name, failed.phase, failed.ids) == (
        "function",
        Phase.FAILED,
        {"function": "http_app_func"},
    )
    assert isinstance(failed.error, TimeoutError)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("source", [ASGI, WSGI])
async def test_every_method_and_path_reaches_the_app(run_app: Run, source: str, method: str) -> None:
    client = await run_app(source)
    assert (await client.request(method, "/api/")).status in {201, 202}
    assert (await client.request(method, "/api/a/b/c")).status in {201, 202}
    assert (await client.request(method, "/elsewhere")).status == 404


async def test_a_wsgi_app_gets_the_request_with_the_prefix(run_app: Run) -> None:
    client = await run_app(WSGI)
    answer = await client.request("PUT", "/api/some/path?x=1", {"Content-Length": "5"}, b"hello")
    assert (answer.status, answer.header("content-type")) == (202, "text/x")
    assert answer.text == "PUT /api/some/path?x=1 hello"


@pytest.mark.parametrize("source", [ASGI, WSGI])
async def test_typed_functions_stand_beside_the_app(
    run_app: Run, source: str, connection_string: str
) -> None:
    from kit.spec_app import USER, WEBHOOK

    client = await run_app(source + TYPED, {"WebPubSubConnectionString": connection_string})
    assert (await client.request("POST", WEBHOOK, USER, b"hi")).text == "[hi]"
    assert (await client.request("GET", "/api/x")).status in {201, 202}
    assert [(each.name, each.kind) for each in client.app.functions] == [
        ("http_app_func", "http"),
        ("message", "webPubSub"),
    ]


async def test_an_app_may_be_at_the_root(run_app: Run) -> None:
    client = await run_app(WSGI, {"AzureFunctionsJobHost__extensions__http__routePrefix": ""})
    assert (await client.request("GET", "/")).text == "GET /? "


async def test_an_app_that_fails_to_start_is_500(run_app: Run, events: list[TraceEvent]) -> None:
    source = ASGI.replace(
        'await send({"type": message["type"] + ".complete"})',
        'await send({"type": "lifespan.startup.failed", "message": "no database"}); return',
    )
    client = await run_app(source)
    assert (await client.request("GET", "/api/x")).status == 500
    assert str(events[-1].error) == "ASGI middleware startup failed."


def test_the_library_for_http_streams_is_refused(
    load_app: Callable[..., FunctionHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"azurefunctions/extensions/http/fastapi__py": "class Request: ..."}
    name = "azurefunctions.extensions.http.fastapi"
    for length in range(1, 5):
        part = ".".join(name.split(".")[:length])
        monkeypatch.setitem(sys.modules, part, sys)
        monkeypatch.delitem(sys.modules, part)
    host = load_app(
        f"import azure.functions as func\nfrom {name} import Request\napp = func.FunctionApp()", files=files
    )
    assert [str(problem) for problem in host.problems] == [
        "function_app.py imports azurefunctions.extensions.http.fastapi, which makes every HTTP function a "
        "streaming one, and this host has none: take func.HttpRequest and func.HttpResponse, or run a whole "
        "FastAPI app with 'app = func.AsgiFunctionApp(app=fastapi_app)'"
    ]
