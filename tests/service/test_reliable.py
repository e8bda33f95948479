"""Reliable clients that lose their sockets and come back: client spec, sections 1.9 and 4.4."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from kit.service_peers import (
    CHAT,
    CLOSE,
    JSON_V1,
    NOW,
    PING,
    RELIABLE_V1,
    Handler,
    Held,
    client_frame,
    server_frames,
    text,
    token,
    turns,
)
from kit.service_sockets import ACCEPTED, ALICE, Client, Server, closing, upgrade
from kit.virtual_time import VirtualTime
from webpubsub.model import actions, rest
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import RestError
from webpubsub.model.events import UserEventResponse
from webpubsub.model.names import HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.service.hub import delivery
from webpubsub.service.hub.recovery import reconnection_token
from webpubsub.service.settings import HubSettings

REFUSED = [(CLOSE, b"\x03\xf0The connection could not be recovered.")]
TIMED_OUT = "The connection recovery timeout expired."
GROUP_MESSAGE = (
    '{"type":"message","from":"group","group":"g","fromUserId":"alice","dataType":"json","data":%d,'
    '"sequenceId":%d}'
)
SERVER_MESSAGE = '{"type":"message","from":"server","dataType":"json","data":%d,"sequenceId":%d}'
ACK = '{"type":"ack","ackId":%d,"success":true}'
EVENT = '{"type":"event","event":"e","data":1,"ackId":1}'


@pytest.fixture
async def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def server(time: VirtualTime) -> Server:
    return Server()


class Reliable:
    """A reliable client, with what its greeting said."""

    def __init__(self, server: Server, client: Client, greeting: Any) -> None:
        self.server, self.client = server, client
        self.id, self.token = greeting["connectionId"], greeting["reconnectionToken"]

    async def come_back(self, **changes: str) -> Client:
        return await recover(
            self.server, **{"connection_id": self.id, "reconnection_token": self.token} | changes
        )

    @property
    def is_there(self) -> bool:
        hub = self.server.service.hubs.get(CHAT)
        return hub is not None and self.id in hub.connections


async def connect(server: Server, client_token: str = ALICE) -> Reliable:
    client = await server.connect(upgrade(client_token, Sec_WebSocket_Protocol=RELIABLE_V1))
    [(_, greeting)] = frames_after_upgrade(client, RELIABLE_V1)
    return Reliable(server, client, json.loads(greeting))


async def recover(
    server: Server,
    *,
    connection_id: str,
    reconnection_token: str,
    offer: str = RELIABLE_V1,
    hub: str = "chat",
    more: str = "",
) -> Client:
    query = f"awps_connection_id={connection_id}&awps_reconnection_token={reconnection_token}{more}"
    return await server.connect(
        upgrade(None, target=f"/client/hubs/{hub}?{query}", Sec_WebSocket_Protocol=offer)
    )


def frames_after_upgrade(client: Client, subprotocol: str) -> list[tuple[int, bytes]]:
    head, _, frames = client.socket.take().partition(b"\r\n\r\n")
    assert head + b"\r\n" == ACCEPTED + f"Sec-WebSocket-Protocol: {subprotocol}\r\n".encode()
    return server_frames(frames)


def after_greeting(client: Client, connection_id: str) -> list[tuple[int, bytes]]:
    """The frames behind the second greeting of a connection."""
    (_, greeting), *frames = frames_after_upgrade(client, RELIABLE_V1)
    found = json.loads(greeting)
    assert (found["event"], found["connectionId"], found["userId"]) == ("connected", connection_id, "alice")
    assert found["reconnectionToken"]
    return frames


async def send_to_all(server: Server, data: int) -> None:
    server.service.perform(CHAT, actions.SendToAllAction(data))
    await turns()


# --- recovery -------------------------------------------------------------------------------------------


async def test_messages_are_numbered_and_acks_are_not(server: Server) -> None:
    alice = await connect(server)
    await alice.client.say('{"type":"sendToGroup","group":"g","data":7,"ackId":1}', '{"type":"ping"}')
    await send_to_all(server, 8)
    assert alice.client.socket.frames() == text(
        GROUP_MESSAGE % (7, 1), ACK % 1, '{"type":"pong"}', SERVER_MESSAGE % (8, 2)
    )


async def test_a_plain_client_gets_no_number_and_cannot_come_back(server: Server) -> None:
    client = await server.open()
    [connection] = server.service.hub(CHAT).connections.values()
    client.socket.take()
    await send_to_all(server, 1)
    assert client.socket.frames() == text('{"type":"message","from":"server","dataType":"json","data":1}')
    signed = reconnection_token(connection.id, server.service.settings.access_keys[0], now=NOW)
    again = await recover(server, connection_id=connection.id, reconnection_token=signed)
    assert frames_after_upgrade(again, RELIABLE_V1) == REFUSED
    await send_to_all(server, 2)
    assert client.socket.frames() == text('{"type":"message","from":"server","dataType":"json","data":2}')


async def test_what_was_missed_is_sent_again_in_order(server: Server) -> None:
    alice = await connect(server)
    for number in (1, 2, 3):
        await send_to_all(server, number)
    first = alice.client.socket.take()
    await alice.client.say('{"type":"sequenceAck","sequenceId":1}')
    alice.client.lose(ConnectionResetError())
    for number in (4, 5):
        await send_to_all(server, number)
    again = await alice.come_back()
    missed = text(*(SERVER_MESSAGE % (number, number) for number in (2, 3, 4, 5)))
    assert after_greeting(again, alice.id) == missed
    assert server_frames(first)[1:] == missed[:2], "with their first bytes"
    await send_to_all(server, 6)
    assert again.socket.frames() == text(SERVER_MESSAGE % (6, 6))


async def test_nothing_of_it_is_told_to_the_event_handler(server: Server) -> None:
    alice = await connect(server)
    alice.client.lose()
    again = await alice.come_back()
    await again.send(closing(1000, "done"))
    assert server.handler.names == ["connect", "connected", "disconnected"]
    assert server.reasons == ["done"]
    again.lose()
    assert not alice.is_there


@pytest.mark.parametrize("code", [1001, None, 1011, 4000])
async def test_any_close_but_1000_may_be_followed_by_recovery(server: Server, code: int | None) -> None:
    alice = await connect(server)
    await alice.client.send(closing(code))
    assert alice.client.socket.frames()[-1][0] == CLOSE, "the close is answered"
    assert alice.client.socket.ended == ["close"]
    alice.client.lose()
    await send_to_all(server, 1)
    assert after_greeting(await alice.come_back(), alice.id) == text(SERVER_MESSAGE % (1, 1))


async def test_1000_is_the_end(server: Server) -> None:
    alice = await connect(server)
    await alice.client.send(closing(1000, "bye"))
    assert server.reasons == ["bye"]
    alice.client.lose()
    assert frames_after_upgrade(await alice.come_back(), RELIABLE_V1) == REFUSED
    assert server.reasons == ["bye"]


async def test_what_a_client_is_goes_on(server: Server) -> None:
    roles = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
    alice = await connect(server, token(sub="alice", role=roles))
    await alice.client.say('{"type":"joinGroup","group":"room","ackId":1}')
    alice.client.lose()
    again = await alice.come_back()
    after_greeting(again, alice.id)
    await again.say(
        '{"type":"leaveGroup","group":"room","ackId":1}',
        '{"type":"sendToGroup","group":"room","data":1,"ackId":2}',
    )
    duplicate, message, ack = again.socket.frames()
    assert json.loads(duplicate[1])["error"]["name"] == "Duplicate"
    assert json.loads(message[1])["sequenceId"] == 1
    assert [ack] == text(ACK % 2)


async def test_a_token_from_a_later_greeting_works_as_well(server: Server) -> None:
    alice = await connect(server)
    alice.client.lose()
    (_, greeting), *_ = frames_after_upgrade(await alice.come_back(), RELIABLE_V1)
    later = json.loads(greeting)["reconnectionToken"]
    assert after_greeting(await alice.come_back(reconnection_token=later), alice.id) == []
    assert after_greeting(await alice.come_back(), alice.id) == [], "and so does the first"


async def test_the_first_subprotocol_is_answered_and_the_access_token_ignored(server: Server) -> None:
    alice = await connect(server)
    alice.client.lose()
    again = await alice.come_back(offer=JSON_V1, hub="CHAT", more="&access_token=junk")
    assert after_greeting(again, alice.id) == []


async def test_the_new_socket_wins(server: Server) -> None:
    alice = await connect(server)
    await send_to_all(server, 1)
    alice.client.socket.take()
    again = await alice.come_back()
    assert alice.client.socket.ended == ["abort"]
    await send_to_all(server, 2)
    assert after_greeting(again, alice.id) == text(SERVER_MESSAGE % (1, 1), SERVER_MESSAGE % (2, 2))
    alice.client.lose()  # told late
    await send_to_all(server, 3)
    assert again.socket.frames() == text(SERVER_MESSAGE % (3, 3))
    assert alice.client.socket.take() == b""
    assert server.reasons == []


async def test_a_socket_that_said_goodbye_has_nothing_to_say_any_more(server: Server) -> None:
    alice = await connect(server)
    await alice.client.send(closing(1001))
    again = await alice.come_back()
    assert after_greeting(again, alice.id) == []
    alice.client.socket.take()
    await alice.client.say('{"type":"ping"}')
    await alice.client.send(closing(1000))
    alice.client.lose()
    assert (alice.client.socket.take(), again.socket.take()) == (b"", b"")
    await again.say('{"type":"ping"}')
    assert again.socket.frames() == text('{"type":"pong"}')


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"connection_id": "0" * 32},
        {"reconnection_token": ""},
        {"reconnection_token": "junk"},
        {"reconnection_token": reconnection_token("other", "x", now=NOW)},  # type: ignore[arg-type]
        {"hub": "other"},
    ],
)
@pytest.mark.parametrize("is_away", [True, False])
async def test_a_bad_attempt_is_closed_and_harms_nobody(
    server: Server, changes: dict[str, str], is_away: bool
) -> None:
    alice = await connect(server)
    if is_away:
        alice.client.lose()
    stranger = await alice.come_back(**changes)
    assert frames_after_upgrade(stranger, RELIABLE_V1) == REFUSED
    await stranger.say('{"type":"ping"}')
    assert stranger.socket.take() == b""
    await stranger.send(closing(1008))
    assert stranger.socket.ended == ["close"]
    stranger.lose()
    assert alice.is_there
    assert after_greeting(await alice.come_back(), alice.id) == []


async def test_a_refused_client_that_does_not_answer_is_aborted(server: Server, time: VirtualTime) -> None:
    stranger = await recover(server, connection_id="x", reconnection_token="y")
    await time.go_on(4.9)
    assert stranger.socket.ended == []
    await time.go_on(0.2)
    assert stranger.socket.ended == ["abort"]


async def test_a_refusal_says_why_in_the_trace(server: Server) -> None:
    await recover(server, connection_id="x", reconnection_token="y")
    assert [(event.name, event.phase, event.detail) for event in server.traced] == [
        (
            "connection",
            "failed",
            {"status": 101, "reason": "there is no reliable connection 'x' in hub 'chat'"},
        )
    ]


async def test_a_token_without_a_connection_starts_a_new_one(server: Server) -> None:
    target = f"/client/hubs/chat?awps_connection_id=&awps_reconnection_token=x&access_token={ALICE}"
    client = await server.connect(upgrade(None, target=target, Sec_WebSocket_Protocol=RELIABLE_V1))
    [(_, greeting)] = frames_after_upgrade(client, RELIABLE_V1)
    assert json.loads(greeting)["event"] == "connected"
    assert server.handler.names == ["connect", "connected"]


# --- away -----------------------------------------------------------------------------------------------


async def test_who_does_not_come_back_within_30_seconds_has_gone(server: Server, time: VirtualTime) -> None:
    alice = await connect(server)
    alice.client.lose()
    await time.go_on(29.9)
    assert alice.is_there
    assert server.reasons == []
    await time.go_on(0.2)
    assert not alice.is_there
    assert server.reasons == [TIMED_OUT]
    assert frames_after_upgrade(await alice.come_back(), RELIABLE_V1) == REFUSED
    await time.go_on(60)
    assert server.reasons == [TIMED_OUT]


async def test_each_absence_has_the_whole_window(server: Server, time: VirtualTime) -> None:
    alice = await connect(server)
    client = alice.client
    for _ in range(3):
        client.lose()
        await time.go_on(20)
        client = await alice.come_back()
        await time.go_on(20)
    assert after_greeting(client, alice.id) == []


async def test_the_window_is_a_setting(time: VirtualTime) -> None:
    server = Server()
    server.service.settings = structs.replace(
        server.service.settings, reliable_recovery_window_in_seconds=2.0
    )
    alice = await connect(server)
    alice.client.lose()
    await time.go_on(2.1)
    assert server.reasons == [TIMED_OUT]


async def test_rest_sees_who_is_away(server: Server) -> None:
    alice = await connect(server, token(sub="alice"))
    alice.client.lose()
    for question in (rest.ConnectionExists(alice.id), rest.UserExists("alice")):
        assert server.service.ask(CHAT, question) is None
    for action in (
        actions.AddConnectionToGroupAction(alice.id, "room"),
        actions.GrantPermissionAction(alice.id, WebPubSubPermission.SEND_TO_GROUP, "room"),
        actions.SendToGroupAction("room", 1),
        actions.SendToUserAction("alice", 2),
        actions.SendToConnectionAction(alice.id, 3),
    ):
        server.service.perform(CHAT, action)
    assert server.service.ask(CHAT, rest.GroupExists("room")) is None
    again = await alice.come_back()
    received = [json.loads(body) for _, body in after_greeting(again, alice.id)]
    assert [(message["data"], message["sequenceId"]) for message in received] == [(1, 1), (2, 2), (3, 3)]
    await again.say('{"type":"sendToGroup","group":"room","data":4,"ackId":1}')
    message, ack = again.socket.frames()
    assert json.loads(message[1])["sequenceId"] == 4
    assert [ack] == text(ACK % 1)


async def test_rest_may_close_who_is_away(server: Server, time: VirtualTime) -> None:
    alice = await connect(server)
    alice.client.lose()
    server.service.perform(CHAT, actions.CloseClientConnectionAction(alice.id, reason="enough"))
    await turns()
    reasons = ["Application server closed the connection. Reason: enough"]
    assert server.reasons == reasons
    with pytest.raises(RestError, match="is not found"):
        server.service.ask(HubName("chat"), rest.ConnectionExists(alice.id))
    assert frames_after_upgrade(await alice.come_back(), RELIABLE_V1) == REFUSED
    await time.go_on(60)
    assert server.reasons == reasons


async def test_rest_may_close_who_is_back(server: Server) -> None:
    alice = await connect(server)
    alice.client.lose()
    again = await alice.come_back()
    after_greeting(again, alice.id)
    server.service.perform(CHAT, actions.CloseClientConnectionAction(alice.id))
    assert again.closed_with == (1000, "")
    await turns()
    assert server.reasons == ["Application server closed the connection."]


@pytest.mark.parametrize("is_away", [False, True])
async def test_too_much_unacknowledged_is_the_end(
    server: Server, time: VirtualTime, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    monkeypatch.setattr(delivery, "MAX_UNACKED", 3)
    alice = await connect(server)
    if is_away:
        alice.client.lose()
    for number in range(3):
        await send_to_all(server, number)
    assert alice.is_there
    await send_to_all(server, 3)
    if not is_away:
        assert alice.is_there, "it still has two seconds for its acks"
        await time.go_on(2)
    assert not alice.is_there
    if not is_away:
        assert alice.client.closed_with == (1008, server.reasons[0])
    limit = "" if is_away else " (patienceInSeconds)"
    assert server.reasons == [f"The client does not acknowledge its messages{limit}."]
    assert frames_after_upgrade(await alice.come_back(), RELIABLE_V1) == REFUSED


async def test_messages_expire_while_their_client_is_away(server: Server, time: VirtualTime) -> None:
    alice = await connect(server)
    await alice.client.say('{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":5}')
    alice.client.lose()
    server.service.perform(CHAT, actions.SendToAllAction(2, message_ttl_seconds=5))
    server.service.perform(CHAT, actions.SendToAllAction(3, message_ttl_seconds=6))
    await time.go_on(5)
    assert after_greeting(await alice.come_back(), alice.id) == text(SERVER_MESSAGE % (3, 2))


async def test_the_service_takes_leave_of_those_who_are_away(server: Server, time: VirtualTime) -> None:
    alice = await connect(server)
    alice.client.lose()
    await server.service.retire(1)
    assert server.reasons == ["Service reload"]
    await time.go_on(60)
    server.assert_nothing_is_left()


# --- events and pings -----------------------------------------------------------------------------------


async def test_an_answer_that_comes_meanwhile_is_kept(time: VirtualTime) -> None:
    held = Held()
    server = Server(Handler(e=held))
    alice = await connect(server)
    await alice.client.say(EVENT)
    alice.client.lose()
    held.futures[0].set_result(EventAnswer(UserEventResponse(5)))
    await turns()
    again = await alice.come_back()
    assert after_greeting(again, alice.id) == text(SERVER_MESSAGE % (5, 1)), "without its ack"
    await again.say(EVENT)
    [(_, ack)] = again.socket.frames()
    assert json.loads(ack)["error"]["name"] == "Duplicate"
    assert len(held.futures) == 1


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_requests_wait_for_an_event_from_before(time: VirtualTime, is_noticed: bool) -> None:
    held = Held()
    server = Server(Handler(e=held))
    alice = await connect(server)
    await alice.client.say(EVENT)
    if is_noticed:
        alice.client.lose()
    again = await alice.come_back()
    if not is_noticed:
        alice.client.lose()
    after_greeting(again, alice.id)
    await again.say('{"type":"leaveGroup","group":"x","ackId":2}')
    assert again.socket.frames() == []
    held.futures[0].set_result(EventAnswer(UserEventResponse(5)))
    await turns()
    assert again.socket.frames() == text(SERVER_MESSAGE % (5, 1), ACK % 1, ACK % 2)
    await again.say('{"type":"ping"}')
    assert again.socket.frames() == text('{"type":"pong"}')


async def test_a_goodbye_on_a_lost_socket_does_not_end_the_new_one(time: VirtualTime) -> None:
    held = Held()
    server = Server(Handler(e=held))
    alice = await connect(server)
    await alice.client.say(EVENT)
    await alice.client.send(closing(1000))  # waits for the event
    again = await alice.come_back()  # that the old socket is gone is not noticed yet
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert after_greeting(again, alice.id) == text(ACK % 1)
    alice.client.lose()
    await again.say('{"type":"ping"}')
    assert again.socket.frames() == text('{"type":"pong"}')


async def test_what_waited_on_a_lost_socket_is_not_taken_beside_the_new_one(server: Server) -> None:
    alice = await connect(server)
    server.service.deliveries[CHAT].queued = delivery.MAX_QUEUED + 1
    await alice.client.say('{"type":"joinGroup","group":"old","ackId":1}')
    again = await alice.come_back()  # that the old socket is gone is not noticed yet
    server.service.deliveries[CHAT].queued = 0
    server.service.deliveries[CHAT]._write_slice()
    await turns()
    assert after_greeting(again, alice.id) == []
    alice.client.lose()
    await again.say('{"type":"joinGroup","group":"old","ackId":1}')
    assert again.socket.frames() == text(ACK % 1), "the client asks again for what got no ack"


async def test_sequence_acks_do_not_wait_for_an_event(
    time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_UNACKED", 2)
    held = Held()
    server = Server(Handler(e=held))
    alice = await connect(server)
    await alice.client.say(EVENT)
    for number in range(1, 6):
        await send_to_all(server, number)
        await alice.client.say(f'{{"type":"sequenceAck","sequenceId":{number}}}')
    await alice.client.say('{"type":"sendToGroup","group":"g","data":6,"ackId":2}', '{"type":"ping"')
    assert alice.client.socket.frames() == text(
        *(SERVER_MESSAGE % (number, number) for number in range(1, 6))
    )
    held.futures[0].set_result(EventAnswer())
    await turns()
    ack_of_event, message, ack, _ = alice.client.socket.frames()
    assert [ack_of_event, message, ack] == text(ACK % 1, GROUP_MESSAGE % (6, 6), ACK % 2)
    assert not alice.is_there, "and then what was no message"


async def test_a_goodbye_counts_though_the_socket_is_lost_before_its_turn(time: VirtualTime) -> None:
    server = Server(Handler(e=Held()))
    alice = await connect(server)
    await alice.client.say(EVENT)
    await alice.client.send(closing(1000, "bye"))
    alice.client.lose()
    await turns()
    assert not alice.is_there
    assert server.reasons == ["bye"]


async def test_who_misses_pings_loses_only_the_socket(server: Server) -> None:
    alice = await connect(server)
    for _ in range(80):
        server.service.keep_alive.tick()
    assert alice.client.socket.frames() == [(PING, b"")] * 3
    assert alice.client.socket.ended == ["abort"]
    alice.client.lose()
    await send_to_all(server, 1)
    assert after_greeting(await alice.come_back(), alice.id) == text(SERVER_MESSAGE % (1, 1))


@pytest.mark.feature("keep-alive")
async def test_the_ping_interval_is_a_setting_of_the_hub(server: Server) -> None:
    hubs = {CHAT: HubSettings(web_socket_keep_alive_interval_in_seconds=5)}
    server.service.settings = structs.replace(server.service.settings, hubs=hubs)
    alice = await connect(server)
    for _ in range(10):
        server.service.keep_alive.tick()
    assert alice.client.socket.frames() == [(PING, b"")] * 2


async def test_a_mistake_in_the_protocol_is_the_end(server: Server) -> None:
    alice = await connect(server)
    await alice.client.send(client_frame(0x82, b"{}"))
    assert alice.client.closed_with == (1003, "The JSON subprotocol requires text messages.")
    alice.client.lose()
    assert frames_after_upgrade(await alice.come_back(), RELIABLE_V1) == REFUSED
    assert server.reasons == ["The JSON subprotocol requires text messages."]


async def test_a_client_that_stops_reading_is_sent_the_rest_later(server: Server) -> None:
    alice = await connect(server)
    alice.client.protocol.pause_writing()
    await alice.client.say('{"type":"sendToGroup","group":"g","data":1,"ackId":1}')
    assert alice.client.socket.take() == b""
    alice.client.protocol.resume_writing()
    assert alice.client.socket.frames() == text(GROUP_MESSAGE % (1, 1), ACK % 1)


async def test_acks_that_were_held_are_not_sent_to_who_is_back(server: Server) -> None:
    alice = await connect(server)
    alice.client.protocol.pause_writing()
    await alice.client.say('{"type":"sendToGroup","group":"g","data":1,"ackId":1}')
    alice.client.lose()
    alice.client.protocol.resume_writing()
    assert after_greeting(await alice.come_back(), alice.id) == text(GROUP_MESSAGE % (1, 1))


async def test_a_client_that_comes_back_and_does_not_read_is_held_again(server: Server) -> None:
    alice = await connect(server)
    alice.client.lose()
    again = await alice.come_back()
    after_greeting(again, alice.id)
    again.protocol.pause_writing()
    alice.client.protocol.resume_writing()  # of the lost socket: of no importance
    await send_to_all(server, 1)
    assert again.socket.take() == b""
    again.protocol.resume_writing()
    assert again.socket.frames() == text(SERVER_MESSAGE % (1, 1))
