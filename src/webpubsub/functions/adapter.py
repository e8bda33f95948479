"""One adapter a function: host values in, model values to the function, and back.

The Functions worker accepts only parameters named like bindings, with annotations it knows. So it is shown
a *wrapper*: binding names as parameters, annotations only where a foreign binding needs them, and a body
that converts. Stacked decorators share one adapter and sign the wrapper anew.

There are two ways in, with one path for names, extra parameters and answers::

    worker:    wrapper(data=TriggerBytes, actions=Out)  -> dict for the extension, Out set to JSON
    own host:  adapter.call({"data": UserEventRequest, "actions": Actions()})  -> UserEventResponse

A test that calls the wrapper as the function was written gets the function itself.

Source: Functions in Python spec, sections 4 and 7.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from webpubsub.functions.actions_output import Actions
from webpubsub.functions.bindings import OUTPUT, Binding
from webpubsub.functions.event_kinds import EVENT_PARAMETERS
from webpubsub.functions.host_json import decode_response, encode_actions, encode_response
from webpubsub.functions.host_json.trigger_bytes import TriggerBytes
from webpubsub.functions.user_function import UserFunction
from webpubsub.model.errors import UsageError
from webpubsub.model.events import EventRequest, EventResponse

_ATTRIBUTE = "__webpubsub__"
_HOST_INPUTS = (str, bytes, bytearray, Mapping, type(None))


def adapter_of(function: Callable[..., Any]) -> Adapter | None:
    """Return the adapter of a function the worker would call, or None when it has no typed binding."""
    adapter = getattr(function, _ATTRIBUTE, None)
    # functools.wraps copies attributes, so a foreign wrapper around ours carries them too.
    return adapter if isinstance(adapter, Adapter) and adapter.wrapper is function else None


class Adapter:
    """What stands between the host and one function.

    Attributes:
        function: The function as its author wrote it.
        bindings: Its typed bindings by the name the host knows.
        trigger: That of them which starts it, when it is one of ours.
        wrapper: What the worker calls.
        shown: The parameters the worker sees, in order.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        """Wrap ``call``.

        Raises:
            FunctionError: The worker could not run it.
        """
        self.function = UserFunction(call)
        self.bindings: dict[str, Binding] = {}
        self.trigger: Binding | None = None
        self._renamed: Mapping[str, str] = {}
        self._parameters: dict[str, str] = {}
        self._event_parameters: tuple[str, ...] = ()
        self._hides_request = False  # the function does without
        self.shown: tuple[str, ...] = tuple(self.function.parameters)
        self.wrapper = _wrap(self)
        setattr(self.wrapper, _ATTRIBUTE, self)

    @property
    def is_async(self) -> bool:
        """Whether `call` returns an awaitable."""
        return self.function.is_async

    @property
    def event_parameters(self) -> tuple[str, ...]:
        """Parameters that are filled from the request, hidden from the worker."""
        return self._event_parameters

    def bind(self, binding: Binding, foreign: frozenset[str] = frozenset()) -> None:
        """Add a typed binding; ``foreign`` names parameters that belong to other people's bindings."""
        self.bindings[binding.name] = binding
        if binding.is_trigger:
            self.trigger = binding
        self._parameters = {**self._renamed, **{each.name: each.parameter for each in self.bindings.values()}}
        taken = foreign | set(self._parameters.values())
        if self.trigger is not None:
            names = [name for name in self.function.parameters if name in EVENT_PARAMETERS]
            self._event_parameters = tuple(name for name in names if name not in taken)
            self._hides_request = self.trigger.parameter not in self.function.parameters
        self._sign()

    def rename(self, parameters: Mapping[str, str]) -> None:
        """Let other people's bindings fill parameters of other names, given by binding name."""
        self._renamed = parameters
        self._parameters |= parameters
        self._sign()

    def call(self, values: Mapping[str, Any]) -> Any:
        """Run the function with model values by binding name.

        Args:
            values: An `EventRequest` for the trigger, an `Actions` for each output, and so on; values of
                foreign bindings as they are.

        Returns:
            The `EventResponse` or None of a Web PubSub trigger, else what the function returned; an
            awaitable of that when the function is asynchronous.

        Raises:
            UsageError: The function answered its event with something impossible.
        """
        result = self.start(values)
        return self._awaited(values, result) if self.is_async else self._result(values, result)

    def start(self, values: Mapping[str, Any]) -> Any:
        """Call the function as `call` does; return what it returned, not read as an answer.

        An asynchronous function returns an awaitable, unless a decorator of its author's changed that.
        """
        return self.function.call(**self._arguments(values))

    async def _awaited(self, values: Mapping[str, Any], result: Any) -> Any:
        return self._result(values, await result if inspect.isawaitable(result) else result)

    def _arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {self._parameters.get(name, name): value for name, value in values.items()}
        if self.trigger is None or not (self._event_parameters or self._hides_request):
            return arguments
        request = values[self.trigger.name]
        for name in self._event_parameters:
            arguments[name] = self._event_value(request, name)
        if self._hides_request:
            del arguments[self.trigger.parameter]
        return arguments

    def _event_value(self, request: EventRequest, name: str) -> Any:
        # Checked at decoration, unless a setting names the event.
        if not hasattr(type(request), name):
            raise self._usage_error(f"parameter '{name}' has no value in a {type(request).__name__}")
        return getattr(request, name)

    def _result(self, values: Mapping[str, Any], result: Any) -> Any:
        return result if self.trigger is None else self.read_answer(values[self.trigger.name], result)

    def read_answer(self, request: EventRequest | None, result: Any) -> EventResponse | None:
        """Return the answer to an event that the function meant by ``result``.

        Raises:
            UsageError: It cannot answer this event.
        """
        try:
            return decode_response(request, result)
        except UsageError as error:
            raise self._usage_error(str(error)) from error

    def _usage_error(self, problem: str) -> UsageError:
        return UsageError(f"{self.function.where}: function '{self.function.name}': {problem}")

    # --- the worker's way ---------------------------------------------------------------------------

    def from_worker(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return model values for the worker's."""
        return {name: self._model_value(name, value) for name, value in values.items()}

    def to_worker(self, values: Mapping[str, Any], model_values: Mapping[str, Any], result: Any) -> Any:
        """Set the worker's outputs, and return what it should send to the host.

        Reached only when the function did not raise: what a failed call wanted to happen does not.
        """
        for name, binding in self.bindings.items():
            if binding.kind is OUTPUT and model_values[name].items:
                values[name].set(encode_actions(model_values[name].items))
        return result if self.trigger is None else self._encoded(result, model_values[self.trigger.name])

    def _model_value(self, name: str, value: Any) -> Any:
        binding = self.bindings.get(name)
        if binding is None:
            return value
        return Actions() if binding.kind.decode is None else binding.kind.decode(value)

    def _encoded(self, response: EventResponse | None, request: EventRequest) -> dict[str, Any] | None:
        try:
            return encode_response(response, request)
        except UsageError as error:
            raise self._usage_error(str(error)) from error

    def is_worker_call(self, args: tuple[Any, ...], values: Mapping[str, Any]) -> bool:
        """Whether these are the worker's arguments: binding names only, with values of the host's kinds."""
        if args or not values or not values.keys() <= set(self.shown):
            return False
        ours = ((binding, values[name]) for name, binding in self.bindings.items() if name in values)
        return all(self._is_host_value(binding, value) for binding, value in ours)

    def _is_host_value(self, binding: Binding, value: Any) -> bool:
        if binding.kind is OUTPUT:
            return hasattr(value, "set") and not isinstance(value, Actions)
        if binding.name in self._event_parameters:
            # The trigger is called 'data', and so is a parameter of the function: a test's own value for it
            # has no trigger metadata.
            return isinstance(value, TriggerBytes)
        return isinstance(value, _HOST_INPUTS)

    def _sign(self) -> None:
        """Show the worker binding names, and annotations of foreign bindings only."""
        names = {parameter: name for name, parameter in self._parameters.items()}
        shown = {
            names.get(name, name): name
            for name in self.function.parameters
            if name not in self._event_parameters
        }
        shown |= {name: parameter for name, parameter in self._parameters.items() if name not in shown}
        self.shown = tuple(shown)
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in shown]
        self.wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        self.wrapper.__annotations__ = {
            name: self.function.annotation(parameter)
            for name, parameter in shown.items()
            if name not in self.bindings and self.function.is_annotated(parameter)
        }


def _wrap(adapter: Adapter) -> Callable[..., Any]:
    """Return the function the worker sees: it must be of the same flavour, and of the same file.

    The worker finds a function's folder by its file (``Context.function_directory``). Tracebacks show that
    file too, with a line number of this one; the name of the frame tells them apart.
    """
    call = adapter.function.call

    async def run_async(*args: Any, **values: Any) -> Any:
        if not adapter.is_worker_call(args, values):
            return await call(*args, **values)
        model_values = adapter.from_worker(values)
        return adapter.to_worker(values, model_values, await adapter.call(model_values))

    def run(*args: Any, **values: Any) -> Any:
        if not adapter.is_worker_call(args, values):
            return call(*args, **values)
        model_values = adapter.from_worker(values)
        return adapter.to_worker(values, model_values, adapter.call(model_values))

    wrapper: Any = run_async if adapter.is_async else run
    functools.update_wrapper(wrapper, call)
    wrapper.__code__ = wrapper.__code__.replace(co_filename=adapter.function.file, co_name="<webpubsub>")
    return wrapper  # type: ignore[no-any-return]
