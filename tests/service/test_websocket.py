"""A client's socket from upgrade to end, with a fake transport: bytes in, bytes out, no sleeps."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from kit.service_peers import (
    BINARY,
    CHAT,
    CLOSE,
    KEY,
    PING,
    PONG,
    TEXT,
    Handler,
    Held,
    Socket,
    client_frame,
    text,
    token,
    turns,
)
from kit.service_sockets import ACCEPTED, Server, closing, upgrade
from webpubsub.model import actions
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    ConnectEventResponse,
    EventRequest,
    UserEventResponse,
)
from webpubsub.model.http import RequestHead
from webpubsub.model.ports import EventAnswer
from webpubsub.service import admission, service
from webpubsub.service.hub import delivery
from webpubsub.service.hub.connection import Stage
from webpubsub.service.settings import ServiceSettings


@pytest.fixture
async def server() -> Server:
    return Server()


EVENT = '{"type":"event","event":"e","data":1,"ackId":1}'
ACK = '{"type":"ack","ackId":1,"success":true}'
LARGE = '{"type":"sendToGroup","group":"x","dataType":"text","data":"%s"}' % ("x" * 600_000)


# --- the upgrade --------------------------------------------------------------------------------------


async def test_an_upgrade_a_greeting_and_a_request(server: Server) -> None:
    client = await server.connect()
    written = client.socket.take()
    head = ACCEPTED + b"Sec-WebSocket-Protocol: json.webpubsub.azure.v1\r\n\r\n"
    assert written.startswith(head)
    [name] = server.service.hub(CHAT).connections
    greeting = f'{{"type":"system","event":"connected","userId":"alice","connectionId":"{name}"}}'.encode()
    assert written[len(head) :] == b"\x81" + bytes([len(greeting)]) + greeting
    await client.say('{"type":"joinGroup","group":"x","ackId":1}')
    assert client.socket.frames() == text(ACK)
    assert server.open_sockets == {client.protocol}
    assert server.handler.names == ["connect", "connected"]


async def test_a_simple_client_gets_the_upgrade_and_nothing_else(server: Server) -> None:
    client = await server.connect(upgrade())
    assert client.socket.take() == ACCEPTED + b"\r\n"
    server.service.perform(CHAT, actions.SendToAllAction({"a": 1}))
    server.service.perform(CHAT, actions.SendToAllAction(b"\xff"))
    await turns()
    assert client.socket.frames() == [(TEXT, b'{"a":1}'), (BINARY, b"\xff")]


REFUSALS: list[tuple[str, RequestHead, int, bytes]] = [
    ("no WebSocket", structs.replace(upgrade(), method="POST"), 400, b"not a WebSocket request"),
    ("no token", upgrade(None), 401, b"the client has no access token"),
    ("forged", upgrade(token(key="x" * 32)), 401, b"the token is signed with another key"),
    ("invalid hub", upgrade(target="/client/hubs/1x"), 400, b"'1x' is not a valid hub name"),
    ("invalid group", upgrade(token(webpubsub_group=[" "])), 400, b"' ' is not a valid group name"),
    ("elsewhere", upgrade(target="/elsewhere"), 404, b"/elsewhere is not a client endpoint"),
    ("old", upgrade(Sec_WebSocket_Version="8"), 426, b"only version 13 of WebSocket is spoken here"),
    (
        "mode",
        upgrade(None, target="/client/hubs/chat?webpubsub_mode=sendToGroup"),
        400,
        b"webpubsub_mode is 'sendToGroup', but '' is not a valid group name",
    ),
]


@pytest.mark.parametrize(
    ("head", "status", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
async def test_refused_upgrades(server: Server, head: RequestHead, status: int, words: bytes) -> None:
    client = await server.connect(head)
    answer, _, body = client.socket.take().partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert body.startswith(words)
    assert client.socket.ended == ["close"]
    assert server.handler.events == []
    [event] = server.traced
    assert (event.name, event.phase, event.detail["status"]) == ("connection", "failed", status)
    client.lose()
    server.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("status", "answered"), [(401, 401), (403, 403), (429, 429), (503, 503), (302, 500), (599, 599)]
)
async def test_the_handlers_status_is_the_upgrades(status: int, answered: int) -> None:
    server = Server(Handler(connect=EventRefused(status, "for the log only")))
    client = await server.connect()
    head, _, body = client.socket.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % answered)
    assert body == b""
    assert client.socket.ended == ["close"]
    assert server.traced[-1].detail == {"status": answered, "reason": f"for the log only (status {status})"}
    client.lose()
    await turns()
    assert server.handler.names == ["connect"]
    server.assert_nothing_is_left()


@pytest.mark.parametrize("step", ["authenticate", "ask", "admit"])
async def test_a_fault_of_ours_is_500_and_reaches_asyncio(
    server: Server, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(admission, step, fail)
    client = await server.connect()
    assert client.socket.take().startswith(b"HTTP/1.1 500 ")
    assert client.socket.ended == ["close"]
    assert [str(error) for error in errors] == ["oh"]


async def test_frames_before_the_answer_refuse_the_upgrade() -> None:
    held = Held()
    server = Server(Handler(connect=held))
    client = await server.connect()
    await client.say(EVENT)
    assert client.socket.take().startswith(b"HTTP/1.1 400 ")
    assert client.socket.ended == ["close"]
    assert held.futures[0].cancelled()
    await client.say(EVENT)
    client.lose()
    assert client.socket.take() == b""
    await turns()
    server.assert_nothing_is_left()


async def test_a_client_that_goes_during_admission_cancels_the_call() -> None:
    held = Held()
    server = Server(Handler(connect=held))
    client = await server.connect()
    client.lose()
    await turns()
    assert held.futures[0].cancelled()
    assert client.socket.take() == b""
    assert server.handler.names == ["connect"]
    server.assert_nothing_is_left()


async def test_a_client_that_goes_before_admission_starts_is_not_admitted(server: Server) -> None:
    client = await server.connect(wait=False)
    client.lose()
    await turns()
    assert server.handler.events == []
    assert client.socket.take() == b""
    server.assert_nothing_is_left()


@pytest.mark.parametrize("outcome", [EventAnswer(), EventRefused(403, "no")])
async def test_a_handler_that_does_not_mind_being_cancelled_opens_nothing(outcome: Any) -> None:
    async def stubborn(_event: EventRequest) -> EventAnswer:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if isinstance(outcome, Exception):
                raise outcome from None
        return EventAnswer()

    server = Server(Handler(connect=stubborn))
    client = await server.connect()
    client.lose()
    await turns()
    assert client.socket.take() == b""
    server.assert_nothing_is_left()


async def test_shutdown_while_deciding_refuses_with_503() -> None:
    held = Held()
    server = Server(Handler(connect=held))
    client = await server.connect()
    client.protocol.shutdown()
    await turns()
    assert client.socket.take().startswith(b"HTTP/1.1 503 ")
    assert client.socket.ended == ["close"]
    assert held.futures[0].cancelled()
    client.protocol.shutdown()
    client.lose()
    assert client.socket.take() == b""
    server.assert_nothing_is_left()


@pytest.mark.feature("custom subprotocols")
async def test_the_connect_handlers_subprotocol_is_answered() -> None:
    server = Server(Handler(connect=EventAnswer(ConnectEventResponse(subprotocol="mine"))))
    client = await server.connect(upgrade(Sec_WebSocket_Protocol="other, Mine"))
    assert client.socket.take() == ACCEPTED + b"Sec-WebSocket-Protocol: Mine\r\n\r\n"


# --- frames -------------------------------------------------------------------------------------------


async def test_pings_are_answered_in_order_with_the_rest(server: Server) -> None:
    client = await server.open()
    await client.send(
        client_frame(PING, b"1"),
        client_frame(TEXT, b'{"type":"ping"}'),
        client_frame(PING, b""),
        client_frame(PONG, b"unasked"),
    )
    assert client.socket.frames() == [(PONG, b"1"), (TEXT, b'{"type":"pong"}'), (PONG, b"")]


async def test_a_message_may_come_in_pieces(server: Server) -> None:
    client = await server.open()
    frame = client_frame(0x01, b'{"type":') + client_frame(PING) + client_frame(0x80, b'"ping"}')
    for byte in frame:
        await client.send(bytes([byte]))
    assert client.socket.frames() == [(PONG, b""), (TEXT, b'{"type":"pong"}')]


async def test_who_pings_and_never_reads_is_cut_off(server: Server) -> None:
    client = await server.open()
    client.socket.buffered = 16 * 1024 * 1024 + 1
    await client.send(client_frame(PING, b"x"))
    assert client.closed_with == (1008, "The client does not read its messages.")


async def test_a_slow_consumer_is_cut_off(server: Server) -> None:
    slow, quick = await server.open(), await server.open()
    slow.socket.buffered = 16 * 1024 * 1024 + 1
    server.service.perform(CHAT, actions.SendToAllAction("hi"))
    await turns()
    message = '{"type":"message","from":"server","dataType":"text","data":"hi"}'
    assert quick.socket.frames() == text(message)
    written = slow.socket.frames()
    assert written[0] == (TEXT, message.encode())
    assert written[1] == (CLOSE, b"\x03\xf0The client does not read its messages.")
    assert server.reasons == ["The client does not read its messages."]
    slow.close_timer()._run()
    assert slow.socket.ended == ["abort"]
    server.service.perform(CHAT, actions.SendToAllAction("hi"))
    await turns()
    assert slow.socket.take() == b""


PROTOCOL_ERRORS = {
    "unmasked": (b"\x81\x02hi", 1002, "The client frame is invalid: it is not masked."),
    "reserved bit": (
        client_frame(0xC1, b"hi"),
        1002,
        "The client frame is invalid: a reserved bit is set though no extension was agreed.",
    ),
    "not UTF-8": (client_frame(TEXT, b"\xff"), 1007, "The client message is not UTF-8."),
    "too large": (
        b"\x82\xff\0\0\0\0\0\x10\0\x01",
        1009,
        "The client message is too large: it has more than 1048576 bytes.",
    ),
    "binary": (client_frame(BINARY, b"{}"), 1003, "The JSON subprotocol requires text messages."),
    "unknown type": (client_frame(TEXT, b'{"type":"x"}'), 1007, "the message type 'x' is unknown"),
    "close code": (closing(1005), 1002, "The client frame is invalid: it closes with no valid code."),
}


@pytest.mark.parametrize(
    ("data", "code", "reason"), PROTOCOL_ERRORS.values(), ids=list(PROTOCOL_ERRORS.keys())
)
async def test_protocol_errors_close_with_their_code(
    server: Server, data: bytes, code: int, reason: str
) -> None:
    client = await server.open()
    await client.send(data)
    assert client.closed_with == (code, reason)
    assert client.socket.ended == ["eof"]
    assert server.reasons == [reason]
    assert server.service.hubs == {}
    # What it still sends is not looked at, and does not pile up.
    for _ in range(10):
        await client.send(b"\xff" * 100_000)
    assert client.socket.take() == b""
    client.close_timer()
    client.lose()
    await turns()
    assert server.reasons == [reason]
    server.assert_nothing_is_left()


async def test_how_large_a_message_may_be_is_a_setting(server: Server) -> None:
    server.service.settings = structs.replace(server.service.settings, max_message_bytes=15)
    client = await server.open()
    await client.say('{"type":"ping"}')
    assert client.socket.frames() == text('{"type":"pong"}')
    await client.say('{"type":"ping" }')
    assert client.closed_with == (1009, "The client message is too large: it has more than 15 bytes.")


async def test_without_half_closing_the_whole_socket_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Socket, "can_write_eof", lambda _self: False)  # TLS
    client = await server.open()
    await client.send(b"\x81\x02hi")
    assert client.closed_with[0] == 1002
    assert client.socket.ended == ["close"]


async def test_a_long_reason_is_cut_in_the_close_frame_only(server: Server) -> None:
    client = await server.open()
    await client.say('{"type":"%s"}' % ("x" * 300))
    code, reason = client.closed_with
    assert (code, len(reason)) == (1007, 123)
    assert len(server.reasons[0]) > 300


# --- events -------------------------------------------------------------------------------------------


async def test_requests_wait_for_the_event_before_them() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(
        EVENT,
        '{"type":"joinGroup","group":"x","ackId":2}',
        '{"type":"event","event":"e","data":2,"ackId":3}',
    )
    await client.say('{"type":"sendToGroup","group":"x","data":1,"ackId":4}')
    assert client.socket.take() == b""
    assert set(server.service.hub(CHAT).groups) == {"g"}
    assert len(held.futures) == 1
    held.futures[0].set_result(EventAnswer(UserEventResponse("one")))
    await turns()
    reply = '{"type":"message","from":"server","dataType":"text","data":"one"}'
    assert client.socket.frames() == text(reply, ACK, '{"type":"ack","ackId":2,"success":true}')
    assert len(held.futures) == 2
    held.futures[1].set_result(EventAnswer())
    await turns()
    assert [body for _, body in client.socket.frames()] == [
        b'{"type":"ack","ackId":3,"success":true}',
        b'{"type":"message","from":"group","group":"x","fromUserId":"alice","dataType":"json","data":1}',
        b'{"type":"ack","ackId":4,"success":true}',
    ]
    await client.say('{"type":"ping"}')  # nothing waits any more
    assert client.socket.frames() == text('{"type":"pong"}')
    assert (client.connection.stage, client.connection.work) == (Stage.OPEN, None)


async def test_a_flood_waits_until_delivery_has_caught_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (delivery, service):
        monkeypatch.setattr(module, "MAX_QUEUED", 1)
    client = await server.open()
    flood = [f'{{"type":"sendToGroup","group":"g","data":{number}}}' for number in range(5)]
    client.protocol.data_received(b"".join(client_frame(TEXT, each.encode()) for each in flood))
    assert client.connection.waiting is not None
    assert len(client.connection.waiting) == 3
    await turns(20)
    assert [body[-2:] for _, body in client.socket.frames()] == [b"0}", b"1}", b"2}", b"3}", b"4}"]
    assert client.connection.waiting is None


async def test_a_flood_waits_for_a_member_that_reads_slowly_and_no_message_is_lost(server: Server) -> None:
    flooder, member = await server.open(), await server.open()
    flood = [f'{{"type":"sendToGroup","group":"g","noEcho":true,"data":{number}}}' for number in range(3000)]
    heard: list[int] = []

    def read() -> None:
        heard.extend(json.loads(body)["data"] for _, body in member.socket.frames())

    for start in range(0, 3000, 300):  # as the network cuts it
        member.protocol.pause_writing()
        piece = b"".join(client_frame(TEXT, each.encode()) for each in flood[start : start + 300])
        flooder.protocol.data_received(piece)
        await turns()
        assert flooder.connection.stage is Stage.BUSY
        member.protocol.resume_writing()
        await asyncio.wait_for(_until(lambda: flooder.connection.stage is Stage.OPEN), 5)
        await turns()  # what was taken last is written at the end of its turn
        read()
    assert heard == list(range(3000))
    assert flooder.socket.reading
    assert member.socket.ended == flooder.socket.ended == []


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - what happens is turns of the loop
        await asyncio.sleep(0)


async def test_who_never_reads_is_cut_off_and_the_others_get_every_message(server: Server) -> None:
    server.service.settings = msgspec.structs.replace(server.service.settings, patience_in_seconds=0)
    publisher, never, member = await server.open(), await server.open(), await server.open()
    never.protocol.pause_writing()
    for number in range(1500):
        await publisher.say(f'{{"type":"sendToGroup","group":"g","noEcho":true,"data":{number}}}')
    assert [json.loads(body)["data"] for _, body in member.socket.frames()] == list(range(1500))
    reason = "The client does not read its messages (patienceInSeconds)."
    assert never.closed_with == (1008, reason)
    assert server.reasons == [reason]
    never.close_timer()._run()
    assert never.socket.ended == ["abort"]


async def test_who_joins_thousands_of_groups_leaves_nothing_behind(server: Server) -> None:
    client, other = await server.open(), await server.open()
    for start in range(0, 9000, 1000):
        await client.say(
            *(
                f'{{"type":"joinGroup","group":"{number}","ackId":{number}}}'
                for number in range(start, start + 1000)
            )
        )
    assert sum(b'"success":true' in body for _, body in client.socket.frames()) == 9000
    assert len(server.service.hub(CHAT).groups) == 9001
    await other.say('{"type":"ping"}')
    assert other.socket.frames() == text('{"type":"pong"}')
    client.lose()
    await turns(20)
    assert set(server.service.hub(CHAT).groups) == {"g"}


async def test_messages_of_others_and_pings_do_not_wait() -> None:
    server = Server(Handler(e=Held()))
    client = await server.open()
    await client.say(EVENT)
    server.service.perform(CHAT, actions.SendToGroupAction("g", "hi"))
    await client.send(client_frame(PING, b"?"))
    message = b'{"type":"message","from":"group","group":"g","dataType":"text","data":"hi"}'
    assert client.socket.frames() == [(TEXT, message), (PONG, b"?")]


async def test_another_client_does_not_wait() -> None:
    server = Server(Handler(e=Held()))
    client, other = await server.open(), await server.open()
    await client.say(EVENT)
    await other.say('{"type":"ping"}')
    assert other.socket.frames() == text('{"type":"pong"}')


async def test_states_of_one_event_are_there_in_the_next_though_it_waited() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, EVENT)
    held.futures[0].set_result(EventAnswer(None, "b25l"))
    await turns()
    assert client.socket.frames()[1:] == text(
        '{"type":"ack","ackId":1,"success":false,"error":{"name":"Duplicate",'
        '"message":"Message with ack-id: 1 has been processed"}}'
    )
    await client.say(EVENT.replace("1}", "2}"))
    assert server.handler.events[-1].connection_context.states.header == "b25l"


async def test_reading_pauses_when_too_many_requests_wait() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    small = '{"type":"leaveGroup","group":"x"}'  # counts 257 bytes
    await client.say(EVENT, *[small] * 4080)
    assert client.socket.reading
    await client.say(small)
    assert not client.socket.reading
    await client.say(EVENT.replace("1}", "2}"))  # what was read before the pause is not lost
    held.futures[0].set_result(EventAnswer())
    await turns(50)
    assert client.socket.reading
    assert client.socket.frames() == text(ACK)
    held.futures[1].set_result(EventAnswer())
    await turns()
    assert client.socket.frames() == text('{"type":"ack","ackId":2,"success":true}')


async def test_reading_goes_on_when_half_has_been_taken() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    large = '{"type":"event","event":"e","dataType":"text","data":"%s"}' % ("x" * 100_000)
    await client.say(*[large] * 12)
    assert not client.socket.reading  # 11 wait, and 10 are more than 1 MiB less 48 KiB
    for number in range(12):
        assert client.socket.reading is (number > 5), number  # 11 - number wait
        held.futures[number].set_result(EventAnswer())
        await turns()


async def test_reading_pauses_when_too_many_bytes_wait() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, LARGE)
    assert client.socket.reading
    await client.say(LARGE)
    assert not client.socket.reading
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert client.socket.reading


async def test_a_waiting_request_that_is_no_message_closes_in_its_turn() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    leave = '{"type":"leaveGroup","group":"x","ackId":2}'
    await client.say(EVENT, leave, "junk", '{"type":"ping"}')
    assert client.socket.ended == []
    assert client.socket.take() == b""
    held.futures[0].set_result(EventAnswer())
    await turns()
    written = client.socket.frames()
    assert written[:2] == text(ACK, '{"type":"ack","ackId":2,"success":true}')
    assert written[2][1][:2] == b"\x03\xef"
    assert len(written) == 3
    assert client.socket.ended == ["eof"]


async def test_a_failed_event_ends_a_simple_client() -> None:
    server = Server(Handler(message=EventRefused(500, "secret")))
    client = await server.open(simple=True)
    await client.say("hi", "again")
    assert client.closed_with == (1011, "Internal server error")
    assert server.handler.names == ["connect", "connected", "message", "disconnected"]


async def test_without_a_handler_a_simple_client_is_closed(server: Server) -> None:
    server.service.settings = ServiceSettings(access_keys=(KEY,))
    server.handler.answers["message"] = EventRefused(404, "nobody takes it")
    client = await server.open(simple=True)
    await client.say("hi")
    assert client.closed_with[0] == 1011


async def test_a_fault_of_ours_in_an_event_closes_with_1011(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    server = Server()

    async def raise_event(*_args: Any) -> None:
        raise ZeroDivisionError("oh")

    client = await server.open()
    monkeypatch.setattr(server.service, "raise_event", raise_event)
    await client.say(EVENT)
    assert client.closed_with == (1011, "Internal server error")
    assert [str(error) for error in errors] == ["oh"]


async def test_who_goes_cancels_the_event_under_way() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, EVENT)
    client.lose(ConnectionResetError())
    await turns()
    assert held.futures[0].cancelled()
    assert len(held.futures) == 1
    assert server.handler.names == ["connect", "connected", "e", "disconnected"]
    server.assert_nothing_is_left()


# --- the client closes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "answer", "code", "reason"),
    [
        (closing(1000, "done"), b"\x03\xe8", 1000, "done"),
        (closing(1001), b"\x03\xe9", 1001, ""),
        (closing(4321, "own"), b"\x10\xe1", 4321, "own"),
        (closing(None), b"", None, ""),
    ],
)
async def test_the_clients_close_is_echoed(
    server: Server, frame: bytes, answer: bytes, code: int | None, reason: str
) -> None:
    client = await server.open()
    server.service.perform(CHAT, actions.SendToAllAction("last"))
    await client.send(frame, client_frame(TEXT, b'{"type":"ping"}'))
    assert client.socket.frames() == [
        (TEXT, b'{"type":"message","from":"server","dataType":"text","data":"last"}'),
        (CLOSE, answer),
    ]
    assert client.socket.ended == ["close"]
    assert server.service.hubs == {}, "gone at once, even if the socket takes its time"
    assert server.reasons == [reason]
    assert server.traced[-3].detail == {"code": code, "reason": reason}
    timer = client.close_timer()
    client.lose()
    assert timer.cancelled()
    await turns()
    assert server.reasons == [reason]
    server.assert_nothing_is_left()


async def test_what_a_client_asked_for_before_it_closed_is_done_first() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, '{"type":"event","event":"e","data":2,"ackId":2}')
    await client.send(closing(1000, "done"))
    await client.say('{"type":"ping"}')  # what comes after a close is not looked at
    assert client.socket.take() == b""
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert client.socket.frames() == text(ACK)
    held.futures[1].set_result(EventAnswer())
    await turns()
    assert client.socket.frames() == [*text('{"type":"ack","ackId":2,"success":true}'), (CLOSE, b"\x03\xe8")]
    assert client.socket.ended == ["close"]
    await turns()
    assert server.reasons == ["done"]
    client.lose()
    server.assert_nothing_is_left()


async def test_a_client_that_closes_and_then_goes_cancels_what_it_asked_for() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, EVENT)
    await client.send(closing(1000, "done"))
    client.lose()
    await turns()
    assert [future.cancelled() for future in held.futures] == [True]
    assert server.reasons == ["done"]
    server.assert_nothing_is_left()


async def test_a_close_behind_an_event_that_ends_the_connection() -> None:
    server = Server(Handler(message=EventRefused(500, "no")))
    client = await server.open(simple=True)
    await client.send(client_frame(TEXT, b"x"), closing(1000))
    await turns()
    [(head, body)] = client.socket.frames()
    assert (head, body[:2]) == (CLOSE, b"\x03\xf3")
    assert client.socket.ended == ["close"], "both have said goodbye"
    client.lose()
    server.assert_nothing_is_left()


async def test_who_is_lost_while_it_does_not_read_leaves_nothing(server: Server) -> None:
    client = await server.open()
    client.protocol.pause_writing()
    client.lose(ConnectionResetError())
    await turns()
    server.assert_nothing_is_left()
    assert server.service.deliveries == {}


async def test_a_client_that_closes_but_does_not_read_is_aborted(server: Server) -> None:
    """Closing waits for what is not yet written, which may be for ever."""
    client = await server.open()
    client.socket.buffered = 1000
    await client.send(closing(1000))
    client.close_timer()._run()
    assert client.socket.ended == ["close", "abort"]


async def test_a_lost_connection_is_gone(server: Server) -> None:
    client = await server.open()
    client.lose(ConnectionResetError())
    await turns()
    assert server.handler.names == ["connect", "connected", "disconnected"]
    assert server.reasons == [""]
    server.assert_nothing_is_left()


async def test_an_end_without_a_close_frame_closes_our_side_too(server: Server) -> None:
    client = await server.open()
    assert client.protocol.eof_received() is False


# --- the server closes --------------------------------------------------------------------------------


async def test_a_close_by_rest(server: Server) -> None:
    client = await server.open()
    server.service.perform(CHAT, actions.SendToAllAction("last"))
    server.service.perform(CHAT, actions.CloseAllConnectionsAction(reason="lunch"))
    assert client.socket.frames() == [
        (TEXT, b'{"type":"message","from":"server","dataType":"text","data":"last"}'),
        (
            TEXT,
            b'{"type":"system","event":"disconnected",'
            b'"message":"Application server closed the connection. Reason: lunch"}',
        ),
        (CLOSE, b"\x03\xe8"),
    ]
    assert client.socket.ended == []
    await turns()
    assert server.reasons == ["Application server closed the connection. Reason: lunch"]
    await client.say('{"type":"ping"}')  # no longer answered
    await client.send(client_frame(PING))
    server.service.perform(CHAT, actions.CloseAllConnectionsAction())
    assert client.socket.take() == b""
    await client.send(closing(1000))
    assert client.socket.ended == ["close"]
    assert client.socket.take() == b"", "one close frame is enough"
    client.lose()
    await turns()
    assert len(server.reasons) == 1
    server.assert_nothing_is_left()


async def test_simple_clients_are_closed_without_a_word(server: Server) -> None:
    client = await server.open(simple=True)
    server.service.perform(CHAT, actions.CloseAllConnectionsAction(reason="lunch"))
    assert client.socket.frames() == [(CLOSE, b"\x03\xe8")]


async def test_who_does_not_answer_a_close_is_aborted(server: Server) -> None:
    client = await server.open()
    server.service.perform(CHAT, actions.CloseAllConnectionsAction())
    client.close_timer()._run()
    assert client.socket.ended == ["abort"]


async def test_a_bad_frame_instead_of_the_close_answer_ends_it(server: Server) -> None:
    client = await server.open()
    server.service.perform(CHAT, actions.CloseAllConnectionsAction())
    client.socket.take()
    await client.send(b"\x81\x02hi")
    assert client.socket.take() == b""
    assert client.socket.ended == ["eof"]


async def test_a_close_lets_reading_go_on_so_that_the_answer_is_seen() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT, *[LARGE] * 2)
    assert not client.socket.reading
    server.service.perform(CHAT, actions.CloseAllConnectionsAction())
    assert client.socket.reading
    await client.send(closing(1000))
    assert client.socket.ended == ["close"]
    client.socket.take()
    held.futures[0].set_result(EventAnswer(UserEventResponse("late")))
    await turns()
    assert client.socket.take() == b""
    client.lose()
    await turns()
    server.assert_nothing_is_left()


async def test_shutdown_says_goodbye(server: Server) -> None:
    client = await server.open()
    client.protocol.shutdown()
    assert client.socket.frames() == [
        (TEXT, b'{"type":"system","event":"disconnected","message":"Service reload"}'),
        (CLOSE, b"\x03\xe9Service reload"),
    ]
    client.protocol.shutdown()
    assert client.socket.take() == b""
    await turns()
    assert server.reasons == ["Service reload"]
    client.close_timer()


async def test_events_under_way_are_cancelled_when_a_closed_client_is_gone() -> None:
    held = Held()
    server = Server(Handler(e=held))
    client = await server.open()
    await client.say(EVENT)
    client.protocol.shutdown()
    await turns()
    assert not held.futures[0].cancelled()
    client.lose()
    await turns()
    assert held.futures[0].cancelled()
    server.assert_nothing_is_left()


# --- pings --------------------------------------------------------------------------------------------


def ticks(server: Server, seconds: int) -> None:
    for _ in range(seconds):
        server.service.keep_alive.tick()


@pytest.mark.feature("keep-alive")
async def test_everybody_is_pinged_every_20_seconds(server: Server) -> None:
    clients = [await server.open() for _ in range(45)]
    ticks(server, 20)
    assert [client.socket.take() for client in clients] == [b"\x89\x00"] * 45
    ticks(server, 20)
    assert [client.socket.take() for client in clients] == [b"\x89\x00"] * 45


@pytest.mark.feature("keep-alive")
async def test_three_missed_pings_are_too_many(server: Server) -> None:
    client = await server.open()
    ticks(server, 60)
    assert client.socket.frames() == [(PING, b"")] * 3
    ticks(server, 20)
    assert client.closed_with == (1008, "PingTimeout")
    await turns()
    assert server.reasons == ["PingTimeout"]
    ticks(server, 40)
    assert client.socket.take() == b""
    assert not any(server.service.keep_alive._shares)


async def test_anything_received_counts_as_an_answer(server: Server) -> None:
    client = await server.open()
    for _ in range(5):
        ticks(server, 60)
        await client.send(b"\x8a")  # half a pong
        await client.send(b"\x80\0\0\0\0")
    assert client.socket.frames() == [(PING, b"")] * 15


async def test_a_client_we_do_not_read_from_is_not_blamed() -> None:
    server = Server(Handler(e=Held()))
    client = await server.open()
    await client.say(EVENT, *[LARGE] * 2)
    assert not client.socket.reading
    ticks(server, 200)
    assert client.socket.frames() == [(PING, b"")] * 10
