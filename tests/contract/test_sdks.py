"""Every behaviour, with each of Microsoft's SDKs: Python, Python with asyncio, and JavaScript.

A behaviour is driven by the SDK's client and its client of the service together. The marker ``feature``
names the row of a support table in which a test's result belongs, its parameter ``sdk`` the column; a
report (``--junitxml``) has both as properties of each test. What an SDK cannot do is in `LACKING`.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from kit.contract_clients import client_url, hear_json, json_client
from kit.cut_wire import CutWire, cut_wire
from kit.needs import Need, missing
from kit.sdk_event_handler import running_event_handler
from kit.sdk_steps import Client, Driver, Lacking, Refused, Service, running_driver
from webpubsub.model.access.connection_string import ConnectionString

pytestmark = pytest.mark.contract

FOLDER: Final = Path(__file__).parent
SDKS: Final = ("python", "python-aio", "javascript")
ROLES: Final = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
PAYLOADS: Final = ({"text": "hi é"}, {"json": {"a": [1, None, "é"]}}, {"binary": "AP8="})
END: Final = {"text": "end"}
HANDLED: Final = "handled"
LACKING: Final = {
    ("python", "groups by filter"),
    ("python-aio", "groups by filter"),
    ("python", "message TTL"),
    ("python-aio", "message TTL"),
    ("javascript", "close all but some"),
}

Call = Callable[[], Awaitable[Any]]

feature = pytest.mark.feature
both_protocols = pytest.mark.parametrize("protocol", ["json", "json-reliable"])
each_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=["text", "json", "binary"])


class Sdk:
    """An SDK at a hub of its own."""

    def __init__(self, name: str, driver: Driver, hub: Any, protocol: str) -> None:
        self.name, self.driver, self.hub, self.protocol = name, driver, hub, protocol
        self.service = Service(driver)

    async def client(self, name: str | None, *, roles: list[str] = ROLES, **token: Any) -> Client:
        """Connect with a URL that the SDK has made."""
        found = await self.service.get_client_access_token(user_id=name, roles=roles, **token)
        return await self.client_at(found["url"], name)

    async def client_at(self, url: str, name: str | None, *, reconnects: bool = False) -> Client:
        client = Client(self.driver, name or "nobody")
        told = await client.open(url, self.protocol, reconnects=reconnects)
        assert told["user_id"] == name
        return client


@pytest.fixture
def protocol() -> str:
    return "json"


def command_of(name: str, need: Need) -> list[str]:
    """Return the command that runs the driver of an SDK."""
    if name != "javascript":
        return [sys.executable, str(FOLDER / "python_driver.py"), "aio" if name == "python-aio" else "sync"]
    node = need("node", install="apt-get install nodejs npm")
    if not (FOLDER / "node/node_modules/@azure/web-pubsub-client").exists():
        missing("@azure/web-pubsub-client", "scripts/node")
    return [node, str(FOLDER / "node/driver.mjs")]


@pytest.fixture(scope="module")
def driver_of(need: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Driver]]:
    """Start the driver of an SDK, the first time it is asked for."""

    def start(name: str) -> Driver:
        command = command_of(name, need)
        return running.enter_context(running_driver(command, tmp_path_factory.mktemp(name)))

    with ExitStack() as running:
        yield functools.cache(start)


@pytest.fixture(params=SDKS)
async def sdk(
    request: pytest.FixtureRequest, driver_of: Callable[[str], Driver], hub: Any, protocol: str
) -> AsyncIterator[Sdk]:
    row = request.node.get_closest_marker("feature").args[0]
    request.node.user_properties += [("feature", row), ("sdk", request.param)]
    if (request.param, row) in LACKING:
        request.applymarker(pytest.mark.xfail(raises=Lacking, strict=True, reason="the SDK lacks it"))
    driver = driver_of(request.param)
    await driver.perform("serve", connection_string=hub.connection_string, hub=hub.name)
    yield Sdk(request.param, driver, hub, protocol)
    await driver.perform("reset")


@pytest.fixture(scope="module")
def service_arguments() -> Iterator[tuple[str, ...]]:
    with running_event_handler() as url:
        yield ("--event-handler", f"{HANDLED}={url}")


@pytest.fixture
async def wire(hub: Any) -> AsyncIterator[CutWire]:
    async with cut_wire(int(hub.service_url.rsplit(":", 1)[1])) as found:
        yield found


def from_group(payload: dict[str, Any], sender: str | None, group: str = "g") -> dict[str, Any]:
    return {"told": "group-message", "group": group, "from": sender, **payload}


def from_server(payload: dict[str, Any]) -> dict[str, Any]:
    return {"told": "server-message", **payload}


async def ended(client: Client) -> str | None:
    """Check that a client's connection has ended and that it does not connect again; return the message."""
    # In either order, as the sync client calls each listener in a thread of its own.
    told = sorted([await client.next(), await client.next()], key=lambda event: event["told"])
    assert [event["told"] for event in told] == ["disconnected", "stopped"]
    assert told[0]["connection_id"] == client.connection_id
    message: str | None = told[0]["message"]
    return message


