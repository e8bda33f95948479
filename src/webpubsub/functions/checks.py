"""What is wrong with a typed function.

One bad function takes the whole app down, and the host's own messages name neither file nor fix. So what a
decorator can know of its binding is refused when it is applied (`binding_problems`), and the rest when the
app is indexed (`declared_problems`): parameters that a decorator further up may still bind cannot be judged
before.

Source: Functions in Python spec, sections 2, 4 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, get_args

from webpubsub.functions.adapter import Adapter, adapter_of
from webpubsub.functions.bindings import DATA_TRIGGER, OUTPUT, REQUEST, Binding
from webpubsub.functions.did_you_mean import camel_case, did_you_mean, listed
from webpubsub.functions.event_kinds import EVENT_PARAMETERS, SYSTEM_EVENTS, USER_EVENT, EventKind
from webpubsub.functions.host_json.response_json import RESPONSE_MEMBERS
from webpubsub.functions.user_function import members_of
from webpubsub.model.errors import FunctionError, FunctionErrors
from webpubsub.model.events import ConnectEventResponse, EventErrorResponse, EventResponse, UserEventResponse
from webpubsub.model.mqtt.mqtt import MqttEventErrorResponse
from webpubsub.model.mqtt_events import MqttConnectEventResponse

_OUT: Final = 1  # azure.functions' number of the direction "out"

CONTEXT_PARAMETER: Final = "context"
RETURN: Final = "$return"

_NAME: Final = re.compile(r"(?!.*__)[A-Za-z][A-Za-z0-9_]{0,127}")
_RESERVED: Final = {name.lower() for name in RESPONSE_MEMBERS}
_MQTT_RESPONSES: Final = (MqttConnectEventResponse, MqttEventErrorResponse)
_RESPONSES: Final = (ConnectEventResponse, UserEventResponse, EventErrorResponse, MqttEventErrorResponse)
_ANY_RESPONSE: Final = {*get_args(EventResponse)}
_EVENTS: Final = (*SYSTEM_EVENTS.values(), USER_EVENT)


class AnyBinding(Protocol):
    """A binding of anybody's, as ``azure.functions`` keeps it."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def direction(self) -> int:
        """0 in, 1 out."""


class AnyFunction(Protocol):
    """A function of anybody's, as ``azure.functions`` hands it to the worker."""

    def get_function_name(self) -> str | None: ...

    def get_user_function(self) -> Any:
        """Return what the worker would call."""

    def get_bindings(self) -> Sequence[Any]: ...


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


