"""``typed``: model values for the ``main`` of a v1 app, whose bindings stand in its ``function.json``.

The bindings are read when the function is decorated, so whatever is wrong with the two together is told then:
by the worker in Azure when it loads the function, by the host of this package, and by a test that imports it.

Source: Functions in Python spec, sections 4, 5 and 7.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

from webpubsub.functions.adapter import Adapter
from webpubsub.functions.declared_bindings import bind
from webpubsub.functions.did_you_mean import did_you_mean, listed
from webpubsub.functions.function_json import FunctionJson, function_folders, read_function_json
from webpubsub.functions.user_function import UserFunction, is_collected
from webpubsub.model.errors import ConfigurationError, FunctionError, FunctionErrors

F = TypeVar("F", bound=Callable[..., Any])


@overload
def typed(function: F) -> F: ...
@overload
def typed(*, function_json: Path | str) -> Callable[[F], F]: ...
def typed(function: F | None = None, *, function_json: Path | str | None = None) -> F | Callable[[F], F]:
    """Give the ``main`` of a v1 function model values for the bindings of its ``function.json``.

    A parameter is called like its binding, or in snake_case: ``wps_context`` for ``wpsContext``. The
    trigger's request may have any name, and may be left out; beside it the function may take, by name, what
    the decorator ``web_pubsub_trigger`` lists, and it answers as there. In function.json the trigger is
    called ``request``, or ``data`` with ``"dataType": "binary"`` where user events bring binary data.

    Args:
        function: What ``entryPoint`` names.
        function_json: The function.json, for a function that is not written in the file that ``scriptFile``
            names; a path from the file that it is written in. None finds the one whose script and entry point
            the function is.

    Raises:
        FunctionErrors: There is no such function.json, or it and the function can never work together;
            every problem, with the places of both.

    Example:
        >>> @typed  # doctest: +SKIP
        ... def main(request: UserEventRequest, actions: Actions) -> str:
        ...     actions.send_to_all(f"{request.connection_context.user_id}: {request.data}")
        ...     return "sent"
    """
    if function is None:
        return functools.partial(_typed, function_json=function_json)
    return _typed(function)


def _typed(function: F, function_json: Path | str | None = None) -> F:
    try:
        return _wrapper(function, function_json)  # type: ignore[return-value]
    except (FunctionError, FunctionErrors) as refusal:
        if not is_collected(refusal):
            raise
        return function


def _wrapper(function: Callable[..., Any], function_json: Path | str | None) -> Callable[..., Any]:
    adapter = Adapter(function)
    if function_json is None:
        declared = _find(adapter.function)
    else:
        declared = read_function_json((Path(adapter.function.file).parent / function_json).resolve().parent)
    problems = dict.fromkeys(bind(adapter, declared))
    if problems:
        error = adapter.function.error
        texts = (f"{problem}; its bindings are in {declared.where}" for problem in problems)
        raise FunctionErrors(*(error(text, declared.name) for text in texts))
    return adapter.wrapper


def _find(function: UserFunction) -> FunctionJson:
    script = Path(function.file).resolve()
    found: list[FunctionJson] = []
    for declared in _candidates(script.parent):
        if declared.script.resolve() == script:
            if declared.entry_point == function.name:
                return declared
            found.append(declared)
    raise FunctionErrors(function.error(_not_found(function, script, found)))


def _candidates(folder: Path) -> Iterator[FunctionJson]:
    """Yield the function.json beside a script, then those of the whole app: a script may lie elsewhere."""
    if (folder / "function.json").is_file():
        yield read_function_json(folder)
    for other in _app_folders(folder):
        if other != folder:
            try:
                yield read_function_json(other)
            except ConfigurationError:
                continue  # another function's, which is told when that one is loaded


def _app_folders(folder: Path) -> list[Path]:
    for root in (folder, *folder.parents):
        folders = function_folders(root)
        if folders or (root / "host.json").is_file():
            return folders
    return []


def _not_found(function: UserFunction, script: Path, found: list[FunctionJson]) -> str:
    if not found:
        return (
            f"no function.json names this file: expected one beside it with 'scriptFile' '{script.name}'; "
            "for a function that is written elsewhere, name it: typed(function_json=...)"
        )
    names = [declared.entry_point for declared in found]
    places = ", ".join(declared.where for declared in found)
    return (
        f"{places} runs {listed(names)} of this file: rename the function, or set 'entryPoint' to its name"
        f"{did_you_mean(function.name, names)}"
    )
