"""The storage of an app without a storage account: files in the app's folder ``.webpubsub``.

``.webpubsub/<container>/<name>`` is a blob; a folder of a name is a folder. Only the user may read them, as
keys are among them, and git leaves them alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, Self, TypeVar
from urllib.parse import quote

from webpubsub.host.storage import Lease
from webpubsub.model.errors import StorageError

P = ParamSpec("P")
T = TypeVar("T")

# No encoded name starts so: a percent sign is followed by two hexadecimal digits there.
_UNFINISHED: Final = "%tmp-"
_EMPTY: Final = "%"
# Windows takes these for devices, whatever follows a dot, and drops dots at the end.
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)


class FileStorage:
    """Blobs as files.

    A name cannot be both a blob and a folder of another's name here; with blobs it can.
    """

    def __init__(self, folder: Path) -> None:
        """Keep everything in ``folder``, which is made on demand."""
        self._folder = folder

    async def read(self, container: str, name: str) -> bytes | None:
        return await self._do("read", _read, self._path(container, name))

    async def write(self, container: str, name: str, content: bytes) -> None:
        await self._do("write", self._write, self._path(container, name), content)

    async def close(self) -> None:
        """Do nothing: no file is held open."""

    async def lease(self, container: str, name: str) -> Lease | None:
        """See `Leases.lease`; the operating system ends it with the process."""
        return await self._do("lock", self._lock, self._path(container, name))

    def prepare(self) -> None:
        """Make the folder, or find out that it cannot be made.

        Raises:
            OSError: It cannot be written to.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self._folder / ".gitignore"
        if not ignore.exists():
            _replace(ignore, b"*\n")
        with tempfile.TemporaryFile(dir=self._folder):
            pass

    def _path(self, container: str, name: str) -> Path:
        return self._folder.joinpath(_encode(container), *map(_encode, name.split("/")))

    def _write(self, path: Path, content: bytes) -> None:
        self._make_parent(path)
        _replace(path, content)

    def _lock(self, path: Path) -> Lease | None:
        self._make_parent(path)
        return FileLock.take(path)

    def _make_parent(self, path: Path) -> None:
        if not path.parent.is_dir():
            self.prepare()
            path.parent.mkdir(parents=True, exist_ok=True)

    async def _do(self, verb: str, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``act`` in a thread, as a disk may be slow."""
        try:
            return await asyncio.to_thread(act, *args, **kwargs)
        except OSError as error:
            raise StorageError(
                f"cannot {verb} the app's files: {error}; make {self._folder} writable, or set "
                "'AzureWebJobsStorage' to a storage account"
            ) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _replace(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 beside ``path``, then let it take its place."""
    descriptor, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def _encode(segment: str) -> str:
    """Return a file name for one part of a blob's name; different parts have different ones."""
    quoted = quote(segment, safe=" !$&'()+,;=@[]{}~", errors="surrogatepass")
    if not quoted.strip(". "):  # nothing, or what may mean a folder
        return quoted.replace(".", "%2E").replace(" ", "%20") or _EMPTY
    if quoted[-1] in ". ":
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if _DEVICE.match(quoted) else quoted


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
        return self._descriptor is not None

    async def release(self) -> None:
        """Unlock the file; it stays, as another may wait for it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
