"""Requests that wait for an event, and what is heard meanwhile: client spec, sections 1.7 and 4.2."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.service_peers import (
    CHAT,
    CLOSE,
    PING,
    PONG,
    RELIABLE_V1,
    TEXT,
    Handler,
    Held,
    client_frame,
    server_frames,
    text,
    turns,
)
from kit.service_sockets import ACCEPTED, ALICE, Client, Server, closing, upgrade
from kit.virtual_time import VirtualTime
from webpubsub.model import actions
from webpubsub.model.ports import EventAnswer
from webpubsub.service.hub import delivery
from webpubsub.service.hub.connection import Stage

EVENT = '{"type":"event","event":"e","data":1,"ackId":1}'
LEAVE = '{"type":"leaveGroup","group":"x","ackId":%d}'
SEQUENCE_ACK = '{"type":"sequenceAck","sequenceId":%d}'
PROTOBUF = "protobuf.webpubsub.azure.v1"
MESSAGES = 1300  # more than may be without an ack


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def server(time: VirtualTime, held: Held) -> Server:
    return Server(Handler(e=held))


class Reader:
    """A healthy client, reliable or not: it reads what it is sent, and acknowledges what has a number.

    What it sends stays on its way while the service does not read.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.data: list[Any] = []  # of the messages
        self.acks: list[int] = []  # ack ids of the requests that succeeded
        self.others: list[tuple[int, bytes]] = []
        self.on_its_way: list[bytes] = []

    async def send(self, *bodies: str) -> None:
        self.on_its_way += [client_frame(TEXT, body.encode()) for body in bodies]
        await self.go_on()

    async def go_on(self) -> None:
        """Let everything arrive that can, and read and acknowledge what comes back."""
        is_quiet = False
        while not is_quiet:
            sent = bool(self.on_its_way) and self.client.socket.reading
            if sent:
                piece, self.on_its_way = self.on_its_way[:100], self.on_its_way[100:]
                self.client.protocol.data_received(b"".join(piece))
            await turns(3)
            is_quiet = not self.read() and not sent

    def read(self) -> bool:
        data = self.client.socket.take()
        if data.startswith(b"HTTP/1.1"):
            data = data.partition(b"\r\n\r\n")[2]
        for head, body in server_frames(data):
            found = json.loads(body) if head == TEXT else {}
            if found.get("type") == "message":
                self.data.append(found["data"])
                if "sequenceId" in found:
                    ack = SEQUENCE_ACK % found["sequenceId"]
                    self.on_its_way.append(client_frame(TEXT, ack.encode()))
            elif found.get("type") == "ack":
                assert found["success"]
                self.acks.append(found["ackId"])
            elif found.get("type") != "system":
                self.others.append((head, body))
        return bool(data)


async def connect(server: Server, subprotocol: str) -> Reader:
    return Reader(await server.connect(upgrade(ALICE, Sec_WebSocket_Protocol=subprotocol)))


async def send_to_all(server: Server, *readers: Reader, first: int = 1, count: int = MESSAGES) -> None:
    for number in range(first, first + count):
        server.service.perform(CHAT, actions.SendToAllAction(number))
        if number % 10 == 0:
            for reader in readers:
                await reader.go_on()
    for reader in readers:
        await reader.go_on()


# --- acks of messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("subprotocol", [RELIABLE_V1, "json.webpubsub.azure.v1"])
@pytest.mark.parametrize("count", [65, 300, 5000])
async def test_a_healthy_client_gets_every_message_behind_a_slow_event(
    server: Server, held: Held, time: VirtualTime, subprotocol: str, count: int
) -> None:
    reader = await connect(server, subprotocol)
    await reader.send(EVENT, *(LEAVE % number for number in range(2, count + 2)))
    assert reader.client.socket.reading is (count < 4000)
    await send_to_all(server, reader)
    assert reader.data == list(range(1, MESSAGES + 1))
    assert (reader.acks, reader.client.socket.ended) == ([], [])
    held.futures[0].set_result(EventAnswer())
    await reader.go_on()
    assert reader.acks == list(range(1, count + 2))
    assert reader.client.socket.reading
    assert reader.client.connection.stage is Stage.OPEN
    unacked = reader.client.connection.unacked
    assert unacked is None or len(unacked) == 0
    await time.go_on(60)
    await send_to_all(server, reader, first=MESSAGES + 1)
    assert reader.data == list(range(1, 2 * MESSAGES + 1))
    assert (reader.others, reader.client.socket.ended) == ([], [])


