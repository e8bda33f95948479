"""Requests to the data-plane REST API of one service, and the actions that are performed by it.

Source: service spec, sections A.1 and B.2 to B.5; extension spec, section 8.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from webpubsub.host.azure.credentials import BearerTokens
from webpubsub.http import Deadlines, HttpCallError, HttpPool, InvalidAnswer, Url, parse_url
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import rest_token
from webpubsub.model.actions import Action
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.http import CallBounds
from webpubsub.model.names import HubName
from webpubsub.model.rest import build_request

# A token is good for an hour; signing one costs about as much as sending it, and apps send to few URLs.
TOKEN_REUSE: Final = 600.0
MAX_TOKENS: Final = 1024
TIMEOUT: Final = 100.0  # seconds in all, as the service's own SDKs wait
UNREACHABLE: Final = 503
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
MAX_SHOWN_BYTES: Final = 1024  # of what the service says when it refuses

_UNKNOWN: Final = (parse_url("http://unknown"), "", float("-inf"))


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
        bounds: CallBounds | None = None,
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
        self._pool = HttpPool(max_body=MAX_ANSWER_BYTES, bounds=bounds)
        self._deadlines = Deadlines()
        self._signed: OrderedDict[str, tuple[Url, str, float]] = OrderedDict()  # the latest used last

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
        request = build_request(hub, value)
        headers = [*request.headers]
        if request_id is not None:
            headers.append(("x-ms-client-request-id", request_id))
        if request.content_type is not None:
            headers.append(("Content-Type", request.content_type))
        url, authorization, until = self._signed.get(request.target, _UNKNOWN)
        if self._clock() < until:
            self._signed.move_to_end(request.target)
        elif self._tokens is None:
            url, authorization = self._sign(request.target)
        try:
            with self._deadlines.within(TIMEOUT):
                if self._tokens is not None:
                    url = parse_url(self.endpoint + request.target)
                    authorization = await self._tokens.authorization()
                headers.append(("Authorization", authorization))
                # The service may close an idle connection just as it is taken from the pool.
                response = await self._pool.request(
                    request.method, url, headers, request.body, may_repeat=True
                )
            if len(response.body) > MAX_ANSWER_BYTES:
                raise InvalidAnswer(f"the answer has over {MAX_ANSWER_BYTES} bytes")
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

    def _sign(self, target: str) -> tuple[Url, str]:
        now = self._clock()
        text = self.endpoint + target
        url, authorization = parse_url(text), f"Bearer {rest_token(text, self._key, now=now)}"
        self._signed.pop(target, None)
        if len(self._signed) >= MAX_TOKENS:
            self._signed.popitem(last=False)
        self._signed[target] = url, authorization, now + TOKEN_REUSE
        return url, authorization


def refused(hub: HubName, value: Any, status: int, body: bytes) -> ActionRefused:
    """Return the error of an action or a question that the service answered with no success."""
    text = body[:MAX_SHOWN_BYTES].decode(errors="replace")
    return ActionRefused(status, f"{_titled(value)} on hub '{hub}' was refused: {text}")


def _titled(value: Any) -> str:
    return f"action {value.action_name}" if isinstance(value, Action) else f"operation {type(value).__name__}"
