"""Sends over REST: who gets a message, how long it is of use, and what goes with it: service spec, A.3, C."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.rest_peers import Api
from kit.service_peers import CHAT, connection, turns
from webpubsub.model.actions import SendToGroupAction

SENDS = ["/:send", "/groups/room/:send", "/users/alice/:send"]


pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
async def api() -> Api:
    found = Api()
    await turns()
    found.got(found.alice)
    return found


async def send(api: Api, target: str, **headers: Any) -> int:
    answer = await api.call("POST", target, b"hi", content_type="text/plain", **headers)
    return answer.status


# --- filters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SENDS)
@pytest.mark.parametrize(
    ("query", "j1", "r1"),
    [
        ("filter=", 1, 1),
        ("filter=userId%20eq%20%27alice%27", 1, 1),
        ("filter=userId+ne+'alice'", 0, 0),
        ("filter=connectionId eq 'j1'", 1, 0),
        ("filter='room' in groups", 1, 1),
        ("filter='vip' in groups", 0, 0),
        ("filter=userId in ('alice','bob')&messageTtlSeconds=300", 1, 1),
    ],
)
async def test_a_filter_chooses_who_gets_a_message(api: Api, path: str, query: str, j1: int, r1: int) -> None:
    assert await send(api, f"{path}?{query}") == 202
    assert (len(api.got(api.alice)), len(api.got(api.raw))) == (j1, r1)


@pytest.mark.parametrize("path", SENDS)
@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("true and " * 1000 + "true", "1000 clauses (filters.maxClauses)"),
        ("true" + " " * 65_533, "65536 bytes (filters.maxBytes)"),
    ],
)
async def test_a_filter_over_a_limit_is_refused_with_its_name(
    api: Api, path: str, text: str, limit: str
) -> None:
    answer = await api.call("POST", f"{path}?filter={text}", content_length="junk")
    assert answer.error == (400, "Error.BadRequest", "filter")
    assert limit in answer.body.decode()


@pytest.mark.parametrize("path", SENDS[:2])
async def test_the_excluded_get_nothing_whatever_the_filter_says(api: Api, path: str) -> None:
    assert await send(api, f"{path}?filter=userId eq 'alice'&excluded=j1") == 202
    assert (len(api.got(api.alice)), len(api.got(api.raw))) == (0, 1)


async def test_a_filter_by_user_or_group_looks_no_further(api: Api) -> None:
    bob = api.open(connection("b", "bob"), "other")
    await turns()
    api.got(bob)
    assert await send(api, "/:send?filter='other' in groups or userId eq 'alice'") == 202
    assert await send(api, "/:send?filter='other' in groups") == 202
    assert await send(api, "/:send?filter=userId eq 'bob'") == 202
    assert await send(api, "/:send?filter=userId eq 'bob' and 'room' in groups") == 202
    assert (len(api.got(bob)), len(api.got(api.alice))) == (3, 1)


@pytest.mark.parametrize("path", SENDS)
@pytest.mark.parametrize("text", ["%20", "userId", "userId lt 'a'", "foo eq 1", "any(groups)", "(" * 200])
async def test_what_is_no_filter_is_refused_before_the_body_is_read(api: Api, path: str, text: str) -> None:
    answer = await api.call("POST", f"{path}?filter={text}", content_length="junk", content_type="junk")
    assert answer.error == (400, "Error.BadRequest", "filter")
    assert api.received == 0
    assert api.got(api.alice) == []


async def test_a_connection_is_sent_to_without_a_filter(api: Api) -> None:
    assert await send(api, "/connections/j1/:send?filter=userId lt 'a'") == 202
    assert len(api.got(api.alice)) == 1


# --- how long a message is of use ---------------------------------------------------------------------


@pytest.mark.parametrize("path", [*SENDS, "/connections/j1/:send"])
@pytest.mark.parametrize(("seconds", "expected"), [("0", 0), ("1", 1), ("300", 300), ("007", 7)])
async def test_a_message_is_told_how_long_it_lives(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, seconds: str, expected: int
) -> None:
    delivered: list[Any] = []
    monkeypatch.setattr(api.service.deliveries[CHAT], "deliver", delivered.append)
    assert await send(api, f"{path}?messageTtlSeconds={seconds}") == 202
    assert {effect.ttl_seconds for effect in delivered} == {expected}


@pytest.mark.parametrize(
    "seconds", ["-1", "301", "1.5", "", "x", "%2B5", "1e2", "٣", "9" * 5000, "1&messageTtlSeconds=1"]
)
async def test_another_lifetime_is_refused(api: Api, seconds: str) -> None:
    answer = await api.call("POST", f"/:send?messageTtlSeconds={seconds}", content_length="junk")
    assert answer.error == (400, "Error.BadRequest", "messageTtlSeconds")


# --- metadata -----------------------------------------------------------------------------------------


def metadata(**values: str) -> dict[str, str]:
    return {f"x-webpubsub-metadata-{name}": value for name, value in values.items()}


@pytest.mark.feature("metadata")
@pytest.mark.parametrize("path", [*SENDS, "/connections/j1/:send"])
async def test_metadata_goes_with_the_message(api: Api, path: str) -> None:
    assert await send(api, path, **metadata(Trace="1", lang="a, b")) == 202
    [(_, message)] = api.got(api.alice)
    assert json.loads(message)["metadata"] == {"trace": "1", "lang": "b"}


@pytest.mark.parametrize(
    "more",
    [
        [(b"x-webpubsub-metadata-", b"x")],
        [(b"x-webpubsub-metadata-a b", b"x")],
        [(b"x-webpubsub-metadata-" + b"n" * 257, b"x")],
        [(b"x-webpubsub-metadata-n", b"x" * 1025)],
        [(b"x-webpubsub-metadata-n", b"\xc3\xa9")],
        [(b"x-webpubsub-metadata-%d" % number, b"x" * 1024) for number in range(8)],
    ],
)
async def test_metadata_outside_its_rules_is_refused(api: Api, more: Any) -> None:
    answer = await api.call("POST", "/:send", b"hi", content_type="text/plain", more=more)
    assert answer.error == (400, "Error.BadRequest", "metadata")
    assert api.received == 0
    assert api.got(api.alice) == []


async def test_what_is_no_message_has_no_metadata(api: Api) -> None:
    more = [(b"x-webpubsub-metadata-a b", b"x")]
    assert (await api.call("PUT", "/users/alice/groups/g", more=more)).status == 200


# --- where Azure and its emulator disagree ------------------------------------------------------------


@pytest.mark.feature("send to a missing connection")
@pytest.mark.parametrize(("found", "status"), [("j1", 202), ("gone", 404)])
async def test_a_missing_connection_may_be_told_of(found: str, status: int) -> None:
    api = Api(missing_connection_send=404)
    await turns()
    api.got(api.alice)
    answer = await api.call("POST", f"/connections/{found}/:send", b"hi", content_type="text/plain")
    assert answer.status == status
    if status == 404:
        assert answer.error == (404, "Warning.Connection.NotExisted", "Connection")
    assert len(api.got(api.alice)) == (status == 202)


@pytest.mark.feature("slashes in names")
@pytest.mark.parametrize(
    ("decode", "user"), [(True, "a/b"), (False, "a%2Fb")], ids=["a slash", "the characters %2F"]
)
async def test_an_encoded_slash_is_a_slash_or_stays(decode: bool, user: str) -> None:
    api = Api(decode_slash_in_segments=decode)
    named = api.open(connection("n", user))
    await turns()
    api.got(named)
    assert await send(api, "/users/a%2Fb/:send") == 202
    assert len(api.got(named)) == 1
    # what is encoded twice is never decoded twice
    assert await send(api, "/users/a%252Fb/:send") == 202
    assert len(api.got(named)) == (user == "a%2Fb")


async def test_a_body_without_a_length_may_be_taken() -> None:
    api = Api(require_content_length=False)
    await turns()
    chunked: dict[str, Any] = {"content_type": "text/plain", "content_length": None}
    assert (await api.call("POST", "/:send", [b"h", b"i"], **chunked)).status == 202
    half = b"x" * 524_288
    assert (await api.call("POST", "/:send", [half, half], **chunked)).status == 202
    for body in ([half, half, b"x"], [half + half + b"x"]):
        answer = await api.call("POST", "/:send", body, **chunked)
        assert answer.error == (400, "Error.BadRequest", "Content-Length")


async def test_the_action_of_a_send_has_all_it_was_sent_with(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed: list[Any] = []
    monkeypatch.setattr(api.service, "perform", lambda hub, value, _: performed.append((hub, value)))
    query = "messageTtlSeconds=5&filter=userId eq 'a'&excluded=x&excluded=y&api-version=2021-10-01"
    assert await send(api, f"/groups/g/:send?{query}", **metadata(k="v")) == 202
    action = SendToGroupAction(
        "g", "hi", None, ["x", "y"], "userId eq 'a'", message_ttl_seconds=5, metadata={"k": "v"}
    )
    assert performed == [("chat", action)]
