"""WebSocket frames: RFC 6455, section 5, byte by byte."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import BuiltinFunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.growth import peak_memory
from kit.service_peers import client_frame
from webpubsub.model.errors import ProtocolError
from webpubsub.service.protocols import frames
from webpubsub.service.protocols.frames import (
    FrameParser,
    Opcode,
    binary_frame,
    close_frame,
    parse_close,
    text_frame,
)

ZERO = b"\0\0\0\0"  # a mask that leaves the body as it is
MIB = 1024 * 1024


def parsed(data: bytes, size: int | None = None) -> list[tuple[int, bytes]]:
    """What a parser yields when ``data`` comes in pieces of ``size`` bytes."""
    parser = FrameParser()
    size = size or max(len(data), 1)
    return [
        message
        for start in range(0, len(data), size)
        for message in parser.receive_data(data[start : start + size])
    ]


def close_code(data: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        parsed(data)
    return caught.value.close_code


# --- what is taken ------------------------------------------------------------------------------------

TAKEN = {
    "the masked Hello of section 5.7": (
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        [(1, b"Hello")],
    ),
    "text with a mask of zeros": (b"\x81\x85" + ZERO + b"Hello", [(1, b"Hello")]),
    "empty text": (b"\x81\x80" + ZERO, [(1, b"")]),
    "binary": (b"\x82\x83\xff\xff\xff\xff\xff\xfe\xfd", [(2, b"\x00\x01\x02")]),
    "binary that is not UTF-8": (b"\x82\x81" + ZERO + b"\xff", [(2, b"\xff")]),
    "a ping without body": (b"\x89\x80" + ZERO, [(9, b"")]),
    "a ping of 125 bytes": (b"\x89\xfd" + ZERO + b"p" * 125, [(9, b"p" * 125)]),
    "a pong nobody asked for": (b"\x8a\x82" + ZERO + b"hi", [(10, b"hi")]),
    "a close with code and reason": (b"\x88\x85" + ZERO + b"\x03\xe8bye", [(8, b"\x03\xe8bye")]),
    "two fragments": (b"\x01\x83" + ZERO + b"Hel" + b"\x80\x82" + ZERO + b"lo", [(1, b"Hello")]),
    "empty fragments": (
        b"\x02\x80" + ZERO + b"\x00\x80" + ZERO + b"\x00\x81" + ZERO + b"x" + b"\x80\x80" + ZERO,
        [(2, b"x")],
    ),
    "a ping between fragments": (
        b"\x01\x81" + ZERO + b"a" + b"\x89\x81" + ZERO + b"?" + b"\x80\x81" + ZERO + b"b",
        [(9, b"?"), (1, b"ab")],
    ),
    "a character split over fragments": (
        b"\x01\x82" + ZERO + b"\xe2\x82" + b"\x80\x81" + ZERO + b"\xac",
        [(1, "€".encode())],
    ),
    "two messages after a fragmented one": (
        b"\x02\x81"
        + ZERO
        + b"a"
        + b"\x80\x80"
        + ZERO
        + b"\x81\x81"
        + ZERO
        + b"b"
        + b"\x82\x81"
        + ZERO
        + b"c",
        [(2, b"a"), (1, b"b"), (2, b"c")],
    ),
}


@pytest.mark.parametrize("size", [None, 1, 2, 3])
@pytest.mark.parametrize(("data", "expected"), TAKEN.values(), ids=TAKEN.keys())
def test_valid_frames_become_messages(data: bytes, expected: object, size: int | None) -> None:
    assert parsed(data, size) == expected


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x82\x80"),
        (125, b"\x82\xfd"),
        (126, b"\x82\xfe\x00\x7e"),
        (127, b"\x82\xfe\x00\x7f"),
        (65_535, b"\x82\xfe\xff\xff"),
        (65_536, b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00"),
        (MIB, b"\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00"),
    ],
)
def test_every_length_has_its_shortest_header(size: int, header: bytes) -> None:
    body = b"x" * size
    assert parsed(header + ZERO + body) == [(2, body)]
    assert parsed(header + ZERO + body, 40_000) == [(2, body)]
    server_header = bytes([header[0], header[1] & 0x7F]) + header[2:]
    assert binary_frame(body) == server_header + body


def test_what_is_not_complete_waits_for_more() -> None:
    parser = FrameParser()
    frame = client_frame(0x82, b"x" * 300)
    for byte in frame[:-1]:
        assert not list(parser.receive_data(bytes([byte])))
    assert list(parser.receive_data(frame[-1:])) == [(2, b"x" * 300)]


def test_messages_before_an_error_are_not_lost() -> None:
    found = FrameParser().receive_data(client_frame(0x81, b"a") + b"\x83\x80" + ZERO)
    assert next(found) == (1, b"a")
    with pytest.raises(ProtocolError):
        next(found)


def test_a_consumer_that_stops_early_loses_nothing() -> None:
    parser = FrameParser()
    for _ in parser.receive_data(client_frame(0x81, b"a") + client_frame(0x81, b"b")):
        break
    assert list(parser.receive_data(client_frame(0x81, b"c"))) == [(1, b"b"), (1, b"c")]


# --- what is refused ----------------------------------------------------------------------------------

REFUSED = {
    "no mask (5.1)": (b"\x81\x05Hello", 1002),
    "RSV1 (5.2)": (b"\xc1\x80" + ZERO, 1002),
    "RSV2 (5.2)": (b"\xa1\x80" + ZERO, 1002),
    "RSV3 (5.2)": (b"\x91\x80" + ZERO, 1002),
    **{f"opcode {code} (5.2)": (bytes([0x80 | code, 0x80]) + ZERO, 1002) for code in (3, 4, 5, 6, 7)},
    **{f"opcode {code} (5.2)": (bytes([0x80 | code, 0x80]) + ZERO, 1002) for code in (11, 12, 13, 14, 15)},
    "125 in two bytes (5.2)": (b"\x82\xfe\x00\x7d", 1002),
    "65,535 in eight bytes (5.2)": (b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", 1002),
    "a length of 64 bits (5.2)": (b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1002),
    "a fragmented ping (5.5)": (b"\x09\x80" + ZERO, 1002),
    "a fragmented close (5.5)": (b"\x08\x80" + ZERO, 1002),
    "a ping of 126 bytes (5.5)": (b"\x89\xfe\x00\x7e" + ZERO, 1002),
    "a continuation of nothing (5.4)": (b"\x80\x80" + ZERO, 1002),
    "an unfinished continuation of nothing (5.4)": (b"\x00\x80" + ZERO, 1002),
    "a new message between fragments (5.4)": (b"\x01\x80" + ZERO + b"\x81\x80" + ZERO, 1002),
    "new fragments between fragments (5.4)": (b"\x01\x80" + ZERO + b"\x02\x80" + ZERO, 1002),
    "text that is not UTF-8 (8.1)": (b"\x81\x81" + ZERO + b"\xff", 1007),
    "text that ends within a character (8.1)": (b"\x81\x82" + ZERO + b"\xe2\x82", 1007),
    "an overlong slash (8.1)": (b"\x81\x82" + ZERO + b"\xc0\xaf", 1007),
    "a surrogate (8.1)": (b"\x81\x83" + ZERO + b"\xed\xa0\x80", 1007),
    "fragments that are not UTF-8 (8.1)": (b"\x01\x81" + ZERO + b"\xe2" + b"\x80\x81" + ZERO + b"a", 1007),
    "one byte over 1 MiB": (b"\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01" + ZERO, 1009),
    "2^63 - 1 bytes": (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 1009),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_frames_close_the_connection(data: bytes, code: int) -> None:
    assert close_code(data) == code


def test_too_large_is_said_before_the_body_comes() -> None:
    parser = FrameParser(max_size=10)
    with pytest.raises(ProtocolError, match="10 bytes") as caught:
        list(parser.receive_data(b"\x82\x8b"))
    assert caught.value.close_code == 1009


def test_fragments_count_together_against_the_limit() -> None:
    half = b"x" * (MIB // 2)
    start = client_frame(0x02, half, ZERO) + client_frame(0x00, half, ZERO)
    assert parsed(start + client_frame(0x80, b"", ZERO)) == [(2, half + half)]
    assert close_code(start + client_frame(0x80, b"x", ZERO)) == 1009


def test_the_limit_counts_anew_for_each_message() -> None:
    parser = FrameParser(max_size=2)
    data = client_frame(0x02, b"ab") + client_frame(0x80) + client_frame(0x82, b"cd")
    assert list(parser.receive_data(data)) == [(2, b"ab"), (2, b"cd")]


@pytest.mark.parametrize("each", [0, 1, 2, 3, 100, 20_000])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_message_in_many_fragments_takes_its_size_and_no_more(opcode: int, each: int) -> None:
    parser, size = FrameParser(), 30_000
    count = size // each if each else size
    middle = client_frame(0x00, b"x" * each)

    def receive() -> list[tuple[int, bytes]]:
        list(parser.receive_data(client_frame(opcode)))
        for _ in range(count):
            list(parser.receive_data(middle))
        return list(parser.receive_data(client_frame(0x80)))

    found, peak = peak_memory(receive)
    assert found == [(opcode, b"x" * (count * each))]
    assert peak < count * each * 5 / 4 + 20_000


def test_a_large_frame_in_small_pieces_is_not_put_together_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one client could keep the loop busy with copying a megabyte for each byte it sends."""
    looked: list[int] = []
    checked = FrameParser._checked_opcode

    def look(parser: FrameParser, head: int, size: int) -> Opcode:
        looked.append(size)
        return checked(parser, head, size)

    monkeypatch.setattr(FrameParser, "_checked_opcode", look)
    assert parsed(client_frame(0x82, b"x" * 50_000, ZERO), 10) == [(2, b"x" * 50_000)]
    assert looked == [50_000, 50_000]  # when its header came, and when it was complete


