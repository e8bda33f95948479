"""Who hears of joins and leaves, and when: service spec, sections D.1 and D.8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.service_peers import (
    CHAT,
    JSON_V1,
    KEY,
    Handler,
    admit,
    connection,
    enter,
    group,
    send,
    serve,
    token,
    turns,
)
from kit.webhook_peers import App, Handlers
from kit.webhook_peers import context as context_of
from webpubsub.model import actions
from webpubsub.model.errors import ConfigurationError, EventRefused
from webpubsub.model.events import (
    ConnectEventResponse,
    GroupJoinedEventRequest,
    GroupLeftEventRequest,
    PresenceEventRequest,
    WebPubSubEventType,
)
from webpubsub.model.names import GroupName, HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.hub import Hub
from webpubsub.service.protocols.handshake import ClientRequest
from webpubsub.service.service import Service
from webpubsub.service.settings import EventHandlerSettings, GroupPresenceEvents, HubSettings, ServiceSettings
from webpubsub.service.settings_file import load_settings

BOTH = GroupPresenceEvents(("joined", "left"))


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "filters", "event", "in_group", "taken"),
    [
        (["joined"], None, "joined", "room", True),
        (["joined"], [], "joined", "room", True),  # without filters every group
        (["joined"], None, "left", "room", False),
        (["joined", "left"], None, "left", "room", True),
        ([], None, "joined", "room", False),
        (["joined"], ["room"], "joined", "room", True),
        (["joined"], ["room"], "joined", "room2", False),
        (["joined"], ["Room"], "joined", "room", False),
        (["joined"], ["room*"], "joined", "room", True),
        (["joined"], ["room*"], "joined", "room.2", True),
        (["joined"], ["room*"], "joined", "a room", False),
        (["joined"], ["*"], "joined", "room", True),
        (["joined"], ["*room"], "joined", "a room", False),  # only a star at the end is one
        (["joined"], ["*room"], "joined", "*room", True),
        (["joined"], ["a", "room*"], "joined", "room", True),
    ],
)
def test_which_presence_events_are_taken(
    names: Any, filters: list[str] | None, event: str, in_group: str, taken: bool
) -> None:
    found = msgspec.convert({"eventNames": names, "groupFilters": filters}, GroupPresenceEvents)
    handler = EventHandlerSettings("http://x", group_presence_events=found)
    assert HubSettings((handler,)).presence_handler(event, in_group) is (handler if taken else None)


def test_nobody_hears_of_presence_who_did_not_ask() -> None:
    every_event = EventHandlerSettings("http://x", "*", ("connect", "connected", "disconnected"))
    first = EventHandlerSettings(
        "http://first", group_presence_events=GroupPresenceEvents(("joined",), ("a",))
    )
    second = EventHandlerSettings("http://second", group_presence_events=BOTH)
    hub = HubSettings((every_event, first, second))
    assert hub.presence_handler("joined", "a") is first
    assert hub.presence_handler("joined", "b") is second
    assert hub.presence_handler("left", "a") is second
    assert HubSettings((every_event,)).presence_handler("joined", "a") is None
    assert not second.takes(WebPubSubEventType.USER, "joined")


def test_presence_in_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    presence: dict[str, Any] = {"eventNames": ["left", "joined"], "groupFilters": ["room-*", "lobby"]}
    handler = {"urlTemplate": "http://x", "groupPresenceEvents": presence}
    file.write_text(json.dumps({"hubs": {"Chat": {"eventHandlers": [handler]}}}))
    found = load_settings(file).hubs
    (read,) = found[CHAT].event_handlers
    assert read.group_presence_events == GroupPresenceEvents(("left", "joined"), ("room-*", "lobby"))

    presence["eventNames"] = ["moved"]
    file.write_text(json.dumps({"hubs": {"Chat": {"eventHandlers": [handler]}}}))
    with pytest.raises(ConfigurationError, match="moved"):
        load_settings(file)


# --- the hub ------------------------------------------------------------------------------------------


def test_a_hub_tells_what_has_changed_and_only_that() -> None:
    told: list[tuple[str, str, bool]] = []
    hub = Hub(CHAT, lambda each, name, joined: told.append((each.id, name, joined)))
    alice, bob = connection("a", "alice"), connection("b", "bob")
    hub.add(alice, [group("x"), group("x")])
    hub.add(bob)
    for _ in range(2):
        hub.perform(actions.AddUserToGroupAction("bob", "x"))
        hub.perform(actions.AddConnectionToGroupAction("a", "y"))
    hub.leave(alice, group("z"))
    assert told == [("a", "x", True), ("b", "x", True), ("a", "y", True)]
    told.clear()
    for _ in range(2):
        hub.perform(actions.RemoveConnectionFromGroupAction("a", "y"))
        hub.perform(actions.RemoveUserFromAllGroupsAction("bob"))
    assert told == [("a", "y", False), ("b", "x", False)]
    told.clear()
    hub.perform(actions.AddConnectionsToGroupsAction(("x", "z"), "userId ne null"))
    assert told == [("a", "z", True), ("b", "x", True), ("b", "z", True)]
    told.clear()
    hub.perform(actions.RemoveConnectionsFromGroupsAction(("x", "z"), "userId eq 'bob'"))
    assert told == [("b", "x", False), ("b", "z", False)]
    told.clear()
    assert hub.remove(alice)
    assert sorted(told) == [("a", "x", False), ("a", "z", False)]
    assert not hub.remove(alice)
    assert len(told) == 2


# --- the service --------------------------------------------------------------------------------------


def service(handler: Handler, presence: GroupPresenceEvents | None = BOTH, *system_events: Any) -> Service:
    settings = EventHandlerSettings("http://x", "*", system_events, group_presence_events=presence)
    return serve(ServiceSettings(access_keys=(KEY,), hubs={CHAT: HubSettings((settings,))}), handler)


async def connect(found: Service, *groups: str, hub: str = "chat") -> Connection:
    audience = f"http://localhost:8080/client/hubs/{hub}"
    request = ClientRequest(
        hub=HubName(hub),
        key=b"",
        token=token(audience, sub="alice", role=["webpubsub.joinLeaveGroup"], webpubsub_group=list(groups)),
        audiences=(audience,),
        subprotocols=(JSON_V1,),
        query={},
        headers=(),
    )
    client, joined = await admit(found, request)
    enter(found, client, *joined)
    return client


def told(handler: Handler) -> list[tuple[str, str | None]]:
    events = [
        (
            event.connection_context.event_name,
            event.group if isinstance(event, PresenceEventRequest) else None,
        )
        for event in handler.events
    ]
    handler.events.clear()
    return events  # type: ignore[return-value]


def join(name: str, kind: str = "joinGroup") -> bytes:
    return json.dumps({"type": kind, "group": name}).encode()


async def test_a_clients_life_in_groups() -> None:
    handler = Handler()
    found = service(handler, BOTH, "connected", "disconnected")
    client = await connect(found, "from-token")
    send(found, client, join("by-itself"))
    found.perform(CHAT, actions.AddConnectionToGroupAction(client.id, "by-rest"))
    send(found, client, join("by-itself", "leaveGroup"))
    await turns(20)
    contexts = [event.connection_context for event in handler.events]
    assert [each.event_id for each in contexts] == [1, 2, 3, 4, 5]
    assert {(each.connection_id, each.user_id, each.hub, each.subprotocol) for each in contexts} == {
        (client.id, "alice", "chat", JSON_V1)
    }
    assert {each.event_type for each in contexts} == {"system"}
    assert [type(event) for event in handler.events[3:]] == [GroupJoinedEventRequest, GroupLeftEventRequest]
    assert told(handler) == [
        ("connected", None),
        ("joined", "from-token"),
        ("joined", "by-itself"),
        ("joined", "by-rest"),
        ("left", "by-itself"),
    ]
    found.closed(client, 1000, "bye")
    await turns(20)
    *left, last = told(handler)
    assert sorted(left) == [("left", "by-rest"), ("left", "from-token")]
    assert last == ("disconnected", None)


async def test_groups_of_the_connect_response_are_joined() -> None:
    response = ConnectEventResponse(groups=["a", "b"])
    handler = Handler(connect=EventAnswer(response))
    await connect(service(handler, BOTH, "connect"), "replaced")
    await turns(10)
    assert told(handler) == [("connect", None), ("joined", "a"), ("joined", "b")]


async def test_only_matching_groups_are_told() -> None:
    handler = Handler()
    found = service(handler, GroupPresenceEvents(("left",), ("room-*",)))
    client = await connect(found, "room-1", "lobby")
    send(found, client, join("lobby", "leaveGroup"))
    send(found, client, join("room-1", "leaveGroup"))
    await turns(10)
    assert told(handler) == [("left", "room-1")]
    assert handler.events == []


@pytest.mark.parametrize(("presence", "hub"), [(None, "chat"), (BOTH, "other")])
async def test_without_settings_nothing_is_told(presence: GroupPresenceEvents | None, hub: str) -> None:
    handler = Handler()
    found = service(handler, presence)
    client = await connect(found, "a", hub=hub)
    found.closed(client, 1000, "")
    await turns(10)
    assert handler.events == []
    assert client.next_event_id() == 1  # nor counted


async def test_settings_may_change_while_clients_are_there() -> None:
    handler = Handler()
    found = service(handler, None)
    client = await connect(found, "a")
    found.settings = service(handler, BOTH).settings
    send(found, client, join("b"))
    await turns(10)
    assert told(handler) == [("joined", "b")]


async def test_a_failing_handler_changes_nothing() -> None:
    handler = Handler(joined=EventRefused(500, "no"))
    found = service(handler)
    client = await connect(found, "a")
    send(found, client, join("b"))
    await turns(10)
    assert set(client.groups) == {"a", "b"}
    assert told(handler) == [("joined", "a"), ("joined", "b")]


async def test_the_webhook_of_the_group_gets_it(app: App, handler_of: Handlers) -> None:
    webhook = handler_of(app.url("/every-event"))
    mine = EventHandlerSettings(
        app.url("/{event}?x"), group_presence_events=GroupPresenceEvents(("joined",), ("a*",))
    )
    others = EventHandlerSettings(app.url("/others"), group_presence_events=BOTH)
    hub = HubSettings((*webhook.settings.hub(CHAT).event_handlers, mine, others))
    webhook.settings = ServiceSettings(access_keys=(KEY,), hubs={CHAT: hub})
    for event, name, in_group in (
        (GroupJoinedEventRequest, "joined", "a1"),
        (GroupJoinedEventRequest, "joined", "b"),
        (GroupLeftEventRequest, "left", "a1"),
    ):
        await webhook.handle(event(context_of(name), GroupName(in_group)))
    posted = [request for request in app.requests if request.method == "POST"]
    assert [(request.target, request.headers["ce-type"], request.body) for request in posted] == [
        ("/joined?x", "azure.webpubsub.gp.joined", b'{"group":"a1"}'),
        ("/others", "azure.webpubsub.gp.joined", b'{"group":"b"}'),
        ("/others", "azure.webpubsub.gp.left", b'{"group":"a1"}'),
    ]
