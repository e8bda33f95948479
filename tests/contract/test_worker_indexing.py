"""What each version of Microsoft's library and worker makes of an app when it is loaded.

The worker of Python 3.13 is run; up to 3.12 the worker reports what the library says of the functions, which
is asked of the newest library for this interpreter, and of the oldest one that is supported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.functions_worker import TypedData, running_worker
from kit.worker_apps import EXAMPLES, CopyOf, Load, WorkerOf, forget_modules, load_into_host
from kit.worker_bindings import BINDINGS
from kit.worker_events import (
    Event,
    connect_event,
    connected_event,
    disconnected_event,
    trigger_metadata,
    trigger_value,
    user_event,
)

pytestmark = pytest.mark.contract

INDEX = Path(__file__).parents[1] / "kit/index_functions.py"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load an app into this package's host."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield load_into_host
    forget_modules(known)


def reported(python: str, app: Path) -> Any:
    """Return the bindings by function that the library of an interpreter reports."""
    command = [python, "-P", "-B", "-W", "error", str(INDEX), str(app)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("app", BINDINGS)
def test_the_worker_reports_these_bindings(app: str, worker_of: WorkerOf) -> None:
    worker = worker_of(app)
    assert worker.problem is None
    assert worker.bindings == BINDINGS[app]


@pytest.mark.parametrize("app", [*BINDINGS, *EXAMPLES])
def test_this_interpreters_library_reports_the_same(app: str, worker_of: WorkerOf, copy_of: CopyOf) -> None:
    worker = worker_of(app)
    assert worker.problem is None
    assert reported(sys.executable, copy_of(app)) == worker.bindings


@pytest.mark.parametrize("app", [*BINDINGS, *EXAMPLES])
def test_the_oldest_library_reports_the_same(
    app: str, worker_of: WorkerOf, copy_of: CopyOf, oldest_python: str
) -> None:
    assert reported(oldest_python, copy_of(app)) == worker_of(app).bindings


def test_the_host_runs_what_it_has_bindings_for(load: Load, copy_of: CopyOf) -> None:
    host = load(copy_of("odd"))
    assert {function.name for function in host.functions} == BINDINGS["odd"].keys() - {"foreign"}
    assert [str(problem).partition("type ")[0] for problem in host.problems] == [
        "worker_app_blueprint.py:18: function 'foreign': binding 'audit': ",
        "worker_app_blueprint.py:18: function 'foreign': binding 'info': ",
    ]


# --- examples -------------------------------------------------------------------------------------------

EVENTS: dict[str, Callable[[str], Event]] = {
    "connect": connect_event,
    "connected": connected_event,
    "disconnected": lambda hub: disconnected_event(hub, "bye"),
}
CONNECTION = {"baseUrl": "wss://h/c", "url": "wss://h/c?access_token=t", "accessToken": "t"}
CONTEXT: dict[str, Any] = {
    "request": connected_event("chat"),
    "response": {"body": None, "status": 200, "headers": {}},
    "errorMessage": None,
    "hasError": False,
    "isPreflight": False,
}
INPUTS: dict[str, TypedData] = {
    "httpTrigger": {"http": {"method": "GET", "url": "http://127.0.0.1:7071/api/x"}},
    "timerTrigger": {"json": '{"IsPastDue": false}'},
    "webPubSubConnection": {"json": json.dumps(CONNECTION)},
    "webPubSubContext": {"string": json.dumps(CONTEXT)},
}


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize("app", EXAMPLES)
def test_every_function_of_an_example_runs_in_the_worker(
    app: str, is_native: bool, worker_of: WorkerOf
) -> None:
    worker = worker_of(app, is_native=is_native)
    assert worker.problem is None
    assert worker.bindings
    for function, bindings in worker.bindings.items():
        inputs = {each["name"]: INPUTS[each["type"]] for each in bindings if each["type"] in INPUTS}
        metadata: dict[str, TypedData] = {}
        for trigger in (each for each in bindings if each["type"] == "webPubSubTrigger"):
            event = event_for(trigger)
            value = trigger_value(event, trigger["name"], trigger.get("dataType"))
            inputs[trigger["name"]], metadata = value, trigger_metadata(event, value)
        invoked = worker.invoke(function, inputs, metadata)
        assert invoked["result"]["status"] == "Success", (function, invoked["result"])


@pytest.mark.parametrize("app", EXAMPLES)
def test_every_example_loads_into_the_host(
    app: str, load: Load, copy_of: CopyOf, worker_of: WorkerOf
) -> None:
    host = load(copy_of(app))
    assert [str(problem) for problem in host.problems] == []
    assert {function.name for function in host.functions} == worker_of(app).bindings.keys()


def event_for(trigger: dict[str, Any]) -> Event:
    """Return an event for a trigger; hub and name as the binding has them, as they are data here."""
    hub, name = trigger.get("hub", "chat"), trigger["eventName"]
    return EVENTS[name](hub) if trigger["eventType"] == "system" else user_event(hub, name, "hello")


# --- what cannot be indexed -----------------------------------------------------------------------------

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
        "'connection_context', 'data', 'data_type', 'context'; rename or remove it, or add the binding "
        "that fills it",
    ),
}


@pytest.mark.parametrize(("raised", "source", "text"), [(name, *row) for name, row in BAD.items()], ids=BAD)
def test_a_bad_function_fails_the_worker_with_the_text_of_the_host(
    raised: str, source: str, text: str, worker_python: str, tmp_path: Path, load: Load
) -> None:
    (tmp_path / "function_app.py").write_text(BAD_APP + source, encoding="utf-8")
    with running_worker(worker_python, tmp_path) as worker:
        assert worker.problem == f"{raised}: {tmp_path}/{text}"
    assert [str(problem) for problem in load(tmp_path).problems] == [text]


HTTP = "@app.route('{name}')\ndef {name}(req: {kind}): ...\n"
TIMER = "@app.timer_trigger('t', schedule='0 0 * * * *')\ndef {name}(t: {kind}): ...\n"
TRIGGER = (
    "@app.generic_trigger('data', 'webPubSubTrigger', hub='h', eventType='user', eventName='{name}')\n"
    "def {name}(data: {kind}): ...\n"
)
INPUT = (
    "@app.route('{name}')\n@app.generic_input_binding('x', '%s', hub='h')\n"
    "def {name}(req: func.HttpRequest, x: {kind}): ...\n"
)
CONNECTION_INPUT, CONTEXT_INPUT = INPUT % "webPubSubConnection", INPUT % "webPubSubContext"
OUTPUT = (
    "@app.route('{name}')\n@app.generic_output_binding('x', 'webPubSub', hub='h')\n"
    "def {name}(req: func.HttpRequest, x: func.Out[{kind}]): ...\n"
)
ACCEPTED = [
    *(
        (each, kind)
        for each in (TIMER, TRIGGER, CONNECTION_INPUT, CONTEXT_INPUT)
        for kind in ("str", "bytes")
    ),
    *((OUTPUT, kind) for kind in ("str", "bytes", "bytearray")),
    (HTTP, "func.HttpRequest"),
    (TIMER, "func.TimerRequest"),
]
REFUSED = [
    *((each, "dict") for each in (HTTP, TIMER, TRIGGER, CONNECTION_INPUT, CONTEXT_INPUT, OUTPUT)),
    (TRIGGER, "func.Out[str]"),
    (TRIGGER, "str | None"),
    (CONNECTION_INPUT, "list[str]"),
]
TYPED = """
@wps.web_pubsub_trigger(app, hub='h', event_type='user', event_name='typed')
def typed(): ...
"""


def app_of(functions: list[tuple[str, str]], more: str) -> str:
    head = "import azure.functions as func, webpubsub as wps\napp = func.FunctionApp()\n"
    written = (source.format(name=f"f{number}", kind=kind) for number, (source, kind) in enumerate(functions))
    return head + "".join(written) + more


@pytest.mark.parametrize("beside", ["", TYPED], ids=["alone", "beside a typed function"])
def test_worker_and_host_accept_the_same_annotations(
    beside: str, worker_python: str, tmp_path: Path, load: Load
) -> None:
    (tmp_path / "function_app.py").write_text(app_of(ACCEPTED, beside), encoding="utf-8")
    with running_worker(worker_python, tmp_path) as worker:
        assert worker.problem is None
    assert [str(problem) for problem in load(tmp_path).problems] == []


@pytest.mark.parametrize(("source", "kind"), REFUSED)
def test_worker_and_host_refuse_the_same_annotations(
    source: str, kind: str, worker_python: str, tmp_path: Path, load: Load
) -> None:
    (tmp_path / "function_app.py").write_text(app_of([(source, kind)], TYPED), encoding="utf-8")
    with running_worker(worker_python, tmp_path) as worker:
        assert worker.problem is not None
        assert "cannot load the f0 function" in worker.problem
    assert any("is annotated" in str(problem) for problem in load(tmp_path).problems)


# --- when the binding type has another converter ----------------------------------------------------------

TAKEN_APP = """\
from azure.functions import meta
import webpubsub as wps