# --- close frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (None, "")),
        (b"\x03\xe8", (1000, "")),
        (b"\x03\xe8bye", (1000, "bye")),
        (b"\x03\xe9", (1001, "")),
        (b"\x03\xef", (1007, "")),
        (b"\x03\xf6", (1014, "")),
        (b"\x0b\xb8", (3000, "")),
        (b"\x13\x87" + "é".encode(), (4999, "é")),
    ],
)
def test_a_close_says_why(body: bytes, expected: object) -> None:
    assert parse_close(body) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\x03", 1002),  # half a code
        *(
            ((number).to_bytes(2, "big"), 1002)
            for number in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000)
        ),
        (b"\xff\xff", 1002),
        (b"\x03\xe8\xff", 1007),
    ],
)
def test_a_close_with_a_reserved_code_or_bad_text_is_an_error(body: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_close(body)
    assert caught.value.close_code == code


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (None, "", b"\x88\x00"),
        (1000, "", b"\x88\x02\x03\xe8"),
        (1008, "no", b"\x88\x04\x03\xf0no"),
        (1000, "x" * 123, b"\x88\x7d\x03\xe8" + b"x" * 123),
        (1000, "x" * 124, b"\x88\x7d\x03\xe8" + b"x" * 123),
        (1000, "x" * 122 + "é", b"\x88\x7c\x03\xe8" + b"x" * 122),  # no half a character
    ],
)
def test_close_frames_are_never_too_long(code: int | None, reason: str, expected: bytes) -> None:
    assert close_frame(code, reason) == expected


