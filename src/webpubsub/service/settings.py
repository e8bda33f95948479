"""Settings of the service: what its hubs do, and where it follows Azure or its emulator.

People write them into a file, see `settings_file`.

Source: service spec, sections D.1 and I.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from webpubsub.model.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.errors import ConfigurationError, ConnectionStringError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.issued_tokens import TokenIssuer
from webpubsub.model.names import HubName
from webpubsub.service.event_handlers import SYSTEM_EVENTS, EventHandlerSettings
from webpubsub.service.frames import MAX_MESSAGE_BYTES

__all__ = [
    "SYSTEM_EVENTS",
    "Compatibility",
    "EventHandlerSettings",
    "HubSettings",
    "ServiceSettings",
]

Delay = Annotated[float, msgspec.Meta(ge=0)]
KeepAliveInterval = Annotated[int, msgspec.Meta(ge=1, le=120)]


class HubSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Settings of one hub, with Azure's names.

    Attributes:
        event_handlers: The first that takes an event gets it.
        anonymous_connect_policy: Whether clients may connect without a token: ``allow`` or ``deny``.
        web_socket_keep_alive_interval_in_seconds: How often clients are pinged, 1 to 120.
    """

    event_handlers: tuple[EventHandlerSettings, ...] = ()
    anonymous_connect_policy: Literal["allow", "deny"] = "deny"
    web_socket_keep_alive_interval_in_seconds: KeepAliveInterval = 20

    def handler(self, event_type: WebPubSubEventType, name: str) -> EventHandlerSettings | None:
        """Return the handler of a system or user event, or None when nobody takes it."""
        for found in self.event_handlers:  # a plain loop, as this is asked about every event
            if found.takes(event_type, name):
                return found
        return None

    def presence_handler(self, name: str, group: str) -> EventHandlerSettings | None:
        """Return the handler of a presence event, or None when nobody takes it, as is usual."""
        for found in self.event_handlers:  # a plain loop, as this is asked about every join
            wanted = found.group_presence_events
            if wanted is not None and wanted.takes(name, group):
                return found
        return None


class Compatibility(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where Azure, its documents and its emulator disagree, or where tests want it otherwise.

    Attributes:
        failed_user_event: What a client of a subprotocol sees when its user event fails: ``ack``, an ack with
            an error and nothing else, as Microsoft's emulator does; or ``close``, the ack and then the end of
            the connection with 1011, as Azure's documents say.
        missing_connection_send: The answer to a REST send to a connection that is not there: 202, as sends
            are fire and forget, or 404.
        decode_slash_in_segments: Whether ``%2F`` in a path of the REST API is a slash, so that the user
            ``a/b`` can be named; false keeps the three characters, as the emulator does.
        require_content_length: Whether a REST send must say its length, as Azure demands; false also takes
            chunked bodies.
        validation_mode: When event handlers are asked whether they take events from here (abuse
            protection): ``onFirstEvent``, as the emulator does; ``onStart``, as soon as they are
            configured; or ``off``, never.
        reliable_recovery_window_in_seconds: How long a reliable connection waits for its client to come back;
            short in tests, as some clients leave a connection to wait whenever they end.
        retry_delays_in_seconds: How long to wait before each further attempt to reach an event handler
            that fails; empty for one attempt only.
        max_message_bytes: How large a client's message may be; a larger one ends its connection with 1009.
        strict_api_version: Whether REST requests of an api-version newer than the newest known here are
            refused, as Azure does with those it does not have; else they are served, with one warning.
        public_endpoints: URLs under which callers know this service beside its own address, as behind a
            proxy that changes host or path: tokens may name them, and those for clients name the first.
        trust_forwarded_headers: Whether ``X-Forwarded-Host`` and ``X-Forwarded-Proto`` say what callers
            sent; only where a proxy sets them.

    Raises:
        ConfigurationError: A public endpoint is no URL.
    """

    failed_user_event: Literal["ack", "close"] = "ack"
    missing_connection_send: Literal[202, 404] = 202
    decode_slash_in_segments: bool = True
    require_content_length: bool = True
    validation_mode: Literal["onStart", "onFirstEvent", "off"] = "onFirstEvent"
    reliable_recovery_window_in_seconds: Delay = 30.0
    retry_delays_in_seconds: tuple[Delay, ...] = (1.0, 3.0, 5.0)
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1)] = MAX_MESSAGE_BYTES
    strict_api_version: bool = False
    public_endpoints: tuple[str, ...] = ()
    trust_forwarded_headers: bool = False

    def __post_init__(self) -> None:
        if self.public_endpoints:
            found = tuple(_public_endpoint(url) for url in self.public_endpoints)
            msgspec.structs.force_setattr(self, "public_endpoints", found)


class ServiceSettings(Compatibility, frozen=True, kw_only=True):
    """Settings of the service.

    Attributes:
        access_keys: Primary key, then the secondary one if there is any.
        hubs: By canonical name; a hub that is not here works without handlers.
        origin: What the service calls itself in ``WebHook-Request-Origin`` (``webhookRequestOrigin`` in
            the file): a host without port, as Azure does. An app that compares it with a URL that has a
            port needs the port here too, such as ``localhost:8080``.
        token_issuers: Whose tokens callers of the REST API may have instead of an access key's.
    """

    access_keys: tuple[str, ...] = (DEFAULT_ACCESS_KEY,)
    hubs: Mapping[HubName, HubSettings] = msgspec.field(default_factory=dict)
    origin: str = msgspec.field(default="localhost", name="webhookRequestOrigin")
    token_issuers: tuple[TokenIssuer, ...] = ()

    def hub(self, name: HubName) -> HubSettings:
        """Return the settings of a hub."""
        return self.hubs.get(name, _NO_SETTINGS)


_NO_SETTINGS: Final = HubSettings()


def _public_endpoint(url: str) -> str:
    try:
        return ConnectionString.of_service_uri(url).endpoint
    except ConnectionStringError as error:
        expected = "'http://host[:port]' or 'https://host[:port]'"
        raise ConfigurationError(f"publicEndpoints has {url!r}: expected {expected}") from error
