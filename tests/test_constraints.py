"""``constraints.txt`` fits what ``pyproject.toml`` names; ``make constraints`` writes it anew."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kit.constraints import HEAD, lines, main, versions_in

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PYTHONS = ("3.11", "3.12", "3.13")


def named() -> Iterator[str]:
    """What the file is made for: all but the group whose versions are old ones."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    yield from project["dependencies"]
    for listed in project["optional-dependencies"].values():
        yield from listed
    for name, listed in groups.items():
        yield from (each for each in listed if isinstance(each, str) and name != "oldest")


def applies(requirement: Requirement, python: str) -> bool:
    system = {"python_version": python, "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(system)


@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_that_the_project_names_has_one_version_that_fits(python: str) -> None:
    pinned = [Requirement(line) for line in TEXT.removeprefix(HEAD).splitlines()]
    versions = {each.name: str(each.specifier).removeprefix("==") for each in pinned if applies(each, python)}
    assert len(versions) == sum(applies(each, python) for each in pinned)
    wanted = [each for each in map(Requirement, named()) if applies(each, python)]
    wrong = [str(each) for each in wanted if not each.specifier.contains(versions.get(each.name, "0"))]
    assert wrong == [], "make constraints"


def test_a_report_tells_versions_by_the_names_that_pip_compares() -> None:
    packages = [("webpubsub", "0.1.0"), ("Some_Thing.else", "2.0")]
    report = {"install": [{"metadata": {"name": name, "version": version}} for name, version in packages]}
    assert versions_in(report) == {"some-thing-else": "2.0"}


def test_packages_have_a_line_for_each_python_where_they_differ() -> None:
    found = {
        "3.11": {"same": "1", "newer": "1", "gone": "1"},
        "3.12": {"same": "1", "newer": "2"},
        "3.13": {"same": "1", "newer": "3", "added": "1"},
    }
    assert list(lines(found)) == [
        'added==1; python_version >= "3.13"',
        'gone==1; python_version < "3.12"',
        'newer==1; python_version < "3.12"',
        'newer==2; python_version >= "3.12" and python_version < "3.13"',
        'newer==3; python_version >= "3.13"',
        "same==1",
    ]


def test_the_file_is_printed_of_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for python in ("3.11", "3.13"):
        report = {"install": [{"metadata": {"name": "a", "version": python}}]}
        (tmp_path / python).write_text(json.dumps(report), encoding="utf-8")
    main("3.11", str(tmp_path / "3.11"), "3.13", str(tmp_path / "3.13"))
    assert capsys.readouterr().out == (
        f'{HEAD}a==3.11; python_version < "3.13"\na==3.13; python_version >= "3.13"\n'
    )
