"""``webPubSubConnection``: the URL and token of a new client.

A token is signed here when the connection has a key, and asked of the service when it has an identity.

Source: extension spec, section 7; ``roles``, ``groups`` and ``expiresAfter`` are this host's own.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from webpubsub.functions.binding_members import read_member
from webpubsub.functions.host_json import encode_connection
from webpubsub.host.azure.rest_client import RestClient
from webpubsub.host.bindings.members import as_data_type, parse_hub, resolve_hub
from webpubsub.host.expressions import Template
from webpubsub.host.function import AwaitedInput, Binding, Facilities, FunctionDefinition, Input, Invocation
from webpubsub.host.settings.environment import Environment
from webpubsub.model.access.connection_string import ClientProtocol, ConnectionString
from webpubsub.model.access.tokens import client_access
from webpubsub.model.errors import PeerError
from webpubsub.model.events import WebPubSubConnection
from webpubsub.model.names import HubName
from webpubsub.model.payload import MALFORMED_JSON
from webpubsub.model.rest import GenerateClientToken


def build_connection_input(
    binding: Binding, definition: FunctionDefinition, facilities: Facilities
) -> Input | AwaitedInput:
    """Return the input of a binding.

    Raises:
        ConfigurationError: A member is missing or unusable.
    """
    clients = _Clients(binding, facilities.environment)
    as_value: Callable[[WebPubSubConnection], object] = (
        _itself if definition.is_typed(clients.name) else as_data_type(binding, encode_connection)
    )
    name, connections = read_member(binding, "connection"), facilities.connections
    if connections.has_identity(name):
        return GeneratedConnectionInput(clients, as_value, connections.find(name), connections.client(name))
    return SignedConnectionInput(clients, as_value, connections.find_with_key(name), facilities.clock)


def _itself(connection: WebPubSubConnection) -> WebPubSubConnection:
    return connection


class _Client(msgspec.Struct, frozen=True):
    """Who is about to connect."""

    hub: HubName
    user_id: str | None
    roles: list[str]
    groups: list[str]


class _Clients:
    """What a binding says about the clients of all invocations."""

    def __init__(self, binding: Binding, environment: Environment) -> None:
        self.name: str = binding["name"]
        self.protocol = ClientProtocol(read_member(binding, "clientProtocol"))
        self.expires_after = float(read_member(binding, "expiresAfter"))
        self._hub = parse_hub(binding, environment)
        user_id = read_member(binding, "userId")
        self._user_id = None if user_id is None else Template.parse(user_id, environment)
        self._roles = _templates(binding, "roles", environment)
        self._groups = _templates(binding, "groups", environment)

    def of(self, invocation: Invocation) -> _Client:
        """Return the client of one invocation.

        Raises:
            PeerError: An expression has no value.
        """
        hub, user_id = self._hub, self._user_id
        return _Client(
            resolve_hub(hub, self.name, invocation) if isinstance(hub, Template) else hub,
            None if user_id is None else self._resolve(user_id, "userId", invocation),
            [self._resolve(role, "roles", invocation) for role in self._roles],
            [self._resolve(group, "groups", invocation) for group in self._groups],
        )

    def _resolve(self, template: Template, member: str, invocation: Invocation) -> str:
        if template.is_constant:
            return template.text
        return template.resolve(invocation.data, f"'{member}' of binding '{self.name}'")


class SignedConnectionInput:
    """Signs a token for each invocation.

    Attributes:
        name: The binding's name.
    """

    def __init__(
        self,
        clients: _Clients,
        as_value: Callable[[WebPubSubConnection], object],
        connection: ConnectionString,
        clock: Callable[[], float],
    ) -> None:
        self.name = clients.name
        self._clients = clients
        self._as_value = as_value
        self._connection = connection
        self._clock = clock

    def open(self, invocation: Invocation) -> object:
        """Return the connection, as JSON text for a function that is not typed.

        Raises:
            PeerError: An expression has no value.
        """
        client = self._clients.of(invocation)
        connection = client_access(
            self._connection,
            client.hub,
            now=self._clock(),
            expires_after=self._clients.expires_after,
            user_id=client.user_id,
            roles=client.roles,
            groups=client.groups,
            protocol=self._clients.protocol,
        )
        return self._as_value(connection)


class GeneratedConnectionInput:
    """Asks the service for a token for each invocation.

    Attributes:
        name: The binding's name.
    """

    def __init__(
        self,
        clients: _Clients,
        as_value: Callable[[WebPubSubConnection], object],
        connection: ConnectionString,
        client: RestClient,
    ) -> None:
        self.name = clients.name
        self._clients = clients
        self._as_value = as_value
        self._connection = connection
        self._client = client
        # The service counts in whole minutes, from one on.
        self._minutes = max(1, int(clients.expires_after // 60))

    async def fetch(self, invocation: Invocation) -> object:
        """Return the connection, as JSON text for a function that is not typed.

        Raises:
            ActionRefused: The service gives no token, or cannot be reached.
            PeerError: An expression has no value, or the service's answer is no token.
        """
        client = self._clients.of(invocation)
        wanted = GenerateClientToken(
            client.user_id,
            tuple(client.roles),
            tuple(client.groups),
            self._minutes,
            self._clients.protocol,
        )
        body = await self._client.request(client.hub, wanted, invocation.id)
        try:
            token = msgspec.json.decode(body, type=_Generated).token
        except MALFORMED_JSON as error:
            problem = f"the service's token for binding '{self.name}' cannot be read: {error}"
            raise PeerError(problem) from error
        url = self._connection.client_url(client.hub, self._clients.protocol)
        return self._as_value(WebPubSubConnection(url, f"{url}?access_token={token}", token))


class _Generated(msgspec.Struct):
    token: str


def _templates(binding: Binding, member: str, environment: Environment) -> tuple[Template, ...]:
    return tuple(Template.parse(item, environment) for item in read_member(binding, member))
