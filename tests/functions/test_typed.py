"""``typed``: model values for the functions of a v1 app."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import azure.functions as func
import pytest

import webpubsub as wps
from kit.event_values import connect, trigger_bytes, user
from kit.worker_events import user_event
from webpubsub.functions.adapter import adapter_of
from webpubsub.model.errors import FunctionError, FunctionErrors

TRIGGER = {
    "type": "webPubSubTrigger",
    "direction": "in",
    "name": "request",
    "hub": "chat",
    "eventType": "user",
    "eventName": "message",
}
DATA_TRIGGER = {**TRIGGER, "name": "data", "dataType": "binary"}
CONNECT = {**TRIGGER, "eventType": "system", "eventName": "connect"}
ACTIONS = {"type": "webPubSub", "direction": "out", "name": "actions", "hub": "chat"}
HTTP = [
    {"type": "httpTrigger", "direction": "in", "name": "req"},
    {"type": "http", "direction": "out", "name": "$return"},
]
TIMER = {"type": "timerTrigger", "direction": "in", "name": "myTimer", "schedule": "0 * * * * *"}
HELLO = json.dumps(user_event("chat", "message", "hello"))

Write = Callable[..., Path]


class Out:
    """What the worker hands over for an output."""

    value: Any = None

    def set(self, value: Any) -> None:
        self.value = value

    def get(self) -> Any:
        return self.value


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files of an app: a function.json as its bindings, or as its whole."""

    def files(given: Mapping[str, Any]) -> Path:
        (tmp_path / "host.json").write_text('{"version": "2.0"}')
        for name, content in given.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = content if isinstance(content, dict) else {"bindings": content}
            path.write_text(dedent(content) if isinstance(content, str) else json.dumps(whole))
        return tmp_path

    return files


