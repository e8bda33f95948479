"""File descriptors: the limit is raised, and running out is told."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys

import pytest

from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.server.descriptors import Descriptors, raise_limit
from webpubsub.server.ending import Grace

OUT = (
    "all 1024 file descriptors of this process are in use, and each connection is one: more connections are "
    "refused, and files cannot be opened. Allow it more before it starts: by 'ulimit -n', LimitNOFILE= of "
    "systemd, or --ulimit nofile= of docker"
)


class Short:
    """A process that has no descriptor left, while the test says so."""

    def __init__(self, limit: int | None = 1024) -> None:
        self.error: int | None = errno.EMFILE
        self.now = 100.0
        self.events: list[TraceEvent] = []
        self.descriptors = Descriptors(
            limit, Trace(self.events.append), clock=lambda: self.now, take=self.take
        )

    def take(self) -> int:
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return os.open(os.devnull, os.O_RDONLY)

    @property
    def told(self) -> list[str]:
        return [event.detail["message"] for event in self.events]


def test_running_out_is_told_once_a_minute_with_the_number_and_the_cure() -> None:
    short = Short()
    for seconds in range(130):
        short.now = 100.0 + seconds
        short.descriptors.look()
    assert short.told == [OUT] * 3


@pytest.mark.parametrize("error", [None, errno.EACCES])
def test_whatever_else_is_wrong_is_not_that(error: int | None) -> None:
    short = Short()
    short.error = error
    short.descriptors.look()
    assert short.told == []


def test_where_the_limit_is_not_known_it_is_told_without() -> None:
    short = Short(None)
    short.error = errno.ENFILE
    short.descriptors.look()
    assert short.told[0].startswith("all file descriptors of this process are in use")


async def test_connections_that_cannot_be_accepted_are_told_as_that_and_other_faults_as_ever() -> None:
    short = Short()
    short.error = None
    loop = asyncio.get_running_loop()
    await short.descriptors.start()
    others: list[dict[str, object]] = []
    loop.default_exception_handler = others.append  # type: ignore[method-assign, assignment]
    context = {"message": "socket.accept() out of system resource", "exception": OSError(errno.EMFILE, "")}
    for _ in range(3):
        loop.call_exception_handler(context)
    fault = {"message": "a fault", "exception": LookupError("x")}
    loop.call_exception_handler(fault)
    await short.descriptors.stop(Grace(1))
    assert (short.told, others) == ([OUT], [fault])


SCRIPT = """
import resource
from webpubsub.server.descriptors import raise_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
found = raise_limit()
assert found == hard and resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard), (found, hard)
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=30)


def test_a_limit_that_the_system_does_not_give_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 256


def test_windows_has_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert raise_limit() is None
