"""The fast lane of the REST API: what it takes, and what it leaves to ASGI.

That both answer alike is what `test_api` and its neighbours show, which ask by both ways.
"""

from __future__ import annotations

from functools import partial

import pytest

from kit.rest_peers import HOST, Api
from kit.service_peers import token
from webpubsub.model.http import HttpAnswer

SEND = "/api/hubs/chat/groups/room/:send"
LENGTH = (b"content-length", b"2")


def head(path: str, bearer: str | None = None) -> list[tuple[bytes, bytes]]:
    found = token(f"http://{HOST}{path}") if bearer is None else bearer
    return [(b"host", HOST.encode()), (b"authorization", f"Bearer {found}".encode()), LENGTH]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SEND),
        ("POST", "/api/hubs/chat/users/nobody/:send"),
        ("PUT", "/api/hubs/chat/users/alice/groups/g"),
        ("DELETE", "/api/hubs/chat/permissions/sendToGroup/connections/j1"),
        ("HEAD", "/api/hubs/chat/groups/nobody"),  # the answer is 404
    ],
)
async def test_it_takes_what_needs_head_and_body_only(method: str, path: str) -> None:
    target = f"{path}?api-version=2024-12-01&targetName=g"
    assert isinstance(Api().app.open(method, target.encode(), head(path)), partial)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/api/hubs/chat/:generateToken"),  # the answer depends on how the service was reached
        ("GET", "/api/hubs/chat/groups/room/connections"),
        ("GET", "/api/health"),
        ("GET", "/client/hubs/chat"),
        ("POST", f"http://{HOST}{SEND}"),
        ("POST", f"{SEND}#x"),
    ],
)
async def test_it_leaves_the_rest_to_asgi(method: str, target: str) -> None:
    api = Api()
    api.traced.clear()
    assert api.app.open(method, target.encode(), head(target.partition("?")[0])) is None
    assert api.traced == []


PLAIN = head(SEND)
FORGED = head(SEND, "forged")
NO_LENGTH = PLAIN[:2]


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("POST", "/api/hubs/chat/nothing", PLAIN, 404),
        ("GET", SEND, PLAIN, 405),
        ("OPTIONS", SEND, PLAIN, 405),
        ("HEAD", "/api/hubs/chat/nothing", PLAIN, 404),
        ("POST", SEND, FORGED, 401),
        ("POST", SEND, [PLAIN[0], LENGTH], 401),
        ("POST", "/api/hubs/chat/:generateToken", FORGED, 401),
        ("POST", f"{SEND}?api-version=1999-01-01", PLAIN, 400),
        ("POST", f"{SEND}?messageTtlSeconds=never", PLAIN, 400),
        ("POST", SEND, NO_LENGTH, 400),
        ("POST", SEND, [*NO_LENGTH, (b"content-length", b"1048577")], 400),
        ("POST", SEND, [*PLAIN, (b"content-type", b"text/html")], 415),
    ],
)
async def test_what_the_head_is_refused_for_waits_for_no_body_by_either_way(
    method: str, target: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    api = Api()
    api.traced.clear()
    answer = api.app.open(method, target.encode(), headers)
    assert isinstance(answer, HttpAnswer)
    path, _, query = target.partition("?")
    by_asgi = await api.ask(
        {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
        },
        [],
    )
    assert api.received == 0
    shown = b"" if method == "HEAD" else answer.body
    assert (answer.status, shown) == (by_asgi.status, by_asgi.body)
    assert answer.status == status
    assert {name.decode(): value.decode() for name, value in answer.headers} == {
        name: value for name, value in by_asgi.headers.items() if name != "content-length"
    }
    by_lane, over_asgi = api.traced
    assert (by_lane.name, by_lane.phase, by_lane.ids, by_lane.detail, str(by_lane.error)) == (
        over_asgi.name,
        over_asgi.phase,
        over_asgi.ids,
        over_asgi.detail,
        str(over_asgi.error),
    )
    assert by_lane.detail == {"method": method, "path": path, "status": status}


async def test_a_target_asked_for_before_is_checked_anew() -> None:
    api = Api()
    assert isinstance(api.app.open("POST", SEND.encode(), PLAIN), partial)
    assert _status(api.app.open("POST", SEND.encode(), FORGED)) == 401
    assert _status(api.app.open("GET", SEND.encode(), PLAIN)) == 405


async def test_settings_hold_for_targets_asked_for_before() -> None:
    api, path = Api(), "/api/hubs/chat/:send"
    target = f"{path}?api-version=2099-01-01".encode()
    assert isinstance(api.app.open("POST", target, head(path)), partial)
    api.service.settings = Api(strict_api_version=True).service.settings
    assert _status(api.app.open("POST", target, head(path))) == 400


def _status(answer: object) -> int:
    assert isinstance(answer, HttpAnswer)
    return answer.status
