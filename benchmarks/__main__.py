"""The command: ``python -m benchmarks [PART...]``, see `benchmarks`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.curves import Curve, curve_seconds, measure_curve, print_curve
from benchmarks.goals import Verdict
from benchmarks.machine import LOAD_CORE, allow_open_files, pin
from benchmarks.ours import Checkout
from benchmarks.parts import CURVES, PARTS, curves_of, rows_of
from benchmarks.progress import duration, seconds_left
from benchmarks.report import Report, print_row, verdicts, write_json, write_page
from benchmarks.rounds import measure_row, row_seconds
from benchmarks.rows import Row, against, decisive, without_peers
from benchmarks.standings import ENOUGH, RowResult

PART_HELP: Final = f"{', '.join(PARTS)}; only when asked for: {', '.join(CURVES)}"

# Two that are nearly alike are harder to tell apart than two that are not, see `benchmarks.standings`.
ROUNDS_AGAINST: Final = 7


def main() -> int:
    """Measure what was asked for; 1 when ours is below a floor, or slower than in another checkout."""
    options = read_options()
    plan = [(part, each) for part in options.parts for each in _chosen(part, options)]
    if options.list:
        for part, each in plan:
            print(f"{part:10} {each.name:28} {each.title}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # then, too, what was started is ended
    pin(LOAD_CORE)
    allow_open_files()
    report = Report.begin()
    _measure(plan, report, options)
    if options.json:
        write_json(report, options.json)
    if options.page:
        write_page(report, options.page)
    return _summed_up([row for part in report.parts for row in part.rows])


def _chosen(part: str, options: argparse.Namespace) -> Iterator[Row | Curve]:
    if part in CURVES:
        yield from curves_of(part)
    elif options.against:
        checkout = Checkout.at(options.against)
        for row, other in zip(rows_of(part), rows_of(part, checkout), strict=True):
            yield from against(row, other, checkout.folder.name)
    else:
        yield from map(options.choice, rows_of(part))


def _measure(plan: Sequence[tuple[str, Row | Curve]], report: Report, options: argparse.Namespace) -> None:
    turns = {"rounds": options.rounds, "seconds": options.seconds}
    expected = [
        row_seconds(each, **turns) if isinstance(each, Row) else curve_seconds(each) for _, each in plan
    ]
    began = time.monotonic()
    for done, (part, each) in enumerate(plan):
        left = seconds_left(expected, done, time.monotonic() - began)
        print(f"{each.name}: {done + 1} of {len(plan)}, about {duration(left)} left", file=sys.stderr)
        if isinstance(each, Row):
            row = measure_row(each, **turns)
            print_row(row)
            report.part(part).rows.append(row)
        else:
            curve = measure_curve(each)
            print_curve(curve)
            report.part(part).curves.append(curve)
    print(f"took {duration(time.monotonic() - began)}", file=sys.stderr)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *CURVES, []], metavar="PART", help=PART_HELP)
    parser.add_argument("--list", action="store_true", help="show the rows, measure nothing")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--all", action="store_true", help="all peers, not only those that goals name")
    who.add_argument(
        "--ours", action="store_true", help="no peers: needs a C compiler and OpenSSL, nothing else"
    )
    who.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="ours beside ours in another checkout, no peers"
    )
    who.add_argument(
        "--page",
        type=Path,
        metavar="FOLDER",
        help="for a release: measure everything, and write tables and charts into this folder of docs",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"turns of each contender (default: {ENOUGH}, with --against {ROUNDS_AGAINST})",
    )
    parser.add_argument("--seconds", type=float, help="length of a turn (default: as the row says)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if options.page and options.parts:
        parser.error("--page is about all parts: a page of some would lack the others")
    options.parts = options.parts or [*PARTS, *(CURVES if options.list or options.page else ())]
    options.rounds = options.rounds or (ROUNDS_AGAINST if options.against else ENOUGH)
    options.choice = _choice(options)
    return options


def _choice(options: argparse.Namespace) -> Callable[[Row], Row]:
    if options.ours:
        return without_peers
    return (lambda row: row) if options.all or options.page else decisive


def _summed_up(rows: Sequence[RowResult]) -> int:
    found = [verdict for row in rows for verdict in verdicts(row)]
    for verdict, line in found:
        if verdict is not Verdict.REACHED:
            print(line)
    counted = Counter(verdict for verdict, _ in found)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items())) or "no verdict")
    return int(any(verdict.is_failure for verdict in counted))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
