"""Message metadata: client spec, section 7.4; service spec, section A.3."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import InvalidData
from webpubsub.model.metadata import (
    build_metadata_headers,
    check_metadata,
    metadata_of,
    parse_metadata_headers,
)

PREFIX = b"x-webpubsub-metadata-"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"a": ""},
        {"Trace-Id_1.x~": "any text, with; 'signs'"},
        {"!#$%&'*+.^_`|~-": "1"},
        {"n" * 256: "v" * 1024},
        {f"{number:02}": "v" * 1022 for number in range(8)},  # 8,192 bytes
    ],
)
def test_metadata_within_the_limits(metadata: dict[str, str]) -> None:
    check_metadata(metadata)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"": "1"}, "the metadata name '' is not 1 to 256 letters"),
        ({"a b": "1"}, "the metadata name 'a b' is not"),
        ({"a:": "1"}, "the metadata name 'a:' is not"),
        ({"é": "1"}, "the metadata name 'é' is not"),
        ({"a\n": "1"}, r"the metadata name 'a\n' is not"),
        ({"n" * 257: "1"}, "the metadata name 'nnn"),
        ({"a": "é"}, "the metadata value of 'a' is not at most 1024 ASCII characters"),
        ({"a": "v" * 1025}, "the metadata value of 'a' is not"),
        (
            {f"{number:02}": "v" * 1022 for number in range(8)} | {"a": ""},
            "the metadata has 8193 bytes: at most 8192 are taken",
        ),
    ],
)
def test_metadata_outside_the_limits(metadata: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidData) as caught:
        check_metadata(metadata)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "metadata"),
    [
        ([], {}),
        ([(b"content-type", b"text/plain"), (b"x-webpubsub-metadata", b"1")], {}),
        ([(PREFIX + b"trace", b"1"), (b"host", b"x"), (PREFIX + b"b", b"")], {"trace": "1", "b": ""}),
        ([(b"X-WebPubSub-Metadata-TrAcE", b"1")], {"trace": "1"}),
        ([(PREFIX + b"a", b" x y\t")], {"a": "x y"}),
        ([(PREFIX + b"a", b"1"), (PREFIX + b"A", b"2")], {"a": "2"}),  # the last header
        ([(PREFIX + b"a", b"1, 2,3 ")], {"a": "3"}),  # and what is last in it
        ([(PREFIX + b"a", b"1,")], {"a": ""}),
    ],
)
def test_headers_are_read(headers: list[tuple[bytes, bytes]], metadata: dict[str, str]) -> None:
    assert parse_metadata_headers(headers) == metadata


@pytest.mark.parametrize(
    "header",
    [
        (PREFIX, b"1"),
        (PREFIX + b"a b", b"1"),
        (PREFIX + b"\xc3\xa9", b"1"),
        (PREFIX + b"a", b"\xc3\xa9"),
        (PREFIX + b"n" * 257, b"1"),
        (PREFIX + b"a", b"v" * 1025),
    ],
)
def test_headers_outside_the_limits_are_refused(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(InvalidData):
        parse_metadata_headers([header])


def test_headers_are_written_in_lower_case_with_the_last_of_equal_names() -> None:
    assert build_metadata_headers({}) == []
    assert build_metadata_headers({"Trace": "1", "b": "x", "TRACE": "2"}) == [
        ("X-WebPubSub-Metadata-trace", "2"),
        ("X-WebPubSub-Metadata-b", "x"),
    ]


def test_metadata_among_the_headers_of_an_event() -> None:
    headers = {"Host": ["x"], "X-WebPubSub-Metadata-Trace": ["1", "a, b"], "x-webpubsub-metadata-": []}
    assert metadata_of(headers) == {"trace": "a, b"}
    assert metadata_of({}) == {}


_names = st.text(string.ascii_lowercase + string.digits + "!#$%&'*+.^_`|~-", min_size=1, max_size=8)
_values = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=","), max_size=8)


@given(st.dictionaries(_names, _values.map(str.strip), max_size=4))
def test_what_is_written_is_read(metadata: dict[str, str]) -> None:
    check_metadata(metadata)
    headers = [(name.encode(), value.encode()) for name, value in build_metadata_headers(metadata)]
    assert parse_metadata_headers(headers) == metadata


@given(st.lists(st.tuples(st.binary(max_size=6).map(PREFIX.__add__), st.binary(max_size=6)), max_size=3))
def test_any_headers_are_read_or_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        metadata = parse_metadata_headers(headers)
    except InvalidData:
        return
    check_metadata(metadata)
