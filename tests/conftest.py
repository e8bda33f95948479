"""What every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
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


def missing(what: str, install: str) -> NoReturn:
    reason = f"needs {what}: {install}"
    if os.environ.get("WEBPUBSUB_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
