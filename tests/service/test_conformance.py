"""RFC 6455 as a table: the frames a client sends, as they are on the wire, and what the service does.

The client is a simple one whose event handler answers each message with the message itself, so each row
goes through the whole service. The rows cover what the sections 1 to 7 of the Autobahn test suite cover.
Each is delivered in one piece, byte by byte, and cut anywhere.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.service_peers import BINARY, CHAT, CLOSE, JSON_V1, PING, PONG, TEXT, Handler, client_frame, turns
from kit.service_sockets import ACCEPTED, Client, Server, upgrade
from webpubsub.model import actions
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest, UserEventRequest, UserEventResponse
from webpubsub.model.ports import EventAnswer

Z = b"\0\0\0\0"  # a mask that leaves the body as it is
MIB = 1024 * 1024
EURO = "€".encode()
# Autobahn's own text: Greek, then an e with a tilde above.
KOSME = bytes.fromhex("ce ba e1 bd b9 cf 83 ce bc ce b5")


class Case(NamedTuple):
    """What a client sends, and what it gets."""

    sent: bytes
    answered: Sequence[tuple[int, bytes]] = ()  # frames: first byte, body
    ended: Sequence[str] = ()  # what the service does to the socket

    @property
    def reaction(self) -> tuple[list[tuple[int, bytes]], list[str]]:
        return list(self.answered), list(self.ended)


def echo(head: int, body: bytes, sent: bytes) -> Case:
    return Case(sent, [(head, body)])


def closed(code: int | None, text: str = "") -> list[tuple[int, bytes]]:
    return [(CLOSE, b"" if code is None else code.to_bytes(2, "big") + text.encode())]


def failed(sent: bytes, code: int, text: str, *before: tuple[int, bytes]) -> Case:
    """The service says why it fails the connection, half-closes, and looks at nothing any more."""
    return Case(sent, [*before, *closed(code, text)], ["eof"])


def invalid(detail: str, sent: bytes, *before: tuple[int, bytes]) -> Case:
    return failed(sent, 1002, f"The client frame is invalid: {detail}", *before)


def not_utf_8(sent: bytes, *before: tuple[int, bytes]) -> Case:
    return failed(sent, 1007, "The client message is not UTF-8.", *before)


def header(head: int, size: int) -> bytes:
    """A client's header with a mask of zeros, in the shortest form."""
    return client_frame(head, b"x" * size, Z)[:-size] if size else bytes([head, 0x80]) + Z


CONTROL = "a control frame is fragmented or longer than 125 bytes."
CONTINUES = "a fragment does not continue the message before it."
RESERVED = "a reserved bit is set though no extension was agreed."
LENGTH = "its length is not in the shortest form."
NO_CODE = "it closes with no valid code."
UNMASKED = "it is not masked."

