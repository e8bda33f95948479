"""The command: ``python -m benchmarks [PART...]``, see `benchmarks`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.curves import CurveResult, measure_curve, print_curve
from benchmarks.goals import Verdict
from benchmarks.machine import LOAD_CORE, allow_open_files, pin
from benchmarks.parts import CURVES, PARTS, curves_of, rows_of
from benchmarks.report import PartResult, Report, print_row, verdicts, write_json, write_page
from benchmarks.rounds import RowResult, measure_row, without_peers

PART_SECONDS = 120.0
PART_HELP = f"{', '.join(PARTS)}; only when asked for: {', '.join(CURVES)}"


def main() -> int:
    """Measure what was asked for; 1 when something of ours is below its floor."""
    options = _options()
    parts = options.parts or PARTS
    if options.list:
        _list(options.parts or (*PARTS, *CURVES))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # then, too, what was started is ended
    pin(LOAD_CORE)
    allow_open_files()
    report = Report.begin()
    report.parts.extend(_measure(part, options) for part in parts)
    if options.json:
        write_json(report, options.json)
    if options.page:
        write_page(report, options.page)
    return _summed_up([row for part in report.parts for row in part.rows])


def _list(parts: Iterable[str]) -> None:
    for part in parts:
        for each in curves_of(part) if part in CURVES else rows_of(part):
            print(f"{part:10} {each.name:28} {each.title}")


def _measure(part: str, options: argparse.Namespace) -> PartResult:
    began = time.monotonic()
    rows = () if part in CURVES else _measure_rows(part, options)
    curves = _measure_curves(part) if part in CURVES else ()
    took = time.monotonic() - began
    print(f"{part} took {took:.0f} s" + (f": more than {PART_SECONDS:.0f}" if took > PART_SECONDS else ""))
    return PartResult(part, took, rows, curves)


def _measure_rows(part: str, options: argparse.Namespace) -> tuple[RowResult, ...]:
    found = []
    for row in rows_of(part):
        wanted = without_peers(row) if options.ours else row
        found.append(measure_row(wanted, rounds=options.rounds, seconds=options.seconds))
        print_row(found[-1])
    return tuple(found)


def _measure_curves(part: str) -> tuple[CurveResult, ...]:
    found = []
    for curve in curves_of(part):
        found.append(measure_curve(curve))
        print_curve(found[-1])
    return tuple(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *CURVES, []], metavar="PART", help=PART_HELP)
    parser.add_argument("--list", action="store_true", help="show the rows, measure nothing")
    parser.add_argument(
        "--ours", action="store_true", help="no peers: needs a C compiler and OpenSSL, nothing else"
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn (default: 1)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--page", type=Path, help="write tables and charts into this folder of docs")
    return parser.parse_args()


def _summed_up(rows: list[RowResult]) -> int:
    found = [verdict for row in rows for verdict in verdicts(row)]
    for verdict, line in found:
        if verdict is not Verdict.REACHED:
            print(line)
    missed = sum(verdict is Verdict.MISSED for verdict, _ in found)
    reached = sum(verdict is Verdict.REACHED for verdict, _ in found)
    print(f"{reached} of {len(found)} goals reached, {missed} below their floor")
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
