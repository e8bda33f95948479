"""How a process starts its parts, waits, and stops them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from webpubsub.server.ending import Grace
from webpubsub.server.process import Background, first, live

GRACE = Grace(3)


class Part:
    """Notes what is done to it; its start waits for ``is_let`` if there is one, and may raise."""

    def __init__(
        self, name: str, notes: list[str], *, error: Exception | None = None, let: asyncio.Event | None = None
    ) -> None:
        self._name = name
        self._notes = notes
        self._error = error
        self._let = let

    async def start(self) -> None:
        self._notes.append(f"start {self._name}")
        if self._let is not None:
            await self._let.wait()
        if self._error is not None:
            raise self._error

    async def stop(self, grace: Grace) -> None:
        assert grace is GRACE
        self._notes.append(f"stop {self._name}")


async def soon() -> None:
    await asyncio.sleep(0)


async def test_parts_stop_in_the_reverse_order_of_their_start(capsys: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    stopped = asyncio.Event()

    def ready() -> str:
        notes.append("ready")
        stopped.set()
        return "all of it\n"

    await live([Part("a", notes), None, Part("b", notes)], GRACE, stopped.wait(), ready)
    assert notes == ["start a", "start b", "ready", "stop b", "stop a"]
    assert capsys.readouterr().out == "all of it\nReady\n"


async def test_what_fails_to_start_is_stopped_with_what_started_before_it() -> None:
    notes: list[str] = []
    parts = [Part("a", notes), Part("b", notes, error=ZeroDivisionError()), Part("c", notes)]
    with pytest.raises(ZeroDivisionError):
        await live(parts, GRACE, asyncio.Event().wait(), lambda: pytest.fail("ready"))
    assert notes == ["start a", "start b", "stop b", "stop a"]


async def test_an_end_does_not_wait_for_a_start() -> None:
    notes: list[str] = []
    stopped = asyncio.Event()
    parts = [Part("a", notes), Part("b", notes, let=asyncio.Event()), Part("c", notes)]
    living = asyncio.create_task(live(parts, GRACE, stopped.wait(), lambda: pytest.fail("ready")))
    await soon()
    stopped.set()
    await asyncio.wait_for(living, 5)
    assert notes == ["start a", "start b", "stop b", "stop a"]


async def test_what_runs_until_its_end_ends_the_process() -> None:
    notes: list[str] = []
    await live([Part("a", notes)], GRACE, asyncio.Event().wait(), until=soon)
    assert notes == ["start a", "stop a"]


async def test_what_raises_ends_the_process_with_its_parts_stopped() -> None:
    notes: list[str] = []

    async def until() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await live([Part("a", notes)], GRACE, asyncio.Event().wait(), until=until)
    assert notes == ["start a", "stop a"]


@pytest.mark.parametrize("end", ["stopped", "orphaned"])
async def test_the_first_of_several_ends_is_the_end(end: str) -> None:
    ends = {name: asyncio.Event() for name in ("stopped", "orphaned")}
    watch = asyncio.create_task(first(ends["stopped"].wait(), ends["orphaned"].wait()))
    await soon()
    assert not watch.done()
    ends[end].set()
    await asyncio.wait_for(watch, 5)


async def test_an_end_that_fails_says_why_once_the_others_are_cancelled() -> None:
    notes: list[str] = []

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            notes.append("cancelled")

    async def gone() -> None:
        await soon()
        raise ZeroDivisionError("a line that cannot be read")

    with pytest.raises(ZeroDivisionError):
        await first(other(), gone())
    assert notes == ["cancelled"]


async def test_what_ended_a_task_in_the_background_is_told_at_its_stop() -> None:
    async def run() -> None:
        raise ZeroDivisionError

    background = Background(run)
    await background.stop(GRACE)  # it has not started
    await background.start()
    await soon()
    with pytest.raises(ZeroDivisionError):
        await background.stop(GRACE)


async def test_a_task_in_the_background_is_cancelled_at_its_stop() -> None:
    notes: list[str] = []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            notes.append("cancelled")

    background = Background(run)
    await background.start()
    await soon()
    await background.stop(GRACE)
    assert notes == ["cancelled"]


PATIENT = """
import asyncio
from webpubsub.server.process import run_until_stopped

class Part:
    async def start(self):
        print("ready", flush=True)

    async def stop(self, grace):
        print("stopping", flush=True)
        await asyncio.sleep(60)

run_until_stopped(Part(), seconds=30)
"""

STUBBORN = """
import asyncio, threading
from webpubsub.server.process import run_until_stopped

class Part:
    async def start(self):
        threading.Thread(target=threading.Event().wait).start()
        self.task = asyncio.create_task(self.never())
        print("ready", flush=True)

    async def never(self):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    async def stop(self, grace):
        pass

run_until_stopped(Part(), seconds=30)
"""


@contextmanager
def running(source: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert heard(process) == "ready\n"
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait_for_anything(number: signal.Signals) -> None:
    with running(PATIENT) as process:
        process.send_signal(number)
        assert heard(process) == "stopping\n"
        process.send_signal(number)
        assert process.wait(20) == -number


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_a_thread_and_a_task_that_never_end_do_not_keep_the_process_alive() -> None:
    with running(STUBBORN) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == "webpubsub: a thread or task of the app does not end; the process ends without it\n"
