"""The official service SDK, sync and aio, against ``webpubsub service``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.messaging.webpubsubservice import WebPubSubServiceClient
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient as AioWebPubSubServiceClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.contract_clients import assert_silent, client_url, hear, hear_json, json_client

pytestmark = pytest.mark.contract


class InThreads:
    """A client whose calls block, called as the other one is."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **values: Any) -> Any:
            return await asyncio.to_thread(getattr(self.client, name), *args, **values)

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


@pytest.mark.feature("simple clients")
@pytest.mark.feature("REST bodies")
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


async def test_a_filter_chooses_who_gets_a_message(sdk: Any, hub: Any) -> None:
    text: dict[str, Any] = {"content_type": "text/plain"}
    async with (
        connect(hub.client_url("alice", groups=["g"])) as alice,
        json_client(hub.client_url("alice")) as (other, other_id),
        connect(hub.client_url("it's bob", groups=["g"])) as bob,
    ):
        await sdk.send_to_all("1", filter="userId ne 'alice'", **text)
        await sdk.send_to_group("g", "2", filter="startswith(userId,'it''s')", excluded=["nobody"], **text)
        await sdk.send_to_user("alice", "3", filter=f"connectionId eq '{other_id}'", **text)
        await sdk.send_to_all("4", **text)
        assert await hear(bob, 3) == ["1", "2", "4"]
        assert await hear(alice) == ["4"]
        assert [(await hear_json(other))["data"] for _ in range(2)] == ["3", "4"]


@pytest.mark.parametrize("method", ["send_to_all", "send_to_group", "send_to_user"])
async def test_what_is_no_filter_raises(sdk: Any, method: str) -> None:
    target = () if method == "send_to_all" else ("name",)
    with pytest.raises(HttpResponseError) as refused:
        await getattr(sdk, method)(*target, "hi", content_type="text/plain", filter="userId lt 1")
    assert refused.value.status_code == 400
    response: Any = refused.value.response
    assert response.headers["x-ms-error-code"] == "Error.BadRequest"
    assert "Type 'string', expect 'int'" in str(refused.value)


@pytest.mark.feature("message TTL")
@pytest.mark.feature("metadata")
async def test_a_message_has_a_lifetime_and_metadata(sdk: Any, hub: Any) -> None:
    """The SDK has no argument for either that works; this is how people pass them."""
    options: dict[str, Any] = {
        "content_type": "text/plain",
        "params": {"messageTtlSeconds": 60},
        "headers": {"X-WebPubSub-Metadata-Trace": "abc"},
    }
    async with json_client(hub.client_url("alice", groups=["g"])) as (client, connection_id):
        await sdk.send_to_all("1", **options)
        await sdk.send_to_group("g", "2", **options)
        await sdk.send_to_user("alice", "3", **options)
        await sdk.send_to_connection(connection_id, "4", **options)
        heard = [await hear_json(client) for _ in range(4)]
        assert [message["data"] for message in heard] == ["1", "2", "3", "4"]
        assert [message["metadata"] for message in heard] == [{"trace": "abc"}] * 4
        with pytest.raises(HttpResponseError) as refused:
            await sdk.send_to_all("5", content_type="text/plain", params={"messageTtlSeconds": 301})
        assert refused.value.status_code == 400


async def test_the_connections_of_a_group_are_listed_page_by_page(sdk: Any, hub: Any) -> None:
    async with contextlib.AsyncExitStack() as clients:
        expected = {}
        for number in range(5):
            user = f"user {number}" if number else None
            client = json_client(hub.client_url(user, groups=["a/b é"]))
            _, connection_id = await clients.enter_async_context(client)
            expected[connection_id] = user
        for options in ({}, {"maxpagesize": 1}, {"maxpagesize": 2}, {"maxpagesize": 5}, {"top": 9}):
            found = await listed(sdk, "a/b é", **options)
            assert [each.connection_id for each in found] == sorted(expected)
            assert {each.connection_id: each.user_id for each in found} == expected
        assert len(await listed(sdk, "a/b é", top=3, maxpagesize=2)) == 3
        assert len(await listed(sdk, "a/b é", top=1)) == 1
    assert await listed(sdk, "nobody") == []
    with pytest.raises(HttpResponseError) as refused:
        await listed(sdk, "g", maxpagesize=201)
    assert refused.value.status_code == 400


