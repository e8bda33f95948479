"""What holds for every HTTP function: CORS, how many requests at once, headers of every answer.

`Cors` answers browsers as Core Tools does: any method, any header, listed origins. `Throttle` is
``maxOutstandingRequests`` and ``maxConcurrentRequests``. `AnswerHeaders` adds CORS, ``customHeaders`` and
``hsts`` of host.json, whoever made the answer.

Source: Python spec, section 6; the Fetch standard, "CORS protocol".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from webpubsub.host.settings.http_options import HttpOptions
from webpubsub.model.http import HttpAnswer, RawHeaders

_ORIGIN: Final = b"origin"
_METHOD: Final = b"access-control-request-method"
_HEADERS: Final = b"access-control-request-headers"

_HSTS: Final = b"strict-transport-security"
# A browser that took it to heart would never again talk to the developer's own machine without TLS.
_NO_HSTS: Final = (b"localhost", b"127.0.0.1", b"[::1]")


class Cors:
    """The rules of one host.

    Example:
        >>> Cors(("*",), credentials=False).headers([(b"origin", b"https://example.com")])
        [(b'access-control-allow-origin', b'*')]
    """

    def __init__(self, origins: tuple[str, ...], *, credentials: bool) -> None:
        """Allow ``origins`` (``*`` for any); with ``credentials``, cookies too."""
        self._origins = {origin.lower().encode("latin-1", "replace") for origin in origins}
        self._any = b"*" in self._origins
        self._credentials = credentials

    def headers(self, request: RawHeaders) -> list[tuple[bytes, bytes]]:
        """Return what to add to the answer of ``request``."""
        if self._any:
            return [(b"access-control-allow-origin", b"*")] if _find(request, _ORIGIN) else []
        # Whatever the origin, the answer depends on it, and caches must know.
        added = [(b"vary", b"Origin")]
        origin = _find(request, _ORIGIN)
        if origin is not None and origin.lower() in self._origins:
            added.append((b"access-control-allow-origin", origin))
            if self._credentials:
                added.append((b"access-control-allow-credentials", b"true"))
        return added

    def preflight(self, method: str, request: RawHeaders) -> HttpAnswer | None:
        """Return the answer to a preflight request; None when ``request`` is none."""
        wanted = _find(request, _METHOD)
        if method != "OPTIONS" or wanted is None or _find(request, _ORIGIN) is None:
            return None
        headers = self.headers(request)
        if any(name == b"access-control-allow-origin" for name, _ in headers):
            headers.append((b"access-control-allow-methods", wanted))
            asked = _find(request, _HEADERS)
            if asked is not None:
                headers.append((b"access-control-allow-headers", asked))
        return HttpAnswer(204, headers)


def _find(headers: RawHeaders, wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


class Throttle:
    """Lets so many requests run, and so many more wait."""

    def __init__(self, outstanding: int | None, concurrent: int | None) -> None:
        """Let ``concurrent`` requests run, and with those that wait have ``outstanding``; None for any."""
        self._outstanding = outstanding
        self._turns = None if concurrent is None else asyncio.Semaphore(concurrent)
        self._count = 0

    @classmethod
    def of(cls, options: HttpOptions) -> Throttle | None:
        """Return what limits requests as ``options`` say, or None when they set no limit."""
        limits = options.max_outstanding_requests, options.max_concurrent_requests
        return None if limits == (None, None) else cls(*limits)

    @property
    def is_full(self) -> bool:
        """Whether the next request is one too many."""
        return self._outstanding is not None and self._count >= self._outstanding

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place to run, and keep it."""
        self._count += 1
        try:
            if self._turns is None:
                yield
            else:
                async with self._turns:
                    yield
        finally:
            self._count -= 1


class AnswerHeaders:
    """Adds headers to answers; a header that is there already stays as it is."""

    def __init__(self, options: HttpOptions, cors: Cors | None) -> None:
        """Add what ``options`` say, and what ``cors`` allows."""
        self._custom = options.custom_headers
        self._hsts = options.hsts
        self._cors = cors

    @classmethod
    def of(cls, options: HttpOptions, cors: Cors | None) -> AnswerHeaders | None:
        """Return what adds headers, or None when there are none to add."""
        return cls(options, cors) if options.custom_headers or options.hsts or cors is not None else None

    def add(self, answer: HttpAnswer, scope: Any) -> HttpAnswer:
        """Return ``answer``, with the headers for the request of this ASGI scope."""
        request: RawHeaders = scope["headers"]
        added = [] if self._cors is None else self._cors.headers(request)
        if self._hsts is not None and scope.get("scheme") == "https" and not _is_local(request):
            added.append((_HSTS, self._hsts))
        present = {name for name, _ in answer.headers}
        custom = [(name, value) for name, value in self._custom if name not in present]
        return HttpAnswer(answer.status, [*answer.headers, *added, *custom], answer.body)


def _is_local(request: RawHeaders) -> bool:
    host = next((value.lower() for name, value in request if name == b"host"), b"")
    return any(host == local or host.startswith(local + b":") for local in _NO_HSTS)
