"""Settings of the service: what its hubs do, and where it follows Azure or its emulator.

A hub's event handlers say which webhook takes which events, and where it is: a URL template such as
``http://localhost:7071/api/{hub}/{event}?code=...``. ``groupPresenceEvents`` (preview) names the presence
events that one takes; an empty list of filters means every group, as in Azure's management API
2025-08-01-preview. People write them into a file, see `settings_file`.

Source: service spec, sections D.1, D.8 and I.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlsplit

import msgspec

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.carried import carry_problem
from webpubsub.model.errors import ConfigurationError, ConnectionStringError, InvalidName, UsageError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.http import CallBounds, HttpBounds
from webpubsub.model.names import HubName
from webpubsub.service.filters import FilterBounds
from webpubsub.service.protocols.frames import MAX_MESSAGE_BYTES

__all__ = [
    "SYSTEM_EVENTS",
    "Compatibility",
    "EventHandlerSettings",
    "HubSettings",
    "Limits",
    "ServiceSettings",
]


SystemEvent = Literal["connect", "connected", "disconnected"]
SYSTEM_EVENTS: Final[tuple[SystemEvent, ...]] = ("connect", "connected", "disconnected")

_PLACEHOLDER: Final = re.compile(r"{(hub|event)}", re.IGNORECASE)
_KEY_VAULT: Final = re.compile(r"{@Microsoft\.KeyVault\(", re.IGNORECASE)
_TUNNEL: Final = "tunnel:"

_RULE: Final = "a URL such as 'http://localhost:7071/{hub}/{event}'"
_KEY_VAULT_RULE: Final = (
    "the secret itself in place of '{@Microsoft.KeyVault(...)}', which only Azure can read"
)
_TUNNEL_RULE: Final = (
    "the URL of the app itself, such as 'http://localhost:3000/path': this service needs no tunnel to it"
)
_HOST_RULE: Final = "{hub} and {event} in the path or the query only, not in the host"


class ManagedIdentity(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """For whom an identity's token is.

    Attributes:
        resource: The app registration of the event handler, such as ``api://chat``.
    """

    resource: str


class WebhookAuth(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What events have as ``Authorization``.

    Attributes:
        type: ``None`` sends nothing. ``ManagedIdentity``, as on Azure, sends a token of this machine's
            identity (environment, managed identity, Azure CLI, ...); it needs ``webpubsub[identity]``.
            ``BearerToken``, here only, sends a token as it is and can stand in for an identity.
        managed_identity: For whom the identity's token is.
        bearer_token: The token to send.

    Raises:
        UsageError: What ``type`` needs is missing.
    """

    type: Literal["None", "ManagedIdentity", "BearerToken"] = "None"
    managed_identity: ManagedIdentity | None = None
    bearer_token: str | None = None

    def __post_init__(self) -> None:
        token, identity = self.bearer_token or "", self.managed_identity
        if self.type == "ManagedIdentity" and (identity is None or not identity.resource):
            raise UsageError(
                "auth is 'ManagedIdentity': expected managedIdentity.resource, such as 'api://chat'"
            )
        if self.type == "BearerToken" and not (token and token.isascii() and token.isprintable()):
            raise UsageError("auth is 'BearerToken': expected bearerToken, one line of ASCII characters")

    def __repr__(self) -> str:
        return f"WebhookAuth(type={self.type!r}, ...)"  # without the token


class EventHandlerSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One event handler of a hub.

    Attributes:
        url_template: Where to send events; ``{hub}`` and ``{event}``, in any case, stand for their names.
        user_event_pattern: ``*``, a name, or names separated by commas; empty takes no user events.
        system_events: Which system events it takes.
        auth: What it gets as ``Authorization``.
        group_presence_events: Which joins and leaves it hears of; None for none.

    Raises:
        InvalidName: ``url_template`` is no HTTP URL, or ``user_event_pattern`` has a wildcard in a name.
    """

    url_template: str
    user_event_pattern: str = ""
    system_events: tuple[SystemEvent, ...] = ()
    auth: WebhookAuth | None = None
    group_presence_events: GroupPresenceEvents | None = None

    def __post_init__(self) -> None:
        check_template(self.url_template)
        for name in _names(self.user_event_pattern):
            if "*" in name and name != "*":
                raise InvalidName(
                    "userEventPattern",
                    name,
                    "'*' for all events, or names separated by commas; wildcards in names are not known",
                )

    def takes(self, event_type: WebPubSubEventType, name: str) -> bool:
        """Whether this handler takes a system or user event; names are compared without case."""
        name = name.lower()
        if event_type is WebPubSubEventType.SYSTEM:
            return name in self.system_events
        names = _names(self.user_event_pattern)
        return "*" in names or name in names


@lru_cache(maxsize=1024)  # asked for each event, by settings that are as good as constant
def _names(pattern: str) -> frozenset[str]:
    return frozenset(piece.strip().lower() for piece in pattern.split(","))


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
        patience_in_seconds: For how long clients that publish wait for a receiver that does not keep up; then
            that is closed with 1008.
        max_groups_per_connection: How many groups a connection may be in; who wants to join more is told so,
            by an ack, or by 409 where the REST API is asked, or 400 where its token says so.
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
    patience_in_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 2.0
    max_groups_per_connection: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    strict_api_version: bool = False
    public_endpoints: tuple[str, ...] = ()
    trust_forwarded_headers: bool = False

    def __post_init__(self) -> None:
        if self.public_endpoints:
            found = tuple(_public_endpoint(url) for url in self.public_endpoints)
            msgspec.structs.force_setattr(self, "public_endpoints", found)


Limit = Annotated[int, msgspec.Meta(ge=1)] | None


class Limits(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What clients may take of a service, for who runs it for others; None is no limit.

    Attributes:
        clients: How many there may be, in all hubs; reliable ones that are away count: 429.
        clients_per_user: How many of them in one hub may be of one user: 429.
        connects_per_second: How many may come in a second; those that come back do not count: 429.
        messages_per_second_per_client: How many messages one may send; acks of messages do not count: 1008.
        bytes_per_second_per_client: How many bytes one may send: 1008.
    """

    clients: Limit = None
    clients_per_user: Limit = None
    connects_per_second: Limit = None
    messages_per_second_per_client: Limit = None
    bytes_per_second_per_client: Limit = None


