"""The shape of a package, read from its source: who imports whom, against which order, and what is small.

A *room* is a folder directly in the package; a *part* is a folder directly in a room, or a file that stands
in the room itself. Every import counts: those inside functions and those for type checkers too.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

SMALL: Final = 110  # lines; a module below that may hold less than one idea
CROWDED: Final = 18  # files; a folder above that is no longer seen at a glance

Arrows = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str  # dotted, without the package; its face (``__init__``) is named like the folder
    path: Path
    package: str

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def is_face(self) -> bool:
        return self.path.stem == "__init__"

    @property
    def is_in_room(self) -> bool:
        return self.room != ""

    @property
    def room(self) -> str:
        """The room's name, or nothing for files that stand in the package itself."""
        head, _, rest = self.name.partition(".")
        return head if rest or self.is_face else ""

    @property
    def part(self) -> str:
        """The folder or file of its room that the module belongs to; a room's face is ``__init__``."""
        _, _, rest = self.name.partition(".")
        return rest.partition(".")[0] or "__init__"

    def imported_names(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything the module imports, also inside functions."""
        folder = self.name.split(".") if self.name else []
        return imports_in(self.text, [self.package, *(folder if self.is_face else folder[:-1])])


def imports_in(text: str, package: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that source text in ``package`` imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            # `from webpubsub import model` imports a room too.
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


class Tree:
    """All modules of a package, and who imports whom."""

    def __init__(self, package: Path) -> None:
        self.package = package
        paths = sorted(package.rglob("*.py"))
        self.modules: Final = {
            (name := _name(package, path)): Module(name, path, package.name) for path in paths
        }

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """What each module imports: the file that a name comes from, not the faces on the way to it."""
        return {name: set(self._imports_of(module)) - {name} for name, module in self.modules.items()}

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        return {
            name: {other for other, imported in self.imports.items() if name in imported}
            for name in self.modules
        }

    def _imports_of(self, module: Module) -> Iterator[str]:
        for _, imported in module.imported_names():
            package, _, name = imported.partition(".")
            if package == self.package.name:
                yield self._owner(name)

    def _owner(self, name: str) -> str:
        """The module that a dotted name is, or stands in."""
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name

    @cached_property
    def rooms(self) -> dict[str, set[str]]:
        """The parts of each room."""
        rooms: dict[str, set[str]] = {}
        for module in self.modules.values():
            if module.is_in_room:
                rooms.setdefault(module.room, set()).add(module.part)
        return rooms

    def arrows_in(self, room: str) -> dict[str, set[str]]:
        """Which part of a room imports which."""
        arrows: dict[str, set[str]] = {part: set() for part in self.rooms[room]}
        for module, imported in self._imports():
            if module.room == imported.room == room and module.part != imported.part:
                arrows[module.part].add(imported.part)
        return arrows

    def _imports(self) -> Iterator[tuple[Module, Module]]:
        for name, imported in self.imports.items():
            for other in sorted(imported):
                yield self.modules[name], self.modules[other]


def file_cycles(tree: Tree) -> list[list[str]]:
    """Files that import each other, directly or by way of others."""
    return cycles(tree.imports)


def folder_cycles(tree: Tree) -> list[list[str]]:
    """Parts of a room that import each other, as ``room/part``."""
    return [
        [f"{room}/{part}" for part in cycle]
        for room in sorted(tree.rooms)
        for cycle in cycles(tree.arrows_in(room))
    ]


def arrows_between_rooms(tree: Tree, may_import: Mapping[str, Collection[str]]) -> list[str]:
    """Imports of another room than those the importing room may import; an unknown room may import none.

    Args:
        tree: The package.
        may_import: The rooms that each room may import; ``""`` stands for the files in the package itself,
            and a file of it may have a row of its own.
    """
    return sorted(
        f"{module.name or '__init__'} imports {imported.name}"
        for module, imported in tree._imports()
        if imported.is_in_room
        and imported.room != module.room
        and imported.room not in may_import.get(module.room or module.name, ())
    )


def arrows_against_order(tree: Tree, order: Mapping[str, Sequence[str]]) -> list[str]:
    """Imports, inside a room, of a part that does not stand lower than the importing one.

    Args:
        tree: The package.
        order: The stairs of each room, the lowest first: the names of parts that do not import each other.
    """
    steps = {room: _steps(stairs) for room, stairs in order.items()}
    return sorted(
        f"{module.name} imports {imported.name}"
        for module, imported in tree._imports()
        if (room := module.room) == imported.room
        and module.part != imported.part
        and {module.part, imported.part} <= set(step := steps.get(room, {}))
        and step[imported.part] >= step[module.part]
    )


def places_unknown(tree: Tree, order: Mapping[str, Sequence[str]]) -> list[str]:
    """Parts that have no place in their room's order, and places without a part."""
    return sorted(
        f"{room}/{part}"
        for room in {*tree.rooms, *order}
        for part in tree.rooms.get(room, set()) ^ set(_steps(order.get(room, ())))
    )


def _steps(stairs: Sequence[str]) -> dict[str, int]:
    return {part: height for height, stair in enumerate(stairs) for part in stair.split()}


def doubled_names(tree: Tree) -> list[str]:
    """Names of files that occur more than once."""
    names = Counter(module.path.stem for module in tree.modules.values() if not module.is_face)
    return sorted(name for name, count in names.items() if count > 1)


def small_with_one_importer(tree: Tree) -> list[str]:
    """Files of less than `SMALL` lines that exactly one other imports, faces of folders among them."""
    return sorted(
        f"{name} (only {next(iter(tree.importers[name]))})"
        for name, module in tree.modules.items()
        if module.lines < SMALL and len(tree.importers[name]) == 1
    )


def crowded_folders(tree: Tree) -> list[str]:
    """Folders of more than `CROWDED` Python files."""
    folders = Counter(module.path.parent for module in tree.modules.values())
    return sorted(
        f"{folder.relative_to(tree.package.parent).as_posix()} ({count})"
        for folder, count in folders.items()
        if count > CROWDED
    )


def function_lengths(tree: Tree) -> list[int]:
    """Lines of every function from its ``def``, without its docstring, the shortest first."""
    return sorted(
        _length(node)
        for module in tree.modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def cycles(arrows: Arrows) -> list[list[str]]:
    """The strongly connected components of more than one node (Tarjan), the largest first."""
    found = [sorted(component) for component in components(arrows) if len(component) > 1]
    return sorted(found, key=lambda cycle: (-len(cycle), cycle))


def stairs(arrows: Arrows) -> list[list[str]]:
    """All nodes by height: each imports only what stands lower, or what is in a cycle with it."""
    heights: dict[str, int] = {}
    for component in components(arrows):
        below = [heights[other] for node in component for other in arrows[node] if other not in component]
        heights.update(dict.fromkeys(component, 1 + max(below, default=-1)))
    levels = sorted(set(heights.values()))
    return [sorted(node for node, height in heights.items() if height == level) for level in levels]


def components(arrows: Arrows) -> list[list[str]]:
    """The strongly connected components (Tarjan), each after all that its arrows lead to."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(arrows.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(stack[at:])
            del stack[at:]

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return found


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is None:
        return whole
    docstring = node.body[0]
    return whole - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def _name(package: Path, path: Path) -> str:
    return ".".join(part for part in path.relative_to(package).with_suffix("").parts if part != "__init__")
