"""Which webhook takes which events: the ``eventHandlers`` of a hub.

Source: service spec, section D.1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from webpubsub.model.errors import InvalidName, UsageError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.service.group_presence import GroupPresenceEvents
from webpubsub.service.url_templates import check_template

SystemEvent = Literal["connect", "connected", "disconnected"]
SYSTEM_EVENTS: Final[tuple[SystemEvent, ...]] = ("connect", "connected", "disconnected")


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
