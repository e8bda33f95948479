"""Charts as SVG: a field a row with a bar a contender, or a field a curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from benchmarks.curves import CurveResult
from benchmarks.goals import Better
from benchmarks.rows import LIMIT, OURS, Figure
from benchmarks.standings import RowResult, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_bars", "write_curves"]

Shown = TypeVar("Shown", RowResult, CurveResult)

WIDTH: Final = 8.0  # inches, as all lengths here
BAR: Final = 0.3
FIELD: Final = 0.9  # title and distance
CURVE: Final = 2.2
OURS_COLOUR: Final = "#0a6ebd"
PEER_COLOUR: Final = "#9aa5b1"
LIMIT_COLOUR: Final = "#d9dee3"


def write_bars(rows: Sequence[RowResult], file: Path) -> None:
    """Draw rows below each other; what is ours stands out, and limits stand back."""
    _write(rows, [FIELD + BAR * len(row.standings) for row in rows], _draw_bars, file)


def write_curves(curves: Sequence[CurveResult], file: Path) -> None:
    """Draw curves below each other, over a logarithmic scale of what grows."""
    _write(curves, [CURVE for _ in curves], _draw_curve, file)


def _write(
    shown: Sequence[Shown], heights: Sequence[float], draw: Callable[[Shown, Axes], None], file: Path
) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "webpubsub", "font.size": 9}):
        figure, fields = pyplot.subplots(
            len(shown),
            figsize=(WIDTH, sum(heights)),
            height_ratios=heights,
            squeeze=False,
            layout="constrained",
        )
        for each, field in zip(shown, fields[:, 0], strict=True):
            draw(each, field)
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)


def _draw_curve(curve: CurveResult, field: Axes) -> None:
    field.plot(
        [point.x for point in curve.points], [point.y for point in curve.points], "o-", color=OURS_COLOUR
    )
    for point in curve.points:
        field.annotate(f"{point.y:.3g}", (point.x, point.y), (0, 6), textcoords="offset points", ha="center")
    field.set_xscale("symlog", linthresh=max(1, min(filter(None, (point.x for point in curve.points)))))
    field.set_xticks([point.x for point in curve.points], [f"{point.x:,}" for point in curve.points])
    field.minorticks_off()
    field.set_ylim(0, 1.35 * max(point.y for point in curve.points))
    field.set_title(f"{curve.title}: {curve.y}", loc="left", fontsize=10)
    field.set_xlabel(curve.x)
    field.spines[["top", "right"]].set_visible(False)


def _draw_bars(row: RowResult, field: Axes) -> None:
    by_cpu = row.figure is Figure.CPU
    unit, better = ("CPU us an operation", Better.LESS) if by_cpu else (row.unit, row.better)
    values = [getattr(standing.median, row.figure) for standing in row.standings]
    bars = field.barh(
        [standing.name for standing in row.standings],
        values,
        color=[_colour(standing) for standing in row.standings],
        height=0.7,
    )
    field.bar_label(bars, list(map(_label, row.standings, values)), padding=4)
    field.invert_yaxis()
    field.set_title(f"{row.title} ({unit}, {better} is better)", loc="left", fontsize=10)
    field.spines[["top", "right", "bottom"]].set_visible(False)
    field.margins(x=0.18)
    field.set_xticks([])


def _colour(standing: Standing) -> str:
    if standing.name.startswith(LIMIT):
        return LIMIT_COLOUR
    return OURS_COLOUR if standing.name.startswith(OURS) else PEER_COLOUR


def _label(standing: Standing, figure: float) -> str:
    value = f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
    return value if standing.name == OURS else f"{value}   (ours is {standing.ratio:.2f}x)"
