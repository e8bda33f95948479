"""Requests to the data-plane REST API of one service.

Source: service spec, sections A.1 and B.2 to B.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from webpubsub.host.services.bearer_tokens import BearerTokens
from webpubsub.model.actions import Action
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.rest import RestRequest, build_request

if TYPE_CHECKING:
    import aiohttp
    import yarl

__all__ = ["RestClient"]

# A token is good for an hour; signing one costs about as much as sending it, and apps send to few URLs.
TOKEN_REUSE: Final = 600.0
MAX_TOKENS: Final = 1024
TIMEOUT: Final = 100.0  # seconds in all, as the service's own SDKs wait
UNREACHABLE: Final = 503


class RestClient:
    """Sends requests to one service, over one pool of connections.

    Use it from one event loop; the pool is opened by the first request.

    Attributes:
        endpoint: Where the service is.
    """

    def __init__(
        self,
        connection: ConnectionString,
        *,
        clock: Callable[[], float] = time.time,
        tokens: BearerTokens | None = None,
    ) -> None:
        """Send requests to ``connection``, signed with its key, or with ``tokens`` of an identity.

        Raises:
            ConfigurationError: It has no access key, and there are no tokens.
        """
        if connection.access_key is None and tokens is None:
            raise ConfigurationError(f"the connection to {connection.endpoint} has no AccessKey to sign with")
        self.endpoint = connection.endpoint
        self._key = connection.access_key or ""
        self._tokens = tokens
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._signed: dict[str, tuple[float, yarl.URL, str]] = {}

    async def request(self, hub: HubName, value: Any, request_id: str | None = None) -> bytes:
        """Send the request that an action or a question is, and return the body of the answer.

        Args:
            hub: The hub.
            value: See `build_request`.
            request_id: Sent as ``x-ms-client-request-id``.

        Raises:
            ActionRefused: The service refused it, or could not be reached (status 503).
        """
        import aiohttp  # takes 0.2 s: only apps that send requests pay for it

        request = build_request(hub, value)
        try:
            try:
                status, body = await self._exchange(request, request_id)
            except aiohttp.ServerDisconnectedError:
                # The service closed an idle connection just as it was taken from the pool.
                status, body = await self._exchange(request, request_id)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"cannot be performed: {self.endpoint} is not reached: {error or type(error).__name__}"
            raise ActionRefused(UNREACHABLE, f"{_titled(value)} on hub '{hub}' {problem}") from error
        if not 200 <= status < 300:
            text = body.decode(errors="replace")
            raise ActionRefused(status, f"{_titled(value)} on hub '{hub}' was refused: {text}")
        return body

    async def close(self) -> None:
        """Close the pool, and what belongs to the identity."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def _exchange(self, request: RestRequest, request_id: str | None) -> tuple[int, bytes]:
        tokens = self._tokens
        url, authorization = (
            self._sign(request.target) if tokens is None else await self._bear(request, tokens)
        )
        headers = {**dict(request.headers), "Authorization": authorization}
        if request_id is not None:
            headers["x-ms-client-request-id"] = request_id
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        session = self._session or self._open()
        async with session.request(
            request.method, url, headers=headers, data=request.body or None, allow_redirects=False
        ) as response:
            if 200 <= response.status < 300:
                return response.status, await response.read() if request.status == 200 else b""
            body = await response.content.read(1024)
            return response.status, body or (response.reason or "no reason given").encode()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            skip_auto_headers=("Content-Type",),  # what has no body has no type
        )
        return self._session

    def _sign(self, target: str) -> tuple[yarl.URL, str]:
        from yarl import URL

        from webpubsub.model.tokens import rest_token

        now = self._clock()
        known = self._signed.pop(target, None)
        if known is None or known[0] <= now:
            url = self.endpoint + target
            token = f"Bearer {rest_token(url, self._key, now=now)}"
            known = (now + TOKEN_REUSE, URL(url, encoded=True), token)
        if len(self._signed) >= MAX_TOKENS:
            del self._signed[next(iter(self._signed))]
        self._signed[target] = known
        return known[1], known[2]

    async def _bear(self, request: RestRequest, tokens: BearerTokens) -> tuple[yarl.URL, str]:
        from yarl import URL

        return URL(self.endpoint + request.target, encoded=True), await tokens.authorization()


def _titled(value: Any) -> str:
    return f"action {value.action_name}" if isinstance(value, Action) else f"operation {type(value).__name__}"
