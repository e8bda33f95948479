"""Apps of folders with a function.json."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kit.asgi_client import AsgiClient, RecordingSink
from kit.worker_events import ACCESS_KEY, request_of, user_event
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.model.actions import SendToAllAction

CONNECTION = f"Endpoint=https://wps.example;AccessKey={ACCESS_KEY};Version=1.0;"
SETTINGS = {"WebPubSubConnectionString": CONNECTION}
WEBHOOK = "/runtime/webhooks/webpubsub"

HTTP: list[dict[str, Any]] = [
    {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "methods": ["get"]},
    {"type": "http", "direction": "out", "name": "$return"},
]
TIMER = {"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"}
TRIGGER = {
    "type": "webPubSubTrigger",
    "direction": "in",
    "name": "request",
    "hub": "chat",
    "eventType": "user",
    "eventName": "message",
}
ACTIONS = {"type": "webPubSub", "direction": "out", "name": "actions", "hub": "chat"}

GOOD = "def main(req):\n    return 'good'\n"


def declared(*bindings: Mapping[str, Any], **members: Any) -> str:
    return json.dumps({**members, "bindings": bindings}, indent=2)


Load = Callable[..., FunctionHost]


@pytest.fixture
def write(write_app: Callable[..., Path]) -> Callable[..., Path]:
    """Write an app's files; the app of every test has the function ``good``."""

    def files(given: Mapping[str, str]) -> Path:
        root = write_app()
        for name, text in {"good/__init__.py": GOOD, "good/function.json": declared(*HTTP), **given}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(dedent(text))
        return root

    return files


@pytest.fixture
def load(write: Callable[..., Path]) -> Load:
    def host(
        files: Mapping[str, str] = {}, environ: Mapping[str, str] = SETTINGS, **given: Any
    ) -> FunctionHost:
        return FunctionHost(HostSettings.load(write(files), environ), **given)

    return host


@pytest.fixture
async def run(load: Load, sink: RecordingSink) -> AsyncIterator[Callable[..., Any]]:
    """Start an app without problems, and return a client."""
    hosts: list[FunctionHost] = []

    async def start(files: Mapping[str, str], **given: Any) -> AsgiClient:
        host = load(files, sinks={"WebPubSubConnectionString": sink}, **given)
        assert problems(host) == []
        hosts.append(host)
        await host.start()
        return AsgiClient(host)

    yield start
    for host in hosts:
        await host.stop(5)


def problems(host: FunctionHost) -> list[str]:
    return [str(problem) for problem in host.problems]


def names(host: FunctionHost) -> list[str]:
    return [function.name for function in host.functions]


# --- finding and importing --------------------------------------------------------------------------------


def test_each_folder_is_a_function(load: Load) -> None:
    host = load({"tick/__init__.py": "\n\ndef main(timer): ...\n", "tick/function.json": declared(TIMER)})
    assert problems(host) == []
    assert [(function.name, function.where) for function in host.functions] == [
        ("good", "good/__init__.py:1"),
        ("tick", "tick/__init__.py:3"),
    ]


IMPORTS = {
    "shared/__init__.py": "",
    "shared/words.py": "WORD = 'shared'",
    "f/near.py": "WORD = 'near'",
    "f/function.json": declared(*HTTP),
}


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("from .near import WORD", "near"),
        ("from . import near; WORD = near.WORD", "near"),
        ("from ..shared.words import WORD", "shared"),
        ("from ..shared import words; WORD = words.WORD", "shared"),
        ("from __app__.shared.words import WORD", "shared"),
        ("from shared.words import WORD", "shared"),
        ("WORD = __name__", "__app__.f"),
    ],
)
async def test_a_script_imports_as_in_the_worker(run: Callable[..., Any], statement: str, word: str) -> None:
    client = await run({**IMPORTS, "f/__init__.py": f"{statement}\ndef main(req):\n    return WORD\n"})
    assert (await client.request("GET", "/api/f")).text == word


async def test_another_file_and_another_function_can_be_named(run: Callable[..., Any]) -> None:
    files = {
        "f/function.json": declared(*HTTP, scriptFile="code/run.py", entryPoint="answer"),
        "f/code/run.py": "def answer(req):\n    return __name__\n",
        "g/function.json": declared(*HTTP, scriptFile="../shared/handlers.py", entryPoint="for_g"),
        "h/function.json": declared(*HTTP, scriptFile="../shared/handlers.py", entryPoint="for_h"),
        "shared/handlers.py": """
            runs = []
            def for_g(req):
                runs.append(__name__)
                return str(runs)
            for_h = for_g
            """,
    }
    client = await run(files)
    assert (await client.request("GET", "/api/f")).text == "__app__.f.code.run"
    assert (await client.request("GET", "/api/g")).text == "['__app__.shared.handlers']"
    # One file is one module, for however many functions.
    assert (await client.request("GET", "/api/h")).text == str(["__app__.shared.handlers"] * 2)