def binding_problems(adapter: Adapter, binding: Binding, foreign: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with a binding that is about to be added, without what only follows from it.

    Args:
        adapter: The function's adapter, without the binding.
        binding: The new one.
        foreign: Parameters that other people's bindings are known to fill.
    """
    yield from (
        [*_name_problems(binding)]
        or [*_parameter_problems(adapter, binding)]
        or [*_annotation_problems(adapter, binding)]
    )
    if binding.event is not None:
        yield from _event_parameter_problems(adapter, binding, binding.event, foreign)
        yield from _return_problems(adapter, binding, binding.event)


def _name_problems(binding: Binding) -> Iterator[str]:
    name = binding.declared or binding.parameter
    called = "arg_name" if binding.declared is None else "a binding's name"
    # The host never sees what a trigger's parameter is called.
    if binding.is_trigger and name != CONTEXT_PARAMETER:
        return
    if name == RETURN:
        yield (
            f"arg_name is '{RETURN}': actions are not returned, as a trigger's return value answers its "
            "event; name a parameter and call its methods, for example actions.send_to_all(...)"
        )
    elif name == CONTEXT_PARAMETER:
        yield f"{called} is '{CONTEXT_PARAMETER}', which is the Functions context: choose another name"
    elif not _NAME.fullmatch(name):
        yield (
            f"{called} is '{name}': expected a letter, then letters, digits or single underscores, as the "
            "host refuses other names"
        )
    elif binding.kind is OUTPUT:
        yield from collision_problems(binding.name)


def collision_problems(name: str) -> Iterator[str]:
    """Yield the problem of an output with a name that an answer has too."""
    if name.lower() in _RESERVED:
        yield (
            f"the output is called '{name}', which is also a member of an answer: the host would copy it "
            "there; choose another name, for example 'actions'"
        )


def _parameter_problems(adapter: Adapter, binding: Binding) -> Iterator[str]:
    names = adapter.function.parameters
    other = adapter.bindings.get(binding.name)
    if other is not None:
        yield same_name_problem(adapter, binding.name)
    # A trigger function may do without its request.
    elif binding.parameter not in names and not (binding.is_trigger and binding.parameter == REQUEST):
        yield (
            f"the {binding.kind.type} binding has no parameter: expected '{binding.parameter}', found "
            f"{listed(names)}; rename one{_or_arg_name(binding)}{did_you_mean(binding.parameter, names)}"
        )
    # A parameter 'data' beside the trigger of a user event is the message, which the adapter fills.
    elif binding.name != binding.parameter and binding.name in names and binding.kind is not DATA_TRIGGER:
        yield (
            f"parameter '{binding.name}' clashes with '{binding.parameter}', which the host knows as "
            f"'{binding.name}': rename one"
        )


def _or_arg_name(binding: Binding) -> str:
    return ", or set arg_name" if binding.declared is None else ""


def same_name_problem(adapter: Adapter, name: str) -> str:
    """Return the problem of two bindings with one name."""
    trigger = adapter.trigger
    if trigger is not None and trigger.kind is DATA_TRIGGER and name.lower() == trigger.name:
        return (
            f"a binding is called '{name}', which is what the host calls the message of a user event: give "
            "it another name"
        )
    return f"two bindings are called '{name}': give one of them another name"


def _annotation_problems(adapter: Adapter, binding: Binding) -> Iterator[str]:
    found = members_of(adapter.function.hint(binding.parameter))
    if any(member is Any or issubclass(value, member) for member in found for value in binding.values):
        return
    expected = " or ".join(value.__name__ for value in _most_general(binding.values))
    yield (
        f"parameter '{binding.parameter}' is annotated {_written(found)}, but {binding.title} brings "
        f"{expected}: {_annotation_fix(binding, found, expected)}"
    )


def _most_general(values: Sequence[type]) -> list[type]:
    return [value for value in values if not any(base in values for base in value.__mro__[1:])]


def _annotation_fix(binding: Binding, found: Iterable[type], expected: str) -> str:
    event = next(
        (event for event in _EVENTS if not {event.request, event.mqtt_request}.isdisjoint(found)), None
    )
    if event is None:
        return f"annotate it {expected}"
    if event is binding.event:
        member, value = "client_protocols", "mqtt"
    else:
        member, value = ("event_type", "user") if event is USER_EVENT else ("event_name", event.name)
    wanted = f"{member}='{value}'" if binding.declared is None else f"'{camel_case(member)}' to '{value}'"
    return f"annotate it {expected}, or set {wanted}"


def _event_parameter_problems(
    adapter: Adapter, binding: Binding, event: EventKind, foreign: frozenset[str]
) -> Iterator[str]:
    taken = foreign | {binding.parameter} | {each.parameter for each in adapter.bindings.values()}
    for name in adapter.function.parameters:
        if name in EVENT_PARAMETERS and name not in taken and name not in event.parameters:
            events = " and ".join(each.name for each in _EVENTS if name in each.parameters)
            yield (
                f"parameter '{name}' has no value in the {event.name} event: expected any of "
                f"{listed(event.parameters)}; '{name}' comes with {events} only"
            )


def _return_problems(adapter: Adapter, binding: Binding, event: EventKind) -> Iterator[str]:
    found = [member for member in members_of(adapter.function.hint("return")) if member is not Any]
    if set(found) >= _ANY_RESPONSE:  # EventResponse, which promises nothing
        return
    for member in found:
        if issubclass(member, _RESPONSES) and not _can_answer(binding, event, member):
            expected = " or ".join(each.__name__ for each in event.responses)
            yield (
                f"it is annotated to return {member.__name__}, which cannot answer the {event.name} event: "
                f"expected {expected or 'nothing, as nobody waits for an answer'}"
            )


def _can_answer(binding: Binding, event: EventKind, response: type) -> bool:
    if binding.client_protocols == "webpubsub" and issubclass(response, _MQTT_RESPONSES):
        return False
    return issubclass(response, event.answers)


def _written(members: Iterable[type]) -> str:
    return " | ".join(member.__name__ for member in members) or "None"
