"""``webPubSubConnection``: the URL and token of a new client.

Source: extension spec, section 7; ``roles``, ``groups`` and ``expiresAfter`` are this host's own.
"""

from __future__ import annotations

from typing import Any, Final

from webpubsub.functions.host_json import encode_connection
from webpubsub.host.bindings.hub import parse_hub, resolve_hub
from webpubsub.host.connections import DEFAULT_CONNECTION
from webpubsub.host.environment import Environment
from webpubsub.host.expressions import Template
from webpubsub.host.function import Binding, Facilities, FunctionDefinition
from webpubsub.host.invocation import Invocation
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.events import WebPubSubConnection

__all__ = ["WebPubSubConnectionInput"]

_LIFETIME: Final = 3600.0


class WebPubSubConnectionInput:
    """Makes a client's URL and token for each invocation.

    Attributes:
        name: The binding's name.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: A member is missing or unusable.
        """
        from webpubsub.model.tokens import client_access  # PyJWT: only apps that make tokens pay for it

        environment = facilities.environment
        self.name: str = binding["name"]
        protocol = str(binding.get("clientProtocol") or "default")
        if protocol.lower() != "default":
            raise ConfigurationError(f"'clientProtocol' is '{protocol}': this host runs 'default' only")
        self._hub = parse_hub(binding, environment)
        self._connection = facilities.connections.find_with_key(
            binding.get("connection") or DEFAULT_CONNECTION
        )
        user_id = binding.get("userId")
        self._user_id = None if user_id is None else Template.parse(user_id, environment)
        self._roles = _templates(binding, "roles", environment)
        self._groups = _templates(binding, "groups", environment)
        self._expires_after = _seconds(binding.get("expiresAfter"))
        self._clock = facilities.clock
        self._is_typed = definition.is_typed(self.name)
        self._access = client_access

    def open(self, invocation: Invocation) -> WebPubSubConnection | str:
        """Return the connection, as JSON text for a function that is not typed.

        Raises:
            PeerError: An expression has no value.
        """
        connection = self._access(
            self._connection,
            resolve_hub(self._hub, self.name, invocation),
            now=self._clock(),
            expires_after=self._expires_after,
            user_id=None if self._user_id is None else self._resolve(self._user_id, "userId", invocation),
            roles=[self._resolve(role, "roles", invocation) for role in self._roles],
            groups=[self._resolve(group, "groups", invocation) for group in self._groups],
        )
        return connection if self._is_typed else encode_connection(connection)

    def _resolve(self, template: Template, member: str, invocation: Invocation) -> str:
        if template.is_constant:
            return template.text
        return template.resolve(invocation.data, f"'{member}' of binding '{self.name}'")


def _templates(binding: Binding, member: str, environment: Environment) -> tuple[Template, ...]:
    items = binding.get(member) or ()
    if isinstance(items, str) or not all(isinstance(item, str) for item in items):
        raise ConfigurationError(f"'{member}' is {items!r}: expected a list of strings")
    return tuple(Template.parse(item, environment) for item in items)


def _seconds(value: Any) -> float:
    if value is None:
        return _LIFETIME
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ConfigurationError(f"'expiresAfter' is {value!r}: expected seconds, more than 0")
    return float(value)
