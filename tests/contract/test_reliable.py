"""``json.reliable.webpubsub.azure.v1`` over wires that break: the official client SDK, and plain clients."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from azure.messaging.webpubsubclient import WebPubSubClient
from azure.messaging.webpubsubclient.aio import WebPubSubClient as AioWebPubSubClient
from azure.messaging.webpubsubclient.models import CallbackType, WebPubSubDataType
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kit.contract_clients import SECONDS, client_url, hear, hear_json, json_client
from kit.cut_wire import CutWire, cut_wire
from webpubsub.model.access.connection_string import ConnectionString

pytestmark = pytest.mark.contract

RELIABLE: Any = "json.reliable.webpubsub.azure.v1"
JSON_V1: Any = "json.webpubsub.azure.v1"
SDK = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]


def through(wire: CutWire, hub: Any, user_id: str, **claims: Any) -> str:
    """A client URL of a hub whose service is reached by ``wire``."""
    key = ConnectionString.parse(hub.connection_string).access_key
    return client_url(f"Endpoint=http://127.0.0.1:{wire.port};AccessKey={key};", hub.name, user_id, **claims)


@pytest.fixture
async def wire(hub: Any) -> AsyncIterator[CutWire]:
    async with cut_wire(int(hub.service_url.rsplit(":", 1)[1])) as found:
        yield found


@pytest.fixture
async def rest(hub: Any) -> AsyncIterator[WebPubSubServiceClient]:
    async with WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as client:
        yield client


# --- the SDK --------------------------------------------------------------------------------------------


class Client:
    """Either client of the SDK, with what it has told."""

    def __init__(self, url: str, *, is_aio: bool) -> None:
        self._is_aio = is_aio
        self.told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._client: Any = (AioWebPubSubClient if is_aio else WebPubSubClient)(url)

    async def call(self, name: str, *args: Any, **values: Any) -> Any:
        method = getattr(self._client, name)
        if self._is_aio:
            return await method(*args, **values)
        return await asyncio.to_thread(method, *args, **values)

    async def open(self) -> None:
        for kind in ("CONNECTED", "DISCONNECTED", "GROUP_MESSAGE", "SERVER_MESSAGE"):
            await self.call("subscribe", CallbackType[kind], self._listener(kind))
        await self.call("open")

    def _listener(self, kind: str) -> Callable[..., Any]:
        loop = asyncio.get_running_loop()

        async def listen(event: Any = None) -> None:
            self.told.put_nowait((kind, event))

        def listen_in_thread(event: Any = None) -> None:
            loop.call_soon_threadsafe(self.told.put_nowait, (kind, event))

        return listen if self._is_aio else listen_in_thread

    async def next(self, kind: str) -> Any:
        async with asyncio.timeout(SECONDS):
            found, event = await self.told.get()
        assert found == kind, event
        return event


@pytest.fixture(params=["sync", "aio"])
async def open_client(
    request: pytest.FixtureRequest, wire: CutWire, hub: Any
) -> AsyncIterator[Callable[..., Awaitable[tuple[Client, str]]]]:
    opened: list[Client] = []

    async def open_one(user_id: str) -> tuple[Client, str]:
        client = Client(through(wire, hub, user_id, roles=ROLES), is_aio=request.param == "aio")
        opened.append(client)
        await client.open()
        return client, (await client.next("CONNECTED")).connection_id

    yield open_one
    wire.mend()
    while opened:
        await opened.pop().call("close")
    gc.collect()  # the sync client never closes a socket it has lost: that is told here, see `SDK`


@pytest.mark.feature("reliable")
@pytest.mark.feature("recovery")
@SDK
async def test_the_sdk_misses_nothing_when_the_wire_breaks(
    open_client: Any, wire: CutWire, rest: WebPubSubServiceClient
) -> None:
    alice, connection_id = await open_client("alice")
    await alice.call("join_group", "g")
    await rest.send_to_group("g", {"number": 0})
    assert (await alice.next("GROUP_MESSAGE")).data == {"number": 0}
    for round_number in (1, 2):
        wire.cut()
        for number in range(10):
            await rest.send_to_group("g", {"number": 10 * round_number + number})
        await rest.send_to_user("alice", {"number": "last"})
        assert await rest.connection_exists(connection_id)
        wire.mend()
        numbers = [(await alice.next("GROUP_MESSAGE")).data["number"] for _ in range(10)]
        assert numbers == [10 * round_number + number for number in range(10)]
        assert (await alice.next("SERVER_MESSAGE")).data == {"number": "last"}
    await alice.call("send_to_group", "g", "still a member", WebPubSubDataType.TEXT)
    message = await alice.next("GROUP_MESSAGE")
    assert (message.data, message.from_user_id) == ("still a member", "alice")
    assert alice.told.empty(), "it has neither been disconnected nor connected again"


@SDK
async def test_the_sdk_connects_anew_when_its_connection_was_closed(
    open_client: Any, wire: CutWire, rest: WebPubSubServiceClient
) -> None:
    alice, connection_id = await open_client("alice")
    await alice.call("join_group", "g")
    wire.cut()
    await rest.close_connection(connection_id)
    assert not await rest.connection_exists(connection_id)
    wire.mend()
    await alice.next("DISCONNECTED")
    assert (await alice.next("CONNECTED")).connection_id != connection_id
    assert not await rest.connection_exists(connection_id)


# --- plain clients --------------------------------------------------------------------------------------


async def greeted(client: ClientConnection) -> Any:
    greeting = await hear_json(client)
    assert (greeting["type"], greeting["event"]) == ("system", "connected")
    return greeting


def back(url: str, greeting: Any) -> str:
    """The URL with which a client comes back; the documented form has no access token."""
    token = greeting["reconnectionToken"]
    query = f"awps_connection_id={greeting['connectionId']}&awps_reconnection_token={token}"
    return f"{url.partition('?')[0]}?{query}"


@pytest.mark.feature("recovery")
async def test_a_client_comes_back_before_the_service_knows_that_it_was_gone(
    hub: Any, rest: WebPubSubServiceClient
) -> None:
    url = hub.client_url("alice", roles=ROLES, groups=["g"])
    async with connect(url, subprotocols=[RELIABLE]) as first:
        greeting = await greeted(first)
        await rest.send_to_all("one", content_type="text/plain")
        one = await hear(first)
        async with connect(back(url, greeting), subprotocols=[RELIABLE]) as second:
            assert second.subprotocol == RELIABLE
            assert (await greeted(second))["connectionId"] == greeting["connectionId"]
            assert await hear(second) == one
            with pytest.raises(ConnectionClosed):
                await hear(first)
            await second.send('{"type":"sequenceAck","sequenceId":1}')
            await second.send('{"type":"sendToGroup","group":"g","dataType":"text","data":"two","ackId":1}')
            assert (await hear_json(second))["sequenceId"] == 2
            assert await hear_json(second) == {"type": "ack", "ackId": 1, "success": True}
            second.transport.abort()
        async with connect(back(url, greeting), subprotocols=[RELIABLE]) as third:
            await greeted(third)
            assert (await hear_json(third))["sequenceId"] == 2, "the first was acknowledged"


@pytest.mark.feature("recovery")
async def test_a_recovery_that_is_refused_is_closed_with_1008(hub: Any) -> None:
    url = hub.client_url("alice")
    async with connect(url, subprotocols=[RELIABLE]) as alice:
        greeting = await greeted(alice)
        for changes in ({"reconnectionToken": "x"}, {"connectionId": "0" * 32}):
            async with connect(back(url, greeting | changes), subprotocols=[RELIABLE]) as stranger:
                with pytest.raises(ConnectionClosed) as closed:
                    await hear(stranger)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1008
                assert closed.value.rcvd.reason == "The connection could not be recovered."
        await alice.send('{"type":"ping"}')
        assert await hear_json(alice) == {"type": "pong"}


@pytest.mark.feature("recovery")
async def test_the_recovery_window_is_a_setting(
    tmp_path: Path, run_command: Callable[..., AbstractContextManager[Any]]
) -> None:
    file = tmp_path / "service.json"
    file.write_text('{"reliableRecoveryWindowInSeconds": 0.1}', "utf-8")
    with run_command("service", "--port", "0", "--settings", str(file)) as command:
        url = client_url(command.connection_string, "chat", "alice")
        async with connect(url, subprotocols=[RELIABLE]) as alice:
            connection_id = (await greeted(alice))["connectionId"]
            alice.transport.abort()
        async with (
            WebPubSubServiceClient.from_connection_string(command.connection_string, hub="chat") as rest,
            asyncio.timeout(SECONDS),
        ):
            while await rest.connection_exists(connection_id):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("subprotocol", [RELIABLE, JSON_V1])
async def test_a_client_that_reads_late_gets_everything_in_order(hub: Any, subprotocol: Any) -> None:
    """More than fits into the buffers of both systems, so that the service has to hold it."""
    count, data = 300, "x" * 40_000
    async with (
        connect(hub.client_url("alice", groups=["g"]), subprotocols=[subprotocol], max_queue=1) as alice,
        WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as rest,
    ):
        await hear_json(alice)
        for number in range(count):
            await rest.send_to_group("g", [number, data])  # type: ignore[call-overload]
        assert [(await hear_json(alice))["data"][0] for _ in range(count)] == list(range(count))


async def test_a_client_that_publishes_waits_for_one_that_reads_a_little_late(hub: Any) -> None:
    count, data = 900, "x" * 40_000
    url = hub.client_url("bob", roles=ROLES, groups=["g"])
    async with (
        connect(hub.client_url("alice", groups=["g"]), subprotocols=[JSON_V1], max_queue=1) as alice,
        json_client(url) as (bob, _),
    ):
        await hear_json(alice)

        async def publish() -> None:
            for number in range(count):
                body = {"type": "sendToGroup", "group": "g", "data": [number, data], "ackId": number}
                await bob.send(json.dumps({**body, "noEcho": True}))
            for number in range(count):
                assert (await hear_json(bob))["ackId"] == number

        publishing = asyncio.create_task(publish())
        await asyncio.sleep(1)
        assert not publishing.done()
        assert [(await hear_json(alice))["data"][0] for _ in range(count)] == list(range(count))
        await publishing
