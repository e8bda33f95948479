"""Let everything go wrong at once, and check every message: ``make chaos ARGS="--minutes 5 --seed 1"``.

A service as people start it has clients of every kind behind wires that are cut and stalled, two senders by
REST, of which one floods, and event handlers that fail, are slow and start again; the service and its clients
are stopped now and then for some hundred milliseconds. At the end each message that was accepted is looked
for: lost, twice, out of order. What is wrong is printed, and the exit code is 1 then.

Dice depend on the seed, but times are the machine's: the same seed is the same weather, not the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos.ledger import Sender
from chaos.run import Outcome, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(
        "make chaos",
        usage='make chaos [ARGS="[--minutes N] [--seed N]"]',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=2, help="how long; 2")
    parser.add_argument("--seed", type=int, default=None, help="of the dice; any, where none is given")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    print(f"chaos of seed {seed} for {options.minutes:g} minutes", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(run(seed, options.minutes * 60, Path(folder)))
    for line in told(outcome):
        print(line)  # noqa: T201
    return 1 if outcome.faults else 0


def told(outcome: Outcome) -> Iterator[str]:
    """Return what people are told of a run."""
    yield f"messages: {_counted(outcome.senders)}, {_delivered(outcome):,} delivered"
    yield f"events: {_counted(outcome.events)}"
    happened = ", ".join(f"{name} {count:,}" for name, count in sorted(outcome.happened.items()))
    yield f"happened: {happened}"
    recoveries = sum(stay.recoveries for stay in outcome.stays)
    yield f"connections: {len(outcome.stays):,}, {recoveries:,} recoveries; ended:"
    ends = Counter(
        (stay.ended, stay.receiver.partition("-")[0], stay.receiver.rpartition("-")[2])
        for stay in outcome.stays
        if stay.ended
    )
    for (reason, place, kind), count in ends.most_common():
        yield f"  {count:6,} {place} {kind}: {reason}"
    if outcome.faults:
        yield f"WRONG, {len(outcome.faults):,}:"
        yield from (f"  {fault}" for fault in outcome.faults[:50])
    else:
        yield "nothing lost, nothing twice, nothing out of order"


def _counted(senders: dict[str, Sender]) -> str:
    letters = [letter for sender in senders.values() for letter in sender.letters]
    accepted = sum(letter.accepted_at is not None for letter in letters)
    return f"{len(letters):,} sent, {accepted:,} accepted"


def _delivered(outcome: Outcome) -> int:
    return sum(len(numbers) for stay in outcome.stays for numbers in stay.got.values())


if __name__ == "__main__":
    sys.exit(main())
