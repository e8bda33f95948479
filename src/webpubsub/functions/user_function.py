"""The function as its author wrote it: name, place, parameters, annotations; and where its refusals go.

A refusal is raised at once, or collected by a host that names them all.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from webpubsub.model.errors import FunctionError, FunctionErrors

_VARIADIC = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}

_collected: ContextVar[list[FunctionError] | None] = ContextVar("_collected", default=None)


class UserFunction:
    """A function that the Functions worker can run.

    Attributes:
        call: The function itself.
        name: Its name in Python.
        where: ``file:line`` of its definition.
        file: That file.
        is_async: Calling it gives an awaitable.
        parameters: Its parameters by name.

    Raises:
        FunctionError: The worker could not run it.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        innermost = inspect.unwrap(call)
        code = getattr(innermost, "__code__", None)
        self.call = call
        self.name: str = getattr(call, "__name__", type(call).__name__)
        self.file: str = code.co_filename if code else "(no file)"
        self.where = f"{self.file}:{code.co_firstlineno}" if code else self.file
        if not inspect.isroutine(call) or code is None:
            raise self.error(
                f"expected a function, found {type(call).__name__}: the worker runs 'def' and 'async def'"
            )
        if inspect.isasyncgenfunction(innermost) or inspect.isgeneratorfunction(innermost):
            raise self.error(
                "expected a function that returns, found a generator: replace 'yield' by 'return'"
            )
        # A decorator of the user's own may be either flavour, whatever the function inside is.
        self.is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(innermost)
        self.parameters: Mapping[str, inspect.Parameter] = inspect.signature(call).parameters
        self._check_parameters()

    def error(self, problem: str, name: str | None = None) -> FunctionError:
        return FunctionError(name or self.name, self.where, problem)

    def annotation(self, parameter: str) -> Any:
        """Return an annotation as written (maybe a string), or ``inspect.Parameter.empty``."""
        return getattr(self.call, "__annotations__", {}).get(parameter, inspect.Parameter.empty)

    def is_annotated(self, parameter: str) -> bool:
        return self.annotation(parameter) is not inspect.Parameter.empty

    def hint(self, parameter: str) -> Any:
        """Return an annotation as a type; ``Any`` when there is none, or when it cannot be known yet."""
        if not self.is_annotated(parameter):
            return Any
        holder = types.SimpleNamespace(__annotations__={parameter: self.annotation(parameter)})
        module = getattr(inspect.unwrap(self.call), "__globals__", {})
        try:
            return typing.get_type_hints(holder, module)[parameter]
        except (NameError, AttributeError, TypeError, SyntaxError):
            # A name that is defined later, or only for type checkers.
            return Any

    def _check_parameters(self) -> None:
        for parameter in self.parameters.values():
            if parameter.kind in _VARIADIC:
                raise self.error(
                    f"parameter '{_VARIADIC[parameter.kind]}{parameter.name}' has no binding: "
                    "expected one named parameter a binding"
                )
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                raise self.error(
                    f"parameter '{parameter.name}' is positional-only, but bindings are passed by name: "
                    "remove the '/'"
                )


def members_of(hint: Any) -> list[Any]:
    """Return the classes of a type: each of a union, the origin of a generic, without None.

    Anything that is no class (``Any``, type variables, ...) is returned as ``Any``.
    """
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(hint) for member in members_of(part)]
    hint = typing.get_origin(hint) or hint
    if hint is type(None):
        return []
    return [hint if isinstance(hint, type) and not getattr(hint, "_is_protocol", False) else Any]


@contextmanager
def collecting_refusals() -> Iterator[list[FunctionError]]:
    """Let decorators note what they refuse instead of raising it, so that the app's import goes on.

    Their functions stay as they were; whoever collects leaves them out.
    """
    found: list[FunctionError] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def is_collected(refusal: FunctionError | FunctionErrors) -> bool:
    """Whether somebody collects, and has noted ``refusal``; else it must be raised."""
    collected = _collected.get()
    if collected is None:
        return False
    collected += [refusal] if isinstance(refusal, FunctionError) else refusal.errors
    return True
