"""Requests to the data-plane REST API of one service, and the actions that are performed by it.

Source: service spec, sections A.1 and B.2 to B.5; extension spec, section 8.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from webpubsub.host.azure.credentials import BearerTokens
from webpubsub.http import Deadlines, HttpCallError, HttpPool, InvalidAnswer, Response, Url, parse_url
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import rest_token
from webpubsub.model.actions import Action
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.rest import RestRequest, build_request

# A token is good for an hour; signing one costs about as much as sending it, and apps send to few URLs.
TOKEN_REUSE: Final = 600.0
MAX_TOKENS: Final = 1024
TIMEOUT: Final = 100.0  # seconds in all, as the service's own SDKs wait
UNREACHABLE: Final = 503
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
MAX_SHOWN_BYTES: Final = 1024  # of what the service says when it refuses


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
        self._pool = HttpPool(max_body=MAX_ANSWER_BYTES)
        self._deadlines = Deadlines()
        self._signed: OrderedDict[str, tuple[float, Url, str]] = OrderedDict()  # the latest used last

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """Perform one action; see `ActionSink.perform`."""
        await self.request(hub, action, request_id)

    async def request(self, hub: HubName, value: Any, request_id: str | None = None) -> bytes:
        """Send the request that an action or a question is, and return the body of the answer.

        Args:
            hub: The hub.
            value: See `build_request`.
            request_id: Sent as ``x-ms-client-request-id``.

        Raises:
            ActionRefused: The service refused it, or could not be reached (status 503).
        """
        try:
            with self._deadlines.within(TIMEOUT):
                response = await self._send(build_request(hub, value), request_id)
        except (HttpCallError, TimeoutError) as error:
            why = str(error) or f"it does not answer within {TIMEOUT:g} seconds"
            problem = f"cannot be performed: {self.endpoint} is not reached: {why}"
            raise ActionRefused(UNREACHABLE, f"{_titled(value)} on hub '{hub}' {problem}") from error
        if not 200 <= response.status < 300:
            raise refused(hub, value, response.status, response.body or response.reason or b"no reason given")
        return response.body

    async def close(self) -> None:
        """Close the pool, and what belongs to the identity."""
        await self._pool.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def _send(self, request: RestRequest, request_id: str | None) -> Response:
        tokens = self._tokens
        if tokens is None:
            url, authorization = self._sign(request.target)
        else:
            url, authorization = parse_url(self.endpoint + request.target), await tokens.authorization()
        headers = [*request.headers, ("Authorization", authorization)]
        if request_id is not None:
            headers.append(("x-ms-client-request-id", request_id))
        if request.content_type is not None:
            headers.append(("Content-Type", request.content_type))
        # The service may close an idle connection just as it is taken from the pool.
        response = await self._pool.request(request.method, url, headers, request.body, may_repeat=True)
        if len(response.body) > MAX_ANSWER_BYTES:
            raise InvalidAnswer(f"the answer has over {MAX_ANSWER_BYTES} bytes")
        return response

    def _sign(self, target: str) -> tuple[Url, str]:
        now = self._clock()
        known = self._signed.pop(target, None)
        if known is None or known[0] <= now:
            url = self.endpoint + target
            token = f"Bearer {rest_token(url, self._key, now=now)}"
            known = (now + TOKEN_REUSE, parse_url(url), token)
        if len(self._signed) >= MAX_TOKENS:
            self._signed.popitem(last=False)
        self._signed[target] = known
        return known[1], known[2]


def refused(hub: HubName, value: Any, status: int, body: bytes) -> ActionRefused:
    """Return the error of an action or a question that the service answered with no success."""
    text = body[:MAX_SHOWN_BYTES].decode(errors="replace")
    return ActionRefused(status, f"{_titled(value)} on hub '{hub}' was refused: {text}")


def _titled(value: Any) -> str:
    return f"action {value.action_name}" if isinstance(value, Action) else f"operation {type(value).__name__}"
