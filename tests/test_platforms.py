"""Windows and macOS: what only some systems have is used where it is asked for, and the rest has another way.

Nothing here runs on those systems. The other ways run on this one as far as they can.
"""

from __future__ import annotations

import ast
import errno
import importlib.util
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import pytest

import webpubsub
from kit.platforms import Place, places
from kit.starting import start_options
from webpubsub.host.storage import files
from webpubsub.model.errors import ConfigurationError
from webpubsub.server.run import run_start
from webpubsub.server.serving import listening
from webpubsub.server.workers import spread

PACKAGE: Final = Path(webpubsub.__file__).parent
SOURCES: Final = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")
}


class Way(NamedTuple):
    """How a place is kept from a system that lacks what it uses, and what that system does."""

    is_kept: Callable[[Place], bool]
    other: str


def asked(place: Place) -> bool:
    """An ``if`` asks for the system first."""
    return place.asks_the_platform


def missing(error: str) -> Callable[[Place], bool]:
    """The lack is an error, after which it goes on."""
    return lambda place: place.is_tried(error)


def has_default(place: Place) -> bool:
    return place.has_default


def overlooked(place: Place) -> bool:
    """Windows takes modes of files and does nothing with them."""
    return place.is_a_mode


def in_a_child(place: Place) -> bool:
    """Only who has a child gets here, and those who start one ask whether they can."""
    return place.function in {"Child.start", "Inheritance.addresses", "Inheritance.end"}


_NO_CHILDREN: Final = Way(in_a_child, "--reload and --workers are refused on Windows")
_MODE: Final = Way(overlooked, "Windows: whoever may read the app's folder may read it")

WAYS: Final[dict[tuple[str, str], Way]] = {
    ("host/storage/files.py", "0o600"): _MODE,
    ("host/storage/files.py", "0o700"): _MODE,
    ("host/storage/files.py", "O_CLOEXEC"): Way(has_default, "Python's files are not inherited anyway"),
    ("host/storage/files.py", "fcntl"): Way(asked, "Windows: locks of msvcrt"),
    ("host/storage/files.py", "msvcrt"): Way(asked, "elsewhere: locks of fcntl"),
    ("server/child.py", "fileno"): _NO_CHILDREN,
    ("server/child.py", "pass_fds"): _NO_CHILDREN,
    ("server/child.py", "start_new_session"): _NO_CHILDREN,
    ("server/descriptors.py", "resource"): Way(asked, "Windows: there is no such limit"),
    ("server/serving.py", "SO_REUSEADDR"): Way(asked, "Windows: not needed, and would share the port"),
    ("server/serving.py", "SO_REUSEPORT"): Way(asked, "macOS: workers share one socket; Windows: no workers"),
    ("server/process.py", "add_signal_handler"): Way(missing("NotImplementedError"), "signal.signal"),
    ("server/process.py", "uvloop"): Way(missing("ImportError"), "the loop of asyncio"),
}


def test_the_table_has_every_place_and_no_other() -> None:
    assert {(file, place.what) for file, text in SOURCES.items() for place in places(text)} == {*WAYS}


@pytest.mark.parametrize(("file", "what"), WAYS)
def test_what_only_some_systems_have_is_kept_from_the_others(file: str, what: str) -> None:
    way = WAYS[file, what]
    kept = {place.line: way.is_kept(place) for place in places(SOURCES[file]) if place.what == what}
    assert all(kept.values()), f"{file}: {kept}"


# --- how places are found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("import os.path, resource", ["resource"]),
        ("from uvloop import new_event_loop", ["uvloop"]),
        ("from signal import SIGHUP, SIGTERM", ["SIGHUP"]),
        ("signal.SIGINT, signal.SIGTERM, signal.SIG_DFL, signal.Signals", []),
        ("signal.signal(signal.SIGUSR1, stop)", ["SIGUSR1"]),
        ("os.fork()", ["fork"]),
        ("os.getuid() or os.geteuid()", ["getuid", "geteuid"]),
        ("getattr(os, 'O_CLOEXEC', 0)", ["O_CLOEXEC"]),
        ("socket.socket(socket.AF_UNIX)", ["AF_UNIX"]),
        ("loop.add_signal_handler(number, stop)", ["add_signal_handler"]),
        ("Popen(words, pass_fds=(3,), start_new_session=True)", ["pass_fds", "start_new_session"]),
        ("open('/proc/self/status')", ["/proc/self/status"]),
        ("f'/dev/fd/{number}'", ["/dev/fd/"]),
        ("path.chmod(0o600)", ["chmod", "0o600"]),
        ("path.mkdir(mode=448)", []),
        ("client.do('pause')", []),
        ("from . import resource\nresource = 1", []),
    ],
)
def test_places_are_found_however_they_are_written(text: str, found: list[str]) -> None:
    assert sorted(place.what for place in places(text)) == sorted(found)


