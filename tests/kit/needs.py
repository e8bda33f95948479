"""What a test cannot do without."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

import pytest

Need = Callable[..., str]


def missing(what: str, install: str) -> NoReturn:
    """Skip the test by name, or fail it where all are required (``WEBPUBSUB_REQUIRE_ALL=1``, as in CI)."""
    reason = f"needs {what}: {install}"
    if os.environ.get("WEBPUBSUB_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
