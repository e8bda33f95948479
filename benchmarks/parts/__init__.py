"""What is measured: each module has ``rows(ours) -> list[Row]``, or ``curves(ours) -> list[Curve]``."""

from __future__ import annotations

import importlib
from typing import Final

from benchmarks.curves import Curve
from benchmarks.ours import HERE, Checkout
from benchmarks.rows import Row

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


def rows_of(part: str, ours: Checkout = HERE) -> list[Row]:
    """Return the rows of a part."""
    rows: list[Row] = importlib.import_module(f"benchmarks.parts.{part}").rows(ours)
    return rows


def curves_of(part: str) -> list[Curve]:
    """Return the curves of a part."""
    curves: list[Curve] = importlib.import_module(f"benchmarks.parts.{part}").curves(HERE)
    return curves