def load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("typed_script", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Main = Callable[..., Any]


@pytest.fixture
def main_of(write: Write) -> Callable[..., Main]:
    """Return the typed ``main`` that this source defines, with these bindings."""

    def main(source: str, *bindings: Mapping[str, Any]) -> Main:
        header = "import azure.functions as func\nimport webpubsub as wps\n\n@wps.typed\n"
        app = write({"chat/function.json": list(bindings), "chat/__init__.py": header + dedent(source)})
        found: Main = load(app / "chat" / "__init__.py").main
        return found

    return main


@pytest.fixture
def problems(main_of: Callable[..., Main], tmp_path: Path) -> Callable[..., list[str]]:
    """Return what is wrong with a ``main``, without where it is."""

    def texts(source: str, *bindings: Mapping[str, Any]) -> list[str]:
        with pytest.raises(FunctionErrors) as raised:
            main_of(source, *bindings)
        start = f"{tmp_path}/chat/__init__.py:4: function 'chat': "
        end = "; its bindings are in chat/function.json"
        found = [str(error) for error in raised.value.errors]
        assert all(text.startswith(start) and text.endswith(end) for text in found)
        return [text[len(start) : -len(end)] for text in found]

    return texts


def names(main: Main) -> list[str]:
    """What the worker compares with function.json."""
    return list(inspect.signature(main).parameters)


# --- values -----------------------------------------------------------------------------------------------


def test_the_worker_hands_over_json_and_gets_json(main_of: Callable[..., Main]) -> None:
    main = main_of(
        """
        def main(request: wps.UserEventRequest, actions: wps.Actions) -> str:
            actions.send_to_all(request.data)
            return "sent"
        """,
        TRIGGER,
        ACTIONS,
    )
    assert names(main) == ["request", "actions"]
    assert main.__annotations__ == {}
    actions = Out()
    answer = main(request=HELLO, actions=actions)
    assert answer == {"data": "sent", "dataType": "text"}
    assert actions.value == '[{"actionName":"sendToAll","data":"hello","dataType":"text"}]'


async def test_an_async_function_stays_one(main_of: Callable[..., Main]) -> None:
    main = main_of("async def main(request):\n    return request.data", TRIGGER)
    assert inspect.iscoroutinefunction(main)
    answer = await main(request=HELLO)
    assert answer == {"data": "hello", "dataType": "text"}


def test_a_test_calls_it_as_it_was_written(main_of: Callable[..., Main]) -> None:
    main = main_of(
        "def main(event, told: wps.Actions):\n    told.send_to_all('hi')\n    return event.data",
        TRIGGER,
        {**ACTIONS, "name": "told"},
    )
    actions = wps.Actions()
    assert main(user("hello"), actions) == "hello"
    assert actions.items == (wps.SendToAllAction("hi"),)


def test_a_host_of_this_package_hands_over_values(main_of: Callable[..., Main]) -> None:
    adapter = adapter_of(main_of("def main(data, connection_context):\n    return data", TRIGGER))
    assert adapter is not None
    assert adapter.call({"request": user("hello")}) == wps.UserEventResponse("hello")


def test_inputs_have_their_values(main_of: Callable[..., Main]) -> None:
    main = main_of(
        """
        def main(
            req: func.HttpRequest, client_access: wps.WebPubSubConnection, wpsContext: wps.WebPubSubContext
        ):
            return f"{client_access.url} {wpsContext.is_preflight}"
        """,
        *HTTP,
        {"type": "webPubSubConnection", "direction": "in", "name": "clientAccess", "hub": "chat"},
        {"type": "webPubSubContext", "direction": "in", "name": "wpsContext"},
    )
    assert names(main) == ["req", "clientAccess", "wpsContext"]
    assert main.__annotations__ == {"req": func.HttpRequest}
    access = {"baseUrl": "wss://wps.example/client/hubs/chat", "url": "wss://u", "accessToken": "t"}
    context = {
        "request": {"isValid": True},
        "response": {"status": 200},
        "hasError": False,
        "isPreflight": True,
    }
    assert main(req=None, clientAccess=json.dumps(access), wpsContext=json.dumps(context)) == "wss://u True"


def test_the_bytes_of_a_message_arrive_as_they_are(main_of: Callable[..., Main]) -> None:
    main = main_of(
        """
        def main(request: wps.UserEventRequest, data: bytes) -> bytes:
            return data + request.connection_context.user_id.encode()
        """,
        DATA_TRIGGER,
    )
    assert names(main) == ["data"]
    assert main(data=trigger_bytes(b"\xff\x00", "Binary")) == {
        "data": {"type": "Buffer", "data": [0xFF, 0x00, *b"alice"]},
        "dataType": "binary",
    }


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "bindings", "shown"),
    [
        ("request, actions", [TRIGGER, ACTIONS], ["request", "actions"]),
        ("evt, actions", [TRIGGER, ACTIONS], ["request", "actions"]),
        (
            "evt: wps.UserEventRequest, actions, context",
            [TRIGGER, ACTIONS],
            ["request", "actions", "context"],
        ),
        ("actions, data", [TRIGGER, ACTIONS], ["actions", "request"]),
        ("", [TRIGGER], ["request"]),
        ("data, evt", [DATA_TRIGGER], ["data"]),
        ("data_type", [DATA_TRIGGER], ["data"]),
        ("to_all", [TIMER, {**ACTIONS, "name": "toAll"}], None),
        ("my_timer, to_all", [TIMER, {**ACTIONS, "name": "toAll"}], ["myTimer", "toAll"]),
        ("myTimer, to_all", [TIMER, {**ACTIONS, "name": "to_all"}], ["myTimer", "to_all"]),
        ("reason", [{**TRIGGER, "eventType": "System", "eventName": "Disconnected"}], ["request"]),
        ("request: wps.ConnectedEventRequest", [{**CONNECT, "eventName": "%Event%"}], ["request"]),
        ("request", [{**TRIGGER, "type": "WEBPUBSUBTRIGGER", "name": "Request"}], ["Request"]),
    ],
)
def test_parameters_are_called_like_bindings_or_in_snake_case(
    main_of: Callable[..., Main],
    problems: Callable[..., list[str]],
    parameters: str,
    bindings: list[dict[str, Any]],
    shown: list[str] | None,
) -> None:
    source = f"def main({parameters}): ..."
    if shown is None:
        assert problems(source, *bindings) == [
            "the timerTrigger binding has no parameter: add a parameter 'myTimer', or remove the binding"
        ]
    else:
        assert names(main_of(source, *bindings)) == shown


