"""Who waits for whom, and for how long, when messages come faster than somebody reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from kit.service_peers import CHAT, CLOSE, RELIABLE_V1, Handler, client_frame, text, token, turns
from kit.service_sockets import Client, Server, upgrade
from kit.virtual_time import VirtualTime
from webpubsub.model import actions
from webpubsub.model.names import HubName
from webpubsub.service.hub.delivery import MAX_UNACKED

OTHER = HubName("other")
ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
SEND = '{"type":"sendToGroup","group":"g","noEcho":true,"data":%s,"ackId":%d}'
ACK = '{"type":"ack","ackId":%d,"success":true}'
SLOW = (1008, "The client does not read its messages (patienceInSeconds).")
TOO_MUCH = "The client does not read its messages."


@pytest.fixture
async def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def server(time: VirtualTime) -> Server:
    return Server()


async def enter(
    server: Server, hub: str = CHAT, *, group: str = "g", subprotocol: str | None = None
) -> Client:
    """A client of a hub in a group, behind its greeting."""
    client_token = token(f"http://localhost:8080/client/hubs/{hub}", role=ROLES, webpubsub_group=[group])
    protocol = subprotocol or "json.webpubsub.azure.v1"
    client = await server.connect(
        upgrade(client_token, target=f"/client/hubs/{hub}", Sec_WebSocket_Protocol=protocol)
    )
    client.socket.take()
    return client


async def test_who_does_not_read_in_one_hub_holds_up_nobody_in_another(
    server: Server, time: VirtualTime
) -> None:
    slow, publisher = await enter(server), await enter(server)
    others = [await enter(server, OTHER) for _ in range(20)]
    slow.protocol.pause_writing()
    await publisher.say(SEND % (0, 1))
    assert publisher.socket.frames() == text(ACK % 1)
    await publisher.say(SEND % (0, 2))
    assert publisher.socket.frames() == [], "it waits for whom it has just sent to"
    for number, other in enumerate(others, 1):
        await other.say(SEND % (number, 1), SEND % (number, 2))
        assert other.socket.frames()[-2:] == text(ACK % 1, ACK % 2)


async def test_who_publishes_to_others_of_the_same_hub_goes_on(server: Server, time: VirtualTime) -> None:
    slow, publisher = await enter(server), await enter(server)
    other, member = await enter(server, group="h"), await enter(server, group="h")
    slow.protocol.pause_writing()
    await publisher.say(SEND % (0, 1), SEND % (0, 2))
    for number in range(1, 4):
        await other.say((SEND % (number, number)).replace('"g"', '"h"'))
        assert other.socket.frames() == text(ACK % number)
    assert len(member.socket.frames()) == 3


async def test_the_wait_has_an_end_and_it_is_the_end_of_who_does_not_read(
    server: Server, time: VirtualTime
) -> None:
    slow, publisher = await enter(server), await enter(server)
    slow.protocol.pause_writing()
    await publisher.say(*(SEND % (number, number) for number in range(1, 4)))
    assert publisher.socket.frames() == text(ACK % 1)
    await time.go_on(1.99)
    assert publisher.socket.frames() == []
    await time.go_on(0.01)
    assert slow.closed_with == SLOW
    assert server.reasons == [SLOW[1]]
    await turns()
    assert publisher.socket.frames() == text(ACK % 2, ACK % 3)


async def test_how_long_it_is_is_a_setting(server: Server, time: VirtualTime) -> None:
    server.service.settings = msgspec.structs.replace(server.service.settings, patience_in_seconds=0.5)
    slow, publisher = await enter(server), await enter(server)
    slow.protocol.pause_writing()
    await publisher.say(SEND % (0, 1))
    await time.go_on(0.5)
    assert slow.closed_with == SLOW


async def test_one_that_comes_back_again_and_again_costs_a_publisher_two_seconds_each_time(
    server: Server, time: VirtualTime
) -> None:
    publisher = await enter(server)
    for number in range(1, 4):
        slow = await enter(server)
        slow.protocol.pause_writing()
        await publisher.say(SEND % (0, number))
        await time.go_on(2)
        assert slow.closed_with == SLOW
        assert publisher.socket.frames() == text(ACK % number)


async def test_who_publishes_by_rest_never_waits(server: Server, time: VirtualTime) -> None:
    slow = await enter(server)
    slow.protocol.pause_writing()
    for _ in range(1000):
        server.service.perform(CHAT, actions.SendToGroupAction("g", "x"))
        await turns(1)
    await time.go_on(60)
    assert server.reasons == [], "and nobody is impatient with whom nobody waits for"
    slow.protocol.resume_writing()
    assert len(slow.socket.frames()) == 1000


async def test_what_is_held_for_thousands_is_held_once(server: Server, time: VirtualTime) -> None:
    """A copy for each would be 16 MiB for each."""
    slow = [await enter(server) for _ in range(50)]
    for client in slow:
        client.protocol.pause_writing()
    body = "x" * 100_000
    for _ in range(100):
        server.service.perform(CHAT, actions.SendToGroupAction("g", body))
        await turns(1)
    held = [list(client.connection.held._frames) for client in slow if client.connection.held is not None]
    assert [len(frames) for frames in held] == [100] * 50
    assert len({id(frame) for frames in held for frame in frames}) == 100
    for _ in range(100):  # the sixteenth megabyte
        server.service.perform(CHAT, actions.SendToGroupAction("g", body))
        await turns(1)
    assert server.reasons == [TOO_MUCH] * 50
    for client in slow:
        assert [head for head, _ in client.socket.frames()] == [CLOSE], "nothing of it is joined and written"
        assert client.connection.held is None


# --- reliable clients ----------------------------------------------------------------------------------


class Member:
    """A healthy reliable client that acknowledges once a second what it has got, as Microsoft's does."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.got: list[int] = []
        self._sequence_id = 0

    def read(self) -> None:
        for _, body in self.client.socket.frames():
            message = json.loads(body)
            if message["type"] == "message":
                self.got.append(message["data"])
                self._sequence_id = message["sequenceId"]

    async def acknowledge(self) -> None:
        self.read()
        await self.client.say(f'{{"type":"sequenceAck","sequenceId":{self._sequence_id}}}')