def test_an_app_loaded_anew_is_imported_anew(load: Load) -> None:
    files = {"f/function.json": declared(*HTTP), "f/__init__.py": "def main(req): ...\n"}
    assert names(load(files)) == ["f", "good"]
    files["f/__init__.py"] = "# a comment\ndef main(req): ...\n"
    assert load(files).functions[0].where == "f/__init__.py:2"


def test_disabled_functions_do_not_run(load: Load) -> None:
    files = {
        f"{name}/function.json": declared(*HTTP, disabled=disabled)
        for name, disabled in {"a": True, "b": False, "c": "OFF", "d": "%off%", "e": "MISSING"}.items()
    }
    scripts = {f"{name}/__init__.py": GOOD for name in "abcde"}
    host = load({**files, **scripts}, {"Off": "1"})
    assert (problems(host), names(host)) == ([], ["b", "e", "good"])
    host = load({**files, **scripts}, {"Off": "0", "AzureWebJobs.good.Disabled": "true"})
    assert (problems(host), names(host)) == ([], ["b", "c", "d", "e"])


def test_functions_can_be_chosen(load: Load) -> None:
    host = load({"f/function.json": declared(*HTTP), "f/__init__.py": GOOD}, only=["F"])
    assert (problems(host), names(host)) == ([], ["f"])


# --- what is wrong ----------------------------------------------------------------------------------------

FOLDER_PROBLEMS = [
    (
        "def main(req): ...",
        '{\n"bindings": [\n',
        "f/function.json:3:1: expected JSON, found a mistake: Expecting value",
    ),
    (
        "import no_such_package_at_all",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': its script cannot be imported: ModuleNotFoundError: No module named "
        "'no_such_package_at_all'\n  f/__init__.py:1: import no_such_package_at_all",
    ),
    (
        "def main(req):\n    return (\n",
        declared(*HTTP),
        "f/__init__.py:2: function 'f': its script cannot be imported: SyntaxError: '(' was never closed "
        "(__init__.py, line 2)\n  f/__init__.py:2: return (",
    ),
    (
        "import sys\nsys.exit(3)",
        declared(*HTTP),
        "f/__init__.py:2: function 'f': its script cannot be imported: SystemExit: 3\n"
        "  f/__init__.py:2: sys.exit(3)",
    ),
    (
        "from ....far import away",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': its script cannot be imported: ImportError: attempted relative "
        "import beyond top-level package\n  f/__init__.py:1: from ....far import away",
    ),
    (
        "def mian(req): ...\ndef helper(): ...",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': the script has no function 'main': rename one, or set 'entryPoint' "
        "in f/function.json; found 'mian', 'helper'; did you mean 'mian'?",
    ),
    (
        "main = 'no function'",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': the script has no function 'main': rename one, or set 'entryPoint' "
        "in f/function.json; found none",
    ),
    (
        "def main(reg): ...",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': parameter 'reg' has no binding: expected one of 'req', 'context'; "
        "rename or remove it, or add a binding called 'reg'; did you mean 'req'?\n"
        "f/__init__.py:1: function 'f': binding 'req' has no parameter: add the parameter 'req' to the "
        "function",
    ),
    (
        "def main(req: str) -> dict: ...",
        declared(*HTTP),
        "f/__init__.py:1: function 'f': parameter 'req' is annotated str: this host does not give that for a "
        "'httpTrigger' binding; expected func.HttpRequest, or no annotation\n"
        "f/__init__.py:1: function 'f': it is annotated to return dict: the worker does not take that for a "
        "'http' binding; expected func.HttpResponse or str, or no annotation",
    ),
    (
        "def main(timer, actions: str): ...",
        declared(TIMER, ACTIONS),
        "f/__init__.py:1: function 'f': parameter 'actions' is annotated str: its binding's direction is "
        "'out', so expected func.Out[...], or nothing",
    ),
    (
        "def main(timer, actions): ...",
        declared(TIMER, {**ACTIONS, "hub": ""}),
        "f/function.json:9: function 'f': binding 'actions': 'hub' is missing: set it in the binding, or the "
        "setting 'WebPubSubHub' for all bindings",
    ),
    (
        "def main(request): ...",
        declared({**TRIGGER, "eventType": "usr"}),
        "f/function.json:3: function 'f': binding 'request': 'eventType' is 'usr': expected 'system' or "
        "'user'",
    ),
    (
        "def main(timer, rows): ...",
        declared(TIMER, {"type": "webPubSbu", "direction": "out", "name": "rows"}),
        "f/function.json:9: function 'f': binding 'rows': type 'webPubSbu' is not run by this host: it runs ",
    ),
    (
        "def main(actions): ...",
        declared(ACTIONS),
        "f/__init__.py:1: function 'f': it has 0 triggers: expected one",
    ),
    (
        "def main(timer): ...",
        declared(TIMER, retry={"strategy": "often"}),
        "f/__init__.py:1: function 'f': retry strategy is 'often': expected 'fixed_delay' or "
        "'exponential_backoff'",
    ),
]


