"""What clients may take of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from kit.service_peers import JSON_V1, NOW, RELIABLE_V1, TEXT, Handler, Held, client_frame, token, turns
from kit.service_sockets import Client, Server, closing, upgrade
from kit.virtual_time import VirtualTime
from webpubsub.model.errors import PeerError
from webpubsub.model.events import ConnectEventResponse
from webpubsub.model.ports import EventAnswer
from webpubsub.service.limits import Newcomers, Rate, check_room, metered
from webpubsub.service.protocols.messages import (
    ClientMessage,
    Goodbye,
    Malformed,
    Ping,
    PingFrame,
    SequenceAck,
)
from webpubsub.service.settings import Limits


def limited(server: Server, **limits: Any) -> Server:
    server.service.settings = msgspec.structs.replace(server.service.settings, limits=Limits(**limits))
    return server


def request(user: str | None = "alice", subprotocol: str = JSON_V1) -> Any:
    claims = {} if user is None else {"sub": user}
    return upgrade(token(**claims), Sec_WebSocket_Protocol=subprotocol)


def status(client: Client) -> tuple[int, str]:
    head, _, body = client.socket.take().partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body.decode() if b" 101 " not in head else ""


# --- rates --------------------------------------------------------------------------------------------


def test_a_rate_lets_as_many_through_at_once_and_then_as_time_passes() -> None:
    rate = Rate(10, now=100.0)
    assert [rate.takes(1, 100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [rate.takes(1, 100.25) for _ in range(3)] == [True, True, False]
    assert [rate.takes(1, 160.0) for _ in range(11)] == [True] * 10 + [False]  # nothing is saved up
    assert Rate(10, now=0.0).takes(11, 50.0) is False


def test_connects_are_counted_anew_when_the_limit_changes() -> None:
    newcomers, two = Newcomers(), Limits(connects_per_second=2)
    newcomers.check(two, 0.0)
    newcomers.check(two, 0.0)
    with pytest.raises(PeerError, match=r"more than 2 clients came within a second \(connectsPerSecond\)"):
        newcomers.check(two, 0.1)
    newcomers.check(Limits(connects_per_second=1), 0.1)
    newcomers.check(Limits(), 0.1)
    newcomers.check(two, 0.1)


def test_without_a_limit_there_is_always_room() -> None:
    check_room(Limits(), 1_000_000, 1_000_000)


# --- who may come in ----------------------------------------------------------------------------------


async def test_one_client_too_many_is_refused_and_comes_in_when_another_has_gone() -> None:
    server = limited(Server(None, "connected"), clients=2)
    first, _second = await server.connect(request("a")), await server.connect(request("b"))
    third = await server.connect(request("c"))
    assert status(third) == (429, "the service has 2 clients, and may not have more (clients)")
    await first.send(closing(1000))
    first.lose()
    await turns()
    assert status(await server.connect(request("c")))[0] == 101
    assert status(await server.connect(request("d")))[0] == 429


async def test_a_reliable_client_that_is_away_keeps_its_place() -> None:
    server = limited(Server(None, "connected"), clients=1)
    client = await server.connect(request(subprotocol=RELIABLE_V1))
    client.lose()
    await turns()
    assert status(await server.connect(request("b")))[0] == 429
    for hub in list(server.service.hubs.values()):
        for connection in list(hub.connections.values()):
            server.service.closed(connection, None, "")
    assert server.service.clients == 0
    assert status(await server.connect(request("b")))[0] == 101


async def test_clients_of_a_user() -> None:
    server = limited(Server(None, "connected"), clients_per_user=2)
    for user, expected in (
        ("a", 101),
        ("a", 101),
        ("a", 429),
        ("b", 101),
        (None, 101),
        (None, 101),
        (None, 101),
    ):
        client = await server.connect(request(user))
        found, text = status(client)
        assert (user, found) == (user, expected)
        if found == 429:
            assert text == "the user has 2 clients, and may not have more (clientsPerUser)"


async def test_whom_the_handler_names_is_the_user_that_counts() -> None:
    named = EventAnswer(ConnectEventResponse(user_id="b"))
    server = limited(Server(Handler(connect=named), "connect"), clients_per_user=1)
    assert status(await server.connect(request("a")))[0] == 101
    assert status(await server.connect(request("c")))[0] == 429
    assert len(server.handler.events) == 2
    assert len(server.handler.forgotten) == 1


async def test_those_that_are_asked_about_at_the_same_time_do_not_come_in_together() -> None:
    held = Held()
    server = limited(Server(Handler(connect=held), "connect"), clients=1)
    clients = [await server.connect(request(user)) for user in ("a", "b")]
    for future in held.futures:
        future.set_result(EventAnswer())
    await turns()
    assert sorted(status(client)[0] for client in clients) == [101, 429]
    assert status(await server.connect(request("c")))[0] == 429
    assert len(held.futures) == 2  # about the third nobody was asked


async def test_connects_in_a_second() -> None:
    time = VirtualTime()
    server = limited(Server(None, "connected"), connects_per_second=2)
    found = [status(await server.connect(request(name)))[0] for name in "abc"]
    assert found == [101, 101, 429]
    await time.go_on(0.5)
    assert [status(await server.connect(request(name)))[0] for name in "de"] == [101, 429]


async def test_who_has_no_token_does_not_count() -> None:
    server = limited(Server(None, "connected"), connects_per_second=1)
    assert status(await server.connect(upgrade(token(exp=NOW - 1000))))[0] == 401
    assert status(await server.connect(request()))[0] == 101


# --- what a client may send ---------------------------------------------------------------------------

PING = '{"type":"ping"}'


async def test_messages_in_a_second() -> None:
    time = VirtualTime()
    server = limited(Server(None, "connected"), messages_per_second_per_client=3)
    client = await server.open()
    await client.say(PING, PING, PING)
    assert len(client.socket.frames()) == 3
    await time.go_on(1)
    await client.say(PING, PING, PING, PING, PING)
    *pongs, (_, body) = client.socket.frames()
    assert len(pongs) == 3
    assert body[2:].decode() == (
        "The client sent more than 3 messages within a second (messagesPerSecondPerClient)."
    )
    assert int.from_bytes(body[:2], "big") == 1008
    assert server.service.hubs == {}


async def test_bytes_in_a_second() -> None:
    time = VirtualTime()
    size = len(client_frame(TEXT, PING.encode()))
    server = limited(Server(None, "connected"), bytes_per_second_per_client=2 * size)
    client = await server.open()
    await client.say(PING, PING)
    await time.go_on(1)
    await client.say(PING)
    assert client.connection.is_open
    await client.say(PING, PING)
    assert client.closed_with == (
        1008,
        f"The client sent more than {2 * size} bytes within a second (bytesPerSecondPerClient).",
    )


async def test_clients_do_not_count_for_each_other_and_a_new_limit_is_for_those_that_come_then() -> None:
    server = Server(None, "connected")
    before = await server.open()
    limited(server, messages_per_second_per_client=1)
    first, second = await server.open(), await server.open()
    await before.say(*[PING] * 50)
    await first.say(PING)
    await second.say(PING)
    assert before.connection.is_open
    assert first.connection.is_open
    assert second.connection.is_open


class Said:
    """A `ClientProtocol` of a client that has said something."""

    def __init__(self, *messages: ClientMessage) -> None:
        self.messages = messages
        self.is_ignoring = False

    def receive(self, data: bytes) -> Sequence[ClientMessage]:
        return self.messages

    def ignore_messages(self) -> None:
        self.is_ignoring = True


def test_acks_of_messages_are_free_and_pings_are_not() -> None:
    acks = [SequenceAck(number) for number in range(100)]
    said = Said(*acks, Ping(), PingFrame(b""), Goodbye(1000, ""))
    protocol = metered(said, Limits(messages_per_second_per_client=2), lambda: 0.0)
    assert protocol.receive(b"") == said.messages
    *before, last = protocol.receive(b"")
    assert before == acks
    assert isinstance(last, Malformed)
    assert protocol.receive(b"") == ()  # nothing is looked at behind that


def test_what_is_not_limited_costs_nothing() -> None:
    said = Said()
    assert metered(said, Limits(clients=1), lambda: 0.0) is said
    metered(said, Limits(bytes_per_second_per_client=1), lambda: 0.0).ignore_messages()
    assert said.is_ignoring
