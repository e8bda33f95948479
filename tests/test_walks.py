"""How far messages walk through the modules, and how that is counted."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from kit.walks import WALKS, Figures, Limits, Steps, figures_of, main, measured, middle, over, steps_of


@pytest.fixture(scope="module")
def walks() -> Mapping[str, Steps]:
    return measured()


@pytest.mark.parametrize("walk", WALKS)
def test_no_walk_is_longer_than_its_ceiling(walks: Mapping[str, Steps], walk: str) -> None:
    assert not over({walk: figures_of(walks[walk])})


def test_what_is_walked_is_the_product_from_socket_to_socket(walks: Mapping[str, Steps]) -> None:
    rooms = {name: {module.partition(".")[0] for module, _ in steps} for name, steps in walks.items()}
    assert rooms["send"] == {"service"}
    assert "host" not in rooms["rest"]
    for name in ("event", "action", "connect"):
        assert {"service", "model", "host", "functions"} <= rooms[name]


def test_calls_of_one_module_in_a_row_are_a_step_named_after_the_first() -> None:
    calls = [("a", "f"), ("a", "g"), ("b", "h"), ("a", "g"), ("a", "f")]
    assert steps_of(calls) == [("a", "f"), ("b", "h"), ("a", "g")]


def test_a_return_is_a_step_into_a_module_entered_before() -> None:
    assert figures_of([]) == (0, 0)
    assert figures_of([("a", "f"), ("b", "f"), ("c", "f")]) == (3, 0)
    assert figures_of([("a", "f"), ("b", "f"), ("a", "g"), ("c", "f"), ("b", "f")]) == (3, 2)


def test_the_walk_of_middle_length_stands() -> None:
    short, usual, long = [("a", "f")], [("a", "f"), ("b", "f")], [("a", "f"), ("b", "f"), ("a", "f")]
    assert middle([long, usual, usual, short, long]) == usual


@pytest.mark.parametrize(
    ("goal", "ceiling"),
    [
        ((11, 8), (12, 9)),
        ((15, 10), (17, 11)),
        ((26, 25), (29, 28)),
        ((38, 40), (43, 46)),
        ((32, 35), (36, 40)),
    ],
)
def test_a_ceiling_is_the_goal_and_15_percent_where_none_is_in_force(
    goal: tuple[int, int], ceiling: tuple[int, int]
) -> None:
    assert Limits("", None, Figures(*goal), None).ceiling == ceiling
    assert Limits("", None, Figures(*goal), Figures(1, 2)).ceiling == (1, 2)


@pytest.mark.parametrize(
    ("figures", "exceeds"), [((10, 7), False), ((9, 9), True), ((11, 1), True), ((1, 1), False)]
)
def test_modules_and_returns_are_limited_each(figures: tuple[int, int], exceeds: bool) -> None:
    assert Figures(*figures).exceeds(Figures(10, 7)) is exceeds


def too_long() -> dict[str, Steps]:
    return {"send": [("a", "f"), ("b", "g")] * 50}


def short() -> dict[str, Steps]:
    return {"send": [("service.hub", "publish"), ("model.names", "parse"), ("service.hub", "perform")]}


def test_the_command_fails_when_a_walk_is_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], too_long) == 1
    assert capsys.readouterr().err.startswith("send is 2/98, its ceiling is ")
    assert main([], short) == 0
    assert capsys.readouterr().err == ""


def test_the_table_tells_how_far_from_the_first_build_a_walk_is(capsys: pytest.CaptureFixture[str]) -> None:
    main([], short)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["walk", "entered", "returns", "goal"]
    assert row.split()[:4] == ["send", "2", "1", "11/8"]
    assert "11/8 (-9/-7)" in row


def test_a_walk_is_shown_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--show", "send"], short)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["1", "service.hub", "publish"],
        ["2", "model.names", "parse"],
        ["<", "service.hub", "perform"],
    ]


def test_a_program_reads_the_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json"], short)
    row = json.loads(capsys.readouterr().out)["send"]
    assert (row["entered"], row["returns"], row["goal"]) == (2, 1, [11, 8])
    assert row["steps"][0] == ["service.hub", "publish"]