async def listed(sdk: Any, group: str, **options: Any) -> list[Any]:
    if isinstance(sdk, InThreads):
        return await asyncio.to_thread(lambda: list(sdk.client.list_connections(group=group, **options)))
    return [each async for each in sdk.list_connections(group=group, **options)]


@pytest.mark.feature("groups of connections")
async def test_a_connection_leaves_all_its_groups(sdk: Any, hub: Any) -> None:
    async with json_client(hub.client_url(groups=["g", "h"])) as (_, connection_id):
        await sdk.remove_connection_from_all_groups(connection_id)
        assert not await sdk.group_exists("g")
        assert not await sdk.group_exists("h")
    await sdk.remove_connection_from_all_groups("nobody")


@pytest.mark.feature("close connections")
async def test_the_connections_of_a_user_are_closed(sdk: Any, hub: Any) -> None:
    url = hub.client_url("alice")
    async with (
        json_client(url) as (client, _),
        json_client(url) as (kept, kept_id),
        connect(hub.client_url("bob")) as bob,
    ):
        await sdk.close_user_connections("alice", excluded=[kept_id], reason="bye")
        told = await hear_json(client)
        assert told["message"] == "Application server closed the connection. Reason: bye"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await sdk.send_to_all("others stay", content_type="text/plain")
        assert (await hear_json(kept))["data"] == "others stay"
        assert await hear(bob) == ["others stay"]
        await sdk.close_user_connections("nobody")


async def test_a_missing_user_cannot_be_added_to_a_group(sdk: Any) -> None:
    with pytest.raises(ResourceNotFoundError):
        await sdk.add_user_to_group("g", "nobody")
    await sdk.remove_user_from_group("g", "nobody")
    await sdk.remove_user_from_all_groups("nobody")
    with pytest.raises(ResourceNotFoundError):
        await sdk.grant_permission("sendToGroup", "nobody", target_name="g")
    await sdk.revoke_permission("sendToGroup", "nobody", target_name="g")


async def test_too_many_permissions_conflict(hub: Any) -> None:
    """Grants beyond 1,000, quick only with several at a time."""
    async with (
        AioWebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as aio,
        json_client(hub.client_url()) as (_, connection_id),
    ):
        grants = [
            aio.grant_permission("sendToGroup", connection_id, target_name=f"g{number}")
            for number in range(1000)
        ]
        await asyncio.gather(*grants)
        with pytest.raises(ResourceExistsError) as refused:
            await aio.grant_permission("sendToGroup", connection_id, target_name="one more")
        assert refused.value.status_code == 409
        assert not await aio.has_permission("sendToGroup", connection_id, target_name="one more")


async def test_an_sdk_newer_than_the_service_works_unless_told_otherwise(
    hub: Any, run_command: Callable[..., AbstractContextManager[Any]]
) -> None:
    newer: dict[str, Any] = {"hub": "chat", "api_version": "2027-01-01"}
    connection_string = hub.connection_string
    async with AioWebPubSubServiceClient.from_connection_string(connection_string, **newer) as aio:
        assert not await aio.user_exists("nobody")
    with run_command("service", "--port", "0", "--strict-api-version") as strict:
        connection_string = strict.connection_string
        async with AioWebPubSubServiceClient.from_connection_string(connection_string, **newer) as aio:
            with pytest.raises(HttpResponseError, match="The specified API version is not supported"):
                await aio.send_to_all("hi", content_type="text/plain")


def test_every_operation_of_the_sdk_is_called_here() -> None:
    public = {name for name in dir(WebPubSubServiceClient) if not name.startswith("_")}
    operations = public - {"close", "from_connection_string", "send_request"}
    text = Path(__file__).read_text(encoding="utf-8")
    called = {name for name in operations if re.search(rf"\b(sdk|client)\.{name}\(", text)}
    assert called == operations
    assert len(operations) == 22