FRAMING = {
    "5.7 the masked Hello": echo(TEXT, b"Hello", b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
    "5.7 Hello in two fragments": echo(TEXT, b"Hello", b"\x01\x83" + Z + b"Hel\x80\x82" + Z + b"lo"),
    "5.3 a mask of ones": echo(BINARY, b"\x00\x01\x02", b"\x82\x83\xff\xff\xff\xff\xff\xfe\xfd"),
    "5.1 no mask": invalid(UNMASKED, b"\x81\x05Hello"),
    "5.1 a ping without mask": invalid(UNMASKED, b"\x89\x00"),
    "5.1 a close without mask": invalid(UNMASKED, b"\x88\x02\x03\xe8"),
    "5.2 RSV1": invalid(RESERVED, b"\xc1\x80" + Z),
    "5.2 RSV2": invalid(RESERVED, b"\xa1\x80" + Z),
    "5.2 RSV3": invalid(RESERVED, b"\x91\x80" + Z),
    "5.2 all of them": invalid(RESERVED, b"\xf2\x80" + Z),
    "5.2 RSV1 in a ping": invalid(RESERVED, b"\xc9\x80" + Z),
    "5.2 RSV2 in a close": invalid(RESERVED, b"\xa8\x82" + Z + b"\x03\xe8"),
    "5.2 RSV1 in a continuation": invalid(RESERVED, b"\x01\x81" + Z + b"a\xc0\x80" + Z),
    "5.2 a reserved bit after a ping": invalid(
        RESERVED, b"\x89\x81" + Z + b"1" + b"\x91\x80" + Z, (PONG, b"1")
    ),
    **{
        f"5.2 opcode {code}": invalid(f"opcode {code} is reserved.", bytes([0x80 | code, 0x80]) + Z)
        for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "5.2 a reserved opcode with a body": invalid("opcode 5 is reserved.", b"\x85\x85" + Z + b"Hello"),
    "5.2 a reserved opcode after a ping": invalid(
        "opcode 11 is reserved.", b"\x89\x80" + Z + b"\x8b\x80" + Z + b"\x89\x80" + Z, (PONG, b"")
    ),
    "5.2 two bytes for 125": invalid(LENGTH, b"\x82\xfe\x00\x7d" + Z),
    "5.2 two bytes for nothing": invalid(LENGTH, b"\x81\xfe\x00\x00" + Z),
    "5.2 eight bytes for 65,535": invalid(LENGTH, b"\x82\xff\0\0\0\0\0\0\xff\xff" + Z),
    "5.2 a length of 64 bits": invalid(LENGTH, b"\x82\xff\x80\0\0\0\0\0\0\0" + Z),
}

LENGTHS = {
    f"5.2 {size} bytes of {'text' if head == TEXT else 'binary'}": echo(
        head, filler * size, header(head, size) + filler * size
    )
    for size in (0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537)
    for head, filler in ((TEXT, b"*"), (BINARY, b"\xfe"))
}

CONTROL_FRAMES = {
    "5.5.2 an empty ping": echo(PONG, b"", b"\x89\x80" + Z),
    "5.5.2 a ping with text": echo(PONG, b"Hello", b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
    "5.5.2 a ping that is not UTF-8": echo(PONG, b"\x00\xff\xfe\xfd", b"\x89\x84" + Z + b"\x00\xff\xfe\xfd"),
    "5.5.2 a ping of 125 bytes": echo(PONG, b"\xfe" * 125, b"\x89\xfd" + Z + b"\xfe" * 125),
    "5.5.2 ten pings": Case(
        b"".join(client_frame(PING, b"%d" % number) for number in range(10)),
        [(PONG, b"%d" % number) for number in range(10)],
    ),
    "5.5.3 pongs nobody asked for": Case(
        b"\x8a\x80" + Z + b"\x8a\x82" + Z + b"hi" + b"\x89\x81" + Z + b"?", [(PONG, b"?")]
    ),
    "5.5 a ping of 126 bytes": invalid(CONTROL, b"\x89\xfe\x00\x7e" + Z + b"x" * 126),
    "5.5 a pong of 126 bytes": invalid(CONTROL, b"\x8a\xfe\x00\x7e" + Z + b"x" * 126),
    "5.5 a close of 126 bytes": invalid(CONTROL, b"\x88\xfe\x00\x7e" + Z + b"\x03\xe8" + b"*" * 124),
    "5.5 a ping of 64 KiB": invalid(CONTROL, b"\x89\xff\0\0\0\0\0\x01\0\0" + Z),
    "5.5 a fragmented ping": invalid(CONTROL, b"\x09\x81" + Z + b"a\x80\x81" + Z + b"b"),
    "5.5 a fragmented pong": invalid(CONTROL, b"\x0a\x80" + Z),
    "5.5 a fragmented close": invalid(CONTROL, b"\x08\x82" + Z + b"\x03\xe8"),
}

FRAGMENTS = {
    "5.4 three fragments of text": echo(
        TEXT, b"abc", b"\x01\x81" + Z + b"a" + b"\x00\x81" + Z + b"b" + b"\x80\x81" + Z + b"c"
    ),
    "5.4 binary in fragments of one byte": echo(
        BINARY, b"\xff\xfe\xfd", b"\x02\x81" + Z + b"\xff\x00\x81" + Z + b"\xfe\x80\x81" + Z + b"\xfd"
    ),
    "5.4 empty fragments": echo(TEXT, b"", b"\x01\x80" + Z + b"\x00\x80" + Z + b"\x80\x80" + Z),
    "5.4 one fragment of three has a body": echo(
        TEXT, b"x", b"\x01\x80" + Z + b"\x00\x81" + Z + b"x" + b"\x80\x80" + Z
    ),
    "5.4 a ping between fragments": Case(
        b"\x01\x81" + Z + b"a" + b"\x89\x81" + Z + b"?" + b"\x80\x81" + Z + b"b",
        [(PONG, b"?"), (TEXT, b"ab")],
    ),
    "5.4 a pong between fragments": echo(
        TEXT, b"ab", b"\x01\x81" + Z + b"a" + b"\x8a\x81" + Z + b"?" + b"\x80\x81" + Z + b"b"
    ),
    "5.4 a ping after each of five fragments": Case(
        b"".join(
            client_frame(head, b"f%d" % number) + client_frame(PING, b"p%d" % number)
            for number, head in enumerate((0x01, 0x00, 0x00, 0x00))
        )
        + client_frame(0x80, b"f4"),
        [*((PONG, b"p%d" % number) for number in range(4)), (TEXT, b"f0f1f2f3f4")],
    ),
    "5.4 two messages in fragments": Case(
        (b"\x01\x81" + Z + b"a" + b"\x80\x81" + Z + b"b" + b"\x02\x81" + Z + b"c" + b"\x80\x81" + Z + b"d"),
        [(TEXT, b"ab"), (BINARY, b"cd")],
    ),
    "5.4 a close between fragments": Case(
        b"\x01\x81" + Z + b"a" + b"\x88\x82" + Z + b"\x03\xe8", closed(1000), ["close"]
    ),
    "5.4 an end of nothing": invalid(CONTINUES, b"\x80\x85" + Z + b"Hello"),
    "5.4 a continuation of nothing": invalid(CONTINUES, b"\x00\x85" + Z + b"Hello\x80\x80" + Z),
    "5.4 a continuation after a whole message": invalid(
        CONTINUES, b"\x01\x80" + Z + b"\x80\x80" + Z + b"\x80\x80" + Z, (TEXT, b"")
    ),
    "5.4 a whole message between fragments": invalid(
        CONTINUES, b"\x01\x81" + Z + b"a" + b"\x81\x81" + Z + b"b"
    ),
    "5.4 fragments between fragments": invalid(CONTINUES, b"\x01\x81" + Z + b"a" + b"\x01\x81" + Z + b"b"),
    "5.4 binary between fragments of text": invalid(
        CONTINUES, b"\x01\x81" + Z + b"a" + b"\x02\x81" + Z + b"b"
    ),
}

VALID_UTF_8 = {
    "two bytes": "é",
    "three bytes": "€",
    "four bytes": "\U0001f600",
    "Greek": KOSME.decode(),
    "NUL": "\x00",
    "first of two bytes": "\x80",
    "first of three bytes": "\u0800",
    "first of four bytes": "\U00010000",
    "last of one byte": "\x7f",
    "last of two bytes": "\u07ff",
    "last of three bytes": "\uffff",
    "the last there is": "\U0010ffff",
    "before the surrogates": "\ud7ff",
    "after the surrogates": "\ue000",
    "the replacement": "\ufffd",
    "a noncharacter": "\ufdd0\ufffe",
    "a byte order mark": "\ufeffx",
}

INVALID_UTF_8 = {
    "a continuation alone": "80",
    "another alone": "bf",
    "all continuations": "80 81 bf",
    "a start alone": "c3",
    "starts without continuation": "c3 20 c4 20",
    "a start of three alone": "e2 82",
    "a start of four alone": "f0 9f 98",
    "no start there is": "fe",
    "nor this": "ff",
    "a start of five": "f8 88 80 80 80",
    "a start of six": "fc 84 80 80 80 80",
    "overlong slash in two": "c0 af",
    "overlong slash in three": "e0 80 af",
    "overlong slash in four": "f0 80 80 af",
    "the longest overlong of one": "c1 bf",
    "the longest overlong of two": "e0 9f bf",
    "the longest overlong of three": "f0 8f bf bf",
    "overlong NUL": "c0 80",
    "a first surrogate": "ed a0 80",
    "a last surrogate": "ed bf bf",
    "a pair of surrogates": "ed a0 80 ed b0 80",
    "after the last there is": "f4 90 80 80",
    "far after": "f7 bf bf bf",
    "good, then surrogate, then good": "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64",
}


def cut(body: bytes, *at: int) -> bytes:
    """A text message in fragments."""
    edges = list(zip([0, *at], [*at, len(body)], strict=True))
    return b"".join(
        client_frame((0x01 if start == 0 else 0) | (0x80 if number == len(edges) else 0), body[start:end])
        for number, (start, end) in enumerate(edges, 1)
    )


UTF_8 = {
    **{f"8.1 {name}": echo(TEXT, text.encode(), cut(text.encode())) for name, text in VALID_UTF_8.items()},
    **{
        f"8.1 {name}, each byte a fragment": echo(
            TEXT, text.encode(), cut(text.encode(), *range(1, len(text.encode())))
        )
        for name, text in VALID_UTF_8.items()
    },
    **{f"8.1 {name}": not_utf_8(cut(bytes.fromhex(text))) for name, text in INVALID_UTF_8.items()},
    **{
        f"8.1 {name}, each byte a fragment": not_utf_8(
            cut(bytes.fromhex(text), *range(1, len(bytes.fromhex(text))))
        )
        for name, text in INVALID_UTF_8.items()
    },
    "8.1 the end of a message ends a character": not_utf_8(
        b"\x01\x82" + Z + EURO[:2] + b"\x80\x80" + Z + b"\x81\x81" + Z + EURO[2:]
    ),
    "8.1 at once, before the message ends": not_utf_8(b"\x01\x8e" + Z + KOSME + b"\xed\xa0\x80"),
    "8.1 at once, when a character goes on wrongly": not_utf_8(
        b"\x01\x82" + Z + b"\xf4\x90" + b"\x89\x80" + Z
    ),
    "8.1 a ping within a character": Case(
        b"\x01\x81" + Z + EURO[:1] + b"\x89\x80" + Z + b"\x80\x82" + Z + EURO[1:], [(PONG, b""), (TEXT, EURO)]
    ),
    "8.1 binary is not looked at": echo(BINARY, b"\xed\xa0\x80", b"\x82\x83" + Z + b"\xed\xa0\x80"),
    "8.1 binary in fragments neither": echo(
        BINARY, b"\xed\xa0", b"\x02\x81" + Z + b"\xed\x80\x81" + Z + b"\xa0"
    ),
}

CLOSES = {
    "5.5.1 no code": Case(b"\x88\x80" + Z, closed(None), ["close"]),
    "5.5.1 a code": Case(b"\x88\x82" + Z + b"\x03\xe8", closed(1000), ["close"]),
    "5.5.1 a code and a reason": Case(b"\x88\x87" + Z + b"\x03\xe8Hello", closed(1000), ["close"]),
    "5.5.1 the longest reason": Case(b"\x88\xfd" + Z + b"\x03\xe8" + b"*" * 123, closed(1000), ["close"]),
    "5.5.1 half a code": invalid(NO_CODE, b"\x88\x81" + Z + b"\x03"),
    "5.5.1 a reason that is not UTF-8": not_utf_8(b"\x88\x85" + Z + b"\x03\xe8\xed\xa0\x80"),
    "5.5.1 nothing counts after it": Case(
        b"\x88\x82" + Z + b"\x03\xe8" + b"\x89\x80" + Z + b"\x81\x82" + Z + b"hi", closed(1000), ["close"]
    ),
    "5.5.1 a second close": Case((b"\x88\x82" + Z + b"\x03\xe8") * 2, closed(1000), ["close"]),
    "5.5.1 an invalid frame after it": Case(
        b"\x88\x82" + Z + b"\x03\xe9" + b"\xff" * 9, closed(1001), ["close"]
    ),
    "5.5.1 a ping before it": Case(
        b"\x89\x81" + Z + b"?" + b"\x88\x80" + Z, [(PONG, b"?"), *closed(None)], ["close"]
    ),
    **{
        f"7.4 code {code}": Case(b"\x88\x82" + Z + struct.pack("!H", code), closed(code), ["close"])
        for code in (
            *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014),
            *(3000, 3999, 4000, 4999),
        )
    },
    **{
        f"7.4 code {code}": invalid(NO_CODE, b"\x88\x82" + Z + struct.pack("!H", code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
    },
}

TOO_LARGE = "The client message is too large: it has more than 1048576 bytes."
LIMITS = {
    "10.4 one byte over 1 MiB": failed(header(BINARY, MIB + 1), 1009, TOO_LARGE),
    "10.4 8 EiB": failed(b"\x82\xff\x7f" + b"\xff" * 7 + Z, 1009, TOO_LARGE),
    "10.4 fragments over 1 MiB": failed(
        client_frame(0x02, b"x" * 65_536, Z) + header(0x00, MIB - 65_535), 1009, TOO_LARGE
    ),
}

CASES = FRAMING | LENGTHS | CONTROL_FRAMES | FRAGMENTS | UTF_8 | CLOSES | LIMITS
SMALL = {name: case for name, case in CASES.items() if len(case.sent) < 1000}


async def answer_with_itself(event: EventRequest) -> EventAnswer:
    assert isinstance(event, UserEventRequest)
    return EventAnswer(UserEventResponse(event.data, event.payload.data_type))


async def open_client() -> tuple[Server, Client]:
    server = Server(Handler(message=answer_with_itself), "connect", "disconnected")
    client = await server.connect(upgrade())
    assert client.socket.take().startswith(ACCEPTED)
    return server, client


async def react(pieces: Iterable[bytes]) -> tuple[list[tuple[int, bytes]], list[str]]:
    """What a client gets for what it sends in pieces, and how its socket is ended."""
    server, client = await open_client()
    for piece in pieces:
        client.protocol.data_received(piece)
    await turns(30)
    answered = client.socket.frames(), list(client.socket.ended)
    client.lose()
    await turns()
    server.assert_nothing_is_left()
    return answered


def in_pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = sorted({0, *cuts, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_frames_in_one_piece(case: Case) -> None:
    assert await react([case.sent]) == case.reaction


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL.keys())
async def test_frames_byte_by_byte(case: Case) -> None:
    assert await react(in_pieces(case.sent, range(len(case.sent)))) == case.reaction


@given(case=st.sampled_from(list(CASES.values())), data=st.data())
def test_frames_cut_anywhere(case: Case, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(case.sent)), max_size=6))
    assert asyncio.run(react(in_pieces(case.sent, cuts))) == case.reaction


async def test_a_message_of_exactly_1_mib_is_taken() -> None:
    body = b"x" * MIB
    assert await react([header(TEXT, MIB) + body]) == ([(TEXT, body)], [])


# --- any frames ---------------------------------------------------------------------------------------

_frames = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([TEXT, 0x01, 0x80, 0x00]), st.text(max_size=20).map(str.encode)),
        st.tuples(st.sampled_from([BINARY, 0x02, TEXT, PING, PONG, CLOSE]), st.binary(max_size=20)),
        st.tuples(st.integers(0, 255), st.binary(max_size=200)),
    ),
    max_size=8,
)


