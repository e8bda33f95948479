"""Curves: points one after the other, each round with a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import curves
from benchmarks.curves import Curve, Point, curve_seconds, measure_curve
from benchmarks.parts import CURVES, PARTS, curves_of
from benchmarks.rows import Sample
from benchmarks.servers import Running, Server


def test_points_are_medians_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Server] = []

    @contextmanager
    def started(server: Server) -> Iterator[Running]:
        begun.append(server)
        yield Running(port=7071, process=len(begun), printed="")

    monkeypatch.setattr(curves, "started", started)

    def measure(x: int, running: Running, seconds: float) -> Sample:
        assert seconds == 0.25
        return Sample(1.0, cpu_us=float(x * running.process), p99_us=10.0 * x)

    curve = Curve(
        "name", "title", "x", "y", (1, 10), lambda x: Server((str(x),)), measure, seconds=0.25, rounds=3
    )
    assert measure_curve(curve).points == (
        Point(1, 2.0, (1.0, 2.0, 3.0), 10.0),
        Point(10, 50.0, (40.0, 50.0, 60.0), 100.0),
    )
    assert [server.command for server in begun] == [("1",)] * 3 + [("10",)] * 3
    assert curve_seconds(curve) == 6 * (0.25 + 2.5)


@pytest.mark.parametrize("part", CURVES)
def test_curves_that_are_there(part: str) -> None:
    found = curves_of(part)
    assert part not in PARTS
    assert len({curve.name for curve in found}) == len(found) >= 5
    for curve in found:
        assert list(curve.at) == sorted(set(curve.at))
