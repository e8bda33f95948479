"""What is measured: each module has ``rows() -> list[Row]``, or ``curves() -> list[Curve]``."""

from __future__ import annotations

import importlib
from typing import Final

from benchmarks.curves import Curve
from benchmarks.rounds import Row

__all__ = ["CURVES", "PARTS", "curves_of", "rows_of"]

# In the order of the page; names are what WHAT= takes.
PARTS: Final = (
    "webhook",
    "fanout",
    "ack",
    "echo",
    "rest",
    "action",
    "token",
    "connect",
    "idle",
    "ready",
    "units",
)

# Measured only when asked for.
CURVES: Final = ("growth",)


def rows_of(part: str) -> list[Row]:
    """Return the rows of a part; only now its programs are compiled and installed."""
    rows: list[Row] = importlib.import_module(f"benchmarks.parts.{part}").rows()
    return rows


def curves_of(part: str) -> list[Curve]:
    """Return the curves of a part."""
    curves: list[Curve] = importlib.import_module(f"benchmarks.parts.{part}").curves()
    return curves
