"""The chat example, over plain WebSocket clients."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from kit.contract_clients import get_json, hear

pytestmark = pytest.mark.contract


@pytest.fixture(params=[(), ("--in-process",)], ids=["http", "in process"])
def chat_arguments(request: pytest.FixtureRequest) -> tuple[str, ...]:
    arguments: tuple[str, ...] = request.param
    return arguments


async def join(chat: Any, name: str) -> ClientConnection:
    negotiated = await get_json(f"{chat.host_url}/api/negotiate?userId={name}")
    return await connect(negotiated["url"])


async def test_the_page_is_served(chat: Any) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{chat.host_url}/api/index") as answer:
        page = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
    assert "<title>Simple chat</title>" in page


async def test_a_client_is_told_where_to_connect(chat: Any) -> None:
    negotiated = await get_json(f"{chat.host_url}/api/negotiate?userId=alice")
    assert set(negotiated) == {"baseUrl", "url", "accessToken"}
    assert negotiated["baseUrl"] == f"ws{chat.service_url.removeprefix('http')}/client/hubs/sample_funcchat"
    assert negotiated["url"] == f"{negotiated['baseUrl']}?access_token={negotiated['accessToken']}"


async def test_two_people_talk(chat: Any) -> None:
    alice = await join(chat, "alice")
    assert await hear(alice, 2) == ["[SYSTEM] alice is connected", "[SYSTEM] alice joined group: group1"]
    bob = await join(chat, "bob")
    arrival = ["[SYSTEM] bob is connected", "[SYSTEM] bob joined group: group1"]
    assert await hear(bob, 2) == arrival
    assert await hear(alice, 2) == arrival

    await alice.send("hello")
    # The acknowledgement is the function's answer, the message its action: their order is not promised.
    assert sorted(await hear(alice, 2)) == ["[From alice] hello", "[SYSTEM] ack, 1 so far"]
    assert await hear(bob) == ["[From alice] hello"]

    await alice.send("日本 \U0001f600")
    assert sorted(await hear(alice, 2)) == ["[From alice] 日本 \U0001f600", "[SYSTEM] ack, 2 so far"]
    assert await hear(bob) == ["[From alice] 日本 \U0001f600"]

    await bob.send("hi")
    assert sorted(await hear(bob, 2)) == ["[From bob] hi", "[SYSTEM] ack, 1 so far"]
    assert await hear(alice) == ["[From bob] hi"]

    await bob.close()
    assert await hear(alice) == ["[SYSTEM] bob is disconnected"]
    await alice.close()


async def test_messages_of_one_client_are_counted_in_order(chat: Any) -> None:
    alice = await join(chat, "alice")
    await hear(alice, 2)
    for number in range(20):
        await alice.send(str(number))
    heard = await hear(alice, 40)
    said = [text for text in heard if str(text).startswith("[From")]
    acknowledged = [text for text in heard if str(text).startswith("[SYSTEM]")]
    assert said == [f"[From alice] {number}" for number in range(20)]
    assert acknowledged == [f"[SYSTEM] ack, {number} so far" for number in range(1, 21)]
    await alice.close()


async def test_a_client_that_vanishes_is_announced(chat: Any) -> None:
    alice, bob = await join(chat, "alice"), await join(chat, "bob")
    await hear(alice, 4)
    bob.transport.abort()
    assert await hear(alice) == ["[SYSTEM] bob is disconnected"]
    await alice.close()


async def test_an_attacker_is_refused_and_nobody_hears_of_it(chat: Any) -> None:
    alice = await join(chat, "alice")
    await hear(alice, 2)
    with pytest.raises(InvalidStatus) as refused:
        await join(chat, "attacker")
    assert refused.value.response.status_code == 401
    await alice.send("still here")
    assert sorted(await hear(alice, 2)) == ["[From alice] still here", "[SYSTEM] ack, 1 so far"]
    await alice.close()
