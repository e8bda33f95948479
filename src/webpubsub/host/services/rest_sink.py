"""Actions performed over the data-plane REST API.

Source: extension spec, section 8; service spec, sections A.1 and B.5.
"""

from __future__ import annotations

import time

from webpubsub.host.services.rest_client import RestClient
from webpubsub.model.actions import Action
from webpubsub.model.names import HubName
from webpubsub.model.trace import Phase, Trace, TraceEvent

__all__ = ["RestActionSink"]


class RestActionSink:
    """Performs actions on one service, and tells the trace."""

    def __init__(self, client: RestClient, *, trace: Trace | None = None) -> None:
        """Send actions with ``client``."""
        self._client = client
        self._trace = trace

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform one action.

        Args:
            hub: The hub.
            action: What to do.
            request_id: Sent as ``x-ms-client-request-id``.

        Raises:
            ActionRefused: The service refused it, or could not be reached (status 503).
        """
        trace = self._trace
        if trace is None:
            await self._client.request(hub, action, request_id)
            return
        ids = {"hub": hub} if request_id is None else {"hub": hub, "request": request_id}
        detail = {"action": action.action_name, "endpoint": self._client.endpoint}
        trace(TraceEvent("action", Phase.STARTED, ids, detail))
        started = time.perf_counter()
        try:
            await self._client.request(hub, action, request_id)
        except BaseException as error:
            duration = time.perf_counter() - started
            trace(TraceEvent("action", Phase.FAILED, ids, {**detail, "duration": duration}, error))
            raise
        duration = time.perf_counter() - started
        trace(TraceEvent("action", Phase.COMPLETED, ids, {**detail, "duration": duration}))
