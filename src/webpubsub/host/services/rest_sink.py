"""Actions performed by a client of a service, such as that of the data-plane REST API.

Source: extension spec, section 8; service spec, sections A.1 and B.5.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from webpubsub.model.actions import Action
from webpubsub.model.names import HubName
from webpubsub.model.trace import Phase, Trace, TraceEvent, hearing_of


class ActionClient(Protocol):
    """Who takes actions to a service: `RestClient`, or somebody in the service's own process."""

    endpoint: str

    async def request(self, hub: HubName, value: Action, request_id: str | None = None) -> bytes:
        """See `RestClient.request`."""
        ...


class RestActionSink:
    """Performs actions on one service, and tells the trace."""

    def __init__(self, client: ActionClient, *, trace: Trace | None = None) -> None:
        """Send actions with ``client``."""
        self._client = client
        self._trace = trace
        self._hears = hearing_of(trace)

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform one action.

        Args:
            hub: The hub.
            action: What to do.
            request_id: Sent as ``x-ms-client-request-id``.

        Raises:
            ActionRefused: The service refused it, or could not be reached (status 503).
        """
        started = time.perf_counter()
        self._report(Phase.STARTED, hub, action, request_id)
        try:
            await self._client.request(hub, action, request_id)
        except BaseException as error:
            self._report(Phase.FAILED, hub, action, request_id, started, error)
            raise
        self._report(Phase.COMPLETED, hub, action, request_id, started)

    def _report(
        self,
        phase: Phase,
        hub: HubName,
        action: Action,
        request_id: str | None,
        started: float | None = None,
        error: BaseException | None = None,
    ) -> None:
        if self._trace is None or not self._hears("action", phase):
            return  # 6 us an action
        ids = {"hub": hub} if request_id is None else {"hub": hub, "request": request_id}
        detail: dict[str, Any] = {"action": action.action_name, "endpoint": self._client.endpoint}
        if started is not None:
            detail["duration"] = time.perf_counter() - started
        self._trace(TraceEvent("action", phase, ids, detail, error))
