"""Actions performed over the data-plane REST API.

Source: extension spec, section 8; service spec, sections A.1 and B.5.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from webpubsub.model.actions import Action
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.rest import RestRequest, build_request
from webpubsub.model.trace import Phase, Trace, TraceEvent

if TYPE_CHECKING:
    import aiohttp
    import yarl

__all__ = ["RestActionSink"]

# A token is good for an hour; signing one costs about as much as sending it, and apps send to few URLs.
TOKEN_REUSE: Final = 600.0
MAX_TOKENS: Final = 1024
TIMEOUT: Final = 100.0  # seconds in all, as the service's own SDKs wait
UNREACHABLE: Final = 503


class RestActionSink:
    """Performs actions on one service, over one pool of connections.

    Use it from one event loop; the pool is opened by the first action.

    Example:
        >>> sink = RestActionSink(ConnectionString.parse("Endpoint=http://localhost:8080;AccessKey=k;"))
    """

    def __init__(
        self,
        connection: ConnectionString,
        *,
        clock: Callable[[], float] = time.time,
        trace: Trace | None = None,
    ) -> None:
        """Send actions to ``connection``.

        Raises:
            ConfigurationError: It has no access key.
        """
        if connection.access_key is None:
            raise ConfigurationError(f"the connection to {connection.endpoint} has no AccessKey to sign with")
        self._endpoint = connection.endpoint
        self._key = connection.access_key
        self._clock = clock
        self._trace = trace
        self._session: aiohttp.ClientSession | None = None
        self._signed: dict[str, tuple[float, yarl.URL, str]] = {}

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
            await self._send(hub, action, request_id)
            return
        ids = {"hub": hub} if request_id is None else {"hub": hub, "request": request_id}
        detail = {"action": action.action_name, "endpoint": self._endpoint}
        trace(TraceEvent("action", Phase.STARTED, ids, detail))
        started = time.perf_counter()
        try:
            await self._send(hub, action, request_id)
        except BaseException as error:
            duration = time.perf_counter() - started
            trace(TraceEvent("action", Phase.FAILED, ids, {**detail, "duration": duration}, error))
            raise
        duration = time.perf_counter() - started
        trace(TraceEvent("action", Phase.COMPLETED, ids, {**detail, "duration": duration}))

    async def close(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, hub: HubName, action: Action, request_id: str | None) -> None:
        import aiohttp  # takes 0.2 s: only apps that send actions pay for it

        request = build_request(hub, action)
        try:
            try:
                status, text = await self._exchange(request, request_id)
            except aiohttp.ServerDisconnectedError:
                # The service closed an idle connection just as it was taken from the pool.
                status, text = await self._exchange(request, request_id)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"cannot be performed: {self._endpoint} is not reached: {error or type(error).__name__}"
            raise ActionRefused(
                UNREACHABLE, f"action {action.action_name} on hub '{hub}' {problem}"
            ) from error
        if not 200 <= status < 300:
            raise ActionRefused(status, f"action {action.action_name} on hub '{hub}' was refused: {text}")

    async def _exchange(self, request: RestRequest, request_id: str | None) -> tuple[int, str]:
        url, authorization = self._sign(request.target)
        headers = {"Authorization": authorization}
        if request_id is not None:
            headers["x-ms-client-request-id"] = request_id
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        session = self._session or self._open()
        async with session.request(
            request.method, url, headers=headers, data=request.body or None, allow_redirects=False
        ) as response:
            if 200 <= response.status < 300:
                return response.status, ""
            body = await response.content.read(1024)
            return response.status, body.decode(errors="replace") or response.reason or "no reason given"

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=TIMEOUT)
        )
        return self._session

    def _sign(self, target: str) -> tuple[yarl.URL, str]:
        from yarl import URL

        from webpubsub.model.tokens import rest_token

        now = self._clock()
        known = self._signed.pop(target, None)
        if known is None or known[0] <= now:
            url = self._endpoint + target
            token = f"Bearer {rest_token(url, self._key, now=now)}"
            known = (now + TOKEN_REUSE, URL(url, encoded=True), token)
        if len(self._signed) >= MAX_TOKENS:
            del self._signed[next(iter(self._signed))]
        self._signed[target] = known
        return known[1], known[2]
