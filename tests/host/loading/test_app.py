"""Loading function_app.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from webpubsub.host import FunctionHost
from webpubsub.host.loading.app import load_functions
from webpubsub.model.errors import ConfigurationError, FunctionError

Load = Callable[..., FunctionHost]

GOOD = """
@app.route(route="good")
def good(req: func.HttpRequest) -> str:
    return "good"
"""
APP = "import azure.functions as func\n\napp = func.FunctionApp()\n"


def app(*functions: str) -> str:
    return APP + "".join(dedent(function) for function in functions)


def problems(host: FunctionHost) -> list[str]:
    return [str(problem) for problem in host.problems]


def names(host: FunctionHost) -> list[str]:
    return [function.name for function in host.functions]


def test_functions_are_found_with_their_bindings_and_place(write_app: Callable[..., Path]) -> None:
    app_dir = write_app(app(GOOD))
    found: list[ConfigurationError] = []
    (definition,) = load_functions(app_dir, "function_app.py", found, [])
    assert found == []
    assert (definition.name, definition.where) == ("good", "function_app.py:5")
    assert definition.directory == str(app_dir)
    assert definition.bindings == (
        {
            "direction": "IN",
            "type": "httpTrigger",
            "name": "req",
            "authLevel": "FUNCTION",
            "route": "good",
        },
        {"direction": "OUT", "type": "http", "name": "$return"},
    )
    assert definition.adapter is None


def test_blueprints_and_siblings_of_the_app_are_found(load_app: Load) -> None:
    host = load_app(
        "import azure.functions as func\nfrom loader_sibling import bp\n\n"
        "app = func.FunctionApp()\napp.register_functions(bp)\n",
        files={
            "loader_sibling__py": """
                import azure.functions as func

                bp = func.Blueprint()

                @bp.route(route="b")
                def from_blueprint(req):
                    return ""
            """
        },
    )
    assert [(f.name, f.where) for f in host.functions] == [("from_blueprint", "loader_sibling.py:6")]


def test_another_script_file_can_be_named(load_app: Load) -> None:
    host = load_app(
        "raise AssertionError('not this one')",
        {"PYTHON_SCRIPT_FILE_NAME": "main_app.py"},
        files={"main_app__py": app(GOOD)},
    )
    assert (problems(host), names(host)) == ([], ["good"])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "import azure.functions as func\n",
            "function_app.py has no function app: expected one module-level name bound to a FunctionApp, for "
            "example 'app = func.FunctionApp()'",
        ),
        (
            APP + "other = app\n",
            "function_app.py has 2 names bound to a function app ('app', 'other'): expected one, and an "
            "alias counts too; keep one and make the others a Blueprint",
        ),
        (
            APP,
            "function_app.py defines no functions: decorate one, for example with '@app.route(...)', or "
            "register the blueprint that has them with 'app.register_functions(blueprint)'",
        ),
        (
            "import os\nimport no_such_package_at_all\n",
            "function_app.py cannot be imported: ModuleNotFoundError: No module named "
            "'no_such_package_at_all'\n  function_app.py:2: import no_such_package_at_all",
        ),
        (
            "def f():\n    return 1 / 0\n\nf()\n",
            "function_app.py cannot be imported: ZeroDivisionError: division by zero\n"
            "  function_app.py:4: f()\n  function_app.py:2: return 1 / 0",
        ),
        (
            "x = 1\ndef f(:\n",
            "function_app.py cannot be imported: SyntaxError: invalid syntax (function_app.py, line 2)\n"
            "  function_app.py:2: def f(:",
        ),
        (
            "import sys\nsys.exit('enough')\n",
            "function_app.py cannot be imported: SystemExit: enough\n  function_app.py:2: sys.exit('enough')",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded_is_told(load_app: Load, source: str, text: str) -> None:
    host = load_app(source)
    assert problems(host) == [text]
    assert host.functions == ()


def test_a_script_file_that_is_no_python_is_told(load_app: Load, tmp_path: Path) -> None:
    host = load_app("", {"PYTHON_SCRIPT_FILE_NAME": "main.txt"}, files={"main__txt": ""})
    path = tmp_path.resolve() / "main.txt"
    assert problems(host) == [f"{path} is not a Python file: expected a name that ends with '.py'"]


def test_two_responses_of_one_function_are_told(load_app: Load) -> None:
    function = """
        @app.route(route="x")
        @app.generic_output_binding(arg_name="more", type="http")
        def bad(req, more): ...
    """
    host = load_app(app(function))
    assert problems(host) == [
        "function_app.py:5: function 'bad': binding 'req': there are 2 'http' outputs ['more', '$return']: "
        "keep one"
    ]


def test_a_missing_file_is_told(load_app: Load, tmp_path: Path) -> None:
    host = load_app("", {"PYTHON_SCRIPT_FILE_NAME": "other.py"})
    assert problems(host) == [
        f"{tmp_path.resolve()} has no other.py, and no folder with a function.json: expected the file that "
        "defines the functions (the v2 model), or a folder for each function (v1); give the folder of a "
        "function app"
    ]


def test_folders_beside_the_file_are_ignored_with_a_warning(load_app: Load) -> None:
    host = load_app(app(GOOD), files={f"{name}{os.sep}function__json": "no JSON" for name in ("b", "a")})
    assert (problems(host), names(host)) == ([], ["good"])
    assert host.warnings == (
        "the app has function_app.py, so a/function.json, b/function.json are ignored, as in Azure: move "
        "their functions into function_app.py, or remove it",
    )


def test_the_cause_of_an_import_error_is_kept(load_app: Load) -> None:
    host = load_app("raise LookupError('why')")
    assert isinstance(host.problems[0].__cause__, LookupError)
    assert "function_app" not in sys.modules


FUNCTION_PROBLEMS = [
    (
        """
        @app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
        def bad(actions): ...
        """,
        "it has no trigger: add one decorator with a trigger, for example '@app.route(...)'",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req, extra=None): ...
        """,
        "parameter 'extra' has no binding: expected one of 'req', 'context'; rename or remove it, "
        "or add a binding called 'extra'",
    ),
    (
        """
        @app.route(route="bad")
        def bad(): ...
        """,
        "binding 'req' has no parameter: add the parameter 'req' to the function",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req, **more): ...
        """,
        "parameter '**more' is not allowed: name each binding's parameter",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req, *more): ...
        """,
        "parameter '*more' is not allowed: name each binding's parameter",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req: dict): ...
        """,
        "parameter 'req' is annotated dict: this host does not give that for a 'httpTrigger' binding; "
        "expected func.HttpRequest, or no annotation",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req) -> func.HttpResponse | str: ...
        """,
        "it is annotated to return azure.functions._http.HttpResponse | str: the worker does not take "
        "that for "
        "a 'http' binding; expected func.HttpResponse or str, or no annotation",
    ),
    (
        """
        @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
        def bad(timer: str | None): ...
        """,
        "parameter 'timer' is annotated str | None: this host does not give that for a 'timerTrigger' "
        "binding; expected func.TimerRequest or str, or no annotation",
    ),
    (
        """
        @app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="h",
                             eventType="user", eventName="e")
        def bad(request: dict): ...
        """,
        "parameter 'request' is annotated dict: this host does not give that for a 'webPubSubTrigger' "
        "binding; expected str or bytes, or no annotation",
    ),
    (
        """
        @app.route(route="bad")
        @app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
        def bad(req, actions: str): ...
        """,
        "parameter 'actions' is annotated str: its binding's direction is 'out', so expected func.Out[...], "
        "or nothing",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req: func.Out[str]): ...
        """,
        "parameter 'req' is annotated azure.functions._abc.Out[str]: its binding's direction is 'in', so "
        "expected a type that is not func.Out, or nothing",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req: "Nowhere"): ...
        """,
        "its annotations cannot be resolved: NameError: name 'Nowhere' is not defined",
    ),
    (
        """
        @app.route(route="bad")
        def bad(req, context: dict): ...
        """,
        "parameter 'context' is annotated dict: expected func.Context, or nothing",
    ),
    (
        """
        @app.route(route="bad")
        async def bad(req):
            yield 1
        """,
        "it is a generator: expected a function that returns, so use 'return' instead of 'yield'",
    ),
    (
        """
        @app.function_name("no spaces")
        @app.route(route="bad")
        def bad(req): ...
        """,
        "its name is not allowed: expected a letter, then up to 127 letters, digits, '_' or '-', and not "
        "'host'",
    ),
    (
        """
        @app.route(route="bad", trigger_arg_name="a__b")
        def bad(a__b): ...
        """,
        "binding name 'a__b' is not allowed: expected letters, digits and single '_'",
    ),
    (
        """
        @app.route(route="bad")
        @app.generic_input_binding(arg_name="REQ", type="webPubSubConnection", hub="h", connection="C")
        def bad(req, REQ): ...
        """,
        "two bindings have the name 'req': names must differ, in any case",
    ),
    (
        """
        @app.queue_trigger(arg_name="message", queue_name="q", connection="C")
        def bad(message: func.QueueMessage): ...
        """,
        "binding 'message': type 'queueTrigger' is not run by this host: it runs httpTrigger, timerTrigger, "
        "webPubSubTrigger, webPubSubConnection, webPubSubContext, http, webPubSub; leave the function out "
        "with "
        "'--functions', or run it with Azure Functions Core Tools",
    ),
    (
        """
        @app.route(route="admin/x", auth_level="anonymous")
        def bad(req): ...
        """,
        "binding 'req': route 'admin/x' starts with 'admin' or 'runtime', which the host keeps for itself",
    ),
    (
        """
        @app.route(route="a/{b")
        def bad(req): ...
        """,
        "binding 'req': route 'a/{b' has a '{' without its partner",
    ),
    (
        """
        @app.generic_trigger(arg_name="req", type="httpTrigger", methods="GET")
        def bad(req): ...
        """,
        "binding 'req': 'methods' is 'GET': expected a list such as ['GET', 'POST']",
    ),
    (
        """
        @app.generic_trigger(arg_name="req", type="httpTrigger", methods=["GET,POST"])
        def bad(req): ...
        """,
        "binding 'req': 'methods' is ['GET,POST']: expected a list such as ['GET', 'POST']",
    ),
    (
        """
        @app.generic_trigger(arg_name="req", type="http")
        def bad(req): ...
        """,
        "it has 0 triggers: expected one",
    ),
    (
        """
        @app.timer_trigger(arg_name="timer", schedule="%When%")
        def bad(timer): ...
        """,
        "binding 'timer': setting 'When' of '%When%' does not exist: add it to 'Values' in "
        "local.settings.json or to the environment",
    ),
    (
        """
        @app.generic_trigger(arg_name="timer", type="timerTrigger")
        def bad(timer): ...
        """,
        "binding 'timer': 'schedule' is missing: expected for example '0 */5 * * * *'",
    ),
]


