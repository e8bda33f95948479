"""What is measured: every row has a name of its own, begins with ours, and has goals that can be found."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.parts import PARTS, rows_of
from benchmarks.rounds import OURS


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
        assert {goal.against for goal in row.goals} <= {"", *names[1:]}


def test_row_names_are_keys() -> None:
    names = [row.name for part in PARTS for row in rows_of(part)]
    assert len(set(names)) == len(names)
