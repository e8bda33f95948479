"""``webpubsub start``: a function app, and the service for it, in one process.

The order matters. Sockets are bound first, so that the real ports are known before user code is
imported and a taken port costs nothing. At the end the service says goodbye to its clients while the
host still runs, so that their ``disconnected`` events find their functions.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from webpubsub.cli.embedded import EmbeddedService, check_key, is_loopback, local_connection
from webpubsub.cli.logs import start_logging
from webpubsub.cli.overview import overview
from webpubsub.cli.serving import Server, bind, run_until_stopped
from webpubsub.cli.token import DEFAULT_CONNECTION
from webpubsub.host.asgi import FunctionHost, FunctionListing
from webpubsub.host.connections import DEFAULT_CONNECTION as SETTING
from webpubsub.host.settings import HostSettings, export_values
from webpubsub.host.webhook import WEBHOOK_PATH
from webpubsub.model.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Trace
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings, ServiceSettings

__all__ = ["StartOptions", "run_start"]

DEFAULT_PORT = 7071
GRACE = 30


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command."""

    app_dir: Path
    host: str
    port: int | None
    service_port: int | None
    with_service: bool
    functions: tuple[str, ...]
    strict: bool
    insecure_default_key: bool
    log_format: str
    verbose: bool


def run_start(options: StartOptions) -> None:
    """Run the app until it is told to stop.

    Raises:
        ConfigurationError: The app or its settings are wrong, or a port cannot be had.
    """
    trace = start_logging(options.log_format, verbose=options.verbose)
    settings = HostSettings.load(options.app_dir, os.environ)
    port = next(port for port in (options.port, settings.local_http_port, DEFAULT_PORT) if port is not None)
    listener = bind(options.host, port, "--port")
    service_listener, connection = _service_socket(options, settings)
    if service_listener is not None:
        os.environ[SETTING] = str(connection)
    export_values(settings, os.environ)
    host = FunctionHost(HostSettings.load(options.app_dir, os.environ), only=options.functions, trace=trace)
    _check(host, strict=options.strict)
    url = f"http://{'localhost' if is_loopback(options.host) else options.host}:{listener.getsockname()[1]}"
    service = None
    if service_listener is not None and connection is not None:
        webhook = f"http://127.0.0.1:{listener.getsockname()[1]}{WEBHOOK_PATH}"
        service = _embed(service_listener, connection, host.functions, webhook, trace)
    server = Server(host, listener, grace=GRACE)
    text = overview(host.functions, url, connection, is_embedded=service is not None)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        await host.start()
        await server.start()
        if service is not None:
            await service.start()
        sys.stdout.write(f"{text}Ready\n")
        sys.stdout.flush()
        await stopped()
        if service is not None:
            await service.stop()
        await server.stop()
        await host.stop(GRACE)

    run_until_stopped(main)


def _service_socket(
    options: StartOptions, settings: HostSettings
) -> tuple[socket.socket | None, ConnectionString | None]:
    """Return the embedded service's socket, if it is to run, and the app's default connection, if any."""
    text = settings.environment.get(SETTING)
    configured = ConnectionString.parse(text) if text else None
    if not options.with_service or (configured is not None and not is_loopback(configured.host)):
        return None, configured
    wanted = configured or DEFAULT_CONNECTION
    key = wanted.access_key or DEFAULT_ACCESS_KEY
    check_key(options.host, key, insecure_default_key=options.insecure_default_key)
    port = options.service_port
    if port is None:
        port = urlsplit(wanted.endpoint).port or 80
    listener = bind(options.host, port, "--service-port")
    return listener, local_connection(listener, options.host, key)


def _check(host: FunctionHost, *, strict: bool) -> None:
    """Go on with the functions that have no problem; the trace has shown all problems at once.

    Raises:
        ConfigurationError: No function is left, or ``strict`` and there is a problem.
    """
    if host.problems and (strict or not host.functions):
        count = len(host.problems)
        found = "1 problem is" if count == 1 else f"{count} problems are"
        consequence = "--strict was given" if host.functions else "no function can run"
        raise ConfigurationError(f"{found} shown above, and {consequence}")


def _embed(
    listener: socket.socket,
    connection: ConnectionString,
    functions: Iterable[FunctionListing],
    webhook: str,
    trace: Trace,
) -> EmbeddedService:
    settings = ServiceSettings(
        access_keys=(connection.access_key or DEFAULT_ACCESS_KEY,),
        hubs=_hub_settings(functions, webhook),
        origin=connection.host,
    )
    return EmbeddedService(settings, listener, trace)


def _hub_settings(functions: Iterable[FunctionListing], webhook: str) -> dict[HubName, HubSettings]:
    """Register the host for exactly those events that have a function."""
    events: dict[HubName, dict[str, list[str]]] = {}
    for function in functions:
        if function.hub:
            kinds = events.setdefault(HubName(function.hub.lower()), {"system": [], "user": []})
            kinds[function.event_type].append(function.event_name)
    return {
        hub: HubSettings(
            event_handlers=(
                EventHandlerSettings(
                    url_template=webhook,
                    user_event_pattern=",".join(kinds["user"]),
                    system_events=tuple(
                        name for name in SYSTEM_EVENTS if name in map(str.lower, kinds["system"])
                    ),
                ),
            )
        )
        for hub, kinds in events.items()
    }
