"""Cookies of event handlers: a jar for each connection, as one client's session is not another's.

Source: service spec, section D.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webpubsub.model.names import ConnectionId
from webpubsub.service.upstream.sending import HttpResponse

if TYPE_CHECKING:
    import aiohttp

__all__ = ["CookieJars"]


class CookieJars:
    """The jars of all connections whose handlers set cookies; others have none."""

    def __init__(self) -> None:
        self._jars: dict[ConnectionId, aiohttp.CookieJar] = {}

    def headers(self, connection_id: ConnectionId, url: str) -> list[tuple[str, str]]:
        """Return the ``Cookie`` header of a connection's event to ``url``, or no header."""
        jar = self._jars.get(connection_id)
        if jar is None:
            return []
        import yarl

        found = jar.filter_cookies(yarl.URL(url)).values()
        value = "; ".join(f"{cookie.key}={cookie.coded_value}" for cookie in found)
        return [("Cookie", value)] if value else []

    def keep(self, connection_id: ConnectionId, response: HttpResponse) -> None:
        """Keep what the answer to a connection's event set."""
        if not response.cookies:
            return
        jar = self._jars.get(connection_id)
        if jar is None:
            import aiohttp

            # Apps on this machine are known by address, and their cookies are as good as others'.
            jar = self._jars[connection_id] = aiohttp.CookieJar(unsafe=True)
        jar.update_cookies(response.cookies, response.url)

    def forget(self, connection_id: ConnectionId) -> None:
        """Throw away a connection's jar."""
        self._jars.pop(connection_id, None)
