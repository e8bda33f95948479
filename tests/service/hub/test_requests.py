"""What clients' requests do: client spec, sections 3.4 to 3.6."""

from __future__ import annotations

from typing import Any

import pytest

from kit.service_peers import CHAT, JSON, connection, group, raw_connection, server_frames
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import ConnectEventResponse, UserEventRequest, UserEventResponse
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.effects import Close, Deliver, Effects, Raise
from webpubsub.service.hub.hub import Hub
from webpubsub.service.hub.requests import complete_event, fail_event, take_request
from webpubsub.service.protocols.messages import RaiseEvent
from webpubsub.service.protocols.raw import RawPublisher

EVERYTHING = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]


def client(hub: Hub, *roles: str, name: str = "c1", user: str | None = "alice") -> Connection:
    found = connection(name, user, roles=roles)
    hub.add(found)
    return found


def sent(effects: Effects) -> list[tuple[str, str]]:
    """(connection id, text), in order."""
    found: list[tuple[str, str]] = []
    for effect in effects:
        assert isinstance(effect, Deliver)
        [(_, body)] = server_frames(effect.frame)
        found += [(receiver.id, body.decode()) for receiver in effect.receivers]
    return found


def ask(hub: Hub, sender: Connection, request: str) -> list[str]:
    """What the sender itself is told."""
    effects = take_request(hub, sender, sender.codec.decode(True, request.encode()))
    return [body for name, body in sent(effects) if name == sender.id]


def raised(hub: Hub, sender: Connection, request: str) -> Raise:
    [effect] = take_request(hub, sender, sender.codec.decode(True, request.encode()))
    assert isinstance(effect, Raise)
    return effect


ACK = '{"type":"ack","ackId":1,"success":true}'
DUPLICATE = (
    '{"type":"ack","ackId":1,"success":false,"error":{"name":"Duplicate",'
    '"message":"Message with ack-id: 1 has been processed"}}'
)
FAILED = (
    '{"type":"ack","ackId":1,"success":false,"error":{"name":"InternalServerError",'
    '"message":"Internal server error"}}'
)


def forbidden(verb: str) -> str:
    return (
        '{"type":"ack","ackId":1,"success":false,"error":{"name":"Forbidden","message":'
        f"\"The client does not have permission to {verb} group 'g'.\"}}}}"
    )


@pytest.fixture
def hub() -> Hub:
    return Hub(CHAT)


def test_join_and_leave(hub: Hub) -> None:
    alice = client(hub, *EVERYTHING)
    assert ask(hub, alice, '{"type":"joinGroup","group":"g","ackId":1}') == [ACK]
    assert set(alice.groups) == {"g"}
    assert ask(hub, alice, '{"type":"leaveGroup","group":"g","ackId":2}') == [ACK.replace("1", "2", 1)]
    assert alice.groups == {}


def test_without_an_ack_id_there_is_no_answer(hub: Hub) -> None:
    alice = client(hub, *EVERYTHING)
    assert ask(hub, alice, '{"type":"joinGroup","group":"g"}') == []
    assert set(alice.groups) == {"g"}
    nobody = client(hub, name="c2")
    assert ask(hub, nobody, '{"type":"joinGroup","group":"g"}') == []
    assert nobody.groups == {}


@pytest.mark.parametrize(
    ("request_text", "verb", "role"),
    [
        ('{"type":"joinGroup","group":"g","ackId":1}', "join", "webpubsub.sendToGroup"),
        ('{"type":"leaveGroup","group":"g","ackId":1}', "leave", "webpubsub.sendToGroup"),
        ('{"type":"sendToGroup","group":"g","data":1,"ackId":1}', "send to", "webpubsub.joinLeaveGroup"),
    ],
)
def test_without_the_role_it_is_forbidden(hub: Hub, request_text: str, verb: str, role: str) -> None:
    alice = client(hub, role)
    hub.join(alice, group("g"))
    assert ask(hub, alice, request_text) == [forbidden(verb)]
    assert set(alice.groups) == {"g"}
    assert alice.acks is None


