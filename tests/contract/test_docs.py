"""What the starts in the documentation print; times and ports are of no account."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.docs_pages import Block, Section, apps, pages, printed_by, sections

pytestmark = pytest.mark.contract

RUNS = [
    pytest.param(section, block, id=section.place(block.line))
    for page in pages()
    for section in sections(page)
    for block in section.blocks
    if block.text.startswith("webpubsub start ") and printed_by(section, block) is not None
]
EXIT_CODE = '; echo "exit code $?"'
SECONDS = 20


@pytest.mark.parametrize(("section", "block"), RUNS)
def test_a_command_prints_what_the_page_says(section: Section, block: Block, tmp_path: Path) -> None:
    next(apps(section)).write(tmp_path)
    command = block.text.rstrip("\n")
    printed, code = run(command.removesuffix(EXIT_CODE), tmp_path)
    if command.endswith(EXIT_CODE):
        printed += f"exit code {code}\n"
    assert printed == printed_by(section, block)


def run(command: str, folder: Path) -> tuple[str, int]:
    """Run a ``webpubsub start`` until it is ready or has ended; return what it printed, and its exit code."""
    arguments = [*command.split()[1:], "--port", "0", "--service-port", "0"]
    environ = {name: text for name, text in os.environ.items() if not name.upper().startswith("WEBPUBSUB")}
    output = folder / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "webpubsub", *arguments],
            cwd=folder,
            env=environ,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while process.poll() is None and "\nReady\n" not in output.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, output.read_text(encoding="utf-8")
            time.sleep(0.02)
        printed = output.read_text(encoding="utf-8")
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return as_shown(printed), process.wait(SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def as_shown(printed: str) -> str:
    """Return output with the default ports, and without the times of log lines."""
    service = re.search(r"^Service endpoint: http://localhost:(\d+)", printed, re.MULTILINE)
    if service is not None:
        printed = printed.replace(f"localhost:{service[1]}", "localhost:8080")
    printed = re.sub(r"(?<=\] http://localhost:)\d+", "7071", printed)
    return re.sub(r"^\d\d:\d\d:\d\d ", "12:00:00 ", printed, flags=re.MULTILINE)
