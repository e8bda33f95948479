"""``webpubsub start --in-process``: the app and its service meet in this process, not over loopback HTTP.

::

    event  -> WebhookEventHandler -> AppCaller -> the host's fast lane -> function    instead of a POST
    action -> HubActions -> Service.perform -> hub                   instead of a request

An event still becomes the request that it is over HTTP, and its answer an answer: functions see its headers,
and every check and limit of the event protocol stays. Writing and reading both takes a sixth of the event's
time. An action is handed over as the value it is: it was checked when it was made, and reading it from its
request would give the same value again, but for the metadata of a message (see `_as_read`).

CPU time of the whole command, 64 clients, over HTTP / in process: 1.6 for an event with its answer, 5 for an
action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from webpubsub.host.azure.rest_client import refused
from webpubsub.http import Response, Url, parse_url
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.actions import Action, SendAction
from webpubsub.model.errors import ConfigurationError, RestError
from webpubsub.model.http import FastLane, HttpAnswer, LaneHandler
from webpubsub.model.metadata import build_metadata_headers, parse_metadata_headers
from webpubsub.model.names import HubName
from webpubsub.model.ports import ActionSink
from webpubsub.model.trace import Trace, TracedActions
from webpubsub.server.embedded import EmbeddedService
from webpubsub.service.events.webhooks import Caller
from webpubsub.service.rest.answers import error_answer
from webpubsub.service.rest.bodies import MAX_MESSAGE_BYTES, bad_length
from webpubsub.service.service import Service

_BLANKS: Final = b" \t"


class AppCaller:
    """Sends events to the app's fast lane, and whatever that leaves to ASGI over HTTP."""

    def __init__(self, url: str, lane: FastLane, others: Caller) -> None:
        """Serve requests below ``url``, without path, by ``lane``, and all others by ``others``."""
        self._origin = parse_url(url).origin
        self._lane = lane
        self._others = others

    async def request(
        self,
        method: str,
        url: Url,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        may_repeat: bool = False,
    ) -> Response:
        """See `HttpPool.request`."""
        handler = self._open(method, url, headers)
        if handler is None:
            return await self._others.request(method, url, headers, body, may_repeat=may_repeat)
        answer = handler(body)
        if not isinstance(answer, HttpAnswer):
            # Who waits may give up, and a function runs on then, as it does when its caller hangs up.
            answer = await asyncio.shield(asyncio.ensure_future(answer))
        return Response(answer.status, answer.headers, answer.body)

    def _open(self, method: str, url: Url, headers: Sequence[tuple[str, str]]) -> LaneHandler | None:
        if url.origin != self._origin:
            return None
        # As our server reads them: blanks before a value are none of it.
        read = [(name.lower().encode(), value.encode().lstrip(_BLANKS)) for name, value in headers]
        return self._lane.open(method, url.target.encode(), read)

    async def close(self) -> None:
        """Close the connections to others."""
        await self._others.close()


class HubActions:
    """Performs actions on the hubs of a service in this process, as `RestClient` does over HTTP."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform an action; see `ActionSink.perform`.

        Raises:
            ActionRefused: The service refused it; status and text are those of the REST API.
        """
        try:
            read = _as_read(action) if isinstance(action, SendAction) else action
            self._service.perform(hub, read, {"request": request_id or ""})
        except RestError as error:
            raise refused(hub, action, error.status, error_answer(error).body) from error
        # What was written goes out, and others have their turn, before a function's next action.
        await asyncio.sleep(0)


def _as_read(send: SendAction) -> SendAction:
    """Return what the service would read: messages are the one kind of action that it limits or changes."""
    if len(send.payload.body) > MAX_MESSAGE_BYTES:
        raise bad_length()
    if not send.metadata:
        return send
    headers = [(name.encode(), value.encode()) for name, value in build_metadata_headers(send.metadata)]
    return msgspec.structs.replace(send, metadata=parse_metadata_headers(headers))


def send_events_to(app: FastLane, url: str, embedded: EmbeddedService) -> None:
    """Let an embedded service send its events to ``app``, which is at ``url``, in this process."""
    calls = embedded.handler.calls
    calls.pool = AppCaller(url, app, calls.pool)


def sinks_of(
    environment: Mapping[str, str], connection: ConnectionString, service: Service, trace: Trace
) -> dict[str, ActionSink]:
    """Return the sink of each connection name in ``environment`` that stands for ``service``.

    Others, even those that reach it by another name or key, stay with the REST API.

    Args:
        environment: App settings.
        connection: The service's own.
        service: Performs the actions.
        trace: The listener, or None.
    """
    sink = TracedActions(HubActions(service), trace, connection.endpoint)
    return {name: sink for name, text in environment.items() if _is(text, connection)}


def _is(text: str, connection: ConnectionString) -> bool:
    try:
        return ConnectionString.parse(text) == connection
    except ConfigurationError:
        return False  # another setting