@pytest.mark.parametrize(("script", "text", "problem"), FOLDER_PROBLEMS)
def test_what_is_wrong_with_a_folder_is_told_and_the_others_run(
    load: Load, script: str, text: str, problem: str
) -> None:
    host = load({"f/__init__.py": script, "f/function.json": text})
    told = "\n".join(problems(host))
    assert told.startswith(problem) if problem.endswith("it runs ") else told == problem
    assert names(host) == ["good"]


def test_an_unknown_type_is_told_with_the_nearest_one(load: Load) -> None:
    files = {
        "f/__init__.py": "def main(timer): ...",
        "f/function.json": declared({**TIMER, "type": "timeTrigger"}),
    }
    (problem,) = problems(load(files))
    assert problem.endswith("; did you mean 'timerTrigger'?")


def test_all_problems_of_all_folders_are_told_at_once(load: Load) -> None:
    host = load(
        {
            "a/function.json": declared({"type": "timerTrigger"}, scriptFile="run.py"),
            "b/function.json": "nothing",
            "c/function.json": declared(*HTTP),
            "c/__init__.py": "1 / 0",
            "Good/function.json": declared(*HTTP),
            "Good/__init__.py": GOOD,
            "no good/function.json": declared(*HTTP),
            "no good/__init__.py": GOOD,
        }
    )
    assert [problem.partition(": ")[0] for problem in problems(host)] == [
        "a/function.json:2",
        "a/function.json:4",
        "b/function.json:1:1",
        "c/__init__.py:1",
        "good/function.json:1",
        "no good/__init__.py:1",
    ]
    assert "function 'good': another function (Good/function.json) has this name" in "\n".join(problems(host))
    assert names(host) == ["Good"]


def test_the_cause_of_an_import_error_is_kept(load: Load) -> None:
    host = load({"f/__init__.py": "raise LookupError('why')", "f/function.json": declared(*HTTP)})
    assert isinstance(host.problems[0].__cause__, LookupError)
    assert "__app__.f" not in sys.modules


# --- untyped functions ------------------------------------------------------------------------------------


async def test_an_untyped_trigger_gets_json_and_sets_json(
    run: Callable[..., Any], sink: RecordingSink
) -> None:
    script = """
        import json
        import azure.functions as func

        def main(request: str, actions: func.Out[str]):
            text = json.loads(request)["data"].upper()
            actions.set(json.dumps({"actionName": "sendToAll", "data": text, "dataType": "text"}))
            return {"data": "sent", "dataType": "text"}
        """
    client = await run({"f/__init__.py": script, "f/function.json": declared(TRIGGER, ACTIONS)})
    event = user_event("chat", "message", "hello")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert (answer.status, answer.body) == (200, b"sent")
    assert sink.performed == [("chat", SendToAllAction("HELLO"))]


async def test_an_untyped_trigger_may_take_parts_of_the_event(run: Callable[..., Any]) -> None:
    script = """
        async def main(data, context):
            return {"data": f"{type(data).__name__} {len(data)} {context.function_directory}"}
        """
    trigger = {**TRIGGER, "name": "data", "dataType": "Binary", "direction": "IN"}
    client = await run({"f/__init__.py": script, "f/function.json": declared(trigger)})
    event = user_event("chat", "message", b"\xff\x00", "Binary")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert answer.text.startswith("bytes 2 ")
    assert Path(answer.text.rpartition(" ")[2]).name == "f"


