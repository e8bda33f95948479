"""What the host remembers between runs: timer states and keys, in containers of named blobs.

Source: Python spec, section 6, ``AzureWebJobsStorage``.
"""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

# The container of what Azure's host keeps for timers.
HOSTS: Final = "azure-webjobs-hosts"


class Storage(Protocol):
    """Named blobs in containers; a container exists as soon as something is written to it.

    Names may have folders, as in ``timers/chat/status``. Every method but `close` raises `StorageError`
    when the storage cannot be used.
    """

    async def read(self, container: str, name: str) -> bytes | None:
        """Return the content of a blob, or None when there is none."""
        ...

    async def write(self, container: str, name: str, content: bytes) -> None:
        """Create or replace a blob; readers see the old content or the new, nothing between."""
        ...

    async def close(self) -> None:
        """End the connections; the next use opens them again."""
        ...


class Lease(Protocol):
    """The right to be the only one; it ends by itself some time after its host did."""

    async def renew(self) -> bool:
        """Keep it; False when it is lost.

        Raises:
            StorageError: The storage cannot be used.
        """
        ...

    async def release(self) -> None:
        """Give it back; one that is lost is fine.

        Raises:
            StorageError: The storage cannot be used.
        """
        ...


@runtime_checkable
class Leases(Protocol):
    """What a storage that several hosts may share offers on top of `Storage`."""

    async def lease(self, container: str, name: str) -> Lease | None:
        """Return the lease of a blob, made when absent; None while another host has it.

        It must be renewed every 30 seconds.

        Raises:
            StorageError: The storage cannot be used.
        """
        ...
