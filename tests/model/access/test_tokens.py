"""Tokens of clients and of REST callers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import (
    audience_matches,
    client_access,
    client_token,
    decode_client_token,
    rest_token,
    verify_rest_token,
)
from webpubsub.model.carried import user_id_problem
from webpubsub.model.errors import TokenError

KEY = "0123456789abcdef0123456789abcdef"
SECOND_KEY = "fedcba9876543210fedcba9876543210"
AUDIENCE = "http://localhost:8080/client/hubs/chat"
NOW = 1_700_000_000.0


def jwt_of(claims: object, key: str = KEY, header: object = None) -> str:
    """A token made by hand, so that nothing is tested against itself."""
    parts = [{"alg": "HS256", "typ": "JWT"} if header is None else header, claims]
    text = ".".join(_base64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims_of(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def decode(token: str, now: float = NOW) -> Any:
    return decode_client_token(token, [KEY, SECOND_KEY], expected=[AUDIENCE], now=now)


def test_a_client_token_says_who_may_do_what() -> None:
    token = client_token(
        AUDIENCE,
        KEY,
        now=NOW,
        expires_after=60,
        user_id="alice",
        roles=["webpubsub.sendToGroup"],
        groups=["g1"],
    )
    assert claims_of(token) == {
        "aud": AUDIENCE,
        "nbf": 1_700_000_000,
        "iat": 1_700_000_000,
        "exp": 1_700_000_060,
        "sub": "alice",
        "role": ["webpubsub.sendToGroup"],
        "webpubsub.group": ["g1"],
    }
    signed, _, signature = token.rpartition(".")
    assert signed.startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")  # {"alg":"HS256","typ":"JWT"}
    assert signature == _base64(hmac.digest(KEY.encode(), signed.encode(), hashlib.sha256))


def test_a_token_lasts_an_hour_and_names_nobody_by_default() -> None:
    assert claims_of(client_token(AUDIENCE, KEY, now=NOW + 0.9)) == {
        "aud": AUDIENCE,
        "nbf": 1_700_000_000,
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }


def test_a_client_token_reads_back() -> None:
    token = client_token(AUDIENCE, KEY, now=NOW, user_id="alice", roles=["r"], groups=["g"])
    found = decode(token)
    assert (found.user_id, found.roles, found.groups) == ("alice", ("r",), ("g",))
    assert found.claims["sub"] == ["alice"]
    assert found.claims["exp"] == ["1700003600"]


@pytest.mark.parametrize(
    ("claims", "user_id", "roles", "groups"),
    [
        ({}, None, (), ()),
        ({"sub": ""}, "", (), ()),
        ({"sub": 5}, "5", (), ()),
        ({"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": "bob"}, "bob", (), ()),
        ({"role": "r1", "webpubsub.group": "g1"}, None, ("r1",), ("g1",)),
        ({"role": ["r1", "r2"], "webpubsub.group": []}, None, ("r1", "r2"), ()),
    ],
)
def test_claims_come_as_one_or_as_a_list(
    claims: dict[str, Any], user_id: str | None, roles: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    found = decode(jwt_of({"aud": AUDIENCE, "exp": NOW + 60, **claims}))
    assert (found.user_id, found.roles, found.groups) == (user_id, roles, groups)


def test_every_claim_is_shown_as_a_list_of_texts() -> None:
    found = decode(jwt_of({"aud": AUDIENCE, "exp": NOW, "vip": True, "tags": ["a", 1], "x": {"y": None}}))
    assert found.claims == {
        "aud": [AUDIENCE],
        "exp": ["1700000000.0"],
        "vip": ["true"],
        "tags": ["a", "1"],
        "x": ['{"y":null}'],
    }


@pytest.mark.parametrize("key", ["k", "short key", "-----BEGIN PUBLIC KEY-----", '{"kty":"oct"}', "é" * 40])
def test_a_key_may_be_any_text(key: str) -> None:
    """Short keys are the owner's choice; a warning at each request would help nobody."""
    token = client_token(AUDIENCE, key, now=NOW, user_id="alice")
    assert decode_client_token(token, [key], expected=[AUDIENCE], now=NOW).user_id == "alice"


