"""This machine: its cores, what processes cost on it, and what a reader of figures must know of it."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "allow_open_files",
    "cpu_seconds",
    "facts",
    "pin",
    "process_tree",
    "resident_bytes",
]

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1

# Those this process may use; read before it pins itself.
_CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def pin(core: int) -> None:
    """Keep this process, and those it starts, on one core.

    Raises:
        RuntimeError: There is no such core: server and load would take time from each other.
    """
    if core >= len(_CORES):
        raise RuntimeError(f"benchmarks need Linux and two cores, for server and load: found {len(_CORES)}")
    os.sched_setaffinity(0, {_CORES[core]})


def process_tree(process: int) -> list[int]:
    """Return a process and all it started."""
    return [process, *_descendants(process)]


def _descendants(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has just ended
            for child in (task / "children").read_text().split():
                yield from process_tree(int(child))


def cpu_seconds(process: int) -> float:
    """Return the seconds of a core that a process, with its children, has had until now."""
    return sum(_own_cpu_seconds(each) for each in process_tree(process))


def _own_cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime, proc(5)


def resident_bytes(process: int) -> int:
    """Return the memory that a process, with its children, has in use."""
    return sum(
        int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE for each in process_tree(process)
    )


def allow_open_files() -> int:
    """Let this process, and those it starts, have as many open files as it may; return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def facts() -> dict[str, str]:
    """Return what a reader must know of the machine to make sense of its figures."""
    models = (
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    )
    return {
        "processor": next(models, "unknown").partition(":")[2].strip(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }
