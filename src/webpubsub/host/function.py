"""Functions: as the app defines them, and as the host runs them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from webpubsub.functions.adapter import Adapter, adapter_of
from webpubsub.host.connections import Connections
from webpubsub.host.environment import Environment
from webpubsub.model.errors import FunctionError
from webpubsub.model.trace import Trace

if TYPE_CHECKING:
    from webpubsub.host.invocation import Invocation

__all__ = [
    "RETURN",
    "Binding",
    "Facilities",
    "FunctionDefinition",
    "HostFunction",
    "Input",
    "Output",
    "Trigger",
]

# The binding name of what a function returns.
RETURN = "$return"

# A binding as its function.json has it; JSON is open, hence Any.
Binding = Mapping[str, Any]


class FunctionDefinition(msgspec.Struct, frozen=True):
    """A function as the app defines it.

    Attributes:
        name: The function's name.
        where: ``file:line``.
        directory: The folder of that file.
        bindings: As in ``function.json``.
        call: What the worker would call.
    """

    name: str
    where: str
    directory: str
    bindings: tuple[Binding, ...]
    call: Callable[..., Any]

    @property
    def adapter(self) -> Adapter | None:
        """The adapter of a typed function."""
        return adapter_of(self.call)

    def is_typed(self, binding: str) -> bool:
        """Whether an adapter takes model values for ``binding``; else it gets what the worker would give."""
        adapter = self.adapter
        return adapter is not None and binding in adapter.bindings

    def problem(self, text: str) -> FunctionError:
        """Return the error that ``text`` is wrong with this function."""
        return FunctionError(self.name, self.where, text)


class Facilities(msgspec.Struct, frozen=True):
    """What the host offers to its bindings.

    Attributes:
        environment: App settings.
        connections: Web PubSub services by connection name.
        clock: Seconds since the epoch.
        route_prefix: See `HostSettings`.
        trace: The listener, or None.
    """

    environment: Environment
    connections: Connections
    clock: Callable[[], float]
    route_prefix: str = "api"
    trace: Trace | None = None


class Trigger(Protocol):
    """What starts a function.

    Its *source* is what happened, in the trigger's own form: a request, an event, a timer's status.
    """

    name: str

    def value(self, source: Any) -> object:
        """Return the value of the parameter."""
        ...

    def data(self, source: Any) -> Mapping[str, Any]:
        """Return what expressions in the other bindings are resolved from."""
        ...

    def finish(self, result: Any, values: Mapping[str, Any], source: Any) -> Any:
        """Return the answer: ``result`` is what the function returned, ``values`` are its parameters'."""
        ...


class Input(Protocol):
    """A value made for each invocation."""

    name: str

    def open(self, invocation: Invocation) -> object:
        """Return the value of the parameter."""
        ...


class Output(Protocol):
    """A parameter (or the return value) that tells the host what to do afterwards."""

    name: str

    def open(self) -> object:
        """Return the value of the parameter."""
        ...

    async def close(self, value: object, invocation: Invocation) -> None:
        """Do what the function told: ``value`` is what `open` gave, or what the function returned."""
        ...


class HostFunction:
    """A function the host can run.

    Attributes:
        definition: How the app defines it.
        trigger: What starts it.
        inputs: Values made for it.
        outputs: Parameters to look at afterwards.
        result: The output fed by the return value, or None.
        is_async: `run` returns an awaitable.
        takes_context: It has a ``context`` parameter that is no binding.
        run: Calls it with values by binding name.
    """

    __slots__ = (
        "definition",
        "inputs",
        "is_async",
        "outputs",
        "result",
        "run",
        "takes_context",
        "trigger",
    )

    def __init__(
        self,
        definition: FunctionDefinition,
        trigger: Trigger,
        inputs: tuple[Input, ...] = (),
        outputs: tuple[Output, ...] = (),
    ) -> None:
        self.definition = definition
        self.trigger = trigger
        self.inputs = inputs
        self.outputs = tuple(output for output in outputs if output.name != RETURN)
        self.result = next((output for output in outputs if output.name == RETURN), None)
        adapter, call = definition.adapter, definition.call
        self.is_async = adapter.is_async if adapter is not None else inspect.iscoroutinefunction(call)
        names = {binding["name"] for binding in definition.bindings}
        self.takes_context = "context" in inspect.signature(call).parameters and "context" not in names
        self.run: Callable[[dict[str, Any]], Any | Awaitable[Any]] = (
            adapter.call if adapter is not None else lambda values: call(**values)
        )
