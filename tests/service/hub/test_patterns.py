"""Patterns of group names: service spec, B.6; client spec, section 8."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import InvalidName
from webpubsub.service.hub.permissions import parse_pattern


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("room.*", ["room.", "room.a", "room.chess"], ["room", "room.a.b", "Room.a", "xroom.a"]),
        ("*", ["a", "room"], ["a.b", "."]),
        ("**", ["a", "a.b", "."], []),
        ("***", ["a", "a.b"], []),  # more than two are two
        ("room.**", ["room.", "room.a", "room.a.b"], ["room"]),
        ("**.log", [".log", "a.log", "a.b.log"], ["log", "a.log.x"]),
        ("*.log", [".log", "a.log"], ["a.b.log"]),
        ("a*c", ["ac", "abc", "abbc", "acc"], ["a.c", "ab", "bac"]),
        ("a**c", ["ac", "a.c", "a.b.c"], ["a.b"]),
        ("a?c", ["abc", "a?c", "aéc", "a😀c"], ["ac", "a.c", "abbc"]),
        ("??", ["ab"], ["a", "abc", "a."]),
        ("?*", ["a", "ab"], ["", ".a"]),
        ("*a*b*", ["ab", "xaxbx", "aab"], ["ba", "a.b"]),
        ("**ab*cd", ["abcd", "ab.abcd", "x.ab.abxcd"], ["ab.cd"]),  # the first ab is not always the right one
        (r"\**", ["*", "*a"], ["a", r"\a"]),
        (r"\?*", ["?", "?a"], ["a"]),
        (r"\\*", ["\\", r"\a"], ["a", "*"]),
        (".*", [".", ".a"], ["a", ".a.b"]),  # nothing here is a regular expression
        ("[ab]+(c)*", ["[ab]+(c)"], ["ac", "aabc"]),
        ("a\n*", ["a\n", "a\nb"], ["a"]),
        ("*" * 1024, ["a.b"], []),  # one run of asterisks
        ("?*" * 5, ["abcde"], ["abcd"]),
    ],
)
def test_a_pattern_fits_whole_names(pattern: str, fitting: list[str], other: list[str]) -> None:
    matches = parse_pattern(pattern)
    assert callable(matches)
    assert [name for name in [*fitting, *other] if matches(name)] == fitting


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("chess", "chess"),
        ("a.b", "a.b"),
        (r"\*", "*"),
        (r"a\?\\b", r"a?\b"),
        (" a", " a"),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_without_wildcards_a_pattern_is_a_name(pattern: str, name: str) -> None:
    assert parse_pattern(pattern) == name


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ("", "1 to 1024 characters"),
        (" ", "1 to 1024 characters"),
        ("x" * 1025, "1 to 1024 characters"),
        ("a\\", "a backslash only before"),
        (r"\a*", "a backslash only before"),
        ("a*b*c*d*e*f*", "at most 5 asterisks"),
        ("a**b**c**d**e**f**", "at most 5 asterisks"),
    ],
)
def test_what_is_no_pattern(pattern: str, rule: str) -> None:
    with pytest.raises(InvalidName, match=re.escape(rule)):
        parse_pattern(pattern)


def test_no_name_takes_long() -> None:
    matches = parse_pattern("**a**a**a**a**b")  # a backtracking match would take years
    assert callable(matches)
    began = time.perf_counter()
    assert not matches("a" * 1024)
    assert time.perf_counter() - began < 0.5


def as_regex(pattern: str) -> str:
    pieces = re.findall(r"\\.|\*+|.", pattern)
    known = {"?": "[^.]", "*": "[^.]*"}
    return "".join(
        known.get(piece) or (".*" if piece[0] == "*" else re.escape(piece[-1])) for piece in pieces
    )


@given(
    st.lists(st.sampled_from(["a", "b", ".", "?", "*", "**", r"\*", r"\?"]), min_size=1, max_size=8),
    st.lists(st.text("ab.*?", max_size=8), max_size=10),
)
def test_patterns_are_what_their_regular_expressions_are(pieces: list[str], names: list[str]) -> None:
    pattern = "".join(pieces)
    try:
        matches = parse_pattern(pattern)
    except InvalidName:
        assert len(re.findall(r"\*+", re.sub(r"\\.", "", pattern))) > 5
        return
    for name in names:
        fits = name == matches if isinstance(matches, str) else matches(name)
        assert fits is (re.fullmatch(as_regex(pattern), name) is not None)
