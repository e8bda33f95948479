"""Protobuf's wire format, byte by byte; google's library is the judge."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from webpubsub.model.errors import InvalidData
from webpubsub.model.protobuf import bytes_field, bytes_head, check_any, varint, varint_field


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7F"),
        (128, "80 01"),
        (300, "AC 02"),
        (2**32, "80 80 80 80 10"),
        (2**64 - 1, "FF FF FF FF FF FF FF FF FF 01"),
    ],
)
def test_varints(value: int, raw: str) -> None:
    assert varint(value) == bytes.fromhex(raw)


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        (bytes_field(1, b""), "0A 00"),
        (bytes_field(1, b"hi"), "0A 02 68 69"),
        (bytes_field(15, b"hi"), "7A 02 68 69"),
        (bytes_field(16, b"hi"), "82 01 02 68 69"),
        (bytes_head(2, 127), "12 7F"),
        (bytes_head(2, 128), "12 80 01"),
        (bytes_head(16, 300), "82 01 AC 02"),
        (varint_field(1, 0), "08 00"),
        (varint_field(4, 127), "20 7F"),
        (varint_field(4, 128), "20 80 01"),
        (varint_field(16, 1), "80 01 01"),
        (varint_field(2, True), "10 01"),
    ],
)
def test_fields(field: bytes, raw: str) -> None:
    assert field == bytes.fromhex(raw)


@given(st.text(max_size=200), st.binary(max_size=200))
def test_the_library_reads_what_is_written(type_url: str, value: bytes) -> None:
    body = bytes_field(1, type_url.encode()) + bytes_field(2, value)
    found = Any.FromString(body)
    assert (found.type_url, found.value) == (type_url, value)
    check_any(body)


@given(st.integers(-(2**63), 2**63 - 1))
def test_the_library_reads_any_number(seconds: int) -> None:
    assert Timestamp.FromString(varint_field(1, seconds % 2**64)).seconds == seconds


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0A 00",
        "12 02 08 01",
        "12 00 0A 01 78",  # in any order
        "0A 01 61 0A 01 62",  # the last one counts
        "08 05 0A 01 61",  # another kind of field 1 is a field nobody knows
        "18 AC 02 25 00 00 00 00 29 00 00 00 00 00 00 00 00",  # fields nobody knows, of each kind
    ],
)
def test_an_any(raw: str) -> None:
    Any.FromString(bytes.fromhex(raw))
    check_any(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "raw",
    [
        "0A",  # no size
        "0A 05 61",  # cut off
        "12 FF FF FF FF FF FF FF FF FF 01",  # larger than anything
        "0A 01 FF",  # a type that is not UTF-8
        "00 00",  # no field
        "0E 01",  # of no kind
        "18 FF FF FF FF FF FF FF FF FF FF 01",  # a number of more than 64 bits
        "25 00 00",
        "FF",
        "01 02 03",
    ],
)
def test_no_any(raw: str) -> None:
    with pytest.raises((DecodeError, UnicodeDecodeError)):  # the latter by its Python parser
        Any.FromString(bytes.fromhex(raw))
    with pytest.raises(InvalidData, match=r"is not a serialized google\.protobuf\.Any: "):
        check_any(bytes.fromhex(raw))


@given(st.binary(max_size=30) | st.text("\x0a\x12\x01\x02\x08\x80", max_size=12).map(str.encode))
@example(b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")
def test_what_is_taken_the_library_can_read(body: bytes) -> None:
    try:
        check_any(body)
    except InvalidData:
        return
    Any.FromString(body)
