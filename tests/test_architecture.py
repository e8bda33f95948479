"""The shape of the package: imports point one way, modules stay small and are named after what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import webpubsub
from kit.order import ROOMS
from kit.structure import Tree, arrows_between_rooms, imports_in
from kit.structure_figures import COUNTED

PACKAGE = Path(webpubsub.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 700  # two hold what one call enters once on the way in and once on the way out
TREE = Tree(PACKAGE)

# No figure of the package's shape rises over its ceiling.
CEILINGS = {
    "file cycles": 0,
    "folder cycles": 0,
    "arrows between rooms": 0,
    "arrows against the order": 0,
    "parts without a place": 0,
    "doubled names": 6,
    "one importer, under 110 lines": 16,
    "folders over 18 files": 0,
}

# Cores take time, chance and bytes as arguments.
NOT_IN_MODEL = {"asyncio", "socket", "aiohttp", "uvicorn", "time", "random", "datetime", "threading", "os"}
# What a function app on Azure installs does not include these.
NOT_IN_BINDINGS = {
    "aiohttp",
    "uvicorn",
    "uvloop",
    "httptools",
    "jwt",
    "click",
    "websockets",
}
COLLECTIVE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base"}


def name_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports_of(module: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a module imports, also inside functions."""
    package = ["webpubsub", *module.relative_to(PACKAGE).parent.parts]
    return imports_in(module.read_text(encoding="utf-8"), package)


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_imports_point_one_way() -> None:
    assert not arrows_between_rooms(TREE, ROOMS)


@pytest.mark.parametrize("figure", COUNTED)
def test_the_shape_of_the_package_gets_no_worse(figure: str) -> None:
    offenders = COUNTED[figure](TREE)
    assert len(offenders) <= CEILINGS[figure], "\n".join([f"{figure}:", *offenders])


def importing(rooms: set[str], packages: set[str]) -> list[str]:
    """The modules of these rooms that import one of these packages, each with what and where."""
    return [
        f"{name_of(module)}:{line}: {imported}"
        for module in MODULES
        if room_of(name_of(module)) in rooms
        for line, imported in imports_of(module)
        if imported.partition(".")[0] in packages
    ]


def test_the_model_has_no_clock_no_chance_and_no_sockets() -> None:
    assert importing({"model"}, NOT_IN_MODEL) == []


def test_the_bindings_need_no_server() -> None:
    assert importing({"functions", ""}, NOT_IN_BINDINGS) == []


def test_modules_stay_small() -> None:
    lines = {name_of(module): len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_modules_are_named_after_what_they_are() -> None:
    assert [name for name in map(name_of, MODULES) if set(name.split(".")) & COLLECTIVE_NAMES] == []


def test_modules_say_what_they_are() -> None:
    trees = {name_of(module): ast.parse(module.read_text(encoding="utf-8")) for module in MODULES}
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import webpubsub.host.keys", "webpubsub.host.keys"),
        ("from webpubsub import host", "webpubsub.host"),
        ("from ...host import settings", "webpubsub.host.settings"),
        ("from ..hub import Hub", "webpubsub.service.hub.Hub"),
        ("from . import raw", "webpubsub.service.protocols.raw"),
        ("def later():\n    from webpubsub.host.keys import Keys", "webpubsub.host.keys.Keys"),
    ],
)
def test_no_way_of_writing_an_import_hides_it(text: str, name: str) -> None:
    assert [found for _, found in imports_in(text, ["webpubsub", "service", "protocols"])] == [name]
