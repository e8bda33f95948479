"""``webpubsub start --reload``: a fresh host after each change, while the clients stay connected.

The service runs here; the host runs in a child process that is replaced. Both share the host's
listening socket, so a request that comes between two children waits in its queue and none is refused.
Over a channel the child tells which events it takes once it is ready; the channel's end tells each side
that the other is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from webpubsub.cli.addresses import Addresses
from webpubsub.cli.embedded import EmbeddedService
from webpubsub.cli.ending import LAST_SECONDS, Grace
from webpubsub.cli.logs import start_logging
from webpubsub.cli.options import StartOptions
from webpubsub.cli.serving import announce_ready, run_until_stopped
from webpubsub.cli.start import GRACE, described, follow_hubs, load_host, registered_hubs, serving
from webpubsub.host.storage.app_storage import FOLDER
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.service.settings import HubSettings
from webpubsub.service.settings_file import decode_hub_settings, encode_hub_settings

if TYPE_CHECKING:
    from watchfiles import PythonFilter

__all__ = ["SUPERVISED", "run_reload", "run_supervised", "watch_filter"]

SUPERVISED: Final = "WEBPUBSUB_SUPERVISED"  # the environment variable with a child's inheritance
STARTS_AGAIN: Final = "a change of its files starts it again"
WATCHED: Final = (".py", ".json", ".html")


class _Inheritance(msgspec.Struct):
    """What a child gets: file descriptors of the socket and the channel, and what to show."""

    listener: int
    channel: int
    url: str
    connection: str | None
    is_embedded: bool


class _Child:
    """A host in a process of its own."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer  # held, as its end would end the child

    @classmethod
    async def start(cls, addresses: Addresses) -> Self:
        ours, theirs = socket.socketpair()
        inheritance = _Inheritance(
            listener=addresses.listener.fileno(),
            channel=theirs.fileno(),
            url=addresses.url,
            connection=None if addresses.connection is None else str(addresses.connection),
            is_embedded=addresses.service_listener is not None,
        )
        environ = dict(os.environ)
        addresses.export(environ)
        environ[SUPERVISED] = msgspec.json.encode(inheritance).decode()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "webpubsub", *sys.argv[1:]),
            env=environ,
            pass_fds=(inheritance.listener, inheritance.channel),
            start_new_session=True,  # Ctrl-C is for this process, which ends the child in its turn
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def report(self) -> dict[HubName, HubSettings] | None:
        """Return which events the app takes, once it runs or they changed; None when it has ended."""
        line = await self._reader.readline()
        return decode_hub_settings(line) if line.endswith(b"\n") else None

    async def died(self) -> int:
        """Return the exit code once the child has ended, asked to or not."""
        return await self._process.wait()

    async def end(self, grace: Grace) -> None:
        """Let running functions finish in time, then end."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace.left())
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._writer.close()


def run_reload(options: StartOptions) -> None:
    """Run the app until it is told to stop, and start it anew when its files change.

    Raises:
        ConfigurationError: The settings are wrong, a port cannot be had, or this is Windows.
    """
    if sys.platform == "win32":
        raise ConfigurationError("--reload hands sockets to child processes, which Windows cannot do")
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    service: EmbeddedService | None = None
    if addresses.service_listener is not None:
        service = EmbeddedService(addresses.service_settings({}), addresses.service_listener, trace)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        if service is not None:
            await service.start()
        ended = asyncio.ensure_future(stopped())
        while not ended.done():
            changed = asyncio.ensure_future(_change(options.app_dir))
            child = await _Child.start(addresses)
            started = asyncio.ensure_future(child.report())
            died = asyncio.ensure_future(child.died())
            # Neither Ctrl-C nor a change has to wait for an app that takes its time to be imported.
            await asyncio.wait({ended, changed, started}, return_when=asyncio.FIRST_COMPLETED)
            hubs = started.result() if started.done() else None
            if hubs is None and started.done():
                sys.stderr.write(f"webpubsub: the app did not start; {STARTS_AGAIN}\n")
            elif hubs is not None:
                following = asyncio.ensure_future(_follow(child, hubs, service))
                await asyncio.wait({ended, changed, died}, return_when=asyncio.FIRST_COMPLETED)
                if died.done():
                    sys.stderr.write(f"webpubsub: the app ended with code {died.result()}; {STARTS_AGAIN}\n")
                following.cancel()
            await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
            for task in (started, changed, died):
                task.cancel()
            grace = Grace(GRACE + LAST_SECONDS)
            if ended.done() and service is not None:
                await service.stop(grace)
            await child.end(grace)

    run_until_stopped(main)


async def _follow(
    child: _Child, hubs: dict[HubName, HubSettings] | None, service: EmbeddedService | None
) -> None:
    """Send events as the child says, and as it says later when the key of its webhook has changed."""
    while hubs is not None:
        if service is not None:
            service.use_hubs(hubs)
        hubs = await child.report()


def _report(hubs: dict[HubName, HubSettings], writer: asyncio.StreamWriter) -> None:
    writer.write(encode_hub_settings(hubs) + b"\n")


async def _change(folder: Path) -> None:
    """Return when a file of the app changed."""
    from watchfiles import awatch

    async for _ in awatch(folder, watch_filter=watch_filter()):
        return


def watch_filter() -> PythonFilter:
    """Return what tells the app's own files from all others; what the host itself keeps is none of them."""
    from watchfiles import PythonFilter

    class AppFilter(PythonFilter):
        ignore_dirs = (*PythonFilter.ignore_dirs, FOLDER)

    return AppFilter(extra_extensions=WATCHED)


def run_supervised(options: StartOptions, inheritance: str) -> None:
    """Run the app as the child of `run_reload`.

    Raises:
        ConfigurationError: See `load_host`.
    """
    found = msgspec.json.decode(inheritance, type=_Inheritance)
    connection = None if found.connection is None else ConnectionString.parse(found.connection)
    addresses = Addresses(found.url, socket.socket(fileno=found.listener), connection)
    channel = socket.socket(fileno=found.channel)
    trace = start_logging(options.log_format, verbose=options.verbose)
    host = load_host(options, addresses, trace)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        reader, writer = await asyncio.open_connection(sock=channel)
        async with serving(host, addresses.listener, Grace(GRACE)):
            follow_hubs(lambda: _report(registered_hubs(options, host, addresses), writer), host)
            announce_ready(described(options, host, addresses, is_embedded=found.is_embedded))
            endings = {asyncio.ensure_future(stopped()), asyncio.ensure_future(reader.read())}
            _, waiting = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        writer.close()

    run_until_stopped(main)
