"""The fast lane of the REST API: what it takes, and what it leaves to ASGI.

That both answer alike is what `test_api` and its neighbours show, which ask by both ways.
"""

from __future__ import annotations

import pytest

from kit.rest_peers import HOST, Api
from kit.service_peers import token

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
    assert Api().app.open(method, target.encode(), head(path)) is not None


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/api/hubs/chat/:generateToken"),  # the answer depends on how the service was reached
        ("GET", "/api/hubs/chat/groups/room/connections"),
        ("GET", "/api/health"),
        ("GET", "/client/hubs/chat"),
        ("POST", f"http://{HOST}{SEND}"),
        ("POST", f"{SEND}#x"),
        ("POST", "/api/hubs/chat/nothing"),
        ("GET", SEND),
        ("POST", f"{SEND}?api-version=1999-01-01"),
    ],
)
async def test_it_leaves_the_rest_to_asgi(method: str, target: str) -> None:
    api = Api()
    api.traced.clear()
    assert api.app.open(method, target.encode(), head(target.partition("?")[0])) is None
    assert api.traced == []


@pytest.mark.parametrize(
    "headers",
    [
        head(SEND, "forged"),
        head(SEND)[:2],
        [*head(SEND)[:2], (b"content-length", b"1048577")],
        [*head(SEND), (b"content-type", b"text/html")],
    ],
    ids=["token", "no length", "length", "media type"],
)
async def test_what_the_head_is_refused_for_does_not_wait_for_the_body(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert Api().app.open("POST", SEND.encode(), headers) is None


async def test_a_target_asked_for_before_is_checked_anew() -> None:
    api = Api()
    assert api.app.open("POST", SEND.encode(), head(SEND)) is not None
    assert api.app.open("POST", SEND.encode(), head(SEND, "forged")) is None
    assert api.app.open("GET", SEND.encode(), head(SEND)) is None


async def test_settings_hold_for_targets_asked_for_before() -> None:
    api, path = Api(), "/api/hubs/chat/:send"
    target = f"{path}?api-version=2099-01-01".encode()
    assert api.app.open("POST", target, head(path)) is not None
    api.service.settings = Api(strict_api_version=True).service.settings
    assert api.app.open("POST", target, head(path)) is None
