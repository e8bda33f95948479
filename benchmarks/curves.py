"""How a cost grows with something: one curve of ours, measured point by point.

Each round of each point has a server of its own: what one leaves behind is not the next one's.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.rows import Sample
from benchmarks.servers import Running, Server, started

__all__ = ["Curve", "CurveResult", "Point", "curve_seconds", "measure_curve", "print_curve"]


class Curve(msgspec.Struct, frozen=True):
    """What is measured at several places.

    Attributes:
        name: Short and stable: the key in JSON.
        title: What it is, for people.
        x: What grows, such as ``members of the group``.
        y: What is measured, such as ``CPU us for a message delivered``.
        at: Where: values of ``x``, ascending.
        server: What is started for a value of ``x``.
        measure: Puts load on it for some seconds; ``cpu_us`` of the sample is ``y``.
        seconds: How long each round lasts.
        rounds: How many there are.
    """

    name: str
    title: str
    x: str
    y: str
    at: tuple[int, ...]
    server: Callable[[int], Server]
    measure: Callable[[int, Running, float], Sample]
    seconds: float = 0.5
    rounds: int = 2


class Point(msgspec.Struct, frozen=True):
    """What a curve is at one place.

    Attributes:
        x: Where.
        y: The median of the rounds.
        values: One a round.
        p99_us: Median of the rounds.
    """

    x: int
    y: float
    values: tuple[float, ...]
    p99_us: float | None


class CurveResult(msgspec.Struct, frozen=True):
    """What a curve gave; the attributes are those of `Curve`."""

    name: str
    title: str
    x: str
    y: str
    points: tuple[Point, ...]


def measure_curve(curve: Curve) -> CurveResult:
    """Measure all points of a curve.

    Raises:
        RuntimeError: A server does not start, or a client got a wrong answer.
    """
    points = tuple(_point(curve, x) for x in curve.at)
    return CurveResult(curve.name, curve.title, curve.x, curve.y, points)


def curve_seconds(curve: Curve) -> float:
    """Return about how long a curve takes, with a server and clients for each round of each point."""
    return len(curve.at) * curve.rounds * (curve.seconds + 2.5)


def _point(curve: Curve, x: int) -> Point:
    samples = [_sample(curve, x) for _ in range(curve.rounds)]
    values = tuple(sample.cpu_us for sample in samples)
    latencies = [sample.p99_us for sample in samples if sample.p99_us is not None]
    return Point(x, statistics.median(values), values, statistics.median(latencies) if latencies else None)


def _sample(curve: Curve, x: int) -> Sample:
    with started(curve.server(x)) as running:
        return curve.measure(x, running, curve.seconds)


def print_curve(curve: CurveResult) -> None:
    """Show a curve as a table."""
    table = Table(curve.x, curve.y, "min .. max", "p99 ms", title=curve.title, title_justify="left")
    for point in curve.points:
        spread = f"{min(point.values):.3g} .. {max(point.values):.3g}"
        p99 = "" if point.p99_us is None else f"{point.p99_us / 1000:.2f}"
        table.add_row(f"{point.x:,}", f"{point.y:.3g}", spread, p99)
    Console().print(table)
