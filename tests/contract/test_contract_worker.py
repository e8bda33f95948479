"""The same function_app.py in Azure's own worker and in this package's host: same answers, same actions.

The worker is Microsoft's runtime on Python 3.13. It is asked as the Functions host asks it, with the JSON
that the Web PubSub extension writes. The host of this package gets the requests that JSON was made of.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asgi_client import AsgiClient, RecordingSink
from functions_worker import TypedData, Worker, running_worker
from webpubsub.functions.host_json import decode_actions
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.model.actions import SendToAllAction
from worker_bindings import BINDINGS
from worker_cases import CASES, CHAT, Case
from worker_events import ACCESS_KEY, request_of, user_event

pytestmark = pytest.mark.contract

HERE = Path(__file__).parent
APPS = {
    "simplechat": HERE.parents[1] / "examples/simplechat",
    "notifications": HERE.parents[1] / "examples/notifications",
    "odd": HERE / "worker_app",
}
SETTINGS = {
    "WebPubSubConnectionString": f"Endpoint=https://wps.example;AccessKey={ACCESS_KEY};Version=1.0;",
    "OtherConnection": "Endpoint=https://other.example;AccessKey=key;Version=1.0;",
    "OddHub": "even",
}
WEBHOOK = "/runtime/webhooks/webpubsub"

WorkerOf = Callable[[str], Worker]


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copy an app, so that nothing is left in it."""
    return cache(lambda name: shutil.copytree(APPS[name], tmp_path_factory.mktemp("apps") / name))


@pytest.fixture(scope="module")
def worker_of(worker_python: str, copy_of: Callable[[str], Path]) -> Iterator[WorkerOf]:
    """Start a worker for an app, the first time it is asked for."""
    with ExitStack() as running:
        yield cache(lambda name: running.enter_context(running_worker(worker_python, copy_of(name))))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FunctionHost]]:
    """Load an app into this package's host."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda app, **given: FunctionHost(HostSettings.load(app, SETTINGS), **given)
    for name in set(sys.modules) - known:
        if name.startswith(("function_app", "worker_app")):
            del sys.modules[name]


@pytest.fixture
def sink() -> RecordingSink:
    """What this package's host told the service."""
    return RecordingSink()


@pytest.fixture
async def host_of(
    load: Callable[..., FunctionHost], copy_of: Callable[[str], Path], sink: RecordingSink
) -> Any:
    """Start this package's host with an app."""
    hosts: list[FunctionHost] = []
    sinks = {"WebPubSubConnectionString": sink, "OtherConnection": sink}

    async def start(name: str, **given: Any) -> AsgiClient:
        hosts.append(load(copy_of(name), sinks=sinks, **given))
        await hosts[-1].start()
        return AsgiClient(hosts[-1])

    yield start
    for host in hosts:
        await host.stop(5)


HostOf = Callable[..., Awaitable[AsgiClient]]


# --- indexing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", BINDINGS)
def test_the_worker_reports_these_bindings(app: str, worker_of: WorkerOf) -> None:
    worker = worker_of(app)
    assert worker.problem is None
    assert worker.bindings == BINDINGS[app]


def test_the_host_runs_what_it_has_bindings_for(
    load: Callable[..., FunctionHost], copy_of: Callable[[str], Path]
) -> None:
    host = load(copy_of("odd"))
    assert sorted(function.name for function in host.functions) == [
        "answer", "connect", "left", "negotiate", "parts", "states", "untyped",
    ]  # fmt: skip
    assert [str(problem).partition("type ")[0] for problem in host.problems] == [
        "worker_app_blueprint.py:28: function 'foreign': binding 'audit': ",
        "worker_app_blueprint.py:28: function 'foreign': binding 'info': ",
        "worker_app_blueprint.py:36: function 'upstream': binding 'wpsContext': ",
    ]