@given(frames=_frames, tail=st.binary(max_size=20), data=st.data())
def test_any_frames_get_the_same_reaction_however_they_are_cut(
    frames: list[tuple[int, bytes]], tail: bytes, data: st.DataObject
) -> None:
    """One or no close frame, always the last; after an error the socket is half-closed, else closed."""
    wire = b"".join(client_frame(head, body) for head, body in frames) + tail
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=6))
    answered, ended = asyncio.run(react([wire]))
    assert asyncio.run(react(in_pieces(wire, cuts))) == (answered, ended)
    closes = [body for head, body in answered if head == CLOSE]
    assert len(closes) == len(ended) <= 1
    if closes:
        assert answered[-1][0] == CLOSE
        is_error = closes[0][:2] in (b"\x03\xea", b"\x03\xef", b"\x03\xf1") and len(closes[0]) > 2
        assert ended == (["eof"] if is_error else ["close"])


@given(chunks=st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_end_the_connection_cleanly_or_wait_for_more(chunks: list[bytes]) -> None:
    answered, ended = asyncio.run(react(chunks))
    assert ended in ([], ["eof"], ["close"])
    assert bool(ended) == any(head == CLOSE for head, _ in answered)


# --- extensions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "nonsense;;;",
    ],
)
async def test_9_1_extensions_are_declined(offer: str) -> None:
    server = Server()
    client = await server.connect(upgrade(Sec_WebSocket_Extensions=offer))
    assert client.socket.take() == ACCEPTED + b"\r\n"


