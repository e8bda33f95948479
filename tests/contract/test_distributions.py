"""What is published: the wheel alone runs the README's app, and the sdist builds the same wheel.

The fresh environment holds the wheel and what it says it needs, without any extra, and nothing else of the
environment of the tests.
"""

from __future__ import annotations

import email.message
import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

import webpubsub
from kit.docs_pages import apps, sections

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "tests/kit/index_functions.py"
WITHOUT_EXTRA = {"extra": ""}


class Built(NamedTuple):
    """The two files to publish."""

    sdist: Path
    wheel: Path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, encoding="utf-8", timeout=60)


def checked(*command: str | Path) -> str:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of this checkout, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    checked(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


def needed_by(requirements: Iterable[str] | None) -> Iterator[Distribution]:
    """Yield what is needed here, and what that needs."""
    for requirement in map(Requirement, requirements or ()):
        if requirement.marker is None or requirement.marker.evaluate(WITHOUT_EXTRA):
            found = distribution(requirement.name)
            yield found
            yield from needed_by(found.requires)


@pytest.fixture(scope="session")
def fresh(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=sys.platform != "win32")
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python")
    checked(*pip, "install", "--quiet", "--no-index", "--no-deps", built.wheel)
    site = Path(checked(programs / "python", "-c", "import site; print(site.getsitepackages()[0])").strip())
    for needed in needed_by(metadata(built.wheel).get_all("Requires-Dist")):
        for file in needed.files or ():
            target = site / file
            if target.is_relative_to(site) and ".." not in file.parts and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file.locate())
    assert checked(*pip, "check") == "No broken requirements found.\n"
    return programs


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def test_the_wheel_holds_the_package_as_it_is_and_nothing_else(built: Built) -> None:
    package = ROOT / "src/webpubsub"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(built.wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert found == {path.relative_to(package.parent).as_posix() for path in files}
        assert all(archive.read(name) == (package.parent / name).read_bytes() for name in found)
    assert "webpubsub/py.typed" in found


def test_the_sdist_holds_what_builds_and_tests_it(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "src/webpubsub/py.typed"} <= found
    assert {"Makefile", "scripts/test", "tests/conftest.py", "docs/index.md"} <= found
    assert not [name for name in found if "node_modules" in name or "__pycache__" in name or ".venv" in name]


def test_both_say_what_they_are(built: Built) -> None:
    found = metadata(built.wheel)
    assert (found["Name"], found["Version"]) == ("webpubsub", webpubsub.__version__)
    assert found.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert built.sdist.name == f"webpubsub-{webpubsub.__version__}.tar.gz"


def test_the_wheel_alone_indexes_the_app_of_the_readme(fresh: Path, tmp_path: Path) -> None:
    (app,) = (app for section in sections(ROOT / "README.md") for app in apps(section))
    app.write(tmp_path)
    found = json.loads(checked(fresh / "python", "-I", "-W", "error", INDEX, tmp_path))
    kinds = {name: sorted(binding["type"] for binding in bindings) for name, bindings in found.items()}
    assert kinds == {
        "negotiate": ["http", "httpTrigger", "webPubSubConnection"],
        "connect": ["webPubSubTrigger"],
        "message": ["webPubSub", "webPubSubTrigger"],
    }


@pytest.mark.parametrize("how", ["webpubsub", "python -m webpubsub"])
def test_the_command_of_the_wheel_alone_says_what_to_install(fresh: Path, how: str) -> None:
    program, *arguments = how.split()
    done = run(fresh / program, *arguments, "start")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("webpubsub: the host and the service are not installed (")
    assert done.stderr.endswith('Install them with: pip install "webpubsub[server]"\n')
