"""Changes of many connections over REST: bulk group changes and closes: service spec, A.4 and A.5."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.rest_peers import Api
from kit.service_peers import connection, turns
from webpubsub.service.protocols import SUBPROTOCOLS

ROOM = {"room": {"j1", "r1"}}
CLOSED = "Application server closed the connection."


pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
async def api() -> Api:
    found = Api()
    found.open(connection("b", "bob"), "bobs")
    await turns()
    return found


async def change(api: Api, operation: str, body: Any, content_type: str | None = "application/json") -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.call("POST", f"/:{operation}", raw, content_type=content_type)


@pytest.mark.feature("groups by filter")
@pytest.mark.parametrize(
    ("body", "joined"),
    [
        ({"groups": ["g"]}, {"g": {"j1", "r1", "b"}}),
        ({"groups": ["g"], "filter": None}, {"g": {"j1", "r1", "b"}}),
        ({"groups": ["g"], "filter": ""}, {"g": {"j1", "r1", "b"}}),
        ({"groups": ["g"], "filter": "userId eq 'bob'"}, {"g": {"b"}}),
        ({"groups": ["g", "h", "g"], "filter": "'room' in groups"}, {"g": {"j1", "r1"}, "h": {"j1", "r1"}}),
        ({"groups": ["g"], "filter": "userId eq 'nobody'"}, {}),
        ({"groups": ["g"], "filter": "'nowhere' in groups"}, {}),
        ({"groups": ["g"], "unknown": 1}, {"g": {"j1", "r1", "b"}}),
        # whom the filter selects is known before anybody has joined
        (
            {"groups": ["a", "b"], "filter": "not ('a' in groups) and userId ne 'bob'"},
            {"a": {"j1", "r1"}, "b": {"j1", "r1"}},
        ),
    ],
)
async def test_connections_are_added_to_groups(api: Api, body: Any, joined: dict[str, set[str]]) -> None:
    answer = await change(api, "addToGroups", body)
    assert (answer.status, answer.body) == (200, b"")
    assert api.groups() == ROOM | {"bobs": {"b"}} | joined


@pytest.mark.feature("groups by filter")
@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"groups": ["room"]}, {"bobs": {"b"}}),
        ({"groups": ["room", "bobs", "other"]}, {}),
        ({"groups": ["room"], "filter": "connectionId eq 'r1'"}, {"room": {"j1"}, "bobs": {"b"}}),
        ({"groups": ["room"], "filter": "'room' in groups"}, {"bobs": {"b"}}),
        ({"groups": ["room"], "filter": "userId eq 'bob'"}, ROOM | {"bobs": {"b"}}),
    ],
)
async def test_connections_are_removed_from_groups(api: Api, body: Any, left: dict[str, set[str]]) -> None:
    answer = await change(api, "removeFromGroups", body)
    assert (answer.status, answer.body) == (200, b"")
    assert api.groups() == left


@pytest.mark.parametrize("operation", ["addToGroups", "removeFromGroups"])
@pytest.mark.parametrize(
    ("body", "target"),
    [
        (b"", "Request"),
        (b"{", "Request"),
        (b"[]", "Request"),
        (b"null", "Request"),
        ({}, "groups"),
        ({"groups": None}, "groups"),
        ({"groups": "room"}, "groups"),
        ({"groups": []}, "groups"),
        ({"groups": {"room": 1}}, "groups"),
        ({"groups": ["room", None]}, "groups"),
        ({"groups": ["room", 1]}, "groups"),
        ({"groups": ["room", " "]}, "groups"),
        ({"groups": ["room", ""]}, "groups"),
        ({"groups": ["room", "g" * 1025]}, "groups"),
        ({"groups": ["room"], "filter": " "}, "filter"),
        ({"groups": ["room"], "filter": "userId"}, "filter"),
        ({"groups": ["room"], "filter": 1}, "filter"),
        ({"groups": ["room"], "filter": "true".ljust(65_537)}, "filter"),
        ({"groups": ["room"], "filter": "true and " * 100_000 + "true"}, "filter"),
        ({"groups": ["room"], "filter": "true and " * 1000 + "true"}, "filter"),
    ],
)
async def test_nothing_changes_unless_all_is_right(api: Api, operation: str, body: Any, target: str) -> None:
    before = api.groups()
    answer = await change(api, operation, body)
    assert answer.error == (400, "Error.BadRequest", target)
    assert api.groups() == before


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/octet-stream", "text/json", "application/json; charset=x"],
)
async def test_only_json_is_taken(api: Api, content_type: str | None) -> None:
    answer = await change(api, "addToGroups", {"groups": ["g"]}, content_type)
    assert answer.error == (415, "Error.UnsupportedMediaType", "Request")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-16"])
async def test_json_may_have_a_charset(api: Api, charset: str) -> None:
    body = '{"groups": ["é"]}'.encode(charset)
    assert (await change(api, "addToGroups", body, f"application/json;charset={charset}")).status == 200
    assert "é" in api.groups()


async def test_there_may_be_many_groups(api: Api) -> None:
    names = [f"g{number}" for number in range(1025)]
    answer = await change(api, "addToGroups", {"groups": names, "filter": "userId eq 'bob'"})
    assert answer.status == 200
    assert api.groups() == ROOM | {"bobs": {"b"}} | {name: {"b"} for name in names}


async def test_a_length_need_not_be_told(api: Api) -> None:
    body = [b'{"groups": ', b'["g"]}']
    json_type: dict[str, Any] = {"content_type": "application/json", "content_length": None}
    assert (await api.call("POST", "/:addToGroups", body, **json_type)).status == 200
    assert "g" in api.groups()


async def test_a_body_beyond_all_measure_is_413(api: Api) -> None:
    body = [b" " * 15_000_000] * 2 + [b" "]
    answer = await api.call("POST", "/:addToGroups", body, content_type="application/json")
    assert answer.error == (413, "Error.RequestEntityTooLarge", "Request")


async def test_an_empty_hub_has_nobody_to_add(api: Api) -> None:
    body = b'{"groups": ["g"]}'
    answer = await api.call("POST", "//api/hubs/empty/:addToGroups", body, content_type="application/json")
    assert answer.status == 200
    assert set(api.service.hubs) == {"chat"}


async def test_a_connection_leaves_all_its_groups(api: Api) -> None:
    await change(api, "addToGroups", {"groups": ["x", "y"]})
    assert (await api.call("DELETE", "/connections/j1/groups")).status == 204
    assert api.groups() == {"room": {"r1"}, "bobs": {"b"}, "x": {"r1", "b"}, "y": {"r1", "b"}}


@pytest.mark.parametrize(
    ("target", "closed", "text"),
    [
        ("/users/alice/:closeConnections", ["j1", "r1"], CLOSED),
        ("/users/alice/:closeConnections?excluded=j1&reason=so%20long", ["r1"], f"{CLOSED} Reason: so long"),
        ("/users/alice/:closeConnections?excluded=j1&excluded=r1", [], ""),
        ("/users/nobody/:closeConnections", [], ""),
        ("/groups/room/:closeConnections?excluded=r1", ["j1"], CLOSED),
        ("/groups/nobody/:closeConnections", [], ""),
        ("/:closeConnections?excluded=b&reason=", ["j1", "r1"], CLOSED),
    ],
)
async def test_closes_are_for_those_there_and_tell_why(
    api: Api, target: str, closed: list[str], text: str
) -> None:
    assert (await api.call("POST", target)).status == 204
    assert api.closes == [(name, 1000, text) for name in closed]
    closings = [api.got(each)[-1][1] for each in (api.alice, api.raw) if each.id in closed]
    assert closings == ["\x03\xe8"] * len(closed)  # a close frame has no room for long reasons


async def test_a_client_that_is_away_for_a_moment_is_here(api: Api) -> None:
    """Its connection may be recovered, so it joins, is listed, is permitted things, and is closed."""
    away = api.open(connection("r", "rob", SUBPROTOCOLS["json.reliable.webpubsub.azure.v1"]), "robs")
    await turns()
    assert away.socket is not None
    api.service.gone(away, away.socket)
    assert (await change(api, "addToGroups", {"groups": ["g"], "filter": "userId eq 'rob'"})).status == 200
    assert api.groups()["g"] == {"r"}
    listed = await api.call("GET", "/groups/g/connections")
    assert json.loads(listed.body)["value"] == [{"connectionId": "r", "userId": "rob"}]
    permission = "/permissions/sendToGroup/connections/r?targetName=x"
    assert (await api.call("PUT", permission)).status == 200
    assert (await api.call("HEAD", permission)).status == 200
    assert (await api.call("POST", "/users/rob/:closeConnections")).status == 204
    assert (await api.call("HEAD", "/connections/r")).status == 404
    assert "g" not in api.groups()
