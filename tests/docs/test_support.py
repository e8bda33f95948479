"""The support page is what the tests say, and says something of every operation."""

from __future__ import annotations

import pytest

from kit.support_page import PAGE, TABLE, Row, build_page, proofs, rows
from webpubsub.model.rest import OPERATIONS

SECTIONS = rows()
PROOFS = proofs()
ROWS = [row for listed in SECTIONS.values() for row in listed]


def test_the_page_is_what_the_tests_make_of_it() -> None:
    expected = build_page(SECTIONS, PROOFS)
    assert PAGE.read_text(encoding="utf-8") == expected, "write it anew: python tests/kit/support_page.py"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_there_is_proved(row: Row) -> None:
    assert row.features or row.here == "not modelled"
    assert [name for name in row.features if name not in PROOFS] == [], "no test is marked with these"
    failing = [proof.name for name in row.features for proof in PROOFS[name] if proof.fails]
    assert row.here == "not modelled" or failing == [], "these fail, so it is not there"


def test_every_feature_of_the_tests_is_on_the_page() -> None:
    shown = {name for row in ROWS for name in row.features}
    assert PROOFS.keys() - shown == set(), f"name them in {TABLE.name}"


def test_every_rest_operation_is_there_once() -> None:
    operations = [f"`{operation.method} /{operation.path}`" for operation in OPERATIONS]
    assert sorted(row.name for row in SECTIONS["REST operations"]) == sorted(
        [*operations, "`HEAD /api/health`"]
    )


def test_nothing_breaks_the_tables() -> None:
    assert [row for row in ROWS if "|" in "".join((row.name, row.note))] == []
