"""function.json: what it says, and where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webpubsub.functions.function_json import BindingJson, function_folders, read_function_json
from webpubsub.model.errors import ConfigurationError, FunctionErrors

TRIGGER = {"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"}


@pytest.fixture
def chat(tmp_path: Path) -> Callable[..., Path]:
    """Write the folder ``chat`` with a script and this function.json."""

    def write(text: str | dict[str, Any], script: str = "__init__.py") -> Path:
        folder = tmp_path / "chat"
        folder.mkdir()
        (folder / script).touch()
        (folder / "function.json").write_text(text if isinstance(text, str) else json.dumps(text, indent=2))
        return folder

    return write


def problems(folder: Path) -> list[str]:
    with pytest.raises(FunctionErrors) as raised:
        read_function_json(folder)
    return [str(error) for error in raised.value.errors]


def test_a_function_with_defaults(chat: Callable[..., Path]) -> None:
    folder = chat({"bindings": [TRIGGER]})
    found = read_function_json(folder)
    assert (found.name, found.where) == ("chat", "chat/function.json")
    assert (found.script, found.entry_point) == (folder / "__init__.py", "main")
    assert (found.disabled, found.retry) == (False, None)
    assert found.bindings == (BindingJson("timer", "timerTrigger", 0, TRIGGER, "chat/function.json:3"),)


def test_a_function_with_everything(chat: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "run.py").touch()
    retry = {"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:10"}
    text = {
        "scriptFile": "../shared/run.py",
        "entryPoint": "tick",
        "disabled": "TickIsOff",
        "retry": retry,
        "bindings": [TRIGGER],
    }
    found = read_function_json(chat(text))
    assert (found.script, found.entry_point) == (tmp_path / "shared" / "run.py", "tick")
    assert (found.disabled, found.retry) == ("TickIsOff", retry)


def test_members_have_any_case_and_become_those_of_the_documentation(chat: Callable[..., Path]) -> None:
    text = """{
      "BINDINGS": [
        {"Type": "WEBPUBSUBTRIGGER", "Direction": "IN", "NAME": "data", "datatype": "Binary",
         "HUB": "chat", "eventtype": "user", "EventName": "message", "own": 1}, {
          "type": "webPubSub", "direction": "Out", "name": "actions", "hub": "chat" }
      ]
    }"""
    trigger, output = read_function_json(chat(text)).bindings
    assert trigger.members == {
        "type": "WEBPUBSUBTRIGGER",
        "direction": "IN",
        "name": "data",
        "dataType": "Binary",
        "hub": "chat",
        "eventType": "user",
        "eventName": "message",
        "own": 1,
    }
    assert (trigger.direction, trigger.where) == (0, "chat/function.json:3")
    assert (output.direction, output.where) == (1, "chat/function.json:4")


def test_a_binding_without_direction_is_an_input(chat: Callable[..., Path]) -> None:
    (binding,) = read_function_json(chat({"bindings": [{"type": "sqlInput", "name": "rows"}]})).bindings
    assert binding.direction == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{\n  "bindings": [\n    {"type": "timerTrigger"\n  ]\n}',
            "chat/function.json:4:3: expected JSON, found a mistake: Expecting ',' delimiter",
        ),
        ("[]", "chat/function.json:1:1: the file must be an object, found a list"),
        ('{"bindings": [', "chat/function.json:1:15: expected JSON, found a mistake: Expecting value"),
    ],
)
def test_what_is_no_json_object_is_told(chat: Callable[..., Path], text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_function_json(chat(text))
    assert str(raised.value) == problem


FILE_PROBLEMS = [
    ("", 1, "'bindings' is missing: expected a list of bindings, a trigger among them"),
    ('{\n "bindings": []}', 1, "'bindings' is missing: expected a list of bindings, a trigger among them"),
    ('{\n "bindings": {}}', 2, "'bindings' must be a list, found an object"),
    ('{\n "bindings": [\n1]}', 3, "a binding must be an object, found a number (1)"),
    (
        '{\n "scriptFile": 5, "bindings": [%s]}',
        2,
        "'scriptFile' must be a string, found a number (5)",
    ),
    ('{\n "entryPoint": [], "bindings": [%s]}', 2, "'entryPoint' must be a string, found a list"),
    (
        '{\n "disabled": 1, "bindings": [%s]}',
        2,
        "'disabled' must be true, false or the name of a setting, found a number (1)",
    ),
    (
        '{\n "retry": "fixed", "bindings": [%s]}',
        2,
        "'retry' must be an object, found a string (\"fixed\")",
    ),
    (
        '{\n "scriptFile": "__inti__.py", "bindings": [%s]}',
        2,
        "'scriptFile' is '__inti__.py', which does not exist: found '__init__.py'; did you mean "
        "'__init__.py'?",
    ),
    (
        '{\n "scriptFile": "index.js", "bindings": [%s]}',
        2,
        "'scriptFile' is 'index.js': expected a Python file, with no '.' in its name but that of '.py'",
    ),
    (
        '{\n "scriptFile": "a.b.py", "bindings": [%s]}',
        2,
        "'scriptFile' is 'a.b.py': expected a Python file, with no '.' in its name but that of '.py'",
    ),
    (
        '{\n "scriptFile": "../../run.py", "bindings": [%s]}',
        2,
        "'scriptFile' is '../../run.py': expected a file inside the app's folder",
    ),
]


@pytest.mark.parametrize(("text", "line", "problem"), FILE_PROBLEMS)
def test_a_mistake_in_the_file_is_told(chat: Callable[..., Path], text: str, line: int, problem: str) -> None:
    folder = chat(text.replace("%s", json.dumps(TRIGGER)))
    assert problems(folder) == [f"chat/function.json:{line}: function 'chat': {problem}"]


def test_a_folder_without_the_default_script_is_told(chat: Callable[..., Path]) -> None:
    folder = chat({"bindings": [TRIGGER]}, script="handler.py")
    assert problems(folder) == [
        "chat/function.json:1: function 'chat': the folder has no '__init__.py': add it, or set "
        "'scriptFile' to "
        "the file with the function; found 'handler.py'"
    ]


TYPE = "'type' is missing: expected the binding's type, such as 'httpTrigger'"
NAME = "'name' is missing: expected the name of the function's parameter, or '$return'"
BINDING_PROBLEMS: list[tuple[dict[str, Any], list[str]]] = [
    ({"direction": "in", "name": "timer"}, [f"binding 'timer': {TYPE}"]),
    ({"direction": "in", "type": "timerTrigger"}, [f"binding '1': {NAME}"]),
    ({}, [f"binding '1': {TYPE}", f"binding '1': {NAME}"]),
    (
        {**TRIGGER, "name": 5},
        [
            "binding '5': 'name' must be the name of the function's parameter, or '$return', found a "
            "number (5)"
        ],
    ),
    (
        {**TRIGGER, "type": ""},
        ["binding 'timer': 'type' must be the binding's type, such as 'httpTrigger', found a string (\"\")"],
    ),
    (
        {"tpye": "timerTrigger", "direction": "in", "name": "timer"},
        ["binding 'timer': member 'tpye' is not known; did you mean 'type'?"],
    ),
    (
        {"direction": "in", "nmae": "timer"},
        ["binding '1': member 'nmae' is not known; did you mean 'name'?", f"binding '1': {TYPE}"],
    ),
    (
        {"type": "timerTrigger", "name": "timer", "schedul": "0 * * * * *"},
        ["binding 'timer': member 'schedul' is not known; did you mean 'schedule'?"],
    ),
    (
        {"type": "webPubSub", "direction": "out", "name": "actions", "hubName": "chat"},
        ["binding 'actions': member 'hubName' is not known; did you mean 'hub'?"],
    ),
    (
        {**TRIGGER, "direction": "input"},
        ["binding 'timer': 'direction' is 'input': expected 'in' or 'out'"],
    ),
    (
        {**TRIGGER, "direction": "InOut"},
        [
            "binding 'timer': 'direction' is 'inout', which the Python worker does not support: expected "
            "'in' or "
            "'out'"
        ],
    ),
    (
        {**TRIGGER, "direction": "OUT"},
        ["binding 'timer': 'direction' is 'out': expected 'in' for a 'timerTrigger' binding"],
    ),
    (
        {"type": "http", "name": "$return"},
        ["binding '$return': 'direction' is missing, which means 'in': expected 'out' for a return value"],
    ),
    (
        {"type": "webPubSub", "direction": "in", "name": "actions", "hub": "chat"},
        ["binding 'actions': 'direction' is 'in': expected 'out' for a 'webPubSub' binding"],
    ),
    (
        {"type": "webPubSubConnection", "direction": "out", "name": "connection", "hub": "chat"},
        ["binding 'connection': 'direction' is 'out': expected 'in' for a 'webPubSubConnection' binding"],
    ),
    (
        {**TRIGGER, "dataType": "bytes"},
        ["binding 'timer': 'dataType' is 'bytes': expected one of 'string', 'binary', 'stream', 'undefined'"],
    ),
    (
        {
            "type": "webPubSubConnection",
            "direction": "in",
            "name": "connection",
            "hub": 5,
            "clientProtocol": "amqp",
            "roles": "one",
            "groups": [],
            "expiresAfter": None,
        },
        [
            "binding 'connection': 'hub' is 5: expected a string",
            "binding 'connection': 'clientProtocol' is 'amqp': expected 'default' or 'mqtt'",
            "binding 'connection': 'roles' is 'one': expected a list of strings",
        ],
    ),
]


@pytest.mark.parametrize(("binding", "texts"), BINDING_PROBLEMS)
def test_a_mistake_in_a_binding_is_told_with_its_line(
    chat: Callable[..., Path], binding: dict[str, Any], texts: list[str]
) -> None:
    text = f'{{\n"bindings": [\n{json.dumps(binding)}]}}'
    assert problems(chat(text)) == [f"chat/function.json:3: function 'chat': {each}" for each in texts]


def test_every_mistake_is_told_at_once(chat: Callable[..., Path]) -> None:
    text = """{"entryPoint": 1,
        "scriptFile": "x.py",
        "bindings": [{},
            {"type": "timerTrigger", "name": "t"},
            5]}"""
    assert problems(chat(text)) == [
        "chat/function.json:2: function 'chat': 'scriptFile' is 'x.py', which does not exist: found "
        "'__init__.py'",
        "chat/function.json:1: function 'chat': 'entryPoint' must be a string, found a number (1)",
        f"chat/function.json:3: function 'chat': binding '1': {TYPE}",
        f"chat/function.json:3: function 'chat': binding '1': {NAME}",
        "chat/function.json:5: function 'chat': a binding must be an object, found a number (5)",
    ]


def test_the_folders_of_an_app_are_those_with_a_function_json(tmp_path: Path) -> None:
    for name in ("b/function.json", "a/function.json", "shared/x.py", "deep/er/function.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "function.json").mkdir(parents=True)
    assert function_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]
