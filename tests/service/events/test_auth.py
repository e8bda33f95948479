"""Authorization of events: service spec, D.1."""

from __future__ import annotations

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from webpubsub.model.errors import EventRefused
from webpubsub.service.events.auth import Authorization
from webpubsub.service.settings import ManagedIdentity, WebhookAuth

IDENTITY = WebhookAuth("ManagedIdentity", ManagedIdentity("api://chat"))


class Credential:
    """An identity that counts what it is asked for."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.asked: list[tuple[str, ...]] = []
        self.is_closed = False

    async def get_token(self, *scopes: str) -> AccessToken:
        self.asked.append(scopes)
        if self.fault is not None:
            raise self.fault
        return AccessToken(f"token {len(self.asked)}", 0)

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.feature("authorization of events")
async def test_a_token_of_the_identity_for_the_resource() -> None:
    made: list[Credential] = []

    def open_credential() -> Credential:
        made.append(Credential())
        return made[-1]

    authorization = Authorization(open_credential)
    assert await authorization.headers(WebhookAuth()) == []
    assert made == []  # it is made when it is needed
    assert await authorization.headers(IDENTITY) == [("Authorization", "Bearer token 1")]
    assert await authorization.headers(IDENTITY) == [("Authorization", "Bearer token 2")]
    [credential] = made
    assert credential.asked == [("api://chat/.default",)] * 2
    await authorization.close()
    assert credential.is_closed


async def test_an_identity_without_token_says_why() -> None:
    credential = Credential(ClientAuthenticationError("no identity here"))
    with pytest.raises(EventRefused) as caught:
        await Authorization(lambda: credential).headers(IDENTITY)
    assert str(caught.value) == (
        "this machine's identity has no token for 'api://chat': no identity here (status 500)"
    )


async def test_the_identity_is_that_of_azure_identity() -> None:
    from azure.identity.aio import DefaultAzureCredential

    authorization = Authorization()
    credential = authorization._open()
    assert isinstance(credential, DefaultAzureCredential)
    await credential.close()
    await authorization.close()  # nothing was opened
