"""The connections of a group, page by page: service spec, A.6."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.rest_peers import HOST, Answer, Api
from kit.service_peers import CHAT, connection, group
from webpubsub.model.errors import RestError
from webpubsub.model.names import ConnectionId, HubName
from webpubsub.model.rest import ListConnections
from webpubsub.service.rest import connection_pages
from webpubsub.service.rest.connection_pages import Bookmarks, Listed, list_page

LIST = "/groups/big/connections"
BOOKMARKS = Bookmarks(b"k" * 32)


@pytest.fixture
async def api() -> Api:
    found = Api()
    for name in ("h", "D", "b", "d"):
        found.open(connection(name, f"user-{name}" if name != "b" else None), "big")
    return found


def page(answer: Answer) -> tuple[list[str], dict[str, str]]:
    """Who is on a page, and the query of the next one."""
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = json.loads(answer.body)
    assert set(body) == {"value", "nextLink"}
    link = urlsplit(body["nextLink"] or "")
    return [item["connectionId"] for item in body["value"]], dict(parse_qsl(link.query))


async def test_a_list_is_in_the_order_of_no_culture(api: Api) -> None:
    answer = await api.call("GET", LIST)
    assert json.loads(answer.body) == {
        "value": [
            {"connectionId": "b", "userId": None},
            {"connectionId": "d", "userId": "user-d"},
            {"connectionId": "D", "userId": "user-D"},
            {"connectionId": "h", "userId": "user-h"},
        ],
        "nextLink": None,
    }


@pytest.mark.parametrize("target", ["/groups/nobody/connections", "//api/hubs/empty/groups/g/connections"])
async def test_a_missing_group_has_nobody(api: Api, target: str) -> None:
    answer = await api.call("GET", target)
    assert (answer.status, answer.body) == (200, b'{"value":[],"nextLink":null}')


@pytest.mark.feature("list connections")
async def test_pages_follow_one_another(api: Api) -> None:
    names, query = page(await api.call("GET", f"{LIST}?maxpagesize=3&api-version=2021-10-01"))
    assert names == ["b", "d", "D"]
    token = query.pop("continuationToken")
    assert query == {"maxpagesize": "3", "api-version": "2024-12-01"}
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(token) <= 2048
    assert page(await api.call("GET", f"{LIST}?maxpagesize=3&continuationToken={token}")) == (["h"], {})


@pytest.mark.parametrize(
    ("host", "within", "target", "expected"),
    [
        (HOST, {}, LIST, f"http://{HOST}"),
        ("chat.example", {"scheme": "https"}, LIST, "https://chat.example"),
        (HOST, {"root_path": "/wps"}, f"//wps/api/hubs/Chat{LIST}", f"http://{HOST}/wps"),
    ],
)
async def test_the_next_link_is_absolute(
    api: Api, host: str, within: dict[str, Any], target: str, expected: str
) -> None:
    answer = await api.call("GET", f"{target}?maxpagesize=1", host=host, within=within)
    link = json.loads(answer.body)["nextLink"]
    assert link.startswith(f"{expected}/api/hubs/chat/groups/big/connections?maxpagesize=1&")


@pytest.mark.feature("list connections")
async def test_top_counts_over_all_pages(api: Api) -> None:
    names, query = page(await api.call("GET", f"{LIST}?maxpagesize=2&top=3"))
    assert (names, query["top"], query["maxpagesize"]) == (["b", "d"], "1", "2")
    following = f"{LIST}?maxpagesize=2&top=1&continuationToken={query['continuationToken']}"
    assert page(await api.call("GET", following)) == (["D"], {})
    assert page(await api.call("GET", f"{LIST}?top=4")) == (["b", "d", "D", "h"], {})
    assert page(await api.call("GET", f"{LIST}?top=2")) == (["b", "d"], {})
    assert page(await api.call("GET", f"{LIST}?top=2147483647")) == (["b", "d", "D", "h"], {})


async def test_a_page_has_200_at_most(api: Api) -> None:
    for number in range(250):
        api.open(connection(f"n{number:03}"), "big")
    names, query = page(await api.call("GET", LIST))
    assert (len(names), set(query)) == (200, {"continuationToken", "api-version"})
    rest, last = page(await api.call("GET", f"{LIST}?continuationToken={query['continuationToken']}"))
    assert (len(rest), last) == (54, {})


async def test_who_comes_and_goes_shifts_nobody(api: Api) -> None:
    names, query = page(await api.call("GET", f"{LIST}?maxpagesize=2"))
    assert names == ["b", "d"]
    api.service.closed(api.service.hubs[CHAT].connections[ConnectionId("d")], None, "")
    api.open(connection("a"), "big")
    api.open(connection("e"), "big")
    following = f"{LIST}?continuationToken={query['continuationToken']}"
    assert page(await api.call("GET", following)) == (["D", "e", "h"], {})


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("maxpagesize=0", "maxpagesize"),
        ("maxpagesize=201", "maxpagesize"),
        ("maxpagesize=", "maxpagesize"),
        ("maxpagesize=x", "maxpagesize"),
        ("maxpagesize=1&maxpagesize=1", "maxpagesize"),
        ("top=0", "top"),
        ("top=-1", "top"),
        ("top=2147483648", "top"),
        ("top=99999999999999999999", "top"),
        ("top=1&Top=1", "top"),
        ("continuationToken=", "continuationToken"),
        ("continuationToken=junk", "continuationToken"),
        ("continuationToken=%C3%A9", "continuationToken"),
        ("continuationToken=a&continuationToken=a", "continuationToken"),
        (f"continuationToken={'A' * 2049}", "continuationToken"),
    ],
)
async def test_other_parameters_are_refused(api: Api, query: str, target: str) -> None:
    assert (await api.call("GET", f"{LIST}?{query}")).error == (400, "Error.BadRequest", target)


async def test_a_token_is_of_one_list_and_one_process(api: Api) -> None:
    _, query = page(await api.call("GET", f"{LIST}?maxpagesize=1"))
    token = query["continuationToken"]
    changed = ("B" if token[0] == "A" else "A") + token[1:]
    for target in (
        f"{LIST}?continuationToken={changed}",
        f"{LIST}?continuationToken={token}A",
        f"{LIST}?continuationToken={token[:-2]}",
        f"/groups/room/connections?continuationToken={token}",
        f"//api/hubs/other/groups/big/connections?continuationToken={token}",
    ):
        assert (await api.call("GET", target)).error == (400, "Error.BadRequest", "continuationToken")
    other = await Api().call("GET", f"{LIST}?continuationToken={token}")
    assert other.error == (400, "Error.BadRequest", "continuationToken")


async def test_every_page_is_authorised_by_itself(api: Api) -> None:
    _, query = page(await api.call("GET", f"{LIST}?maxpagesize=1"))
    target = f"{LIST}?continuationToken={query['continuationToken']}"
    assert (await api.call("GET", target, authorization=None)).status == 401


# --- without the API ----------------------------------------------------------------------------------

ids = st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=40)


@given(ids, st.integers(1, 10), st.none() | st.integers(1, 60))
def test_the_pages_are_the_list(names: set[str], size: int, top: int | None) -> None:
    members = [connection(name) for name in names]
    question: ListConnections | None = ListConnections("g", size, top)
    pages: list[list[Listed]] = []
    while question is not None:
        found = list_page(CHAT, members, question, BOOKMARKS)
        pages.append(found.value)
        question = found.next
    shown = [item.connection_id for each in pages for item in each]
    whole = [item.connection_id for item in list_page(CHAT, members, ListConnections("g"), BOOKMARKS).value]
    assert set(whole) == names
    assert shown == whole[:top]
    assert all(len(each) == size for each in pages[:-1])


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_bookmark_is_read_back(name: str) -> None:
    token = BOOKMARKS.write(CHAT, group("g"), ConnectionId(name))
    assert BOOKMARKS.read(CHAT, group("g"), token) == name
    with pytest.raises(RestError):
        BOOKMARKS.read(HubName("cha"), group("tg"), token)  # names do not run into each other


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_any_other_bookmark_is_refused(token: str) -> None:
    with pytest.raises(RestError):
        BOOKMARKS.read(CHAT, group("g"), token)


def test_a_list_is_ordered_once_for_all_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    order = connection_pages._order

    def counted(name: ConnectionId) -> tuple[str, str]:
        looked_at.append(name)
        return order(name)

    monkeypatch.setattr(connection_pages, "_order", counted)
    members = [connection(f"{number:05}") for number in range(2000)]
    question, pages = ListConnections("g", 10), 0
    while True:
        found = list_page(CHAT, members, question, BOOKMARKS)
        pages += 1
        if found.next is None:
            break
        question = found.next
    assert pages == 200
    assert len(looked_at) <= len(members) + pages * 12  # each page looks for its start by halves
