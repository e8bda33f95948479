"""Calls of event handlers, as the trace tells them."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest, WebPubSubConnectionContext
from webpubsub.model.ports import EventAnswer, EventHandler
from webpubsub.model.trace import Phase, Trace, TraceEvent

__all__ = ["call_handler", "event_ids"]


async def call_handler(handler: EventHandler, event: EventRequest, trace: Trace | None) -> EventAnswer:
    """Let a handler have an event and tell the trace of it.

    Raises:
        EventRefused: The handler refused it, could not be reached, or raised anything else.
    """
    if trace is None:
        return await _call(handler, event)
    told, began = _Told(trace, event), perf_counter()
    try:
        answer = await _call(handler, event)
    except EventRefused as refused:
        cause = refused.__cause__ if isinstance(refused, _HandlerFault) else refused
        told.report(Phase.FAILED, began, refused, cause)  # a fault is logged with its traceback
        raise
    except asyncio.CancelledError as error:
        told.report(Phase.FAILED, began, None, error)
        raise
    told.report(Phase.COMPLETED, began, answer)
    return answer


class _HandlerFault(EventRefused):
    """The handler raised what it should not."""


async def _call(handler: EventHandler, event: EventRequest) -> EventAnswer:
    try:
        return await handler.handle(event)
    except EventRefused:
        raise
    except Exception as error:  # no fault of a handler may leave its client waiting
        raise _HandlerFault(500, f"the event handler raised {type(error).__name__}") from error


class _Told:
    """What the trace is told of one event; it starts at once."""

    def __init__(self, trace: Trace, event: EventRequest) -> None:
        self._trace = trace
        self._ids = event_ids(event.connection_context)
        self._detail: dict[str, Any] = {"name": event.connection_context.event_name}
        trace(TraceEvent("event", Phase.STARTED, self._ids, self._detail))

    def report(
        self,
        phase: Phase,
        began: float,
        outcome: EventAnswer | EventRefused | None,
        error: BaseException | None = None,
    ) -> None:
        detail = {**self._detail, "duration": perf_counter() - began}
        if outcome is not None:
            detail |= {"status": outcome.status, "attempts": outcome.attempts}
        self._trace(TraceEvent("event", phase, self._ids, detail, error))


def event_ids(context: WebPubSubConnectionContext) -> dict[str, str]:
    """Return the ids of an event, as `webpubsub.model.trace` names them."""
    ids: dict[str, str] = {
        "hub": context.hub,
        "connection": context.connection_id,
        "event": f"{context.connection_id}/{context.event_id}",
    }
    if context.user_id is not None:
        ids["user"] = context.user_id
    return ids