async def pause(server: Server, reader: Reader) -> None:
    """Let so much wait that the service reads no further."""
    large = '{"type":"sendToGroup","group":"nobody","dataType":"text","data":"%s"}' % ("x" * 600_000)
    await reader.send(EVENT, large, large)
    assert not reader.client.socket.reading


async def test_acks_that_are_not_read_are_owed_only_once_reading_went_on(
    server: Server, held: Held, time: VirtualTime
) -> None:
    reader = await connect(server, RELIABLE_V1)
    await pause(server, reader)
    await send_to_all(server, count=MESSAGES)
    await time.go_on(600)  # however long it takes
    assert reader.client.connection.is_open
    held.futures[0].set_result(EventAnswer())
    await turns(20)
    assert reader.client.socket.reading
    await send_to_all(server, count=1)  # the acks may still be on their way
    assert reader.client.connection.is_open
    await time.go_on(6)
    await send_to_all(server, count=1)
    await time.go_on(2)
    assert server.reasons == ["The client does not acknowledge its messages (patienceInSeconds)."]


async def test_what_they_have_in_bytes_is_owed_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_WAITING_BYTES", 100_000)
    reader = await connect(server, RELIABLE_V1)
    await pause(server, reader)
    await send_to_all(server, count=MESSAGES)
    await turns()
    assert server.reasons == ["The client does not acknowledge its messages."]


# --- pings --------------------------------------------------------------------------------------------


async def test_pings_are_answered_while_an_event_is_under_way(server: Server, held: Held) -> None:
    client = await server.open()
    await client.say(EVENT, LEAVE % 2)
    await client.send(client_frame(PING, b"?"))
    assert client.socket.frames() == [(PONG, b"?")]
    await client.say('{"type":"ping"}')
    assert client.socket.frames() == text('{"type":"pong"}')
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert client.socket.frames() == text(
        '{"type":"ack","ackId":1,"success":true}', '{"type":"ack","ackId":2,"success":true}'
    )


async def test_protobuf_pings_are_answered_while_an_event_is_under_way(server: Server, held: Held) -> None:
    client = await server.connect(upgrade(ALICE, Sec_WebSocket_Protocol=PROTOBUF))
    client.socket.take()
    event = bytes.fromhex(
        "2a 0a 0a 01 65 12 03 0a 01 78 18 01"
    )  # EventMessage{event=e, data=text x, ack_id=1}
    ping = bytes.fromhex("4a 00")  # PingMessage
    await client.send(client_frame(0x82, event), client_frame(0x82, ping))
    assert len(held.futures) == 1
    assert client.socket.frames() == [(0x82, bytes.fromhex("22 00"))]  # PongMessage


async def test_pongs_count_while_requests_wait(server: Server, held: Held) -> None:
    client = await server.open()
    await client.say(EVENT, LEAVE % 2)
    for _ in range(10):
        for _ in range(20):
            server.service.keep_alive.tick()
        await client.send(client_frame(PONG))
    assert client.socket.frames() == [(PING, b"")] * 10


async def test_who_is_silent_while_its_requests_wait_is_gone(server: Server, held: Held) -> None:
    client = await server.open()
    await client.say(EVENT, LEAVE % 2)
    for _ in range(80):
        server.service.keep_alive.tick()
    assert client.closed_with == (1008, "PingTimeout")


# --- the order of the rest ----------------------------------------------------------------------------


