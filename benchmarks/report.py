"""What people see of a run: a table a row on screen, all figures as JSON, tables and charts in docs/."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.charts import write_bars, write_curves
from benchmarks.curves import CurveResult
from benchmarks.goals import Goal, Verdict
from benchmarks.machine import facts
from benchmarks.rounds import RowResult, Standing

__all__ = ["PartResult", "Report", "print_row", "verdicts", "write_json", "write_page"]

COLUMNS = ("", "median", "min .. max", "ours is", "CPU us", "ours needs", "p50 ms", "p99 ms", "client busy")
VERDICTS: Mapping[Verdict, str] = {
    Verdict.REACHED: "reached",
    Verdict.ABOVE_FLOOR: "not reached",
    Verdict.MISSED: "**below**",
}
WIDTH = 140  # where stdout is no terminal


class PartResult(msgspec.Struct, frozen=True):
    """What a part gave.

    Attributes:
        name: The part.
        seconds: How long it took.
        rows: What was measured.
        curves: What was measured at several places.
    """

    name: str
    seconds: float
    rows: tuple[RowResult, ...]
    curves: tuple[CurveResult, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        date: When it began, UTC.
        machine: What it ran on.
        parts: What was measured.
    """

    date: str
    machine: dict[str, str]
    parts: list[PartResult]

    @classmethod
    def begin(cls) -> Report:
        """Return an empty report of now and here."""
        return cls(datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), facts(), [])


def print_row(row: RowResult) -> None:
    """Show a row as a table."""
    table = Table(*COLUMNS, title=f"{row.title} ({row.unit})", title_justify="left")
    for standing in row.standings:
        table.add_row(*cells(standing))
    console = Console(width=max(WIDTH, Console().width))
    console.print(table)
    if row.note:
        console.print(row.note, style="dim")
    for verdict, line in verdicts(row):
        console.print(line, style="red" if verdict is Verdict.MISSED else None)


def cells(standing: Standing) -> tuple[str, ...]:
    """Return what a standing has in each column."""
    return (
        standing.name,
        number(standing.value),
        f"{number(min(standing.values))} .. {number(max(standing.values))}",
        f"{standing.ratio:.2f}x",
        _or_empty(standing.cpu_us, "{:.2f}"),
        _or_empty(standing.cpu_ratio and 1 / standing.cpu_ratio, "{:.2f}x"),
        _or_empty(standing.p50_us and standing.p50_us / 1000, "{:.2f}"),
        _or_empty(standing.p99_us and standing.p99_us / 1000, "{:.2f}"),
        _or_empty(standing.client_busy, "{:.0%}"),
    )


def number(value: float) -> str:
    """Return a figure with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _or_empty(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def verdicts(row: RowResult) -> Iterator[tuple[Verdict, str]]:
    """Yield how our figure stands to each goal of its row, in words."""
    for goal in row.goals:
        found = row.ratio(goal.against)
        verdict = goal.verdict(found, row.better)
        yield verdict, f"{verdict:5}  {row.title}: {_found(goal, found, row)}"


def _found(goal: Goal, found: float, row: RowResult) -> str:
    unit = f"x {goal.against}" if goal.against else f" {row.unit}"
    return f"{number(found)}{unit} (goal {goal.goal:g}, floor {goal.floor:g})"


def write_json(report: Report, file: Path) -> None:
    """Write all figures."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def write_page(report: Report, folder: Path) -> None:
    """Write ``performance-tables.md`` and one chart a part into a folder."""
    for part in report.parts:
        if part.rows:
            write_bars(part.rows, folder / chart_name(part))
        if part.curves:
            write_curves(part.curves, folder / chart_name(part))
    (folder / "performance-tables.md").write_text("\n".join(_page(report)) + "\n", encoding="utf-8")


def chart_name(part: PartResult) -> str:
    """Return the file name of a part's chart."""
    return f"performance-{part.name}.svg"


def _page(report: Report) -> Iterator[str]:
    yield "# Performance: the tables of one run"
    yield f"\n<!-- Written by `make bench ARGS='--page docs'`; the run of {report.date}. -->\n"
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    yield f"{report.date[:10]}; {machine}."
    yield "What the columns mean, and how to reproduce them: [performance.md](performance.md)."
    yield from _goals([row for part in report.parts for row in part.rows])
    for part in report.parts:
        yield f"\n## {part.name}\n\n![{part.name}]({chart_name(part)})"
        for row in part.rows:
            yield from _section(row)
        for curve in part.curves:
            yield from _curve_section(curve)


def _goals(rows: Iterable[RowResult]) -> Iterator[str]:
    yield "\n## What ours must reach\n"
    yield "| | against | found | goal | never below | |\n|---|---|--:|--:|--:|---|"
    for row in rows:
        for goal in row.goals:
            found = row.ratio(goal.against)
            shown = f"{number(found)}x" if goal.against else f"{number(found)} {row.unit}"
            verdict = VERDICTS[goal.verdict(found, row.better)]
            yield f"| {row.title} | {goal.against} | {shown} | {goal.goal:g} | {goal.floor:g} | {verdict} |"


def _section(row: RowResult) -> Iterator[str]:
    yield f"\n### {row.title}\n\nIn {row.unit}, {row.better} is better. {row.note}".rstrip() + "\n"
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---|" + "--:|" * (len(COLUMNS) - 1)
    yield from ("| " + " | ".join(cells(standing)) + " |" for standing in row.standings)
    if row.goals:
        yield ""
        yield from (f"* {line}" for _, line in verdicts(row))


def _curve_section(curve: CurveResult) -> Iterator[str]:
    yield f"\n### {curve.title}\n\n| {curve.x} | {curve.y} | p99 ms |\n|--:|--:|--:|"
    for point in curve.points:
        p99 = "" if point.p99_us is None else f"{point.p99_us / 1000:.2f}"
        yield f"| {point.x:,} | {point.y:.3g} | {p99} |"
