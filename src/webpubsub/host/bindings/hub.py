"""The ``hub`` member of every Web PubSub binding.

Source: extension spec, sections 1.1 to 1.6.
"""

from __future__ import annotations

from typing import Final

from webpubsub.host.expressions import Template
from webpubsub.host.function import Binding
from webpubsub.host.running.invocation import Invocation
from webpubsub.host.settings.environment import Environment
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.names import HubName, parse_hub_name

_HUB_SETTING: Final = "WebPubSubHub"


def parse_hub(binding: Binding, environment: Environment) -> HubName | Template:
    """Return the hub of a binding, or its template when it differs by invocation.

    Raises:
        ConfigurationError: It is missing, or no hub name.
    """
    text = binding.get("hub") or environment.get(_HUB_SETTING)
    if not text:
        raise ConfigurationError(
            f"'hub' is missing: set it in the binding, or the setting '{_HUB_SETTING}' for all bindings"
        )
    template = Template.parse(text, environment)
    if not template.is_constant:
        return template
    try:
        return parse_hub_name(template.text)
    except InvalidName as error:
        raise ConfigurationError(str(error)) from error


def resolve_hub(hub: HubName | Template, binding: str, invocation: Invocation) -> HubName:
    """Return the hub for one invocation.

    Raises:
        PeerError: An expression has no value.
        InvalidName: What comes out is no hub name.
    """
    if isinstance(hub, Template):
        return parse_hub_name(hub.resolve(invocation.data, f"'hub' of binding '{binding}'"))
    return hub
