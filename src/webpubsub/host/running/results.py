"""What becomes of a result when no ``$return`` output takes it.

The Functions host copies each member of a returned object to the output of that name, over what the function
has set. An event is answered with the same object; the extension drops members it does not know, and as here
any dict can be an answer, those of outputs are taken out of it.

Where no binding can take a result the function must return None: the worker fails the call.

Source: Python spec, section 2; extension spec, section 5.1.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final

from webpubsub.functions.host_json.response_json import RESPONSE_MEMBERS
from webpubsub.host.converters import has_implicit_output
from webpubsub.host.function import HostFunction
from webpubsub.model.errors import UsageError

# Parameters and results are whatever the bindings and the function make of them, hence Any.
Values = dict[str, Any]
Run = Callable[[Values], Any | Awaitable[Any]]
Take = Callable[[Values, Any], Any]

_ANSWERS: Final = {name.lower() for name in RESPONSE_MEMBERS}


def run_of(function: HostFunction) -> Run:
    """Return the function's ``run``, with all that becomes of its result; most functions keep their own."""
    take, run = _taker(function), function.run
    if take is None:
        return run

    async def run_async(values: Values) -> Any:
        result = run(values)
        return take(values, await result if isawaitable(result) else result)

    return run_async if function.is_async else lambda values: take(values, run(values))


def _taker(function: HostFunction) -> Take | None:
    definition = function.definition
    # A typed trigger takes answers only, and they have no member that is called like an output.
    if function.result is not None or definition.is_typed(function.trigger.name):
        return None
    if not any(has_implicit_output(binding["type"]) for binding in definition.bindings):
        return _refuse
    names = frozenset(output.name for output in function.outputs)
    return _copy_members(names) if names else None


def _refuse(values: Values, result: Any) -> Any:
    if result is not None:
        raise UsageError(
            f"the function returned {type(result).__name__}, which none of its bindings takes: expected "
            "None, as the Azure Functions worker fails such a call"
        )


def _copy_members(names: frozenset[str]) -> Take:
    of_outputs = {name for name in names if name.lower() not in _ANSWERS}

    def take(values: Values, result: Any) -> Any:
        found = names & result.keys() if isinstance(result, dict) else ()
        for name in found:
            value = result[name]
            values[name].set(value if value is None or isinstance(value, str) else json.dumps(value))
        return _without(of_outputs, result) if found else result

    return take


def _without(names: set[str], members: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in members.items() if name not in names} or None
