"""What is measured: every row has a name of its own, begins with ours, and has goals that can be found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import others
from benchmarks.ours import Checkout
from benchmarks.parts import PARTS, rows_of
from benchmarks.rows import OURS, Figure


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled, installed or started to know what is measured."""

    def refuse(*command: object, **_: object) -> None:
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.mark.parametrize("part", PARTS)
def test_rows(part: str) -> None:
    rows = rows_of(part)
    assert rows
    for row in rows:
        names = [contender.name for contender in row.contenders]
        assert names[0].startswith(OURS)
        assert len(set(names)) == len(names)
        # A figure by itself has a goal by itself; CPU time one that is a ratio.
        others = {""} if row.figure is Figure.VALUE else set(names[1:])
        assert {goal.against for goal in row.goals} <= others


def test_row_names_are_keys() -> None:
    names = [row.name for part in PARTS for row in rows_of(part)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("part", PARTS)
def test_another_checkout_runs_in_its_own_python(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "compiled", Path)
    there = Checkout(Path("/there"), "/there/.venv/bin/python")
    for here, row in zip(rows_of(part), rows_of(part, there), strict=True):
        assert [one.name for one in row.contenders] == [one.name for one in here.contenders]
        for one in row.contenders:
            if one.is_ours and one.server and "webpubsub" in one.server.command:
                assert one.server.command[:3] == ("/there/.venv/bin/python", "-m", "webpubsub")
