"""Apps of the v2 model: ``function_app.py``, loaded as the worker loads it.

Both `AsgiFunctionApp` and `WsgiFunctionApp` are one HTTP function for every path, which the library writes;
they run like any other. Only the end of an ASGI app's life needs the host.

Source: Python spec, sections 2, 4 and 5; azure.functions, ``_http_asgi.py``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import azure.functions as func

from webpubsub.functions.checks import function_problems
from webpubsub.functions.user_function import collecting_refusals
from webpubsub.host.function import FunctionDefinition
from webpubsub.host.loading.indexing import check_function
from webpubsub.host.loading.user_code import file_of, own_frames, place_of, put_on_path, shortened
from webpubsub.model.errors import ConfigurationError, FunctionError
from webpubsub.model.logs.text import text_of

# The library has one class for what it calls functions; its stubs differ between versions, hence Any.
_LibraryFunction = Any

_STREAMING: Final = "azurefunctions.extensions.http.fastapi"


def load_function_app(
    app_dir: Path, script_file: str, problems: list[ConfigurationError]
) -> list[FunctionDefinition]:
    """Import the app and return its functions.

    A function the worker would refuse is left out and named in ``problems``.

    Raises:
        ConfigurationError: The app cannot be imported, or does not hold exactly one function app.
    """
    with collecting_refusals() as refusals:
        try:
            module = _import(app_dir, script_file)
        finally:
            refused = [shortened(error, app_dir) for error in refusals]
            problems += refused
    app = _find_app(module, script_file)
    refuse_streaming(script_file)
    if not app._function_builders and not refused:
        raise ConfigurationError(
            f"{script_file} defines no functions: decorate one, for example with '@app.route(...)', or "
            "register the blueprint that has them with 'app.register_functions(blueprint)'"
        )
    definitions = []
    places = {error.where for error in refused}
    for function in _functions(app, app_dir, script_file, places, problems):
        definition = _define(function, app, app_dir, script_file)
        texts = [*(error.problem for error in function_problems(function)), *check_function(definition)]
        found = [definition.problem(text) for text in texts]
        problems += found
        if not found:
            definitions.append(definition)
    return definitions


def _import(app_dir: Path, script_file: str) -> ModuleType:
    path = app_dir / script_file
    put_on_path(app_dir)
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python file: expected a name that ends with '.py'")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[name]
        lines = "".join(f"\n  {place}: {code}" for place, code in own_frames(error, app_dir))
        raise ConfigurationError(
            f"{script_file} cannot be imported: {type(error).__name__}: {text_of(error)}{lines}"
        ) from error
    return module


def _find_app(module: ModuleType, script_file: str) -> func.FunctionRegister:
    found = {name: value for name, value in vars(module).items() if isinstance(value, func.FunctionRegister)}
    if not found:
        raise ConfigurationError(
            f"{script_file} has no function app: expected one module-level name bound to a FunctionApp, for "
            "example 'app = func.FunctionApp()'"
        )
    if len(found) > 1:
        names = ", ".join(f"'{name}'" for name in found)
        raise ConfigurationError(
            f"{script_file} has {len(found)} names bound to a function app ({names}): expected one, and an "
            "alias counts too; keep one and make the others a Blueprint"
        )
    return next(iter(found.values()))


def _functions(
    app: func.FunctionRegister,
    app_dir: Path,
    script_file: str,
    refused: Collection[str],
    problems: list[ConfigurationError],
) -> Iterator[_LibraryFunction]:
    """Build the functions one by one, so that every bad one is named and not only the first.

    A decorator refused those at the places ``refused``: what its others made of them is no function.
    """
    seen: dict[str, str] = {}
    # Private, and stable since the v2 model exists; the public `get_functions()` stops at the first error.
    for builder in app._function_builders:
        built: _LibraryFunction = builder._function
        name: str = built.get_function_name()
        where = place_of(built.get_user_function(), app_dir) or script_file
        if where in refused:
            continue
        if name.lower() in seen:
            problem = f"another function ({seen[name.lower()]}) has this name: rename one"
            problems.append(FunctionError(name, where, problem))
            continue
        seen[name.lower()] = where
        try:
            yield builder.build(app.auth_level)
        except ValueError as error:
            problems.append(FunctionError(name, where, _build_problem(built, error)))


def _build_problem(built: _LibraryFunction, error: ValueError) -> str:
    if built.get_trigger() is None:
        return "it has no trigger: add one decorator with a trigger, for example '@app.route(...)'"
    return str(error)


def _define(
    function: _LibraryFunction, app: func.FunctionRegister, app_dir: Path, script_file: str
) -> FunctionDefinition:
    call = function.get_user_function()
    return FunctionDefinition(
        name=function.get_function_name(),
        where=place_of(call, app_dir) or script_file,
        directory=str((file_of(call) or app_dir / script_file).parent),
        bindings=tuple(json.loads(function.get_function_json())["bindings"]),
        call=call,
        retry=function.get_settings_dict("retry_policy"),
        on_stop=shutdown_of(app, function),
    )


def refuse_streaming(script_file: str) -> None:
    """Refuse an app that has imported the library for HTTP streams.

    Raises:
        ConfigurationError: It has.
    """
    if _STREAMING in sys.modules:
        raise ConfigurationError(
            f"{script_file} imports {_STREAMING}, which makes every HTTP function a streaming one, and this "
            "host has none: take func.HttpRequest and func.HttpResponse, or run a whole FastAPI app with "
            "'app = func.AsgiFunctionApp(app=fastapi_app)'"
        )


# The library's `Function`; its stubs differ between versions, hence Any.
def shutdown_of(app: func.FunctionRegister, function: Any) -> Callable[[], Awaitable[None]] | None:
    """Return what ends the life of the ASGI app behind ``function``, or None when there is none.

    The library would do it when its object is collected: in another event loop, where it waits for ever.
    """
    if not isinstance(app, func.AsgiFunctionApp) or function.http_type != "asgi":
        return None

    async def shutdown() -> None:
        if app.startup_task_done:
            app.startup_task_done = False
            await app.middleware.notify_shutdown()  # type: ignore[no-untyped-call]

    return shutdown
