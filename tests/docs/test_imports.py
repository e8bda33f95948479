"""What docs show of the package can be imported, and what they name of the repository is there."""

from __future__ import annotations

import ast
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.public import MODULES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
DOTTED = re.compile(r"`(webpubsub(?:\.[a-z_]+)*)\.([A-Z]\w+)`")
FOLDERS = "src|tests|scripts|docs|benchmarks|examples"
PATH = re.compile(rf"(?<![\w/.-])(?:(?:{FOLDERS})/[\w./-]*\w)|(?<=\]\()(?!http|#)[\w./-]+")


class Shown(NamedTuple):
    """A name that a page shows, and the module it is said to be in; no name for a module alone."""

    page: str
    module: str
    name: str | None


def imported(page: str, code: str) -> Iterator[Shown]:
    """Yield what Python of a page imports from this package."""
    for node in ast.walk(ast.parse(textwrap.dedent(code))):
        if isinstance(node, ast.Import):
            yield from (Shown(page, alias.name, None) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module is not None and is_ours(node.module):
            yield from (Shown(page, node.module, alias.name) for alias in node.names)


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "webpubsub"


def shown_on(path: Path) -> Iterator[Shown]:
    text = path.read_text(encoding="utf-8")
    for code in PYTHON.findall(text):
        yield from imported(path.name, code)
    yield from (Shown(path.name, module, name) for module, name in DOTTED.findall(text))


SHOWN = sorted({shown for path in PAGES for shown in shown_on(path)}, key=str)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: ".".join(filter(None, shown)))
def test_what_docs_import_is_there_and_public(shown: Shown) -> None:
    module = importlib.import_module(shown.module)
    if shown.name is not None:
        assert shown.name in module.__all__
        assert getattr(module, shown.name) is not None


def test_docs_import_from_public_modules_and_from_all_of_them() -> None:
    assert {shown.module for shown in SHOWN} == {*MODULES}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import webpubsub as wps", [("webpubsub", None)]),
        ("import azure.functions, webpubsub.host", [("webpubsub.host", None)]),
        ("    from webpubsub import (\n        typed,\n    )\n", [("webpubsub", "typed")]),
        ("def later():\n    from webpubsub.host import FunctionHost", [("webpubsub.host", "FunctionHost")]),
        ("from websockets.sync.client import connect", []),
    ],
)
def test_imports_are_found_however_they_are_written(code: str, found: list[tuple[str, str | None]]) -> None:
    assert list(imported("a.md", code)) == [("a.md", *each) for each in found]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_docs_name_are_there(path: Path) -> None:
    named = PATH.findall(path.read_text(encoding="utf-8"))
    missing = [each for each in named if not ((ROOT / each).exists() or (path.parent / each).exists())]
    assert missing == []
