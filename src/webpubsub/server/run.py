"""``webpubsub start``: a function app, and the service for it, in one process.

The order matters. Sockets are bound first, so that the real ports are known before user code is
imported and a taken port costs nothing. At the end the service says goodbye to its clients while the
host still runs, so that their ``disconnected`` events find their functions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from webpubsub.host.host import FunctionHost
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.host.settings.host_settings import HostSettings, export_place, export_values
from webpubsub.model.access.connection_string import is_loopback
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.observe.logs import set_log_levels, start_logging
from webpubsub.server.addresses import Addresses
from webpubsub.server.embedded import EmbeddedService, add_event_handlers
from webpubsub.server.ending import Grace
from webpubsub.server.in_process import send_events_to, sinks_of
from webpubsub.server.options import StartOptions
from webpubsub.server.overview import overview, with_code
from webpubsub.server.serving import Server, announce_ready, run_until_stopped
from webpubsub.server.tls import Tls
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings

GRACE = 30
OPEN_TO_ALL: Final = (
    "other machines can reach this address, and nobody is asked for a key: whoever reaches it may call every "
    "function and /admin; start with --auth to ask for keys"
)


def run_start(options: StartOptions) -> None:
    """Run the app until it is told to stop.

    Raises:
        ConfigurationError: The app or its settings are wrong, or a port cannot be had.
    """
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    service: EmbeddedService | None = None
    if addresses.service_listener is not None:
        service = EmbeddedService(addresses.service_settings({}), addresses.service_listener, trace)
    joined = service if options.in_process else None
    host = load_host(options, addresses, trace, joined)
    if joined is not None:
        send_events_to(host.webhook, addresses.app_url, joined)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        grace = Grace(GRACE)
        async with serving(host, addresses.listener, grace, options.tls):
            if service is not None:
                use_hubs = service.use_hubs
                follow_hubs(lambda: use_hubs(registered_hubs(options, host, addresses)), host)
                await service.start()
            announce_ready(described(options, host, addresses, is_embedded=service is not None))
            await stopped()
            if service is not None:
                await service.stop(grace)

    run_until_stopped(main)


@asynccontextmanager
async def serving(
    host: FunctionHost, listener: socket.socket, grace: Grace, tls: Tls | None
) -> AsyncIterator[None]:
    """Serve the app's functions; at the end requests and functions under way may finish in time."""
    server = Server(host, listener, lane=host.webhook, tls=tls, trace=host.trace)
    await host.start()
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace.half())
        await host.stop(grace.left())


def load_host(
    options: StartOptions, addresses: Addresses, trace: Trace, joined: EmbeddedService | None = None
) -> FunctionHost:
    """Load the app; user code finds its settings in ``os.environ``.

    The functions without problems run; the trace has shown all problems at once.

    Args:
        options: Which app, and which of its functions.
        addresses: Where it listens.
        trace: The listener.
        joined: The service that performs its actions in this process, or None.

    Raises:
        ConfigurationError: No function is left, or ``strict`` and there is a problem or a warning.
    """
    if not options.auth and not is_loopback(addresses.listener.getsockname()[0]):
        trace.tell(Name.SETTING, Phase.FAILED, {}, {"message": OPEN_TO_ALL})
    addresses.export(os.environ)
    export_place(options.app_dir, addresses.url, os.environ)
    settings = HostSettings.load(options.app_dir, os.environ)
    export_values(settings, os.environ)
    set_log_levels(trace, settings.log_levels, verbose=options.verbose)
    sinks = None
    if joined is not None and addresses.connection is not None:
        sinks = sinks_of(settings.environment, addresses.connection, joined.service, trace)
    host = FunctionHost(settings, only=options.functions, auth=options.auth, sinks=sinks, trace=trace)
    count = len(host.problems) + (len(host.warnings) if options.strict else 0)
    if count and (options.strict or not host.functions):
        found = "1 problem is" if count == 1 else f"{count} problems are"
        consequence = "--strict was given" if host.functions else "no function can run"
        raise ConfigurationError(f"{found} shown above, and {consequence}")
    return host


def described(options: StartOptions, host: FunctionHost, addresses: Addresses, *, is_embedded: bool) -> str:
    """Return what people see of a host that has started."""
    return overview(
        host.functions,
        addresses.url,
        addresses.connection,
        is_embedded=is_embedded,
        event_handlers=options.event_handlers,
        access=host.access,
    )


def follow_hubs(register: Callable[[], None], host: FunctionHost) -> None:
    """Call ``register`` now, and again whenever the key of the webhook may have changed."""
    register()
    if host.access is not None:
        host.access.on_change = register


def registered_hubs(
    options: StartOptions, host: FunctionHost, addresses: Addresses
) -> dict[HubName, HubSettings]:
    """Return where the embedded service sends events: to triggers first, then as ``--event-handler`` says.

    Raises:
        ConfigurationError: An ``--event-handler`` cannot be used.
    """
    code = None if host.access is None else host.access.webhook_code
    hubs = hub_settings(host.functions, with_code(addresses.webhook, code))
    return add_event_handlers(hubs, options.event_handlers, addresses.app_url)


def hub_settings(functions: Iterable[FunctionListing], webhook: str) -> dict[HubName, HubSettings]:
    """Register ``webhook`` for exactly those events that have a function."""
    events: dict[HubName, dict[str, list[str]]] = {}
    for function in functions:
        if function.hub:
            kinds = events.setdefault(HubName(function.hub.lower()), {"system": [], "user": []})
            kinds[function.event_type].append(function.event_name.lower())
    return {hub: _registration(kinds["system"], kinds["user"], webhook) for hub, kinds in events.items()}


def _registration(system: Iterable[str], user: Iterable[str], webhook: str) -> HubSettings:
    handler = EventHandlerSettings(
        url_template=webhook,
        user_event_pattern=",".join(user),
        system_events=tuple(name for name in SYSTEM_EVENTS if name in system),
    )
    return HubSettings(event_handlers=(handler,))
