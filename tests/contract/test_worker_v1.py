"""The same function.json folders in Azure's own worker and in this package's host.

The worker is Microsoft's runtime for the v1 model, on Python 3.13. It leaves function.json to its host, so
the test reads it and sends what the Functions host would send.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kit.asgi_client import Answer, AsgiClient, RecordingSink
from kit.functions_worker import TypedData, Worker, running_worker
from kit.worker_apps import load_into_host
from kit.worker_cases import Case
from kit.worker_events import (
    COUNTER_1,
    connect_event,
    connected_event,
    disconnected_event,
    request_of,
    trigger_metadata,
    trigger_value,
    user_event,
)
from webpubsub.functions.host_json import decode_actions
from webpubsub.host import FunctionHost
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.actions import SendToAllAction
from webpubsub.model.errors import FunctionError

pytestmark = pytest.mark.contract

HERE = Path(__file__).parent
APPS = {
    "typed": HERE.parents[1] / "examples" / "notifications-v1",
    "untyped": HERE / "notifications_untyped",
    "odd": HERE / "worker_app_v1",
}
RUNTIME = "azure_functions_runtime_v1"
WEBHOOK = "/runtime/webhooks/webpubsub"

CopyOf = Callable[[str], Path]
WorkerOf = Callable[[str], Worker]
HostOf = Callable[..., Any]


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> CopyOf:
    """Copy an app, so that nothing is left in it."""
    ignore = shutil.ignore_patterns("__pycache__")
    return cache(
        lambda name: shutil.copytree(APPS[name], tmp_path_factory.mktemp("v1") / name, ignore=ignore)
    )


@pytest.fixture(scope="module")
def worker_of(worker_python: str, copy_of: CopyOf) -> Iterator[WorkerOf]:
    """Start a worker for an app, the first time it is asked for."""
    with ExitStack() as running:
        yield cache(lambda name: running.enter_context(running_worker(worker_python, copy_of(name), RUNTIME)))


@pytest.fixture
def sink() -> RecordingSink:
    """What this package's host told the service."""
    return RecordingSink()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FunctionHost]]:
    """Load an app into this package's host."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield load_into_host
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in {"__app__", "shared"}:
            del sys.modules[name]


@pytest.fixture
async def host_of(
    load: Callable[..., FunctionHost], copy_of: CopyOf, sink: RecordingSink
) -> AsyncIterator[HostOf]:
    """Start this package's host with an app."""
    hosts: list[FunctionHost] = []
    sinks = {"WebPubSubConnectionString": sink, "OtherConnection": sink}

    async def start(name: str, **given: Any) -> AsgiClient:
        hosts.append(load(copy_of(name), sinks=sinks, **given))
        assert [str(problem) for problem in hosts[-1].problems] == []
        await hosts[-1].start()
        return AsgiClient(hosts[-1])

    yield start
    for host in hosts:
        await host.stop(5)


# --- indexing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
def test_worker_and_host_run_every_folder(
    app: str, worker_of: WorkerOf, copy_of: CopyOf, load: Callable[..., FunctionHost]
) -> None:
    worker, host = worker_of(app), load(copy_of(app))
    assert (worker.problem, worker.problems) == (None, {})
    folders = sorted(path.parent.name for path in copy_of(app).glob("*/function.json"))
    assert sorted(worker.bindings) == folders
    assert sorted(function.name for function in host.functions) == folders


BINDINGS = [
    {
        "type": "webPubSubTrigger",
        "direction": "in",
        "name": "request",
        "hub": "chat",
        "eventType": "user",
        "eventName": "message",
    },
    {"type": "webPubSub", "direction": "out", "name": "actions", "hub": "chat"},
]


def test_a_typed_function_fails_the_worker_with_the_text_of_the_host(
    worker_python: str, tmp_path: Path, load: Callable[..., FunctionHost]
) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "function.json").write_text(json.dumps({"bindings": BINDINGS}), encoding="utf-8")
    script = "import webpubsub as wps\n\n@wps.typed\ndef main(event: wps.ConnectEventRequest, actions): ...\n"
    (tmp_path / "chat" / "__init__.py").write_text(script, encoding="utf-8")
    text = (
        "chat/__init__.py:3: function 'chat': parameter 'event' is annotated ConnectEventRequest, but the "
        "user event brings UserEventRequest: annotate it UserEventRequest, or set 'eventName' to "
        "'connect'; its "
        "bindings are in chat/function.json"
    )
    with running_worker(worker_python, tmp_path, RUNTIME) as worker:
        assert worker.problems == {"chat": f"FunctionErrors: {tmp_path}/{text}"}
    assert [str(problem) for problem in load(tmp_path).problems] == [text]


