"""Web PubSub services by the names bindings give them.

Source: extension spec, sections 1.5, 1.6 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from webpubsub.functions.binding_members import DEFAULT_CONNECTION
from webpubsub.host.azure.credentials import BearerTokens, Identity
from webpubsub.host.azure.rest_client import RestClient
from webpubsub.host.settings.environment import Environment, canonical_name
from webpubsub.model.access.connection_string import ConnectionString, is_loopback
from webpubsub.model.access.signature import RequestValidator
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import CallBounds
from webpubsub.model.ports import ActionSink, TokenCredential
from webpubsub.model.trace import SILENT, Trace, TracedActions


class Connections:
    """Finds services, and keeps one validator and one client for each.

    A name stands for a setting with a connection string, or for a section with ``serviceUri``, to which
    this host signs in with an identity; a connection string wins.
    """

    def __init__(
        self,
        environment: Environment,
        clock: Callable[[], float],
        trace: Trace = SILENT,
        sinks: Mapping[str, ActionSink] | None = None,
        credentials: Mapping[str, TokenCredential] | None = None,
        calls: CallBounds | None = None,
    ) -> None:
        """Look names up in ``environment``.

        Args:
            environment: App settings.
            clock: Seconds since the epoch.
            trace: The listener, or None.
            sinks: Where actions go, by connection name, instead of the REST API.
            credentials: Who signs in, by connection name, instead of what the section says.
            calls: How many requests go to a service at once.
        """
        self._calls = calls
        self._environment = environment
        self._clock = clock
        self._trace = trace
        self._given = {canonical_name(name): sink for name, sink in (sinks or {}).items()}
        self._credentials = dict(credentials or {})
        self._clients: dict[str, RestClient] = {}
        self._validators: dict[tuple[ConnectionString, ...], RequestValidator] = {}

    def __contains__(self, name: str) -> bool:
        return bool(self._environment.get(name)) or self.has_identity(name)

    def has_identity(self, name: str) -> bool:
        """Whether ``name`` is a service this host signs in to with an identity."""
        return not self._environment.get(name) and bool(self._environment.get(f"{name}:serviceUri"))

    def find(self, name: str) -> ConnectionString:
        """Return the service ``name`` stands for; without access key when it has an identity.

        Raises:
            ConfigurationError: There is no such setting, or it is no connection string.
        """
        if name not in self:
            raise ConfigurationError(_missing(name))
        try:
            if self.has_identity(name):
                return ConnectionString.of_service_uri(self._environment[f"{name}:serviceUri"])
            return ConnectionString.parse(self._environment[name])
        except ConfigurationError as error:
            raise ConfigurationError(f"connection '{name}': {error}") from error

    def find_with_key(self, name: str) -> ConnectionString:
        """Return the service ``name`` stands for, with its access key.

        Raises:
            ConfigurationError: As `find`, or it has no access key.
        """
        connection = self.find(name)
        if connection.access_key is None:
            raise ConfigurationError(
                f"connection '{name}' has no AccessKey to sign with: set '{name}' to a connection string "
                f"with AccessKey, or remove it and set '{name}__serviceUri' to sign in with an identity"
            )
        return connection

    def validator(self, names: Iterable[str]) -> RequestValidator:
        """Return what checks requests of the services ``names``; the same one for the same services.

        Raises:
            ConfigurationError: As `find`, or two services share a host.
        """
        connections = tuple(self.find(name) for name in names)
        if connections not in self._validators:
            self._validators[connections] = RequestValidator(connections)
        return self._validators[connections]

    def client(self, name: str) -> RestClient:
        """Return the one client of the service ``name``.

        Raises:
            ConfigurationError: As `find`, or there is neither a key nor an identity that can be used.
        """
        key = name.lower()
        if key not in self._clients:
            tokens = self._tokens(name) if self.has_identity(name) else None
            connection = self.find_with_key(name) if tokens is None else self.find(name)
            self._clients[key] = RestClient(connection, clock=self._clock, tokens=tokens, bounds=self._calls)
        return self._clients[key]

    def sink(self, name: str) -> ActionSink:
        """Return where actions for the service ``name`` go.

        Raises:
            ConfigurationError: As `client`.
        """
        given = self._given.get(canonical_name(name))
        if given is not None:
            return given
        client = self.client(name)
        return TracedActions(client, self._trace, client.endpoint)

    async def close(self) -> None:
        """Close the connections to the services; credentials that were given stay open."""
        for client in self._clients.values():
            await client.close()

    def _tokens(self, name: str) -> BearerTokens:
        endpoint = self.find(name).endpoint
        parts = urlsplit(endpoint)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ConfigurationError(
                f"connection '{name}': serviceUri is '{endpoint}', and an identity's token must not leave "
                "this machine unencrypted: use https"
            )
        given = self._credentials.get(name)
        if given is not None:
            return BearerTokens(name, given, self._clock)
        return BearerTokens(name, Identity.find(name, self._environment), self._clock)


def _missing(name: str) -> str:
    if "=" in name:  # never shown, as it may hold the key
        return (
            "the connection is a connection string: expected the name of a setting; put the string into a "
            f"setting, for example '{DEFAULT_CONNECTION}', and name that"
        )
    return (
        f"connection '{name}' does not exist: add a setting '{name}' with the connection string of the "
        "service, or set the binding's 'connection' to the name of another setting"
    )