def test_annotations_of_other_peoples_bindings_move_with_their_names(main_of: Callable[..., Main]) -> None:
    main = main_of(
        "def main(my_timer: func.TimerRequest, actions: wps.Actions) -> None: actions.send_to_all(my_timer)",
        TIMER,
        ACTIONS,
    )
    assert main.__annotations__ == {"myTimer": func.TimerRequest}
    actions = Out()
    main(myTimer="now", actions=actions)
    assert actions.value == '[{"actionName":"sendToAll","data":"now","dataType":"text"}]'


# --- which function.json ----------------------------------------------------------------------------------

TWO = """
    import webpubsub as wps

    @wps.typed
    def connected(connection_context, actions): ...

    @wps.typed
    def message(request, told): ...
    """


def test_functions_of_one_file_find_their_bindings_by_their_names(write: Write) -> None:
    connected = {**CONNECT, "eventName": "connected"}
    app = write(
        {
            "shared/handlers.py": TWO,
            "a/function.json": {
                "scriptFile": "../shared/handlers.py",
                "entryPoint": "connected",
                "bindings": [connected, ACTIONS],
            },
            "b/function.json": {
                "scriptFile": "../shared/handlers.py",
                "entryPoint": "message",
                "bindings": [TRIGGER, {**ACTIONS, "name": "told"}],
            },
            # Somebody else's problem.
            "broken/function.json": "no JSON",
        }
    )
    module = load(app / "shared" / "handlers.py")
    assert (names(module.connected), names(module.message)) == (["actions", "request"], ["request", "told"])


def test_a_function_that_is_written_elsewhere_names_its_bindings(write: Write) -> None:
    app = write(
        {
            "chat/function.json": [TRIGGER, ACTIONS],
            "chat/__init__.py": "",
            "shared/handlers.py": """
                import webpubsub as wps

                @wps.typed(function_json="../chat/function.json")
                def on_message(event, actions): ...
                """,
        }
    )
    assert names(load(app / "shared" / "handlers.py").on_message) == ["request", "actions"]


def test_a_function_without_function_json_is_told(write: Write) -> None:
    app = write({"chat/__init__.py": "import webpubsub as wps\n@wps.typed\ndef main(request): ..."})
    with pytest.raises(FunctionErrors) as raised:
        load(app / "chat" / "__init__.py")
    assert str(raised.value) == (
        f"{app}/chat/__init__.py:2: function 'main': no function.json names this file: expected one "
        f"beside it with "
        "'scriptFile' '__init__.py'; for a function that is written elsewhere, name it: "
        "typed(function_json=...)"
    )


def test_another_function_of_the_file_is_told(write: Write) -> None:
    app = write(
        {
            "chat/function.json": [TRIGGER],
            "chat/__init__.py": "import webpubsub as wps\n@wps.typed\ndef mian(request): ...",
        }
    )
    with pytest.raises(FunctionErrors) as raised:
        load(app / "chat" / "__init__.py")
    assert str(raised.value) == (
        f"{app}/chat/__init__.py:2: function 'mian': chat/function.json runs 'main' of this file: rename the "
        "function, or set 'entryPoint' to its name; did you mean 'main'?"
    )


def test_a_broken_function_json_is_told(write: Write) -> None:
    app = write(
        {
            "chat/function.json": [{**TRIGGER, "direction": "input"}],
            "chat/__init__.py": "import webpubsub as wps\n@wps.typed\ndef main(request): ...",
        }
    )
    with pytest.raises(FunctionErrors) as raised:
        load(app / "chat" / "__init__.py")
    assert str(raised.value) == (
        "chat/function.json:1: function 'chat': binding 'request': 'direction' is 'input': expected 'in' "
        "or 'out'"
    )


def test_what_the_worker_cannot_run_is_told(main_of: Callable[..., Main]) -> None:
    with pytest.raises(FunctionError, match="found a generator: replace 'yield' by 'return'"):
        main_of("def main(request):\n    yield 1", TRIGGER)


# --- what is wrong ----------------------------------------------------------------------------------------

CALL_IT = "call it 'request', or, for a user event with binary data, 'data' with 'dataType' 'binary'"


