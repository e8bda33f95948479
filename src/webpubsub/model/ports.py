"""The two ports between the service and the functions, and the one to an identity.

The service asks through an `EventHandler`, functions tell through an `ActionSink`. Each has an HTTP
implementation (webhook; REST), so that either side can be Azure's, and may have an in-process one. A
`TokenCredential` is who signs in with an identity in place of a key, as ``azure.identity.aio`` has it.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

import msgspec

from webpubsub.model.actions import Action
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    ConnectEventResponse,
    EventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.metadata import NO_METADATA, Metadata
from webpubsub.model.names import ConnectionId, GroupName, HubName
from webpubsub.model.trace import Ids, Name, Trace


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


class TracedEvents:
    """An event handler whose events the trace hears of; no fault of it leaves a client waiting."""

    def __init__(self, handler: EventHandler, trace: Trace) -> None:
        """Hand events on to ``handler``."""
        self._handler = handler
        self._trace = trace
        self.takes = handler.takes
        self.forget = handler.forget

    async def handle(self, request: EventRequest) -> EventAnswer:
        """See `EventHandler.handle`; whatever else the handler raises is refused, and traced as it is."""
        context = request.connection_context
        named = {"name": context.event_name}
        with self._trace.span(Name.EVENT, partial(event_ids, context), named) as span:
            try:
                answer = await self._handler.handle(request)
            except EventRefused as refused:
                span.detail.update(status=refused.status, attempts=refused.attempts)
                raise
            except Exception as error:
                fault = EventRefused(500, f"the event handler raised {type(error).__name__}")
                span.error = error  # told with its traceback
                span.detail.update(status=fault.status, attempts=fault.attempts)
                raise fault from error
            span.detail.update(status=answer.status, attempts=answer.attempts)
            return answer


class TracedActions:
    """A sink whose actions the trace hears of."""

    def __init__(self, sink: ActionSink, trace: Trace, endpoint: str) -> None:
        """Hand actions on to ``sink``, which is shown as ``endpoint``."""
        self._sink = sink
        self._trace = trace
        self._endpoint = endpoint

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """See `ActionSink.perform`."""
        named = {"action": action.action_name, "endpoint": self._endpoint}
        with self._trace.span(Name.ACTION, partial(_action_ids, hub, request_id), named):
            await self._sink.perform(hub, action, request_id=request_id)


def event_ids(context: WebPubSubConnectionContext) -> Ids:
    """Return the ids of an event, as `webpubsub.model.trace` names them."""
    ids: dict[str, str] = {
        "hub": context.hub,
        "connection": context.connection_id,
        "event": f"{context.connection_id}/{context.event_id}",
    }
    if context.user_id is not None:
        ids["user"] = context.user_id
    return ids


def _action_ids(hub: HubName, request_id: str | None) -> Ids:
    return {"hub": hub} if request_id is None else {"hub": hub, "request": request_id}
