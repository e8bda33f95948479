"""The storage of one app, chosen by its settings when it is first used.

=========================================================== ================================================
``AzureWebJobsStorage``                                     storage
=========================================================== ================================================
absent                                                      files in the app's folder ``.webpubsub``
``UseDevelopmentStorage=true``, nothing listens             the same
``UseDevelopmentStorage=true``, Azurite listens             its blobs, with the extra ``[storage]``
a connection string, or ``__accountName``,                  blobs, with the extra ``[storage]``
``__blobServiceUri`` (and an identity)
=========================================================== ================================================

When the app's folder cannot be written to, files become memory, which the trace is told once.

Source: Azure Functions, "Connecting to host storage with an identity"; Azurite, "Well-known storage account
and key".
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from webpubsub.host.azure.credentials import Identity
from webpubsub.host.settings.environment import Environment
from webpubsub.host.storage import Lease, Leases, Storage
from webpubsub.host.storage.files import FileStorage
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import ConfigurationError, StorageError
from webpubsub.model.trace import SILENT, Name, Phase, Trace

FOLDER: Final = ".webpubsub"
_INSTALL: Final = 'azure-storage-blob is not installed: pip install "webpubsub[storage]"'
_PROBE_SECONDS: Final = 1.0

_SETTING: Final = "AzureWebJobsStorage"
_AZURITE: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://{host}:{port}/devstoreaccount1;"
)
_AZURITE_PORT: Final = 10000


class _LeasingStorage(Storage, Leases, Protocol): ...


class AppStorage:
    """Stands for the storage the settings name. An app that remembers nothing never opens it."""

    def __init__(self, environment: Environment, app_dir: Path, trace: Trace = SILENT) -> None:
        """Remember where to look; nothing is opened.

        Args:
            environment: App settings.
            app_dir: The app's folder.
            trace: The listener, or None.
        """
        self._environment = environment
        self._folder = app_dir / FOLDER
        self._trace = trace
        self._chosen: _LeasingStorage | None = None
        self._choosing = asyncio.Lock()

    async def read(self, container: str, name: str) -> bytes | None:
        return await (await self._storage()).read(container, name)

    async def write(self, container: str, name: str, content: bytes) -> None:
        await (await self._storage()).write(container, name, content)

    async def lease(self, container: str, name: str) -> Lease | None:
        return await (await self._storage()).lease(container, name)

    async def close(self) -> None:
        """See `Storage.close`; the choice stays."""
        if self._chosen is not None:
            await self._chosen.close()

    async def _storage(self) -> _LeasingStorage:
        if self._chosen is None:
            async with self._choosing:
                if self._chosen is None:
                    self._chosen = await self._choose()
        return self._chosen

    async def _choose(self) -> _LeasingStorage:
        try:
            account = find_account(self._environment)
        except ConfigurationError as error:
            raise StorageError(str(error)) from error
        if account is None or (account.azurite and not await self._can_use(account.azurite)):
            return await self._files()
        if not _has_library():
            raise StorageError(f"'AzureWebJobsStorage' names a storage account, and {_INSTALL}")
        return await _blobs(account)

    async def _can_use(self, azurite: tuple[str, int]) -> bool:
        if not await _listens(*azurite):
            return False
        if not _has_library():
            self._warn(f"Azurite listens, and {_INSTALL}; files in {self._folder} are used instead")
            return False
        return True

    async def _files(self) -> _LeasingStorage:
        files = FileStorage(self._folder)
        try:
            await asyncio.to_thread(files.prepare)
        except OSError as error:
            self._warn(
                f"{self._folder} cannot be written to ({error.strerror or error}), so keys and timers are "
                "forgotten when the host ends: make it writable, or set 'AzureWebJobsStorage' to a storage "
                "account"
            )
            return MemoryStorage()
        return files

    def _warn(self, message: str) -> None:
        self._trace.tell(Name.STORAGE, Phase.FAILED, {}, {"message": message})


def _has_library() -> bool:
    try:
        return find_spec("azure.storage.blob") is not None
    except ModuleNotFoundError:  # there is no azure.storage at all
        return False


async def _blobs(account: Account) -> _LeasingStorage:
    """Import the library in a thread, as that takes a third of a second."""
    module = await asyncio.to_thread(import_module, "webpubsub.host.storage.blobs")
    found: _LeasingStorage = module.BlobStorage(account)
    return found


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


class Account(msgspec.Struct, frozen=True):
    """Where blobs are, and who the host is there.

    Attributes:
        connection_string: With a key or a signature; or else
        service_uri: the address of the blobs, and
        identity: who the host is to them.
        azurite: Host and port, when it stands for ``UseDevelopmentStorage=true``.
    """

    connection_string: str = ""
    service_uri: str = ""
    identity: Identity | None = None
    azurite: tuple[str, int] | None = None


def find_account(environment: Environment) -> Account | None:
    """Return the app's storage account, or None when none is set.

    Raises:
        ConfigurationError: The settings of its identity are unusable.
    """
    text = environment.get(_SETTING) or environment.get(f"ConnectionStrings:{_SETTING}")
    if text:
        parts = dict(part.partition("=")[::2] for part in text.lower().replace(" ", "").split(";"))
        is_azurite = parts.get("usedevelopmentstorage") == "true"
        return _azurite(parts) if is_azurite else Account(connection_string=text)
    uri = _service_uri(environment)
    return Account(service_uri=uri, identity=Identity.find(_SETTING, environment)) if uri else None


def _azurite(parts: dict[str, str]) -> Account:
    host = urlsplit(parts.get("developmentstorageproxyuri", "")).hostname or "127.0.0.1"
    address = (host, _AZURITE_PORT)
    return Account(connection_string=_AZURITE.format(host=host, port=_AZURITE_PORT), azurite=address)


def _service_uri(environment: Environment) -> str | None:
    for name in ("blobServiceUri", "serviceUri"):
        if uri := environment.get(f"{_SETTING}:{name}"):
            return uri
    account = environment.get(f"{_SETTING}:accountName")
    return f"https://{account}.blob.core.windows.net" if account else None