# --- closing ------------------------------------------------------------------------------------------


async def test_7_1_7_a_failed_connection_reads_nothing_and_is_aborted_in_the_end() -> None:
    server, client = await open_client()
    await client.send(b"\x81\x02hi")
    assert client.socket.frames() == closed(1002, f"The client frame is invalid: {UNMASKED}")
    await client.send(client_frame(TEXT, b"late"), client_frame(PING, b"late"), b"\xff" * 1000)
    assert client.socket.take() == b""
    client.close_timer()._run()
    assert client.socket.ended == ["eof", "abort"]
    assert server.handler.names == ["connect", "disconnected"]


async def test_7_1_1_after_our_close_only_the_clients_close_counts() -> None:
    server, client = await open_client()
    client.protocol.shutdown()
    assert client.socket.frames() == closed(1001, "Service reload")
    await client.send(client_frame(TEXT, b"late"), client_frame(PING, b"late"))
    assert client.socket.take() == b""
    assert client.socket.ended == []
    await client.send(client_frame(CLOSE, b"\x03\xe9"))
    assert client.socket.take() == b""
    assert client.socket.ended == ["close"]
    assert server.handler.names == ["connect", "disconnected"]


async def test_7_1_1_our_close_frame_comes_after_what_was_sent_before() -> None:
    _, client = await open_client()
    client.protocol.data_received(client_frame(PING, b"first"))
    client.protocol.data_received(b"\x83\x80" + Z)
    assert client.socket.frames() == [
        (PONG, b"first"),
        *closed(1002, "The client frame is invalid: opcode 3 is reserved."),
    ]


