"""What events have as ``Authorization``: a token of this machine's identity, or one that stands in for it.

Source: service spec, sections D.1 and I.1.
"""

from __future__ import annotations

from collections.abc import Callable

from webpubsub.model.errors import EventRefused
from webpubsub.model.ports import TokenCredential
from webpubsub.service.event_handlers import WebhookAuth


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
        """Close the credential."""
        if self._credential is not None:
            await self._credential.close()
