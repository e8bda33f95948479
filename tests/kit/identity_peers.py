"""What signs a host in: a credential that says what it is told, and a provider of tokens that are true."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import jwt

AUDIENCE = "https://webpubsub.azure.com"
ISSUER = "https://sts.example/tenant/"
SECRET = "a secret of the provider, 32 bytes"


class Token(NamedTuple):
    """What a credential gives, as ``azure.core.credentials.AccessToken``."""

    token: str
    expires_on: int


class Credential:
    """Gives tokens one after the other, and fails when there are none left."""

    def __init__(self, tokens: Iterable[str], expires_on: int = 3600) -> None:
        self._tokens = list(tokens)
        self.expires_on = expires_on
        self.asked: list[tuple[str, ...]] = []
        self.held: asyncio.Event | None = None  # answers wait for it
        self.is_closed = False

    async def get_token(self, *scopes: str) -> Token:
        self.asked.append(scopes)
        if self.held is not None:
            await self.held.wait()
        if not self._tokens:
            raise ConnectionError("the provider is away")
        return Token(self._tokens.pop(0), self.expires_on)

    async def close(self) -> None:
        self.is_closed = True


def issue(key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token of the provider; a claim that is None is left out."""
    given = {"iss": ISSUER, "aud": AUDIENCE, **claims}
    return jwt.encode(
        {name: value for name, value in given.items() if value is not None}, key, algorithm=algorithm
    )


def new_key_pair(kind: str = "RSA") -> tuple[str, str]:
    """A private and its public key in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    made: Any = (
        rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())
    )
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()