def numbered(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield list(range(start, min(start + size, count)))


@pytest.mark.parametrize("publishers", [1, 5])
async def test_a_burst_reaches_every_healthy_reliable_member(
    server: Server, time: VirtualTime, publishers: int
) -> None:
    members = [Member(await enter(server, subprotocol=RELIABLE_V1)) for _ in range(3)]
    sending = [await enter(server, group="elsewhere") for _ in range(publishers)]
    sent = 0
    for _ in range(4):
        for publisher in sending:  # 1,500 a second from each, as the network hands them over
            numbers = range(sent, sent + 1500)
            for start in range(0, 1500, 100):
                frames = [
                    client_frame(0x81, (SEND % (number, number + 1)).encode())
                    for number in numbers[start : start + 100]
                ]
                publisher.protocol.data_received(b"".join(frames))
                await turns(2)
            sent += 1500
        for _ in range(10):
            await time.go_on(0.1)
        for member in members:
            await member.acknowledge()
        await turns(60)
    while any(publisher.connection.waiting for publisher in sending):
        await time.go_on(1)
        for member in members:
            await member.acknowledge()
        await turns(100)
    for member in members:
        await member.acknowledge()
        assert sorted(member.got) == list(range(sent))
        if publishers == 1:
            assert member.got == sorted(member.got)
    assert server.reasons == []


async def test_who_never_acknowledges_is_cut_off_and_the_others_go_on(
    server: Server, time: VirtualTime
) -> None:
    silent = await enter(server, subprotocol=RELIABLE_V1)
    publisher, reader = await enter(server), await enter(server)
    for numbers in numbered(MAX_UNACKED + 1, 100):
        await publisher.say(*(SEND % (number, number + 1) for number in numbers))
    await turns(20)
    publisher.socket.take()
    await publisher.say(SEND % (0, 5000), SEND % (1, 5001))
    assert publisher.socket.frames() == text(ACK % 5000)
    await time.go_on(2)
    await turns(20)
    assert publisher.socket.frames() == text(ACK % 5001)
    assert silent.closed_with == (1008, "The client does not acknowledge its messages (patienceInSeconds).")
    assert len(reader.socket.frames()) == MAX_UNACKED + 3


async def test_a_handler_hears_of_who_was_cut_off(time: VirtualTime) -> None:
    handler = Handler()
    server = Server(handler)
    slow, publisher = await enter(server), await enter(server)
    slow.protocol.pause_writing()
    await publisher.say(SEND % (0, 1), SEND % (1, 2))
    await time.go_on(2)
    await turns()
    assert handler.names[-1] == "disconnected"
    slow.lose()
    publisher.lose()
    await turns()
    server.assert_nothing_is_left()
