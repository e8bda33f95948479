"""Connection states: literal header values, exact bytes kept."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import CloudEventError, InvalidData
from webpubsub.model.states import CLEARED, ConnectionStates

# Extension spec, section 3.7. The last column: states whose bytes are JSON can be written by us too.
VECTORS = [
    ({"counter": 2}, "eyJjb3VudGVyIjoiTWc9PSJ9", True),
    ({"counter": 10}, "eyJjb3VudGVyIjoiTVRBPSJ9", True),
    (
        {"aKey": "aValue", "bKey": 123},
        "eyJhS2V5IjoiSW1GV1lXeDFaU0k9IiwiYktleSI6Ik1USXoifQ==",
        True,
    ),
    ({"testKey": "value"}, "eyJ0ZXN0S2V5IjoiZG1Gc2RXVT0ifQ==", False),
    ({"a": "c"}, "eyJhIjoiSW1NaSJ9", True),
    ({"key1": "value1", "key2": 123}, "eyJrZXkxIjoiZG1Gc2RXVXgiLCJrZXkyIjoiTVRJeiJ9", False),
]
FOREIGN = "eyJjb3VudGVyU3RhdGUiOnsiY291bnRlciI6MSwidGltZSI6NX19"


@pytest.mark.parametrize(("values", "header", "_ours"), VECTORS)
def test_a_header_reads_as_its_states(values: dict[str, Any], header: str, _ours: bool) -> None:
    assert dict(ConnectionStates(header)) == values


@pytest.mark.parametrize(("values", "header"), [(values, header) for values, header, ours in VECTORS if ours])
def test_states_write_as_their_header(values: dict[str, Any], header: str) -> None:
    assert ConnectionStates.of(values).header == header


@pytest.mark.parametrize(
    "header",
    [
        FOREIGN,
        base64.b64encode(b"not json").decode(),
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b'{"a":"%"}').decode(),
        base64.b64encode(b'{"a":"Mg==","b":5}').decode(),
        base64.b64encode(b'{"\xff":"Mg=="}').decode(),
        base64.b64encode(b'{"a":' * 100_000).decode(),
        CLEARED,
        "",
    ],
)
def test_a_foreign_format_has_no_states_and_stays_as_it_is(header: str) -> None:
    states = ConnectionStates(header)
    states.check()
    assert dict(states) == {}
    assert states.header == header
    assert states.merged({}).header == header


@pytest.mark.parametrize("header", ["%%%", "a", "é", "eyJ "])
def test_what_is_not_base64_is_an_error_when_checked_and_nothing_when_read(header: str) -> None:
    with pytest.raises(CloudEventError):
        ConnectionStates(header).check()
    assert dict(ConnectionStates(header)) == {}


def test_no_states_have_no_header() -> None:
    assert ConnectionStates().header is None
    assert ConnectionStates.of({}).header is None
    assert dict(ConnectionStates()) == {}


def test_merging_overwrites_and_keeps() -> None:
    states = ConnectionStates.of({"a": 1, "b": 2}).merged({"b": 3, "c": 4})
    assert dict(states) == {"a": 1, "b": 3, "c": 4}
    assert dict(ConnectionStates(states.header)) == {"a": 1, "b": 3, "c": 4}


def test_merging_keeps_the_exact_bytes_of_others() -> None:
    """``1.0`` and text that is not JSON, as other languages write them."""
    inner = b'{"number":"' + base64.b64encode(b"1.0") + b'","text":"' + base64.b64encode(b"value") + b'"}'
    merged = ConnectionStates(base64.b64encode(inner).decode()).merged({"counter": 2})
    assert base64.b64decode(merged.header or "") == inner[:-1] + b',"counter":"Mg=="}'


def test_merging_nothing_changes_nothing() -> None:
    states = ConnectionStates.of({"a": 1})
    assert states.merged({}) is states


def test_clearing_is_said_aloud() -> None:
    """An absent header would mean "no change", so an empty object is written."""
    states = ConnectionStates.of({"a": 1})
    assert states.merged({}, cleared=True).header == "e30="
    assert dict(states.merged({"b": 2}, cleared=True)) == {"b": 2}


@pytest.mark.parametrize("values", [{"a": object()}, {"a": "\ud800"}, {"\ud800": 1}])
def test_a_state_without_json_form_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidData):
        ConnectionStates.of(values)
    with pytest.raises(InvalidData):
        ConnectionStates().merged(values)


json_values = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.lists(st.text())


@given(st.dictionaries(st.text(), json_values))
def test_what_goes_in_comes_out(values: dict[str, Any]) -> None:
    assert dict(ConnectionStates(ConnectionStates.of(values).header)) == values


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_any_header_is_read_or_refused(header: str) -> None:
    values = dict(ConnectionStates(header))
    try:
        ConnectionStates(header).check()
    except CloudEventError:
        assert values == {}


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        (None, {}),
        ("", {}),
        ("eyJjb3VudGVyIjoiTWc9PSJ9", {"counter": b"2"}),
        # 1.50 and 12345678901234567890123, which Python's numbers would not keep
        (
            "eyJhIjoiTVM0MU1BPT0iLCJiIjoiTVRJek5EVTJOemc1TURFeU16UTFOamM0T1RBeE1qTT0ifQ==",
            {"a": b"1.50", "b": b"12345678901234567890123"},
        ),
        # value, which is no JSON
        ("eyJ0ZXN0S2V5IjoiZG1Gc2RXVT0ifQ==", {"testKey": b'"value"'}),
        # the bytes ff, which are no text either
        ("eyJhIjoiL3c9PSJ9", {"a": '"\ufffd"'.encode()}),
    ],
)
def test_raw_values_are_their_exact_text(header: str | None, raw: dict[str, bytes]) -> None:
    assert {name: bytes(value) for name, value in ConnectionStates(header).raw.items()} == raw