def test_either_key_may_have_signed() -> None:
    assert decode(client_token(AUDIENCE, SECOND_KEY, now=NOW, user_id="bob")).user_id == "bob"


FOREVER = {"aud": AUDIENCE, "exp": NOW + 60}


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("", "cannot be read"),
        ("a.b", "cannot be read"),
        ("a.b.c", "cannot be read"),
        ("é.é.é", "cannot be read"),
        ("\ud800", "cannot be read"),
        (jwt_of(FOREVER)[:-2], "another key|cannot be read"),
        (jwt_of(FOREVER, key="someone else's"), "another key"),
        (jwt_of(FOREVER, header={"alg": "none"}), "cannot be read"),
        (jwt_of(FOREVER, header={"alg": "HS512"}), "cannot be read"),
        (jwt_of(FOREVER, header={"typ": "JWT"}), "cannot be read"),
        (jwt_of(FOREVER, header=b"[" * 100_000), "cannot be read"),
        (jwt_of([FOREVER]), "cannot be read"),
        (jwt_of(b"\xff"), "cannot be read"),
        (jwt_of(b"[" * 100_000), "cannot be read"),
        (jwt_of({"aud": AUDIENCE}), "no 'exp'"),
        (jwt_of({"aud": AUDIENCE, "exp": "soon"}), "'exp' is 'soon'"),
        (jwt_of({"aud": AUDIENCE, "exp": True}), "'exp' is True"),
        (jwt_of({"aud": AUDIENCE, "exp": 10**400}), "'exp' is 1000"),
        (jwt_of({"aud": AUDIENCE, "exp": NOW, "nbf": []}), "'nbf' is"),
        (jwt_of({"exp": NOW}), "no audience"),
        (jwt_of({"aud": "http://localhost:8080/client/hubs/other", "exp": NOW}), "hubs/other"),
        (jwt_of({"aud": [5, None], "exp": NOW}), "is for"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(token: str, problem: str) -> None:
    with pytest.raises(TokenError, match=problem) as caught:
        decode(token)
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("claims", "valid"),
    [
        ({"exp": NOW - 299}, True),
        ({"exp": NOW - 300}, False),
        ({"exp": NOW + 60, "nbf": NOW + 300}, True),
        ({"exp": NOW + 600, "nbf": NOW + 301}, False),
    ],
)
def test_clocks_may_differ_by_five_minutes(claims: dict[str, Any], valid: bool) -> None:
    token = jwt_of({"aud": AUDIENCE, **claims})
    if valid:
        decode(token)
    else:
        with pytest.raises(TokenError, match=r"expired|not valid"):
            decode(token)


@pytest.mark.parametrize(
    ("audience", "expected", "matches"),
    [
        ("http://h/api/hubs/chat/:send", "http://h/api/hubs/chat/:send", True),
        ("http://h/api/hubs/chat/:send?api-version=2024-12-01", "http://h/api/hubs/chat/:send", True),
        ("https://h/api/hubs/chat", "http://h/api/hubs/chat", True),
        ("ws://h/client/hubs/chat", "http://h/client/hubs/chat", True),
        ("https://h:443/a", "https://h/a", True),
        ("http://H/a/", "http://h/a", True),
        ("http://h/client/hubs/Chat", "http://h/client/hubs/chat", True),
        ("http://h/users/it%27s%21", "http://h/users/it's!", True),
        ("http://h/users/a%2Fb%20c%2Bd%25", "http://h/users/a%2Fb c+d%25", True),
        ("http://h/a/child", "http://h/a", True),
        ("http://h/ab", "http://h/a", False),
        ("http://h:8081/a", "http://h:8080/a", False),
        ("http://other/a", "http://h/a", False),
        ("http://h/", "http://h/a", False),
        ("ftp://h/a", "http://h/a", False),
        ("h/a", "http://h/a", False),
        ("", "http://h/a", False),
        ("http://h:port/a", "http://h/a", False),
        ("http://[/a", "http://h/a", False),
        ("http://h/a%253Fx", "http://h/a", False),
    ],
)
def test_an_audience_is_compared_by_what_it_means(audience: str, expected: str, matches: bool) -> None:
    assert audience_matches(audience, expected) is matches