BAD_APP = """\
import webpubsub as wps
app = wps.FunctionApp()
@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
"""
BAD = {
    "FunctionError": (
        "def message(request: wps.ConnectEventRequest): ...\n",
        "function_app.py:3: function 'message': parameter 'request' is annotated ConnectEventRequest, but "
        "the user event brings UserEventRequest: annotate it UserEventRequest, or set event_name='connect'",
    ),
    "FunctionErrors": (
        "def message(request, acts): ...\n",
        "function_app.py:3: function 'message': parameter 'acts' has no binding: expected one of "
        "'connection_context', 'data', 'data_type', 'context'; rename or remove it, or add the decorator "
        "that binds it",
    ),
}


@pytest.mark.parametrize(("raised", "source", "text"), [(name, *row) for name, row in BAD.items()], ids=BAD)
def test_a_bad_function_fails_the_worker_with_the_text_of_the_host(
    raised: str,
    source: str,
    text: str,
    worker_python: str,
    tmp_path: Path,
    load: Callable[..., FunctionHost],
) -> None:
    (tmp_path / "function_app.py").write_text(BAD_APP + source, encoding="utf-8")
    with running_worker(worker_python, tmp_path) as worker:
        assert worker.problem == f"{raised}: {tmp_path}/{text}"
    assert [str(problem) for problem in load(tmp_path).problems] == [text]


