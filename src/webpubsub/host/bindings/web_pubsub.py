"""``webPubSub``: what a function tells the service to do.

Source: extension spec, section 8.
"""

from __future__ import annotations

from collections.abc import Callable

from webpubsub.functions.actions_output import Actions
from webpubsub.functions.binding_members import read_member
from webpubsub.functions.host_json import read_actions
from webpubsub.host.bindings.members import parse_hub, resolve_hub
from webpubsub.host.expressions import Template
from webpubsub.host.function import Binding, Facilities, FunctionDefinition, Invocation
from webpubsub.host.running.invocation import Out


class WebPubSubOutput:
    """Performs actions in order, one after another; the first failure fails the function.

    Attributes:
        name: The binding's name.
        open: Makes the parameter's value.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: Hub or connection is missing or unusable.
        """
        self.name: str = binding["name"]
        self._hub = parse_hub(binding, facilities.environment)
        self._sink = facilities.connections.sink(read_member(binding, "connection"))
        self.open: Callable[[], object] = Actions if definition.is_typed(self.name) else Out

    async def close(self, value: object, invocation: Invocation) -> None:
        """Perform the actions of ``value``; those before one that fails, or is none, stay performed.

        Raises:
            ActionRefused: The service refused one.
            UsageError: A value is no action.
        """
        told = value.get() if isinstance(value, Out) else value
        for action in told.told if isinstance(told, Actions) else read_actions(told):
            hub = self._hub
            if isinstance(hub, Template):
                hub = resolve_hub(hub, self.name, invocation)
            await self._sink.perform(hub, action, request_id=invocation.id)
