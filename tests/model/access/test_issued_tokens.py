"""Tokens of identity providers: service spec, section B.3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.identity_peers import AUDIENCE, ISSUER, SECRET, issue, new_key_pair
from webpubsub.model.access.issued_tokens import TokenIssuer, verify_issued_token
from webpubsub.model.errors import ConfigurationError, TokenError

NOW = 1_700_000_000
PROVIDER = TokenIssuer(ISSUER, SECRET)


def verify(token: str, *issuers: TokenIssuer) -> None:
    verify_issued_token(token, issuers or (PROVIDER,), now=NOW)


@pytest.fixture(scope="module")
def key_pair(need_package: Callable[..., None]) -> tuple[str, str]:
    need_package("cryptography", install='pip install "webpubsub[identity]"')
    return new_key_pair()


TAKEN: dict[str, dict[str, Any]] = {
    "as Entra's": {"exp": NOW + 3600, "iat": NOW, "nbf": NOW, "sub": "app", "appid": "app"},
    "expired just now": {"exp": NOW - 299},
    "valid soon": {"exp": NOW + 3600, "nbf": NOW + 300},
    "several audiences": {"exp": NOW, "aud": ["https://other", AUDIENCE]},
}


@pytest.mark.parametrize("claims", TAKEN.values(), ids=TAKEN)
def test_a_token_of_the_provider_is_taken(claims: dict[str, Any]) -> None:
    verify(issue(**claims))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": NOW - 300}, "the token expired 300 seconds ago"),
    "no expiry": ({}, "the token has no 'exp'"),
    "not yet valid": ({"exp": NOW, "nbf": NOW + 301}, "the token is not valid for another 301 seconds"),
    "another audience": (
        {"exp": NOW, "aud": "https://management.azure.com"},
        f"the token is for ['https://management.azure.com']: expected '{AUDIENCE}'",
    ),
    "no audience": ({"exp": NOW, "aud": None}, f"the token is for no audience: expected '{AUDIENCE}'"),
    # What is below the audience is another one, unlike the URLs in tokens of access keys.
    "the audience and more": (
        {"exp": NOW, "aud": f"{AUDIENCE}/x"},
        f"the token is for ['{AUDIENCE}/x']: expected '{AUDIENCE}'",
    ),
    "another issuer": ({"exp": NOW, "iss": "https://x/"}, "no key of issuer 'https://x/' is set"),
    "no issuer": ({"exp": NOW, "iss": None}, "no key of issuer None is set"),
    "times that are none": ({"exp": "soon"}, "the token's 'exp' is 'soon': expected seconds since the epoch"),
}


@pytest.mark.parametrize(("claims", "problem"), REFUSED.values(), ids=REFUSED)
def test_any_other_is_refused(claims: dict[str, Any], problem: str) -> None:
    with pytest.raises(TokenError) as caught:
        verify(issue(**claims))
    assert str(caught.value) == problem
    assert caught.value.status == 401


def test_a_forged_token_is_refused() -> None:
    with pytest.raises(TokenError, match="the token is signed with another key"):
        verify(issue("another secret of 32 or more bytes", exp=NOW))


def test_an_unsigned_token_is_refused() -> None:
    with pytest.raises(TokenError):
        verify(issue("", "none", exp=NOW))


def test_an_issuer_may_have_several_keys() -> None:
    old = TokenIssuer(ISSUER, "an older secret of 32 or more bytes")
    verify(issue(exp=NOW), old, PROVIDER)
    verify(issue(exp=NOW), PROVIDER, old)


def test_an_issuer_may_have_its_own_audience() -> None:
    verify(issue(exp=NOW, aud="api://chat"), TokenIssuer(ISSUER, SECRET, "api://chat"))


def test_a_token_may_be_signed_with_rsa(key_pair: tuple[str, str]) -> None:
    private, public = key_pair
    provider = TokenIssuer(ISSUER, public)
    verify(issue(private, "RS256", exp=NOW), provider)
    with pytest.raises(TokenError, match="Signature verification failed"):
        verify(issue(new_key_pair()[0], "RS256", exp=NOW), provider)


@pytest.mark.parametrize("before", ["", "\n", "  ", "subject=/CN=provider\n"])
def test_a_public_key_is_no_secret(key_pair: tuple[str, str], before: str) -> None:
    """Everybody knows it, so a token signed HS256 with its text says nothing."""
    forged = jwt.PyJWS(algorithms=[])

    class Text(jwt.algorithms.HMACAlgorithm):
        def prepare_key(self, key: str | bytes) -> bytes:
            return key if isinstance(key, bytes) else key.encode()

    forged.register_algorithm("HS256", Text(Text.SHA256))
    payload = jwt.decode(issue(exp=NOW), options={"verify_signature": False})
    public = before + key_pair[1]
    token = forged.encode(json.dumps(payload).encode(), public.encode(), "HS256")
    provider = TokenIssuer(ISSUER, public)
    with pytest.raises(TokenError):
        verify(token, provider)
    verify(issue(key_pair[0], "RS256", exp=NOW), provider)


@pytest.mark.parametrize("key", ["", " \n"])
def test_an_empty_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TokenIssuer(ISSUER, key)
    assert str(caught.value) == (
        f"the key of token issuer '{ISSUER}' is empty: expected an RSA public key in PEM, or a secret"
    )


def test_a_key_that_cannot_be_read_is_refused(key_pair: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no RSA public key in PEM"):
        TokenIssuer(ISSUER, "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----")


def test_a_key_of_another_kind_is_refused(key_pair: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no RSA public key in PEM"):
        TokenIssuer(ISSUER, new_key_pair("EC")[1])


def test_without_cryptography_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt.algorithms, "get_default_algorithms", dict)
    with pytest.raises(ConfigurationError, match=r'pip install "webpubsub\[identity\]"'):
        TokenIssuer(ISSUER, "-----BEGIN PUBLIC KEY-----\n(without cryptography)")


def test_the_key_is_not_shown() -> None:
    assert repr(PROVIDER) == f"TokenIssuer(issuer='{ISSUER}', key=..., audience='{AUDIENCE}')"


@given(st.text())
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        verify(token)
