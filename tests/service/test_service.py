"""The life of a connection between its client and the event handler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from kit.service_peers import (
    CHAT,
    CLOSE,
    JSON,
    JSON_V1,
    KEY,
    NOW,
    SECOND_KEY,
    Handler,
    Held,
    Shell,
    admit,
    enter,
    send,
    serve,
    settings,
    text,
    token,
    turns,
)
from webpubsub.model import actions, rest
from webpubsub.model.errors import EventRefused, PeerError, RestError, TokenError
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    UserEventRequest,
    UserEventResponse,
)
from webpubsub.model.names import HubName
from webpubsub.model.ports import EventAnswer
from webpubsub.model.trace import Name, Trace, TraceEvent
from webpubsub.service.hub.connection import Connection, Ending
from webpubsub.service.hub.effects import Raise
from webpubsub.service.protocols import RAW
from webpubsub.service.protocols.handshake import ClientRequest
from webpubsub.service.service import Service
from webpubsub.service.settings import ServiceSettings

ALL = "connect", "connected", "disconnected"


def service(handler: Handler | None = None, *system_events: Any, **given: Any) -> Service:
    found = given.pop("settings", None) or settings(*system_events, keys=(KEY, SECOND_KEY))
    return serve(found, handler or Handler(), **given)


def request(client_token: str | None = None, *subprotocols: str, hub: str = "chat") -> ClientRequest:
    return ClientRequest(
        hub=HubName(hub),
        key=b"",
        token=token() if client_token is None else client_token,
        audiences=(f"http://localhost:8080/client/hubs/{hub}",),
        subprotocols=subprotocols or (JSON_V1,),
        query={"q": ["1"]},
        headers=[(b"host", b"localhost:8080"), (b"authorization", b"Bearer x")],
    )


async def admitted(found: Service, *args: Any, **given: Any) -> Connection:
    connection, _ = await admit(found, request(*args, **given))
    return connection


class Client:
    """A connection that is open, with its socket and how that is to end."""

    def __init__(self, found: Service, connection: Connection, groups: Iterable[str] = ()) -> None:
        self.service, self.connection = found, connection
        self.shell = Shell()
        self.socket = enter(found, connection, *groups, shell=self.shell)

    def closed(self, code: int | None = 1000, reason: str = "bye") -> None:
        self.service.closed(self.connection, code, reason)

    @property
    def closed_with(self) -> tuple[int, str]:
        """Code and reason of the close frame, the last one written; the client has not said goodbye."""
        assert self.shell.endings == [Ending.AWAIT]
        head, body = self.socket.frames()[-1]
        assert head == CLOSE
        return int.from_bytes(body[:2]), body[2:].decode()


async def connect(found: Service, *args: Any) -> Client:
    connection, groups = await admit(found, request(*args))
    return Client(found, connection, groups)


# --- admission ----------------------------------------------------------------------------------------


async def test_a_token_says_user_roles_and_groups() -> None:
    found = service()
    roles = ["webpubsub.joinLeaveGroup"]
    connection, groups = await admit(
        found, request(token(sub="alice", role=roles, webpubsub_group=["a", "b"]))
    )
    assert (connection.hub, connection.user_id, connection.states.header) == ("chat", "alice", None)
    assert groups == ("a", "b")
    assert connection.permissions.allow(actions.WebPubSubPermission.JOIN_LEAVE_GROUP, groups[0])
    assert (connection.subprotocol, connection.codec) == (JSON_V1, JSON)
    assert len(connection.id) == 32
    assert int(connection.id, 16)
    assert found.hubs == {}, "a connection is invisible until it opens"


async def test_connection_ids_differ() -> None:
    found = service()
    assert (await admitted(found)).id != (await admitted(found)).id


async def test_an_anonymous_client_and_an_empty_user() -> None:
    found = service()
    assert (await admitted(found)).user_id is None
    assert (await admitted(found, token(sub=""))).user_id == ""


async def test_either_key_may_have_signed() -> None:
    assert (await admitted(service(), token(key=SECOND_KEY, sub="bob"))).user_id == "bob"


@pytest.mark.parametrize(
    ("client_token", "words"),
    [
        ("", "the client has no access token"),
        ("junk", "cannot be read"),
        (token(key="another key of thirty-two characters"), "signed with another key"),
        (token(exp=NOW - 301), "expired"),
        (token(nbf=NOW + 301), "not valid for another"),
        (token("http://localhost:8080/client/hubs/other"), "the token is for"),
        (token("http://elsewhere/client/hubs/chat"), "the token is for"),
    ],
)
async def test_without_a_valid_token_nobody_is_asked(client_token: str, words: str) -> None:
    handler = Handler()
    asked = request(client_token or None)
    if not client_token:
        asked = ClientRequest(
            **{name: getattr(asked, name) for name in asked.__struct_fields__} | {"token": None}
        )
    with pytest.raises(TokenError, match=words) as caught:
        await admit(service(handler, *ALL), asked)
    assert caught.value.status == 401
    assert handler.events == []


@pytest.mark.parametrize("name", ["", "  ", "g" * 1025])
async def test_an_invalid_group_in_the_token_is_400(name: str) -> None:
    handler = Handler()
    with pytest.raises(PeerError) as caught:
        await admitted(service(handler, *ALL), token(webpubsub_group=["ok", name]))
    assert caught.value.status == 400
    assert handler.events == []


async def test_the_connect_event_tells_everything() -> None:
    handler = Handler()
    connection = await admitted(
        service(handler, *ALL), token(sub="alice", role="r", custom=1), "custom", JSON_V1
    )
    [event] = handler.events
    assert isinstance(event, ConnectEventRequest)
    context = event.connection_context
    assert (context.event_type, context.event_name, context.event_id) == ("system", "connect", 0)
    assert (context.hub, context.connection_id, context.user_id) == ("chat", connection.id, "alice")
    assert context.subprotocol is None
    assert context.states.header is None
    assert event.claims["sub"] == ["alice"]
    assert event.claims["role"] == ["r"]
    assert event.claims["custom"] == ["1"]
    assert event.query == {"q": ["1"]}
    assert event.headers == {"host": ["localhost:8080"]}
    assert event.subprotocols == ("custom", JSON_V1)


TOKEN = token(sub="alice", role=["webpubsub.sendToGroup"], webpubsub_group=["a"])
SEND = actions.WebPubSubPermission.SEND_TO_GROUP


@pytest.mark.parametrize(
    ("response", "user", "groups", "may_send"),
    [
        (None, "alice", ("a",), True),
        (ConnectEventResponse(), "alice", ("a",), True),
        (UserEventResponse("x"), "alice", ("a",), True),  # not an answer to this event
        (ConnectEventResponse(user_id="bob"), "bob", ("a",), True),
        (ConnectEventResponse(user_id=""), "", ("a",), True),
        (ConnectEventResponse(groups=["b", "c"]), "alice", ("b", "c"), True),
        (ConnectEventResponse(groups=[]), "alice", ("a",), True),  # only a non-empty list replaces
        (ConnectEventResponse(roles=[]), "alice", ("a",), False),
        (ConnectEventResponse(roles=["webpubsub.sendToGroup.x"]), "alice", ("a",), False),
    ],
)
async def test_the_connect_handler_may_override(
    response: Any, user: str, groups: tuple[str, ...], may_send: bool
) -> None:
    found = service(Handler(connect=EventAnswer(response)), "connect")
    connection, joined = await admit(found, request(TOKEN))
    assert (connection.user_id, joined) == (user, groups)
    assert connection.permissions.allow(SEND, joined[0]) is may_send


@pytest.mark.parametrize(
    ("offered", "chosen", "name", "codec"),
    [
        (["custom", JSON_V1], None, JSON_V1, JSON),
        (["custom", JSON_V1], "custom", "custom", RAW),
        (["custom", JSON_V1.upper()], JSON_V1, JSON_V1.upper(), JSON),
        (["custom"], None, None, RAW),
    ],
)
async def test_the_connect_handler_may_choose_the_subprotocol(
    offered: list[str], chosen: str | None, name: str | None, codec: Any
) -> None:
    found = service(Handler(connect=EventAnswer(ConnectEventResponse(subprotocol=chosen))), "connect")
    connection = await admitted(found, None, *offered)
    assert (connection.subprotocol, connection.codec) == (name, codec)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_the_connect_handler_may_refuse(status: int) -> None:
    handler = Handler(connect=EventRefused(status, "no"))
    with pytest.raises(EventRefused) as caught:
        await admitted(service(handler, *ALL))
    assert caught.value.status == status
    await turns()
    assert handler.names == ["connect"]


@pytest.mark.parametrize(
    "response", [ConnectEventResponse(groups=["ok", " "]), ConnectEventResponse(subprotocol="a\r\nb")]
)
async def test_an_answer_that_cannot_be_used_is_500(response: ConnectEventResponse) -> None:
    found = service(Handler(connect=EventAnswer(response)), "connect")
    with pytest.raises(EventRefused, match="the answer to the connect event cannot be used") as caught:
        await admitted(found)
    assert caught.value.status == 500


async def test_a_handler_that_raises_anything_else_refuses_too() -> None:
    traced: list[TraceEvent] = []
    fault = ZeroDivisionError("oh")
    with pytest.raises(EventRefused, match="raised ZeroDivisionError") as caught:
        await admitted(service(Handler(connect=fault), "connect", trace=Trace(traced.append)))
    assert caught.value.status == 500
    assert [event.error for event in traced if event.phase == "failed"] == [fault]


async def test_without_a_handler_for_connect_it_is_not_asked() -> None:
    handler = Handler(connect=EventRefused(403, "never asked"))
    await admitted(service(handler, "connected"))
    await admitted(service(handler, settings=ServiceSettings(access_keys=(KEY,))))
    assert handler.events == []


def anonymous(policy: Any) -> ServiceSettings:
    found = settings("connect")
    hub = msgspec.structs.replace(found.hub(CHAT), anonymous_connect_policy=policy)
    return msgspec.structs.replace(found, hubs={CHAT: hub})


NOBODY = msgspec.structs.replace(request(), token=None)


async def test_a_hub_may_take_clients_without_a_token() -> None:
    handler = Handler(connect=EventAnswer(ConnectEventResponse(user_id="guest", roles=["r"])))
    connection, groups = await admit(service(handler, settings=anonymous("allow")), NOBODY)
    assert (connection.user_id, groups) == ("guest", ())
    [event] = handler.events
    assert isinstance(event, ConnectEventRequest)
    assert (event.claims, event.connection_context.user_id) == ({}, None)


async def test_even_there_a_token_has_to_be_right() -> None:
    with pytest.raises(TokenError):
        await admitted(service(settings=anonymous("allow")), "x.y.z")


async def test_other_hubs_do_not() -> None:
    with pytest.raises(TokenError, match="the client has no access token"):
        await admit(service(settings=anonymous("deny")), NOBODY)


# --- what event handlers keep of a connection ---------------------------------------------------------


async def test_who_is_refused_is_forgotten() -> None:
    handler = Handler(connect=EventRefused(401, "no"))
    with pytest.raises(EventRefused):
        await admitted(service(handler, "connect"))
    assert handler.forgotten == [handler.events[0].connection_context.connection_id]


@pytest.mark.parametrize("system_events", [(), ("disconnected",)])
async def test_who_is_gone_is_forgotten_after_the_last_event(system_events: Any) -> None:
    held = Held()
    handler = Handler(disconnected=held)
    alice = await connect(service(handler, *system_events))
    alice.closed()
    await turns()
    assert handler.forgotten == [] if system_events else [alice.connection.id]
    for future in held.futures:
        future.set_result(EventAnswer())
    await turns()
    assert handler.forgotten == [alice.connection.id]


async def test_an_event_that_ends_after_its_connection_leaves_nothing_behind() -> None:
    held = Held()
    handler = Handler(e=held)
    alice = await open_client(handler)
    await raise_event(alice)
    alice.closed()
    await turns()
    before = len(handler.forgotten)
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert handler.forgotten[before:] == [alice.connection.id]


# --- open and closed ----------------------------------------------------------------------------------


async def test_a_connection_joins_is_greeted_and_announced() -> None:
    handler = Handler()
    found = service(handler, *ALL)
    alice = await connect(found, TOKEN)
    assert set(found.hub(CHAT).connections) == {alice.connection.id}
    assert set(found.hub(CHAT).groups) == {"a"}
    await turns()
    greeting = (
        f'{{"type":"system","event":"connected","userId":"alice","connectionId":"{alice.connection.id}"}}'
    )
    assert alice.socket.frames() == text(greeting)
    assert handler.names == ["connect", "connected"]
    context = handler.events[1].connection_context
    assert isinstance(handler.events[1], ConnectedEventRequest)
    assert (context.event_id, context.subprotocol, context.user_id) == (1, JSON_V1, "alice")


async def test_simple_clients_are_not_greeted() -> None:
    simple = await connect(service(), None, "custom")
    await turns()
    assert simple.socket.take() == b""


async def test_the_greeting_is_the_first_frame_even_among_many_messages() -> None:
    found = service()
    alice = await connect(found, TOKEN)
    found.perform(CHAT, actions.SendToGroupAction("a", "hi"))
    await turns()
    assert [b'"event":"connected"' in body for _, body in alice.socket.frames()] == [True, False]


async def test_the_handlers_groups_and_state_are_there_at_once() -> None:
    handler = Handler(connect=EventAnswer(ConnectEventResponse(groups=["vip"]), "c3RhdGU="))
    found = service(handler, *ALL)
    await connect(found, TOKEN)
    assert set(found.hub(CHAT).groups) == {"vip"}
    await turns()
    assert [event.connection_context.states.header for event in handler.events] == [None, "c3RhdGU="]


async def test_who_is_gone_is_announced_once_and_leaves_nothing_behind() -> None:
    handler = Handler()
    found = service(handler, *ALL)
    alice = await connect(found, TOKEN)
    await turns()
    alice.closed(1001, "lunch")
    alice.closed(None, "again")
    await turns()
    assert handler.names == ["connect", "connected", "disconnected"]
    event = handler.events[-1]
    assert isinstance(event, DisconnectedEventRequest)
    assert (event.reason, event.connection_context.event_id) == ("lunch", 2)
    assert found.hubs == {}
    assert found._notifications == {}


async def test_a_hub_stays_as_long_as_anybody_is_there() -> None:
    found = service()
    alice, bob = await connect(found, TOKEN), await connect(found)
    alice.closed()
    assert set(found.hubs[CHAT].connections) == {bob.connection.id}
    bob.closed()
    assert found.hubs == {}


async def test_disconnected_waits_for_connected() -> None:
    held = Held()
    handler = Handler(connected=held)
    found = service(handler, *ALL)
    alice = await connect(found)
    alice.closed()
    await turns()
    assert handler.names == ["connect", "connected"]
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert handler.names == ["connect", "connected", "disconnected"]


@pytest.mark.parametrize("fault", [EventRefused(500, "no"), ZeroDivisionError("oh")])
async def test_a_failed_notification_changes_nothing(fault: Exception) -> None:
    handler = Handler(connected=fault, disconnected=fault)
    found = service(handler, *ALL)
    alice = await connect(found)
    await turns()
    assert alice.shell.endings == []
    alice.closed()
    await turns()
    assert handler.names == ["connect", "connected", "disconnected"]
    assert found._notifications == {}


async def test_events_nobody_takes_are_not_sent_and_not_counted() -> None:
    handler = Handler()
    found = service(handler, "disconnected")
    alice = await connect(found)
    alice.closed()
    await turns()
    assert [(e.connection_context.event_name, e.connection_context.event_id) for e in handler.events] == [
        ("disconnected", 1)
    ]


async def test_retire_says_goodbye_to_everybody() -> None:
    found = service()
    clients = [await connect(found), await connect(found, None, "custom")]
    await found.retire(60)
    assert [client.closed_with for client in clients] == [(1001, "Service reload")] * 2


async def test_a_service_that_retires_takes_no_more_clients_but_still_acts() -> None:
    held = Held()
    handler = Handler(e=held)
    found = service(handler, *ALL)
    alice = await connect(found)
    await turns()
    alice.socket.take()
    send(found, alice.connection, EVENT)
    await turns()
    retiring = asyncio.create_task(found.retire(60))
    await turns()
    with pytest.raises(PeerError, match="the service is stopping") as caught:
        await admitted(found)
    assert caught.value.status == 503
    assert handler.names == ["connect", "connected", "e"]
    found.perform(CHAT, actions.SendToConnectionAction(alice.connection.id, "still here"))
    await turns()
    assert len(alice.socket.frames()) == 1
    held.futures[0].set_result(EventAnswer())
    await retiring
    [(_, ack), _, _] = alice.socket.frames()
    assert ack == ACK.encode()


async def test_who_is_being_decided_on_when_the_service_retires_is_not_taken() -> None:
    held = Held()
    found = service(Handler(connect=held), *ALL)
    deciding = asyncio.create_task(admitted(found))
    await turns()
    await found.retire(60)
    held.futures[0].set_result(EventAnswer())
    with pytest.raises(PeerError, match="the service is stopping"):
        await deciding
    assert found.hubs == {}


async def test_retire_waits_for_notifications() -> None:
    held = Held()
    found = service(Handler(disconnected=held), "disconnected")
    (await connect(found)).closed()
    retiring = asyncio.create_task(found.retire(60))
    await turns()
    assert not retiring.done()
    held.futures[0].set_result(EventAnswer())
    await retiring
    await found.retire(60)  # nothing to wait for


async def test_retire_gives_up_in_time() -> None:
    held = Held()
    found = service(Handler(disconnected=held), "disconnected")
    (await connect(found)).closed()
    await found.retire(0.001)
    assert not held.futures[0].done()
    held.futures[0].set_result(EventAnswer())
    await turns()


# --- requests and events ------------------------------------------------------------------------------

EVENT = b'{"type":"event","event":"e","dataType":"text","data":"hi","ackId":1}'
ACK = '{"type":"ack","ackId":1,"success":true}'


async def open_client(handler: Handler, *args: Any) -> Client:
    alice = await connect(service(handler, *ALL), *args)
    await turns()
    alice.socket.take()
    return alice


def take(client: Client, body: bytes = EVENT) -> Raise | None:
    return client.service.take(client.connection, client.connection.codec.decode(True, body))


async def raise_event(client: Client, body: bytes = EVENT) -> None:
    send(client.service, client.connection, body)
    await turns()


async def test_requests_are_done_at_once() -> None:
    alice = await open_client(Handler(), TOKEN)
    assert take(alice, b'{"type":"ping"}') is None
    await turns(1)
    assert alice.socket.frames() == text('{"type":"pong"}')


async def test_the_handlers_answer_comes_before_the_ack() -> None:
    handler = Handler(e=EventAnswer(UserEventResponse("hello")))
    alice = await open_client(handler)
    await raise_event(alice)
    event = handler.events[-1]
    assert isinstance(event, UserEventRequest)
    assert event.payload.body == b"hi"
    assert alice.socket.frames() == text(
        '{"type":"message","from":"server","dataType":"text","data":"hello"}', ACK
    )


async def test_states_go_with_every_later_event() -> None:
    handler = Handler(e=EventAnswer(None, "b25l"))
    alice = await open_client(handler)
    await raise_event(alice)
    await raise_event(alice, EVENT.replace(b"1}", b"2}"))
    alice.closed()
    await turns()
    assert [(e.connection_context.event_id, e.connection_context.states.header) for e in handler.events] == [
        (0, None),
        (1, None),
        (2, None),
        (3, "b25l"),
        (4, "b25l"),
    ]


@pytest.mark.parametrize("fault", [EventRefused(401, "secret"), ValueError("secret")])
async def test_a_failed_event_is_an_ack_without_the_reason(fault: Exception) -> None:
    handler = Handler(e=fault)
    alice = await open_client(handler)
    await raise_event(alice)
    assert alice.socket.frames() == text(
        '{"type":"ack","ackId":1,"success":false,'
        '"error":{"name":"InternalServerError","message":"Internal server error"}}'
    )
    assert alice.shell.endings == []
    handler.answers["e"] = EventAnswer(None, "b25l")
    await raise_event(alice)
    assert alice.socket.frames() == text(ACK)


async def test_a_failed_event_closes_a_simple_client_with_1011() -> None:
    simple = await open_client(Handler(message=EventRefused(500, "secret")), None, "custom")
    await raise_event(simple, b"hi")
    assert simple.closed_with == (1011, "Internal server error")


@pytest.mark.parametrize(
    ("event", "ack"),
    [
        (EVENT, '{"type":"ack","ackId":1,"success":false,"error":{"name":"InternalServerError",'),
        (b'{"type":"event","event":"e","data":1}', ""),
    ],
)
async def test_a_failed_event_may_close_any_client_after_its_ack(event: bytes, ack: str) -> None:
    alice = await open_client(Handler(e=EventRefused(500, "no")))
    alice.service.settings = msgspec.structs.replace(alice.service.settings, failed_user_event="close")
    await raise_event(alice, event)
    assert ack.encode() in alice.socket.written
    assert alice.closed_with == (1011, "Internal server error")


async def test_an_event_that_completes_after_the_end_has_no_effect() -> None:
    held = Held()
    alice = await open_client(Handler(e=held))
    event = take(alice)
    assert event is not None
    raising = asyncio.create_task(alice.service.raise_event(alice.connection, event))
    await turns()
    alice.connection.transport = None
    alice.closed()
    held.futures[0].set_result(EventAnswer(UserEventResponse("late")))
    await raising
    await turns()
    assert alice.socket.take() == b""
    assert alice.connection.frames == []
    assert alice.service.hubs == {}


async def test_a_cancelled_event_is_traced_and_stays_cancelled() -> None:
    traced: list[TraceEvent] = []
    held = Held()
    alice = await connect(service(Handler(e=held), trace=Trace(traced.append)))
    event = take(alice)
    assert event is not None
    raising = asyncio.create_task(alice.service.raise_event(alice.connection, event))
    await turns()
    raising.cancel()
    with pytest.raises(asyncio.CancelledError):
        await raising
    assert held.futures[0].cancelled()
    assert (traced[-1].name, traced[-1].phase) == ("event", "failed")
    assert isinstance(traced[-1].error, asyncio.CancelledError)


async def test_what_is_no_message_is_a_protocol_error() -> None:
    alice = await open_client(Handler())
    send(alice.service, alice.connection, b"junk")
    head, body = alice.socket.frames()[-1]
    assert (head, body[:2]) == (CLOSE, b"\x03\xef")
    assert alice.shell.endings == [Ending.HALF_CLOSE]


# --- actions ------------------------------------------------------------------------------------------


async def test_actions_reach_clients() -> None:
    alice = await open_client(Handler(), TOKEN)
    alice.service.perform(CHAT, actions.SendToUserAction("alice", "hi"))
    alice.service.perform(CHAT, actions.CloseClientConnectionAction(alice.connection.id, reason="lunch"))
    await turns()
    assert alice.socket.frames() == [
        *text(
            '{"type":"message","from":"server","dataType":"text","data":"hi"}',
            '{"type":"system","event":"disconnected",'
            '"message":"Application server closed the connection. Reason: lunch"}',
        ),
        (CLOSE, b"\x03\xe8"),
    ]
    assert alice.shell.endings == [Ending.AWAIT]


def test_an_action_on_an_unused_hub_leaves_no_trace_of_it() -> None:
    found = service()
    found.perform(CHAT, actions.SendToAllAction("hi"))
    with pytest.raises(RestError):
        found.ask(CHAT, rest.UserExists("alice"))
    assert found.hubs == {}


async def test_hubs_are_apart() -> None:
    found = service()
    alice = await connect(found)
    await turns()
    alice.socket.take()
    found.perform(HubName("other"), actions.SendToAllAction("hi"))
    await turns()
    assert alice.socket.take() == b""


async def test_a_slow_client_is_closed() -> None:
    alice = await open_client(Handler(), TOKEN)
    alice.socket.buffered = 16 * 1024 * 1024 + 1
    alice.service.perform(CHAT, actions.SendToAllAction("hi"))
    await turns()
    assert alice.closed_with == (1008, "The client does not read its messages.")


# --- trace --------------------------------------------------------------------------------------------


async def test_the_trace_joins_a_connection_to_its_events() -> None:
    traced: list[TraceEvent] = []
    alice = await connect(
        service(Handler(e=EventRefused(500, "no")), "connected", trace=Trace(traced.append)), TOKEN
    )
    await turns()
    await raise_event(alice)
    alice.closed(1000, "bye")
    name = alice.connection.id
    traced = [event for event in traced if event.name is not Name.DELIVERY]
    ids = {"hub": "chat", "connection": name, "user": "alice"}
    assert all(event.detail["duration"] >= 0 for event in (traced[2], traced[4]))
    details = [{key: value for key, value in event.detail.items() if key != "duration"} for event in traced]
    names = [(event.name, event.phase, event.ids) for event in traced]
    assert [(*name, detail) for name, detail in zip(names, details, strict=True)] == [
        ("connection", "started", ids, {"subprotocol": JSON_V1}),
        ("event", "started", ids | {"event": f"{name}/1"}, {"name": "connected"}),
        (
            "event",
            "completed",
            ids | {"event": f"{name}/1"},
            {"name": "connected", "status": 200, "attempts": 1},
        ),
        ("event", "started", ids | {"event": f"{name}/2"}, {"name": "e"}),
        ("event", "failed", ids | {"event": f"{name}/2"}, {"name": "e", "status": 500, "attempts": 1}),
        ("connection", "completed", ids, {"code": 1000, "reason": "bye"}),
    ]
    assert isinstance(traced[4].error, EventRefused)


async def test_roles_that_give_nothing_are_told() -> None:
    told: list[TraceEvent] = []
    found = service(trace=Trace(told.append))
    roles = ["admin", "webpubsub.sendToGroups.room.*", "webpubsub.sendToGroups.\\x"]
    client = await connect(found, token(role=roles))
    assert [event.detail for event in told if event.name == "connection"] == [
        {"subprotocol": JSON_V1, "ignored_roles": ["webpubsub.sendToGroups.\\x"]}
    ]
    client.closed()
    await turns()


async def test_the_trace_hears_of_deliveries_with_the_ids_of_who_caused_them() -> None:
    told: list[TraceEvent] = []
    found = service(trace=Trace(told.append))
    alice = await connect(found, token(sub="alice", role=["webpubsub.sendToGroup"], webpubsub_group=["room"]))
    told.clear()
    found.perform(CHAT, actions.SendToGroupAction("room", "hi"), {"request": "r"})
    found.perform(CHAT, actions.SendToGroupAction("empty", "hi"))
    take(alice, b'{"type":"sendToGroup","group":"room","data":1}')
    deliveries = [(event.ids, event.detail) for event in told if event.name is Name.DELIVERY]
    one = {"receivers": 1, "ttl": 0}
    assert deliveries == [
        ({"hub": "chat", "request": "r"}, one),
        ({"hub": "chat", "connection": alice.connection.id, "user": "alice"}, one),
    ]
