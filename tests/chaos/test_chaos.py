"""A quarter of a minute of chaos, and what people are told of a run: ``make chaos`` is the whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import __main__ as chaos
from chaos.ledger import Letter, Sender, Stay
from chaos.run import Outcome, members, unfit_ends

TESTS = Path(__file__).parents[1]


@pytest.mark.contract
def test_nothing_is_lost_in_a_moment(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "chaos", "--minutes", "0.25", "--seed", "1"],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        text=True,
        timeout=110,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stderr == ""
    assert found.stdout.startswith("chaos of seed 1 for 0.25 minutes\n")
    assert found.stdout.endswith("\nnothing lost, nothing twice, nothing out of order\n")
    numbers = {
        what: int(count.replace(",", ""))
        for count, what in re.findall(r"([\d,]+) (accepted|delivered|recoveries)", found.stdout)
    }
    assert numbers["delivered"] > 1000
    assert numbers["recoveries"] > 0
    assert "handler restarted" in found.stdout


def test_there_is_a_client_of_each_kind_in_each_place() -> None:
    assert len({(each.groups[-1], each.dialect, each.is_reliable) for each in members()}) == 12
    assert {each.name for each in members() if each.in_bursts and each.talks_to} == {
        "burst-json-plain",
        "burst-protobuf-reliable",
    }


@pytest.mark.parametrize(
    ("groups", "ended", "is_fit"),
    [
        (["calm"], "", True),
        (["calm"], "its wire was cut", True),
        (["calm"], "The connection recovery timeout expired.", True),
        (["calm"], "1008 The client does not read its messages.", False),
        (["calm"], "The client does not acknowledge its messages.", False),
        (["calm", "burst"], "The client does not acknowledge its messages.", True),
        (["calm", "flooded"], "1008 The client does not read its messages.", True),
        (["calm", "burst"], "The client does not acknowledge its messages (patienceInSeconds).", True),
        (["calm", "flooded"], "1008 The client does not read its messages (patienceInSeconds).", True),
        (["calm"], "1008 The client does not read its messages (patienceInSeconds).", False),
        (["calm", "flooded"], "1011 Internal server error", False),
        (["calm", "flooded"], "1002 invalid opcode", False),
        (["calm", "flooded"], "it was not recovered", False),
    ],
)
def test_who_may_have_been_ended(groups: list[str], ended: str, is_fit: bool) -> None:
    wrong = [] if is_fit else [f"bob in c1: ended without a good reason: {ended}"]
    assert list(unfit_ends([Stay("bob", groups, "c1", 0, ended=ended)])) == wrong


def test_what_is_told_of_a_run() -> None:
    sender = Sender("g", [Letter(1, 2), Letter(3)])
    cut = Stay("calm-json-plain", ["g"], "c1", 0, {"alice": [0]}, ended="its wire was cut")
    back = Stay("calm-json-reliable", ["g"], "c2", 0, {"alice": [0, 1]}, is_whole=True, recoveries=3)
    outcome = Outcome(
        {"alice": sender}, {"alice/event": sender}, [cut, back], {"stalled": 2, "cut": 1000}, []
    )
    assert list(chaos.told(outcome)) == [
        "messages: 2 sent, 1 accepted, 3 delivered",
        "events: 2 sent, 1 accepted",
        "happened: cut 1,000, stalled 2",
        "connections: 2, 3 recoveries; ended:",
        "       1 calm plain: its wire was cut",
        "nothing lost, nothing twice, nothing out of order",
    ]
    outcome.faults = ["bob in c1: lost 1 of alice"]
    assert list(chaos.told(outcome))[-2:] == ["WRONG, 1:", "  bob in c1: lost 1 of alice"]


def test_what_is_wrong_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(seed: int, seconds: float, _folder: Path) -> Outcome:
        assert (seed, seconds) == (5, 30)
        return Outcome({}, {}, [], {}, faults)

    monkeypatch.setattr(chaos, "run", run)
    faults = ["the service ended with 1"]
    assert chaos.main(["--minutes", "0.5", "--seed", "5"]) == 1
    assert "  the service ended with 1\n" in capsys.readouterr().out
    faults = []
    assert chaos.main(["--minutes", "0.5", "--seed", "5"]) == 0
