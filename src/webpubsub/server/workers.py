"""``webpubsub start --workers N``: the app in several processes on one port, each with the whole host.

This process runs none of the app. It binds the port, starts the workers, starts those again that end, and
stops them. On Linux each worker has a socket of its own, among which the kernel spreads connections
(``SO_REUSEPORT``); elsewhere that option does not spread them, and all share one socket. The sockets stay
open here, so the connections of a worker that has ended wait for the next one.

The first worker starts before the others: it makes the app's keys, and tells what is wrong with the app.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from webpubsub.host.keys.access import Access
from webpubsub.model.errors import ConfigurationError, OptionError, WebPubSubError
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.observe.logs import start_logging, telling_once
from webpubsub.server.addresses import Addresses
from webpubsub.server.child import Channel, Child, Inheritance, check_can_inherit, stopped_or_orphaned
from webpubsub.server.ending import LAST_SECONDS, Grace
from webpubsub.server.options import StartOptions
from webpubsub.server.run import GRACE, described, load_host, serving
from webpubsub.server.serving import announce_ready, listening, run_until_stopped

ATTEMPTS: Final = 5  # to start a worker again, in a row
LONGEST_DELAY: Final = 8.0
LONG_LIFE: Final = 30.0  # seconds after which an end is no sequel of the last one

_KEYS_CHANGED: Final = b"keys"
_NEEDS_OTHER_SERVICE: Final = (
    "the service would run inside this process, where its clients and groups are, and several workers need "
    "one for all of them: start with --no-service, or set WebPubSubConnectionString to the connection string "
    "of a service elsewhere"
)


class _Report(msgspec.Struct, frozen=True):
    """What a worker that is ready tells.

    Attributes:
        overview: What people see of it.
        told: Problems of the app, those told before it included.
    """

    overview: str
    told: tuple[str, ...] = ()


class Workers:
    """Hosts in processes of their own.

    Args:
        start: Starts worker number so-and-so, after which problems were told.
        count: How many there are.
        trace: Is told of those that end.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        start: Callable[[int, tuple[str, ...]], Awaitable[Child]],
        count: int,
        trace: Trace,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._start_child = start
        self._count = count
        self._trace = trace
        self._sleep = sleep
        self._told: tuple[str, ...] = ()
        self._children: dict[int, Child] = {}

    async def start(self) -> str:
        """Start all; return what to show once every one is ready.

        Raises:
            ConfigurationError: One cannot be started; it has told why.
        """
        first = await self._begin(1)
        await asyncio.gather(*(self._begin(number) for number in range(2, self._count + 1)))
        return first.overview

    async def keep(self) -> None:
        """Start those again that end, until cancelled.

        Raises:
            ConfigurationError: One ends each time before it is ready.
        """
        keeping = [asyncio.ensure_future(self._keep(number)) for number in self._children]
        try:
            await asyncio.gather(*keeping)
        finally:
            for each in keeping:  # when one gives up, nobody starts again what is then stopped
                each.cancel()

    async def end(self, grace: Grace) -> None:
        """Let the functions of all finish in time, then end."""
        await asyncio.gather(*(child.end(grace) for child in self._children.values()))

    async def _begin(self, number: int) -> _Report:
        report = await self._try(number)
        if report is None:
            how = ended_how(await self._children[number].died())
            raise ConfigurationError(f"worker {number} {how} before it was ready")
        return report

    async def _try(self, number: int) -> _Report | None:
        """Start a worker; return None if it ends before it is ready."""
        child = self._children[number] = await self._start_child(number, self._told)
        line = await child.channel.receive()
        if line is None:
            return None
        report = msgspec.json.decode(line, type=_Report)
        self._told = tuple(dict.fromkeys((*self._told, *report.told)))
        return report

    async def _keep(self, number: int) -> None:
        now = asyncio.get_running_loop().time
        delay = 0.0
        while True:
            began = now()
            relaying = asyncio.create_task(self._relay(number))
            try:
                code = await self._children[number].died()
            finally:
                relaying.cancel()
            delay = 0.0 if now() - began >= LONG_LIFE else _longer(delay)
            delay = await self._start_again(number, code, delay)

    async def _relay(self, number: int) -> None:
        """Tell the others what a worker tells: that keys have changed."""
        while (line := await self._children[number].channel.receive()) is not None:
            for other, child in self._children.items():
                if other != number:
                    child.channel.send(line)

    async def _start_again(self, number: int, code: int, delay: float) -> float:
        """Start a worker that has ended; return how long that was waited for."""
        for _ in range(ATTEMPTS):
            self._children[number].channel.close()
            self._tell(Phase.FAILED, number, f"it {ended_how(code)}, and is started again in {delay:.0f} s")
            await self._sleep(delay)
            if await self._try(number) is not None:
                self._tell(Phase.STARTED, number)
                return delay
            code = await self._children[number].died()
            delay = _longer(delay)
        how = f"{ended_how(code)} before it was ready, {ATTEMPTS} times in a row"
        raise ConfigurationError(f"worker {number} cannot be started again: it {how}")

    def _tell(self, phase: Phase, number: int, message: str | None = None) -> None:
        detail = {"pid": self._children[number].pid} | ({} if message is None else {"message": message})
        self._trace.tell(Name.WORKER, phase, {"worker": str(number)}, detail)


