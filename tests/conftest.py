"""What every test may use."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from kit.needs import Need, missing

# An example takes longer on a machine that others use, too; tests as a whole have a time limit.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

TESTS = Path(__file__).parent
# What another Python, and the azure-functions that is made for it, may do otherwise. The library: its apps
# and decorators, the values of bindings, indexing. Python: how functions are looked at, called and cancelled;
# sockets, TLS and signals of asyncio; what is imported with what; what type checkers know.
BY_VERSION = (
    "functions",
    "host/bindings",
    "host/http",
    "host/loading",
    "host/running",
    "host/test_asgi_wsgi.py",
    "host/test_converters.py",
    "http",
    "server",
    "spec",
    "test_exports.py",
    "typing",
)
assert all((TESTS / place).exists() for place in BY_VERSION)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what runs on each version, by its place."""
    if item.path.relative_to(TESTS).as_posix().startswith(BY_VERSION):
        item.add_marker("version")


@pytest.fixture(scope="session")
def need() -> Need:
    """Return the path of a program a test cannot do without.

    Without it the test is skipped by name, with the command that installs it; where all tests are
    required (``WEBPUBSUB_REQUIRE_ALL=1``, as in CI) it fails instead.
    """

    def path_of(*names: str, install: str) -> str:
        found = next(filter(None, map(shutil.which, names)), None)
        return found or missing(" or ".join(names), install)

    return path_of


@pytest.fixture(scope="session")
def need_package() -> Callable[..., None]:
    """Check that a package a test cannot do without is there; see `need`."""

    def check(name: str, install: str) -> None:
        if importlib.util.find_spec(name) is None:
            missing(name, install)

    return check


@pytest.fixture(scope="session")
def worker_python() -> str:
    """Return an interpreter that has the Azure Functions worker: the dependency group ``worker``."""
    default = Path(__file__).parents[1] / ".venv-3.13/bin/python"
    python = os.environ.get("WEBPUBSUB_WORKER_PYTHON", str(default))
    probe = [python, "-c", "import azure_functions_runtime, google.protobuf"]
    if shutil.which(python) is None or subprocess.run(probe, capture_output=True).returncode:
        install = "pyenv install 3.13; make test (which installs it into .venv-3.13)"
        missing(f"the Azure Functions worker in {python}", install)
    return python


@pytest.fixture(scope="session")
def oldest_python() -> str:
    """Return an interpreter with the oldest azure-functions that is supported: the group ``oldest``."""
    default = Path(__file__).parents[1] / ".venv-oldest/bin/python"
    python = os.environ.get("WEBPUBSUB_OLDEST_PYTHON", str(default))
    probe = [python, "-c", "import azure.functions, webpubsub; print(azure.functions.__version__)"]
    found = b"" if shutil.which(python) is None else subprocess.run(probe, capture_output=True).stdout
    if not found.startswith(b"1.17."):
        missing(f"azure-functions 1.17 in {python}", "make test (which installs it into .venv-oldest)")
    return python
