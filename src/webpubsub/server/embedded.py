"""The service inside this process: composed once here for whatever runs it, with ``--event-handler``."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterable, Mapping

import msgspec

from webpubsub.http.door import Allowed, Door
from webpubsub.http.server import HttpServer
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString, is_loopback
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.ports import EventHandler
from webpubsub.model.trace import Trace, TracedEvents
from webpubsub.server.ending import Grace
from webpubsub.server.process import Background
from webpubsub.server.serving import is_local, shown_url
from webpubsub.server.tls import Tls, context_of
from webpubsub.service.events.webhooks import WebhookEventHandler
from webpubsub.service.own_keys import has_own_key
from webpubsub.service.rest.api import RestApi
from webpubsub.service.service import Service
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings, ServiceSettings
from webpubsub.service.websocket import web_sockets


class EmbeddedService:
    """A running service: its sockets, its event handler, its pings.

    Attributes:
        service: The service itself.
        handler: Sends its events.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        listener: socket.socket,
        trace: Trace,
        tls: Tls | None = None,
    ) -> None:
        self._settings = settings
        self._trace = trace
        self.handler = WebhookEventHandler(settings, trace=trace)
        self.service = Service(settings, self.handler, now=time.time, trace=trace)
        api = RestApi(self.service)
        self._listener = listener
        self._tls = tls
        self._server = HttpServer(
            api,
            lane=api,
            web_sockets=web_sockets(self.service),
            trace=trace,
            bounds=settings.http,
            door=self._door(settings),
        )
        self._pings = Background(self.service.keep_alive.run)
        self._is_started = False

    async def start(self) -> None:
        """Return when clients can connect."""
        await self._server.start(self._listener, context_of(self._tls))
        await self._pings.start()
        self._is_started = True
        self.handler.validate_configured()

    def send_events_to(self, handler: EventHandler) -> None:
        """Send events to ``handler`` from now on, which may leave some to this one's own."""
        self.service.handler = TracedEvents(handler, self._trace)

    def use_hubs(self, hubs: Mapping[HubName, HubSettings]) -> None:
        """Send events by other hub settings from now on; clients stay connected."""
        self.use_settings(msgspec.structs.replace(self._settings, hubs=hubs))

    def use_settings(self, settings: ServiceSettings) -> None:
        """Go by other settings from now on; clients stay connected, and events under way keep theirs."""
        self._settings = self.service.settings = self.handler.settings = settings
        self._server.bounds, self._server.door = settings.http, self._door(settings)
        if self._is_started:  # else it is done on start
            self.handler.validate_configured()

    def _door(self, settings: ServiceSettings) -> Door | None:
        if not is_local(self._listener):
            return None
        names = (ConnectionString(url).host for url in settings.public_endpoints)
        return Door(
            Allowed(frozenset((*settings.allowed_hosts, *names)), frozenset(settings.allowed_origins)),
            is_guarded=lambda _: True,
            has_key=lambda head: has_own_key(settings, head, self.service.now()),
        )

    async def stop(self, grace: Grace) -> None:
        """Say goodbye to the clients, and tell the event handlers that they are gone.

        Half of what is left of ``grace`` stays for what is stopped after the service.
        """
        await self.service.retire(grace.half())
        await self._server.stop(grace.half())
        await self._pings.stop(grace)
        await self.handler.close()


def local_connection(
    listener: socket.socket, host: str, access_key: str, tls: Tls | None = None
) -> ConnectionString:
    """Return the connection string of a service that listens on ``host``."""
    return ConnectionString(shown_url(listener, host, tls), access_key)


def check_keys(host: str, access_keys: Collection[str], way_out: str, *, insecure_default_key: bool) -> None:
    """Refuse keys that no connection string can carry, and to offer the public default one to other machines.

    Raises:
        ConfigurationError: A key does not fit; or the service would listen beyond this machine with the
            default key, and ``way_out`` says how another is set.
    """
    if any(";" in key or key != key.strip() or not key.isprintable() for key in access_keys):
        raise ConfigurationError(
            "an access key has a ';', a control character, or a blank at its start or end: no connection "
            "string can carry it"
        )
    if DEFAULT_ACCESS_KEY in access_keys and not is_loopback(host) and not insecure_default_key:
        raise ConfigurationError(
            f"the service would listen on {host} with the default access key, which everybody knows: "
            f"{way_out}, or pass --insecure-default-key"
        )


def add_event_handlers(
    hubs: Mapping[HubName, HubSettings], texts: Iterable[str], app_url: str | None = None
) -> dict[HubName, HubSettings]:
    """Return ``hubs`` with more handlers, each for all events that no handler before it takes.

    Args:
        hubs: Settings by hub.
        texts: ``HUB=URL_TEMPLATE`` each.
        app_url: What a template that is a path belongs to, without path; None takes whole URLs only.

    Raises:
        ConfigurationError: One of ``texts`` is not of this form.
    """
    added = dict(hubs)
    for text in texts:
        hub, handler = _event_handler(text, app_url)
        found = added.get(hub, HubSettings())
        added[hub] = msgspec.structs.replace(found, event_handlers=(*found.event_handlers, handler))
    return added


def _event_handler(text: str, app_url: str | None) -> tuple[HubName, EventHandlerSettings]:
    hub, _, url = text.partition("=")
    if app_url is not None and url.startswith("/"):
        url = f"{app_url}{url}"
    try:
        return parse_hub_name(hub), EventHandlerSettings(
            url_template=url, user_event_pattern="*", system_events=SYSTEM_EVENTS
        )
    except InvalidName as error:
        expected = "HUB=http://host/path" if app_url is None else "HUB=/path or HUB=http://host/path"
        raise ConfigurationError(
            f"--event-handler {text.partition('?')[0]!r}: expected {expected}; {error}"
        ) from error