async def test_actions_can_be_returned_by_a_function_that_answers_nobody(
    run: Callable[..., Any], sink: RecordingSink
) -> None:
    output = {**ACTIONS, "name": "$return"}
    script = "def main(req):\n    return {'actionName': 'sendToAll', 'data': 'hi', 'dataType': 'text'}\n"
    client = await run({"f/__init__.py": script, "f/function.json": declared(HTTP[0], output)})
    assert (await client.request("GET", "/api/f")).status == 204
    assert sink.performed == [("chat", SendToAllAction("hi"))]


# --- typed functions --------------------------------------------------------------------------------------


async def test_a_typed_function_gets_values(run: Callable[..., Any], sink: RecordingSink) -> None:
    script = """
        import webpubsub as wps
        from .words import shout

        @wps.typed
        async def main(event: wps.UserEventRequest, data: str, to_all: wps.Actions) -> str:
            to_all.send_to_all(shout(data))
            return f"thanks, {event.connection_context.user_id}"
        """
    files = {
        "f/words.py": "def shout(text): return text.upper()",
        "f/__init__.py": script,
        "f/function.json": declared(TRIGGER, {**ACTIONS, "name": "toAll"}),
    }
    client = await run(files)
    event = user_event("chat", "message", "hello")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert (answer.status, answer.body) == (200, b"thanks, alice")
    assert sink.performed == [("chat", SendToAllAction("HELLO"))]


async def test_a_typed_function_called_data_gets_exact_bytes(run: Callable[..., Any]) -> None:
    script = """
        import webpubsub as wps

        @wps.typed
        def main(request: wps.UserEventRequest, data: bytes) -> bytes:
            assert request.data == data
            return data + request.connection_context.user_id.encode()
        """
    trigger = {**TRIGGER, "name": "data", "dataType": "binary"}
    client = await run({"f/__init__.py": script, "f/function.json": declared(trigger)})
    event = user_event("chat", "message", b"\xff\x00", "Binary")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert (answer.status, answer.body) == (200, b"\xff\x00alice")


def test_every_mistake_of_a_typed_function_is_told(load: Load) -> None:
    script = """
        import webpubsub as wps

        @wps.typed
        def main(request: wps.ConnectEventRequest, acts: wps.Actions) -> str: ...
        """
    host = load({"f/__init__.py": script, "f/function.json": declared(TRIGGER, ACTIONS)})
    assert problems(host) == [
        "f/__init__.py:4: function 'f': parameter 'request' is annotated ConnectEventRequest, but the user "
        "event brings UserEventRequest: annotate it UserEventRequest, or set 'eventName' to 'connect'; its "
        "bindings are in f/function.json",
        "f/__init__.py:4: function 'f': the webPubSub binding has no parameter: expected 'actions', found "
        "'request', 'acts'; rename one; did you mean 'acts'?; its bindings are in f/function.json",
        "f/__init__.py:4: function 'f': parameter 'acts' has no binding: expected one of "
        "'connection_context', 'data', 'data_type', 'context'; rename or remove it, or add the binding that "
        "fills it; its bindings are in f/function.json",
    ]
    assert names(host) == ["good"]


def test_functions_of_one_file_do_not_stop_each_other(load: Load) -> None:
    script = """
        import webpubsub as wps

        @wps.typed
        def bad(event, acts): ...

        @wps.typed
        def good(event, actions): ...
        """
    other = {**TRIGGER, "eventName": "other"}
    files = {
        "a/function.json": declared(TRIGGER, ACTIONS, scriptFile="../both.py", entryPoint="bad"),
        "b/function.json": declared(other, ACTIONS, scriptFile="../both.py", entryPoint="good"),
    }
    host = load({**files, "both.py": script})
    assert [problem.split(": ")[:2] for problem in problems(host)] == 3 * [["both.py:4", "function 'a'"]]
    assert names(host) == ["b", "good"]


def test_a_script_shared_by_folders_with_other_bindings_is_told(load: Load) -> None:
    script = """
        import webpubsub as wps

        @wps.typed
        def main(request, actions: wps.Actions): ...
        """
    host = load(
        {
            "a/__init__.py": script,
            "a/function.json": declared(TRIGGER, ACTIONS),
            "b/function.json": declared(TRIGGER, {**ACTIONS, "name": "told"}, scriptFile="../a/__init__.py"),
        }
    )
    assert problems(host) == [
        "a/__init__.py:4: function 'b': parameter 'actions' has no binding: expected one of 'told', "
        "'connection_context', 'data', 'data_type', 'context'; rename or remove it, or add the binding that "
        "fills it",
    ]
    assert names(host) == ["a", "good"]
