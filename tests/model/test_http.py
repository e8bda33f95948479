"""HTTP headers as functions see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.event_values import user
from webpubsub.model.cloudevents import build_headers
from webpubsub.model.http import SPELLINGS, Headers, header_text

RAW = [(b"ce-hub", b"chat"), (b"accept", b"a"), (b"ce-userid", "日本".encode()), (b"accept", b"b")]


def test_names_have_no_case_and_values_are_lists() -> None:
    headers = Headers(RAW)
    assert headers["CE-Hub"] == ["chat"]
    assert headers["accept"] == ["a", "b"]
    assert headers["ce-userId"] == ["日本"]
    assert "Accept" in headers
    assert headers.get("ACCEPT") == ["a", "b"]


def test_what_is_not_there_is_missing() -> None:
    headers = Headers(RAW)
    assert "x" not in headers
    assert 5 not in headers  # type: ignore[comparison-overlap]
    assert headers.get("x") is None
    with pytest.raises(KeyError):
        headers["x"]


def test_headers_are_a_mapping() -> None:
    assert list(Headers(RAW)) == ["ce-hub", "accept", "ce-userid"]
    assert len(Headers(RAW)) == 3
    assert Headers(RAW) == {"ce-hub": ["chat"], "accept": ["a", "b"], "ce-userid": ["日本"]}
    assert repr(Headers([(b"a", b"1")])) == "Headers({'a': ['1']})"
    assert dict(Headers(())) == {}


@pytest.mark.parametrize(
    ("raw", "text"), [(b"plain", "plain"), (b"\xc3\xa9", "é"), (b"\xe9", "é"), (b"", "")]
)
def test_a_value_is_utf8_or_else_latin1(raw: bytes, text: str) -> None:
    assert header_text(raw) == text


@given(st.binary())
def test_any_value_has_a_text(raw: bytes) -> None:
    text = header_text(raw)
    assert raw in (text.encode(), text.encode("latin-1", errors="replace"))


def test_every_header_of_an_event_has_its_spelling() -> None:
    headers = build_headers(user(a=1), origin="a", signature="s", time="t", request_id="r")
    assert len(headers) > 12
    assert [SPELLINGS.get(name.lower(), name.lower()) for name, _ in headers] == [name for name, _ in headers]