@pytest.mark.parametrize(
    ("source", "bindings", "texts"),
    [
        (
            "def main(request: wps.ConnectEventRequest): ...",
            [TRIGGER],
            [
                "parameter 'request' is annotated ConnectEventRequest, but the user event brings "
                "UserEventRequest: annotate it UserEventRequest, or set 'eventName' to 'connect'"
            ],
        ),
        (
            "def main(request: wps.UserEventRequest) -> wps.UserEventResponse: ...",
            [CONNECT],
            [
                "parameter 'request' is annotated UserEventRequest, but the connect event brings "
                "ConnectEventRequest: annotate it ConnectEventRequest, or set 'eventType' to 'user'",
                "it is annotated to return UserEventResponse, which cannot answer the connect event: "
                "expected "
                "ConnectEventResponse or EventErrorResponse",
            ],
        ),
        (
            "def main(request, claims): ...",
            [TRIGGER],
            [
                "parameter 'claims' has no value in the user event: expected any of 'connection_context', "
                "'data', 'data_type'; 'claims' comes with connect only"
            ],
        ),
        (
            "def main(my_timer, acts): ...",
            [TIMER, ACTIONS],
            [
                "the webPubSub binding has no parameter: expected 'actions', found 'my_timer', 'acts'; "
                "rename "
                "one; did you mean 'acts'?",
                "parameter 'acts' has no binding: expected one of 'context'; rename or remove it, or add the "
                "binding that fills it",
            ],
        ),
        (
            "def main(request, actions: str): ...",
            [TRIGGER, ACTIONS],
            [
                "parameter 'actions' is annotated str, but the webPubSub binding brings Actions: annotate it "
                "Actions"
            ],
        ),
        (
            "def main(request, states): ...",
            [TRIGGER, {**ACTIONS, "name": "states"}],
            [
                "the output is called 'states', which is also a member of an answer: the host would copy it "
                "there; choose another name, for example 'actions'"
            ],
        ),
        (
            "def main(request): ...",
            [TRIGGER, {**ACTIONS, "name": "$return"}],
            [
                "the webPubSub binding takes the return value, which answers the trigger's event: name a "
                "parameter for it"
            ],
        ),
        (
            "def main(request): ...",
            [{**CONNECT, "eventName": "conect"}],
            [
                "there is no system event 'conect': expected 'connect', 'connected' or 'disconnected'; any "
                "other is a user event; did you mean 'connect'?",
                "the webPubSubTrigger binding has no parameter: add a parameter 'request', or remove the "
                "binding",
            ][:1],
        ),
        (
            "def main(request): ...",
            [{**TRIGGER, "eventType": "usr"}],
            ["the event type is 'usr': expected 'system' or 'user'"],
        ),
        (
            "def main(claims): ...",
            [{**CONNECT, "name": "claims"}],
            [f"the trigger is called 'claims', which brings a part of the event: {CALL_IT}"],
        ),
        (
            "def main(data): ...",
            [{**TRIGGER, "name": "data"}],
            [f"the trigger is called 'data', which brings the message without its event: {CALL_IT}"],
        ),
        (
            "def main(data): ...",
            [{**CONNECT, "name": "data", "dataType": "binary"}],
            [f"the trigger is called 'data', which brings the message without its event: {CALL_IT}"],
        ),
    ],
)
def test_what_cannot_work_together_is_told(
    problems: Callable[..., list[str]], source: str, bindings: list[dict[str, Any]], texts: list[str]
) -> None:
    assert problems(source, *bindings) == texts


def test_a_worker_without_metadata_is_told(
    problems: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webpubsub.functions.declared_bindings.has_converter", lambda: False)
    assert problems("def main(data): ...", DATA_TRIGGER) == [
        f"the trigger is called 'data', which this worker gives no metadata: {CALL_IT}"
    ]


def test_a_system_event_is_answered_as_in_the_v2_model(main_of: Callable[..., Main]) -> None:
    main = main_of(
        "def main(request: wps.ConnectEventRequest, query): return request.create_response('bob')", CONNECT
    )
    assert main(connect(), {}) == wps.ConnectEventResponse("bob")
