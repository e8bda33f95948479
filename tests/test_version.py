"""The version is written in one place, and the changelog knows it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import webpubsub

ROOT = Path(__file__).parents[1]
SOURCE = "src/webpubsub/__init__.py"
HISTORY = "CHANGELOG.md"
HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
# What is released or run. Tests may hold what an old version wrote.
SHIPPED = ("src", "docs", "examples", "benchmarks", "scripts", ".ci")
INSTALLED = {"node_modules", ".built"}  # peers of the benchmarks
TEXTS = {".py", ".md", ".toml", ".json", ".txt", ".html", ".js", ".proto", ".yml", ".c", ".mjs", ".sh", ""}


def headings() -> list[tuple[str, str]]:
    """Return version and date of each section of the changelog, as they follow each other."""
    return HEADING.findall((ROOT / HISTORY).read_text(encoding="utf-8"))


def shipped() -> Iterator[Path]:
    for path in (*ROOT.iterdir(), *(path for folder in SHIPPED for path in (ROOT / folder).rglob("*"))):
        if path.is_file() and path.suffix in TEXTS and INSTALLED.isdisjoint(path.parts):
            yield path


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    released = [version for version, _ in headings() if version != "Unreleased"]
    assert released[0] == webpubsub.__version__


def test_the_changelog_begins_with_what_is_not_released_and_goes_back_in_time() -> None:
    (first, day), *released = headings()
    assert (first, day) == ("Unreleased", "")
    assert released == sorted(released, key=lambda each: numbers(each[0]), reverse=True)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) and day for version, day in released)


def test_what_is_built_has_the_version_of_the_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": SOURCE}


def test_nothing_else_repeats_the_version() -> None:
    version = re.compile(rf"(?<![\d.]){re.escape(webpubsub.__version__)}(?![\d.]*\d)")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in shipped()
        if version.search(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert found == {SOURCE, HISTORY}
