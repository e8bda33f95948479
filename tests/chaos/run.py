"""One run: the service as people start it, its clients, senders and event handlers, and what disturbs them.

::

    senders ──wires──▶ webpubsub service ──▶ event handlers: one moody, one that is always well
    clients ──wires──▶
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp
import msgspec

from chaos.clients import CUT, END, NOT_RECOVERED, Member, Task
from chaos.handler import Handler, Moody, Witness, handler_of
from chaos.ledger import EVERYBODY, Book, Sender, Stay, event_faults, faults_of
from chaos.senders import LANES, RestSender, flood, send_healthily
from chaos.wires import Wire, wire_to
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import client_access
from webpubsub.service.service import NOT_RECOVERED as LATE
from webpubsub.service.service import PATIENCE_LIMIT, SLOW_CLIENT, UNACKNOWLEDGED

CALM: Final = "calm"
BURST: Final = "burst"
FLOODED: Final = "flooded"
STOPS: Final = 6.0
"""Seconds between two stops of a process, on average."""
START_SECONDS: Final = 30
RECOVERY_SECONDS: Final = 10
AWAY: Final = frozenset({CUT, LATE})
"""Why anybody may be ended."""
BEHIND: Final = frozenset(
    text.format(limit) for text in (SLOW_CLIENT, UNACKNOWLEDGED) for limit in ("", PATIENCE_LIMIT)
)
"""Why those may be to whom too much is sent."""
ROLES: Final = ["webpubsub.sendToGroup", "webpubsub.joinLeaveGroup"]


class Outcome(msgspec.Struct):
    """What a run has shown.

    Attributes:
        senders: What was sent to groups and to all.
        events: What was sent to the event handler.
        stays: What came.
        happened: How often each disturbance came.
        faults: All that is wrong.
    """

    senders: dict[str, Sender]
    events: dict[str, Sender]
    stays: list[Stay]
    happened: dict[str, int]
    faults: list[str]


def members() -> list[Member]:
    """Return one client of each kind in each place; those of a burst's and the calm ones talk, too."""
    found = []
    for place in (CALM, BURST, FLOODED):
        for dialect in ("json", "protobuf"):
            for is_reliable in (True, False):
                kind = "reliable" if is_reliable else "plain"
                talks = place == CALM or (place == BURST and (dialect == "json") != is_reliable)
                found.append(
                    Member(
                        name=f"{place}-{dialect}-{kind}",
                        url="",
                        dialect=dialect,
                        is_reliable=is_reliable,
                        groups=[CALM] if place == CALM else [CALM, place],
                        talks_to=place if talks else "",
                        in_bursts=place == BURST,
                        ack_pause=1.0 if dialect == "json" else 0.2,
                    )
                )
    return found


async def run(seed: int, seconds: float, folder: Path) -> Outcome:
    """Run for some seconds, let everybody come to rest, and look at what came."""
    happened: Counter[str] = Counter()
    witness, moody = Witness(), Moody(Random(f"{seed} moods"), happened)
    async with AsyncExitStack() as stack:
        handlers = [await stack.enter_async_context(handler_of(each.answer)) for each in (moody, witness)]
        settings = folder / "service.json"
        settings.write_text(json.dumps(_settings(*(handler.port for handler in handlers))), "utf-8")
        output = folder / "service.log"
        service, string = await stack.enter_async_context(_service(settings, output))
        chaos = Chaos(seed, happened, string, stack, handlers[0])
        book = await chaos.run(service, seconds, folder, moody)
        await _until_all_have_ended(witness)
        if service.returncode is None:
            service.terminate()
        async with asyncio.timeout(START_SECONDS):
            code = await service.wait()
        faults = list(witness.faults)
        if code:
            faults.append(f"the service ended with {code}")
        if "Traceback" in (text := output.read_text("utf-8", "replace")):
            faults.append(f"the service tells a fault of its own:\n{text[text.index('Traceback') :][:4000]}")
    for stay in book.stays:
        if stay.ended == NOT_RECOVERED:
            stay.ended = witness.ended.get(stay.connection_id, NOT_RECOVERED)
    last = {stay.receiver: stay.is_whole for stay in book.stays}
    faults += [f"{each.name} was not there at the end" for each in members() if not last.get(each.name)]
    faults += unfit_ends(book.stays)
    faults += [f"{connection} is still there" for connection in witness.still_there]
    events = {name: sender for name, sender in book.senders.items() if not sender.group}
    senders = chaos.senders | {name: sender for name, sender in book.senders.items() if sender.group}
    faults += [*faults_of(senders, book.stays), *event_faults(events, moody.heard)]
    return Outcome(senders, events, book.stays, dict(happened), faults)


