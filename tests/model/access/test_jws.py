"""Tokens signed HS256: RFC 7515, sections 3.1, 4.1 and 5.2, and its appendix A.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.access.jws import sign, signed_payload, unverified_payload
from webpubsub.model.errors import TokenError

KEY = "0123456789abcdef0123456789abcdef"
CLAIMS = b'{"aud":"x"}'


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: object, payload: str | None = None, key: str = KEY) -> str:
    text = f"{part(header)}.{part(CLAIMS) if payload is None else payload}"
    return f"{text}.{part(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def test_a_token_is_header_payload_and_signature() -> None:
    token = sign(CLAIMS, KEY)
    assert token == signed(b'{"alg":"HS256","typ":"JWT"}')
    assert signed_payload(token, [KEY]) == CLAIMS


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_was_signed_comes_back(payload: bytes, key: str) -> None:
    token = sign(payload, key)
    assert signed_payload(token, [key]) == unverified_payload(token) == payload


def test_other_software_reads_and_writes_the_same() -> None:
    assert jwt.PyJWS().decode(sign(CLAIMS, KEY), KEY, algorithms=["HS256"]) == CLAIMS
    assert signed_payload(jwt.PyJWS().encode(CLAIMS, KEY, "HS256", {"kid": "1"}), [KEY]) == CLAIMS


def test_any_of_the_keys_may_have_signed() -> None:
    assert signed_payload(sign(CLAIMS, KEY), ["another", KEY]) == CLAIMS
    for keys in (["another"], []):
        with pytest.raises(TokenError, match="the token is signed with another key"):
            signed_payload(sign(CLAIMS, KEY), keys)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "hs256"},
        {"alg": None},
        {"typ": "JWT"},
        {"alg": "HS256", "kid": 1},
        {"alg": "HS256", "crit": ["b64"], "b64": False},
        {"alg": "HS256", "crit": ["exp"]},
        {"alg": "HS256", "crit": None},
        {"alg": "HS256", "b64": False},
        ["HS256"],
        b"",
        b"{",
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_other_headers_are_refused(header: Any) -> None:
    with pytest.raises(TokenError, match="the token cannot be read"):
        signed_payload(signed(header), [KEY])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        f"{sign(CLAIMS, KEY)}.x",
        f"{sign(CLAIMS, KEY)[:-2]}",
        f"{sign(CLAIMS, KEY)[:-1]}+",
        f"{sign(CLAIMS, KEY)[:-1]}!",
        signed({"alg": "HS256"}, "e+A="),
        signed({"alg": "HS256"}, "e A"),
        signed({"alg": "HS256"}, "A"),
        signed({"alg": "HS256"}, "é"),
        "\ud800.\ud800.\ud800",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenError, match="the token cannot be read"):
        signed_payload(token, [KEY])


def test_a_changed_payload_is_not_signed() -> None:
    header, _, signature = sign(CLAIMS, KEY).split(".")
    token = f"{header}.{part({'aud': 'y'})}.{signature}"
    assert unverified_payload(token) == b'{"aud": "y"}'
    with pytest.raises(TokenError, match="the token is signed with another key"):
        signed_payload(token, [KEY])