# Scripts, and what differs in their output.
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "no-such-function": ("def mian(request, actions): ...", {}),
    "parameter-without-binding": ("def main(request, actions, more): ...", {}),
    "binding-without-parameter": ("def main(request): ...", {}),
    "annotation-of-another-kind": ("def main(request: dict, actions): ...", {}),
    "output-that-is-none": ("def main(request, actions: str): ...", {}),
    "context-that-is-none": ("def main(request, actions, context: str): ...", {}),
    "result-of-another-kind": ("def main(request) -> dict: ...", {"name": "$return"}),
    "import-that-fails": ("import no_such_module_at_all", {}),
    "both-directions": ("def main(request, actions): ...", {"direction": "inout"}),
}


def test_what_the_worker_refuses_the_host_refuses(
    worker_python: str, tmp_path: Path, load: Callable[..., FunctionHost]
) -> None:
    for name, (script, output) in REFUSED.items():
        (tmp_path / name).mkdir()
        declared = json.dumps({"bindings": [BINDINGS[0], BINDINGS[1] | output]})
        (tmp_path / name / "function.json").write_text(declared, encoding="utf-8")
        (tmp_path / name / "__init__.py").write_text(script, encoding="utf-8")
    with running_worker(worker_python, tmp_path, RUNTIME) as worker:
        assert worker.problems.keys() == REFUSED.keys()
    host = load(tmp_path)
    assert host.functions == ()
    problems = [problem for problem in host.problems if isinstance(problem, FunctionError)]
    assert {problem.function for problem in problems} == REFUSED.keys()


# --- events -----------------------------------------------------------------------------------------------

CASES = [
    Case(
        "odd",
        "connect",
        connect_event("odd", name="bob"),
        '{"userId": "bob", "groups": ["lobby"], "subprotocol": "json.webpubsub.azure.v1", '
        '"states": {"counter": 1}}',
        answer=(
            200,
            "application/json",
            b'{"userId":"bob","groups":["lobby"],"subprotocol":"json.webpubsub.azure.v1","roles":null}',
        ),
        state=COUNTER_1,
    ),
    Case(
        "odd",
        "connected",
        connected_event("odd"),
        outputs={"actions": '[{"actionName":"sendToAll","data":"alice is here","dataType":"text"}]'},
    ),
    Case(
        "odd",
        "disconnected",
        disconnected_event("odd", "bye"),
        outputs={"told": '[{"actionName":"sendToAll","data":"somebody left: bye","dataType":"text"}]'},
    ),
    Case(
        "odd",
        "message",
        user_event("odd", "message", "hello"),
        r'{"data": "{\"type\":\"text\",\"function\":\"message/message\"}", "dataType": "json"}',
        {
            "toAll": '[{"actionName":"sendToAll","data":"alice","dataType":"text"}]',
            "toGroup": '[{"actionName":"sendToGroup","group":"g","data":"{\\"seen\\":\\"hello\\"}",'
            '"dataType":"json","excluded":["c9"]}]',
        },
        answer=(200, "application/json", b'{"type":"text","function":"message/message"}'),
    ),
    Case(
        "odd",
        "binary",
        user_event("odd", "binary", b"\xff\x00", "Binary"),
        '{"data": {"type": "Buffer", "data": [255, 0, 97, 108, 105, 99, 101]}, "dataType": "binary"}',
        answer=(200, "application/octet-stream", b"\xff\x00alice"),
    ),
    Case(
        "odd",
        "untyped",
        user_event("odd", "untyped", "hello"),
        '{"data": "HELLO", "dataType": "text"}',
        {"actions": '{"actionName": "sendToAll", "data": "str", "dataType": "text"}'},
        answer=(200, "text/plain", b"HELLO"),
    ),
    Case(
        "odd",
        "bytes",
        user_event("odd", "bytes", b"\xff\x00", "Binary"),
        '{"data": {"type": "Buffer", "data": [0, 255]}, "dataType": "binary"}',
        answer=(200, "application/octet-stream", b"\x00\xff"),
    ),
]


