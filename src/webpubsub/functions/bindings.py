"""The four bindings: what each is called in function.json, and what a function gets for it.

Source: extension spec, sections 0 and 1.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from webpubsub.functions.actions_output import Actions
from webpubsub.functions.binding_members import BINDING_TYPES
from webpubsub.functions.did_you_mean import camel_case
from webpubsub.functions.event_kinds import SYSTEM_EVENTS, EventKind
from webpubsub.functions.host_json.input_json import decode_connection, decode_context
from webpubsub.functions.host_json.request_json import decode_request
from webpubsub.functions.host_json.trigger_bytes import decode_user_event
from webpubsub.model.events import EventRequest, WebPubSubConnection, WebPubSubContext

# The extension fills a trigger's parameter by its name; only this one carries the whole event.
REQUEST: Final = "request"
# This one carries the message of a user event, exactly; the rest is in the trigger metadata.
_DATA: Final = "data"


class BindingKind(msgspec.Struct, frozen=True):
    """A kind of binding.

    Attributes:
        type: Its ``type`` in function.json.
        value: The class a function gets.
        decode: Makes that value of the host's; None for an output.
        name: What the host must know the binding as; None lets its author choose.
    """

    type: str
    value: builtins.type
    decode: Callable[[Any], Any] | None = None
    name: str | None = None


TRIGGER: Final = BindingKind("webPubSubTrigger", EventRequest, decode_request, REQUEST)
# What a user event is declared with wherever its metadata can be had: only this one keeps binary data.
DATA_TRIGGER: Final = BindingKind("webPubSubTrigger", EventRequest, decode_user_event, _DATA)
OUTPUT: Final = BindingKind("webPubSub", Actions)
CONNECTION: Final = BindingKind("webPubSubConnection", WebPubSubConnection, decode_connection)
CONTEXT: Final = BindingKind("webPubSubContext", WebPubSubContext, decode_context)


class Binding(msgspec.Struct, frozen=True):
    """One binding of one function.

    Attributes:
        kind: Which of them.
        parameter: The parameter's name in Python.
        members: What function.json says beside type, direction and name.
        event: The event of a trigger; None when a setting names it, or for another binding.
        declared: Its name in the function.json that declares it; None for a decorator's.
    """

    kind: BindingKind
    parameter: str
    members: Mapping[str, Any]
    event: EventKind | None = None
    declared: str | None = None

    @property
    def name(self) -> str:
        """The name the host knows: hosts before 4.1038 refuse underscores."""
        return self.declared or self.kind.name or camel_case(self.parameter)

    @property
    def is_trigger(self) -> bool:
        return self.kind.value is EventRequest

    @property
    def values(self) -> tuple[type, ...]:
        """The classes the parameter may get."""
        if not self.is_trigger:
            return (self.kind.value,)
        events = [self.event] if self.event else SYSTEM_EVENTS.values()
        return tuple(request for event in events for request in event.requests(self.client_protocols))

    @property
    def client_protocols(self) -> str:
        """Whose events a trigger takes: ``all``, ``webpubsub`` or ``mqtt``."""
        member = BINDING_TYPES[self.kind.type.lower()].members["clientProtocols"]
        return str(member.read(self.members.get(member.name))).lower()

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"the {self.event.name} event" if self.event else f"the {self.kind.type} binding"
