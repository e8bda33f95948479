"""The two ports between the service and the functions, and the one to an identity.

The service asks through an `EventHandler`, functions tell through an `ActionSink`. Each has an HTTP
implementation (webhook; REST), so that either side can be Azure's, and may have an in-process one. A
`TokenCredential` is who signs in with an identity in place of a key, as ``azure.identity.aio`` has it.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from webpubsub.model.actions import Action
from webpubsub.model.events import (
    ConnectEventResponse,
    EventRequest,
    UserEventResponse,
    WebPubSubEventType,
)
from webpubsub.model.metadata import NO_METADATA, Metadata
from webpubsub.model.names import ConnectionId, GroupName, HubName


class EventAnswer(msgspec.Struct, frozen=True):
    """What came back for an event.

    Attributes:
        response: The response, or None when there is nothing to send or override.
        state: The connection's new opaque state string, or None for no change.
        metadata: Goes with the message that answers a user event; with no other data, that message has an
            empty text.
        status: The HTTP status it came with.
        attempts: How often the event was sent until it was answered.
    """

    response: ConnectEventResponse | UserEventResponse | None = None
    state: str | None = None
    metadata: Metadata = NO_METADATA
    status: int = 200
    attempts: int = 1


NOBODY_ASKED: Final = EventAnswer()
"""What stands for the answer to an event that nobody takes."""


class EventHandler(Protocol):
    """Where the service sends events."""

    def takes(
        self, hub: HubName, event_type: WebPubSubEventType, name: str, group: GroupName | None = None
    ) -> bool:
        """Whether an event goes anywhere; else it is not made.

        Args:
            hub: The hub.
            event_type: Of the system, or a user's.
            name: The event's.
            group: That of a presence event, ``joined`` or ``left``; None for any other event.
        """
        ...

    async def handle(self, request: EventRequest) -> EventAnswer:
        """Deliver one event and return its answer.

        Raises:
            EventRefused: The handler refused, failed, or could not be reached.
        """
        ...

    def forget(self, connection_id: ConnectionId) -> None:
        """Drop what is kept for a connection: it raises no more events."""
        ...


class ActionSink(Protocol):
    """Where functions send actions."""

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform one action on a hub.

        Args:
            hub: The hub.
            action: What to do.
            request_id: Joins the traces of both sides; the host gives its invocation id.

        Raises:
            ActionRefused: The service refused it, or could not be reached.
        """
        ...


class AccessToken(Protocol):
    """A token of an identity, as ``azure.core.credentials.AccessToken``."""

    @property
    def token(self) -> str: ...

    @property
    def expires_on(self) -> int:
        """Seconds since the epoch."""
        ...


class TokenCredential(Protocol):
    """Gets tokens: any of the credentials of ``azure.identity.aio``."""

    async def get_token(self, *scopes: str) -> AccessToken:
        """Return a token for ``scopes``; it keeps them as long as they are good."""
        ...

    async def close(self) -> None:
        """Close its own connections."""
        ...
