"""Identities: who this host is to a service that has no access key, and the tokens they get.

A connection section ``NAME`` with ``NAME__serviceUri`` names its identity with these settings:

============================= =========================================================================
``NAME__credential``          ``managedidentity``, with ``clientId`` or ``managedIdentityResourceId`` when
                              it is not the system-assigned one
``NAME__clientSecret``        a service principal, with ``tenantId`` and ``clientId``
``NAME__certificate``         the same with the path of a PEM or PKCS12 file
none of these                 ``DefaultAzureCredential``: environment, workload or managed identity, Azure
                              CLI, ...; ``clientId`` and ``tenantId`` are hints to it
============================= =========================================================================

A token serves all requests until shortly before it expires.

Source: extension spec, section 2.1; the keys are those of Azure.Extensions; service spec, section B.3.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from webpubsub.host.settings.environment import Environment
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.ports import TokenCredential

SCOPE: Final = "https://webpubsub.azure.com/.default"
# Azure's own clients ask that early, too; a token lives for an hour or longer.
RENEWED_BEFORE: Final = 300.0  # seconds before it expires
UNAUTHORIZED: Final = 401


class Identity(msgspec.Struct, frozen=True):
    """A credential that is made when it is first needed, as importing its package takes a third of a second.

    Attributes:
        credential: A class of ``azure.identity.aio``.
        arguments: Its keyword arguments.
    """

    credential: str
    arguments: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @classmethod
    def find(cls, name: str, environment: Environment) -> Identity:
        """Read the identity of the connection section ``name``.

        Raises:
            ConfigurationError: A setting is missing or unusable, or azure-identity is not installed.
        """
        given = {key: environment.get(f"{name}:{key}") or None for key in _KEYS}
        try:
            identity = _identity(given, _resource_parameter(environment))
        except ConfigurationError as error:
            raise ConfigurationError(f"connection '{name}': {error}") from error
        if importlib.util.find_spec("azure.identity") is None:
            raise ConfigurationError(
                f"connection '{name}' is no connection string, so this host has to sign in with an identity, "
                'and azure-identity is not installed: pip install "webpubsub[identity]"'
            )
        return identity

    def open(self) -> TokenCredential:
        """Make the credential.

        Raises:
            ValueError: The credential cannot use its arguments.
        """
        from azure.identity import aio

        made: TokenCredential = getattr(aio, self.credential)(**self.arguments)
        return made


_KEYS: Final = (
    "credential",
    "clientId",
    "tenantId",
    "clientSecret",
    "certificate",
    "managedIdentityResourceId",
)

_Given = Mapping[str, str | None]


def _resource_parameter(environment: Environment) -> str:
    """Return what the endpoint of managed identities calls a resource id: its asynchronous client passes on
    what it is given, and App Service and virtual machines do not agree.
    """
    return "mi_res_id" if environment.get("IDENTITY_ENDPOINT") else "msi_res_id"


def _identity(given: _Given, resource_parameter: str) -> Identity:
    kind = given["credential"]
    if kind is not None and kind.lower() != "managedidentity":
        raise ConfigurationError(
            f"'credential' is '{kind}': expected 'managedidentity', or no such setting for a service "
            "principal or the default credential"
        )
    # A resource id can only be that of a managed identity.
    if kind is not None or given["managedIdentityResourceId"] is not None:
        return _managed_identity(given, resource_parameter)
    if given["clientSecret"] is not None or given["certificate"] is not None:
        return _service_principal(given)
    hints = {
        "managed_identity_client_id": given["clientId"],
        "workload_identity_tenant_id": given["tenantId"],
    }
    return Identity(
        "DefaultAzureCredential", {name: value for name, value in hints.items() if value is not None}
    )


def _managed_identity(given: _Given, resource_parameter: str) -> Identity:
    client_id, resource_id = given["clientId"], given["managedIdentityResourceId"]
    if client_id is not None and resource_id is not None:
        raise ConfigurationError(
            "'clientId' and 'managedIdentityResourceId' both name the managed identity: keep one"
        )
    if resource_id is not None:
        return Identity("ManagedIdentityCredential", {"identity_config": {resource_parameter: resource_id}})
    return Identity("ManagedIdentityCredential", {} if client_id is None else {"client_id": client_id})


def _service_principal(given: _Given) -> Identity:
    secret, certificate = given["clientSecret"], given["certificate"]
    missing = [key for key in ("tenantId", "clientId") if given[key] is None]
    if missing:
        has = "clientSecret" if secret is not None else "certificate"
        raise ConfigurationError(f"'{has}' is set, but not {' and '.join(missing)}: set all three")
    principal = {"tenant_id": given["tenantId"], "client_id": given["clientId"]}
    if secret is not None:
        return Identity("ClientSecretCredential", {**principal, "client_secret": secret})
    assert certificate is not None
    if not Path(certificate).is_file():
        raise ConfigurationError(
            f"'certificate' is '{certificate}', which is no file: expected the path of a PEM or PKCS12 file"
        )
    return Identity("CertificateCredential", {**principal, "certificate_path": certificate})


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