async def test_a_broken_frame_behind_waiting_requests_ends_the_connection_in_its_turn(
    server: Server, held: Held
) -> None:
    client = await server.open()
    await client.say(EVENT, LEAVE % 2)
    await client.send(b"\x81\x02hi")
    await client.say(LEAVE % 3)
    await client.send(client_frame(PING), closing(1000))
    assert (client.socket.take(), client.socket.ended) == (b"", [])
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert client.socket.frames() == [
        *text('{"type":"ack","ackId":1,"success":true}', '{"type":"ack","ackId":2,"success":true}'),
        (CLOSE, b"\x03\xeaThe client frame is invalid: it is not masked."),
    ]
    assert client.socket.ended == ["eof"]


async def test_who_broke_the_protocol_and_is_closed_before_its_turn_is_heard_no_more(
    server: Server, held: Held
) -> None:
    client = await server.open()
    await client.say(EVENT)
    await client.send(b"\x81\x02hi")
    server.service.perform(CHAT, actions.CloseAllConnectionsAction())
    assert client.closed_with == (1000, "")
    assert client.socket.ended == ["eof"]


async def test_many_waiting_requests_let_others_have_their_turn(server: Server, held: Held) -> None:
    client, other = await server.open(), await server.open()
    await client.say(EVENT, *(LEAVE % number for number in range(2, 1002)))
    held.futures[0].set_result(EventAnswer())
    done = []
    while client.connection.stage is Stage.BUSY:
        other.protocol.data_received(client_frame(TEXT, b'{"type":"ping"}'))
        await turns(1)
        done.append(len(client.socket.frames()))
    await turns(1)
    assert sum(done) + len(client.socket.frames()) == 1001
    assert max(done) <= 101
    assert len(other.socket.frames()) >= 10


# --- recovery -----------------------------------------------------------------------------------------


async def test_a_client_comes_back_while_its_requests_wait(
    server: Server, held: Held, time: VirtualTime
) -> None:
    client = await server.connect(upgrade(ALICE, Sec_WebSocket_Protocol=RELIABLE_V1))
    greeting = json.loads(server_frames(client.socket.take().partition(b"\r\n\r\n")[2])[0][1])
    name, key = greeting["connectionId"], greeting["reconnectionToken"]
    await client.say(EVENT, *(LEAVE % number for number in range(2, 302)))
    client.lose(ConnectionResetError())
    await send_to_all(server, count=900)
    target = f"/client/hubs/chat?awps_connection_id={name}&awps_reconnection_token={key}"
    again = Reader(await server.connect(upgrade(None, target=target, Sec_WebSocket_Protocol=RELIABLE_V1)))
    assert again.client.socket.written.startswith(ACCEPTED)
    await again.go_on()
    await again.send(*(LEAVE % number for number in range(2, 302)))  # they got no acks
    await send_to_all(server, again, first=901)
    assert again.data == list(range(1, 901 + MESSAGES))
    assert again.acks == []
    held.futures[0].set_result(EventAnswer())
    await again.go_on()
    assert again.acks == list(range(1, 302)), "each once, and in their order"
    assert again.client.socket.ended == []


async def test_who_was_not_read_may_come_back_and_then_owes_acks_again(
    server: Server, held: Held, time: VirtualTime
) -> None:
    reader = await connect(server, RELIABLE_V1)
    [connection] = server.service.hub(CHAT).connections.values()
    await pause(server, reader)
    await send_to_all(server, count=MESSAGES)
    reader.client.lose()
    await send_to_all(server, count=1)
    assert connection.id in server.service.hub(CHAT).connections
    key = server.service._greeting(connection)
    assert key is not None
    [(_, greeting)] = server_frames(key)
    signed = json.loads(greeting)["reconnectionToken"]
    target = f"/client/hubs/chat?awps_connection_id={connection.id}&awps_reconnection_token={signed}"
    await server.connect(upgrade(None, target=target, Sec_WebSocket_Protocol=RELIABLE_V1))
    await send_to_all(server, count=1)
    assert connection.stage is Stage.BUSY
    await time.go_on(6)
    await send_to_all(server, count=1)
    await time.go_on(2)
    assert server.reasons == ["The client does not acknowledge its messages (patienceInSeconds)."]