# --- clients ------------------------------------------------------------------------------------------


@feature("send to a group")
@both_protocols
@each_payload
async def test_members_of_a_group_hear_each_other(sdk: Sdk, payload: dict[str, Any]) -> None:
    alice, bob = await sdk.client("alice"), await sdk.client("bob")
    for client in (alice, bob):
        await client.join_group(group="g")
    await alice.send_to_group(group="g", payload=payload)
    for client in (alice, bob):
        assert await client.next() == from_group(payload, "alice")


@feature("send without echo")
@both_protocols
async def test_a_sender_may_leave_itself_out(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice", groups=["g"]), await sdk.client("bob", groups=["g"])
    await alice.send_to_group(group="g", payload={"text": "not to me"}, no_echo=True)
    assert await bob.next() == from_group({"text": "not to me"}, "alice")
    await alice.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, "alice")


@feature("send without ack")
@both_protocols
async def test_a_sender_need_not_wait_for_an_ack(sdk: Sdk) -> None:
    alice = await sdk.client("alice", groups=["g"])
    await alice.send_to_group(group="g", payload=END, ack=False)
    assert await alice.next() == from_group(END, "alice")


@feature("join and leave groups")
@both_protocols
async def test_who_has_left_hears_nothing(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    await alice.join_group(group="g")
    assert await sdk.service.group_exists(group="g")
    await alice.leave_group(group="g")
    assert not await sdk.service.group_exists(group="g")
    await alice.send_to_group(group="g", payload={"text": "unheard"})
    await alice.join_group(group="g")
    await alice.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, "alice")


@feature("clients without a user")
@both_protocols
async def test_a_client_need_not_be_a_user(sdk: Sdk) -> None:
    nobody = await sdk.client(None, groups=["g"])
    await nobody.send_to_group(group="g", payload=END)
    assert await nobody.next() == from_group(END, None)
    await sdk.service.send_to_all(payload=END, filter="userId eq null")
    assert await nobody.next() == from_server(END)


@feature("roles")
@both_protocols
async def test_without_the_role_a_group_is_closed(sdk: Sdk) -> None:
    alice = await sdk.client("alice", roles=["webpubsub.joinLeaveGroup.mine", "webpubsub.sendToGroup.mine"])
    for refused in (
        alice.join_group(group="g"),
        alice.leave_group(group="g"),
        alice.send_to_group(group="g", payload=END),
    ):
        with pytest.raises(Refused) as why:
            await refused
        assert why.value.name == "Forbidden"
    await alice.join_group(group="mine")
    await alice.send_to_group(group="mine", payload=END)
    assert await alice.next() == from_group(END, "alice", "mine")


@feature("duplicates")
@both_protocols
async def test_a_request_with_an_ack_id_is_done_once(sdk: Sdk) -> None:
    alice = await sdk.client("alice", groups=["g"])
    for text in ("once", "again"):
        await alice.send_to_group(group="g", payload={"text": text}, ack_id=77)
    assert await alice.next() == from_group({"text": "once"}, "alice")
    await alice.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, "alice")


@feature("send to a group")
@both_protocols
async def test_an_sdk_and_a_plain_client_share_a_group(sdk: Sdk) -> None:
    alice = await sdk.client("alice", groups=["g"])
    async with json_client(sdk.hub.client_url("bob", roles=ROLES, groups=["g"])) as (bob, _):
        await bob.send('{"type":"sendToGroup","group":"g","dataType":"text","data":"from bob","noEcho":true}')
        assert await alice.next() == from_group({"text": "from bob"}, "bob")
        await alice.send_to_group(group="g", payload={"text": "from alice"})
        assert await hear_json(bob) == {
            "type": "message",
            "from": "group",
            "fromUserId": "alice",
            "group": "g",
            "dataType": "text",
            "data": "from alice",
        }


