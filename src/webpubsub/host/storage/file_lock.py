"""A lock that the operating system takes back when its process ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """A `Lease` of a file, held by holding it open; it need not be renewed."""

    def __init__(self, descriptor: int) -> None:
        """Hold the locked file ``descriptor``."""
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Lock the file at ``path``, made when absent; None while somebody else has it locked.

        Raises:
            OSError: The file cannot be opened, or its file system has no locks.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):  # Windows says the latter
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor)

    async def renew(self) -> bool:
        """Tell whether it is still held."""
        return self._descriptor is not None

    async def release(self) -> None:
        """Unlock the file; it stays, as another may wait for it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
