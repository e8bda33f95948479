"""Processes under test: each has a core to itself while its turn lasts, and is stopped while it is not."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.machine import SERVER_CORE, pin, process_tree

__all__ = ["PORT", "Running", "Server", "free_port", "started"]

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0

PORT: Final = "{port}"


class Server(msgspec.Struct, frozen=True):
    """How a server is started.

    Attributes:
        command: Program and arguments; ``{port}`` in them becomes a free port.
        program: Gives what stands before them; called when the server starts, so that only then something
            is compiled or installed.
        ready: A line on its stdout that says it takes requests; empty: a connection to ``{port}`` says it.
        environment: What its environment has beside ours, which has no settings of apps.
        files: Files of the folder it is started in, by name; ``{port}`` in them likewise.
        warm_up: Seconds of load before anything counts: what a just-in-time compiler takes to settle.
    """

    command: tuple[str, ...]
    program: Callable[[], tuple[str, ...]] = tuple
    ready: str = ""
    environment: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    warm_up: float = 0.0


class Running(msgspec.Struct, frozen=True):
    """A server that takes requests.

    Attributes:
        port: What ``{port}`` became.
        process: Its process id; it leads a group with all it started.
        printed: What it printed until it was ready.
    """

    port: int
    process: int
    printed: str

    @property
    def processes(self) -> list[int]:
        """All its processes."""
        return process_tree(self.process)

    def pause(self) -> None:
        """Let it have no time at all, so that the one whose turn it is has the core alone."""
        os.killpg(self.process, signal.SIGSTOP)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Let it run for a while."""
        os.killpg(self.process, signal.SIGCONT)
        try:
            yield
        finally:
            self.pause()


@contextlib.contextmanager
def started(server: Server) -> Iterator[Running]:
    """Run a server on the first core; end it and its children afterwards.

    Raises:
        RuntimeError: It ended, or was not ready in time; what it wrote to stderr is in the message.
    """
    port = free_port()
    command = [part.replace(PORT, str(port)) for part in (*server.program(), *server.command)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        for name, text in server.files.items():
            (Path(folder) / name).write_text(text.replace(PORT, str(port)), encoding="utf-8")
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**_environment(), **server.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if server.ready else subprocess.DEVNULL,
            stderr=errors,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: pin(SERVER_CORE),
        )
        try:
            printed = _printed(process, server.ready) if server.ready else _wait_for(port, process)
            yield Running(port, process.pid, printed)
        except _NotReadyError as error:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} is not ready: {error}\n{errors.read()}") from error
        finally:
            _end(process)


def _environment() -> dict[str, str]:
    """Return ours without settings of apps, which would change what is measured."""
    settings = ("WEBPUBSUB", "AZUREWEBJOBS", "FUNCTIONS_")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(settings)}


class _NotReadyError(Exception):
    """Why a server takes no requests."""


def _printed(process: subprocess.Popen[str], ready: str) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    patience = threading.Timer(START_SECONDS, process.kill)  # then its output ends
    patience.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if line.strip() == ready:
                return "".join(lines)
    finally:
        patience.cancel()
    raise _NotReadyError(f"it ended with {process.wait()} before it printed {ready!r}")


def _wait_for(port: int, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not _listens(port):
        if process.poll() is not None:
            raise _NotReadyError(f"it ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise _NotReadyError(f"it does not listen after {START_SECONDS:.0f} seconds")
        time.sleep(0.02)
    return ""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that it left behind


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
