"""Who signs in with an identity in place of a key, as ``azure.identity.aio`` has it."""

from __future__ import annotations

from typing import Protocol


class AccessToken(Protocol):
    """A token of an identity, as ``azure.core.credentials.AccessToken``."""

    @property
    def token(self) -> str:
        """The token."""
        ...

    @property
    def expires_on(self) -> int:
        """Seconds since the epoch."""
        ...


class TokenCredential(Protocol):
    """Gets tokens: any of the credentials of ``azure.identity.aio``."""

    async def get_token(self, *scopes: str) -> AccessToken:
        """Return a token for ``scopes``; it keeps them as long as they are good."""
        ...

    async def close(self) -> None:
        """Close its own connections."""
        ...
