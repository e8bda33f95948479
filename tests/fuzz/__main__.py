"""Feed parsers with mutations of good input: ``make fuzz ARGS="--seconds 60 --seed 1"``.

Each target takes its share of the time. An input depends on the seed, the target and its number alone, so
whatever is found is found again. A find is printed as a literal, with what is wrong with it, and ends the
target; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Final, NamedTuple

from fuzz import chunked_bodies, http_requests, web_socket_frames


class Target(NamedTuple):
    """What is fed.

    Attributes:
        about: For people.
        make: Makes an input.
        check: Feeds one; raises whatever is wrong.
    """

    about: str
    make: Callable[[random.Random], bytes]
    check: Callable[[bytes, random.Random], Awaitable[None]]


TARGETS: Final = {
    "requests": Target(
        "the HTTP server's connection, against llhttp and h11", http_requests.make, http_requests.check
    ),
    "chunks": Target("its bodies in chunks, against h11", chunked_bodies.make, chunked_bodies.check),
    "frames": Target("WebSocket frames, against websockets", web_socket_frames.make, web_socket_frames.check),
}


class Find(NamedTuple):
    """An input with which something is wrong."""

    number: int
    data: bytes
    error: str


async def run(name: str, seed: int, seconds: float) -> tuple[int, Find | None]:
    """Feed a target until its time is over or something is found; return how many inputs that were."""
    target = TARGETS[name]
    end = time.monotonic() + seconds
    asyncio.get_running_loop().set_exception_handler(_fail)
    for number in count():
        if time.monotonic() >= end:
            return number, None
        rng = random.Random(f"{name} {seed} {number}")
        data = target.make(rng)
        try:
            await target.check(data, rng)
        except Exception:  # noqa: BLE001 - that is what is looked for
            return number + 1, Find(number, data, traceback.format_exc())
    raise AssertionError


def _fail(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    raise AssertionError(context)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the targets; return the exit code."""
    targets = "\n".join(f"  {name:10}{target.about}" for name, target in TARGETS.items())
    parser = argparse.ArgumentParser(
        "make fuzz",
        usage='make fuzz [ARGS="[--seconds N] [--seed N] [TARGET...]"]',
        description=f"{__doc__}\ntargets:\n{targets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, where none is named")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together; 60")
    parser.add_argument("--seed", type=int, default=None, help="of the inputs; any, where none is given")
    options = parser.parse_args(arguments)
    names = options.targets or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}: expected {', '.join(TARGETS)}")
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    finds = [_report(name, seed, options.seconds / len(names)) for name in names]
    return 1 if any(finds) else 0


def _report(name: str, seed: int, seconds: float) -> bool:
    began = time.monotonic()
    executions, find = asyncio.run(run(name, seed, seconds))
    rate = executions / max(time.monotonic() - began, 0.001)
    print(f"{name}: {executions:,} inputs of seed {seed}, {rate:,.0f} a second")  # noqa: T201
    if find is None:
        return False
    print(f"{name}: FOUND with input {find.number}:\n{find.data!r}\n{find.error}")  # noqa: T201
    return True


if __name__ == "__main__":
    sys.exit(main())
