"""``data`` and ``dataType`` in the host's JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.functions.host_json.data_json import decode_data, encode_data
from webpubsub.model.errors import InvalidData
from webpubsub.model.payload import Payload, WebPubSubDataType

TEXT, JSON, BINARY = WebPubSubDataType.TEXT, WebPubSubDataType.JSON, WebPubSubDataType.BINARY
BUFFER = {"type": "Buffer", "data": [0, 255]}


@pytest.mark.parametrize(
    ("data", "data_type", "body", "kind"),
    [
        ("hi", None, b"hi", TEXT),
        ("hi", "text", b"hi", TEXT),
        ("hi", "Text", b"hi", TEXT),
        ("hi", 2, b"hi", TEXT),
        ('{"a":1.50}', "JSON", b'{"a":1.50}', JSON),
        ("null", 1, b"null", JSON),
        (BUFFER, None, b"\x00\xff", BINARY),
        (BUFFER, 0, b"\x00\xff", BINARY),
        ({"type": "buffer", "data": []}, "binary", b"", BINARY),
        ({"type": "Buffer", "data": [104]}, "text", b"h", TEXT),
        (b"\x00", None, b"\x00", BINARY),
        (bytearray(b"hi"), "text", b"hi", TEXT),
        ({"a": 1}, None, b'{"a":1}', JSON),
        ([1, None], None, b"[1,null]", JSON),
        (5, None, b"5", JSON),
        (False, None, b"false", JSON),
        ({"type": "invoice", "data": "x"}, None, b'{"type":"invoice","data":"x"}', JSON),
    ],
)
def test_members_are_read(data: Any, data_type: Any, body: bytes, kind: WebPubSubDataType) -> None:
    assert decode_data(data, data_type) == Payload(body, kind)


def test_a_string_is_binary_only_in_answers() -> None:
    assert decode_data("hi", "binary", text_as_binary=True) == Payload(b"hi", BINARY)


@pytest.mark.parametrize(
    ("data", "data_type", "text"),
    [
        (None, None, "'data' is missing or null: expected a string or a Buffer object"),
        (
            {"a": 1},
            "json",
            "'data' is a dict with dataType 'json': expected JSON as a string, so stringify it with "
            "json.dumps(...), or leave dataType out to send the value as its JSON",
        ),
        (
            5,
            "text",
            "'data' is an int with dataType 'text': expected a string, or leave dataType out to send the "
            "value as its JSON",
        ),
        (
            "aGk=",
            "binary",
            "'data' is a string with dataType 'binary': expected bytes or a Buffer object "
            '{"type": "Buffer", "data": [...]}',
        ),
        ("hi", "xml", "data type 'xml' is not one of 'text', 'json', 'binary'"),
        ("hi", 3, "data type 3 is not one of 'text', 'json', 'binary'"),
        ("hi", True, "data type True is not one of 'text', 'json', 'binary'"),
        ("{", "json", "the payload is not valid JSON: Input data was truncated"),
        (
            {"type": "Buffer", "data": [256]},
            None,
            "the Buffer object's 'data' is not a list of numbers from 0 to 255: bytes must be in "
            "range(0, 256)",
        ),
        (
            {"type": "Buffer", "data": "aGk="},
            None,
            "the Buffer object's 'data' is not a list of numbers from 0 to 255: found a str",
        ),
    ],
)
def test_members_that_do_not_fit_each_other(data: Any, data_type: Any, text: str) -> None:
    with pytest.raises(InvalidData) as raised:
        decode_data(data, data_type)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (Payload(b"hi", TEXT), "hi"),
        (Payload(b'{"b":1,"a":1.0}', JSON), '{"b":1,"a":1.0}'),
        (Payload(b"\x00\xff", BINARY), BUFFER),
    ],
)
def test_members_are_written(payload: Payload, data: Any) -> None:
    assert encode_data(payload) == data


@given(st.one_of(st.text(st.characters(codec="utf-8")), st.binary(), st.lists(st.integers(0, 9))))
def test_what_is_written_is_read_back_exactly(value: Any) -> None:
    payload = Payload.of(value)
    assert decode_data(encode_data(payload), payload.data_type) == payload
