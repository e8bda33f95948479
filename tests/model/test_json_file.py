"""Places of values in a JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.json_file import JsonPath, place

TEXT = """ {
  "a": [1, {"b": "x, ]"},
        [ ]],
  "a b": {"c": null},
  "twice": 1, "twice": 2
}"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), (1, 2)),
        (("a",), (2, 8)),
        (("a", 0), (2, 9)),
        (("a", 1, "b"), (2, 18)),
        (("a", 2), (3, 9)),
        (("a b", "c"), (4, 16)),
        (("twice",), (5, 24)),
        # As far as it goes.
        (("z",), (1, 2)),
        (("a", 3), (2, 8)),
        (("a", 2, 0), (3, 9)),
        (("a", "b"), (2, 8)),
        (("a b", 0), (4, 10)),
        (("a", 0, "x"), (2, 9)),
    ],
)
def test_places(path: JsonPath, found: tuple[int, int]) -> None:
    assert place(TEXT, path) == found


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def paths(value: Any, path: JsonPath = ()) -> list[tuple[JsonPath, Any]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(path, value), *(pair for step, inner in steps for pair in paths(inner, (*path, step)))]


@given(values, st.sampled_from([None, 0, 2]), st.booleans())
def test_every_value_is_found(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    for path, expected in paths(value):
        line, column = place(text, path)
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == expected
