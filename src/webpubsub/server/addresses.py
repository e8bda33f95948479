"""Where a start listens, and which service its app uses: decided and bound before user code is imported."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from webpubsub.functions.binding_members import DEFAULT_CONNECTION as SETTING
from webpubsub.host.azure.connections import Connections
from webpubsub.host.settings.host_settings import HostSettings
from webpubsub.host.webhook import WEBHOOK_PATH
from webpubsub.http.door import allowed_cors
from webpubsub.model.access.connection_string import (
    DEFAULT_ACCESS_KEY,
    DEFAULT_CONNECTION,
    ConnectionString,
    is_loopback,
)
from webpubsub.model.errors import ConfigurationError, OptionError
from webpubsub.model.trace import Trace
from webpubsub.server.embedded import EmbeddedService, check_keys, local_connection
from webpubsub.server.options import StartOptions
from webpubsub.server.serving import bind, reachable_url, shown_url
from webpubsub.server.tls import CERTFILE
from webpubsub.service.settings import ServiceSettings

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT = 7071
WAY_OUT: Final = (
    f"set {SETTING} to 'Endpoint=http://localhost:8080;AccessKey=...;' with a key of your own (32 characters "
    "or more)"
)
_NO_TLS_WITH_SERVICE: Final = (
    "the app and the embedded service call each other by the address of this machine, for which the "
    "certificate is not made: start with --no-service and run 'webpubsub service' apart, which takes the "
    "same options, or put a proxy that speaks TLS in front of both"
)


class Addresses(msgspec.Struct, frozen=True):
    """What a start listens on.

    Attributes:
        url: Where HTTP functions are, without path.
        listener: The host's socket.
        connection: The app's default connection, or None.
        is_embedded: Whether the service at the other end of ``connection`` is run by this start, in this
            process or in the one that started it.
        service_listener: The embedded service's socket, or None where another process or nobody runs one.
        cors_origins: Other sites whose pages the app's settings let in.
    """

    url: str
    listener: socket.socket
    connection: ConnectionString | None = None
    is_embedded: bool = False
    service_listener: socket.socket | None = None
    cors_origins: tuple[str, ...] = ()

    @classmethod
    def find(cls, options: StartOptions) -> Addresses:
        """Bind the sockets.

        The service is embedded when the app's connection string is absent or points at this machine.

        Raises:
            OptionError: The app would speak TLS, and have an embedded service.
            ConfigurationError: A setting cannot be used, or a port cannot be had.
        """
        settings = HostSettings.load(options.app_dir, os.environ)
        port = next(
            port for port in (options.port, settings.local_http_port, DEFAULT_PORT) if port is not None
        )
        configured = _configured(settings)
        if options.tls is not None and _embeds(options, configured):
            raise OptionError(CERTFILE, _NO_TLS_WITH_SERVICE)
        host = options.host or settings.local_http_address or DEFAULT_HOST
        listener = bind(host, port, "choose another with --port (0 takes any free port)")
        url = shown_url(listener, host, options.tls)
        if not _embeds(options, configured):
            _check_is_alone(options)
            return cls(url, listener, configured)
        wanted = configured or DEFAULT_CONNECTION
        key = wanted.access_key or DEFAULT_ACCESS_KEY
        service_listener = _bind_service(options, host, wanted.endpoint, key)
        connection = local_connection(service_listener, host, key)
        return cls(
            url,
            listener,
            connection,
            is_embedded=True,
            service_listener=service_listener,
            cors_origins=settings.cors_origins,
        )

    @staticmethod
    def embeds_service(options: StartOptions) -> bool:
        """Whether a start would run the service itself.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        return _embeds(options, _configured(HostSettings.load(options.app_dir, os.environ)))

    @property
    def webhook(self) -> str:
        """Where the embedded service sends events: always on this machine."""
        return f"{self.app_url}{WEBHOOK_PATH}"

    @property
    def app_url(self) -> str:
        """Where the embedded service finds HTTP functions, without path."""
        return reachable_url(self.listener)

    def export(self, environ: MutableMapping[str, str]) -> None:
        """Tell the app which service it has, when that is the embedded one."""
        if self.is_embedded:
            environ[SETTING] = str(self.connection)

    def service(self, options: StartOptions, trace: Trace) -> EmbeddedService | None:
        """Return the embedded service, which does not know of any hub yet; None where there is none."""
        if self.service_listener is None:
            return None
        connection = self.connection
        assert connection is not None
        assert connection.access_key is not None
        settings = ServiceSettings(
            access_keys=(connection.access_key,),
            origin=connection.host,
            allowed_hosts=(*options.allowed_hosts, connection.host),
            allowed_origins=(*options.allowed_origins, *allowed_cors(self.cors_origins)),
            # A function that fails would run four times, while its client waits for nine seconds; who
            # develops it wants to see one traceback, at once.
            retry_delays_in_seconds=(),
        )
        return EmbeddedService(settings, self.service_listener, trace)


def _configured(settings: HostSettings) -> ConnectionString | None:
    connections = Connections(settings.environment, time.time)
    return connections.find(SETTING) if SETTING in connections else None


def _embeds(options: StartOptions, configured: ConnectionString | None) -> bool:
    return options.with_service and (configured is None or is_loopback(configured.host))


def _check_is_alone(options: StartOptions) -> None:
    if options.event_handlers:
        raise ConfigurationError(
            "--event-handler is for the service that runs with the app, and this start uses another one: "
            "register the event handler there, or leave the option out"
        )
    if options.in_process:
        raise ConfigurationError(
            "--in-process is for the service that runs with the app, and this start uses another one: leave "
            "the option out"
        )


def _bind_service(options: StartOptions, host: str, endpoint: str, key: str) -> socket.socket:
    check_keys(host, (key,), WAY_OUT, insecure_default_key=options.insecure_default_key)
    port = urlsplit(endpoint).port or 80 if options.service_port is None else options.service_port
    return bind(
        host,
        port,
        "choose another with --service-port (0 takes any free port), or use the service that is there "
        "already with --no-service",
    )
