"""A wire between clients and a server that a test can cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, TypeVar


class CutWire:
    """Passes bytes on until it is cut; while it is down, whoever calls is hung up on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._is_down = False
        self.port = 0

    def cut(self) -> None:
        """Break every connection without a goodbye, and let nobody through."""
        self._is_down = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._is_down = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._ends.add(target)
            task = asyncio.create_task(self._pass(source, target))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()
        self._ends.discard(target)

    async def finish(self) -> None:
        self.cut()
        if self._passing:
            await asyncio.wait(self._passing)


class Wire(Protocol):
    """What stands between clients and a server.

    Attributes:
        port: Where clients connect.
    """

    port: int

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        ...

    async def finish(self) -> None:
        """End all that goes on."""
        ...


_Wire = TypeVar("_Wire", bound=Wire)


def cut_wire(port: int) -> AbstractAsyncContextManager[CutWire]:
    """A wire to a port of this machine."""
    return stretched(CutWire(port))


@asynccontextmanager
async def stretched(wire: _Wire) -> AsyncIterator[_Wire]:
    """Let clients connect by a wire, on a port of its own."""
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.finish()
        await server.wait_closed()