def unfit_ends(stays: Iterable[Stay]) -> Iterator[str]:
    """Tell who was ended without a good reason; for the calm ones there is only that they were away."""
    for stay in stays:
        reasons = AWAY if stay.groups == [CALM] else AWAY | BEHIND
        if stay.ended and stay.ended.removeprefix("1008 ") not in reasons:
            yield f"{stay.receiver} in {stay.connection_id}: ended without a good reason: {stay.ended}"


def _settings(moody: int, witness: int) -> dict[str, Any]:
    handlers = [
        {
            "urlTemplate": f"http://127.0.0.1:{moody}/{{event}}",
            "userEventPattern": "*",
            "systemEvents": ["connect"],
        },
        {
            "urlTemplate": f"http://127.0.0.1:{witness}/{{event}}",
            "systemEvents": ["connected", "disconnected"],
        },
    ]
    return {
        "hubs": {"chaos": {"eventHandlers": handlers}},
        "retryDelaysInSeconds": [0.2, 0.5, 1],
        "reliableRecoveryWindowInSeconds": RECOVERY_SECONDS,
    }


@asynccontextmanager
async def _service(settings: Path, output: Path) -> AsyncIterator[tuple[Process, ConnectionString]]:
    """The real command in a process of its own, and how to reach it."""
    with output.open("wb") as stream:
        command = ("service", "--port", "0", "--settings", str(settings))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "webpubsub", *command, stdin=DEVNULL, stdout=PIPE, stderr=stream
        )
    assert process.stdout is not None
    try:
        string = ""
        async with asyncio.timeout(START_SECONDS):
            while not (line := (await process.stdout.readline()).decode()).startswith("Ready"):
                if not line:
                    raise RuntimeError(f"the service does not start: it ended with {await process.wait()}")
                found = re.search(r"Endpoint=\S+", line)
                string = string if found is None else found.group()
        yield process, ConnectionString.parse(string)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_all_have_ended(witness: Witness) -> None:
    """Wait for those, too, whose client never read its greeting and does not come back."""
    with suppress(TimeoutError):
        async with asyncio.timeout(RECOVERY_SECONDS + 5):
            while witness.still_there:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


