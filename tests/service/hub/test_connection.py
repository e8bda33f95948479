"""A client's life without sockets: bytes and times in, values out."""

# mypy: no-warn-unreachable
# It believes that what was asserted of a property still holds after a call that changes it.

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.service_peers import (
    CLOSE,
    JSON,
    PING,
    PONG,
    RELIABLE,
    TEXT,
    Shell,
    client_frame,
    connection,
    group,
    raw_connection,
    server_frames,
)
from webpubsub.service.hub.connection import Connection, Ending, Stage
from webpubsub.service.protocols import RAW, Codec
from webpubsub.service.protocols.frames import FramedMessages
from webpubsub.service.protocols.messages import (
    ClientMessage,
    Goodbye,
    JoinGroup,
    LeaveGroup,
    Malformed,
    Ping,
    PingFrame,
    SequenceAck,
)

JOIN = client_frame(TEXT, b'{"type":"joinGroup","group":"g"}')
LEAVE = client_frame(TEXT, b'{"type":"leaveGroup","group":"g"}')
JSON_PING = client_frame(TEXT, b'{"type":"ping"}')
ACK = client_frame(TEXT, b'{"type":"sequenceAck","sequenceId":7}')
JUNK = client_frame(TEXT, b"junk")
BYE = client_frame(CLOSE, b"\x03\xe8bye")
LARGE = client_frame(
    TEXT, b'{"type":"sendToGroup","group":"g","dataType":"text","data":"%b"}' % (b"x" * 600_000)
)
JOINED, LEFT = JoinGroup(group("g")), LeaveGroup(group("g"))
NOT_JSON = (
    "The client message is not a valid JSON protocol message: JSON is malformed: invalid character (byte 0)"
)


class Work:
    """Something that goes on."""

    def cancel(self) -> None: ...


def opened(codec: Codec = RELIABLE, shell: Shell | None = None) -> Connection:
    found = connection(codec=codec)
    found.open(shell or Shell(), FramedMessages(codec))
    return found


def busy(codec: Codec = RELIABLE) -> Connection:
    found = opened(codec)
    found.wait()
    return found


def closing() -> Connection:
    found = opened()
    found.close(1000, "bye")
    found.end()
    return found


def away() -> Connection:
    found = opened()
    found.lose(30.0)
    return found


def over() -> Connection:
    found = away()
    found.end()
    return found


def hear(client: Connection, *data: bytes) -> list[ClientMessage]:
    """What is to be done at once of what the client sends."""
    return [message for piece in data for message in client.receive(piece) if client.hears(message)]


def turns_of(client: Connection) -> list[ClientMessage | None]:
    """What waits, in its order, up to None."""
    found = [client.next_request()]
    while found[-1] is not None:
        found.append(client.next_request())
    return found


# --- stages -------------------------------------------------------------------------------------------

MAKE: dict[Stage, Callable[[], Connection]] = {
    Stage.DECIDING: connection,
    Stage.OPEN: opened,
    Stage.BUSY: busy,
    Stage.CLOSING: closing,
    Stage.AWAY: away,
    Stage.OVER: over,
}


def reopen(client: Connection) -> None:
    client.open(Shell(), FramedMessages(RELIABLE), 10.0)


