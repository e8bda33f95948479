"""Identities from settings: ext. spec, section 2.1."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webpubsub.host.azure.credentials import Identity
from webpubsub.host.settings.environment import Environment
from webpubsub.model.errors import ConfigurationError


@pytest.fixture(autouse=True)
def azure_identity(need_package: Callable[..., None]) -> None:
    need_package("azure.identity", install='pip install "webpubsub[identity]"')


def identity_of(**section: str) -> Identity:
    settings = {f"Cloud__{key}": value for key, value in section.items()}
    return Identity.find("Cloud", Environment({"Cloud__serviceUri": "https://a.example"}, settings))


PRINCIPAL = {"tenantId": "t", "clientId": "c"}
ARGUMENTS = {"tenant_id": "t", "client_id": "c"}


@pytest.mark.parametrize(
    ("section", "credential", "arguments"),
    [
        ({}, "DefaultAzureCredential", {}),
        ({"credential": "", "clientId": ""}, "DefaultAzureCredential", {}),
        ({"clientId": "c"}, "DefaultAzureCredential", {"managed_identity_client_id": "c"}),
        (
            PRINCIPAL,
            "DefaultAzureCredential",
            {"managed_identity_client_id": "c", "workload_identity_tenant_id": "t"},
        ),
        ({"credential": "managedidentity"}, "ManagedIdentityCredential", {}),
        ({"CREDENTIAL": "ManagedIdentity", "CLIENTID": "c"}, "ManagedIdentityCredential", {"client_id": "c"}),
        (
            {"credential": "managedidentity", "managedIdentityResourceId": "/id"},
            "ManagedIdentityCredential",
            {"identity_config": {"msi_res_id": "/id"}},
        ),
        (
            {"managedIdentityResourceId": "/id"},
            "ManagedIdentityCredential",
            {"identity_config": {"msi_res_id": "/id"}},
        ),
        (
            {**PRINCIPAL, "clientSecret": "s"},
            "ClientSecretCredential",
            {**ARGUMENTS, "client_secret": "s"},
        ),
        # What says which identity it is wins over what it could sign in with.
        ({**PRINCIPAL, "clientSecret": "s", "credential": "managedidentity"}, "ManagedIdentityCredential",
         {"client_id": "c"}),
    ],
)  # fmt: skip
def test_a_section_names_its_identity(
    section: dict[str, str], credential: str, arguments: dict[str, Any]
) -> None:
    assert identity_of(**section) == Identity(credential, arguments)


def test_app_service_calls_a_resource_id_otherwise_than_a_virtual_machine() -> None:
    settings = {"IDENTITY_ENDPOINT": "http://localhost:1/", "Cloud__managedIdentityResourceId": "/id"}
    assert Identity.find("Cloud", Environment(settings)).arguments == {
        "identity_config": {"mi_res_id": "/id"}
    }


def test_a_certificate_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text("-----BEGIN")
    expected = Identity("CertificateCredential", {**ARGUMENTS, "certificate_path": str(path)})
    assert identity_of(**PRINCIPAL, certificate=str(path)) == expected


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (
            {"credential": "password"},
            "'credential' is 'password': expected 'managedidentity', or no such setting for a service "
            "principal or the default credential",
        ),
        (
            {"credential": "managedidentity", "clientId": "c", "managedIdentityResourceId": "/id"},
            "'clientId' and 'managedIdentityResourceId' both name the managed identity: keep one",
        ),
        (
            {"clientSecret": "hidden"},
            "'clientSecret' is set, but not tenantId and clientId: set all three",
        ),
        (
            {"certificate": "x.pem", "tenantId": "t"},
            "'certificate' is set, but not clientId: set all three",
        ),
        (
            {**PRINCIPAL, "certificate": "/nowhere/x.pem"},
            "'certificate' is '/nowhere/x.pem', which is no file: expected the path of a PEM or PKCS12 file",
        ),
    ],
)
def test_what_cannot_be_an_identity_is_told(section: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        identity_of(**section)
    assert str(caught.value) == f"connection 'Cloud': {problem}"


def test_without_the_package_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError) as caught:
        identity_of()
    assert str(caught.value) == (
        "connection 'Cloud' is no connection string, so this host has to sign in with an identity, and "
        'azure-identity is not installed: pip install "webpubsub[identity]"'
    )


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"clientId": "c", "tenantId": "t"},
        {"credential": "managedidentity"},
        {"managedIdentityResourceId": "/id"},
        {"clientSecret": "s", "clientId": "c", "tenantId": "00000000-0000-0000-0000-000000000000"},
    ],
)
async def test_the_package_has_such_a_credential(section: dict[str, str]) -> None:
    identity = identity_of(**section)
    credential = identity.open()
    assert type(credential).__name__ == identity.credential
    await credential.close()
