"""Payloads: between Python values and exact bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import InvalidData
from webpubsub.model.payload import CONTENT_TYPES, EMPTY_TEXT, Payload, WebPubSubDataType, parse_data_type

TEXT, JSON, BINARY = WebPubSubDataType.TEXT, WebPubSubDataType.JSON, WebPubSubDataType.BINARY
PROTOBUF = WebPubSubDataType.PROTOBUF
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("data", "data_type", "body", "kind"),
    [
        ("hi", None, b"hi", TEXT),
        ("é", None, b"\xc3\xa9", TEXT),
        ("", None, b"", TEXT),
        ("hi", "Text", b"hi", TEXT),
        ("hi", "JSON", b'"hi"', JSON),
        (b"\x00\xff", None, b"\x00\xff", BINARY),
        (bytearray(b"\x00"), None, b"\x00", BINARY),
        (memoryview(b"\x01"), "binary", b"\x01", BINARY),
        ({"answer": 42}, None, b'{"answer":42}', JSON),
        ([1, "a", None], None, b'[1,"a",null]', JSON),
        (7, None, b"7", JSON),
        (True, None, b"true", JSON),
        (None, "json", b"null", JSON),
    ],
)
def test_a_value_has_one_wire_form(
    data: Any, data_type: str | None, body: bytes, kind: WebPubSubDataType
) -> None:
    assert Payload.of(data, data_type) == Payload(body, kind)


@pytest.mark.parametrize(
    ("data", "data_type"),
    [
        (b"hi", "text"),
        (5, "text"),
        ("hi", "binary"),
        ({"a": 1}, "binary"),
        (b"hi", "json"),
        (object(), None),
        ({(1, 2): 3}, None),
        ("\ud800", None),
        ("\ud800", "json"),
        ("hi", "xml"),
        ("hi", 2),
        (Payload(b"hi", TEXT), "json"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(data: Any, data_type: Any) -> None:
    with pytest.raises(InvalidData):
        Payload.of(data, data_type)


def test_a_value_that_contains_itself_has_no_json_form() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidData):
        Payload.of(endless)


def test_a_payload_is_its_own_payload() -> None:
    payload = Payload(b'{"a": 1.0}', JSON)
    assert Payload.of(payload) is payload
    assert Payload.of(payload, "json") is payload


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (Payload(b"hi", TEXT), "hi"),
        (Payload(b'{"a": [1.5, null]}', JSON), {"a": [1.5, None]}),
        (Payload(b"\xff", BINARY), b"\xff"),
    ],
)
def test_bytes_read_back_as_the_value(payload: Payload, value: Any) -> None:
    assert payload.value == value


BROKEN = [
    Payload(b"\xff", TEXT),
    Payload(b"", JSON),
    Payload(b"{", JSON),
    Payload(b'{"a":1}x', JSON),
    Payload(b"NaN", JSON),
    Payload(b'"\xff"', JSON),
    Payload(b'"\\ud800"', JSON),
    Payload(b"[" * 100_000, JSON),
]


@pytest.mark.parametrize("payload", BROKEN, ids=lambda payload: repr(payload.body[:12]))
def test_bytes_that_are_not_what_they_claim_are_refused(payload: Payload) -> None:
    with pytest.raises(InvalidData):
        payload.check()
    with pytest.raises(InvalidData):
        _ = payload.value


@pytest.mark.parametrize(
    "body", [b"1e999", b"123456789012345678901234567890", b' {"b": 1.0, "a": 2}\n', b"null"]
)
def test_json_is_checked_without_being_changed(body: bytes) -> None:
    """Numbers Python cannot hold, key order and blanks all travel on."""
    payload = Payload(body, JSON)
    payload.check()
    assert Payload.of(payload).body == body


@pytest.mark.parametrize(
    ("content_type", "data_type"),
    [
        ("text/plain", TEXT),
        ("Text/Plain; charset=utf-8", TEXT),
        ("application/json;charset=UTF-8", JSON),
        (" application/octet-stream ", BINARY),
        ("application/x-protobuf", None),
        ("", None),
    ],
)
def test_a_content_type_names_a_data_type(content_type: str, data_type: WebPubSubDataType | None) -> None:
    assert Payload.data_type_of(content_type) is data_type


@pytest.mark.parametrize("data_type", list(WebPubSubDataType))
def test_every_data_type_has_a_content_type(data_type: WebPubSubDataType) -> None:
    assert Payload.data_type_of(CONTENT_TYPES[data_type], with_protobuf=True) is data_type
    assert Payload(b"", data_type).content_type == CONTENT_TYPES[data_type]


@pytest.mark.parametrize("data_type", [TEXT, JSON, BINARY])
def test_data_types_are_named_in_any_case(data_type: WebPubSubDataType) -> None:
    assert parse_data_type(data_type.upper()) is data_type


# --- protobuf -----------------------------------------------------------------------------------------


def test_functions_cannot_name_protobuf() -> None:
    for name in ("protobuf", "Protobuf", PROTOBUF):
        with pytest.raises(InvalidData, match=r"^data type .* is not one of 'text', 'json', 'binary'$"):
            Payload.of(b"", name)


def test_a_protobuf_payload_is_an_any() -> None:
    payload = Payload(b"\x0a\x01x", PROTOBUF)
    payload.check()
    assert payload.value == b"\x0a\x01x"
    assert Payload.of(payload, PROTOBUF) is payload
    with pytest.raises(InvalidData, match="a protobuf payload cannot be sent as binary"):
        Payload.of(payload, BINARY)
    with pytest.raises(InvalidData, match="is not a serialized"):
        Payload(b"x", PROTOBUF).check()


def test_a_message_without_data_is_an_empty_text() -> None:
    assert Payload.of("") == EMPTY_TEXT


@given(json_values | st.text() | st.binary())
def test_what_goes_in_comes_out(data: Any) -> None:
    payload = Payload.of(data)
    payload.check()
    assert payload.value == data


@given(st.binary(), st.sampled_from(WebPubSubDataType))
def test_arbitrary_bytes_are_read_or_refused(body: bytes, data_type: WebPubSubDataType) -> None:
    payload = Payload(body, data_type)
    try:
        payload.check()
        _ = payload.value
    except InvalidData:
        assert data_type is not BINARY
