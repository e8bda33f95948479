"""Regular expressions of constraints: what Python finds, in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.growth import LINEAR, growth
from webpubsub.host.dotnet.patterns import _parser, _Program, compile_search  # type: ignore[attr-defined]

# What takes Python's own matcher time that grows with the square of the text, or doubles with each character.
HOSTILE = [
    (r"^(a+)+$", "a", "!"),
    (r"^(a|a)*$", "a", "!"),
    (r"^(a|aa)+$", "a", "!"),
    (r"(a*)*b", "a", ""),
    (r"(.*,){8}P", "x,", ""),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a", "!"),
    (r"\d+x", "1", ""),
    (r"a.*b.*c.*d", "ab", ""),
    (r"^.*-.*-.*$", "-", "\n\n"),
    (r"\s+$", " ", "x"),
    (r"(?=.*x)(?=.*y)a", "a", ""),
    (r"^(?!(a+)+b)", "a", "!"),
    (r"(?<!a)a+b", "a", ""),
    (r"^([a-zA-Z0-9]+\.?)+@", "a", "!"),
    (r"^(?:a?){0,50}a{50}$", "a", "!"),
    (r"^[^x]{1,900}[^x]*[^x]*y", "a", ""),
]


@pytest.mark.parametrize(("pattern", "text", "end"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_time_grows_with_the_text(pattern: str, text: str, end: str) -> None:
    search = compile_search(pattern)
    assert growth(lambda size: lambda: search(text * (size // len(text)) + end), 100, 1000) < LINEAR


QUICK = [
    r"^\d{3}-x$",
    r"^(a|b)/?$",
    "^[a-z]+$",
    r"^\d{4}-\d{2}(-\d{2})?$",
    "abc",
    r"^(?!admin)[a-z]{1,20}$",
    r"^.{1,5000}$",
    r"^([ab])\1$",
]


@pytest.mark.parametrize("pattern", QUICK)
def test_patterns_of_few_ways_are_left_to_python(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webpubsub.host.dotnet.patterns._Program", None)
    assert compile_search(pattern)("?") is (re.search(pattern, "?") is not None)


@pytest.mark.parametrize("pattern", [r"(a+)\1", r"^(a+)\1$", "(?>a+)b+", "a*+b+", r"(a)?(?(1)b+|c+)"])
def test_what_no_matcher_can_be_quick_at_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="write it without them"):
        compile_search(pattern)


@pytest.mark.parametrize("pattern", ["(a+){15000}b+", "((a{1,100}){1,100}){1,100}b+"])
def test_endless_repetition_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="it repeats too much"):
        compile_search(pattern)


PIECES = [
    *["a", "b", "B", "é", "\u017f", ".", r"\d", r"\W", r"\s", "[^a]", "[a-c1]", r"[^\w-]", "-", "1", r"\n"],
    *[
        "^",
        "$",
        r"\b",
        r"\B",
        r"\A",
        r"\Z",
        "(?=a)",
        "(?!b)",
        "(?<=a)",
        "(?<!b|1)",
        "(?:)",
        "(?i:A)",
        "(?-i:b)",
    ],
    *["(?=a*b$)", "(?!.*b)", "(?<=ab)", "(?s:.)", "(?!)"],
]
PATTERNS = st.recursive(
    st.sampled_from(PIECES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"({'|'.join(each)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{0,2}", "{1,}?", "{0}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda each: f"(?!{each})"),
        inner.map(lambda each: f"(?={each})x?"),
    ),
    max_leaves=6,
)
TEXTS = st.text(alphabet="aAbBcé1- \ns\u017f", max_size=7)


@settings(max_examples=400)
@given(PATTERNS, st.sampled_from(["", "(?m)", "(?s)", "(?a)"]), st.lists(TEXTS, min_size=1, max_size=4))
@example("(?:(?=a*b$)a*)*b", "", ["aab", "aaba"])
def test_all_ways_at_once_find_what_python_finds(pattern: str, flags: str, texts: list[str]) -> None:
    pattern = flags + pattern
    compiled = re.compile(pattern, re.IGNORECASE)
    program = _Program(_parser.parse(pattern, re.IGNORECASE), compiled.flags)
    assert [any(program.ends(text)) for text in texts] == [bool(compiled.search(text)) for text in texts]