def _longer(delay: float) -> float:
    return min(2 * delay or 1.0, LONGEST_DELAY)


def ended_how(code: int) -> str:
    """Return how a process ended, by its exit code."""
    if code >= 0:
        return f"ended with code {code}"
    is_named = -code in set(signal.Signals)  # of real-time signals, most have no name
    return f"was ended by {signal.Signals(-code).name if is_named else f'signal {-code}'}"


def spread(listener: socket.socket, count: int) -> Sequence[socket.socket]:
    """Return a listening socket for each worker, in place of ``listener``, at its address.

    Raises:
        ConfigurationError: Somebody else took the port just now.
    """
    if sys.platform != "linux":
        return [listener] * count
    # The port was had alone: no other command, which might share it, is there.
    family, address = listener.family, listener.getsockname()
    listener.close()
    try:
        return [listening(family, address, is_shared=True) for _ in range(count)]
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}") from error


def run_workers(options: StartOptions, count: int) -> None:
    """Run the app in ``count`` processes until told to stop.

    Raises:
        OptionError: The service would be embedded.
        ConfigurationError: The app or its settings are wrong, a port cannot be had, a worker cannot be
            started (again), or this is Windows.
    """
    check_can_inherit("--workers")
    if Addresses.embeds_service(options):
        raise OptionError("--workers", _NEEDS_OTHER_SERVICE)
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    listeners = spread(addresses.listener, count)

    async def start(number: int, told: tuple[str, ...]) -> Child:
        return await Child.start(addresses, listener=listeners[number - 1], worker=number, told=told)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        workers = Workers(start, count, trace)
        ended, running = asyncio.ensure_future(stopped()), asyncio.ensure_future(_run(workers))
        await asyncio.wait({ended, running}, return_when=asyncio.FIRST_COMPLETED)
        for task in ended, running:
            task.cancel()
        for listener in listeners:
            listener.close()  # else connections would go on waiting here
        await workers.end(Grace(GRACE + LAST_SECONDS))
        await asyncio.gather(ended, running, return_exceptions=True)
        if not running.cancelled():
            running.result()

    run_until_stopped(main)


async def _run(workers: Workers) -> None:
    announce_ready(await workers.start())
    await workers.keep()


def run_worker(options: StartOptions, inheritance: str) -> None:
    """Run the app as a child of `run_workers`.

    Raises:
        ConfigurationError: See `load_host`.
    """
    found = Inheritance.decode(inheritance)
    addresses = found.addresses
    trace = start_logging(options.log_format, verbose=options.verbose, worker=found.worker)
    with telling_once(found.told) as told:
        host = load_host(options, addresses, trace)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        channel = await found.open()
        async with serving(host, addresses.listener, Grace(GRACE), options.tls):
            overview = described(options, host, addresses, is_embedded=False)
            channel.send(msgspec.json.encode(_Report(overview, tuple(told))))
            await stopped_or_orphaned(stopped, _share_keys(channel, host.access, trace))
        channel.close()

    run_until_stopped(main)


async def _share_keys(channel: Channel, access: Access | None, trace: Trace) -> None:
    """Tell the others when keys change here, and use what changed there, until the parent is gone."""
    if access is not None:
        access.on_change = lambda: channel.send(_KEYS_CHANGED)
    while await channel.receive() is not None:
        try:
            if access is not None:
                await access.reload()
        except WebPubSubError as error:
            trace.tell(Name.STORAGE, Phase.FAILED, {}, {"message": "keys cannot be read again"}, error)
