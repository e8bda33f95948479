"""The app in this process: its functions are loaded, served, and described."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from webpubsub.host.host import FunctionHost
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.host.settings.host_settings import HostSettings, export_place, export_values
from webpubsub.http.door import Allowed, Door, allowed_cors
from webpubsub.http.server import HttpServer
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.observe.logs import set_log_levels
from webpubsub.server.addresses import Addresses
from webpubsub.server.embedded import EmbeddedService, add_event_handlers
from webpubsub.server.ending import Grace
from webpubsub.server.in_process import sinks_of
from webpubsub.server.options import StartOptions
from webpubsub.server.overview import overview, with_code
from webpubsub.server.serving import is_local
from webpubsub.server.tls import context_of
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings

OPEN_TO_ALL: Final = (
    "other machines can reach this address, and nobody is asked for a key: whoever reaches it may call every "
    "function and /admin; start with --auth to ask for keys"
)


class ServedApp:
    """The app in this process: its functions, and the server of those.

    Attributes:
        host: Runs the functions.
        on_hubs: Is told which events they take when they run, and again whenever the key of the webhook may
            have changed.
    """

    def __init__(self, options: StartOptions, addresses: Addresses, host: FunctionHost) -> None:
        self.host = host
        self.on_hubs: Callable[[dict[HubName, HubSettings]], None] = lambda _: None
        self._options = options
        self._addresses = addresses
        self._server = HttpServer(
            host,
            lane=host.webhook,
            trace=host.trace,
            bounds=host.bounds,
            door=_door(options, addresses, host),
        )
        host.has_door = self._server.door is not None

    async def start(self) -> None:
        """Return when the functions can be called.

        Raises:
            ConfigurationError: The keys or an ``--event-handler`` cannot be used.
            StorageError: The storage cannot be used, and keys are asked for.
        """
        await self.host.start()
        await self._server.start(self._addresses.listener, context_of(self._options.tls))
        self._tell_hubs()
        if self.host.access is not None:
            self.host.access.on_change = self._tell_hubs

    async def stop(self, grace: Grace) -> None:
        """Take no more requests; those and functions under way may finish in time."""
        await self._server.stop(grace.half())
        await self.host.stop(grace.left())

    def overview(self) -> str:
        """Return what people see of it once it runs."""
        return overview(
            self.host.functions,
            self._addresses.url,
            self._addresses.connection,
            is_embedded=self._addresses.is_embedded,
            event_handlers=self._options.event_handlers,
            access=self.host.access,
        )

    def _tell_hubs(self) -> None:
        """Tell where the service sends events: to triggers first, then as ``--event-handler`` says."""
        access = self.host.access
        webhook = with_code(self._addresses.webhook, None if access is None else access.webhook_code)
        hubs = hub_settings(self.host.functions, webhook)
        self.on_hubs(add_event_handlers(hubs, self._options.event_handlers, self._addresses.app_url))


def _door(options: StartOptions, addresses: Addresses, host: FunctionHost) -> Door | None:
    if not is_local(addresses.listener):
        return None
    return Door(
        Allowed(
            frozenset((*options.allowed_hosts, urlsplit(addresses.url).hostname or "")),
            allowed_cors((*options.allowed_origins, *host.cors_origins)),
        ),
        is_guarded=host.is_private,
        has_key=host.has_key,
    )


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
    if not options.auth and not is_local(addresses.listener):
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
