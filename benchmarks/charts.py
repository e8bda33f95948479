"""Charts as SVG: a field a row, a bar a contender."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.rounds import OURS, RowResult, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_chart"]

LIMIT: Final = "C: "
WIDTH: Final = 8.0  # inches, as all lengths here
BAR: Final = 0.3
FIELD: Final = 0.9  # title and distance
COLOURS: Final = {True: "#0a6ebd", False: "#9aa5b1"}
LIMIT_COLOUR: Final = "#d9dee3"


def write_chart(rows: Sequence[RowResult], file: Path) -> None:
    """Draw rows below each other; what is ours stands out, and limits stand back."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "webpubsub", "font.size": 9}):
        heights = [FIELD + BAR * len(row.standings) for row in rows]
        figure, fields = pyplot.subplots(
            len(rows),
            figsize=(WIDTH, sum(heights)),
            height_ratios=heights,
            squeeze=False,
            layout="constrained",
        )
        for row, field in zip(rows, fields[:, 0], strict=True):
            _draw(row, field)
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)


def _draw(row: RowResult, field: Axes) -> None:
    bars = field.barh(
        [standing.name for standing in row.standings],
        [standing.value for standing in row.standings],
        color=[_colour(standing) for standing in row.standings],
        height=0.7,
    )
    field.bar_label(bars, [_label(standing) for standing in row.standings], padding=4)
    field.invert_yaxis()
    field.set_title(f"{row.title} ({row.unit}, {row.better} is better)", loc="left", fontsize=10)
    field.spines[["top", "right", "bottom"]].set_visible(False)
    field.margins(x=0.18)
    field.set_xticks([])


def _colour(standing: Standing) -> str:
    return LIMIT_COLOUR if standing.name.startswith(LIMIT) else COLOURS[standing.name.startswith(OURS)]


def _label(standing: Standing) -> str:
    value = f"{standing.value:,.0f}" if standing.value >= 100 else f"{standing.value:.3g}"
    return value if standing.name == OURS else f"{value}   (ours is {standing.ratio:.2f}x)"
