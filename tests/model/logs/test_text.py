"""Values of others as text of a log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given

from kit.hostile_values import TEXTS, json_values
from webpubsub.model.logs.text import (
    MAX_FACT,
    MAX_LINES,
    MAX_TEXT,
    as_json,
    escape,
    escape_json,
    fact,
    paragraph,
    sentence,
    text_of,
)

HOSTILE = {
    "\n": r"\n",
    "\r": r"\r",
    "\0": r"\x00",
    "\x1b[2J": r"\x1b[2J",
    "\x7f": r"\x7f",
    "\x85": r"\x85",
    "\x9b31m": r"\x9b31m",
    "\u2028": r"\u2028",
    "\u2029": r"\u2029",
    "\u202e": r"\u202e",
    "\u2066": r"\u2066",
    "\u200f": r"\u200f",
    "\ufeff": r"\ufeff",
    "\ud800": r"\ud800",
    "\U000e0001": r"\U000e0001",
    "é日😀 '\"\\": "é日😀 '\"\\",
}


class Failing:
    """A value that raises whatever is asked of it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise self.error

    __hash__ = None  # type: ignore[assignment]


class FailingMapping(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise SystemExit

    def __iter__(self) -> Iterator[str]:
        raise SystemExit

    def __len__(self) -> int:
        raise SystemExit


class Other:
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


@pytest.mark.parametrize(("text", "escaped"), HOSTILE.items(), ids=HOSTILE.values())
def test_what_cannot_be_printed_is_escaped(text: str, escaped: str) -> None:
    assert escape(f"a{text}b") == sentence(f"a{text}b") == f"a{escaped}b"
    assert fact(f"a{text}b") == (f"'a{escaped}b'" if text != escaped else f"a{text}b")
    if text != "\n":
        assert paragraph(f"a{text}b") == f"a{escaped}b"


def test_another_line_is_no_new_one() -> None:
    assert paragraph("a\n12:00:00 b\n    c\r\nd\n") == "a\n  12:00:00 b\n    c\\r\n  d"


def test_what_is_long_says_how_long() -> None:
    assert fact("x" * 120_000) == "x" * MAX_FACT + "... (119000 characters more)"
    assert sentence("\n" * 10_000) == r"\n" * MAX_TEXT + "... (2000 characters more)"
    lines = paragraph("a" * 100_000 + "the end")
    assert lines.endswith("the end")
    assert "... (68007 characters more)\n" in lines
    assert len(lines) < MAX_LINES + 50


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(), KeyboardInterrupt(), GeneratorExit(), RecursionError()]
)
def test_a_value_that_cannot_show_itself_is_named(error: BaseException) -> None:
    expected = f"<Failing without text: {type(error).__name__}>"
    assert text_of(Failing(error)) == fact(Failing(error)) == as_json(Failing(error)) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Other(), "<Other without text: TypeError>"),
        (10**5000, "<int without text: ValueError>"),
        (FailingMapping(), "<FailingMapping without members: SystemExit>"),
    ],
    ids=["no text", "too many digits", "no members"],
)
def test_so_is_one_that_shows_nonsense(value: Any, shown: str) -> None:
    assert as_json(value if not isinstance(value, Other) else text_of(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (1.5, 1.5),
        ("é", "é"),
        ("\ud800", r"\ud800"),
        ({1: {"a": (1, "\ud800")}}, {"1": {"a": [1, r"\ud800"]}}),
        ({"\ud800": 1}, {r"'\ud800'": 1}),
        (b"x", "b'x'"),
        ([[[[[["deep"]]]]]], [[[[["['deep']"]]]]]),
        (list(range(1000)), list(range(100))),
    ],
)
def test_any_value_has_a_form_in_json(value: Any, shown: Any) -> None:
    assert as_json(value) == shown


def test_a_value_within_itself_has_one_too() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert as_json(loop) == [[[[["[[...]]"]]]]]


@given(json_values(["a"]))
def test_json_of_anything_is_one_printable_line_that_reads_the_same(value: Any) -> None:
    plain = as_json(value)
    line = escape_json(msgspec.json.encode(plain).decode())
    assert line.isprintable()
    assert json.loads(line) == msgspec.json.decode(msgspec.json.encode(plain))


@given(TEXTS)
def test_any_text_is_printable_then(text: str) -> None:
    assert escape(text).isprintable()
    assert fact(text).isprintable()
    assert all(line.isprintable() for line in paragraph(text).split("\n"))
    assert all(line.startswith("  ") for line in paragraph(text).split("\n")[1:])
