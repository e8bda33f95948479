"""How many groups a connection may be in, by whichever way it comes into them."""

from __future__ import annotations

import json

import msgspec
import pytest

from kit.rest_peers import VERSIONS, Api
from kit.service_peers import CHAT, JSON_V1, Handler, group, text, token, turns
from kit.service_sockets import Server, upgrade
from webpubsub.model.events import ConnectEventResponse
from webpubsub.model.ports import EventAnswer
from webpubsub.service import service

REFUSED = (
    '{"type":"ack","ackId":%d,"success":false,"error":{"name":"TooManyGroups",'
    '"message":"A connection may be in 3 groups (maxGroupsPerConnection)."}}'
)
VERSION = VERSIONS.rpartition(" ")[2]


def limited(handler: Handler | None = None) -> Server:
    server = Server(handler)
    server.service.settings = msgspec.structs.replace(server.service.settings, max_groups_per_connection=3)
    return server


async def test_a_client_is_told_by_an_ack_and_goes_on() -> None:
    client = await limited().open()  # in the group g
    await client.say(
        *(f'{{"type":"joinGroup","group":"{name}","ackId":{n}}}' for n, name in enumerate("abca", 1)),
        '{"type":"leaveGroup","group":"a","ackId":5}',
        '{"type":"joinGroup","group":"c","ackId":3}',
    )
    success = '{"type":"ack","ackId":%d,"success":true}'
    assert client.socket.frames() == text(
        success % 1, success % 2, REFUSED % 3, success % 4, success % 5, success % 3
    )
    assert set(client.connection.groups) == {"g", "b", "c"}


async def test_a_token_that_names_too_many_is_400() -> None:
    names = ["a", "b", "a", "c"]
    client = await limited().connect(upgrade(token(webpubsub_group=names), Sec_WebSocket_Protocol=JSON_V1))
    assert client.socket.take().startswith(b"HTTP/1.1 101 "), "twice is once"
    client = await limited().connect(upgrade(token(webpubsub_group=[*names, "d"])))
    answer = client.socket.take()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"a connection may be in 3 groups (maxGroupsPerConnection)")


async def test_an_event_handler_that_names_too_many_is_500() -> None:
    answer = EventAnswer(ConnectEventResponse(groups=list("abcd")))
    server = limited(Handler(connect=answer))
    client = await server.connect()
    assert client.socket.take().startswith(b"HTTP/1.1 500 ")
    assert "may be in 3 groups (maxGroupsPerConnection)" in server.traced[-1].detail["reason"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/users/alice/groups/d", b""),
        ("PUT", "/groups/d/connections/j1", b""),
        ("POST", "/:addToGroups", json.dumps({"filter": "userId eq 'alice'", "groups": ["c", "d"]}).encode()),
    ],
)
async def test_rest_is_told_by_409_and_nothing_is_done(method: str, path: str, body: bytes) -> None:
    api = Api(max_groups_per_connection=3)
    for name in "bc":
        api.service.hubs[CHAT].join(api.alice, group(name))
    before = api.groups()
    answer = await api.call(method, f"{path}?api-version={VERSION}", body, content_type="application/json")
    assert answer.error == (409, "Error.Connection.TooManyGroups", "Group")
    assert b"maxGroupsPerConnection" in answer.body
    assert api.groups() == before


async def test_who_ends_leaves_its_groups_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LEAVES", 10)
    server = Server()
    client = await server.open()
    hub = server.service.hubs[CHAT]
    for number in range(25):
        hub.join(client.connection, group(str(number)))
    client.lose()
    assert hub.connections == {}
    assert len(hub.groups) == 16
    await turns(1)
    assert (len(hub.groups), server.handler.names) == (6, ["connect", "connected"])
    await turns()
    assert hub.groups == {}
    assert server.handler.names[-1] == "disconnected"
    server.assert_nothing_is_left()


async def test_who_comes_meanwhile_keeps_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LEAVES", 1)
    server = Server()
    client = await server.open()
    for number in range(5):
        server.service.hubs[CHAT].join(client.connection, group(str(number)))
    client.lose()
    other = await server.open()
    await turns(20)
    assert set(server.service.hubs[CHAT].groups) == {"g"}
    await other.say('{"type":"sendToGroup","group":"g","data":1,"ackId":1}')
    assert len(other.socket.frames()) == 2
