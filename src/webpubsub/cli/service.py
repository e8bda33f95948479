"""``webpubsub service``: the service alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from webpubsub.cli.embedded import EmbeddedService, check_keys, local_connection
from webpubsub.cli.event_handlers import add_event_handlers
from webpubsub.cli.logs import start_logging
from webpubsub.cli.serving import announce_ready, bind, run_until_stopped
from webpubsub.model.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.service.settings import ServiceSettings, load_settings

__all__ = ["ServiceOptions", "run_service"]

WAY_OUT: Final = "set another with --access-key or WEBPUBSUB_ACCESS_KEY (32 characters or more)"


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command."""

    host: str
    port: int
    settings: Path | None
    event_handlers: tuple[str, ...]
    access_key: str | None
    secondary_key: str | None
    insecure_default_key: bool
    log_format: str
    verbose: bool


def run_service(options: ServiceOptions) -> None:
    """Run the service until it is told to stop.

    Raises:
        ConfigurationError: A setting cannot be used, or the port cannot be had.
    """
    primary = options.access_key or DEFAULT_ACCESS_KEY
    keys = (primary, options.secondary_key) if options.secondary_key else (primary,)
    check_keys(options.host, keys, WAY_OUT, insecure_default_key=options.insecure_default_key)
    settings = load_settings(options.settings) if options.settings else ServiceSettings()
    hubs = add_event_handlers(settings.hubs, options.event_handlers)
    settings = msgspec.structs.replace(settings, access_keys=keys, hubs=hubs)
    trace = start_logging(options.log_format, verbose=options.verbose)
    listener = bind(options.host, options.port, "choose another with --port (0 takes any free port)")
    service = EmbeddedService(settings, listener, trace)
    connection = local_connection(listener, options.host, primary)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        await service.start()
        endpoint = f"Service endpoint: {connection.endpoint}\nConnection string: {connection}\n"
        announce_ready(f"{_overview(settings)}{endpoint}")
        await stopped()
        await service.stop()

    run_until_stopped(main)


def _overview(settings: ServiceSettings) -> str:
    lines = [
        f"Hub {hub}: {', '.join(handler.system_events)} and user events '{handler.user_event_pattern}' -> "
        f"{handler.url_template.partition('?')[0]}\n"
        for hub, found in settings.hubs.items()
        for handler in found.event_handlers
    ]
    return "".join(lines)
