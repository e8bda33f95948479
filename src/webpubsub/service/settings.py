"""Settings of the service: keys, whose tokens are taken, and per hub who handles which events.

The file has the names of Azure's hub settings::

    {
      "hubs": {
        "chat": {
          "eventHandlers": [
            {"urlTemplate": "http://localhost:7071/runtime/webhooks/webpubsub",
             "userEventPattern": "*", "systemEvents": ["connect", "connected", "disconnected"]}
          ]
        }
      },
      "tokenIssuers": [
        {"issuer": "https://sts.example/", "audience": "https://webpubsub.azure.com",
         "key": "-----BEGIN PUBLIC KEY-----..."}
      ]
    }

Tokens of an issuer are taken for REST requests beside those signed with an access key, see `TokenIssuer`.

Source: service spec, section D.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from webpubsub.model.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.issued_tokens import TokenIssuer
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.payload import MALFORMED_JSON

__all__ = [
    "SYSTEM_EVENTS",
    "EventHandlerSettings",
    "HubSettings",
    "ServiceSettings",
    "decode_hub_settings",
    "encode_hub_settings",
    "load_settings",
]

SystemEvent = Literal["connect", "connected", "disconnected"]
SYSTEM_EVENTS: Final[tuple[SystemEvent, ...]] = ("connect", "connected", "disconnected")


class EventHandlerSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One event handler of a hub.

    Attributes:
        url_template: Where to send events; ``{hub}`` and ``{event}`` stand for their names.
        user_event_pattern: ``*``, a name, or names separated by commas; empty takes no user events.
        system_events: Which system events it takes.

    Raises:
        InvalidName: ``url_template`` is no HTTP URL.
    """

    url_template: str
    user_event_pattern: str = ""
    system_events: tuple[SystemEvent, ...] = ()

    def __post_init__(self) -> None:
        if not _is_http_url(self.url_template):
            shown = self.url_template.partition("?")[0]  # a query may hold a key
            raise InvalidName("urlTemplate", shown, "a URL such as 'http://localhost:7071/{hub}/{event}'")

    def takes(self, event_type: WebPubSubEventType, name: str) -> bool:
        """Whether this handler takes an event; names are compared without case."""
        name = name.lower()
        if event_type is WebPubSubEventType.SYSTEM:
            return name in self.system_events
        names = {piece.strip().lower() for piece in self.user_event_pattern.split(",")}
        return "*" in names or name in names


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no port, a bracket without its partner
        return False


class HubSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Settings of one hub.

    Attributes:
        event_handlers: The first that takes an event gets it.
    """

    event_handlers: tuple[EventHandlerSettings, ...] = ()

    def handler(self, event_type: WebPubSubEventType, name: str) -> EventHandlerSettings | None:
        """Return the handler of an event, or None when nobody takes it."""
        return next((found for found in self.event_handlers if found.takes(event_type, name)), None)


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the service.

    Attributes:
        access_keys: Primary key, then the secondary one if there is any.
        hubs: By canonical name; a hub that is not here works without handlers.
        origin: What the service calls itself in ``WebHook-Request-Origin``: a host without port.
        token_issuers: Whose tokens callers of the REST API may have instead of an access key's.
    """

    access_keys: tuple[str, ...] = (DEFAULT_ACCESS_KEY,)
    hubs: Mapping[HubName, HubSettings] = msgspec.field(default_factory=dict)
    origin: str = "localhost"
    token_issuers: tuple[TokenIssuer, ...] = ()

    def hub(self, name: HubName) -> HubSettings:
        """Return the settings of a hub."""
        return self.hubs.get(name, _NO_SETTINGS)


_NO_SETTINGS: Final = HubSettings()


class _File(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    hubs: dict[str, HubSettings] = msgspec.field(default_factory=dict)
    token_issuers: tuple[TokenIssuer, ...] = ()


def load_settings(path: Path) -> ServiceSettings:
    """Read a settings file; keys and origin are not in it.

    Raises:
        ConfigurationError: It cannot be read, is not JSON, or has something it should not.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: the service settings cannot be read: {error.strerror}") from error
    try:
        found = msgspec.json.decode(text, type=_File)
        return ServiceSettings(hubs=_named(found.hubs), token_issuers=found.token_issuers)
    except (*MALFORMED_JSON, InvalidName, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: the service settings cannot be used: {error}") from error


def decode_hub_settings(text: bytes) -> dict[HubName, HubSettings]:
    """Return what was written with `encode_hub_settings`."""
    return _named(msgspec.json.decode(text, type=_File).hubs)


def _named(found: Mapping[str, HubSettings]) -> dict[HubName, HubSettings]:
    hubs: dict[HubName, HubSettings] = {}
    spellings: dict[HubName, str] = {}
    for spelling, settings in found.items():
        name = parse_hub_name(spelling)
        if name in hubs:
            raise ConfigurationError(
                f"'{spellings[name]}' and '{spelling}' are one hub, as hub names have no case: put its "
                "settings together"
            )
        hubs[name], spellings[name] = settings, spelling
    return hubs


def encode_hub_settings(hubs: Mapping[HubName, HubSettings]) -> bytes:
    """Return the text of a settings file, on one line."""
    return msgspec.json.encode(_File({str(name): settings for name, settings in hubs.items()}))
