"""Loads ``function_app.py`` and finds its functions, as the worker does.

Source: Python spec, sections 2, 4 and 5.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from webpubsub.functions.checks import function_problems
from webpubsub.host.function import FunctionDefinition
from webpubsub.host.indexing import check_function
from webpubsub.model.errors import ConfigurationError, FunctionError

__all__ = ["load_functions"]

# The library has one class for what it calls functions; its stubs differ between versions, hence Any.
_LibraryFunction = Any


def load_functions(
    app_dir: Path, script_file: str, problems: list[ConfigurationError]
) -> list[FunctionDefinition]:
    """Import the app and return its functions.

    A function the worker would refuse is left out and named in ``problems``.

    Raises:
        ConfigurationError: The app cannot be imported, or does not hold exactly one function app.
    """
    app = _find_app(_import(app_dir, script_file), script_file)
    if not app._function_builders:
        raise ConfigurationError(
            f"{script_file} defines no functions: decorate one, for example with '@app.route(...)', or "
            "register the blueprint that has them with 'app.register_functions(blueprint)'"
        )
    definitions = []
    for function in _functions(app, app_dir, script_file, problems):
        definition = _define(function, app_dir, script_file)
        texts = [*(error.problem for error in function_problems(function)), *check_function(definition)]
        found = [definition.problem(text) for text in texts]
        problems += found
        if not found:
            definitions.append(definition)
    return definitions


def _import(app_dir: Path, script_file: str) -> ModuleType:
    path = app_dir / script_file
    if not path.is_file():
        raise ConfigurationError(_missing(app_dir, script_file))
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python file: expected a name that ends with '.py'")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except FunctionError as error:
        # A decorator refused its function, and knows it better than the traceback.
        del sys.modules[name]
        raise FunctionError(error.function, _short(error.where, app_dir), error.problem) from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = "".join(f"\n  {line}" for line in _own_frames(error, app_dir))
        raise ConfigurationError(
            f"{script_file} cannot be imported: {type(error).__name__}: {error}{lines}"
        ) from error
    return module


def _missing(app_dir: Path, script_file: str) -> str:
    text = f"{app_dir} has no {script_file}: expected the file that defines the functions"
    if any(app_dir.glob("*/function.json")):
        return f"{text}; apps of function.json folders (the v1 model) are not run by this host yet"
    return f"{text}; give the folder of a function app"


def _own_frames(error: BaseException, app_dir: Path) -> Iterator[str]:
    """Yield ``file:line: code`` of the frames in the user's own files, outermost first."""
    for frame in traceback.extract_tb(error.__traceback__):
        if (file := _inside(Path(frame.filename), app_dir)) is not None:
            yield f"{file}:{frame.lineno}: {frame.line}"
    if isinstance(error, SyntaxError) and error.filename is not None:
        file = _inside(Path(error.filename), app_dir) or error.filename
        yield f"{file}:{error.lineno}: {(error.text or '').strip()}"


def _short(where: str, app_dir: Path) -> str:
    file, colon, line = where.rpartition(":")
    return f"{_inside(Path(file), app_dir) or file}{colon}{line}"


def _inside(path: Path, app_dir: Path) -> str | None:
    return path.relative_to(app_dir).as_posix() if path.is_relative_to(app_dir) else None


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
    app: func.FunctionRegister, app_dir: Path, script_file: str, problems: list[ConfigurationError]
) -> Iterator[_LibraryFunction]:
    """Build the functions one by one, so that every bad one is named and not only the first."""
    seen: dict[str, str] = {}
    # Private, and stable since the v2 model exists; the public `get_functions()` stops at the first error.
    for builder in app._function_builders:
        built: _LibraryFunction = builder._function
        name: str = built.get_function_name()
        where = _where(built.get_user_function(), app_dir, script_file)
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


def _define(function: _LibraryFunction, app_dir: Path, script_file: str) -> FunctionDefinition:
    call = function.get_user_function()
    return FunctionDefinition(
        name=function.get_function_name(),
        where=_where(call, app_dir, script_file),
        directory=str(_file(call, app_dir / script_file).parent),
        bindings=tuple(json.loads(function.get_function_json())["bindings"]),
        call=call,
    )


def _where(call: Callable[..., Any], app_dir: Path, script_file: str) -> str:
    """Return ``file:line`` of the user's function, or the app's file when it is not in the app's folder."""
    user_call = inspect.unwrap(call)
    file = _inside(_file(user_call, app_dir / script_file), app_dir)
    code = getattr(user_call, "__code__", None)
    return f"{file}:{code.co_firstlineno}" if file is not None and code is not None else script_file


def _file(call: Callable[..., Any], default: Path) -> Path:
    try:
        return Path(inspect.getfile(call))
    except TypeError:  # a callable object has no file
        return default
