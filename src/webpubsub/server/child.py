"""The app in a process of its own, under the eyes of the process that started it.

The child inherits a listening socket, which its parent keeps open, and one end of a channel, whose end tells
each side that the other is gone. A child reports when it is ready, and again when its keys have changed; from
its parent it hears, by a line of whatever content, that another child's have.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import Final, Self

import msgspec

from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.server.addresses import Addresses
from webpubsub.server.ending import Grace
from webpubsub.service.settings import HubSettings

SUPERVISED: Final = "WEBPUBSUB_SUPERVISED"  # the environment variable with a child's inheritance
MAX_LINE_BYTES: Final = 16 * 1024 * 1024


class Inheritance(msgspec.Struct, frozen=True):
    """What a child gets.

    Attributes:
        listener: File descriptor of the socket it serves.
        channel: File descriptor of its end of the channel.
        url: See `Addresses`.
        connection: See `Addresses`.
        is_embedded: See `Addresses`.
        worker: Its number, from 1 on, when it is one of several; else 0.
        told: Problems of the app that somebody has told before.
    """

    listener: int
    channel: int
    url: str
    connection: str | None
    is_embedded: bool
    worker: int = 0
    told: tuple[str, ...] = ()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `Child.start` wrote."""
        return msgspec.json.decode(text, type=cls)

    @property
    def addresses(self) -> Addresses:
        """Where the child listens."""
        connection = None if self.connection is None else ConnectionString.parse(self.connection)
        return Addresses(self.url, socket.socket(fileno=self.listener), connection, self.is_embedded)

    @property
    def end(self) -> socket.socket:
        """The child's end of the channel."""
        return socket.socket(fileno=self.channel)


class Report(msgspec.Struct, frozen=True):
    """What a child tells that is ready, or whose keys have changed.

    Attributes:
        overview: What people see of it.
        hubs: Where the service sends events.
        told: Problems of the app, those told before it included.
    """

    overview: str
    hubs: dict[HubName, HubSettings] = {}
    told: tuple[str, ...] = ()

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Read what `encode` wrote."""
        return msgspec.json.decode(line, type=cls)

    def encode(self) -> bytes:
        """Return it on one line."""
        return msgspec.json.encode(self)


class Channel:
    """One end of the channel between a child and its parent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Use one end of a socket pair."""
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_LINE_BYTES))

    def send(self, line: bytes) -> None:
        """Send a line, which has no line end in it; to nobody when the other side is gone."""
        self._writer.write(line + b"\n")

    async def receive(self) -> bytes | None:
        """Return the next line; None when the other side is gone."""
        line = await self._reader.readline()
        return line[:-1] if line.endswith(b"\n") else None

    def close(self) -> None:
        """Tell the other side that this one is gone."""
        self._writer.close()


class Child:
    """The parent's hold on a child.

    Attributes:
        channel: To it.
    """

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self._process = process
        self._is_told = False
        self.channel = channel

    @classmethod
    async def start(
        cls,
        addresses: Addresses,
        listener: socket.socket | None = None,
        worker: int = 0,
        told: tuple[str, ...] = (),
    ) -> Self:
        """Start the command of this process again, with an inheritance.

        Args:
            addresses: Where it listens.
            listener: Another socket than that of ``addresses``.
            worker: See `Inheritance`.
            told: See `Inheritance`.
        """
        ours, theirs = socket.socketpair()
        inheritance = Inheritance(
            listener=(listener or addresses.listener).fileno(),
            channel=theirs.fileno(),
            url=addresses.url,
            connection=None if addresses.connection is None else str(addresses.connection),
            is_embedded=addresses.is_embedded,
            worker=worker,
            told=told,
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
        return cls(process, await Channel.open(ours))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def report(self) -> Report | None:
        """Return what it tells next; None when it has ended."""
        line = await self.channel.receive()
        return None if line is None else Report.decode(line)

    async def died(self) -> int:
        """Return the exit code once the child has ended, asked to or not."""
        return await self._process.wait()

    async def end(self, grace: Grace) -> None:
        """Let running functions finish in time, then end."""
        if self._process.returncode is None and not self._is_told:
            self._is_told = True  # another signal would have it wait for nothing
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace.left())
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self.channel.close()


def check_can_inherit(option: str) -> None:
    """Refuse what needs children on a platform without them.

    Raises:
        ConfigurationError: This is Windows.
    """
    if sys.platform == "win32":
        raise ConfigurationError(f"{option} hands sockets to child processes, which Windows cannot do")
