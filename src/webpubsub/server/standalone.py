"""``webpubsub service``: the service alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from webpubsub.observe.logs import start_logging
from webpubsub.server.embedded import EmbeddedService, add_event_handlers, check_keys, local_connection
from webpubsub.server.process import Background, run_until_stopped
from webpubsub.server.serving import bind
from webpubsub.server.tls import Tls
from webpubsub.service.settings import EventHandlerSettings, ServiceSettings
from webpubsub.service.settings_file import SettingsWatch, load_settings

GRACE: Final = 20
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
    strict_api_version: bool
    log_format: str
    verbose: bool
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    tls: Tls | None = None


def run_service(options: ServiceOptions) -> None:
    """Run the service until it is told to stop.

    Raises:
        ConfigurationError: A setting cannot be used, or the port cannot be had.
    """
    found = load_settings(options.settings) if options.settings else ServiceSettings()
    settings = completed(options, found)
    trace = start_logging(options.log_format, verbose=options.verbose)
    listener = bind(options.host, options.port, "choose another with --port (0 takes any free port)")
    service = EmbeddedService(settings, listener, trace, options.tls)
    connection = local_connection(listener, options.host, settings.access_keys[0], options.tls)
    overview = (
        f"{_overview(settings)}Service endpoint: {connection.endpoint}\nConnection string: {connection}\n"
    )
    following = None
    if options.settings is not None:
        watch = SettingsWatch(
            options.settings,
            found,
            lambda edited: service.use_settings(completed(options, edited)),
            trace=trace,
        )
        following = Background(watch.run)

    run_until_stopped(service, following, seconds=GRACE, trace=trace, ready=lambda: overview)


def completed(options: ServiceOptions, settings: ServiceSettings) -> ServiceSettings:
    """Return the settings of the file, or of an edit of it, with what the options say on top.

    Raises:
        ConfigurationError: The keys are not for where it listens, or an option cannot be used.
    """
    keys = _keys(options, settings.access_keys)
    check_keys(options.host, keys, WAY_OUT, insecure_default_key=options.insecure_default_key)
    return msgspec.structs.replace(
        settings,
        access_keys=keys,
        hubs=add_event_handlers(settings.hubs, options.event_handlers),
        strict_api_version=options.strict_api_version or settings.strict_api_version,
        allowed_hosts=(*options.allowed_hosts, *settings.allowed_hosts, options.host.lower()),
        allowed_origins=(*options.allowed_origins, *settings.allowed_origins),
    )


def _keys(options: ServiceOptions, found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys: an option comes before what the file says in its place."""
    primary = options.access_key or found[0]
    secondary = options.secondary_key or next(iter(found[1:]), None)
    return (primary,) if secondary is None else (primary, secondary)


def _overview(settings: ServiceSettings) -> str:
    lines = [
        f"Hub {hub}: {_events(handler)} -> {handler.url_template.partition('?')[0]}\n"
        for hub, found in settings.hubs.items()
        for handler in found.event_handlers
    ]
    return "".join(lines)


def _events(handler: EventHandlerSettings) -> str:
    """Return what an event handler takes, in words."""
    events: list[str] = [*handler.system_events]
    if handler.user_event_pattern:
        events.append(f"user events '{handler.user_event_pattern}'")
    if (presence := handler.group_presence_events) is not None:
        events.append(
            f"{' and '.join(presence.event_names)} of {', '.join(presence.group_filters or ('*',))}"
        )
    return ", ".join(events)