def test_a_token_may_be_for_any_of_several_audiences() -> None:
    verify_rest_token(
        jwt_of({"aud": ["http://x/y", AUDIENCE], "exp": NOW}), [KEY], expected=["http://z", AUDIENCE], now=NOW
    )


def test_a_rest_token_is_for_its_url_and_lasts_an_hour() -> None:
    url = "http://localhost:8080/api/hubs/chat/:send?api-version=2024-12-01"
    token = rest_token(url, KEY, now=NOW)
    assert claims_of(token) == {"aud": url, "iat": 1_700_000_000, "exp": 1_700_003_600}
    verify_rest_token(token, [KEY], expected=["http://localhost:8080/api/hubs/chat/:send"], now=NOW)
    with pytest.raises(TokenError):
        verify_rest_token(token, [KEY], expected=["http://localhost:8080/api/hubs/other/:send"], now=NOW)


def test_a_token_known_already_is_checked_anew() -> None:
    url = "http://localhost:8080/api/hubs/chat/:send"
    token = rest_token(url, KEY, now=1000)
    for _ in range(2):
        verify_rest_token(token, [KEY], expected=[url], now=1000)
    for keys, expected, now in [
        (["another key"], url, 1000),
        ([], url, 1000),
        ([KEY], f"{url}x", 1000),
        ([KEY], url, 1000 + 3600 + 300),
    ]:
        with pytest.raises(TokenError):
            verify_rest_token(token, keys, expected=[expected], now=now)


def test_the_official_sdks_rest_token_is_taken() -> None:
    """No ``iat``, no ``nbf``, a minute long, and the whole URL with its query."""
    token = jwt_of({"aud": "http://localhost:8080/api/hubs/h/:send?api-version=2024-12-01", "exp": NOW + 60})
    verify_rest_token(token, [KEY], expected=["http://localhost:8080/api/hubs/h/:send"], now=NOW)


def test_a_client_gets_a_url_with_its_token() -> None:
    connection = ConnectionString("https://a.webpubsub.azure.com", KEY)
    access = client_access(connection, "chat", now=NOW, user_id="alice", roles=["r"], groups=["g"])
    assert access.base_url == "wss://a.webpubsub.azure.com/client/hubs/chat"
    assert access.url == f"wss://a.webpubsub.azure.com/client/hubs/chat?access_token={access.access_token}"
    assert claims_of(access.access_token) == {
        "aud": "https://a.webpubsub.azure.com/client/hubs/chat",
        "nbf": 1_700_000_000,
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
        "sub": "alice",
        "role": ["r"],
        "webpubsub.group": ["g"],
    }


def test_without_a_key_no_client_token_can_be_made() -> None:
    with pytest.raises(TokenError, match="no AccessKey"):
        client_access(ConnectionString("https://a"), "chat", now=NOW)


@given(
    user_id=st.none() | st.text().filter(lambda text: user_id_problem(text) is None),
    roles=st.lists(st.text(alphabet=st.characters(codec="utf-8"))),
)
def test_any_user_and_roles_survive(user_id: str | None, roles: list[str]) -> None:
    found = decode(client_token(AUDIENCE, KEY, now=NOW, user_id=user_id, roles=roles))
    assert (found.user_id, found.roles) == (user_id, tuple(roles))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=10
)


@given(st.text() | st.binary().map(jwt_of))
def test_any_text_is_a_token_or_refused(token: str) -> None:
    with pytest.raises(TokenError):
        decode(token)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("aud", "exp", "nbf", "iat", "sub", "role", "webpubsub.group", "x"), json_values
        ),
    ),
    st.booleans(),
)
def test_any_signed_claims_are_read_or_refused(claims: dict[str, Any], usable: bool) -> None:
    if usable:
        claims = {**claims, "aud": AUDIENCE, "exp": NOW}
    try:
        found = decode(jwt_of(claims))
    except TokenError:
        return
    assert all(isinstance(text, str) for texts in found.claims.values() for text in texts)


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared_as_audiences(audience: str, expected: str) -> None:
    audience_matches(audience, expected)
    audience_matches(f"http://{audience}", f"http://{expected}")
