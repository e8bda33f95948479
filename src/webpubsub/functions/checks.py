"""What is wrong with a function as a whole, found when its app is indexed.

Parameters that a decorator further up may still bind cannot be judged before.

Source: Functions in Python spec, sections 2, 4 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from webpubsub.functions.adapter import Adapter, adapter_of
from webpubsub.functions.binding_checks import (
    CONTEXT_PARAMETER,
    RETURN,
    collision_problems,
    same_name_problem,
)
from webpubsub.functions.bindings import REQUEST
from webpubsub.functions.did_you_mean import did_you_mean, listed
from webpubsub.functions.events import EVENT_PARAMETERS
from webpubsub.model.errors import FunctionError, FunctionErrors

_OUT: Final = 1  # azure.functions' number of the direction "out"


class AnyBinding(Protocol):
    """A binding of anybody's, as ``azure.functions`` keeps it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def direction(self) -> int:
        """0 in, 1 out."""


class AnyFunction(Protocol):
    """A function of anybody's, as ``azure.functions`` hands it to the worker."""

    def get_function_name(self) -> str | None:
        """Return its name in the app."""

    def get_user_function(self) -> Any:
        """Return what the worker would call."""

    def get_bindings(self) -> Sequence[Any]:
        """Return its bindings."""


def stack_problems(adapter: Adapter, bindings: Iterable[AnyBinding]) -> Iterator[str]:
    """Yield what is wrong with the bindings of a function taken together, other people's included."""
    seen: set[str] = set()
    for binding in bindings:
        if binding.name.lower() in seen:
            yield same_name_problem(adapter, binding.name)
        seen.add(binding.name.lower())
        if adapter.trigger is not None and binding.name not in adapter.bindings:
            yield from _beside_trigger(binding)


def _beside_trigger(binding: AnyBinding) -> Iterator[str]:
    if binding.name == RETURN:
        yield (
            f"the {binding.type} binding takes the return value, which answers the trigger's event: "
            "name a parameter for it"
        )
    elif binding.direction == _OUT:
        yield from collision_problems(binding.name)


def check_functions(functions: Iterable[AnyFunction]) -> None:
    """Check every function of an app.

    Raises:
        FunctionErrors: Each problem of each function.
    """
    problems = [problem for function in functions for problem in function_problems(function)]
    if problems:
        raise FunctionErrors(*problems)


def function_problems(function: AnyFunction) -> list[FunctionError]:
    """Return what is wrong with a complete function; untyped ones are left to the worker's own checks."""
    adapter = adapter_of(function.get_user_function())
    if adapter is None:
        return []
    texts = declared_problems(adapter, function.get_bindings())
    return [adapter.function.error(text, function.get_function_name()) for text in texts]


def declared_problems(adapter: Adapter, bindings: Sequence[AnyBinding]) -> Iterator[str]:
    """Yield what is wrong with a typed function and all its bindings, other people's included."""
    yield from stack_problems(adapter, bindings)
    yield from _unbound_problems(adapter, bindings)


def _unbound_problems(adapter: Adapter, bindings: Sequence[AnyBinding]) -> Iterator[str]:
    """Yield parameters without a binding; when there are none, bindings without a parameter."""
    bound = {binding.name: binding.type for binding in bindings if binding.name != RETURN}
    missing = [name for name in bound if name not in adapter.shown]
    free = [name for name in adapter.shown if name not in bound and name != CONTEXT_PARAMETER]
    if _has_settlement_client(adapter, bindings, free):
        free = []
    expected = [*missing, *_event_parameters(adapter), CONTEXT_PARAMETER]
    for name in free:
        yield (
            f"parameter '{name}' has no binding: expected one of {listed(expected)}; rename or remove it, or "
            f"add the binding that fills it{did_you_mean(name, expected)}"
        )
    for name in missing if not free else ():
        yield _missing_parameter(adapter, name, bound[name])


def _missing_parameter(adapter: Adapter, name: str, type_: str) -> str:
    if name in adapter.event_parameters:
        return (
            f"the {type_} binding is called '{name}', but the trigger fills a parameter of that name: "
            "give the binding another name"
        )
    return f"the {type_} binding has no parameter: add a parameter '{name}', or remove the binding"


def _event_parameters(adapter: Adapter) -> list[str]:
    """Return what the function could still take by name."""
    trigger = adapter.trigger
    if trigger is None:
        return []
    names = trigger.event.parameters if trigger.event else sorted(EVENT_PARAMETERS)
    own = [REQUEST] if trigger.parameter not in adapter.function.parameters else []
    return [*own, *(name for name in names if name not in adapter.function.parameters)]


def _has_settlement_client(adapter: Adapter, bindings: Sequence[AnyBinding], free: Sequence[str]) -> bool:
    # The worker fills one unbound, annotated parameter of a Service Bus function by itself.
    is_service_bus = any(binding.type == "serviceBusTrigger" for binding in bindings)
    return is_service_bus and len(free) == 1 and adapter.function.is_annotated(free[0])
