"""Tokens of an identity: asked for once, for all who need one, and again before they expire."""

from __future__ import annotations

import asyncio

import pytest

from kit.identity_peers import Credential
from webpubsub.host.azure.credentials import BearerTokens, Identity
from webpubsub.model.errors import ActionRefused

SCOPE = "https://webpubsub.azure.com/.default"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("now", "expected"), [(0.0, "Bearer a"), (3299.0, "Bearer a"), (3300.0, "Bearer b"), (9999.0, "Bearer b")]
)
async def test_a_token_is_used_until_five_minutes_before_it_expires(now: float, expected: str) -> None:
    clock, credential = Clock(), Credential(["a", "b"], expires_on=3600)
    tokens = BearerTokens("C", credential, clock)
    assert await tokens.authorization() == "Bearer a"
    clock.now = now
    assert await tokens.authorization() == expected
    assert credential.asked == [(SCOPE,)] * (1 if expected == "Bearer a" else 2)


async def test_all_who_come_at_once_share_one_question() -> None:
    credential = Credential(["a"])
    credential.held = asyncio.Event()
    tokens = BearerTokens("C", credential, Clock())
    waiting = [asyncio.create_task(tokens.authorization()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # does not take the others with it
    credential.held.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == ["Bearer a"] * 19
    assert credential.asked == [(SCOPE,)]


async def test_a_failure_is_told_to_all_and_the_next_asks_again() -> None:
    credential = Credential([])
    tokens = BearerTokens("Cloud", credential, Clock())
    found = await asyncio.gather(tokens.authorization(), tokens.authorization(), return_exceptions=True)
    assert [str(error) for error in found] == [
        "the identity of connection 'Cloud' gets no token: the provider is away (status 401)"
    ] * 2
    assert len(credential.asked) == 1
    with pytest.raises(ActionRefused) as caught:
        await tokens.authorization()
    assert len(credential.asked) == 2
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_a_failure_nobody_waits_for_any_more_is_quiet() -> None:
    credential = Credential([])
    credential.held = asyncio.Event()
    tokens = BearerTokens("C", credential, Clock())
    waiting = asyncio.create_task(tokens.authorization())
    await asyncio.sleep(0)
    waiting.cancel()
    credential.held.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert waiting.cancelled()


async def test_a_credential_that_was_given_stays_open() -> None:
    credential = Credential(["a"])
    tokens = BearerTokens("C", credential, Clock())
    await tokens.authorization()
    await tokens.close()
    assert not credential.is_closed


async def test_a_credential_that_was_made_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential(["a"])
    monkeypatch.setattr(Identity, "open", lambda _identity: credential)
    tokens = BearerTokens("C", Identity("DefaultAzureCredential"), Clock())
    await tokens.close()
    assert await tokens.authorization() == "Bearer a"
    await tokens.close()
    assert credential.is_closed


async def test_closing_ends_the_question_under_way() -> None:
    credential = Credential(["a"])
    credential.held = asyncio.Event()
    tokens = BearerTokens("C", credential, Clock())
    waiting = asyncio.create_task(tokens.authorization())
    await asyncio.sleep(0)
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
