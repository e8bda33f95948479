"""Cross-origin requests of browsers, as Core Tools allows them: any method, any header, listed origins.

Source: Python spec, section 6; the Fetch standard, "CORS protocol".
"""

from __future__ import annotations

from typing import Final

from webpubsub.model.cloudevents import HttpAnswer
from webpubsub.model.headers import RawHeaders

_ORIGIN: Final = b"origin"
_METHOD: Final = b"access-control-request-method"
_HEADERS: Final = b"access-control-request-headers"


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
