"""The official client SDK, sync and aio, with ``json.webpubsub.azure.v1``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from azure.messaging.webpubsubclient import WebPubSubClient
from azure.messaging.webpubsubclient.aio import WebPubSubClient as AioWebPubSubClient
from azure.messaging.webpubsubclient.models import (
    CallbackType,
    SendMessageError,
    WebPubSubDataType,
    WebPubSubProtocolType,
)
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient

from contract_clients import SECONDS, hear_json, json_client

pytestmark = pytest.mark.contract

ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
OPTIONS: dict[str, Any] = {
    "protocol_type": WebPubSubProtocolType.JSON,
    # The sync client misses an ack that arrives before it waits, and then waits this long for nothing.
    "ack_timeout": 1.0,
    "auto_reconnect": False,
    "message_retry_total": 0,
}


class Client:
    """Either client, with the messages it has received."""

    def __init__(self, url: str, *, is_aio: bool) -> None:
        self._is_aio = is_aio
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self._client: Any = (AioWebPubSubClient if is_aio else WebPubSubClient)(url, **OPTIONS)

    async def call(self, name: str, *args: Any, **values: Any) -> Any:
        method = getattr(self._client, name)
        if self._is_aio:
            return await method(*args, **values)
        return await asyncio.to_thread(method, *args, **values)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()

        def from_thread(message: Any) -> None:
            loop.call_soon_threadsafe(self.received.put_nowait, message)

        for kind in (CallbackType.CONNECTED, CallbackType.GROUP_MESSAGE, CallbackType.SERVER_MESSAGE):
            await self.call("subscribe", kind, self.received.put if self._is_aio else from_thread)
        await self.call("open")

    async def next(self) -> Any:
        async with asyncio.timeout(SECONDS):
            return await self.received.get()


@pytest.fixture(params=["sync", "aio"])
async def open_client(
    request: pytest.FixtureRequest, hub: Any
) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    opened: list[Client] = []

    async def open_one(user_id: str, *, roles: list[str] = ROLES) -> Client:
        url = hub.client_url(user_id, roles=roles)
        client = Client(url, is_aio=request.param == "aio")
        opened.append(client)
        await client.open()
        connected = await client.next()
        assert connected.user_id == user_id
        return client

    yield open_one
    for client in opened:
        await client.call("close")


@pytest.mark.parametrize(
    ("content", "data_type", "received"),
    [
        ("hi é", WebPubSubDataType.TEXT, "hi é"),
        ({"a": [1, None]}, WebPubSubDataType.JSON, {"a": [1, None]}),
        (memoryview(b"\x00\xff"), WebPubSubDataType.BINARY, b"\x00\xff"),
    ],
)
async def test_members_of_a_group_hear_each_other(
    open_client: Any, content: Any, data_type: WebPubSubDataType, received: Any
) -> None:
    alice, bob = await open_client("alice"), await open_client("bob")
    for client in (alice, bob):
        await client.call("join_group", "g")
    await alice.call("send_to_group", "g", content, data_type)
    for client in (alice, bob):
        message = await client.next()
        assert (message.group, message.from_user_id, message.data_type) == ("g", "alice", data_type)
        assert (bytes(message.data) if isinstance(received, bytes) else message.data) == received


async def test_a_sender_may_leave_itself_out(open_client: Any) -> None:
    alice, bob = await open_client("alice"), await open_client("bob")
    for client in (alice, bob):
        await client.call("join_group", "g")
    await alice.call("send_to_group", "g", "not to me", WebPubSubDataType.TEXT, no_echo=True)
    await alice.call("send_to_group", "g", "to all", WebPubSubDataType.TEXT)
    assert [(await bob.next()).data for _ in range(2)] == ["not to me", "to all"]
    assert (await alice.next()).data == "to all"


async def test_who_has_left_hears_nothing(open_client: Any) -> None:
    alice, bob = await open_client("alice"), await open_client("bob")
    await bob.call("join_group", "g")
    await alice.call("send_to_group", "g", "one", WebPubSubDataType.TEXT)
    await bob.call("leave_group", "g")
    await alice.call("send_to_group", "g", "two", WebPubSubDataType.TEXT)
    await bob.call("join_group", "g")
    await alice.call("send_to_group", "g", "three", WebPubSubDataType.TEXT, ack=False)
    assert [(await bob.next()).data for _ in range(2)] == ["one", "three"]


async def test_without_the_role_a_group_is_closed(open_client: Any) -> None:
    alice = await open_client("alice", roles=[])
    for name, arguments in (
        ("join_group", ("g",)),
        ("send_to_group", ("g", "hi", WebPubSubDataType.TEXT)),
    ):
        with pytest.raises(SendMessageError) as refused:
            await alice.call(name, *arguments)
        assert refused.value.error_detail is not None
        assert refused.value.error_detail.name == "Forbidden"


async def test_an_event_without_a_handler_fails_and_the_client_stays(open_client: Any) -> None:
    alice = await open_client("alice")
    with pytest.raises(SendMessageError) as refused:
        await alice.call("send_event", "ask", "hi", WebPubSubDataType.TEXT)
    assert refused.value.error_detail is not None
    assert refused.value.error_detail.name == "InternalServerError"
    await alice.call("join_group", "g")


async def test_the_server_speaks_to_a_client(open_client: Any, hub: Any) -> None:
    alice = await open_client("alice")
    async with WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as server:
        await server.send_to_user("alice", "hi", content_type="text/plain")
        await server.send_to_all({"a": 1})
    first, second = await alice.next(), await alice.next()
    assert (first.data_type, first.data) == (WebPubSubDataType.TEXT, "hi")
    assert (second.data_type, second.data) == (WebPubSubDataType.JSON, {"a": 1})


async def test_the_sdk_and_a_plain_client_share_a_group(open_client: Any, hub: Any) -> None:
    alice = await open_client("alice")
    await alice.call("join_group", "g")
    url = hub.client_url("bob", roles=ROLES, groups=["g"])
    async with json_client(url) as (bob, _):
        await bob.send('{"type":"sendToGroup","group":"g","dataType":"text","data":"from bob","noEcho":true}')
        assert (await alice.next()).data == "from bob"
        await alice.call("send_to_group", "g", "from alice", WebPubSubDataType.TEXT)
        assert await hear_json(bob) == {
            "type": "message",
            "from": "group",
            "fromUserId": "alice",
            "group": "g",
            "dataType": "text",
            "data": "from alice",
        }