class Chaos:
    """What disturbs the service, and those who disturb each other.

    Attributes:
        senders: What was sent by REST.
    """

    def __init__(
        self,
        seed: int,
        happened: Counter[str],
        service: ConnectionString,
        stack: AsyncExitStack,
        moody: Handler,
    ) -> None:
        self._seed = seed
        self._happened = happened
        self._service = service
        self._stack = stack
        self._handler = moody
        self.senders: dict[str, Sender] = {}
        self._disturbing: list[asyncio.Task[None]] = []

    async def run(self, service: Process, seconds: float, folder: Path, moody: Moody) -> Book:
        """Disturb everybody for some seconds; return what the clients say then."""
        quiet = asyncio.Event()
        found = members()
        for member in found:
            wire = await self._wire(member.name)
            here = ConnectionString.parse(f"Endpoint={self._by(wire)};AccessKey={self._key};")
            member.url = client_access(
                here, "chaos", now=time.time(), user_id=member.name, roles=ROLES, groups=member.groups
            ).url
        task = Task(self._seed, found, str(folder / "clients.msgpack"))
        clients = await self._clients()
        assert clients.stdin is not None
        clients.stdin.write(msgspec.json.encode(task) + b"\n")
        sending = await self._sending(quiet)
        self._disturb(self._handler.restart(self._dice("handler"), self._happened))
        self._disturb(self._stop_and_go_on("service", service))
        self._disturb(self._stop_and_go_on("clients", clients))
        ends = [asyncio.create_task(process.wait()) for process in (service, clients)]
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        quiet.set()
        moody.is_moody = False
        for each in self._disturbing:
            each.cancel()
        await asyncio.gather(*self._disturbing, return_exceptions=True)
        await asyncio.gather(*sending)
        await self._come_to_rest(clients)
        return msgspec.msgpack.decode(await asyncio.to_thread(Path(task.file).read_bytes), type=Book)

    async def _come_to_rest(self, clients: Process) -> None:
        assert clients.stdin is not None
        assert clients.stdout is not None
        clients.stdin.write(b"quiet\n")
        await clients.stdout.readline()
        end = RestSender(END, self._service.endpoint, self._key, Sender(EVERYBODY, []))
        async with aiohttp.ClientSession() as session:
            while clients.returncode is None:  # who was ended meanwhile hears the next one
                await end.say(session, END)
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await clients.wait()
        if clients.returncode:
            raise RuntimeError(f"the clients ended with {clients.returncode}")

    # --- who takes part -----------------------------------------------------------------------------------

    @property
    def _key(self) -> str:
        assert self._service.access_key is not None
        return self._service.access_key

    def _dice(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")

    def _by(self, wire: Wire) -> str:
        return f"http://127.0.0.1:{wire.port}"

    async def _wire(self, name: str) -> Wire:
        """Return a wire of somebody's own, which is disturbed from now on."""
        port = int(self._service.endpoint.rpartition(":")[2])
        wire = await self._stack.enter_async_context(
            wire_to(port, self._dice(f"wire of {name}"), self._happened)
        )
        self._disturb(wire.disturb())
        return wire

    def _disturb(self, deed: Coroutine[Any, Any, None]) -> None:
        self._disturbing.append(asyncio.create_task(deed))

    async def _clients(self) -> Process:
        clients = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chaos.clients", stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[1]
        )

        async def end() -> None:
            if clients.returncode is None:
                clients.kill()
                await clients.wait()

        self._stack.push_async_callback(end)
        return clients

    async def _sending(self, quiet: asyncio.Event) -> list[asyncio.Task[None]]:
        healthy = self._by(await self._wire("healthy sender"))
        turns = [self._rest("rest-group", healthy, CALM), self._rest("rest-all", healthy, EVERYBODY)]
        flooding = self._by(await self._wire("flooding sender"))
        floods = [self._rest(f"flood-{lane}", flooding, FLOODED) for lane in range(LANES)]
        return [
            asyncio.create_task(send_healthily(turns, self._dice("healthy sender"), quiet)),
            *(
                asyncio.create_task(flood(each, self._dice(f"flood {lane}"), quiet))
                for lane, each in enumerate(floods)
            ),
        ]

    def _rest(self, name: str, endpoint: str, group: str) -> RestSender:
        sender = self.senders[name] = Sender(group, [])
        return RestSender(name, endpoint, self._key, sender)

    async def _stop_and_go_on(self, name: str, process: Process) -> None:
        """Stop a process now and then for some hundred milliseconds, until cancelled."""
        dice = self._dice(f"stops of {name}")
        while True:
            await asyncio.sleep(dice.expovariate(1 / STOPS))
            self._happened[f"{name} stopped"] += 1
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(dice.uniform(0.1, 0.8))
            finally:
                os.kill(process.pid, signal.SIGCONT)
