"""The shape of the package: imports point one way, modules stay small and are named after what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import webpubsub

PACKAGE = Path(webpubsub.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 600

# What each room may import of the others. The package itself re-exports the bindings.
MAY_IMPORT = {
    "model": {"model"},
    "functions": {"model", "functions"},
    "http": {"model", "http"},
    "host": {"model", "functions", "host", "http"},
    "service": {"model", "service", "http"},
    "observe": {"model", "observe"},
    "server": {"model", "functions", "http", "host", "service", "observe", "server"},
    "cli": {"model", "functions", "host", "service", "http", "observe", "server", "cli"},
    "": {"model", "functions"},
    "__main__": {"cli"},
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
    "croniter",
    "typer",
    "rich",
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


def imports_in(text: str, package: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            # `from webpubsub import model` imports a room too.
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def room_of(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_point_one_way(module: Path) -> None:
    allowed = MAY_IMPORT[room_of(name_of(module))]
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    wrong = [
        f"{module.name}:{line} imports {name}"
        for line, name in imports_of(module)
        if name.startswith("webpubsub.") and (room := name.split(".")[1]) in rooms and room not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("module", [path for path in MODULES if path.parent.name == "model"], ids=name_of)
def test_the_model_has_no_clock_no_chance_and_no_sockets(module: Path) -> None:
    assert not {name for _, name in imports_of(module) if name.partition(".")[0] in NOT_IN_MODEL}


@pytest.mark.parametrize(
    "module", [path for path in MODULES if room_of(name_of(path)) in {"functions", ""}], ids=name_of
)
def test_the_bindings_need_no_server(module: Path) -> None:
    assert not {name for _, name in imports_of(module) if name.partition(".")[0] in NOT_IN_BINDINGS}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_stay_small(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_are_named_after_what_they_are(module: Path) -> None:
    assert not set(name_of(module).split(".")) & COLLECTIVE_NAMES


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_say_what_they_are(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


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
