"""What people see of a run: a table a row on screen, all figures as JSON, tables and charts in docs/."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.charts import write_bars, write_curves
from benchmarks.curves import CurveResult
from benchmarks.goals import Goal, Unchanged, Verdict
from benchmarks.machine import facts
from benchmarks.rows import Figure
from benchmarks.standings import STEADY, RowResult, Standing

__all__ = ["PartResult", "Report", "print_row", "steadiness", "verdicts", "write_json", "write_page"]

WIDTH = 140  # where stdout is no terminal


class PartResult(msgspec.Struct, frozen=True):
    """What a part gave.

    Attributes:
        name: The part.
        rows: What was measured.
        curves: What was measured at several places.
    """

    name: str
    rows: list[RowResult] = []
    curves: list[CurveResult] = []


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

    def part(self, name: str) -> PartResult:
        """Return a part, at its first time an empty one."""
        found = next((part for part in self.parts if part.name == name), None)
        if found is None:
            found = PartResult(name)
            self.parts.append(found)
        return found


def print_row(row: RowResult) -> None:
    """Show a row as a table."""
    table = Table(*columns(row), title=f"{row.title}; {judged_by(row)}", title_justify="left")
    for standing in row.standings:
        table.add_row(*cells(standing))
    console = Console(width=max(WIDTH, Console().width))
    console.print(table)
    if row.note:
        console.print(row.note, style="dim")
    for verdict, line in verdicts(row):
        console.print(line, style="red" if verdict.is_failure else None, soft_wrap=True)


def judged_by(row: RowResult) -> str:
    """Return what verdicts and spreads of a row are about."""
    return f"judged by {row.unit if row.figure is Figure.VALUE else 'CPU time'}"


def columns(row: RowResult) -> tuple[str, ...]:
    """Return the heads of the columns of a row."""
    return ("", "CPU us", "spread", "ours is", row.unit, "min .. max", "p50 ms", "p99 ms", "client busy")


def cells(standing: Standing) -> tuple[str, ...]:
    """Return what a standing has in each column."""
    median, values = standing.median, [sample.value for sample in standing.samples]
    return (
        standing.name,
        f"{median.cpu_us:.2f}",
        f"{standing.spread:.0%}",
        f"{standing.ratio:.2f}x",
        number(median.value),
        f"{number(min(values))} .. {number(max(values))}",
        _or_empty(median.p50_us and median.p50_us / 1000, "{:.2f}"),
        _or_empty(median.p99_us and median.p99_us / 1000, "{:.2f}"),
        _or_empty(median.client_busy, "{:.0%}"),
    )


def number(value: float) -> str:
    """Return a figure with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _or_empty(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def verdicts(row: RowResult) -> Iterator[tuple[Verdict, str]]:
    """Yield how our figure stands to each goal of its row, in words; nothing after too few rounds."""
    for goal in filter(row.has_verdict, row.goals):
        verdict = row.verdict(goal)
        yield verdict, f"{row.title}: {_found(goal, row)}; {verdict} ({steadiness(row)})"


def _found(goal: Goal | Unchanged, row: RowResult) -> str:
    unit = f"x {goal.against}" if goal.against else f" {row.unit}"
    wanted = "" if isinstance(goal, Unchanged) else f", {goal}"
    return f"{number(row.found(goal))}{unit}{wanted}"


def steadiness(row: RowResult) -> str:
    """Return how far the rounds of those who decide lie apart, and how often that was tried."""
    counts = " and ".join(f"{standing.spread:.0%}" for standing in row.deciding)
    text = f"spread {counts}"
    if len(row.spreads) > 1:
        text += f"; repeated: {', then '.join(f'{spread:.0%}' for spread in row.spreads)}"
    return text if row.spread <= STEADY else f"{text}; not steady"


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
    yield f"\n<!-- Written at a release by `make release-pages`; the run of {report.date}. -->\n"
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
    yield "| | found | of | goal and floor | |\n|---|--:|---|---|---|"
    for row in rows:
        for goal in row.goals:
            unit, against = ("x", goal.against) if goal.against else ("", row.unit)
            verdict = f"{row.verdict(goal)}, {steadiness(row)}"
            yield f"| {row.title} | {number(row.found(goal))}{unit} | {against} | {goal} | {verdict} |"


def _section(row: RowResult) -> Iterator[str]:
    heads = columns(row)
    yield f"\n### {row.title}\n\n{judged_by(row).capitalize()}. {row.note}".rstrip() + "\n"
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "--:|" * (len(heads) - 1)
    yield from ("| " + " | ".join(cells(standing)) + " |" for standing in row.standings)
    if row.goals:
        yield ""
        yield from (f"* {line}" for _, line in verdicts(row))


def _curve_section(curve: CurveResult) -> Iterator[str]:
    yield f"\n### {curve.title}\n\n| {curve.x} | {curve.y} | p99 ms |\n|--:|--:|--:|"
    for point in curve.points:
        p99 = "" if point.p99_us is None else f"{point.p99_us / 1000:.2f}"
        yield f"| {point.x:,} | {point.y:.3g} | {p99} |"
