"""What stands before functions when keys are asked for, or functions are switched off."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Final

from webpubsub.host.bindings.http import Scope
from webpubsub.host.function import HostFunction
from webpubsub.host.keys.access import Access
from webpubsub.host.webhook import Webhook
from webpubsub.model.cloudevents import HttpAnswer
from webpubsub.model.errors import PeerError
from webpubsub.model.headers import RawHeaders
from webpubsub.model.trace import Phase, Trace, TraceEvent

_UNAUTHORIZED: Final = HttpAnswer(401)
_NOT_FOUND: Final = HttpAnswer(404)


class HttpGate:
    """Tells which HTTP functions a request may not call."""

    def __init__(self, disabled: Collection[HostFunction], access: Access | None) -> None:
        """Hide ``disabled`` functions from all but administrators; ask for keys if there is ``access``."""
        self._disabled = frozenset(disabled)
        self._access = access

    def refusal(self, function: HostFunction, scope: Scope) -> HttpAnswer | None:
        """Return the answer to who may not call ``function``, or None."""
        access, headers, query = self._access, scope["headers"], scope["query_string"]
        if access is not None and not access.opens_function(function.definition.name, headers, query):
            return _UNAUTHORIZED
        if function not in self._disabled or (access is not None and access.is_admin(headers, query)):
            return None
        return _NOT_FOUND


class GuardedWebhook:
    """A webhook that asks for the extension's key first, also when the service asks whether it may send."""

    def __init__(self, webhook: Webhook, access: Access, trace: Trace | None = None) -> None:
        """Let requests with a key pass to ``webhook``."""
        self._webhook = webhook
        self._access = access
        self._trace = trace

    async def handle(self, method: str, headers: RawHeaders, body: bytes, query: bytes = b"") -> HttpAnswer:
        """See `Webhook.handle`; without a key of the extension or the master key the answer is 401."""
        answer = self.answer(method, headers, query, body)
        return answer if isinstance(answer, HttpAnswer) else await answer

    def answer(
        self, method: str, headers: RawHeaders, query: bytes, body: bytes
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        """See `handle` and `Webhook.answer`."""
        if self._access.opens_webhook(headers, query):
            return self._webhook.answer(method, headers, query, body)
        if self._trace is not None:
            error = PeerError(
                "the request has no key of the webhook: expected '?code=' with the system key "
                "'webpubsub_extension' in the URL of the event handler",
                status=401,
            )
            self._trace(TraceEvent("event", Phase.FAILED, {}, {"status": 401}, error))
        return _UNAUTHORIZED
