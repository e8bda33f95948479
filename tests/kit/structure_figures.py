"""Print the shape of the package in figures: ``scripts/structure [--list] [--order] [PACKAGE]``."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kit.order import ORDER, ROOMS
from kit.structure import (
    CROWDED,
    SMALL,
    Tree,
    arrows_against_order,
    arrows_between_rooms,
    crowded_folders,
    doubled_names,
    file_cycles,
    folder_cycles,
    function_lengths,
    places_unknown,
    small_with_one_importer,
    stairs,
)

PACKAGE: Final = Path(__file__).parents[2] / "src/webpubsub"


def joined_file_cycles(tree: Tree) -> list[str]:
    return [", ".join(cycle) for cycle in file_cycles(tree)]


def joined_folder_cycles(tree: Tree) -> list[str]:
    return [", ".join(cycle) for cycle in folder_cycles(tree)]


def arrows_against_rooms(tree: Tree) -> list[str]:
    return arrows_between_rooms(tree, ROOMS)


def arrows_against_parts(tree: Tree) -> list[str]:
    return arrows_against_order(tree, ORDER)


def parts_without_place(tree: Tree) -> list[str]:
    return places_unknown(tree, ORDER)


# What each figure counts. Cycles are always listed, as each is a story of its own; the others on request.
COUNTED: Final[dict[str, Callable[[Tree], list[str]]]] = {
    "file cycles": joined_file_cycles,
    "folder cycles": joined_folder_cycles,
    "arrows between rooms": arrows_against_rooms,
    "arrows against the order": arrows_against_parts,
    "parts without a place": parts_without_place,
    "doubled names": doubled_names,
    f"one importer, under {SMALL} lines": small_with_one_importer,
    f"folders over {CROWDED} files": crowded_folders,
}
ALWAYS_LISTED: Final = {"file cycles", "folder cycles"}


def figures(tree: Tree, *, is_long: bool) -> str:
    lengths = function_lengths(tree)
    lines = [
        _row("modules", len(tree.modules)),
        _row("lines", sum(module.lines for module in tree.modules.values())),
        _row("functions", len(lengths)),
        _row("median, lines of a function", lengths[len(lengths) // 2]),
        _row("p90, lines of a function", lengths[len(lengths) * 9 // 10]),
    ]
    for name, offenders in COUNTED.items():
        found = offenders(tree)
        lines.append(_row(name, len(found)))
        if is_long or name in ALWAYS_LISTED:
            lines += [f"    {offender}" for offender in found]
    return "\n".join(lines) + "\n"


def proposed_order(tree: Tree) -> str:
    """The table of `kit.order` as today's imports would have it; the members of a cycle share a stair."""
    lines = []
    for room in sorted(tree.rooms):
        lines.append(f'    "{room}": (')
        for stair in stairs(tree.arrows_in(room)):
            lines += [f'        "{line}",' for line in textwrap.wrap(" ".join(stair), 90)]
        lines.append("    ),")
    return "\n".join(lines) + "\n"


def _row(name: str, figure: int) -> str:
    return f"{name:28}{figure:>7}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="scripts/structure", description=__doc__)
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE, help="folder of another package")
    parser.add_argument("--list", action="store_true", help="name every offender, not only cycles")
    parser.add_argument(
        "--order", action="store_true", help="print the order of parts that imports have today"
    )
    options = parser.parse_args(arguments)
    tree = Tree(options.package.resolve())
    sys.stdout.write(proposed_order(tree) if options.order else figures(tree, is_long=options.list))


if __name__ == "__main__":
    main()
