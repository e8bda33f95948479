"""What events have as ``Authorization`` and as cookies.

A token of this machine's identity, or one that stands in for it; and a jar of cookies for each connection, as
one client's session is not another's.

Source: service spec, sections D.1, D.3 and I.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webpubsub.http import Response
from webpubsub.model.names import ConnectionId

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

from collections.abc import Callable

from webpubsub.model.errors import EventRefused
from webpubsub.model.ports import TokenCredential
from webpubsub.service.settings import WebhookAuth


def _default_credential() -> TokenCredential:
    from azure.identity.aio import DefaultAzureCredential

    found: TokenCredential = DefaultAzureCredential()
    return found


class Authorization:
    """Makes the ``Authorization`` header of events.

    Args:
        open_credential: Makes the credential of this machine's identity when it is first needed, as its
            package takes a third of a second to import.
    """

    def __init__(self, open_credential: Callable[[], TokenCredential] = _default_credential) -> None:
        self._open = open_credential
        self._credential: TokenCredential | None = None

    async def headers(self, auth: WebhookAuth) -> list[tuple[str, str]]:
        """Return the header that ``auth`` asks for, or none.

        Raises:
            EventRefused: The identity has no token for the event handler.
        """
        if auth.type == "BearerToken":
            return [("Authorization", f"Bearer {auth.bearer_token}")]
        if auth.type == "ManagedIdentity" and auth.managed_identity is not None:
            return [("Authorization", f"Bearer {await self._token(auth.managed_identity.resource)}")]
        return []

    async def _token(self, resource: str) -> str:
        from azure.core.exceptions import AzureError

        if self._credential is None:
            self._credential = self._open()
        try:
            return (await self._credential.get_token(f"{resource}/.default")).token
        except AzureError as error:
            raise EventRefused(
                500, f"this machine's identity has no token for '{resource}': {error}"
            ) from error

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()


class CookieJars:
    """The jars of all connections whose handlers set cookies; others have none.

    Attributes:
        jars: They.
    """

    def __init__(self) -> None:
        self.jars: dict[ConnectionId, CookieJar] = {}

    def headers(self, connection_id: ConnectionId, url: str) -> list[tuple[str, str]]:
        """Return the ``Cookie`` header of a connection's event to ``url``, or no header."""
        jar = self.jars.get(connection_id)
        if jar is None:
            return []
        from urllib.request import Request

        request = Request(url)
        jar.add_cookie_header(request)
        value = request.get_header("Cookie")
        return [("Cookie", value)] if value else []

    def keep(self, connection_id: ConnectionId, url: str, response: Response) -> None:
        """Keep what the answer to a connection's event to ``url`` set."""
        lines = response.all(b"set-cookie")
        if not lines:
            return
        from http.cookiejar import CookieJar
        from urllib.request import Request

        jar = self.jars.setdefault(connection_id, CookieJar())
        answer: Any = _SetCookies(lines)
        jar.extract_cookies(answer, Request(url))

    def forget(self, connection_id: ConnectionId) -> None:
        """Throw away a connection's jar."""
        self.jars.pop(connection_id, None)


class _SetCookies:
    """What `http.cookiejar` asks an answer for."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def info(self) -> _SetCookies:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return self._lines if name == "Set-Cookie" else default
