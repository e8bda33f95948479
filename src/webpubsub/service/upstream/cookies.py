"""Cookies of event handlers: a jar for each connection, as one client's session is not another's.

Source: service spec, section D.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webpubsub.model.names import ConnectionId
from webpubsub.service.upstream.sending import HttpResponse

if TYPE_CHECKING:
    from http.cookiejar import CookieJar


class CookieJars:
    """The jars of all connections whose handlers set cookies; others have none."""

    def __init__(self) -> None:
        self._jars: dict[ConnectionId, CookieJar] = {}

    def headers(self, connection_id: ConnectionId, url: str) -> list[tuple[str, str]]:
        """Return the ``Cookie`` header of a connection's event to ``url``, or no header."""
        jar = self._jars.get(connection_id)
        if jar is None:
            return []
        from urllib.request import Request

        request = Request(url)
        jar.add_cookie_header(request)
        value = request.get_header("Cookie")
        return [("Cookie", value)] if value else []

    def keep(self, connection_id: ConnectionId, url: str, response: HttpResponse) -> None:
        """Keep what the answer to a connection's event to ``url`` set."""
        lines = response.all(b"set-cookie")
        if not lines:
            return
        from http.cookiejar import CookieJar
        from urllib.request import Request

        jar = self._jars.setdefault(connection_id, CookieJar())
        answer: Any = _SetCookies(lines)
        jar.extract_cookies(answer, Request(url))

    def forget(self, connection_id: ConnectionId) -> None:
        """Throw away a connection's jar."""
        self._jars.pop(connection_id, None)


class _SetCookies:
    """What `http.cookiejar` asks an answer for."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def info(self) -> _SetCookies:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return self._lines if name == "Set-Cookie" else default
