"""Functions as the app defines them and as the host runs them, and one call of one."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any, Final, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from webpubsub.functions.adapter import Adapter, adapter_of
from webpubsub.host.azure.connections import Connections
from webpubsub.host.bodies import MAX_EXPRESSION_BODY_BYTES
from webpubsub.host.expressions import BindingData, system_data
from webpubsub.host.settings.environment import Environment
from webpubsub.host.settings.retry import RetryPolicy
from webpubsub.model.errors import FunctionError
from webpubsub.model.events import WebPubSubConnectionContext
from webpubsub.model.http import RawHeaders
from webpubsub.model.trace import SILENT, Trace

# The binding name of what a function returns.
RETURN = "$return"

# A binding as its function.json has it; JSON is open, hence Any.
Binding = Mapping[str, Any]


class FunctionDefinition(msgspec.Struct, frozen=True):
    """A function as the app defines it.

    Attributes:
        name: The function's name.
        where: ``file:line``.
        directory: The folder of that file, or of its ``function.json``.
        bindings: As in ``function.json``.
        call: What the worker would call.
        places: ``file:line`` of bindings that are not declared beside the function, by name.
        disabled: Whether it is switched off, or the name of a setting that tells.
        retry: Its retry policy as declared, or None.
        on_stop: What to await when the host stops, or None.
    """

    name: str
    where: str
    directory: str
    bindings: tuple[Binding, ...]
    call: Callable[..., Any]
    places: Mapping[str, str] = {}
    disabled: bool | str = False
    retry: Mapping[str, Any] | None = None
    on_stop: Callable[[], Awaitable[None]] | None = None

    @property
    def adapter(self) -> Adapter | None:
        """The adapter of a typed function."""
        return adapter_of(self.call)

    def is_typed(self, binding: str) -> bool:
        """Whether an adapter takes model values for ``binding``; else it gets what the worker would give."""
        adapter = self.adapter
        return adapter is not None and binding in adapter.bindings

    def annotation(self, parameter: str) -> Any:
        """Return a parameter's annotation, as the worker resolves it; None when it has none."""
        return typing.get_type_hints(self.call).get(parameter)

    def problem(self, text: str, binding: str | None = None) -> FunctionError:
        """Return the error that ``text`` is wrong with this function, or with one of its bindings."""
        where = self.where if binding is None else self.places.get(binding, self.where)
        return FunctionError(self.name, where, text)


class Facilities(msgspec.Struct, frozen=True):
    """What the host offers to its bindings.

    Attributes:
        environment: App settings.
        connections: Web PubSub services by connection name.
        clock: Seconds since the epoch.
        route_prefix: See `HostSettings`.
        max_expression_body_bytes: See `HttpOptions`.
        retry: The policy of functions that have none of their own.
        trace: The listener, or None.
    """

    environment: Environment
    connections: Connections
    clock: Callable[[], float]
    route_prefix: str = "api"
    max_expression_body_bytes: int = MAX_EXPRESSION_BODY_BYTES
    retry: RetryPolicy | None = None
    trace: Trace = SILENT


class Trigger(Protocol):
    """What starts a function.

    Its *source* is what happened, in the trigger's own form: a request, an event, a timer's status.
    """

    name: str
    takes_source: bool
    """Whether the parameter's value is the source itself, so that `value` need not be asked."""

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


@runtime_checkable
class AwaitedInput(Protocol):
    """A value made for each invocation that has to be waited for."""

    name: str

    async def fetch(self, invocation: Invocation) -> object:
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
        inputs: Values made for it at once.
        awaited: Values made for it that have to be waited for.
        outputs: Parameters to look at afterwards.
        result: The output fed by the return value, or None.
        is_async: `run` returns an awaitable.
        takes_context: It has a ``context`` parameter that is no binding.
        run: Calls it with values by binding name; what it returns is for the trigger to read.
    """

    __slots__ = (
        "awaited",
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
        inputs: tuple[Input | AwaitedInput, ...] = (),
        outputs: tuple[Output, ...] = (),
    ) -> None:
        self.definition = definition
        self.trigger = trigger
        self.inputs = tuple(each for each in inputs if not isinstance(each, AwaitedInput))
        self.awaited = tuple(each for each in inputs if isinstance(each, AwaitedInput))
        self.outputs = tuple(output for output in outputs if output.name != RETURN)
        self.result = next((output for output in outputs if output.name == RETURN), None)
        adapter, call = definition.adapter, definition.call
        self.is_async = adapter.is_async if adapter is not None else inspect.iscoroutinefunction(call)
        names = {binding["name"] for binding in definition.bindings}
        self.takes_context = "context" in inspect.signature(call).parameters and "context" not in names
        self.run: Callable[[dict[str, Any]], Any | Awaitable[Any]] = (
            adapter.start if adapter is not None else lambda values: call(**values)
        )


class RetryContext(msgspec.Struct, frozen=True):
    """What ``context.retry_context`` is.

    Attributes:
        retry_count: How often this call was tried before: 0 for the first call.
        max_retry_count: How often it is tried again at most; -1 for ever, 0 without a policy.
        exception: What the call before raised.
    """

    retry_count: int = 0
    max_retry_count: int = 0
    exception: BaseException | None = None

    @property
    def rpc_exception(self) -> BaseException | None:
        """`exception`, as the newer worker spells it."""
        return self.exception


FIRST_CALL: Final = RetryContext()


class Invocation(msgspec.Struct, eq=False):
    """One call of a function.

    Most invocations never ask for their id or binding data, so both are made when somebody does.

    Attributes:
        function: The function.
        source: What started it, see `Trigger`.
        clock: Seconds since the epoch.
        event: The context of the event that led here, or None.
        headers: Headers of the HTTP request that led here; empty for a timer.
        retry: How often it was called before with the same source.
    """

    function: HostFunction
    source: Any
    clock: Callable[[], float]
    event: WebPubSubConnectionContext | None = None
    headers: RawHeaders = ()
    retry: RetryContext = FIRST_CALL
    _id: str | None = None
    _data: Mapping[str, Any] | None = None  # nested, of JSON values

    @property
    def id(self) -> str:
        """A GUID."""
        if self._id is None:
            self._id = str(_new_guid())
        return self._id

    @property
    def data(self) -> Mapping[str, Any]:
        """What expressions in the bindings are resolved from."""
        if self._data is None:
            system = system_data(self.function.definition.name, self._utc_now, _new_guid)
            found = self.function.trigger.data(self.source)
            if isinstance(found, BindingData):
                self._data = BindingData({**system, **found.known}, found.more)
            else:
                self._data = {**system, **found}
        return self._data

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def ids(self) -> dict[str, str]:
        """Return the ids for trace events."""
        ids = {"function": self.function.definition.name, "invocation": self.id}
        if self.event is None:
            return ids
        return ids | {"event": f"{self.event.connection_id}/{self.event.event_id}"}


def _new_guid() -> UUID:
    # Invocation ids tell calls apart and guard nothing; the system's randomness would cost a call of the
    # kernel each.
    return UUID(int=getrandbits(128), version=4)
