"""Filters and permissions by the official service SDK, clients without a token, and presence events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kit.contract_clients import client_url, hear, hear_json, json_client

pytestmark = pytest.mark.contract

TEXT: dict[str, Any] = {"content_type": "text/plain"}


@pytest.fixture
async def sdk(hub: Any) -> AsyncIterator[WebPubSubServiceClient]:
    async with WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name) as client:
        yield client


# --- filters ------------------------------------------------------------------------------------------


@pytest.mark.feature("filters")
async def test_a_filter_chooses_the_receivers(sdk: WebPubSubServiceClient, hub: Any) -> None:
    async with (
        connect(hub.client_url("ann", groups=["g", "vip"])) as ann,
        json_client(hub.client_url("b,'o b", groups=["g"])) as (bob, bob_id),
        connect(hub.client_url()) as nobody,
    ):

        async def received() -> dict[str, list[Any]]:
            """Who has heard what since the last time."""
            await sdk.send_to_all("end", **TEXT)
            heard: dict[str, list[Any]] = {"ann": [], "bob": [], "nobody": []}
            for name, client in (("ann", ann), ("nobody", nobody)):
                while (text := (await hear(client))[0]) != "end":
                    heard[name].append(text)
            while (text := (await hear_json(bob))["data"]) != "end":
                heard["bob"].append(text)
            return heard

        await sdk.send_to_all("1", filter="userId eq null", **TEXT)
        await sdk.send_to_all("2", filter="userId eq 'b,''o b'", **TEXT)
        await sdk.send_to_all("3", filter="not ('vip' in groups) and length(groups) gt 0", **TEXT)
        await sdk.send_to_all("4", filter="protocol eq 'json.webpubsub.azure.v1'", **TEXT)
        await sdk.send_to_all("5", filter=f"connectionId ne '{bob_id}'", **TEXT)
        assert await received() == {"ann": ["5"], "bob": ["2", "3", "4"], "nobody": ["1", "5"]}

        await sdk.send_to_group("g", "6", filter="startswith(toupper(userId),'A')", **TEXT)
        await sdk.send_to_group("g", "7", filter="true", excluded=[bob_id], **TEXT)
        await sdk.send_to_user("ann", "8", filter="'vip' in groups", **TEXT)
        await sdk.send_to_user("ann", "9", filter="not ('vip' in groups)", **TEXT)
        await sdk.send_to_all("10", filter="", **TEXT)
        assert await received() == {"ann": ["6", "7", "8", "10"], "bob": ["10"], "nobody": ["10"]}


@pytest.mark.feature("filters")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "userId lt 1",
            "Invalid syntax for 'userId lt 1': Type 'string', expect 'int'. (Parameter 'filter')",
        ),
        (
            "any(groups)",
            "Invalid syntax for 'any(groups)': Token 'any(groups)' is not supported. (Parameter 'filter')",
        ),
        (" ", "Invalid syntax for ' ': Expression expected at position 1 in ' '. (Parameter 'filter')"),
    ],
)
async def test_a_filter_that_is_none_is_refused(sdk: WebPubSubServiceClient, text: str, problem: str) -> None:
    for send in (
        sdk.send_to_all("hi", filter=text, **TEXT),
        sdk.send_to_group("nobody", "hi", filter=text, **TEXT),
        sdk.send_to_user("nobody", "hi", filter=text, **TEXT),
    ):
        with pytest.raises(HttpResponseError) as refused:
            await send
        assert refused.value.status_code == 400
        response: Any = refused.value.response  # its type has no headers
        assert response.headers["x-ms-error-code"] == "Error.BadRequest"
        found = json.loads(response.text())
        assert (found["code"], found["message"], found["target"]) == ("Error.BadRequest", problem, "filter")


# --- permissions --------------------------------------------------------------------------------------


@pytest.mark.feature("permissions")
@pytest.mark.feature("roles")
async def test_permissions_are_for_the_very_name(sdk: WebPubSubServiceClient, hub: Any) -> None:
    roles = ["webpubsub.sendToGroups.room.*", "webpubsub.joinLeaveGroups.**"]
    async with json_client(hub.client_url("ann", roles=roles)) as (client, connection_id):

        async def has(group: str) -> bool:
            return await sdk.has_permission("sendToGroup", connection_id, target_name=group)

        async def ack(ack_id: int, group: str) -> Any:
            request = {"type": "sendToGroup", "group": group, "ackId": ack_id, "data": "", "dataType": "text"}
            await client.send(json.dumps(request))
            return await hear_json(client)

        assert [await has(name) for name in ("room.a", "room.a.b", "lobby")] == [True, False, False]
        assert (await ack(1, "room.a"))["success"]
        await sdk.revoke_permission("sendToGroup", connection_id, target_name="room.a")
        assert [await has(name) for name in ("room.a", "room.b")] == [False, True]
        assert (await ack(2, "room.a"))["error"]["name"] == "Forbidden"
        await sdk.grant_permission("sendToGroup", connection_id, target_name="lobby")
        await sdk.grant_permission("sendToGroup", connection_id, target_name="*")
        assert [await has(name) for name in ("lobby", "*", "other")] == [True, True, False]
        assert (await ack(3, "lobby"))["success"]


@pytest.mark.feature("limits of permissions")
async def test_a_thousand_rules_are_enough(sdk: WebPubSubServiceClient, hub: Any) -> None:
    roles = [f"webpubsub.joinLeaveGroup.{number}" for number in range(100)]
    async with json_client(hub.client_url("ann", roles=roles)) as (_, connection_id):
        for number in range(100, 1000):
            await sdk.grant_permission("joinLeaveGroup", connection_id, target_name=str(number))
        with pytest.raises(ResourceExistsError) as refused:
            await sdk.grant_permission("joinLeaveGroup", connection_id, target_name="one more")
        assert refused.value.status_code == 409
        assert not await sdk.has_permission("joinLeaveGroup", connection_id, target_name="one more")


# --- a hub with settings of its own -------------------------------------------------------------------


class Webhook:
    """An app with a webhook: notes what it hears, and calls every client without a token a guest."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, str, str | None, Any]] = asyncio.Queue()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers={"WebHook-Allowed-Origin": "*"})
        kind = request.headers["ce-type"].removeprefix("azure.webpubsub.")
        body = json.loads(await request.read())
        self.heard.put_nowait((kind, request.headers["ce-id"], request.headers.get("ce-userId"), body))
        if kind == "sys.connect" and not body["claims"]:
            return web.json_response({"userId": "guest"})
        return web.Response(status=204)

    async def next(self) -> tuple[str, str, str | None, Any]:
        async with asyncio.timeout(10):
            return await self.heard.get()


