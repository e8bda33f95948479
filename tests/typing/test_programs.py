"""What a type checker says of apps: decorators keep signatures, values say what they hold.

A program of the folder ``programs`` has ``# E: code`` at the end of a line with an error, and ``# R: type``
after a ``reveal_type``; mypy must find these and nothing else. In apps that people copy it must find nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.docs_pages import apps, pages, sections

ROOT = Path(__file__).parents[2]


def programs() -> dict[str, str]:
    folder = ROOT / "tests/typing/programs"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}


def copied() -> dict[str, str]:
    """The apps of the examples, of the README and of the documentation."""
    folder = ROOT / "examples"
    paths = sorted([*folder.glob("*/function_app.py"), *folder.glob("*/*/__init__.py")])
    found = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    for page in [ROOT / "README.md", *pages()]:
        for app in (app for section in sections(page) for app in apps(section)):
            if "function_app.py" in app.files and "has problems" not in app.comment:
                found[app.place] = app.files["function_app.py"]
    return found


PROGRAMS, COPIED = programs(), copied()


class Said(NamedTuple):
    """What is said, or expected, of a line."""

    line: int
    kind: str
    text: str


Verdicts = Mapping[str, list[Said]]


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """What mypy says of every program, by its name."""
    folder = tmp_path_factory.mktemp("programs")
    names = {f"program_{number}.py": name for number, name in enumerate([*PROGRAMS, *COPIED])}
    for file, name in names.items():
        (folder / file).write_text((PROGRAMS | COPIED)[name], encoding="utf-8")
    # A bare dict is good enough for an app. The cache is its own, as its options are not those of the check.
    options = ["--strict", "--allow-any-generics", "--config-file=", "--no-error-summary"]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache/programs")]
    command = [sys.executable, "-m", "mypy", *options, *cache, *names]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder)
    assert not ran.stderr, ran.stderr
    found: dict[str, list[Said]] = {name: [] for name in names.values()}
    for line in ran.stdout.splitlines():
        file, number, kind, text = line.split(":", 3)
        said = _said(int(number), kind.strip(), text.strip())
        if said is not None:
            found[names[file]].append(said)
    return found


def _said(line: int, kind: str, text: str) -> Said | None:
    """Return a message in the form of the comments; None for a note that explains another message."""
    if kind == "error":
        return Said(line, "E", text[text.rindex("[") + 1 : -1])
    revealed = re.fullmatch('Revealed type is "(.*)"', text)
    return None if revealed is None else Said(line, "R", re.sub(r"\b(?:\w+\.)+", "", revealed[1]))


def expected(text: str) -> list[Said]:
    comments = (
        (number, re.search(r"  # ([ER]): (.*)", line)) for number, line in enumerate(text.splitlines(), 1)
    )
    return [Said(number, found[1], found[2]) for number, found in comments if found is not None]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_the_errors_it_expects_and_no_others(name: str, verdicts: Verdicts) -> None:
    assert expected(PROGRAMS[name])
    assert verdicts[name] == expected(PROGRAMS[name])


@pytest.mark.parametrize("name", COPIED)
def test_an_app_to_copy_has_no_errors(name: str, verdicts: Verdicts) -> None:
    assert verdicts[name] == []
