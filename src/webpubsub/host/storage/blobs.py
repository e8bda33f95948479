"""The storage of an app with a storage account: blobs, in the containers and under the names of Azure's host.

Needs the extra ``[storage]``; imported only by apps that have an account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, BlobServiceClient

from webpubsub.host.storage import Lease
from webpubsub.host.storage.app_storage import Account
from webpubsub.model.errors import StorageError
from webpubsub.model.ports import TokenCredential

_LEASE_SECONDS: Final = 60  # the longest that ends by itself
_CONFLICT: Final = 409
_LEASE_IS_GONE: Final = {404, 409, 412}
# Timers and keys wait for this, and the library's own patience is minutes. Seconds; values of several types.
_PATIENCE: Final[Mapping[str, Any]] = {
    "retry_total": 2,
    "initial_backoff": 0,
    "increment_base": 1,
    "random_jitter_range": 1,
    "connection_timeout": 5,
    "read_timeout": 20,
}


class BlobStorage:
    """Blobs in a storage account, or in Azurite."""

    def __init__(self, account: Account) -> None:
        """Use ``account``; it is connected to on first use."""
        self._at = account
        self._client: BlobServiceClient | None = None
        self._credential: TokenCredential | None = None

    async def read(self, container: str, name: str) -> bytes | None:
        with _told("read", container, name):
            try:
                stream = await self._blob(container, name).download_blob()
                content: bytes = await stream.readall()
            except ResourceNotFoundError:
                return None
            return content

    async def write(self, container: str, name: str, content: bytes) -> None:
        with _told("write", container, name):
            await self._upload(container, name, content, overwrite=True)

    async def close(self) -> None:
        closing = (self._client, self._credential)
        self._client = self._credential = None
        for opened in closing:
            if opened is not None:
                await opened.close()

    async def lease(self, container: str, name: str) -> Lease | None:
        with _told("lease", container, name):
            try:
                return await self._acquire(container, name)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):  # another host made it meanwhile
                    await self._upload(container, name, b"", overwrite=False)
            return await self._acquire(container, name)

    async def _acquire(self, container: str, name: str) -> Lease | None:
        try:
            lease = await self._blob(container, name).acquire_lease(_LEASE_SECONDS)
        except HttpResponseError as error:
            if error.status_code == _CONFLICT:
                return None
            raise
        return _BlobLease(lease, container, name)

    async def _upload(self, container: str, name: str, content: bytes, *, overwrite: bool) -> None:
        blob = self._blob(container, name)
        try:
            await blob.upload_blob(content, overwrite=overwrite)
        except ResourceNotFoundError:  # the container
            with suppress(ResourceExistsError):
                await self._account().create_container(container)
            await blob.upload_blob(content, overwrite=overwrite)

    def _blob(self, container: str, name: str) -> BlobClient:
        return self._account().get_blob_client(container, name)

    def _account(self) -> BlobServiceClient:
        if self._client is None:
            self._client = self._connected()
        return self._client

    def _connected(self) -> BlobServiceClient:
        at = self._at
        if at.connection_string:
            return BlobServiceClient.from_connection_string(at.connection_string, **_PATIENCE)
        credential: Any = None if at.identity is None else at.identity.open()
        self._credential = credential
        return BlobServiceClient(at.service_uri, credential, **_PATIENCE)


class _BlobLease:
    def __init__(self, lease: BlobLeaseClient, container: str, name: str) -> None:
        self._lease = lease
        self._container = container
        self._name = name
        self._is_released = False  # the library takes neither call then

    async def renew(self) -> bool:
        if self._is_released:
            return False
        with _told("renew the lease of", self._container, self._name):
            try:
                await self._lease.renew()
            except HttpResponseError as error:
                if error.status_code in _LEASE_IS_GONE:
                    return False
                raise
            return True

    async def release(self) -> None:
        if self._is_released:
            return
        with _told("release the lease of", self._container, self._name):
            try:
                await self._lease.release()
            except HttpResponseError as error:
                if error.status_code not in _LEASE_IS_GONE:
                    raise
        self._is_released = True


@contextmanager
def _told(verb: str, container: str, name: str) -> Iterator[None]:
    """Raise what the library raises as `StorageError`; a ValueError is an unusable name, key or string."""
    try:
        yield
    except (AzureError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise StorageError(
            f"cannot {verb} {container}/{name} in the storage account: {first_line}; check "
            "'AzureWebJobsStorage', and that the account can be reached"
        ) from error
