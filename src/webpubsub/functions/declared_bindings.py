"""The bindings of a function.json, and the parameters that they fill.

Source: Functions in Python spec, section 7.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

from webpubsub.functions.adapter import Adapter
from webpubsub.functions.binding_members import event_kind, is_binary, parse_event_type
from webpubsub.functions.bindings import (
    CONNECTION,
    CONTEXT,
    DATA_TRIGGER,
    OUTPUT,
    REQUEST,
    TRIGGER,
    Binding,
    BindingKind,
)
from webpubsub.functions.checks import CONTEXT_PARAMETER, RETURN, binding_problems, declared_problems
from webpubsub.functions.converter import has_converter
from webpubsub.functions.did_you_mean import camel_case
from webpubsub.functions.event_kinds import EVENT_PARAMETERS, USER_EVENT, EventKind
from webpubsub.functions.function_json import BindingJson, FunctionJson
from webpubsub.functions.user_function import UserFunction, members_of
from webpubsub.model.errors import UsageError
from webpubsub.model.events import EventRequest

_KINDS: Final = {kind.type.lower(): kind for kind in (TRIGGER, OUTPUT, CONNECTION, CONTEXT)}


def bind(adapter: Adapter, declared: FunctionJson) -> Iterator[str]:
    """Add the bindings to the function's adapter, and yield what is wrong with both together."""
    bindings = [binding for binding in declared.bindings if binding.name != RETURN]
    ours = [binding for binding in bindings if binding.type.lower() in _KINDS]
    named = {each.name: _parameter(adapter.function, each.name) for each in bindings if not _is_trigger(each)}
    foreign = {each.name: named[each.name] for each in bindings if each not in ours}
    adapter.rename({name: parameter for name, parameter in foreign.items() if name != parameter})
    for each in ours:
        try:
            binding = _binding(each, adapter.function, named)
        except UsageError as error:
            yield str(error)
        else:
            yield from binding_problems(adapter, binding, frozenset(foreign.values()))
            adapter.bind(binding, frozenset(foreign.values()))
    yield from declared_problems(adapter, declared.bindings)


def _binding(declared: BindingJson, function: UserFunction, named: dict[str, str]) -> Binding:
    """Return the typed binding.

    Raises:
        UsageError: It is a trigger that no function can be typed for.
    """
    if not _is_trigger(declared):
        return Binding(
            _KINDS[declared.type.lower()], named[declared.name], declared.members, None, declared.name
        )
    parameter = _request_parameter(function, frozenset(named.values()))
    return Binding(_trigger_kind(declared), parameter, declared.members, _event(declared), declared.name)


def _is_trigger(declared: BindingJson) -> bool:
    return declared.type.lower() == TRIGGER.type.lower()


def _trigger_kind(declared: BindingJson) -> BindingKind:
    if declared.name.lower() == REQUEST:
        return TRIGGER
    if declared.name.lower() != DATA_TRIGGER.name:
        raise UsageError(
            f"the trigger is called '{declared.name}', which brings a part of the event: {_CALL_IT}"
        )
    if not is_binary(declared.members) or _event(declared) is not USER_EVENT:
        raise UsageError(
            f"the trigger is called 'data', which brings the message without its event: {_CALL_IT}"
        )
    if not has_converter():
        raise UsageError(f"the trigger is called 'data', which this worker gives no metadata: {_CALL_IT}")
    return DATA_TRIGGER


_CALL_IT: Final = "call it 'request', or, for a user event with binary data, 'data' with 'dataType' 'binary'"


def _event(declared: BindingJson) -> EventKind | None:
    members = declared.members
    return event_kind(parse_event_type(members.get("eventType", "")), members.get("eventName", ""))


def _parameter(function: UserFunction, name: str) -> str:
    """Return the parameter of a binding: of its name, or of the snake_case that camelCase is made of."""
    if name in function.parameters:
        return name
    return next((each for each in function.parameters if camel_case(each) == name), name)


def _request_parameter(function: UserFunction, taken: frozenset[str]) -> str:
    """Return the parameter of the trigger's request: what is left for it, whatever it is called."""
    taken |= {CONTEXT_PARAMETER, *EVENT_PARAMETERS}
    free = [name for name in function.parameters if name not in taken]
    annotated = [name for name in free if _takes_request(function.hint(name))]
    return next(itertools.chain(annotated, free[:1] if len(free) == 1 else ()), REQUEST)


def _takes_request(hint: Any) -> bool:
    return any(isinstance(member, type) and issubclass(member, EventRequest) for member in members_of(hint))
