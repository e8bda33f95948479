"""Attempts: what is sent again, after which waits.

Source: service spec, section D.7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from webpubsub.model.events import EventRequest
from webpubsub.model.trace import Phase, Trace, TraceEvent
from webpubsub.service.event_calls import event_ids
from webpubsub.service.upstream.sending import EventClient, HttpRequest, HttpResponse, Unreachable
from webpubsub.service.url_templates import shown


def is_passing(status: int) -> bool:
    """Whether an answer is a trouble that may pass: 408 and any 5xx.

    Example:
        >>> [is_passing(status) for status in (408, 429, 503)]
        [True, False, True]
    """
    return status == 408 or 500 <= status <= 599


class Retries:
    """Sends again what could not be delivered.

    Args:
        sleep: Waits some seconds.
        trace: Is told of each attempt that is followed by another, or None.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]], trace: Trace | None) -> None:
        self._sleep = sleep
        self._trace = trace

    async def send(
        self,
        client: EventClient,
        request: HttpRequest,
        delays: Iterable[float],
        event: EventRequest | None = None,
    ) -> tuple[HttpResponse, int]:
        """Send a request until it is answered, or the last attempt has failed.

        Args:
            client: Sends it.
            request: What to send, the same in each attempt.
            delays: Seconds before each further attempt.
            event: The event it carries, for the trace.

        Returns:
            The answer, which may be the last of many failures, and how many attempts it took.

        Raises:
            EventRefused: It could not be sent, or not even the last attempt was answered.
        """
        attempts = 1
        for delay in delays:
            try:
                response = await client.send(request)
                if not is_passing(response.status):
                    return response, attempts
                self._report(request, event, attempts, delay, {"status": response.status})
            except Unreachable as error:
                self._report(request, event, attempts, delay, {}, error)
            await self._sleep(delay)
            attempts += 1
        try:
            return await client.send(request), attempts
        except Unreachable as error:
            error.attempts = attempts
            raise

    def _report(
        self,
        request: HttpRequest,
        event: EventRequest | None,
        attempt: int,
        delay: float,
        detail: dict[str, Any],
        error: Unreachable | None = None,
    ) -> None:
        if self._trace is None:
            return
        ids = {} if event is None else event_ids(event.connection_context)
        told = {"method": request.method, "url": shown(request.url), "attempt": attempt, **detail}
        self._trace(TraceEvent("webhook", Phase.FAILED, ids, {**told, "again_in": delay}, error))