CHANGES: list[tuple[Stage, Callable[[Connection], object], Stage]] = [
    (Stage.DECIDING, lambda client: client.admit(JSON), Stage.DECIDING),
    (Stage.DECIDING, reopen, Stage.OPEN),
    (Stage.OPEN, lambda client: client.wait(), Stage.BUSY),
    (Stage.OPEN, Connection.next_request, Stage.OPEN),
    (Stage.OPEN, lambda client: client.close(1000, ""), Stage.CLOSING),
    (Stage.OPEN, lambda client: client.leave(1000), Stage.CLOSING),
    (Stage.OPEN, lambda client: client.lose(1.0), Stage.AWAY),
    (Stage.OPEN, Connection.end, Stage.OVER),
    (Stage.OPEN, reopen, Stage.OPEN),
    (Stage.BUSY, Connection.next_request, Stage.OPEN),
    (Stage.BUSY, lambda client: client.close(1000, ""), Stage.CLOSING),
    (Stage.BUSY, lambda client: client.leave(1000), Stage.CLOSING),
    (Stage.BUSY, lambda client: client.lose(1.0), Stage.AWAY),
    (Stage.BUSY, Connection.end, Stage.OVER),
    (Stage.CLOSING, Connection.next_request, Stage.CLOSING),
    (Stage.CLOSING, Connection.end, Stage.CLOSING),
    (Stage.CLOSING, lambda client: client.lose(1.0), Stage.AWAY),
    (Stage.CLOSING, Connection.forget_socket, Stage.OVER),
    (Stage.AWAY, Connection.next_request, Stage.AWAY),
    (Stage.AWAY, reopen, Stage.OPEN),
    (Stage.AWAY, Connection.end, Stage.OVER),
    (Stage.OVER, Connection.next_request, Stage.OVER),
]


@pytest.mark.parametrize(("stage", "cause", "then"), CHANGES)
def test_who_causes_which_change(stage: Stage, cause: Callable[[Connection], object], then: Stage) -> None:
    client = MAKE[stage]()
    assert client.stage is stage
    cause(client)
    assert client.stage is then
    assert client.is_open is (then in (Stage.OPEN, Stage.BUSY))
    assert (client.transport is not None) <= (client.is_open or then is Stage.CLOSING)


@pytest.mark.parametrize("stage", [Stage.DECIDING, Stage.AWAY, Stage.OVER])
def test_without_a_socket_nothing_is_heard(stage: Stage) -> None:
    client = MAKE[stage]()
    assert hear(client, JOIN, BYE) == []
    assert not client.hears(JOINED)
    assert not client.hears(Goodbye(1000, ""))


def test_a_whole_life() -> None:
    shell, client = Shell(), Connection(connection().id, connection().hub)
    client.admit(JSON, "json", user_id="alice", roles=["webpubsub.joinLeaveGroup"], state="b25l")
    assert (client.user_id, client.subprotocol, client.states.header) == ("alice", "json", "b25l")
    client.open(shell, FramedMessages(JSON))
    assert (client.socket, client.transport) == (shell, shell.transport)
    assert hear(client, JOIN, client_frame(PING, b"?"), client_frame(PONG)) == [JOINED, PingFrame(b"?")]
    client.wait()
    assert hear(client, JOIN, BYE, LEAVE) == []
    assert turns_of(client)[:2] == [JOINED, Goodbye(1000, "bye")]
    assert server_frames(client.leave(1000)) == [(CLOSE, b"\x03\xe8")]
    client.end()
    client.forget_socket()
    assert (client.stage, client.transport, client.socket) == (Stage.OVER, None, None)


# --- requests that wait -------------------------------------------------------------------------------


def test_requests_wait_in_their_order_and_pings_and_acks_do_not() -> None:
    client = busy()
    ping = client_frame(PING, b"?")
    assert hear(client, JOIN + ping + LEAVE, ACK, JSON_PING, JOIN) == [
        PingFrame(b"?"),
        SequenceAck(7),
        Ping(),
    ]
    assert turns_of(client) == [JOINED, LEFT, JOINED, None]
    assert client.stage is Stage.OPEN
    assert hear(client, LEAVE) == [LEFT]


def test_what_comes_while_one_is_done_waits_behind_the_others() -> None:
    client = busy()
    hear(client, JOIN, LEAVE)
    assert client.next_request() == JOINED
    assert hear(client, JOIN) == []
    assert turns_of(client) == [LEFT, JOINED, None]