def invoke(worker: Worker, case: Case) -> Any:
    trigger = next(each for each in worker.bindings[case.function] if each["type"] == "webPubSubTrigger")
    value = trigger_value(case.event, trigger["name"], trigger.get("dataType"))
    return worker.invoke(case.function, {trigger["name"]: value}, trigger_metadata(case.event, value))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.function) for case in CASES])
async def test_an_event_has_the_same_effect(
    case: Case, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    invoked = invoke(worker_of("odd"), case)
    assert invoked["result"]["status"] == "Success"
    assert invoked.get("returnValue") == (None if case.returned is None else {"json": case.returned})
    outputs = {output["name"]: output["data"] for output in invoked["outputData"]}
    assert outputs == {name: {"string": text} for name, text in case.outputs.items()}

    answer = await (await host_of("odd")).request("POST", WEBHOOK, *request_of(case.event))
    assert (answer.status, answer.header("content-type"), answer.body) == case.answer
    assert answer.header("ce-connectionState") == case.state
    told = [("odd", action) for text in case.outputs.values() for action in decode_actions(text)]
    assert sink.performed == told


async def test_a_function_that_fails_does_nothing_else(
    worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    case = Case("odd", "message", user_event("odd", "message", "raise"))
    invoked = invoke(worker_of("odd"), case)
    assert invoked["result"]["status"] == "Failure"
    assert invoked["result"]["exception"]["message"] == "LookupError: no such answer"
    assert invoked["outputData"] == []
    answer = await (await host_of("odd")).request("POST", WEBHOOK, *request_of(case.event))
    assert (answer.status, answer.body) == (500, b"The function failed.")
    assert sink.performed == []


# --- requests ---------------------------------------------------------------------------------------------


def http_input(method: str, path: str, **params: str) -> dict[str, TypedData]:
    return {"req": {"http": {"method": method, "url": f"http://127.0.0.1:7071{path}", "params": params}}}


def http_answer(value: TypedData) -> tuple[int, str, bytes]:
    """Return status, content type and body of what the Functions host makes of the value."""
    if "string" in value:
        return 200, "text/plain; charset=utf-8", value["string"].encode()
    answer = value["http"]
    body = base64.b64decode(answer["body"]["bytes"])
    return int(answer["statusCode"] or 200), answer["headers"]["content-type"], body


def parts(answer: Answer) -> tuple[int, str | None, bytes]:
    return answer.status, answer.header("content-type"), answer.body


REQUESTS = {
    "imports": (
        "/api/imports",
        {},
        (200, "text/plain; charset=utf-8", b"near hello hello hello __app__.imports"),
    ),
    "named": (
        "/api/other/hi",
        {"word": "hi"},
        (202, "text/plain; charset=utf-8", b"hi named/named __app__.named.code.run"),
    ),
    "response": ("/api/response", {}, (200, "application/octet-stream", b"\x00\xff")),
}


@pytest.mark.parametrize(("function", "row"), REQUESTS.items(), ids=REQUESTS)
async def test_a_request_has_the_same_answer(
    function: str, row: Any, worker_of: WorkerOf, host_of: HostOf
) -> None:
    path, params, expected = row
    invoked = worker_of("odd").invoke(function, http_input("GET", path, **params))
    value = invoked.get("returnValue") or invoked["outputData"][0]["data"]
    assert http_answer(value) == expected
    assert parts(await (await host_of("odd")).request("GET", path)) == expected


async def test_actions_can_be_returned(worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink) -> None:
    invoked = worker_of("odd").invoke("returned", http_input("GET", "/api/returned"))
    assert invoked["returnValue"] == {
        "string": '[{"actionName": "sendToAll", "data": "returned", "dataType": "text"}]'
    }
    assert (await (await host_of("odd")).request("GET", "/api/returned")).status == 204
    assert sink.performed == [("odd", SendToAllAction("returned"))]


@pytest.mark.parametrize("app", ["typed", "untyped"])
async def test_a_page_is_the_same(app: str, worker_of: WorkerOf, host_of: HostOf, copy_of: CopyOf) -> None:
    invoked = worker_of(app).invoke("index", http_input("GET", "/api/index"))
    page = (copy_of(app) / "index.html").read_bytes()
    assert http_answer(invoked["returnValue"]) == (200, "text/html; charset=utf-8", page)
    assert parts(await (await host_of(app)).request("GET", "/api/index")) == (
        200,
        "text/html; charset=utf-8",
        page,
    )


@pytest.mark.parametrize(
    ("app", "function", "hub", "content_type"),
    [
        ("typed", "negotiate", "sample_notification", "application/json"),
        ("untyped", "negotiate", "sample_notification", "text/plain; charset=utf-8"),
        ("odd", "raw", "odd", "text/plain; charset=utf-8"),
    ],
)
async def test_a_client_is_told_where_to_connect(
    app: str, function: str, hub: str, content_type: str, worker_of: WorkerOf, host_of: HostOf
) -> None:
    path = f"/api/{function}?name=alice"
    answer = await (await host_of(app)).request("GET", path)
    connection = answer.json
    assert connection["baseUrl"] == f"wss://wps.example/client/hubs/{hub}"
    assert connection["url"] == f"{connection['baseUrl']}?access_token={connection['accessToken']}"
    # What the extension hands over for the very same client, in the very same form.
    inputs = {**http_input("GET", path), "connection": {"json": answer.text}}
    returned = worker_of(app).invoke(function, inputs)["returnValue"]
    assert http_answer(returned) == (200, content_type, answer.body) == parts(answer)


async def test_an_upstream_request_has_the_same_answer(worker_of: WorkerOf, host_of: HostOf) -> None:
    event = user_event("odd", "message", "hello")
    context = {
        "request": event,
        "response": {"body": None, "status": 200, "headers": None},
        "errorMessage": None,
        "hasError": False,
        "isPreflight": False,
    }
    inputs = {**http_input("POST", "/api/upstream"), "wpsContext": {"string": json.dumps(context)}}
    returned = worker_of("odd").invoke("upstream", inputs)["returnValue"]
    expected = (200, "text/plain", b"hello from alice")
    assert http_answer(returned) == expected
    answer = await (await host_of("odd")).request("POST", "/api/upstream", *request_of(event))
    assert parts(answer) == expected


# --- timers -----------------------------------------------------------------------------------------------

READING = (
    r"\[DateTime: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\] "
    r"Temperature: 2[2-4]\.\d\N{DEGREE SIGN}C, Humidity: [45]\d\.\d%"
)


@pytest.mark.parametrize(("app", "timer"), [("typed", "timer"), ("untyped", "myTimer")])
async def test_a_timer_tells_everybody(
    app: str, timer: str, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    invoked = worker_of(app).invoke("notification", {timer: {"json": '{"IsPastDue": false}'}})
    ((name, text),) = ((output["name"], output["data"]["string"]) for output in invoked["outputData"])
    assert name == "actions"
    (told,) = decode_actions(text)
    assert isinstance(told, SendToAllAction)
    assert re.fullmatch(READING, str(told.data))

    now, has_run = 0.0, asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now
        if sink.performed:
            has_run.set()
            await asyncio.Event().wait()
        now += seconds
        await asyncio.sleep(0)

    await host_of(app, clock=lambda: now, sleep=sleep, storage=MemoryStorage())
    async with asyncio.timeout(10):
        await has_run.wait()
    ((hub, action),) = sink.performed
    assert hub == "sample_notification"
    assert isinstance(action, SendToAllAction)
    assert re.fullmatch(READING, str(action.data))


def test_names_in_snake_case_are_the_workers(worker_of: WorkerOf) -> None:
    invoked = worker_of("odd").invoke("tick", {"myTimer": {"json": '{"IsPastDue": true}'}})
    assert invoked["outputData"] == [
        {
            "name": "toAll",
            "data": {
                "string": '[{"actionName":"sendToAll","data":"{\\"past due\\":true}","dataType":"json"}]'
            },
        }
    ]