@feature("stop a client")
@both_protocols
async def test_a_client_that_stops_is_gone(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice"), await sdk.client("bob")
    await alice.close()
    assert await ended(alice) is None
    # The JavaScript client closes without a status, and then a reliable connection waits for its client.
    waits = (sdk.name, sdk.protocol) == ("javascript", "json-reliable")
    assert await sdk.service.connection_exists(connection_id=alice.connection_id) == waits
    assert await sdk.service.connection_exists(connection_id=bob.connection_id)


# --- events -------------------------------------------------------------------------------------------


@feature("events")
@both_protocols
@each_payload
async def test_an_event_is_answered_before_its_ack(sdk: Sdk, payload: dict[str, Any]) -> None:
    alice = await sdk.client_at(client_url(sdk.hub.connection_string, HANDLED, "alice"), "alice")
    await alice.send_event(event="echo", payload=payload)
    assert await alice.next() == from_server(payload)


@feature("event without ack")
@both_protocols
async def test_an_event_may_be_raised_without_ack(sdk: Sdk) -> None:
    alice = await sdk.client_at(client_url(sdk.hub.connection_string, HANDLED, "alice"), "alice")
    await alice.send_event(event="echo", payload=END, ack=False)
    assert await alice.next() == from_server(END)


@feature("states")
async def test_the_states_of_a_connection_come_back_with_its_next_event(sdk: Sdk) -> None:
    alice = await sdk.client_at(client_url(sdk.hub.connection_string, HANDLED, "alice"), "alice")
    for number in (1, 2, 3):
        await alice.send_event(event="count", payload={"text": ""})
        assert await alice.next() == from_server({"json": {"count": number}})


@feature("failed events")
@both_protocols
async def test_an_event_that_fails_is_refused_and_the_client_stays(sdk: Sdk) -> None:
    alice = await sdk.client_at(client_url(sdk.hub.connection_string, HANDLED, "alice"), "alice")
    with pytest.raises(Refused) as why:
        await alice.send_event(event="fail", payload=END)
    assert why.value.name == "InternalServerError"
    await alice.send_event(event="echo", payload=END)
    assert await alice.next() == from_server(END)


@feature("failed events")
@both_protocols
async def test_an_event_without_a_handler_fails_and_the_client_stays(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    with pytest.raises(Refused) as why:
        await alice.send_event(event="ask", payload=END)
    assert why.value.name == "InternalServerError"
    await alice.join_group(group="g")


@feature("invocations")
@pytest.mark.xfail(raises=(Refused, Lacking), strict=True, reason="the service does not serve it")
async def test_an_event_is_invoked(sdk: Sdk) -> None:
    alice = await sdk.client_at(client_url(sdk.hub.connection_string, HANDLED, "alice"), "alice")
    assert await alice.invoke_event(event="echo", payload=END) == END


@feature("streams")
@pytest.mark.xfail(raises=(Refused, Lacking), strict=True, reason="the service does not serve it")
async def test_a_group_gets_a_stream(sdk: Sdk) -> None:
    alice = await sdk.client("alice", groups=["g"])
    await alice.stream_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, "alice")


# --- messages of the server ---------------------------------------------------------------------------


@feature("send from the server")
@both_protocols
@each_payload
async def test_the_server_speaks_to_all_a_group_a_user_and_a_connection(
    sdk: Sdk, payload: dict[str, Any]
) -> None:
    alice = await sdk.client("alice", groups=["g"])
    await sdk.service.send_to_all(payload=payload)
    assert await alice.next() == from_server(payload)
    await sdk.service.send_to_group(group="g", payload=payload)
    assert await alice.next() == from_group(payload, None)
    await sdk.service.send_to_user(user_id="alice", payload=payload)
    assert await alice.next() == from_server(payload)
    await sdk.service.send_to_connection(connection_id=alice.connection_id, payload=payload)
    assert await alice.next() == from_server(payload)


@feature("send from the server")
async def test_nobody_needs_to_listen(sdk: Sdk) -> None:
    await sdk.service.send_to_all(payload=END)
    await sdk.service.send_to_group(group="nobody", payload=END)
    await sdk.service.send_to_user(user_id="nobody", payload=END)
    await sdk.service.send_to_connection(connection_id="nobody", payload=END)


@feature("excluded connections")
async def test_the_server_leaves_connections_out(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice", groups=["g"]), await sdk.client("bob", groups=["g"])
    excluded = [bob.connection_id]
    await sdk.service.send_to_all(payload={"text": "1"}, excluded=excluded)
    assert await alice.next() == from_server({"text": "1"})
    await sdk.service.send_to_group(group="g", payload={"text": "2"}, excluded=excluded)
    assert await alice.next() == from_group({"text": "2"}, None)
    await sdk.service.send_to_all(payload=END)
    assert await bob.next() == from_server(END)


@feature("filters")
async def test_the_server_filters_connections(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice", groups=["g"]), await sdk.client("it's bob", groups=["g", "h"])
    await sdk.service.send_to_all(payload={"text": "1"}, filter="userId eq 'it''s bob'")
    assert await bob.next() == from_server({"text": "1"})
    await sdk.service.send_to_group(group="g", payload={"text": "2"}, filter="'h' in groups")
    assert await bob.next() == from_group({"text": "2"}, None)
    await sdk.service.send_to_user(user_id="alice", payload={"text": "3"}, filter="'h' in groups")
    await sdk.service.send_to_user(user_id="alice", payload=END, filter="not('h' in groups)")
    assert await alice.next() == from_server(END)
    with pytest.raises(Refused) as why:
        await sdk.service.send_to_all(payload=END, filter="userId eq")
    assert why.value.status == 400


@feature("message TTL")
async def test_a_message_may_have_a_time_to_live(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    await sdk.service.send_to_all(payload=END, message_ttl_seconds=60)
    assert await alice.next() == from_server(END)
    with pytest.raises(Refused) as why:
        await sdk.service.send_to_all(payload=END, message_ttl_seconds=301)
    assert why.value.status == 400


# --- groups, permissions, connections -----------------------------------------------------------------


@feature("groups of connections")
async def test_the_server_puts_a_connection_into_groups(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    connection: dict[str, Any] = {"connection_id": alice.connection_id}
    for leave in (
        sdk.service.remove_connection_from_all_groups(**connection),
        sdk.service.remove_connection_from_group(group="g", **connection),
    ):
        await sdk.service.add_connection_to_group(group="g", **connection)
        await sdk.service.send_to_group(group="g", payload={"text": "heard"})
        assert await alice.next() == from_group({"text": "heard"}, None)
        await leave
        assert not await sdk.service.group_exists(group="g")
    with pytest.raises(Refused) as why:
        await sdk.service.add_connection_to_group(group="g", connection_id="nobody")
    assert (why.value.status, why.value.name) == (404, "Error.Connection.NotExisted")


@feature("groups of users")
async def test_the_server_puts_a_user_into_groups(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    for leave in (
        sdk.service.remove_user_from_all_groups(user_id="alice"),
        sdk.service.remove_user_from_group(group="g", user_id="alice"),
    ):
        await sdk.service.add_user_to_group(group="g", user_id="alice")
        await sdk.service.send_to_group(group="g", payload={"text": "heard"})
        assert await alice.next() == from_group({"text": "heard"}, None)
        await leave
        assert not await sdk.service.group_exists(group="g")


@feature("groups by filter")
async def test_the_server_puts_filtered_connections_into_groups(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice"), await sdk.client("bob")
    await sdk.service.add_connections_to_groups(groups=["g", "h"], filter="userId eq 'alice'")
    await sdk.service.send_to_group(group="g", payload={"text": "heard"})
    assert await alice.next() == from_group({"text": "heard"}, None)
    await sdk.service.remove_connections_from_groups(groups=["g"], filter="userId ne 'bob'")
    assert not await sdk.service.group_exists(group="g")
    assert await sdk.service.group_exists(group="h")
    await sdk.service.send_to_all(payload=END)
    assert await bob.next() == from_server(END)


@feature("permissions")
async def test_permissions_are_granted_checked_and_revoked(sdk: Sdk) -> None:
    alice = await sdk.client("alice", roles=[], groups=["g"])
    uses: dict[str, Call] = {
        "joinLeaveGroup": lambda: alice.join_group(group="g"),
        "sendToGroup": lambda: alice.send_to_group(group="g", payload=END, no_echo=True),
    }
    for permission, use in uses.items():
        target = {"permission": permission, "connection_id": alice.connection_id, "target_name": "g"}
        assert not await sdk.service.has_permission(**target)
        await sdk.service.grant_permission(**target)
        assert await sdk.service.has_permission(**target)
        assert not await sdk.service.has_permission(**target | {"target_name": "h"})
        await use()
        await sdk.service.revoke_permission(**target)
        assert not await sdk.service.has_permission(**target)
        with pytest.raises(Refused) as why:
            await use()
        assert why.value.name == "Forbidden"


@feature("what exists")
async def test_the_server_knows_what_exists(sdk: Sdk) -> None:
    assert not await sdk.service.user_exists(user_id="alice")
    assert not await sdk.service.group_exists(group="g")
    assert not await sdk.service.connection_exists(connection_id="nobody")
    alice = await sdk.client("alice", groups=["g"])
    assert await sdk.service.user_exists(user_id="alice")
    assert await sdk.service.group_exists(group="g")
    assert await sdk.service.connection_exists(connection_id=alice.connection_id)


@feature("names of any characters")
@pytest.mark.parametrize("name", ["it's!*(x)@,;=:", "a/b c+d%", "日本 é", "a%2Fb", "?q=1&r#x", "a.b;c"])
async def test_names_may_have_any_characters(sdk: Sdk, name: str) -> None:
    alice = await sdk.client(name, groups=[name])
    assert await sdk.service.user_exists(user_id=name)
    assert await sdk.service.group_exists(group=name)
    await sdk.service.send_to_user(user_id=name, payload={"text": "1"})
    assert await alice.next() == from_server({"text": "1"})
    await sdk.service.send_to_group(group=name, payload=END)
    assert await alice.next() == from_group(END, None, name)


@feature("list connections")
async def test_the_connections_of_a_group_are_listed(sdk: Sdk) -> None:
    assert await sdk.service.list_connections(group="g") == []
    clients = [await sdk.client(name, groups=["g"]) for name in ("alice", "bob", "carol")]
    expected = [{"connection_id": client.connection_id, "user_id": client.name} for client in clients]
    await sdk.client("dave")

    def by_user(found: list[dict[str, str]]) -> list[dict[str, str]]:
        return sorted(found, key=lambda member: member["user_id"])

    assert by_user(await sdk.service.list_connections(group="g")) == expected
    assert by_user(await sdk.service.list_connections(group="g", max_page_size=1)) == expected
    top = await sdk.service.list_connections(group="g", top=2)
    assert len(top) == 2
    assert all(member in expected for member in top)


# --- the end of connections ---------------------------------------------------------------------------

REASON: Final = {"reason": "bye & thanks"}
CLOSED: Final = "Application server closed the connection."


@feature("close connections")
@both_protocols
@pytest.mark.parametrize("of", ["connection", "user", "group", "all"])
async def test_the_server_closes_connections(sdk: Sdk, of: str) -> None:
    alice = await sdk.client("alice", groups=["g"])
    closes: dict[str, Call] = {
        "connection": lambda: sdk.service.close_connection(connection_id=alice.connection_id, **REASON),
        "user": lambda: sdk.service.close_user_connections(user_id="alice", **REASON),
        "group": lambda: sdk.service.close_group_connections(group="g", **REASON),
        "all": lambda: sdk.service.close_all_connections(**REASON),
    }
    await closes[of]()
    assert await ended(alice) == f"{CLOSED} Reason: bye & thanks"
    assert not await sdk.service.user_exists(user_id="alice")


@feature("close connections")
async def test_the_server_need_not_say_why_it_closes(sdk: Sdk) -> None:
    alice = await sdk.client("alice")
    await sdk.service.close_connection(connection_id=alice.connection_id)
    assert await ended(alice) == CLOSED


@feature("close all but some")
async def test_the_server_closes_all_but_some(sdk: Sdk) -> None:
    alice, bob = await sdk.client("alice"), await sdk.client("bob")
    await sdk.service.close_all_connections(excluded=[bob.connection_id])
    assert (await alice.next())["told"] == "disconnected"
    await sdk.service.send_to_all(payload=END)
    assert await bob.next() == from_server(END)


# --- wires that break ---------------------------------------------------------------------------------


def through(wire: CutWire, sdk: Sdk, user_id: str, **claims: Any) -> str:
    """A client URL of a hub whose service is reached by ``wire``."""
    key = ConnectionString.parse(sdk.hub.connection_string).access_key
    assert key is not None
    endpoint = f"Endpoint=http://127.0.0.1:{wire.port};AccessKey={key};"
    return client_url(endpoint, sdk.hub.name, user_id, **claims)


@feature("reconnect")
async def test_a_client_connects_anew_and_joins_its_groups_again(sdk: Sdk, wire: CutWire) -> None:
    alice = await sdk.client_at(through(wire, sdk, "alice", roles=ROLES), "alice", reconnects=True)
    first = alice.connection_id
    await alice.join_group(group="g")
    wire.cut()
    wire.mend()
    assert await alice.next() == {"told": "disconnected", "connection_id": first, "message": None}
    await alice.connected()
    assert alice.connection_id != first
    assert not await sdk.service.connection_exists(connection_id=first)
    async with asyncio.timeout(10):
        while not await sdk.service.group_exists(group="g"):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    await sdk.service.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, None)


@feature("rejoining fails")
async def test_a_client_hears_when_it_may_not_join_its_group_again(sdk: Sdk, wire: CutWire) -> None:
    alice = await sdk.client_at(through(wire, sdk, "alice"), "alice", reconnects=True)
    await sdk.service.grant_permission(
        permission="joinLeaveGroup", connection_id=alice.connection_id, target_name="g"
    )
    await alice.join_group(group="g")
    wire.cut()
    wire.mend()
    assert (await alice.next())["told"] == "disconnected"
    told = [await alice.next(), await alice.next()]  # the clients join before, or while, they tell
    assert {"told": "rejoin-group-failed", "group": "g", "error": "Forbidden"} in told
    assert "connected" in [each["told"] for each in told]


@feature("recovery")
@pytest.mark.parametrize("protocol", ["json-reliable"])
async def test_a_reliable_client_misses_nothing(sdk: Sdk, wire: CutWire) -> None:
    alice = await sdk.client_at(through(wire, sdk, "alice", roles=ROLES), "alice", reconnects=True)
    await alice.join_group(group="g")
    await sdk.service.send_to_group(group="g", payload={"json": 0})
    assert await alice.next() == from_group({"json": 0}, None)
    wire.cut()
    for number in (1, 2, 3):
        await sdk.service.send_to_group(group="g", payload={"json": number})
    wire.mend()
    told = [await alice.next() for _ in range(3)]
    told.sort(key=lambda event: event["json"])  # the sync client may mix what comes at once
    assert told == [from_group({"json": number}, None) for number in (1, 2, 3)]
    await alice.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, "alice"), "it was neither told of an end nor of a beginning"
    assert await sdk.service.connection_exists(connection_id=alice.connection_id)


@feature("recovery")
@pytest.mark.parametrize("protocol", ["json-reliable"])
async def test_a_reliable_client_connects_anew_when_it_was_closed_meanwhile(sdk: Sdk, wire: CutWire) -> None:
    alice = await sdk.client_at(through(wire, sdk, "alice", roles=ROLES), "alice", reconnects=True)
    first = alice.connection_id
    wire.cut()
    await sdk.service.close_connection(connection_id=first)
    wire.mend()
    assert (await alice.next())["told"] == "disconnected"
    await alice.connected()
    assert alice.connection_id != first
    await alice.join_group(group="g")
    await sdk.service.send_to_group(group="g", payload=END)
    assert await alice.next() == from_group(END, None)


# --- who may ------------------------------------------------------------------------------------------


@feature("tokens")
async def test_the_sdks_token_says_who_and_how_long(sdk: Sdk) -> None:
    found = await sdk.service.get_client_access_token(
        user_id="alice", roles=["webpubsub.joinLeaveGroup.g"], groups=["h"], minutes_to_expire=5
    )
    websocket_url = sdk.hub.service_url.replace("http", "ws", 1)
    assert found["baseUrl"] == f"{websocket_url}/client/hubs/{sdk.hub.name}"
    assert found["url"] == f"{found['baseUrl']}?access_token={found['token']}"
    claims = json.loads(base64.urlsafe_b64decode(found["token"].split(".")[1] + "=="))
    assert 200 < claims["exp"] - time.time() <= 300
    alice = await sdk.client_at(found["url"], "alice")
    assert await sdk.service.group_exists(group="h")
    await alice.join_group(group="g")
    with pytest.raises(Refused):
        await alice.join_group(group="other")


@feature("wrong keys")
async def test_another_key_opens_nothing(sdk: Sdk) -> None:
    key = ConnectionString.parse(sdk.hub.connection_string).access_key
    assert key is not None
    wrong = sdk.hub.connection_string.replace(key, key[::-1])
    stranger = Service(sdk.driver)
    await stranger.serve(connection_string=wrong, hub=sdk.hub.name)
    with pytest.raises(Refused) as why:
        await stranger.send_to_all(payload=END)
    assert why.value.status == 401
    url = (await stranger.get_client_access_token(user_id="alice"))["url"]
    with pytest.raises(Refused, match="401"):
        await sdk.client_at(url, "alice")
