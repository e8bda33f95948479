"""The worker's own checks of a function, so that an app that runs here does not fail in Azure.

There, one bad function keeps the whole app from starting.

Source: Python spec, section 4.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from webpubsub.functions.did_you_mean import did_you_mean
from webpubsub.host.converters import accepts_annotation
from webpubsub.host.function import RETURN, Binding, FunctionDefinition
from webpubsub.host.settings.retry import parse_retry
from webpubsub.model.errors import ConfigurationError

_FUNCTION_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,127}", re.IGNORECASE)
_BINDING_NAME: Final = re.compile(r"(?!.*__)[a-z_][a-z0-9_]{0,127}|\$return", re.IGNORECASE)
_OTHER_KINDS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_function(definition: FunctionDefinition) -> Iterator[str]:
    """Yield what is wrong with a function: expected, found and the fix.

    Parameters of typed functions are left to their adapter, which knows what its author wrote.
    """
    yield from _check_names(definition)
    yield from _check_retry(definition)
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


def _check_retry(definition: FunctionDefinition) -> Iterator[str]:
    try:
        if definition.retry is not None:
            parse_retry(definition.retry)
    except ConfigurationError as error:
        yield str(error)


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
                f"parameter '{name}' has no binding: expected one of {_listed(bindings)}; rename or "
                f"remove it, or add a binding called '{name}'{did_you_mean(name, bindings)}"
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
    if "return" in annotations:
        yield from _check_return(definition, annotations["return"])


def _check_return(definition: FunctionDefinition, annotation: Any) -> Iterator[str]:
    """Check the annotation only where a binding is called ``$return``: elsewhere the worker does not look."""
    binding = next((each for each in definition.bindings if each["name"] == RETURN), None)
    if binding is not None and not accepts_annotation(binding["type"], annotation, is_out=True):
        expected = _RETURNED.get(binding["type"].lower(), "str or bytes")
        yield (
            f"it is annotated to return {_shown(annotation)}: the worker does not take that for a "
            f"'{binding['type']}' binding; expected {expected}, or no annotation"
        )


def _check_annotation(name: str, binding: Binding, annotation: Any) -> Iterator[str]:
    is_out = getattr(typing.get_origin(annotation) or annotation, "__name__", "") == "Out"
    should_be_out = str(binding.get("direction", "in")).lower() == "out"
    if is_out != should_be_out:
        expected = "func.Out[...]" if should_be_out else "a type that is not func.Out"
        yield (
            f"parameter '{name}' is annotated {_shown(annotation)}: its binding's direction is "
            f"'{'out' if should_be_out else 'in'}', so expected {expected}, or nothing"
        )
    elif not accepts_annotation(
        binding["type"], _of_out(annotation) if is_out else annotation, is_out=is_out
    ):
        expected = _EXPECTED.get(binding["type"].lower(), "str or bytes")
        yield (
            f"parameter '{name}' is annotated {_shown(annotation)}: this host does not give that for a "
            f"'{binding['type']}' binding; expected {expected}, or no annotation"
        )


_RETURNED: Final = {"http": "func.HttpResponse or str"}
_EXPECTED: Final = {
    "httptrigger": "func.HttpRequest",
    "timertrigger": "func.TimerRequest or str",
    "http": "func.Out[func.HttpResponse]",
}


def _of_out(annotation: Any) -> Any:
    return next(iter(typing.get_args(annotation)), None)


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
