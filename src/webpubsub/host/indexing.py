"""The worker's own checks of a function, so that an app that runs here does not fail in Azure.

There, one bad function keeps the whole app from starting.

Source: Python spec, section 4.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from azure.functions import meta

from webpubsub.host.function import RETURN, Binding, FunctionDefinition

__all__ = ["check_function"]

_FUNCTION_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,127}", re.IGNORECASE)
_BINDING_NAME: Final = re.compile(r"(?!.*__)[a-z_][a-z0-9_]{0,127}|\$return", re.IGNORECASE)
_OTHER_KINDS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_function(definition: FunctionDefinition) -> Iterator[str]:
    """Yield what is wrong with a function: expected, found and the fix.

    Parameters of typed functions are left to their adapter, which knows what its author wrote.
    """
    yield from _check_names(definition)
    call = definition.call
    if not inspect.isroutine(call):
        yield f"it is a {type(call).__name__}: expected a function made with 'def' or 'async def'"
    elif inspect.isasyncgenfunction(call) or inspect.isgeneratorfunction(call):
        yield "it is a generator: expected a function that returns, so use 'return' instead of 'yield'"
    else:
        yield from _check_parameters(definition)


def _check_names(definition: FunctionDefinition) -> Iterator[str]:
    if not _FUNCTION_NAME.fullmatch(definition.name) or definition.name.lower() == "host":
        yield (
            "its name is not allowed: expected a letter, then up to 127 letters, digits, '_' or '-', and "
            "not 'host'"
        )
    seen: set[str] = set()
    for binding in definition.bindings:
        name = binding["name"]
        if not _BINDING_NAME.fullmatch(name):
            yield f"binding name '{name}' is not allowed: expected letters, digits and single '_'"
        if name.lower() in seen:
            yield f"two bindings have the name '{name}': names must differ, in any case"
        seen.add(name.lower())


def _check_parameters(definition: FunctionDefinition) -> Iterator[str]:
    bindings = {binding["name"]: binding for binding in definition.bindings if binding["name"] != RETURN}
    if definition.adapter is None:
        yield from _check_binding_of_each(inspect.signature(definition.call).parameters, bindings)
    yield from _check_annotations(definition, bindings)


def _check_binding_of_each(
    parameters: Mapping[str, inspect.Parameter], bindings: Mapping[str, Binding]
) -> Iterator[str]:
    for name, parameter in parameters.items():
        if parameter.kind in _OTHER_KINDS:
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            yield f"parameter '{stars}{name}' is not allowed: name each binding's parameter"
        elif name not in bindings and name != "context":
            yield (
                f"parameter '{name}' has no binding: expected one of {_listed(bindings)}; add a binding with "
                f"arg_name='{name}', or remove the parameter"
            )
    for name in bindings:
        if name not in parameters:
            yield f"binding '{name}' has no parameter: add the parameter '{name}' to the function"


def _listed(bindings: Mapping[str, Binding]) -> str:
    return ", ".join(f"'{name}'" for name in (*bindings, "context"))


def _check_annotations(definition: FunctionDefinition, bindings: dict[str, Binding]) -> Iterator[str]:
    try:
        annotations = typing.get_type_hints(definition.call)
    except Exception as error:  # noqa: BLE001 - annotations are user code and may raise anything
        yield f"its annotations cannot be resolved: {type(error).__name__}: {error}"
        return
    context = annotations.get("context")
    if context is not None and "context" not in bindings and getattr(context, "__name__", "") != "Context":
        yield f"parameter 'context' is annotated {_shown(context)}: expected func.Context, or nothing"
    for name, binding in bindings.items():
        if name in annotations:
            yield from _check_annotation(name, binding, annotations[name])


def _check_annotation(name: str, binding: Binding, annotation: Any) -> Iterator[str]:
    is_out = getattr(typing.get_origin(annotation) or annotation, "__name__", "") == "Out"
    should_be_out = str(binding.get("direction", "in")).lower() == "out"
    if is_out != should_be_out:
        expected = "func.Out[...]" if should_be_out else "a type that is not func.Out"
        yield (
            f"parameter '{name}' is annotated {_shown(annotation)}: its binding's direction is "
            f"'{'out' if should_be_out else 'in'}', so expected {expected}, or nothing"
        )
    elif not _accepts(binding["type"], annotation, is_out):
        expected = _EXPECTED.get(binding["type"].lower(), "str or bytes")
        yield (
            f"parameter '{name}' is annotated {_shown(annotation)}: this host does not give that for a "
            f"'{binding['type']}' binding; expected {expected}, or no annotation"
        )


_EXPECTED: Final = {
    "httptrigger": "func.HttpRequest",
    "timertrigger": "func.TimerRequest",
    "http": "func.Out[func.HttpResponse]",
}


def _accepts(binding_type: str, annotation: Any, is_out: bool) -> bool:
    """Ask the library's converter of the binding type, as the worker does."""
    wanted = next(iter(typing.get_args(annotation)), None) if is_out else annotation
    converter = meta.get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call]
    if converter is None:
        # The worker's generic binding.
        return isinstance(wanted, type) and issubclass(wanted, str | bytes)
    kind = "check_output_type_annotation" if is_out else "check_input_type_annotation"
    check: Callable[[Any], bool] | None = getattr(converter, kind, None)
    try:
        return check is None or bool(check(wanted))
    except TypeError:  # the library's checks use issubclass
        return False


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
