"""Workers: started, watched, started again, told what the others tell."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.server.child import Report
from webpubsub.server.ending import LAST_SECONDS, Grace
from webpubsub.server.serving import bind
from webpubsub.server.workers import Workers, ended_how, spread


class Channel:
    """The parent's end, with a child that says what the test says."""

    def __init__(self, *lines: bytes) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        for line in lines:
            self.lines.put_nowait(line)
        self.sent: list[bytes] = []
        self.is_closed = False

    async def receive(self) -> bytes | None:
        return await self.lines.get()

    def send(self, line: bytes) -> None:
        self.sent.append(line)

    def close(self) -> None:
        self.is_closed = True


class Child:
    """A child that is ready with an overview, or ends before that."""

    def __init__(self, number: int, pid: int, code: int | None = None, told: tuple[str, ...] = ()) -> None:
        report = Report(f"worker {number}", told=told)
        self.channel = Channel(*([report.encode()] if code is None else []))
        self.pid = pid
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.is_ended = False
        if code is not None:
            self.ends(code)

    def ends(self, code: int) -> None:
        self.code.set_result(code)
        self.channel.lines.put_nowait(None)

    async def report(self) -> Report | None:
        line = await self.channel.receive()
        return None if line is None else Report.decode(line)

    async def died(self) -> int:
        return await asyncio.shield(self.code)

    async def end(self, _grace: Grace) -> None:
        self.is_ended = True


class Listener:
    """A socket that is closed while the workers of its process still run, or not at all."""

    def __init__(self, children: Mapping[int, Child]) -> None:
        self._children = children
        self.is_closed = False

    def close(self) -> None:
        assert not any(child.is_ended for child in self._children.values())
        self.is_closed = True


class Parent:
    """Workers of whom the test decides which start and how they end."""

    def __init__(self, *, count: int = 2, told: tuple[str, ...] = ()) -> None:
        self.events: list[TraceEvent] = []
        self.slept: list[float] = []
        self.started: list[tuple[int, tuple[str, ...]]] = []
        self.children: dict[int, Child] = {}
        self.codes: list[int | None] = []  # how the next ones start; None for as they should
        self.told = told
        start: Callable[..., Any] = self._start
        self.listeners = [Listener(self.children) for _ in range(count)]
        listeners: Any = self.listeners
        self.workers = Workers(start, listeners, Trace(self.events.append), self._sleep)

    async def _start(self, listener: Listener, number: int, told: tuple[str, ...]) -> Child:
        assert listener is self.listeners[number - 1]
        self.started.append((number, told))
        code = self.codes.pop(0) if self.codes else None
        self.children[number] = Child(number, 100 + len(self.started), code, self.told)
        return self.children[number]

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    @property
    def lines(self) -> list[str]:
        return [
            f"{event.phase} {event.ids['worker']} {event.detail['pid']} {event.detail.get('message', '')}"
            for event in self.events
        ]


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_first_is_ready_before_the_others_begin_and_they_do_not_repeat_its_problems() -> None:
    parent = Parent(count=3, told=("setting failed: a",))
    await parent.workers.start()
    assert parent.workers.overview() == "worker 1"
    assert parent.started == [(1, ()), (2, ("setting failed: a",)), (3, ("setting failed: a",))]


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([1], "worker 1 ended with code 1 before it was ready"),
        ([None, -9], "worker 2 was ended by SIGKILL before it was ready"),
    ],
)
async def test_a_worker_that_does_not_start_ends_the_start(codes: list[int | None], text: str) -> None:
    parent = Parent()
    parent.codes = codes
    with pytest.raises(ConfigurationError, match=f"^{text}$"):
        await parent.workers.start()


async def test_a_worker_that_ends_is_started_again_later_and_later() -> None:
    parent = Parent()
    await parent.workers.start()
    keeping = asyncio.create_task(parent.workers.keep())
    await turns()
    for code in (7, 0, -signal.SIGSEGV, 7, 7):
        child = parent.children[2]
        child.ends(code)
        await turns()
        assert child.channel.is_closed
    assert parent.slept == [1, 2, 4, 8, 8]
    assert [number for number, _ in parent.started] == [1, 2, 2, 2, 2, 2, 2]
    assert parent.lines[:4] == [
        "failed 2 102 it ended with code 7, and is started again in 1 s",
        "started 2 103 ",
        "failed 2 103 it ended with code 0, and is started again in 2 s",
        "started 2 104 ",
    ]
    assert "it was ended by SIGSEGV" in parent.lines[4]
    keeping.cancel()


async def test_a_worker_that_lived_long_is_started_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parent, loop = Parent(count=1), asyncio.get_running_loop()
    await parent.workers.start()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    keeping = asyncio.create_task(parent.workers.keep())
    await turns()
    now += 30
    parent.children[1].ends(1)
    await turns()
    assert parent.slept == [0]
    keeping.cancel()


async def test_a_worker_that_cannot_be_started_again_is_given_up() -> None:
    parent = Parent()
    await parent.workers.start()
    parent.codes = [1, 1, 1, 1, 3]
    keeping = asyncio.create_task(parent.workers.keep())
    await turns()
    parent.children[1].ends(-9)
    with pytest.raises(ConfigurationError) as given_up:
        await asyncio.wait_for(keeping, 5)
    assert str(given_up.value) == (
        "worker 1 cannot be started again: it ended with code 3 before it was ready, 5 times in a row"
    )
    assert parent.slept == [1, 2, 4, 8, 8]
    await parent.workers.stop(Grace(LAST_SECONDS))
    assert all(listener.is_closed for listener in parent.listeners)
    assert all(child.is_ended for child in parent.children.values())
    parent.children[2].ends(0)
    await turns()
    assert [number for number, _ in parent.started].count(2) == 1, "what is stopped is not started again"


async def test_what_one_worker_tells_the_others_hear() -> None:
    parent = Parent(count=3)
    await parent.workers.start()
    keeping = asyncio.create_task(parent.workers.keep())
    parent.children[2].channel.lines.put_nowait(b"keys")
    await turns()
    assert {number: child.channel.sent for number, child in parent.children.items()} == {
        1: [b"keys"],
        2: [],
        3: [b"keys"],
    }
    keeping.cancel()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "ended with code 0"),
        (7, "ended with code 7"),
        (-15, "was ended by SIGTERM"),
        (-40, "was ended by signal 40"),
    ],
)
def test_an_end_is_told_in_words(code: int, text: str) -> None:
    assert ended_how(code) == text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the workers share one socket")
def test_each_worker_has_a_socket_on_the_port_and_nobody_else_gets_it() -> None:
    listener = bind("127.0.0.1", 0, "")
    address = listener.getsockname()
    listeners = spread(listener, 3)
    try:
        assert [each.getsockname() for each in listeners] == [address] * 3
        assert len({each.fileno() for each in listeners}) == 3
        with pytest.raises(ConfigurationError, match="Address already in use"):
            bind(address[0], address[1], "")
        heard: set[int] = set()
        clients = [socket.create_connection(address) for _ in range(64)]
        for each in listeners:
            each.settimeout(5)
            connection, _ = each.accept()
            connection.close()
            heard.add(each.fileno())
        assert len(heard) == 3
        for client in clients:
            client.close()
    finally:
        for each in listeners:
            each.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the workers share one socket")
def test_a_port_that_others_share_is_taken() -> None:
    (taken,) = spread(bind("127.0.0.1", 0, ""), 1)
    host, port = taken.getsockname()
    with taken, pytest.raises(ConfigurationError, match="Address already in use"):
        bind(host, port, "")