@pytest.mark.parametrize(
    ("data", "last"),
    [(BYE, Goodbye(1000, "bye")), (JUNK, Malformed(1007, NOT_JSON)), (b"\x81\x02hi", None)],
)
def test_the_last_message_has_its_turn_and_nothing_counts_behind_it(
    data: bytes, last: ClientMessage | None
) -> None:
    last = last or Malformed(1002, "The client frame is invalid: it is not masked.")
    client = busy()
    assert hear(client, JOIN + data + LEAVE, LEAVE, JSON_PING, BYE) == []
    assert client.last == last
    assert turns_of(client) == [JOINED, last, None]


def test_too_much_waits_at_1_mib_and_half_of_that_is_little_enough() -> None:
    client = busy()
    hear(client, LARGE)
    assert not client.is_full
    hear(client, LARGE)
    assert client.is_full
    client.pause_reading()
    client.next_request()
    assert not client.may_resume, "600 kB are more than half"
    client.next_request()
    assert client.may_resume


def test_many_small_requests_are_too_much_as_well() -> None:
    client = busy()
    hear(client, *[LEAVE] * 4080)  # 257 bytes each
    assert not client.is_full
    hear(client, LEAVE)
    assert client.is_full


# --- who does not hear whom ---------------------------------------------------------------------------


def test_acks_are_owed_but_not_while_they_are_not_read_nor_right_behind() -> None:
    client = busy()
    assert client.counts_acks(0.0)
    client.pause_reading()
    assert not client.counts_acks(1e9)
    client.resume_reading(100.0)
    assert [client.counts_acks(now) for now in (100.0, 104.9, 105.0)] == [False, False, True]


def test_three_pings_without_a_word_are_too_many() -> None:
    client = opened()
    for _ in range(2):
        assert [client.ping() for _ in range(3)] == [b"\x89\x00"] * 3
        hear(client, client_frame(PONG)[:1])  # part of one will do
        hear(client, client_frame(PONG)[1:])
    assert [client.ping() for _ in range(4)] == [b"\x89\x00"] * 3 + [None]


def test_a_client_that_is_not_read_cannot_miss_pings() -> None:
    client = busy()
    client.ping()
    client.pause_reading()
    assert [client.ping() for _ in range(10)] == [b"\x89\x00"] * 10
    client.resume_reading(0.0)
    assert [client.ping() for _ in range(4)] == [b"\x89\x00"] * 3 + [None]


# --- the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "code", "text", "frames"),
    [
        (
            JSON,
            1000,
            "",
            [(TEXT, b'{"type":"system","event":"disconnected","message":"why"}'), (CLOSE, b"\x03\xe8")],
        ),
        (
            JSON,
            1001,
            "t",
            [(TEXT, b'{"type":"system","event":"disconnected","message":"why"}'), (CLOSE, b"\x03\xe9t")],
        ),
        (JSON, 1008, "t", [(CLOSE, b"\x03\xf0t")]),
        (RAW, 1000, "", [(CLOSE, b"\x03\xe8")]),
    ],
)
def test_a_close_is_told_where_there_are_words_for_it(
    codec: Codec, code: int, text: str, frames: list[tuple[int, bytes]]
) -> None:
    data, ending = opened(codec).close(code, "why", text)
    assert server_frames(data) == frames
    assert ending is Ending.AWAIT


@pytest.mark.parametrize(
    ("before", "ending"), [(b"", Ending.AWAIT), (BYE, Ending.CLOSE), (JUNK, Ending.HALF_CLOSE)]
)
def test_what_the_client_said_last_decides_how_its_socket_ends(before: bytes, ending: Ending) -> None:
    client = busy()
    hear(client, before)
    assert client.close(1011, "fault")[1] is ending
    assert turns_of(client) == [None]


def test_only_the_goodbye_of_who_is_closed_counts() -> None:
    client = closing()
    assert hear(client, JOIN, JUNK, client_frame(PING), JSON_PING) == []
    assert hear(client, BYE) == [Goodbye(1000, "bye")]
    assert hear(closing(), b"\x81\x02hi") == [
        Malformed(1002, "The client frame is invalid: it is not masked.")
    ]


