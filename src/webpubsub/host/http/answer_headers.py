"""Headers every answer gets, whoever made it: CORS, ``customHeaders`` and ``hsts`` of host.json."""

from __future__ import annotations

from typing import Any, Final

from webpubsub.host.http.cors import Cors
from webpubsub.host.http.options import HttpOptions
from webpubsub.model.cloudevents import HttpAnswer
from webpubsub.model.headers import RawHeaders

_HSTS: Final = b"strict-transport-security"
# A browser that took it to heart would never again talk to the developer's own machine without TLS.
_NO_HSTS: Final = (b"localhost", b"127.0.0.1", b"[::1]")


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
