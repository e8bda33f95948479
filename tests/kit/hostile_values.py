"""What nobody sane would send: strategies that tests of every room share."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]
NOTHING: Values = st.nothing()

NUMBERS: Values = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, 1, 2, -1, 3, 2**63, 2**64, 10**400, -(10**30), 1e308, float("nan"), float("inf")]),
)
# With lone surrogates, which have no UTF-8 form.
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["", " ", "\ud800", "a\ud800", "\0", "\r\nx: y", "x" * 2000])
)


def json_values(names: list[str], *texts: str, extra: Values = NOTHING) -> Values:
    """Values of JSON, nearly right: objects like to have members of these ``names``."""
    known = st.sampled_from(texts) if texts else st.nothing()
    leaves = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, known, extra)
    keys = st.one_of(st.sampled_from([*names, *(name.upper() for name in names)]), TEXTS)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
        max_leaves=8,
    )


def json_bytes(values: Values) -> st.SearchStrategy[bytes]:
    """JSON as bytes: whole, cut off, a byte changed, in another encoding, too deep, or no JSON at all."""
    whole = values.map(lambda value: json.dumps(value).encode())
    raw = values.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
    return st.one_of(
        whole,
        raw,
        st.tuples(whole, st.integers(0, 60)).map(lambda pair: pair[0][: pair[1]]),
        st.tuples(whole, st.integers(0, 60), st.binary(max_size=2)).map(_changed),
        whole.map(lambda text: text.decode().encode("utf-16")),
        st.sampled_from([5, 100, 900, 990, 1000, 5000]).map(lambda depth: b"[" * depth + b"]" * depth),
        st.sampled_from([900, 990, 5000]).map(lambda depth: b'{"query":' * depth + b"1" + b"}" * depth),
        st.sampled_from(
            [b"", b"null", b"NaN", b"1e999", b"9" * 5000, b'"\\ud800"', b"\xef\xbb\xbf{}", b"{}{}"]
        ),
        st.binary(max_size=40),
    )


def _changed(parts: tuple[bytes, int, bytes]) -> bytes:
    text, at, other = parts
    return text[:at] + other + text[at + len(other) :]


def states() -> st.SearchStrategy[bytes]:
    """Values of the header of connection states, from right to nonsense."""
    inner = json_bytes(json_values(["a"])).map(lambda raw: base64.b64encode(raw).decode())
    outer = st.dictionaries(TEXTS, st.one_of(inner, inner, TEXTS), max_size=3)
    right = outer.map(lambda value: base64.b64encode(json.dumps(value).encode()))
    return st.one_of(right, right, st.binary(max_size=30), json_bytes(outer).map(base64.b64encode))
