"""What every test may use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

Need = Callable[..., str]


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
def worker_python() -> str:
    """Return an interpreter that has the Azure Functions worker: the dependency group ``worker``."""
    default = Path(__file__).parents[1] / ".venv-3.13/bin/python"
    python = os.environ.get("WEBPUBSUB_WORKER_PYTHON", str(default))
    probe = [python, "-c", "import azure_functions_runtime, google.protobuf"]
    if shutil.which(python) is None or subprocess.run(probe, capture_output=True).returncode:
        install = "pyenv install 3.13; make test (which installs it into .venv-3.13)"
        missing(f"the Azure Functions worker in {python}", install)
    return python


def missing(what: str, install: str) -> NoReturn:
    reason = f"needs {what}: {install}"
    if os.environ.get("WEBPUBSUB_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
