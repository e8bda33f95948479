"""Tokens: what clients connect with, and what callers of the REST API sign requests with.

Both are JWTs signed HS256 with an access key: its UTF-8 text as written. The clock comes in as ``now``,
in seconds since the epoch.

Source: service spec, sections B.1 to B.5.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from webpubsub.model.access.connection_string import ClientProtocol, ConnectionString
from webpubsub.model.access.jws import sign, signed_payload
from webpubsub.model.carried import user_id_problem
from webpubsub.model.errors import InvalidName, TokenError
from webpubsub.model.events import WebPubSubConnection
from webpubsub.model.logs.text import fact
from webpubsub.model.payload import MALFORMED_JSON

CLOCK_SKEW: Final = 300.0
REST_LIFETIME: Final = 3600.0
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_SCHEMES: Final = {"http", "https", "ws", "wss"}
_DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_NAME_IDENTIFIER: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"


class ClientToken(msgspec.Struct, frozen=True):
    """What a client's token says about it.

    Attributes:
        user_id: The user, or None when anonymous; may be empty.
        roles: Role names.
        groups: Groups to join at once.
        content: Every claim as it is written.
    """

    user_id: str | None = None
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    content: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def claims(self) -> Mapping[str, Sequence[str]]:
        """Every claim as a list of strings, as the connect event shows them; made when somebody asks."""
        return {name: texts(value) for name, value in self.content.items()}


def client_token(
    audience: str,
    access_key: str,
    *,
    now: float,
    expires_after: float = 3600.0,
    user_id: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> str:
    """Return a token a client can connect with.

    Args:
        audience: `ConnectionString.client_audience` of the hub.
        access_key: Signs it.
        now: Seconds since the epoch.
        expires_after: Seconds until it is no longer taken.
        user_id: Becomes ``sub``; None connects anonymously.
        roles: Become ``role``.
        groups: Become ``webpubsub.group``.

    Raises:
        InvalidName: ``user_id`` cannot travel in a header, so nobody could connect with the token.
    """
    if user_id and (problem := user_id_problem(user_id)) is not None:
        raise InvalidName("user", user_id, f"what can travel in a header, but {problem}")
    issued = math.floor(now)
    claims: dict[str, Any] = {
        "aud": audience,
        "nbf": issued,
        "iat": issued,
        "exp": math.floor(now + expires_after),
    }
    if user_id is not None:
        claims["sub"] = user_id
    if role_list := list(roles):
        claims["role"] = role_list
    if group_list := list(groups):
        claims["webpubsub.group"] = group_list
    return signed_token(claims, access_key)


def client_access(
    connection: ConnectionString,
    hub: str,
    *,
    now: float,
    expires_after: float = 3600.0,
    user_id: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    protocol: ClientProtocol = ClientProtocol.DEFAULT,
) -> WebPubSubConnection:
    """Return the URL and token of a new client of ``hub``.

    Raises:
        TokenError: The connection string has no access key to sign with.
    """
    if connection.access_key is None:
        raise TokenError(
            f"the connection to {connection.endpoint} has no AccessKey to sign client tokens with"
        )
    token = client_token(
        connection.client_audience(hub, protocol),
        connection.access_key,
        now=now,
        expires_after=expires_after,
        user_id=user_id,
        roles=roles,
        groups=groups,
    )
    url = connection.client_url(hub, protocol)
    return WebPubSubConnection(base_url=url, url=f"{url}?access_token={token}", access_token=token)


def decode_client_token(
    token: str, access_keys: Sequence[str], *, expected: Iterable[str], now: float
) -> ClientToken:
    """Check a client's token and return what it says.

    Args:
        token: The JWT.
        access_keys: Any of them may have signed it.
        expected: URLs of this endpoint as clients may name it; see `audience_matches`.
        now: Seconds since the epoch.

    Raises:
        TokenError: It is malformed, forged, expired, not yet valid, or for another audience, or its user id
            cannot travel in a header.
    """
    claims = _verified_claims(token, access_keys, expected=expected, now=now)
    given = claims.get("sub", claims.get(_NAME_IDENTIFIER))
    user_id = None if given is None else _text(given)
    if user_id and (problem := user_id_problem(user_id)) is not None:
        raise TokenError(f"the token's user id {fact(repr(user_id))} cannot be used: {problem}")
    return ClientToken(
        user_id=user_id,
        roles=tuple(texts(claims.get("role"))),
        groups=tuple(texts(claims.get("webpubsub.group"))),
        content=claims,
    )


def rest_token(url: str, access_key: str, *, now: float) -> str:
    """Return the bearer token for one REST request to ``url``, valid for an hour."""
    claims = {"aud": url, "iat": math.floor(now), "exp": math.floor(now + REST_LIFETIME)}
    return signed_token(claims, access_key)


def verify_rest_token(token: str, access_keys: Sequence[str], *, expected: Iterable[str], now: float) -> None:
    """Check the bearer token of a REST request.

    Raises:
        TokenError: See `decode_client_token`.
    """
    _verified_claims(token, access_keys, expected=expected, now=now)


def audience_matches(audience: str, expected: str) -> bool:
    """Whether a token's audience names the URL ``expected``.

    SDKs put the whole request URL into the audience, each encoding it in its own way, so both sides are
    compared by host (default ports dropped), decoded path without a trailing slash, and no query. A path
    below the expected one is taken too; http, https, ws and wss are interchangeable.
    """
    if audience.partition("?")[0] == expected:  # as most callers write it: spares two URLs that may be new
        return True
    audience_host, audience_path = _normalised(audience)
    expected_host, expected_path = _normalised(expected)
    if audience_host is None or audience_host != expected_host:
        return False
    return audience_path == expected_path or audience_path.startswith(f"{expected_path}/")


@functools.lru_cache(maxsize=256)
def _normalised(url: str) -> tuple[str | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None, ""
    if parts.scheme not in _SCHEMES or not parts.hostname:
        return None, ""
    if port in (None, _DEFAULT_PORTS[parts.scheme]):
        host = parts.hostname
    else:
        host = f"{parts.hostname}:{port}"
    return host, unquote(parts.path).rstrip("/").lower()


_claims: Final = msgspec.json.Decoder(dict[str, Any])


def signed_token(claims: Mapping[str, Any], access_key: str) -> str:
    """Return a token with these claims, signed HS256; `signed_claims` reads it."""
    return sign(msgspec.json.encode(claims), access_key)


class _Signed(msgspec.Struct, frozen=True):
    """What a token says that was signed with a key of ours.

    Attributes:
        claims: All of it.
        audiences: Its ``aud``.
        begins: When it becomes valid, with the grace for clocks.
        ends: When it is no longer valid, likewise.
    """

    claims: Mapping[str, Any]
    audiences: Sequence[str]
    begins: float
    ends: float


def _verified_claims(
    token: str, access_keys: Sequence[str], *, expected: Iterable[str], now: float
) -> Mapping[str, Any]:
    known = _known(token, tuple(access_keys))
    if not known.begins <= now < known.ends:
        check_times(known.claims, now)
    wanted = list(expected)
    for url in wanted:
        for audience in known.audiences:
            if audience_matches(audience, url):
                return known.claims
    raise TokenError(f"the token is for {known.audiences or 'no audience'}: expected {wanted}")


# Callers send one token many times, and what is signed stays signed; a token that is not is never kept.
@functools.lru_cache(maxsize=1024)
def _known(token: str, access_keys: tuple[str, ...]) -> _Signed:
    claims = signed_claims(token, access_keys)
    begins, ends = _validity(claims)
    return _Signed(claims, texts(claims.get("aud")), begins, ends)


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Check ``exp``, which a token must have, and ``nbf``, with five minutes of grace for clocks.

    Raises:
        TokenError: The token expired, is not valid yet, or has something else than times there.
    """
    begins, ends = _validity(claims)
    if ends <= now:
        raise TokenError(f"the token expired {now - ends + CLOCK_SKEW:.0f} seconds ago")
    if begins > now:
        raise TokenError(f"the token is not valid for another {begins + CLOCK_SKEW - now:.0f} seconds")


def _validity(claims: Mapping[str, Any]) -> tuple[float, float]:
    ends, begins = _seconds(claims, "exp"), _seconds(claims, "nbf")
    if ends is None:
        raise TokenError("the token has no 'exp'")
    return float("-inf") if begins is None else begins - CLOCK_SKEW, ends + CLOCK_SKEW


def signed_claims(token: str, access_keys: Sequence[str]) -> dict[str, Any]:
    """Return what a token signed HS256 with one of the keys says.

    Raises:
        TokenError: It is malformed, or signed with another key.
    """
    return claims_of(signed_payload(token, access_keys))


def claims_of(payload: bytes) -> dict[str, Any]:
    """Return the claims in a token's payload.

    Raises:
        TokenError: It is no JSON object.
    """
    try:
        return _claims.decode(payload)
    except MALFORMED_JSON as error:
        raise TokenError(f"the token cannot be read: {error}") from error


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LAST_SECOND:
        raise TokenError(f"the token's '{name}' is {value!r}: expected seconds since the epoch")
    return float(value)


def texts(value: Any) -> list[str]:
    """Return a claim as a list of strings: it may be missing, one value, or several."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [_text(item) for item in items]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