NO_LIMITS: Final = Limits()


class ServiceSettings(Compatibility, frozen=True, kw_only=True):
    """Settings of the service.

    Attributes:
        access_keys: Primary key, then the secondary one if there is any.
        hubs: By canonical name; a hub that is not here works without handlers.
        origin: What the service calls itself in ``WebHook-Request-Origin`` (``webhookRequestOrigin`` in
            the file): a host without port, as Azure does. An app that compares it with a URL that has a
            port needs the port here too, such as ``localhost:8080``.
        token_issuers: Whose tokens callers of the REST API may have instead of an access key's.
        http: What its server takes of requests.
        filters: How long filters may be.
        calls: How it calls event handlers.
        limits: What its clients may take of it.
        allowed_hosts: For which hosts requests may come in beside those of this machine, on a listener that
            only this machine reaches; see `Allowed`.
        allowed_origins: Of which other sites pages may send requests there.
    """

    access_keys: tuple[str, ...] = (DEFAULT_ACCESS_KEY,)
    hubs: Mapping[HubName, HubSettings] = msgspec.field(default_factory=dict)
    origin: str = msgspec.field(default="localhost", name="webhookRequestOrigin")
    token_issuers: tuple[TokenIssuer, ...] = ()
    http: HttpBounds = HttpBounds()
    filters: FilterBounds = FilterBounds()
    calls: CallBounds = CallBounds()
    limits: Limits = NO_LIMITS
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if (problem := origin_problem(self.origin)) is not None:
            raise ConfigurationError(f"webhookRequestOrigin is {self.origin!r}: {problem}")

    def hub(self, name: HubName) -> HubSettings:
        return self.hubs.get(name, _NO_SETTINGS)


_NO_SETTINGS: Final = HubSettings()


def origin_problem(origin: str) -> str | None:
    """Return why events could not say that they come from ``origin``, or None."""
    problem = carry_problem(origin)
    return None if problem is None else f"expected a host such as 'localhost:8080', but {problem}"


def _public_endpoint(url: str) -> str:
    try:
        return ConnectionString.of_service_uri(url).endpoint
    except ConnectionStringError as error:
        expected = "'http://host[:port]' or 'https://host[:port]'"
        raise ConfigurationError(f"publicEndpoints has {url!r}: expected {expected}") from error


class GroupPresenceEvents(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Joins and leaves that an event handler wants to hear of.

    Attributes:
        event_names: ``joined``, ``left``, or both; with none it hears nothing.
        group_filters: Names of groups, with their case; one that ends in ``*`` is the start of names.
            Without any it hears of all groups.

    Example:
        >>> rooms = GroupPresenceEvents(("joined",), ("lobby", "room-*"))
        >>> rooms.takes("joined", "room-1"), rooms.takes("joined", "lobby2"), rooms.takes("left", "lobby")
        (True, False, False)
    """

    event_names: tuple[Literal["joined", "left"], ...]
    group_filters: tuple[str, ...] | None = None

    def takes(self, name: str, group: str) -> bool:
        if name not in self.event_names:
            return False
        filters = self.group_filters
        return not filters or any(
            group.startswith(found[:-1]) if found.endswith("*") else group == found for found in filters
        )


def check_template(template: str) -> None:
    """Make sure that a template can be resolved to an HTTP URL.

    Raises:
        InvalidName: It cannot; the text says why, without the query, which may hold a key.
    """
    rule = _broken_rule(template)
    if rule is not None:
        raise InvalidName("urlTemplate", shown(template), rule)


def _broken_rule(template: str) -> str | None:
    if _KEY_VAULT.search(template):
        return _KEY_VAULT_RULE
    if template.lower().startswith(_TUNNEL):
        return _TUNNEL_RULE
    try:
        parts = urlsplit(template)
        if _PLACEHOLDER.search(parts.netloc):
            return _HOST_RULE
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no port, a bracket without its partner
        return _RULE
    return None if is_http else _RULE


@lru_cache(maxsize=1024)  # names of hubs and of most events are few
def resolve(template: str, hub: str, event: str) -> str:
    """Return the URL of an event.

    Example:
        >>> resolve("http://host/{Hub}?e={EVENT}", "a[b]", "chat")
        'http://host/a%5Bb%5D?e=chat'
    """
    names = {"hub": hub, "event": event}
    return _PLACEHOLDER.sub(lambda found: quote(names[found[1].lower()], safe=""), template)


def shown(url: str) -> str:
    """Return a URL, or a template of one, without its query, which may hold a key."""
    return url.partition("?")[0]