# --- events ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_an_event_has_the_same_effect(
    case: Case, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    worker = worker_of(case.app)
    invoked = worker.invoke(case.function, {"request": {"string": json.dumps(case.event, indent=2)}})
    assert invoked["result"]["status"] == "Success"
    assert invoked.get("returnValue") == (None if case.returned is None else {"json": case.returned})
    outputs = {output["name"]: output["data"] for output in invoked["outputData"]}
    assert outputs == {name: {"string": text} for name, text in case.outputs.items()}

    client = await host_of(case.app)
    answer = await client.request("POST", WEBHOOK, *request_of(case.event))
    assert (answer.status, answer.header("content-type"), answer.body) == case.answer
    assert answer.header("ce-connectionState") == case.state
    hubs = {binding["name"]: binding["hub"] for binding in worker.bindings[case.function]}
    assert sink.performed == [
        (SETTINGS.get(hubs[name].strip("%"), hubs[name]), action)
        for name, text in case.outputs.items()
        for action in decode_actions(text)
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("raise", r"LookupError: no such answer"),
        ("impossible", r"UsageError: .*/odd/function_app.py:\d+: function 'answer': the answer has an "
         r"'errorMessage' but no 'code': .*"),
    ],
)  # fmt: skip
async def test_a_function_that_fails_does_nothing_else(
    data: str, problem: str, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    event = user_event("odd", "answer", data)
    invoked = worker_of("odd").invoke("answer", {"request": {"string": json.dumps(event)}})
    assert invoked["result"]["status"] == "Failure"
    assert re.fullmatch(problem, invoked["result"]["exception"]["message"])
    assert invoked["outputData"] == []
    client = await host_of("odd")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert (answer.status, answer.body) == (500, b"The function failed.")
    assert sink.performed == []


# --- other triggers -------------------------------------------------------------------------------------


def http_answer(returned: TypedData) -> tuple[int, str, bytes]:
    """Return status, content type and body of what the Functions host makes of the value."""
    if "string" in returned:
        return 200, "text/plain; charset=utf-8", returned["string"].encode()
    answer = returned["http"]
    body = base64.b64decode(answer["body"]["bytes"])
    return int(answer["statusCode"] or 200), answer["headers"]["content-type"], body


def http_input(method: str, path: str) -> TypedData:
    return {"http": {"method": method, "url": f"http://127.0.0.1:7071{path}"}}


@pytest.mark.parametrize("app", ["simplechat", "notifications"])
async def test_a_page_is_the_same(
    app: str, worker_of: WorkerOf, host_of: HostOf, copy_of: Callable[[str], Path]
) -> None:
    invoked = worker_of(app).invoke("index", {"req": http_input("GET", "/api/index")})
    page = (copy_of(app) / "index.html").read_bytes()
    assert http_answer(invoked["returnValue"]) == (200, "text/html; charset=utf-8", page)
    answer = await (await host_of(app)).request("GET", "/api/index")
    assert http_answer(invoked["returnValue"]) == (answer.status, answer.header("content-type"), answer.body)


@pytest.mark.parametrize(
    ("app", "binding", "path"),
    [
        ("simplechat", "connection", "/api/negotiate?userId=alice"),
        ("notifications", "connection", "/api/negotiate"),
        ("odd", "clientAccess", "/api/negotiate/alice"),
    ],
)
async def test_a_client_is_told_where_to_connect(
    app: str, binding: str, path: str, worker_of: WorkerOf, host_of: HostOf
) -> None:
    answer = await (await host_of(app)).request("GET", path)
    (url,) = re.findall(r'wss://[^"]+[?]access_token=[^"]+', answer.text)
    # What the extension hands over, for the very same client.
    base_url, token = url.split("?access_token=")
    connection = {"baseUrl": base_url, "url": url, "accessToken": token}
    inputs = {"req": http_input("GET", path), binding: {"json": json.dumps(connection)}}
    returned = worker_of(app).invoke("negotiate", inputs)["returnValue"]
    assert http_answer(returned) == (answer.status, answer.header("content-type"), answer.body)
    hub = {"simplechat": CHAT, "notifications": "sample_notification", "odd": "odd"}[app]
    assert base_url == f"wss://wps.example/client/hubs/{hub}"
    assert app == "odd" or answer.json == connection


async def test_a_timer_tells_everybody(worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink) -> None:
    invoked = worker_of("notifications").invoke("notification", {"timer": {"json": '{"IsPastDue": false}'}})
    ((name, text),) = ((output["name"], output["data"]["string"]) for output in invoked["outputData"])
    assert name == "actions"
    reading = (
        r"\[DateTime: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\] "
        r"Temperature: 2[2-4]\.\d\N{DEGREE SIGN}C, Humidity: [45]\d\.\d%"
    )
    assert re.fullmatch(rf'\[{{"actionName":"sendToAll","data":"{reading}","dataType":"text"}}\]', text)

    now, has_run = 0.0, asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now
        if sink.performed:
            has_run.set()
            await asyncio.Event().wait()
        now += seconds

    await host_of("notifications", clock=lambda: now, sleep=sleep)
    async with asyncio.timeout(10):
        await has_run.wait()
    ((hub, action),) = sink.performed
    assert hub == "sample_notification"
    assert isinstance(action, SendToAllAction)
    assert re.fullmatch(reading, str(action.data))


# --- what only the worker runs --------------------------------------------------------------------------


def test_bindings_of_others_work_beside_ours(worker_of: WorkerOf) -> None:
    event = user_event("odd", "foreign", "hello")
    inputs = {"request": {"string": json.dumps(event)}, "info": {"json": '{"url": "https://signalr"}'}}
    invoked = worker_of("odd").invoke("foreign", inputs)
    assert invoked["returnValue"] == {
        "json": '{"data": "{\\"info\\":{\\"url\\":\\"https://signalr\\"}}", "dataType": "json"}'
    }
    assert invoked["outputData"] == [{"name": "audit", "data": {"string": "alice asked"}}]


def test_an_upstream_request_arrives_as_its_context(worker_of: WorkerOf) -> None:
    context = {
        "request": user_event("chat", "message", "hello"),
        "response": {"body": None, "status": 202, "headers": None},
        "errorMessage": None,
        "hasError": False,
        "isPreflight": False,
    }
    inputs = {"req": http_input("POST", "/api/upstream"), "wpsContext": {"string": json.dumps(context)}}
    returned = worker_of("odd").invoke("upstream", inputs)["returnValue"]
    assert http_answer(returned) == (202, "text/plain; charset=utf-8", b"hello from alice")
