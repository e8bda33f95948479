"""The load clients: each runs on the second core, checks every answer and prints what it saw as JSON."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.machine import LOAD_CORE, pin
from benchmarks.programs import compiled
from benchmarks.rows import Sample
from benchmarks.servers import Running

__all__ = ["Load", "run_calls", "run_load"]

# A virtual machine may get no time at all for half a second: then there is no answer, and none is wrong.
TRIES: Final = 3


class Load(msgspec.Struct, frozen=True):
    """What a load client prints.

    Attributes:
        operations: Answers or messages that came within the measured time, all of them right.
        wrong: Those that were not what they should be.
        seconds: The measured time.
        server_cpu_seconds: What the server's processes had of a core in that time.
        client_cpu_seconds: What the client had.
        p50_us: Half of the operations took at most so long, in microseconds.
        p99_us: All but one of a hundred took at most so long.
        server_bytes: By how much the memory of the server's processes grew; 0: not measured.
    """

    operations: int
    wrong: int
    seconds: float
    server_cpu_seconds: float
    client_cpu_seconds: float
    p50_us: float
    p99_us: float
    server_bytes: int = 0

    def sample(self) -> Sample:
        """Return it as operations a second."""
        return Sample(
            self.operations / self.seconds,
            self.server_cpu_seconds / self.operations * 1e6,
            self.p50_us,
            self.p99_us,
            self.client_cpu_seconds / self.seconds,
        )


def run_load(client: str, server: Running, seconds: float, *arguments: str, **options: object) -> Load:
    """Let a load client of ``clients/`` work on a server.

    Args:
        client: Its name.
        server: Gets the load.
        seconds: How long.
        arguments: Given as they are.
        options: Given as ``--name value``.

    Raises:
        RuntimeError: The client failed, an answer was wrong, or there was none in several tries.
    """
    command = [
        compiled(client),
        *_options({"port": server.port, "pids": ",".join(map(str, server.processes)), "seconds": seconds}),
        *_options(options),
        *arguments,
    ]
    load = _load(command, seconds)
    for _ in range(TRIES - 1):
        if not load.operations and not load.wrong:
            load = _load(command, seconds)
    if load.wrong or not load.operations:
        raise RuntimeError(f"{' '.join(command)}: {load.operations} right and {load.wrong} wrong answers")
    return load


def _load(command: Sequence[str], seconds: float) -> Load:
    return msgspec.json.decode(_output(command, seconds), type=Load)


def run_calls(program: Sequence[str], *arguments: object, seconds: float) -> Sample:
    """Let a Python program of ``clients/`` make its calls; the program itself is what is measured.

    Args:
        program: The command that runs it.
        arguments: Stand before the seconds.
        seconds: How long.

    Raises:
        RuntimeError: A call failed.
    """
    command = [*program, *map(str, arguments), str(seconds)]
    return msgspec.json.decode(_output(command, seconds), type=Sample)


def _output(command: Sequence[str], seconds: float) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds + 60,
        preexec_fn=lambda: pin(LOAD_CORE),
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def _options(options: dict[str, object]) -> Sequence[str]:
    return [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