def test_the_server_does_not_mask() -> None:
    assert text_frame(b"Hello") == b"\x81\x05Hello"  # section 5.7
    assert frames.ping_frame() == b"\x89\x00"
    assert frames.pong_frame(b"Hello") == b"\x8a\x05Hello"


# --- any bytes ----------------------------------------------------------------------------------------

_messages = st.lists(
    st.one_of(
        st.tuples(st.just(1), st.text(max_size=200).map(str.encode)),
        st.tuples(st.just(2), st.binary(max_size=200)),
        st.tuples(st.sampled_from([9, 10]), st.binary(max_size=125)),
    ),
    max_size=6,
)


@given(messages=_messages, data=st.data())
def test_however_messages_are_fragmented_and_cut_they_arrive(
    messages: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    wire = b""
    for opcode, body in messages:
        mask = data.draw(st.binary(min_size=4, max_size=4))
        if opcode >= 8:
            wire += client_frame(0x80 | opcode, body, mask)
            continue
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        for at, piece in enumerate(pieces):
            final = 0x80 if at == len(pieces) - 1 else 0
            wire += client_frame(final | (opcode if at == 0 else 0), piece, mask)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    parser = FrameParser()
    found = [
        message
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)
        for message in parser.receive_data(wire[start:end])
    ]
    assert found == messages


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_junk_is_a_protocol_error_or_waits_for_more(chunks: list[bytes]) -> None:
    parser, code = FrameParser(), None
    try:
        for chunk in chunks:
            for opcode, body in parser.receive_data(chunk):
                assert opcode in Opcode
                assert isinstance(body, bytes)
    except ProtocolError as error:
        code = error.close_code
    assert code in (None, 1002, 1007, 1009)