@pytest.mark.parametrize(("function", "text"), FUNCTION_PROBLEMS)
def test_a_bad_function_is_told_and_the_others_run(load_app: Load, function: str, text: str) -> None:
    environ = {"AzureFunctionsJobHost__extensions__http__routePrefix": ""}
    host = load_app(app(GOOD, function), environ)
    (problem,) = host.problems
    assert isinstance(problem, FunctionError)
    name = problem.function
    assert str(problem) == f"function_app.py:9: function '{name}': {text}"
    assert names(host) == ["good"]


def test_all_problems_are_told_at_once(load_app: Load) -> None:
    host = load_app(app(FUNCTION_PROBLEMS[0][0], FUNCTION_PROBLEMS[1][0].replace("bad", "worse"), GOOD))
    assert [problem.split(": ")[1] for problem in problems(host)] == ["function 'bad'", "function 'worse'"]
    assert names(host) == ["good"]


def test_two_functions_of_one_name_are_told(load_app: Load) -> None:
    host = load_app(app(GOOD, GOOD.replace("good", "Good")))
    assert problems(host) == [
        "function_app.py:9: function 'Good': another function (function_app.py:5) has this name: rename one"
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        "req: func.HttpRequest, context: func.Context",
        "req, context",
        'req: "func.HttpRequest"',
        "req: Annotated[func.HttpRequest, 1]",
    ],
)
def test_what_the_worker_takes_is_taken(load_app: Load, parameters: str) -> None:
    function = f"@app.route(route='x')\ndef f({parameters}): ...\n"
    host = load_app("from typing import Annotated\n" + app(function))
    assert (problems(host), names(host)) == ([], ["f"])


