"""The official service SDK, sync and aio, against ``webpubsub service``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.messaging.webpubsubservice import WebPubSubServiceClient
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient as AioWebPubSubServiceClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from contract_clients import assert_silent, client_url, hear, hear_json, json_client

pytestmark = pytest.mark.contract


class InThreads:
    """A client whose calls block, called as the other one is."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **values: Any) -> Any:
            return await asyncio.to_thread(getattr(self._client, name), *args, **values)

        return call


@pytest.fixture(params=["sync", "aio"])
async def sdk(request: pytest.FixtureRequest, hub: Any) -> AsyncIterator[Any]:
    if request.param == "aio":
        async with AioWebPubSubServiceClient.from_connection_string(
            hub.connection_string, hub=hub.name
        ) as aio:
            yield aio
    else:
        with WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as client:
            yield InThreads(client)


@pytest.mark.parametrize(
    ("message", "content_type", "received"),
    [
        # As bytes, because the aio SDK counts characters for the length of a str and so cuts its end off.
        ("hi é".encode(), "text/plain", "hi é"),
        ("hi", "text/plain; charset=utf-8", "hi"),
        (b"\x00\xff", "application/octet-stream", b"\x00\xff"),
        ({"n": 1.0}, "application/json", '{"n": 1.0}'),
        # The SDK's default content type is JSON, so a str arrives with its quotes.
        ("hi", None, '"hi"'),
        ("é\"'", None, '"\\u00e9\\"\'"'),
    ],
)
async def test_a_message_arrives_as_it_was_sent(
    sdk: Any, hub: Any, message: Any, content_type: str | None, received: str | bytes
) -> None:
    options = {} if content_type is None else {"content_type": content_type}
    async with connect(hub.client_url()) as client:
        await sdk.send_to_all(message, **options)
        assert await hear(client) == [received]


@pytest.mark.parametrize(
    ("message", "content_type", "data_type", "data"),
    [
        ("hi", "text/plain", "text", "hi"),
        ({"a": [1, None]}, "application/json", "json", {"a": [1, None]}),
        (b"\x00\xff", "application/octet-stream", "binary", "AP8="),
    ],
)
async def test_a_client_of_the_json_subprotocol_gets_it_wrapped(
    sdk: Any, hub: Any, message: Any, content_type: str, data_type: str, data: Any
) -> None:
    async with json_client(hub.client_url(groups=["g"])) as (client, _):
        await sdk.send_to_all(message, content_type=content_type)
        expected = {"type": "message", "from": "server", "dataType": data_type, "data": data}
        assert await hear_json(client) == expected
        await sdk.send_to_group("g", message, content_type=content_type)
        assert await hear_json(client) == expected | {"from": "group", "group": "g"}


async def test_messages_reach_those_they_are_for(sdk: Any, hub: Any) -> None:
    text: dict[str, Any] = {"content_type": "text/plain"}
    alice_url = hub.client_url("alice", groups=["g"])
    async with (
        json_client(alice_url) as (_, alice_id),
        connect(hub.client_url("alice")) as alice,
        connect(hub.client_url("bob", groups=["g"])) as bob,
        connect(client_url(hub.connection_string, "other")) as stranger,
    ):
        await sdk.send_to_user("alice", "for alice", **text)
        await sdk.send_to_group("g", "for the group", **text)
        await sdk.send_to_connection(alice_id, "for one", **text)
        await sdk.send_to_all("for all", excluded=[alice_id], **text)
        assert await hear(alice, 2) == ["for alice", "for all"]
        assert await hear(bob, 2) == ["for the group", "for all"]
        async with AioWebPubSubServiceClient.from_connection_string(
            hub.connection_string, hub="other"
        ) as other:
            await other.send_to_all("for others", **text)
        await assert_silent(stranger, "for others")


@pytest.mark.parametrize("name", ["it's!*(x)@,;=:", "a/b c+d%", "日本 é", "a%2Fb", "?q=1&r#x", "a.b;c"])
async def test_names_may_have_any_characters(sdk: Any, hub: Any, name: str) -> None:
    """Also where the SDK's HTTP client encodes the URL in another way than its token says."""
    async with connect(hub.client_url(name, groups=[f"g{name}"])) as client:
        await sdk.send_to_user(f"{name}", "to the user", content_type="text/plain")
        await sdk.send_to_group(f"g{name}", "to the group", content_type="text/plain")
        assert await hear(client, 2) == ["to the user", "to the group"]
        assert await sdk.user_exists(name)
        assert await sdk.group_exists(f"g{name}")


async def test_groups_are_joined_and_left(sdk: Any, hub: Any) -> None:
    text: dict[str, Any] = {"content_type": "text/plain"}
    async with json_client(hub.client_url("alice")) as (client, connection_id):
        assert not await sdk.group_exists("g")
        await sdk.add_connection_to_group("g", connection_id)
        assert await sdk.group_exists("g")
        await sdk.send_to_group("g", "1", **text)
        await sdk.remove_connection_from_group("g", connection_id)
        await sdk.send_to_group("g", "unheard", **text)
        await sdk.add_user_to_group("h", "alice")
        await sdk.send_to_group("h", "2", **text)
        await sdk.remove_user_from_group("h", "alice")
        await sdk.send_to_group("h", "unheard", **text)
        await sdk.add_user_to_group("i", "alice")
        await sdk.remove_user_from_all_groups("alice")
        await sdk.send_to_group("i", "unheard", **text)
        await sdk.send_to_all("3", **text)
        assert [(await hear_json(client))["data"] for _ in range(3)] == ["1", "2", "3"]