def test_a_failed_request_may_be_tried_again_under_the_same_id(hub: Hub) -> None:
    alice = client(hub)
    join = '{"type":"joinGroup","group":"g","ackId":1}'
    assert ask(hub, alice, join) == [forbidden("join")]
    alice.permissions = connection(roles=EVERYTHING).permissions
    assert ask(hub, alice, join) == [ACK]
    assert ask(hub, alice, join) == [DUPLICATE]


@pytest.mark.parametrize(
    "second",
    [
        '{"type":"joinGroup","group":"h","ackId":1}',
        '{"type":"leaveGroup","group":"g","ackId":1}',
        '{"type":"sendToGroup","group":"g","data":1,"ackId":1}',
        '{"type":"event","event":"e","data":1,"ackId":1}',
    ],
)
def test_an_ack_id_is_good_for_one_request_of_any_kind(hub: Hub, second: str) -> None:
    alice = client(hub, *EVERYTHING)
    assert ask(hub, alice, '{"type":"joinGroup","group":"g","ackId":1}') == [ACK]
    assert ask(hub, alice, second) == [DUPLICATE]
    assert set(alice.groups) == {"g"}


@pytest.mark.parametrize("ack_id", [0, 2**64 - 1])
def test_the_smallest_and_the_largest_ack_id(hub: Hub, ack_id: int) -> None:
    alice = client(hub, *EVERYTHING)
    join = f'{{"type":"joinGroup","group":"g","ackId":{ack_id}}}'
    assert ask(hub, alice, join) == [f'{{"type":"ack","ackId":{ack_id},"success":true}}']
    assert '"Duplicate"' in ask(hub, alice, join)[0]


def test_the_last_thousand_ack_ids_are_remembered(hub: Hub) -> None:
    alice = client(hub, *EVERYTHING)
    join = '{"type":"joinGroup","group":"g","ackId":%d}'
    for ack_id in range(1000):
        ask(hub, alice, join % ack_id)
    assert '"Duplicate"' in ask(hub, alice, join % 0)[0], "and what comes again takes no place"
    assert ask(hub, alice, join % 1000) == ['{"type":"ack","ackId":1000,"success":true}']
    assert ask(hub, alice, join % 0) == ['{"type":"ack","ackId":0,"success":true}']
    assert all('"Duplicate"' in ask(hub, alice, join % ack_id)[0] for ack_id in range(2, 1001))


def test_ack_ids_are_each_connections_own(hub: Hub) -> None:
    join = '{"type":"joinGroup","group":"g","ackId":1}'
    assert ask(hub, client(hub, *EVERYTHING, name="c1"), join) == [ACK]
    assert ask(hub, client(hub, *EVERYTHING, name="c2"), join) == [ACK]


MESSAGE = (
    '{"type":"message","from":"group","group":"g","fromUserId":"alice",'
    '"dataType":"json","data":{"b":1,"a":2}}'
)
SEND = '{"type":"sendToGroup","group":"g","data":{"b":1,"a":2},"ackId":1}'


def test_a_message_reaches_the_group_and_its_sender_before_the_ack(hub: Hub) -> None:
    alice, bob = client(hub, *EVERYTHING), client(hub, name="c2", user="bob")
    hub.join(alice, group("g"))
    hub.join(bob, group("g"))
    effects = take_request(hub, alice, JSON.decode(True, SEND.encode()))
    assert sent(effects) == [("c1", MESSAGE), ("c2", MESSAGE), ("c1", ACK)]


def test_no_echo_leaves_out_the_sending_connection_only(hub: Hub) -> None:
    alice, again = client(hub, *EVERYTHING), client(hub, name="c2", user="alice")
    hub.join(alice, group("g"))
    hub.join(again, group("g"))
    quiet = SEND.replace('"ackId"', '"noEcho":true,"ackId"')
    assert sent(take_request(hub, alice, JSON.decode(True, quiet.encode()))) == [("c2", MESSAGE), ("c1", ACK)]


