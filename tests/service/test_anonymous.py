"""Clients without a token: service spec, section B.5; client spec, section 1.2."""

from __future__ import annotations

from typing import Any

import pytest

from kit.service_peers import CHAT, KEY, NOW, Handler, admit, serve, token
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import EventRefused, TokenError
from webpubsub.model.events import ConnectEventRequest, ConnectEventResponse
from webpubsub.model.names import GroupName, HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.service.protocols.handshake import ClientRequest
from webpubsub.service.service import Service
from webpubsub.service.settings import EventHandlerSettings, HubSettings, ServiceSettings


def service(handler: Handler, **hub_settings: Any) -> Service:
    webhook = EventHandlerSettings("http://x", system_events=("connect",))
    hub = HubSettings((webhook,), **hub_settings)
    return serve(ServiceSettings(access_keys=(KEY,), hubs={CHAT: hub}), handler)


def request(client_token: str | None = None, hub: str = "chat") -> ClientRequest:
    return ClientRequest(
        hub=HubName(hub),
        key=b"",
        token=client_token,
        audiences=(f"http://localhost:8080/client/hubs/{hub}",),
        subprotocols=(),
        query={"room": ["a"]},
        headers=(),
    )


async def test_an_allowed_client_is_nobody_in_particular() -> None:
    handler = Handler()
    connection, groups = await admit(service(handler, anonymous_connect_policy="allow"), request())
    assert (connection.user_id, groups) == (None, ())
    assert not connection.permissions.allow(WebPubSubPermission.SEND_TO_GROUP, GroupName("a"))
    (event,) = handler.events
    assert isinstance(event, ConnectEventRequest)
    assert (event.claims, event.query, event.connection_context.user_id) == ({}, {"room": ["a"]}, None)


async def test_the_connect_handler_says_who_it_is() -> None:
    response = ConnectEventResponse(
        user_id="guest-7", groups=["lobby"], roles=["webpubsub.sendToGroups.lobby*"]
    )
    handler = Handler(connect=EventAnswer(response))
    connection, groups = await admit(service(handler, anonymous_connect_policy="allow"), request())
    assert (connection.user_id, groups) == ("guest-7", ("lobby",))
    assert connection.permissions.allow(WebPubSubPermission.SEND_TO_GROUP, GroupName("lobby2"))


async def test_the_connect_handler_may_refuse_it() -> None:
    handler = Handler(connect=EventRefused(403, "members only"))
    with pytest.raises(EventRefused) as refused:
        await admit(service(handler, anonymous_connect_policy="allow"), request())
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("policy", "hub"), [({}, "chat"), ({"anonymous_connect_policy": "deny"}, "chat"), ({}, "other")]
)
async def test_anybody_else_needs_a_token(policy: dict[str, Any], hub: str) -> None:
    handler = Handler()
    with pytest.raises(TokenError, match="the client has no access token"):
        await admit(service(handler, **policy), request(hub=hub))
    assert handler.events == []


async def test_one_hub_may_allow_what_another_does_not() -> None:
    found = service(Handler(), anonymous_connect_policy="allow")
    with pytest.raises(TokenError):
        await admit(found, request(hub="other"))


@pytest.mark.parametrize("client_token", ["junk", token(exp=NOW - 301), token(key="another key" * 3)])
async def test_a_wrong_token_is_not_the_same_as_none(client_token: str) -> None:
    with pytest.raises(TokenError):
        await admit(service(Handler(), anonymous_connect_policy="allow"), request(client_token))


async def test_a_token_still_counts() -> None:
    found = service(Handler(), anonymous_connect_policy="allow")
    connection, groups = await admit(found, request(token(sub="alice", webpubsub_group="a")))
    assert (connection.user_id, groups) == ("alice", ("a",))
