"""The keys of one host: read once, made when missing, changed through the admin endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from webpubsub.host.keys.file import (
    FUNCTION,
    HOST_FUNCTIONS,
    MASTER,
    MASTER_NAME,
    SYSTEM,
    KeyFile,
    make_key,
)
from webpubsub.host.storage import Storage

CONTAINER: Final = "azure-webjobs-secrets"
DEFAULT: Final = "default"  # the name of the function keys that are there from the start

_HOST: Final = "host"  # no function may have this name


class KeyPlace(msgspec.Struct, frozen=True):
    """Where keys are: a group in a file.

    Attributes:
        group: `MASTER`, `HOST_FUNCTIONS`, `SYSTEM` or `FUNCTION`.
        file: The function's name in lower case, or ``host``.
    """

    group: str
    file: str = _HOST

    @classmethod
    def of_function(cls, name: str) -> KeyPlace:
        return cls(FUNCTION, name.lower())


class KeyStore:
    """All keys of one host.

    Each file is read once: a change made by hand is noticed at the next start, or by `reload`.

    Attributes:
        on_change: Called when keys were read or changed.
    """

    def __init__(
        self,
        storage: Storage,
        host_id: str,
        *,
        extensions: Iterable[str] = (),
        make: Callable[[], str] = make_key,
    ) -> None:
        """Prepare; nothing is read before `load`.

        Args:
            storage: Where the files are.
            host_id: The folder in it.
            extensions: Names of system keys to have.
            make: Returns a new key.
        """
        self.on_change: Callable[[], None] = lambda: None
        self._storage = storage
        self._host_id = host_id
        self._extensions = tuple(extensions)
        self._make = make
        self._files: dict[str, KeyFile] = {}
        self._changing = asyncio.Lock()

    async def load(self, functions: Iterable[str] = ()) -> None:
        """Read the host's keys and those of ``functions``, and make those that must be there.

        Raises:
            ConfigurationError: A file cannot be used.
            StorageError: The storage cannot be used.
        """
        async with self._changing:
            missing = {_HOST, *(name.lower() for name in functions)} - self._files.keys()
            if missing:
                files = await asyncio.gather(*map(self._opened, missing))
                self._files |= zip(missing, files, strict=True)
                self.on_change()

    async def reload(self) -> None:
        """Read again what was read, as another process may have changed it.

        Raises:
            ConfigurationError: A file cannot be used.
            StorageError: The storage cannot be used.
        """
        async with self._changing:
            files = await asyncio.gather(*map(self._opened, self._files))
            self._files = dict(zip(self._files, files, strict=True))

    @property
    def master(self) -> str:
        """The master key; `load` comes first."""
        return self.keys(KeyPlace(MASTER))[MASTER_NAME]

    def keys(self, place: KeyPlace) -> dict[str, str]:
        """Return the keys of a place by name; `load` comes first."""
        return self._files[place.file].group(place.group)

    def find(self, place: KeyPlace, name: str) -> str | None:
        """Return one key, or None; `load` comes first."""
        return self._files[place.file].find(place.group, name)

    async def put(self, place: KeyPlace, name: str, value: str | None = None) -> tuple[str, bool]:
        """Set a key; return it, and whether it is new.

        Args:
            place: Where.
            name: Its name; of no account for the master key.
            value: The key, or None for a fresh one.

        Raises:
            ConfigurationError: The file cannot be used.
            StorageError: The storage cannot be used.
        """
        key = self._make() if value is None else value
        async with self._changing:
            file = await self._read(place.file)
            await self._change(place.file, file.with_key(place.group, name, key))
        return key, file.find(place.group, name) is None

    async def delete(self, place: KeyPlace, name: str) -> bool:
        """Remove a key; return whether it was there.

        Raises:
            ConfigurationError: The file cannot be used.
            StorageError: The storage cannot be used.
        """
        async with self._changing:
            file = await self._read(place.file)
            was_there = file.find(place.group, name) is not None
            if was_there:
                await self._change(place.file, file.without_key(place.group, name))
        return was_there

    async def _opened(self, name: str) -> KeyFile:
        """Return a file that has all keys it must have."""
        found = file = await self._read(name)
        for group, key in self._missing(name, found):
            file = file.with_key(group, key, self._make())
        if file is not found:
            await self._write(name, file)
        return file

    def _missing(self, name: str, file: KeyFile) -> Iterator[tuple[str, str]]:
        """Yield group and name; whoever deleted a default key does not want it back."""
        if name != _HOST:
            yield from [] if FUNCTION in file else [(FUNCTION, DEFAULT)]
            return
        yield from [] if MASTER in file else [(MASTER, MASTER_NAME)]
        yield from [] if HOST_FUNCTIONS in file else [(HOST_FUNCTIONS, DEFAULT)]
        yield from ((SYSTEM, key) for key in self._extensions if file.find(SYSTEM, key) is None)

    async def _change(self, name: str, file: KeyFile) -> None:
        await self._write(name, file)
        self._files[name] = file
        self.on_change()

    async def _read(self, name: str) -> KeyFile:
        path = self._path(name)
        content = await self._storage.read(CONTAINER, path)
        return KeyFile.parse(content, f"{CONTAINER}/{path}") if content else KeyFile()

    async def _write(self, name: str, file: KeyFile) -> None:
        await self._storage.write(CONTAINER, self._path(name), file.encode())

    def _path(self, name: str) -> str:
        return f"{self._host_id}/{name}.json"
