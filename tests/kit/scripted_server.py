"""An HTTP server that answers with bytes a test has written."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Step = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class ScriptedServer:
    """Each connection takes the next script; each request is answered by the script's next step.

    A script that is through closes its connection; a connection without a script answers `OK` forever.

    Attributes:
        connections: The requests of each connection, as they came.
        closed: Is set when a connection has ended.
    """

    def __init__(self) -> None:
        self.scripts: list[list[Step]] = []
        self.connections: list[list[bytes]] = []
        self.came = asyncio.Event()
        self.closed = asyncio.Event()
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def requests(self) -> list[bytes]:
        return [request for requests in self.connections for request in requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = iter(self.scripts.pop(0)) if self.scripts else None
        requests: list[bytes] = []
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections.append(requests)
        self.came.set()
        try:
            while (step := OK if script is None else next(script, None)) is not None:
                head = await reader.readuntil(b"\r\n\r\n")
                if callable(step):
                    requests.append(head)
                    await step(reader, writer)
                    continue
                length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
                requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
                writer.write(step)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            writer.close()
            self.closed.set()
            self._serving.discard(task)

    async def stop(self) -> None:
        """End what is still served."""
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(list(self._serving))


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of an answer."""
    writer.close()


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection instead of an answer."""
    writer.transport.abort()


async def be_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


def then_close(data: bytes) -> Step:
    """Answer with some bytes and close the connection."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return answer


@asynccontextmanager
async def scripted_server(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    made = ScriptedServer()
    server = await asyncio.start_server(made.serve, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()
