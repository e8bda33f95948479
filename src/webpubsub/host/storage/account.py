"""Which storage account an app has: ``AzureWebJobsStorage`` or its parts.

Source: Azure Functions, "Connecting to host storage with an identity"; Azurite, "Well-known storage account
and key".
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from webpubsub.host.services.credentials import Identity
from webpubsub.host.settings.environment import Environment

_SETTING: Final = "AzureWebJobsStorage"
_AZURITE: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://{host}:{port}/devstoreaccount1;"
)
_AZURITE_PORT: Final = 10000


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
