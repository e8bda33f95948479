"""Tokens of an identity, one for all requests until shortly before it expires.

Source: service spec, section B.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from webpubsub.host.services.credentials import Identity
from webpubsub.model.credentials import TokenCredential
from webpubsub.model.errors import ActionRefused

SCOPE: Final = "https://webpubsub.azure.com/.default"
# Azure's own clients ask that early, too; a token lives for an hour or longer.
RENEWED_BEFORE: Final = 300.0  # seconds before it expires
UNAUTHORIZED: Final = 401


class BearerTokens:
    """The tokens of one identity; use it from one event loop."""

    def __init__(self, name: str, source: Identity | TokenCredential, clock: Callable[[], float]) -> None:
        """Ask ``source``: a credential, which stays open, or an identity whose credential is made here.

        Args:
            name: The connection, shown in errors.
            source: Who signs in.
            clock: Seconds since the epoch.
        """
        self._name = name
        self._identity = source if isinstance(source, Identity) else None
        self._credential = None if isinstance(source, Identity) else source
        self._clock = clock
        self._authorization = ""
        self._renewed_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def authorization(self) -> str:
        """Return the value of an ``Authorization`` header; all who come while it is asked for share it.

        Raises:
            ActionRefused: The identity gets no token (status 401).
        """
        if self._clock() >= self._renewed_at:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
                self._asking.add_done_callback(self._asked)
            # One caller that is cancelled must not fail the others.
            await asyncio.shield(self._asking)
        return self._authorization

    async def close(self) -> None:
        """Close the credential that was made here."""
        if self._asking is not None:
            self._asking.cancel()
        if self._identity is not None and self._credential is not None:
            credential, self._credential = self._credential, None
            await credential.close()

    async def _ask(self) -> None:
        try:
            if self._credential is None:
                assert self._identity is not None
                # Importing its package and reading certificates would hold the loop up.
                self._credential = await asyncio.to_thread(self._identity.open)
            found = await self._credential.get_token(SCOPE)
        except Exception as error:  # of whatever kind, it is the same to who wanted to send
            raise ActionRefused(
                UNAUTHORIZED, f"the identity of connection '{self._name}' gets no token: {error}"
            ) from error
        self._authorization = f"Bearer {found.token}"
        self._renewed_at = found.expires_on - RENEWED_BEFORE

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # everybody who waits is told; when nobody does any more, nobody needs to be