@given(st.binary(max_size=125))
def test_junk_in_a_close_is_a_protocol_error_or_a_code(body: bytes) -> None:
    error_code = None
    try:
        code, reason = parse_close(body)
    except ProtocolError as error:
        error_code = error.close_code
    else:
        assert close_frame(code, reason)[2:] == body
    assert error_code in (None, 1002, 1007)


# --- masking ------------------------------------------------------------------------------------------


def test_the_c_routine_is_used_where_websockets_has_it() -> None:
    """When this fails, websockets has moved it: find it again, or every frame is unmasked in Python."""
    assert frames.unmask is not frames.unmask_in_python
    assert isinstance(frames.unmask, BuiltinFunctionType)


@pytest.mark.parametrize("unmask", [frames.unmask, frames.unmask_in_python])
def test_unmasking(unmask: Callable[[bytes, bytes], bytes]) -> None:
    assert unmask(b"\x7f\x9f\x4d\x51\x58", b"\x37\xfa\x21\x3d") == b"Hello"  # RFC 6455, section 5.7
    assert unmask(b"", b"\x01\x02\x03\x04") == b""
    for size in range(1, 20):
        body, key = bytes(range(size)), b"\x00\xff\x10\x01"
        assert unmask(body, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(body))


def test_a_parser_does_without_the_c_routine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "unmask", frames.unmask_in_python)
    assert parsed(client_frame(0x81, b"Hello")) == [(1, b"Hello")]


def test_without_the_c_routine_the_module_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    spec = importlib.util.find_spec(frames.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.unmask is module.unmask_in_python


# --- the short way of whole text messages -------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535])
def test_a_whole_text_message_is_taken_at_once(size: int) -> None:
    parser = FrameParser()
    assert parser.receive_text(client_frame(0x81, b"x" * size)) == b"x" * size
    assert list(parser.receive_data(client_frame(0x82, b"a"))) == [(2, b"a")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81",
        client_frame(0x81, b"abc")[:-1],
        client_frame(0x81, b"a") * 2,
        client_frame(0x82, b"a"),
        client_frame(0x01, b"a"),
        client_frame(0x80, b"a"),
        client_frame(0xC1, b"a"),
        client_frame(0x89, b"a"),
        client_frame(0x81, "é".encode()),
        client_frame(0x81, b"x" * 65_536),
        client_frame(0x81, b"x" * 130)[:-1],
        b"\x81\x01a",
        b"\x81\xfe\x00\x01\x00\x00\x00\x00a",
    ],
)
def test_anything_else_is_left_to_be_looked_at(data: bytes) -> None:
    assert FrameParser().receive_text(data) is None


def test_a_message_behind_part_of_another_is_not_taken_at_once() -> None:
    whole, part = client_frame(0x81, b"whole"), FrameParser()
    list(part.receive_data(b"\x81"))
    assert part.receive_text(whole) is None
    fragments = FrameParser()
    list(fragments.receive_data(client_frame(0x01, b"a")))
    assert fragments.receive_text(whole) is None
    assert FrameParser(max_size=4).receive_text(whole) is None


@given(
    st.one_of(st.binary(max_size=300), st.builds(client_frame, st.integers(0, 255), st.binary(max_size=300)))
)
def test_what_is_taken_at_once_is_what_the_parser_finds(data: bytes) -> None:
    found = FrameParser().receive_text(data)
    if found is not None:
        assert list(FrameParser().receive_data(data)) == [(1, found)]
