"""Binding types: one module each, and the table of those this host runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from webpubsub.functions.binding_members import BINDING_TYPES
from webpubsub.functions.did_you_mean import did_you_mean
from webpubsub.host.bindings.http_trigger import HttpOutput, HttpTrigger
from webpubsub.host.bindings.web_pubsub import WebPubSubOutput
from webpubsub.host.bindings.web_pubsub_connection import build_connection_input
from webpubsub.host.bindings.web_pubsub_context import WebPubSubContextInput
from webpubsub.host.bindings.web_pubsub_trigger import WebPubSubTrigger
from webpubsub.host.function import (
    AwaitedInput,
    Binding,
    Facilities,
    FunctionDefinition,
    HostFunction,
    Input,
    Output,
    Trigger,
)
from webpubsub.host.running.results import run_of
from webpubsub.host.timers.trigger import TimerTrigger
from webpubsub.model.errors import ConfigurationError, FunctionError, UsageError

# Types are compared in lower case, as the host does.
TRIGGERS: Final[Mapping[str, Callable[[Binding, FunctionDefinition, Facilities], Trigger]]] = {
    "httptrigger": HttpTrigger,
    "timertrigger": TimerTrigger,
    "webpubsubtrigger": WebPubSubTrigger,
}
INPUTS: Final[Mapping[str, Callable[[Binding, FunctionDefinition, Facilities], Input | AwaitedInput]]] = {
    "webpubsubconnection": build_connection_input,
    "webpubsubcontext": WebPubSubContextInput,
}
OUTPUTS: Final[Mapping[str, Callable[[Binding, FunctionDefinition, Facilities], Output]]] = {
    "http": HttpOutput,
    "webpubsub": WebPubSubOutput,
}
_NAMES: Final = [type_.name for type_ in BINDING_TYPES.values()]


def build_function(
    definition: FunctionDefinition, facilities: Facilities, problems: list[ConfigurationError]
) -> HostFunction | None:
    """Make a function that can run; None when a binding is unusable, and each such is in ``problems``."""
    triggers: list[Trigger] = []
    inputs: list[Input | AwaitedInput] = []
    outputs: list[Output] = []
    found: list[FunctionError] = []
    for binding in definition.bindings:
        try:
            kind = str(binding["type"]).lower()
            if kind in TRIGGERS:
                triggers.append(TRIGGERS[kind](binding, definition, facilities))
            elif kind in INPUTS:
                inputs.append(INPUTS[kind](binding, definition, facilities))
            elif kind in OUTPUTS:
                outputs.append(OUTPUTS[kind](binding, definition, facilities))
            else:
                raise ConfigurationError(
                    f"type '{binding['type']}' is not run by this host: it runs {', '.join(_NAMES)}; leave "
                    "the function out with '--functions', or run it with Azure Functions Core Tools"
                    f"{did_you_mean(binding['type'], _NAMES, nearness=0.8)}"
                )
        except (ConfigurationError, UsageError) as error:
            found.append(definition.problem(f"binding '{binding['name']}': {error}", binding["name"]))
    if not found and len(triggers) != 1:
        found.append(definition.problem(f"it has {len(triggers)} triggers: expected one"))
    problems += found
    if found:
        return None
    function = HostFunction(definition, triggers[0], tuple(inputs), tuple(outputs))
    function.run = run_of(function)
    return function