def test_sending_needs_no_membership_and_no_user(hub: Hub) -> None:
    sender = client(hub, "webpubsub.sendToGroup", user=None)
    receiver = client(hub, name="c2")
    hub.join(receiver, group("g"))
    [(name, body), (_, ack)] = sent(take_request(hub, sender, JSON.decode(True, SEND.encode())))
    assert (name, ack) == ("c2", ACK)
    assert body == '{"type":"message","from":"group","group":"g","dataType":"json","data":{"b":1,"a":2}}'


def test_metadata_and_lifetime_go_with_the_message(hub: Hub) -> None:
    alice = client(hub, *EVERYTHING)
    hub.join(alice, group("g"))
    sending = SEND.replace('"ackId":1', '"metadata":{"a":"b"},"ttlSeconds":5')
    [effect] = take_request(hub, alice, JSON.decode(True, sending.encode()))
    assert isinstance(effect, Deliver)
    assert effect.ttl_seconds == 5
    assert sent([effect]) == [("c1", MESSAGE[:-1] + ',"metadata":{"a":"b"}}')]


@pytest.mark.feature("simple publishers")
def test_a_simple_client_may_publish(hub: Hub) -> None:
    sender = raw_connection()
    sender.permissions = connection(roles=EVERYTHING).permissions
    receiver = client(hub, name="c2")
    hub.join(receiver, group("g"))
    request = RawPublisher(group("g")).decode(True, b"hi")
    assert sent(take_request(hub, sender, request)) == [
        ("c2", '{"type":"message","from":"group","group":"g","dataType":"text","data":"hi"}')
    ]


def test_a_simple_client_that_may_not_publish_is_closed(hub: Hub) -> None:
    sender = raw_connection()
    reason = "The client does not have permission to send to group 'g'."
    request = RawPublisher(group("g")).decode(True, b"hi")
    assert take_request(hub, sender, request) == [Close(sender, 1008, reason, reason)]


def test_sending_to_an_empty_group_succeeds(hub: Hub) -> None:
    assert ask(hub, client(hub, *EVERYTHING), SEND) == [ACK]
    assert hub.groups == {}


def test_ping_and_sequence_ack(hub: Hub) -> None:
    alice = client(hub)
    assert ask(hub, alice, '{"type":"ping"}') == ['{"type":"pong"}']
    assert ask(hub, alice, '{"type":"sequenceAck","sequenceId":1}') == []


# --- events -------------------------------------------------------------------------------------------

EVENT = '{"type":"event","event":"Echo","dataType":"text","data":"hi","ackId":1}'


def test_an_event_goes_to_its_handler_with_all_it_needs(hub: Hub) -> None:
    alice = client(hub)
    alice.states = ConnectionStates("c3RhdGU=")
    alice.subprotocol = "json.webpubsub.azure.v1"
    effect = raised(hub, alice, EVENT)
    context = effect.request.connection_context
    assert isinstance(effect.request, UserEventRequest)
    assert effect.request.payload == Payload.of("hi")
    assert (context.event_type, context.event_name, context.hub) == ("user", "Echo", "chat")
    assert (context.connection_id, context.user_id, context.event_id) == ("c1", "alice", 1)
    assert (context.states.header, context.subprotocol) == ("c3RhdGU=", "json.webpubsub.azure.v1")
    assert raised(hub, alice, EVENT).request.connection_context.event_id == 2


def answer(data: Any = None, state: str | None = None) -> EventAnswer:
    return EventAnswer(None if data is None else UserEventResponse(data), state)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ("hello", '{"type":"message","from":"server","dataType":"text","data":"hello"}'),
        ({"a": 1}, '{"type":"message","from":"server","dataType":"json","data":{"a":1}}'),
        (b"\x01", '{"type":"message","from":"server","dataType":"binary","data":"AQ=="}'),
    ],
)
def test_the_reply_comes_before_the_ack(hub: Hub, data: Any, body: str) -> None:
    alice = client(hub)
    message = raised(hub, alice, EVENT).message
    assert sent(complete_event(alice, message, answer(data))) == [("c1", body), ("c1", ACK)]


