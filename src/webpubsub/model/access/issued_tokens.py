"""Tokens of identity providers: what callers without an access key send to the REST API.

Azure's provider is Microsoft Entra ID, which signs RS256 with keys it publishes. Here the keys are set, so
that a test's or an organisation's own provider can stand in for it, with RS256 or with HS256. PyJWT checks
RS256; it is imported where a key asks for it, as that takes long.

Source: service spec, section B.3; RFC 7519, sections 4.1 and 7.2.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from webpubsub.model.access.jws import unverified_payload
from webpubsub.model.access.tokens import check_times, claims_of, signed_claims, texts
from webpubsub.model.errors import ConfigurationError, TokenError

ENTRA_AUDIENCE: Final = "https://webpubsub.azure.com"
_PEM: Final = "-----BEGIN "


class TokenIssuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider whose tokens are taken.

    Azure tells *Service Owner* from *Service Reader* by roles; here every caller with a token may do
    everything.

    Attributes:
        issuer: What its tokens have as ``iss``.
        key: An RSA public key in PEM, for RS256; or a secret, for HS256.
        audience: What its tokens must have as ``aud``.

    Raises:
        ConfigurationError: The key is empty or cannot be read.
    """

    issuer: str
    key: str
    audience: str = ENTRA_AUDIENCE

    def __post_init__(self) -> None:
        if not self.key.strip():
            raise ConfigurationError(
                f"the key of token issuer '{self.issuer}' is empty: expected an RSA public key in PEM, or a "
                "secret"
            )
        if _is_pem(self.key):
            _read_key(self.key)

    def __repr__(self) -> str:
        return f"TokenIssuer(issuer={self.issuer!r}, key=..., audience={self.audience!r})"


def verify_issued_token(token: str, issuers: Iterable[TokenIssuer], *, now: float) -> None:
    """Check the bearer token of a caller with an identity.

    Args:
        token: The JWT.
        issuers: Whose tokens are taken; one issuer may be there with several keys.
        now: Seconds since the epoch.

    Raises:
        TokenError: It is malformed, forged, expired, not yet valid, or of another issuer or audience.
    """
    name = _claimed_issuer(token)
    claims, issuer = _signed_by(token, [issuer for issuer in issuers if issuer.issuer == name], name)
    check_times(claims, now)
    audiences = texts(claims.get("aud"))
    if issuer.audience not in audiences:
        raise TokenError(f"the token is for {audiences or 'no audience'}: expected '{issuer.audience}'")


def _claimed_issuer(token: str) -> object:
    """Return the issuer as the token says; true only once the signature is checked with its key."""
    return claims_of(unverified_payload(token)).get("iss")


def _signed_by(token: str, issuers: list[TokenIssuer], name: object) -> tuple[dict[str, Any], TokenIssuer]:
    problem = f"no key of issuer {name!r} is set"
    for issuer in issuers:
        try:
            return _signed_claims(token, issuer.key), issuer
        except TokenError as error:
            problem = str(error)
    raise TokenError(problem)


def _signed_claims(token: str, key: str) -> dict[str, Any]:
    if not _is_pem(key):
        return signed_claims(token, [key])
    import jwt

    try:
        payload = jwt.PyJWS(algorithms=["RS256"]).decode(token, _read_key(key), algorithms=["RS256"])
    except jwt.PyJWTError as error:
        raise TokenError(f"the token cannot be read: {error}") from error
    return claims_of(payload)


def _is_pem(key: str) -> bool:
    """Whether a key is public, and never a secret: text may stand before it (RFC 7468, section 2)."""
    return _PEM in key


@functools.lru_cache(maxsize=64)
def _read_key(pem: str) -> Any:
    import jwt

    algorithm = jwt.algorithms.get_default_algorithms().get("RS256")
    if algorithm is None:
        raise ConfigurationError(
            'RSA keys of token issuers need cryptography: pip install "webpubsub[identity]"'
        )
    try:
        key = algorithm.prepare_key(pem)
    except (ValueError, TypeError, jwt.InvalidKeyError) as error:
        raise ConfigurationError(
            "the key of a token issuer is no RSA public key in PEM ('-----BEGIN PUBLIC KEY-----')"
        ) from error
    return key