class Other(meta.InConverter, meta.OutConverter, binding="webPubSubTrigger", trigger=True):
    has_implicit_output = classmethod(lambda cls: True)
    check_input_type_annotation = check_output_type_annotation = classmethod(lambda cls, kind: True)

    @classmethod
    def decode(cls, data, *, trigger_metadata):
        return data.value

    @classmethod
    def encode(cls, obj, *, expected_type):
        return meta.Datum(obj, "dict")

app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
def message(data: bytes, connection_context: wps.WebPubSubConnectionContext) -> str:
    return f"{data} of {connection_context.user_id}"
"""


def test_an_app_runs_with_a_converter_of_somebody_else(
    worker_python: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As before there was ours: messages as JSON, in which binary data is damaged, and a warning of that."""
    (tmp_path / "function_app.py").write_text(TAKEN_APP, encoding="utf-8")
    event = user_event("chat", "message", "hello")
    with running_worker(worker_python, tmp_path) as worker:
        assert worker.problem is None
        assert [each["name"] for each in worker.bindings["message"]] == ["request"]
        value = trigger_value(event, "request")
        invoked = worker.invoke("message", {"request": value}, trigger_metadata(event, value))
    assert invoked["returnValue"] == {"json": '{"data": "hello of alice", "dataType": "text"}'}
    assert capfd.readouterr().err.count("binary messages of user events arrive damaged") == 1
