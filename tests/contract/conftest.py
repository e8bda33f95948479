"""The real commands in processes of their own, and what talks to them over sockets."""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.contract_clients import client_url
from kit.functions_worker import Worker, running_worker
from kit.worker_apps import CopyOf, WorkerOf, copies_in

EXAMPLES = Path(__file__).parents[2] / "examples"
START_SECONDS = 20
STOP_SECONDS = 20


class Command:
    """A running command; `output` is all it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], printed: Path) -> None:
        self.process = process
        self._printed = printed

    @property
    def output(self) -> str:
        return self._printed.read_text(encoding="utf-8", errors="replace")

    @property
    def connection_string(self) -> str:
        return self._found(r"^Connection string: (.*)$")

    @property
    def service_url(self) -> str:
        return self._found(r"^Service endpoint: (\S+)")

    @property
    def host_url(self) -> str:
        return self._found(r"\] (https?://[^/\s]+)/")

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.output, re.MULTILINE)
        assert found is not None, self.output
        return found.group(1)

    def wait_until_ready(self) -> None:
        self.wait_for_line("Ready")

    def wait_for_line(self, line: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while line not in self.output.splitlines():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"no line {line!r}:\n{self.output}"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as a supervisor would, and check that it ends as it should."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_SECONDS) == 0, self.output

    def check_is_alive(self) -> None:
        assert self.process.poll() is None, self.output
        self.check_is_healthy()

    def check_is_healthy(self) -> None:
        assert self.process.poll() in (None, 0), self.output
        assert "Traceback" not in self.output, self.output


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Command]:
    """Run ``webpubsub ARGUMENTS``, end it with SIGTERM, and check that nothing went wrong meanwhile."""
    printed = folder / f"output-{uuid.uuid4().hex}"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("WEBPUBSUB", "AZUREWEBJOBS", "FUNCTIONS_"))
    }
    with printed.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "webpubsub", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
    command = Command(process, printed)
    try:
        command.wait_until_ready()
        yield command
        if process.poll() is None:
            command.stop()
        command.check_is_healthy()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def running_example(folder: Path, name: str, *arguments: str) -> AbstractContextManager[Command]:
    """Run an example, from a copy so that nothing is left in it."""
    app = shutil.copytree(EXAMPLES / name, folder / name)
    return running(folder, "start", str(app), "--port", "0", "--service-port", "0", *arguments)


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> CopyOf:
    """Copy an app of `worker_apps`, so that nothing is left in it."""
    return copies_in(lambda: tmp_path_factory.mktemp("apps"))


@pytest.fixture(scope="module")
def worker_of(worker_python: str, copy_of: CopyOf) -> Iterator[WorkerOf]:
    """Start the Azure Functions worker for an app, the first time it is asked for."""

    def start(name: str, *, is_native: bool = False) -> Worker:
        return running_workers.enter_context(
            running_worker(worker_python, copy_of(name), is_native=is_native)
        )

    with ExitStack() as running_workers:
        yield functools.cache(start)


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[..., AbstractContextManager[Command]]:
    return functools.partial(running, tmp_path)


@pytest.fixture
def start_example(tmp_path: Path) -> Callable[..., AbstractContextManager[Command]]:
    return functools.partial(running_example, tmp_path)


@pytest.fixture
def chat_arguments() -> tuple[str, ...]:
    """More arguments of `chat`; tests may have their own."""
    return ()


@pytest.fixture
def chat(
    start_example: Callable[..., AbstractContextManager[Command]], chat_arguments: tuple[str, ...]
) -> Iterator[Command]:
    """The chat example, fresh for each test, as everybody in it hears everybody."""
    with start_example("simplechat", *chat_arguments) as command:
        yield command


@pytest.fixture(scope="module")
def shared_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with running_example(tmp_path_factory.mktemp("chat"), "simplechat") as command:
        yield command


@pytest.fixture(scope="module")
def service_arguments() -> tuple[str, ...]:
    """More arguments of `shared_service`; a module may have its own."""
    return ()


@pytest.fixture(scope="module")
def shared_service(
    tmp_path_factory: pytest.TempPathFactory, service_arguments: tuple[str, ...]
) -> Iterator[Command]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "service", "--port", "0", *service_arguments) as command:
        yield command


class Hub:
    """A hub of its own for each test, in a service that runs for all tests of a module."""

    _numbers = itertools.count(1)

    def __init__(self, command: Command) -> None:
        self.name = f"Hub_{next(self._numbers)}"
        self.connection_string = command.connection_string
        self.service_url = command.service_url

    def client_url(self, user_id: str | None = None, **claims: Any) -> str:
        # Hub names have no case, so clients write them in another one.
        return client_url(self.connection_string, self.name.lower(), user_id, **claims)


@pytest.fixture
def hub(shared_service: Command) -> Iterator[Hub]:
    yield Hub(shared_service)
    shared_service.check_is_alive()
