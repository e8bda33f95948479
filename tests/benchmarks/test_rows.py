"""Who is measured at a row."""

from __future__ import annotations

from benchmarks.goals import Goal, Unchanged
from benchmarks.rows import OURS, Contender, Row, Sample, against, decisive, without_peers


def row(*names: str, goals: tuple[Goal, ...] = ()) -> Row:
    contenders = tuple(Contender(name, None, lambda *_: Sample(1.0, 1.0)) for name in names)
    return Row("n", "t", "u", contenders, goals)


def names(found: Row) -> list[str]:
    return [one.name for one in found.contenders]


def test_without_peers_only_ours_and_limits_are_left() -> None:
    goals = (Goal("peer", 8, 4), Goal("C: limit", 0.8, 0.7), Goal("", 9000, 2000))
    left = without_peers(row(OURS, f"{OURS} --in-process", "peer", "C: limit", goals=goals))
    assert names(left) == [OURS, f"{OURS} --in-process", "C: limit"]
    assert left.goals == goals[1:]


def test_those_that_goals_name_are_decisive() -> None:
    goals = (Goal("second", 8, 4), Goal("C: limit", 0.8, 0.7))
    found = decisive(row(OURS, "first", "second", "C: limit", "C: other", goals=goals))
    assert names(found) == [OURS, "second", "C: limit"]
    assert found.goals == goals


def test_without_a_goal_the_first_peer_stands_beside_ours() -> None:
    assert names(decisive(row(OURS, f"{OURS} --in-process", "first", "second"))) == [
        OURS,
        f"{OURS} --in-process",
        "first",
    ]
    assert names(decisive(row(OURS))) == [OURS]


def test_ours_beside_ours_in_another_checkout() -> None:
    here = row(OURS, f"{OURS} --in-process", "peer", goals=(Goal("peer", 8, 4),))
    there = row(OURS, f"{OURS} --in-process", "peer", goals=(Goal("peer", 8, 4),))
    first, second = against(here, there, "before")
    assert names(first) == [OURS, f"{OURS}, before"]
    assert names(second) == [f"{OURS} --in-process", f"{OURS} --in-process, before"]
    assert [first.name, second.name] == ["n", "n --in-process"]
    assert first.goals == (Unchanged(f"{OURS}, before"),)
    assert first.contenders[0] is here.contenders[0]
    assert first.contenders[1].measure is there.contenders[0].measure