@pytest.mark.parametrize(("code", "answer"), [(1000, b"\x03\xe8"), (4321, b"\x10\xe1"), (None, b"")])
def test_a_goodbye_is_answered(code: int | None, answer: bytes) -> None:
    assert server_frames(opened().leave(code)) == [(CLOSE, answer)]


@pytest.mark.parametrize(
    ("codec", "code", "may"),
    [(RELIABLE, None, True), (RELIABLE, 1001, True), (RELIABLE, 1000, False), (JSON, None, False)],
)
def test_a_reliable_client_may_return_unless_it_said_1000(codec: Codec, code: int | None, may: bool) -> None:
    assert opened(codec).may_return(code) is may


def test_who_is_back_is_heard_anew() -> None:
    client = opened()
    client.wait(Work())
    hear(client, JOIN, BYE + JOIN[:3])
    client.ping()
    client.pause_reading()
    client.lose(130.0)
    assert (client.until, client.transport, client.socket) == (130.0, None, None)
    shell = Shell()
    client.open(shell, FramedMessages(RELIABLE), 120.0)
    assert client.stage is Stage.BUSY, "its event is still under way"
    assert (client.until, client.last, client.missed_pings) == (float("inf"), None, 0)
    assert (client.counts_acks(124.9), client.counts_acks(125.0)) == (False, True)
    assert hear(client, LEAVE) == []
    assert turns_of(client) == [LEFT, None], "nothing of the former socket"


# --- its books ----------------------------------------------------------------------------------------


def test_connect_was_event_0_so_events_count_from_1() -> None:
    client = connection()
    assert [client.next_event_id() for _ in range(3)] == [1, 2, 3]


def test_connections_are_told_apart_by_identity() -> None:
    one, other = connection("c1"), connection("c1")
    assert one != other
    assert len({one, other}) == 2
    assert repr(connection("c1", "alice")) == "Connection('c1', hub='chat', user_id='alice')"


def test_who_is_admitted_without_a_word_is_what_the_token_says() -> None:
    client = raw_connection("c1", "alice")
    before = client.permissions
    client.admit(RELIABLE)
    assert (client.user_id, client.permissions, client.states.header) == ("alice", before, None)
    assert client.unacked is not None


# --- any bytes ----------------------------------------------------------------------------------------

_wire = st.lists(
    st.sampled_from([JOIN, LEAVE, JSON_PING, ACK, JUNK, BYE, client_frame(PING, b"?"), client_frame(PONG)])
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@given(wire=_wire, cuts=st.lists(st.integers(0, 400), max_size=6), waits_at=st.integers(0, 12))
def test_however_bytes_are_cut_the_same_is_done_in_the_same_order(
    wire: bytes, cuts: list[int], waits_at: int
) -> None:
    """Whether at once or in its turn, and with nothing behind the last."""

    def life(pieces: list[bytes]) -> tuple[list[ClientMessage], list[ClientMessage | None]]:
        client, at_once = opened(), list[ClientMessage]()
        for message in (each for piece in pieces for each in client.receive(piece)):
            if len(at_once) == waits_at and client.stage is Stage.OPEN:
                client.wait()
            if client.hears(message):
                at_once.append(message)
        return at_once, turns_of(client)

    edges = sorted({0, *(min(cut, len(wire)) for cut in cuts), len(wire)})
    at_once, waited = life([wire])
    assert life([wire[start:end] for start, end in itertools.pairwise(edges)]) == (at_once, waited)
    said = [*at_once, *waited[:-1]]
    last = [index for index, each in enumerate(waited[:-1]) if isinstance(each, Goodbye | Malformed)]
    assert last in ([], [len(waited) - 2])
    assert sum(isinstance(each, Goodbye | Malformed) for each in said) <= 1