@pytest.mark.parametrize(
    ("text", "is_kept", "expected"),
    [
        ("os.fork()", asked, False),
        ("if sys.platform != 'win32':\n    os.fork()", asked, True),
        ("if hasattr(os, 'fork'):\n    os.fork()", asked, True),
        ("if wanted:\n    os.fork()", asked, False),
        ("try:\n    import uvloop\nexcept ImportError:\n    pass", missing("ImportError"), True),
        ("try:\n    import uvloop\nexcept KeyError:\n    pass", missing("ImportError"), False),
        ("try:\n    pass\nexcept ImportError:\n    import uvloop", missing("ImportError"), False),
        ("getattr(socket, 'SO_REUSEPORT', None)", has_default, True),
        ("getattr(socket, 'SO_REUSEPORT')", has_default, False),
        ("os.open(path, flags, 0o600)", overlooked, True),
        ("folder.mkdir(mode=0o700)", overlooked, True),
        ("os.umask(0o077)", overlooked, False),
    ],
)
def test_a_place_is_kept_by_what_stands_around_it(
    text: str, is_kept: Callable[[Place], bool], expected: bool
) -> None:
    assert {is_kept(place) for place in places(text)} == {expected}


# --- the other ways -----------------------------------------------------------------------------------


def test_whoever_starts_children_asks_first_whether_that_can_be() -> None:
    starting = sorted(file for file, text in SOURCES.items() if re.search(r"Child\.start[(,]", text))
    assert starting == ["server/reload.py", "server/run.py"]
    ways = {"ReplacedApp(": 0, "Child.start": 0}
    for function in ast.parse(SOURCES["server/run.py"]).body:
        text = ast.unparse(function)
        for way in [each for each in ways if each in text]:
            ways[way] += 1
            assert "check_can_inherit('--" in text.partition(way)[0], way
    assert set(ways.values()) == {1}


@pytest.mark.parametrize(("workers", "option"), [(None, "--reload"), (2, "--workers")])
def test_windows_refuses_an_option_that_needs_children(
    workers: int | None, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    options = start_options(tmp_path, reload=workers is None, workers=workers)
    with pytest.raises(ConfigurationError) as caught:
        run_start(options)
    assert str(caught.value) == f"{option} hands sockets to child processes, which Windows cannot do"


def test_windows_listens_without_options_that_would_share_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    address = ("127.0.0.1", 0)
    with listening(socket.AF_INET, address) as usual:
        assert usual.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    monkeypatch.setattr(sys, "platform", "win32")
    with listening(socket.AF_INET, address, is_shared=True) as listener:
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)


def test_workers_share_one_socket_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        assert spread(listener, 3) == [listener] * 3
        assert listener.fileno() >= 0


# The loop of Windows is one of asyncio, and has no signal handlers of its own.
AS_ON_WINDOWS: Final = """
import asyncio, sys
sys.modules["uvloop"] = None
asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler
from webpubsub.server.process import run_until_stopped

class Part:
    async def start(self):
        print(type(asyncio.get_running_loop()).__module__.partition(".")[0], flush=True)

    async def stop(self, grace):
        print("stopping", flush=True)

run_until_stopped(Part(), seconds=30)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_without_uvloop_and_signals_of_the_loop_stops_when_told(number: signal.Signals) -> None:
    words = [sys.executable, "-c", AS_ON_WINDOWS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "asyncio\n"
            process.send_signal(number)
            assert process.communicate(timeout=20) == ("stopping\n", "")
        finally:
            process.kill()
    assert process.returncode == 0


class LocksOfWindows(ModuleType):
    """``msvcrt``, of which a lock that somebody has is a `PermissionError`."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.locked: list[tuple[int, int]] = []

    def locking(self, _descriptor: int, mode: int, count: int) -> None:
        if self.locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        self.locked.append((mode, count))


async def test_windows_locks_the_first_byte_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = LocksOfWindows()
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    spec = importlib.util.spec_from_file_location("files_of_windows", files.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", "win32")
        spec.loader.exec_module(module)
    mine = module.FileLock.take(tmp_path / "lock")
    assert windows.locked == [(windows.LK_NBLCK, 1)]
    assert module.FileLock.take(tmp_path / "lock") is None
    await mine.release()
