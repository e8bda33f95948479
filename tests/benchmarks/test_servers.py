"""Servers under test: how they start, wait for their turn, fail and end."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.servers import PORT, Server, started

LISTENS = f"""
import socket, time
with socket.create_server(("127.0.0.1", {PORT})):
    time.sleep(60)
"""
PRINTS = """
import os, time
print(os.environ.get("WebPubSubConnectionString"))
print("Ready", flush=True)
time.sleep(60)
"""
NEVER_READY = "import time; time.sleep(60)"


def script(text: str, *, ready: str = "") -> Server:
    return Server((sys.executable, "server.py"), ready=ready, files={"server.py": text})


def state(process: int) -> str:
    """What the system says of a process (proc(5)): R or S runs, T is stopped, Z has ended; gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def wait_for_state(process: int, *wanted: str) -> None:
    deadline = time.monotonic() + 5
    while state(process) not in wanted:
        assert time.monotonic() < deadline, state(process)
        time.sleep(0.01)


def test_it_gets_a_free_port_and_takes_connections() -> None:
    with started(script(LISTENS)) as running:
        socket.create_connection(("127.0.0.1", running.port)).close()
        assert running.processes == [running.process]


def test_what_it_prints_until_it_is_ready_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Settings of the caller's own apps do not reach it.
    monkeypatch.setenv("WebPubSubConnectionString", "Endpoint=https://elsewhere;AccessKey=k")
    with started(script(PRINTS, ready="Ready")) as running:
        assert running.printed == "None\nReady\n"


def test_what_is_needed_is_installed_when_it_starts() -> None:
    def program() -> tuple[str, ...]:
        raise RuntimeError("there is no npm")

    server = Server((PORT,), program)
    with pytest.raises(RuntimeError, match="there is no npm"), started(server):
        pass


def test_it_is_stopped_while_it_is_not_its_turn() -> None:
    with started(script(LISTENS)) as running:
        running.pause()
        wait_for_state(running.process, "T")
        with running.turn():
            wait_for_state(running.process, "S", "R")
        wait_for_state(running.process, "T")


def test_it_ends_with_all_it_started_even_when_stopped() -> None:
    parent = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1)\n{LISTENS}"
    )
    with started(script(parent)) as running:
        process, child = running.processes
        running.pause()
    for each in (process, child):
        wait_for_state(each, "Z", "gone")


@pytest.mark.parametrize("ready", ["", "Ready"])
def test_one_that_ends_says_why(ready: str) -> None:
    broken = script("raise SystemExit('the port of the moon is closed')", ready=ready)
    with (
        pytest.raises(RuntimeError, match=r"(?s)server.py is not ready.*ended with 1.*port of the moon"),
        started(broken),
    ):
        pass


@pytest.mark.parametrize("ready", ["", "Ready"])
def test_one_that_is_never_ready_is_given_up(ready: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "START_SECONDS", 0.2)
    with (
        pytest.raises(RuntimeError, match=r"server.py is not ready"),
        started(script(NEVER_READY, ready=ready)),
    ):
        pass
