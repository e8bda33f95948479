"""A storage that forgets everything with its process: for tests, and for apps whose folder is read-only."""

from __future__ import annotations

from typing import Final

from webpubsub.host.storage import Lease

_Key = tuple[str, str]


class MemoryStorage:
    """Blobs in a dictionary.

    Attributes:
        blobs: Contents by container and name.
        leases: Those that somebody holds, by container and name.
    """

    def __init__(self) -> None:
        self.blobs: Final[dict[_Key, bytes]] = {}
        self.leases: Final[dict[_Key, Lease]] = {}

    async def read(self, container: str, name: str) -> bytes | None:
        return self.blobs.get((container, name))

    async def write(self, container: str, name: str, content: bytes) -> None:
        self.blobs[container, name] = content

    async def close(self) -> None:
        """Keep everything: another host of this process may use it."""

    async def lease(self, container: str, name: str) -> Lease | None:
        key = (container, name)
        if key in self.leases:
            return None
        lease = self.leases[key] = _MemoryLease(self.leases, key)
        return lease


class _MemoryLease:
    def __init__(self, leases: dict[_Key, Lease], key: _Key) -> None:
        self._leases = leases
        self._key = key

    async def renew(self) -> bool:
        return self._leases.get(self._key) is self

    async def release(self) -> None:
        if await self.renew():
            del self._leases[self._key]
