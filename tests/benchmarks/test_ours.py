"""Whose commands are measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.ours import HERE, Checkout


def test_this_checkout() -> None:
    assert HERE.python == sys.executable
    assert (HERE.folder / "benchmarks" / "ours.py").exists()


def test_another_checkout_has_an_environment_of_its_own(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    checkout = Checkout.at(tmp_path)
    assert checkout == Checkout(tmp_path, str(python))
    assert checkout.service().command == (str(python), "-m", "webpubsub", "service", "--port", "{port}")
    assert checkout.client("calls.py") == (str(python), str(tmp_path / "benchmarks" / "clients" / "calls.py"))


def test_one_without_an_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"\.venv/bin/python is not there; in that checkout: "):
        Checkout.at(tmp_path)
