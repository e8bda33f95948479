"""The admin endpoints: ``/admin/...``, for tools and people who run the host.

Source: Python spec, section 6, ``/admin``; Functions host, its controllers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from webpubsub.host.admin.function_pages import FunctionPages
from webpubsub.host.admin.key_pages import KeyPages
from webpubsub.host.admin.pages import AdminRequest, Page, status_pages, text_answer
from webpubsub.host.bindings.http_trigger import Scope
from webpubsub.host.dotnet.routes import RouteTemplate
from webpubsub.host.keys import KeyStore
from webpubsub.host.keys.access import Access
from webpubsub.host.loading.app import App
from webpubsub.host.running.invoker import Invoker
from webpubsub.model.errors import ConfigurationError, PeerError, StorageError
from webpubsub.model.http import HttpAnswer, LaneHandler
from webpubsub.model.trace import SILENT, Name, Phase, Trace

_UNAUTHORIZED: Final = HttpAnswer(401)
_NOT_FOUND: Final = HttpAnswer(404)
_NOT_ALLOWED: Final = HttpAnswer(405)


class Admin:
    """Answers requests below ``/admin``."""

    def __init__(
        self,
        app: App,
        invoker: Invoker,
        keys: KeyStore,
        access: Access | None,
        *,
        host_id: str,
        asks_origins: bool = True,
        clock: Callable[[], float],
        uptime: Callable[[], float],
        trace: Trace = SILENT,
    ) -> None:
        """Serve whoever has the master key; without ``access`` everybody.

        Args:
            app: Shown and run.
            invoker: Runs its functions.
            keys: Shown and changed.
            access: Knows the master key.
            host_id: Shown in the status.
            asks_origins: Refuse what pages of other sites want changed; else the server has asked already.
            clock: Seconds since the epoch.
            uptime: For how many seconds the host has been there.
            trace: The listener, or None.
        """
        self._access = access
        self._asks_origins = asks_origins and access is None
        self._trace = trace
        functions = FunctionPages(app, invoker, clock)
        pages: list[Page] = [
            *status_pages(host_id, map(str, app.problems), uptime),
            *functions.pages(),
            *KeyPages(keys, functions.names, trace).pages(),
        ]
        self._pages = [(RouteTemplate(page.path), page) for page in pages]

    def decide(self, scope: Scope) -> LaneHandler | HttpAnswer:
        """Return who answers a request, given its body, or the answer itself: then nobody wants the body."""
        found = self._found(scope["path"])
        if not found:
            return _NOT_FOUND
        page, parameters = next((each for each in found if each[0].method == scope["method"]), found[0])
        if not page.is_public and not self._is_admin(scope):
            return _UNAUTHORIZED
        request = AdminRequest(scope, parameters)
        if self._asks_origins and page.method != "GET" and request.is_of_other_site:
            return text_answer(403, "Web pages of other sites may not do this.")
        if page.method != scope["method"]:
            return _NOT_ALLOWED
        return partial(self._answer, page, request)

    async def _answer(self, page: Page, request: AdminRequest, body: bytes) -> HttpAnswer:
        try:
            return await page.answer(msgspec.structs.replace(request, body=body))
        except PeerError as error:
            return text_answer(error.status, str(error))
        except (ConfigurationError, StorageError) as error:
            self._trace.tell(Name.SETTING, Phase.FAILED, {}, {"message": str(error)}, error)
            return text_answer(500, str(error))

    def _found(self, path: str) -> list[tuple[Page, dict[str, str]]]:
        matches = ((page, template.match(path)) for template, page in self._pages)
        return [(page, parameters) for page, parameters in matches if parameters is not None]

    def _is_admin(self, scope: Scope) -> bool:
        return self._access is None or self._access.is_admin(scope["headers"], scope["query_string"])
