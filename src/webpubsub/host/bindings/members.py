"""Members that several Web PubSub bindings have: ``hub``, ``connections``, ``dataType``.

Source: extension spec, sections 1.1 to 1.6 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from webpubsub.functions.binding_members import DEFAULT_CONNECTION, is_binary, read_member
from webpubsub.host.azure.connections import Connections
from webpubsub.host.expressions import Template
from webpubsub.host.function import Binding, Invocation
from webpubsub.host.settings.environment import Environment
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.names import HubName, parse_hub_name

_HUB_SETTING: Final = "WebPubSubHub"

_T = TypeVar("_T")


def parse_hub(binding: Binding, environment: Environment) -> HubName | Template:
    """Return the hub of a binding, or its template when it differs by invocation.

    Raises:
        ConfigurationError: It is missing, or no hub name.
    """
    text = read_member(binding, "hub") or environment.get(_HUB_SETTING)
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


def resolve_hub(hub: Template, binding: str, invocation: Invocation) -> HubName:
    """Return the hub for one invocation of a binding whose hub differs by invocation.

    Raises:
        PeerError: An expression has no value.
        InvalidName: What comes out is no hub name.
    """
    return parse_hub_name(hub.resolve(invocation.data, f"'hub' of binding '{binding}'"))


def parse_connection_names(binding: Binding, connections: Connections) -> tuple[str, ...]:
    """Return the names of a binding's connections, as written: they are not templates.

    ``connections`` is used exclusively; the older ``connection`` counts without it, and the default one
    without both. There are none when the default one does not exist either: then anybody may send events.

    Raises:
        ConfigurationError: ``connections`` is no list of names, or ``connection`` is no name.
    """
    names = read_member(binding, "connections")
    if not all(names):
        raise ConfigurationError(f"'connections' is {names!r}: expected a list of setting names")
    if not names and (name := read_member(binding, "connection")):
        return (name,)
    return tuple(names) or ((DEFAULT_CONNECTION,) if DEFAULT_CONNECTION in connections else ())


def as_data_type(
    binding: Binding, make: Callable[[_T], str | None]
) -> Callable[[_T], str | None] | Callable[[_T], bytes | None]:
    """Return ``make``, or for a binary binding what makes its text's UTF-8 bytes."""
    if not is_binary(binding):
        return make

    def encoded(source: _T) -> bytes | None:
        text = make(source)
        return None if text is None else text.encode()

    return encoded