# --- close codes (client spec, section 1.8) -----------------------------------------------------------

Deed = Callable[[Server, Client], object]


def send(head: int, body: bytes) -> Deed:
    return lambda _, client: client.protocol.data_received(client_frame(head, body))


def close_by_rest(reason: str | None) -> Deed:
    return lambda server, _: server.service.perform(CHAT, actions.CloseAllConnectionsAction(reason=reason))


def fall_behind(server: Server, client: Client) -> None:
    client.protocol.pause_writing()
    client.socket.buffered = 16 * MIB
    server.service.perform(CHAT, actions.SendToAllAction("one more"))


SAID = b'{"type":"system","event":"disconnected","message":"%b"}'
BY_APP = b"Application server closed the connection."
CLOSE_CODES: dict[str, tuple[str | None, Deed, bytes | None, int, str]] = {
    "closed by REST": (JSON_V1, close_by_rest(None), BY_APP, 1000, ""),
    "with a reason": (JSON_V1, close_by_rest("lunch"), BY_APP + b" Reason: lunch", 1000, ""),
    "with a reason longer than a close frame": (
        JSON_V1,
        close_by_rest("x" * 500),
        BY_APP + b" Reason: " + b"x" * 500,
        1000,
        "",
    ),
    "a simple client closed by REST": (None, close_by_rest("lunch"), None, 1000, ""),
    "the service stops": (
        JSON_V1,
        lambda _, client: client.protocol.shutdown(),
        b"Service reload",
        1001,
        "Service reload",
    ),
    "an invalid frame": (JSON_V1, send(0x83, b""), None, 1002, "The client frame is invalid"),
    "binary to JSON": (
        JSON_V1,
        send(BINARY, b"{}"),
        None,
        1003,
        "The JSON subprotocol requires text messages.",
    ),
    "not the subprotocol's": (
        JSON_V1,
        send(TEXT, b"junk"),
        None,
        1007,
        "The client message is not a valid JSON protocol message",
    ),
    "too large": (JSON_V1, send(TEXT, b"x" * (MIB + 1)), None, 1009, "The client message is too large"),
    "does not read": (None, fall_behind, None, 1008, "The client does not read its messages."),
    "an event nobody takes": (None, send(TEXT, b"hi"), None, 1011, "Internal server error"),
}


@pytest.mark.parametrize(
    ("subprotocol", "deed", "said", "code", "text"), CLOSE_CODES.values(), ids=CLOSE_CODES.keys()
)
async def test_close_codes_and_their_texts(
    subprotocol: str | None, deed: Deed, said: bytes | None, code: int, text: str
) -> None:
    """What a client that knows the subprotocol is told first, then the close frame; the text may go on."""
    server = Server(Handler(message=EventRefused(404, "nobody takes it")))
    request = upgrade(Sec_WebSocket_Protocol=subprotocol) if subprotocol else upgrade()
    client = await server.connect(request)
    client.socket.take()
    deed(server, client)
    await turns()
    *before, (head, body) = client.socket.frames()
    assert [message for _, message in before if b"disconnected" in message] == (
        [] if said is None else [SAID % said]
    )
    assert head == CLOSE
    assert int.from_bytes(body[:2], "big") == code
    assert body[2:].decode().startswith(text)
    assert text or len(body) == 2
    client.lose()
