"""The clients, in a process of their own, which can be stopped like any other: ``python -m chaos.clients``.

It reads a `Task` and, later, ``quiet`` as lines. It answers ``quiet`` when everybody is connected and knows
what became of all it sent, and ends when everybody has got the end of the run; what came is in the task's
file then.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chaos.dialects import DIALECTS, Ack, Dialect, Got, Greeting
from chaos.ledger import Book, Sender, Stay
from chaos.senders import size_of

END: Final = "end"
WINDOW: Final = 400
"""Messages of a client that may be without an ack: fewer than the acks that the service remembers."""
PAUSE: Final = 0.05
"""Seconds between two looks at whether everybody has settled."""
QUIET_SECONDS: Final = 45
"""In which everybody must have come to rest."""
CUT: Final = "its wire was cut"
NOT_RECOVERED: Final = "it was not recovered"
_NOT_NOW: Final = (OSError, InvalidHandshake, TimeoutError, EOFError, ConnectionClosed)


class Member(msgspec.Struct):
    """A client.

    Attributes:
        name: Its name, and its dice's.
        url: By its wire, with a token.
        dialect: The name of one of `DIALECTS`.
        is_reliable: Whether it comes back.
        groups: Those its token puts it in.
        talks_to: The group it sends to, or none.
        in_bursts: Whether it does so as fast as it can, for a while.
        ack_pause: Seconds between its sequence acks.
    """

    name: str
    url: str
    dialect: str
    is_reliable: bool
    groups: list[str]
    talks_to: str = ""
    in_bursts: bool = False
    ack_pause: float = 1.0


class Task(msgspec.Struct):
    """What the process is to do."""

    seed: int
    members: list[Member]
    file: str


class Client:
    """A client in its stays.

    Args:
        member: What it is like.
        rng: Its dice.
        book: Where it writes down what it sends and gets.
        quiet: Ends what it says.
    """

    def __init__(self, member: Member, rng: Random, book: Book, quiet: asyncio.Event) -> None:
        self._member = member
        self._dialect: Dialect = DIALECTS[member.dialect]
        self._protocol: Any = self._dialect.subprotocol(member.is_reliable)
        self._rng = rng
        self._book = book
        self._quiet = quiet
        self._writing = asyncio.Lock()  # whoever comes back first says again what got no ack
        self._moved = asyncio.Event()  # set at each ack
        self._socket: ClientConnection | None = None
        self._stays = 0
        self._last_ack_id = 0
        self._pending: dict[int, tuple[Sender, int, str | bytes]] = {}
        self._events: dict[int, str] = {}  # by the ack ids of those that are pending, the text
        self._said_again: set[int] = set()  # whoever asks twice may be answered twice
        self._replies: set[str] = set()
        self._sequence_id = 0
        self._greeting = Greeting("", "")

    @property
    def is_settled(self) -> bool:
        return self._socket is not None and not self._pending

    async def run(self) -> None:
        """Be there until the end of the run."""
        while True:
            socket, greeting = await self._arrive(self._member.url)
            stay = Stay(
                self._member.name,
                self._member.groups,
                greeting.connection_id,
                time.monotonic(),
                {},
                faults=[],
            )
            self._book.stays.append(stay)
            self._greeting = greeting
            self._stays += 1
            self._last_ack_id = self._sequence_id = 0
            self._pending, self._events, self._replies, self._said_again = {}, {}, set(), set()
            with_it = [asyncio.create_task(each) for each in self._deeds(stay)]
            try:
                await self._stay(stay, socket)
            finally:
                self._socket = None
                for task in with_it:
                    task.cancel()
                await asyncio.gather(*with_it, return_exceptions=True)
            if stay.is_whole:
                return

    async def _arrive(self, url: str) -> tuple[ClientConnection, Greeting]:
        """Connect as soon as it goes; a recovery that is refused is greeted with nothing."""
        while True:
            with suppress(*_NOT_NOW):
                socket = await connect(
                    url,
                    subprotocols=[self._protocol],
                    compression=None,
                    ping_interval=None,
                    max_size=None,
                    close_timeout=1,
                    open_timeout=5,
                )
                try:
                    async with asyncio.timeout(5):
                        greeting = self._dialect.read(await socket.recv())
                    assert isinstance(greeting, Greeting), greeting
                    return socket, greeting
                except BaseException as error:
                    socket.transport.abort()
                    if url != self._member.url and _told(error).startswith("1008 "):
                        return socket, Greeting("", "")
                    raise
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))

    async def _stay(self, stay: Stay, socket: ClientConnection) -> None:
        while True:
            reading = asyncio.create_task(self._read(stay, socket))
            with suppress(ConnectionClosed):  # the reader hears of it, too
                async with self._writing:
                    self._socket = socket
                    self._said_again.update(self._pending)
                    for _, _, frame in list(self._pending.values()):
                        await socket.send(frame)
            closed = await reading
            if stay.is_whole:
                return
            async with self._writing:
                self._socket = None
            stay.ended = _told(closed)
            if stay.ended:
                return
            if not self._member.is_reliable:
                stay.ended = CUT
                return
            socket, greeting = await self._arrive(self._way_back)
            if greeting.connection_id != stay.connection_id:
                stay.ended = NOT_RECOVERED
                return
            self._greeting = greeting
            stay.recoveries += 1

    @property
    def _way_back(self) -> str:
        base = self._member.url.partition("?")[0]
        found = self._greeting
        return f"{base}?awps_connection_id={found.connection_id}&awps_reconnection_token={found.token}"

    # --- what it hears ------------------------------------------------------------------------------------

    async def _read(self, stay: Stay, socket: ClientConnection) -> ConnectionClosed | None:
        """Take what comes until the connection is closed, or the run is over."""
        try:
            while True:
                heard = self._dialect.read(await socket.recv())
                if isinstance(heard, Got):
                    self._take(stay, heard)
                    if stay.is_whole:
                        await socket.close()
                        return None
                elif isinstance(heard, Ack):
                    self._hear(stay, heard)
        except ConnectionClosed as closed:
            return closed

    def _take(self, stay: Stay, got: Got) -> None:
        if self._member.is_reliable:
            if got.sequence_id <= self._sequence_id:
                return  # sent again, as the ack was lost
            if got.sequence_id != self._sequence_id + 1:
                stay.faults.append(f"sequence id {got.sequence_id} came behind {self._sequence_id}")
            self._sequence_id = got.sequence_id
        if got.data == END:
            stay.is_whole = True
        elif got.data.startswith("reply "):
            text = got.data.removeprefix("reply ")
            if text in self._replies:
                stay.faults.append(f"the reply to {text} came twice")
            self._replies.add(text)
        else:
            sender, number, _ = got.data.split(" ", 2)
            stay.got.setdefault(sender, []).append(int(number))

    def _hear(self, stay: Stay, ack: Ack) -> None:
        pending = self._pending.pop(ack.ack_id, None)
        text = self._events.pop(ack.ack_id, None)
        if pending is None:
            if ack.ack_id not in self._said_again:
                stay.faults.append(f"an ack came twice: {ack.ack_id}")
            return
        sender, number, _ = pending
        if ack.done:
            sender.letters[number].accepted_at = time.monotonic()
            if text is not None and text not in self._replies:
                stay.faults.append(f"the ack of event {text} came without its reply")
        self._moved.set()

    # --- what it says -------------------------------------------------------------------------------------

    def _deeds(self, stay: Stay) -> list[Coroutine[Any, Any, None]]:
        deeds = []
        if self._member.is_reliable:
            deeds.append(self._acknowledge())
        if self._member.talks_to:
            name = f"{self._member.name}/{self._stays}"
            messages = self._book.senders[name] = Sender(self._member.talks_to, [])
            events = self._book.senders[f"{name}/event"] = Sender("", [])
            deeds.append(self._talk(name, messages, events))
        return deeds

    async def _acknowledge(self) -> None:
        """Say what has come now and then, as Microsoft's clients do."""
        said = 0
        while True:
            await asyncio.sleep(self._member.ack_pause)
            if self._sequence_id != said:
                said = self._sequence_id
                await self._write(self._dialect.sequence_ack(said))

    async def _talk(self, name: str, messages: Sender, events: Sender) -> None:
        rng, in_bursts = self._rng, self._member.in_bursts
        share = 0.001 if in_bursts else 0.2  # of events
        while not self._quiet.is_set():
            await asyncio.sleep(rng.uniform(1, 6) if in_bursts else rng.uniform(0.02, 0.2))
            for _ in range(rng.randint(500, 2000) if in_bursts else 1):
                if self._quiet.is_set():
                    break
                if rng.random() < share:
                    number = events.send(time.monotonic())
                    await self._say(events, number, f"{name}/event {number}")
                else:
                    number = messages.send(time.monotonic())
                    await self._say(messages, number, f"{name} {number} {'x' * size_of(rng)}")

    async def _say(self, sender: Sender, number: int, text: str) -> None:
        """Say something that is to get an ack, as soon as few others wait for theirs."""
        while len(self._pending) >= WINDOW:
            self._moved.clear()
            await self._moved.wait()
        self._last_ack_id += 1
        ack_id = self._last_ack_id
        if sender.group:
            frame = self._dialect.send_to_group(sender.group, text, ack_id)
        else:
            frame = self._dialect.event(text, ack_id)
            self._events[ack_id] = text
        async with self._writing:
            self._pending[ack_id] = (sender, number, frame)
            await self._send(frame)

    async def _write(self, frame: str | bytes) -> None:
        async with self._writing:
            await self._send(frame)

    async def _send(self, frame: str | bytes) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(frame)


def _told(error: BaseException | None) -> str:
    """Return with which code and reason either side has ended a connection; a wire does it without."""
    said = (error.rcvd or error.sent) if isinstance(error, ConnectionClosed) else None
    return "" if said is None else f"{said.code} {said.reason}"


async def main() -> None:
    """Do what the process is told."""
    reader = asyncio.StreamReader(limit=1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    task = msgspec.json.decode(await reader.readline(), type=Task)
    book, quiet = Book({}, []), asyncio.Event()
    clients = [Client(member, Random(f"{task.seed} {member.name}"), book, quiet) for member in task.members]
    with suppress(TimeoutError):  # who was not there at the end is seen in the book
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as running:
            for client in clients:
                running.create_task(client.run())
            await reader.readline()
            quiet.set()
            limit.reschedule(asyncio.get_running_loop().time() + QUIET_SECONDS)
            while not all(client.is_settled for client in clients):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(PAUSE)
            sys.stdout.write("quiet\n")
            sys.stdout.flush()
    await asyncio.to_thread(Path(task.file).write_bytes, msgspec.msgpack.encode(book))


if __name__ == "__main__":
    asyncio.run(main())
