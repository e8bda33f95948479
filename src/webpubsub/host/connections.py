"""Web PubSub services by the names bindings give them.

Source: extension spec, sections 1.5, 1.6 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from webpubsub.host.environment import Environment
from webpubsub.host.rest_sink import RestActionSink
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.ports import ActionSink
from webpubsub.model.signature import RequestValidator
from webpubsub.model.trace import Trace

__all__ = ["DEFAULT_CONNECTION", "Connections"]

DEFAULT_CONNECTION: Final = "WebPubSubConnectionString"


class Connections:
    """Finds connection strings, and keeps one validator and one action sink for each."""

    def __init__(
        self,
        environment: Environment,
        clock: Callable[[], float],
        trace: Trace | None = None,
        sinks: Mapping[str, ActionSink] | None = None,
    ) -> None:
        """Look names up in ``environment``; actions for a name in ``sinks`` go there instead of REST."""
        self._environment = environment
        self._clock = clock
        self._trace = trace
        self._given = dict(sinks or {})
        self._rest: dict[ConnectionString, RestActionSink] = {}
        self._validators: dict[tuple[ConnectionString, ...], RequestValidator] = {}

    def __contains__(self, name: str) -> bool:
        return bool(self._environment.get(name) or self._environment.get(f"{name}:serviceUri"))

    def find(self, name: str) -> ConnectionString:
        """Return the service ``name`` stands for; without access key when only its URI is set.

        Raises:
            ConfigurationError: There is no such setting, or it is no connection string.
        """
        text = self._environment.get(name)
        service_uri = self._environment.get(f"{name}:serviceUri")
        if not text and not service_uri:
            raise ConfigurationError(
                f"connection '{name}' does not exist: add a setting '{name}' with the connection string of "
                f"the service, or set the binding's 'connection' to the name of another setting"
            )
        try:
            return ConnectionString.parse(text or f"Endpoint={service_uri}")
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
                f"connection '{name}' has no AccessKey: this host signs tokens with a key and does not do "
                f"identity yet; set '{name}' to a connection string with AccessKey"
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

    def sink(self, name: str) -> ActionSink:
        """Return where actions for the service ``name`` go.

        Raises:
            ConfigurationError: As `find_with_key`.
        """
        if name in self._given:
            return self._given[name]
        connection = self.find_with_key(name)
        if connection not in self._rest:
            self._rest[connection] = RestActionSink(connection, clock=self._clock, trace=self._trace)
        return self._rest[connection]

    async def close(self) -> None:
        """Close the connections to the services."""
        for sink in self._rest.values():
            await sink.close()