def test_output_annotations_the_worker_takes_are_taken(load_app: Load, connection_string: str) -> None:
    function = """
        @app.route(route="x", binding_arg_name="res")
        @app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat")
        @app.generic_output_binding(arg_name="more", type="webPubSub", hub="chat")
        def f(req, res: func.Out[func.HttpResponse], actions: func.Out[str], more: func.Out[bytes]): ...
    """
    host = load_app(app(function), {"WebPubSubConnectionString": connection_string})
    assert (problems(host), names(host)) == ([], ["f"])


def test_a_callable_object_is_told(load_app: Load) -> None:
    host = load_app(
        APP + "import functools\n"
        "def f(req, x): ...\n"
        "partial = functools.partial(f, x=1)\npartial.__name__ = 'bad'\n"
        "app.route(route='x')(partial)\n"
    )
    assert problems(host) == [
        "function_app.py: function 'bad': it is a partial: expected a function made with 'def' or 'async def'"
    ]


def test_asgi_apps_are_functions(load_app: Load) -> None:
    host = load_app("import azure.functions as func\napp = func.AsgiFunctionApp(app=lambda *a: None)\n")
    assert problems(host) == []
    assert [(f.name, f.path, f.where) for f in host.functions] == [
        ("http_app_func", "/api/{*route}", "function_app.py")
    ]


def test_what_decorators_refuse_is_told_with_every_other_problem(load_app: Load) -> None:
    """One bad decorator does not end the import: the rest of the app is looked at, and runs."""
    source = """
    import azure.functions as func
    import webpubsub as wps

    app = wps.FunctionApp()

    @app.route(route="first")
    @app.web_pubsub_output(hub="not a hub")
    @app.web_pubsub_connection_input(hub="chat", arg_name="conection")
    def first(req: func.HttpRequest, connection, actions) -> str:
        return ""

    @app.web_pubsub_trigger(hub="chat", event_type="system", event_name="conected")
    def second(request) -> None: ...

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    def third(request: wps.ConnectEventRequest, reason: str) -> wps.ConnectEventResponse: ...

    @app.route(route="fourth")
    def fourth(rec: func.HttpRequest) -> str:
        return ""

    @app.route(route="fifth")
    def fifth(req: func.HttpRequest) -> str:
        return ""
    """
    host = load_app(dedent(source), {})
    assert names(host) == ["fifth"]
    found = [str(problem) for problem in host.problems]
    assert [(line.split(":")[1], line.split("'")[1]) for line in found] == [
        ("7", "first"),
        ("7", "first"),
        ("13", "second"),
        ("16", "third"),
        ("16", "third"),
        ("16", "third"),
        ("19", "fourth"),
        ("19", "fourth"),
    ]
