"""One host of several that share a storage account runs a timer: the one that has its lease.

Source: the WebJobs SDK's ``SingletonListener`` and ``SingletonManager``: ``azure-webjobs-hosts``,
``locks/<host id>/Host.Functions.<function>.Listener``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from webpubsub.host.storage import HOSTS, Lease, Leases
from webpubsub.model.errors import StorageError

_RENEW_SECONDS: Final = 30.0  # half of what a lease lasts
_POLL_SECONDS: Final = 60.0  # how soon another host takes over


class Singleton:
    """Tries to get a lease and to keep it.

    A storage that cannot be used stops nothing: every host then takes itself for the one, as a timer that
    runs twice is better than one that does not run.

    Attributes:
        is_ours: Set while this host is the one.
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        *,
        sleep: Callable[[float], Awaitable[None]],
        tell: Callable[[StorageError], None],
    ) -> None:
        """Prepare; nothing happens before `keep`.

        Args:
            leases: The storage.
            name: The lease's name.
            sleep: Waits for some seconds.
            tell: Gets the storage's failures.
        """
        self.is_ours = asyncio.Event()
        self._leases = leases
        self._name = name
        self._sleep = sleep
        self._tell = tell
        self._lease: Lease | None = None

    async def keep(self) -> None:
        """Get and renew the lease until cancelled."""
        while True:
            if await self._has_turn():
                self.is_ours.set()
            else:
                self.is_ours.clear()
            await self._sleep(_RENEW_SECONDS if self.is_ours.is_set() else _POLL_SECONDS)

    async def release(self) -> None:
        """Let another host have its turn."""
        lease, self._lease = self._lease, None
        self.is_ours.clear()
        if lease is not None:
            try:
                await lease.release()
            except StorageError as error:
                self._tell(error)

    async def _has_turn(self) -> bool:
        try:
            if self._lease is None or not await self._lease.renew():
                self._lease = await self._leases.lease(HOSTS, self._name)
        except StorageError as error:
            self._tell(error)
            return True
        return self._lease is not None