async def test_what_exists_is_known(sdk: Any, hub: Any) -> None:
    assert not await sdk.user_exists("alice")
    assert not await sdk.connection_exists("nobody")
    assert not await sdk.group_exists("g")
    url = hub.client_url("alice", groups=["g"])
    async with json_client(url) as (_, connection_id):
        assert await sdk.user_exists("alice")
        assert await sdk.connection_exists(connection_id)
        assert await sdk.group_exists("g")


async def test_a_missing_connection_cannot_be_added_to_a_group(sdk: Any) -> None:
    with pytest.raises(ResourceNotFoundError) as refused:
        await sdk.add_connection_to_group("g", "nobody")
    response: Any = refused.value.response
    assert response.headers["x-ms-error-code"] == "Error.Connection.NotExisted"
    await sdk.remove_connection_from_group("g", "nobody")
    await sdk.close_connection("nobody")


async def test_permissions_are_granted_and_revoked(sdk: Any, hub: Any) -> None:
    join = json.dumps({"type": "joinGroup", "group": "g", "ackId": 1})
    async with json_client(hub.client_url()) as (client, connection_id):
        assert not await sdk.has_permission("joinLeaveGroup", connection_id, target_name="g")
        await client.send(join)
        refused = await hear_json(client)
        assert (refused["success"], refused["error"]["name"]) == (False, "Forbidden")

        await sdk.grant_permission("joinLeaveGroup", connection_id, target_name="g")
        assert await sdk.has_permission("joinLeaveGroup", connection_id, target_name="g")
        assert not await sdk.has_permission("joinLeaveGroup", connection_id, target_name="h")
        assert not await sdk.has_permission("sendToGroup", connection_id, target_name="g")
        await client.send(join)
        assert await hear_json(client) == {"type": "ack", "ackId": 1, "success": True}

        await sdk.revoke_permission("joinLeaveGroup", connection_id, target_name="g")
        assert not await sdk.has_permission("joinLeaveGroup", connection_id, target_name="g")
        with pytest.raises(HttpResponseError) as nameless:
            await sdk.grant_permission("joinLeaveGroup", connection_id)
        assert nameless.value.status_code == 400


async def test_a_closed_client_is_told_why(sdk: Any, hub: Any) -> None:
    url = hub.client_url()
    async with json_client(url) as (client, connection_id), connect(url) as plain:
        await sdk.close_connection(connection_id, reason="bye & thanks")
        assert await hear_json(client) == {
            "type": "system",
            "event": "disconnected",
            "message": "Application server closed the connection. Reason: bye & thanks",
        }
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "")
        await sdk.send_to_all("others stay", content_type="text/plain")
        assert await hear(plain) == ["others stay"]


async def test_whole_groups_and_hubs_are_closed(sdk: Any, hub: Any) -> None:
    in_group = hub.client_url(groups=["g"])
    outside = hub.client_url()
    async with (
        connect(in_group) as member,
        json_client(in_group) as (kept, kept_id),
        connect(outside) as other,
    ):
        await sdk.close_group_connections("g", excluded=[kept_id])
        with pytest.raises(ConnectionClosed):
            await hear(member)
        await sdk.send_to_all("others stay", content_type="text/plain")
        assert await hear(other) == ["others stay"]
        assert (await hear_json(kept))["data"] == "others stay"
        await sdk.close_all_connections(excluded=[kept_id])
        with pytest.raises(ConnectionClosed):
            await hear(other)
        assert await sdk.connection_exists(kept_id)


async def test_the_sdks_client_token_opens_a_connection(sdk: Any, hub: Any) -> None:
    token = await sdk.get_client_access_token(
        user_id="alice", roles=["webpubsub.joinLeaveGroup.g"], groups=["h"], minutes_to_expire=5
    )
    assert token["baseUrl"] == f"ws{hub.service_url.removeprefix('http')}/client/hubs/{hub.name}"
    async with json_client(token["url"]) as (client, _):
        assert await sdk.user_exists("alice")
        assert await sdk.group_exists("h")
        await client.send('{"type":"joinGroup","group":"g","ackId":1}')
        assert await hear_json(client) == {"type": "ack", "ackId": 1, "success": True}


async def test_another_key_opens_nothing(hub: Any) -> None:
    wrong = hub.connection_string.replace("AccessKey=ABC", "AccessKey=XYZ")
    async with AioWebPubSubServiceClient.from_connection_string(wrong, hub=hub.name) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.send_to_all("hi", content_type="text/plain")
        with pytest.raises(InvalidStatus) as refused:
            await connect(client_url(wrong, "chat"))
        assert refused.value.response.status_code == 401


async def test_a_filter_is_refused_rather_than_ignored(sdk: Any, hub: Any) -> None:
    async with connect(hub.client_url("alice")) as client:
        with pytest.raises(HttpResponseError) as refused:
            await sdk.send_to_all("not for alice", content_type="text/plain", filter="userId ne 'alice'")
        assert refused.value.status_code == 501
        await sdk.send_to_all("for all", content_type="text/plain")
        await assert_silent(client, "for all")