@pytest.fixture
async def webhook() -> AsyncIterator[tuple[Webhook, str]]:
    found = Webhook()
    runner = web.ServerRunner(web.Server(found.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    yield found, f"http://127.0.0.1:{address[1]}/hook"
    await runner.cleanup()


@pytest.fixture
def service(run_command: Callable[..., Any], webhook: tuple[Webhook, str], tmp_path: Path) -> Iterator[Any]:
    handler = {
        "urlTemplate": webhook[1],
        "systemEvents": ["connect", "connected", "disconnected"],
        "groupPresenceEvents": {"eventNames": ["joined", "left"], "groupFilters": ["room-*"]},
    }
    settings = tmp_path / "service.json"
    settings.write_text(
        json.dumps({"hubs": {"chat": {"anonymousConnectPolicy": "allow", "eventHandlers": [handler]}}})
    )
    with run_command("service", "--port", "0", "--settings", str(settings)) as command:
        yield command


@pytest.mark.feature("anonymous clients")
@pytest.mark.feature("presence events")
async def test_clients_without_a_token_and_groups_they_join(
    service: Any, webhook: tuple[Webhook, str]
) -> None:
    app, _ = webhook
    base = client_url(service.connection_string, "chat").partition("?")[0]
    async with (
        WebPubSubServiceClient.from_connection_string(service.connection_string, hub="chat") as sdk,
        json_client(base) as (_, connection_id),
    ):
        kind, event_id, user, body = await app.next()
        assert (kind, event_id, user, body["claims"]) == ("sys.connect", "0", None, {})
        assert await app.next() == ("sys.connected", "1", "guest", {})
        await sdk.add_connection_to_group("room-1", connection_id)
        assert await app.next() == ("gp.joined", "2", "guest", {"group": "room-1"})
        await sdk.add_user_to_group("lobby", "guest")  # of which nobody wants to hear
        await sdk.add_user_to_group("room-2", "guest")
        assert await app.next() == ("gp.joined", "3", "guest", {"group": "room-2"})
        await sdk.remove_user_from_group("room-2", "guest")
        assert await app.next() == ("gp.left", "4", "guest", {"group": "room-2"})
    assert await app.next() == ("gp.left", "5", "guest", {"group": "room-1"})
    assert (await app.next())[:3] == ("sys.disconnected", "6", "guest")


@pytest.mark.feature("anonymous clients")
async def test_other_hubs_want_a_token(service: Any) -> None:
    base = client_url(service.connection_string, "other").partition("?")[0]
    with pytest.raises(InvalidStatus) as refused:
        await connect(base)
    assert refused.value.response.status_code == 401