def test_without_data_there_is_only_the_ack(hub: Hub) -> None:
    alice = client(hub)
    message = raised(hub, alice, EVENT).message
    assert sent(complete_event(alice, message, answer())) == [("c1", ACK)]
    assert ask(hub, alice, EVENT) == [DUPLICATE]
    no_ack = RaiseEvent(message.event, message.payload)
    assert complete_event(alice, no_ack, answer()) == []
    assert complete_event(alice, no_ack, EventAnswer(ConnectEventResponse())) == []


@pytest.mark.feature("metadata")
def test_metadata_goes_to_the_handler_and_back(hub: Hub) -> None:
    alice = client(hub)
    effect = raised(hub, alice, EVENT.replace('"ackId"', '"metadata":{"a":"b"},"ackId"'))
    assert effect.request.metadata == {"a": "b"}
    answered = EventAnswer(UserEventResponse("hello"), metadata={"c": "d"})
    assert sent(complete_event(alice, effect.message, answered)) == [
        (
            "c1",
            '{"type":"message","from":"server","dataType":"text","data":"hello","metadata":{"c":"d"}}',
        ),
        ("c1", ACK),
    ]


@pytest.mark.parametrize("response", [None, UserEventResponse()])
def test_an_answer_of_metadata_alone_is_an_empty_text(hub: Hub, response: UserEventResponse | None) -> None:
    alice, simple = client(hub), raw_connection()
    message = RaiseEvent("e", Payload.of("hi"))  # type: ignore[arg-type]
    answered = EventAnswer(response, metadata={"c": "d"})
    assert sent(complete_event(alice, message, answered)) == [
        ("c1", '{"type":"message","from":"server","dataType":"text","data":"","metadata":{"c":"d"}}')
    ]
    assert complete_event(simple, message, answered) == [Deliver(b"\x81\x00", (simple,))]


def test_an_answer_may_be_protobuf(hub: Hub) -> None:
    payload = Payload(b"\x0a\x01x", WebPubSubDataType.PROTOBUF)
    alice = client(hub)
    message = RaiseEvent("e", Payload.of("hi"))  # type: ignore[arg-type]
    answered = EventAnswer(UserEventResponse(payload, payload.data_type))
    assert sent(complete_event(alice, message, answered)) == [
        ("c1", '{"type":"message","from":"server","dataType":"protobuf","data":"CgF4"}')
    ]


def test_states_are_kept_until_changed(hub: Hub) -> None:
    alice = client(hub)
    message = raised(hub, alice, EVENT).message
    complete_event(alice, message, answer(state="b25l"))
    assert raised(hub, alice, EVENT.replace("1}", "2}")).request.connection_context.states.header == "b25l"
    complete_event(alice, message, answer())
    assert alice.states.header == "b25l"
    complete_event(alice, message, answer(state=""))
    assert alice.states.header == ""


def test_a_failed_event_is_not_remembered(hub: Hub) -> None:
    alice = client(hub)
    message = raised(hub, alice, EVENT).message
    refused = EventRefused(401, "the reason stays here")
    assert sent(fail_event(alice, message, refused)) == [("c1", FAILED)]
    assert raised(hub, alice, EVENT).message == message


def test_a_failed_event_without_an_ack_id_is_not_seen(hub: Hub) -> None:
    alice = client(hub)
    message = raised(hub, alice, EVENT.replace(',"ackId":1', "")).message
    assert fail_event(alice, message, EventRefused(500, "")) == []


def test_a_failed_event_ends_a_simple_client(hub: Hub) -> None:
    simple = raw_connection()
    hub.add(simple)
    [effect] = take_request(hub, simple, simple.codec.decode(True, b"hi"))
    assert isinstance(effect, Raise)
    assert effect.request.connection_context.event_name == "message"
    failed = fail_event(simple, effect.message, EventRefused(500, "secret"))
    assert failed == [Close(simple, 1011, "Internal server error", "Internal server error")]


def test_a_simple_client_gets_the_reply_alone(hub: Hub) -> None:
    simple = raw_connection()
    message = RaiseEvent("message", Payload.of("hi"))  # type: ignore[arg-type]
    [effect] = complete_event(simple, message, answer({"a": 1}))
    assert effect == Deliver(b'\x81\x07{"a":1}', (simple,))
