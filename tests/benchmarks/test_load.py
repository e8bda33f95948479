"""What load clients print, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.load import run_load
from benchmarks.rows import Sample
from benchmarks.servers import Running

RUNNING = Running(port=7071, process=1, printed="")
PRINTED = (
    '{"operations":%d,"wrong":%d,"seconds":1.5,"server_cpu_seconds":0.75,"client_cpu_seconds":0.375,'
    '"p50_us":5.0,"p99_us":9.0}'
)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for a load client; tests write it."""
    program = tmp_path / "client"
    program.touch(0o755)
    monkeypatch.setattr(load, "compiled", lambda _: str(program))
    monkeypatch.setattr(load, "pin", lambda _: None)
    monkeypatch.setattr(Running, "processes", property(lambda _: [12, 34]))
    return program


def test_a_sample_is_per_second_and_per_operation(client: Path) -> None:
    client.write_text(f"#!/bin/sh\necho '{PRINTED % (3000, 0)}'\n")
    assert run_load("c", RUNNING, 1.5).sample() == Sample(2000, 250, 5, 9, 0.25)


def test_a_client_is_told_what_to_do(client: Path) -> None:
    client.write_text(f"#!/bin/sh\necho \"$@\" > {client.parent}/told\necho '{PRINTED % (3000, 0)}'\n")
    run_load("c", RUNNING, 1.5, "--last", connections=32, expect_body="ack")
    told = (client.parent / "told").read_text()
    assert told == "--port 7071 --pids 12,34 --seconds 1.5 --connections 32 --expect-body ack --last\n"


def test_a_turn_without_an_answer_is_taken_again(client: Path) -> None:
    first, then = PRINTED % (0, 0), PRINTED % (3000, 0)
    client.write_text(
        f"#!/bin/sh\ncd {client.parent}\necho turn >> turns\n"
        f"if [ $(wc -l < turns) = 1 ]; then echo '{first}'; else echo '{then}'; fi\n"
    )
    assert run_load("c", RUNNING, 1.5).operations == 3000
    assert (client.parent / "turns").read_text() == "turn\n" * 2


def test_a_server_that_never_answers_ends_a_run(client: Path) -> None:
    client.write_text(f"#!/bin/sh\necho turn >> {client.parent}/turns\necho '{PRINTED % (0, 0)}'\n")
    with pytest.raises(RuntimeError, match="0 right and 0 wrong answers"):
        run_load("c", RUNNING, 1.5)
    assert (client.parent / "turns").read_text() == "turn\n" * 3


def test_wrong_answers_end_a_run(client: Path) -> None:
    client.write_text(f"#!/bin/sh\necho '{PRINTED % (3000, 1)}'\n")
    with pytest.raises(RuntimeError, match="3000 right and 1 wrong answers"):
        run_load("c", RUNNING, 1.5)


def test_a_client_that_fails_ends_a_run(client: Path) -> None:
    client.write_text("#!/bin/sh\necho 'expected 200, found 500' >&2\nexit 1\n")
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1:.*expected 200, found 500"):
        run_load("c", RUNNING, 1.5)
