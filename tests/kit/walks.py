"""Measure how far messages walk through the modules: ``scripts/walk [--show WALK] [--json]``.

A walk is the calls of Python functions of this package, in the main thread of ``webpubsub start``, for the
third event of its kind. Calls of one module in a row are a step. *Entered* are the different modules; a
*return* is a step into a module that was entered before. A walk begins when the client sends, and ends when
its last effect has come and nothing more is called. Of the third to the seventh event the one of middle
length stands, as keep-alives fall into some.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple


class Figures(NamedTuple):
    """How far a walk is."""

    entered: int
    returns: int

    def __str__(self) -> str:
        return f"{self.entered}/{self.returns}"

    def exceeds(self, ceiling: Figures) -> bool:
        return self.entered > ceiling.entered or self.returns > ceiling.returns


@dataclass(frozen=True)
class Limits:
    """What is wanted of a walk, and what is allowed."""

    about: str
    found: Figures | None  # at the first build, as the design has it
    goal: Figures | None
    in_force: Figures | None  # the ceiling of today; None: the goal and 15%, rounded down

    @property
    def ceiling(self) -> Figures:
        if self.in_force is not None:
            return self.in_force
        assert self.goal is not None
        return Figures(self.goal.entered * 115 // 100, self.goal.returns * 115 // 100)


# Where a goal is given, a walk may be 15% over it; the last figures of a row are a ceiling of its own, where
# the goal is not reached yet, or there is none. What the design found for a send is nearest to one without an
# ack.
WALKS: Final = {
    "send": Limits("a client's send to a group, no handler", Figures(11, 8), Figures(11, 8), None),
    "acked": Limits("the same with an ack", None, None, Figures(10, 4)),
    "rest": Limits("a REST send to a group of one", Figures(21, 22), Figures(15, 10), None),
    "event": Limits("an event, its answer and ack", Figures(39, 71), Figures(26, 25), None),
    "action": Limits("an event that sends to a group", Figures(59, 121), Figures(38, 40), None),
    "connect": Limits("a connect with a function", Figures(51, 107), Figures(32, 35), Figures(32, 40)),
}

Steps = list[tuple[str, str]]


def steps_of(calls: Sequence[Sequence[str]]) -> Steps:
    """Join calls of one module in a row; what stays of each step is the module and its first function."""
    return [(module, next(group)[1]) for module, group in groupby(calls, key=lambda call: call[0])]


def figures_of(steps: Steps) -> Figures:
    entered = len({module for module, _ in steps})
    return Figures(entered, len(steps) - entered)


def measured() -> dict[str, Steps]:
    """Run the product in a process of its own and return the steps of each walk."""
    kit = Path(__file__).parent
    settings = ("webpubsub", "azurewebjobs")
    environment = {name: value for name, value in os.environ.items() if not name.lower().startswith(settings)}
    product = subprocess.run(
        [sys.executable, "-m", f"{kit.name}.walked"],
        env={**environment, "PYTHONPATH": str(kit.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if product.returncode:
        raise RuntimeError(f"the product ended with {product.returncode}:\n{product.stderr}")
    return {name: middle([*map(steps_of, events)]) for name, events in json.loads(product.stdout).items()}


def middle(walks: Sequence[Steps]) -> Steps:
    """The walk of the middle length."""
    length = statistics.median_low(map(len, walks))
    return next(walk for walk in walks if len(walk) == length)


def over(found: Mapping[str, Figures]) -> list[str]:
    """The walks that are longer than allowed, with a sentence for each."""
    return [
        f"{name} is {figures}, its ceiling is {WALKS[name].ceiling}"
        for name, figures in found.items()
        if figures.exceeds(WALKS[name].ceiling)
    ]


def table(found: Mapping[str, Figures]) -> str:
    lines = ["walk      entered  returns    goal  ceiling  first build"]
    for name, figures in found.items():
        limits = WALKS[name]
        columns = (str(limits.goal or "-"), str(limits.ceiling), difference(figures, limits.found))
        lines.append(
            f"{name:8}{figures.entered:>9}{figures.returns:>9}{columns[0]:>8}{columns[1]:>9}  {columns[2]:16}"
            f"{limits.about}"
        )
    return "\n".join(lines) + "\n"


def difference(figures: Figures, first: Figures | None) -> str:
    """The figures of the first build, and how far from them these are."""
    if first is None:
        return "-"
    return f"{first} ({figures.entered - first.entered:+}/{figures.returns - first.returns:+})"


def shown(steps: Steps) -> str:
    """Every step, numbered where it enters a module and marked where it returns to one."""
    lines, entered = [], set[str]()
    for module, function in steps:
        is_return = module in entered
        entered.add(module)
        lines.append(f"{'<' if is_return else len(entered):>4}  {module:34} {function}")
    return "\n".join(lines) + "\n"


def main(
    arguments: Sequence[str] | None = None, measure: Callable[[], Mapping[str, Steps]] = measured
) -> int:
    parser = argparse.ArgumentParser(prog="scripts/walk", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--show", choices=[*WALKS], metavar="WALK", help=f"list the steps of {', '.join(WALKS)}"
    )
    parser.add_argument("--json", action="store_true", help="print figures, goal, ceiling and steps as JSON")
    options = parser.parse_args(arguments)
    walks = measure()
    found = {name: figures_of(steps) for name, steps in walks.items()}
    if options.json:
        rows = {
            name: {
                "entered": figures.entered,
                "returns": figures.returns,
                "goal": WALKS[name].goal,
                "ceiling": WALKS[name].ceiling,
                "steps": walks[name],
            }
            for name, figures in found.items()
        }
        sys.stdout.write(json.dumps(rows, indent=None) + "\n")
    else:
        sys.stdout.write(shown(walks[options.show]) if options.show else table(found))
    longer = over(found)
    sys.stderr.write("".join(f"{line}\n" for line in longer))
    return 1 if longer else 0


if __name__ == "__main__":
    sys.exit(main())
