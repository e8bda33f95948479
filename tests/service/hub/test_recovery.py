"""Reconnection tokens, and connections that wait: client spec, sections 4.3 and 4.4."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kit.service_peers import KEY, NOW, SECOND_KEY, token
from webpubsub.model.errors import TokenError
from webpubsub.model.names import ConnectionId
from webpubsub.service.hub.recovery import check_reconnection_token, reconnection_token

C1 = ConnectionId("c1")
WEEK = 7 * 24 * 3600


def claims(of: str) -> Any:
    body = of.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_token_is_for_one_connection_and_a_week() -> None:
    found = claims(reconnection_token(C1, KEY, now=NOW))
    assert len(found.pop("jti")) == 32
    assert found == {
        "iss": "https://webpubsub.azure.com",
        "aud": "c1",
        "iat": 1_700_000_000,
        "exp": 1_700_000_000 + WEEK,
    }


def test_each_token_is_another() -> None:
    assert reconnection_token(C1, KEY, now=NOW) != reconnection_token(C1, KEY, now=NOW)


@pytest.mark.parametrize("key", [KEY, SECOND_KEY])
def test_either_key_may_have_signed(key: str) -> None:
    found = reconnection_token(C1, key, now=NOW)
    check_reconnection_token(found, "c1", (KEY, SECOND_KEY), now=NOW + WEEK - 1)


def made(audience: str = "c1", **given: Any) -> str:
    return token(audience, **{"iss": "https://webpubsub.azure.com", **given})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("", "cannot be read"),
        ("junk", "cannot be read"),
        (made(key="another key of thirty-two characters"), "signed with another key"),
        (made("c2"), "does not let recover this connection"),
        (made(iss="https://elsewhere"), "does not let recover this connection"),
        (token("c1"), "does not let recover this connection"),
        (made(exp=NOW), "expired"),  # to the second: no grace for clocks, as it is our own clock
        (made(exp=None), "expired"),
        (made(exp="soon"), "expired"),
    ],
)
def test_any_other_token_is_refused(found: str, words: str) -> None:
    with pytest.raises(TokenError, match=words):
        check_reconnection_token(found, "c1", (KEY, SECOND_KEY), now=NOW)
