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

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.server.child import Child, Report
from webpubsub.server.ending import Grace
from webpubsub.server.serving import listening

ATTEMPTS: Final = 5  # to start a worker again, in a row
LONGEST_DELAY: Final = 8.0
LONG_LIFE: Final = 30.0  # seconds after which an end is no sequel of the last one


class Workers:
    """Hosts in processes of their own.

    Args:
        start: Starts one that serves a listener, of a number from 1 on, after which problems were told.
        listeners: One for each of them.
        trace: Is told of those that end.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        start: Callable[[socket.socket, int, tuple[str, ...]], Awaitable[Child]],
        listeners: Sequence[socket.socket],
        trace: Trace,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._start_child = start
        self._listeners = listeners
        self._trace = trace
        self._sleep = sleep
        self._told: tuple[str, ...] = ()
        self._children: dict[int, Child] = {}
        self._overview = ""

    async def start(self) -> None:
        """Start all; return once every one is ready.

        Raises:
            ConfigurationError: One cannot be started; it has told why.
        """
        self._overview = (await self._begin(1)).overview
        await asyncio.gather(*(self._begin(number) for number in range(2, len(self._listeners) + 1)))

    def overview(self) -> str:
        """Return what people see of them: they are all alike."""
        return self._overview

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

    async def stop(self, grace: Grace) -> None:
        """Let the functions of all finish in time, then end."""
        for listener in self._listeners:
            listener.close()  # else connections would go on waiting here
        await asyncio.gather(*(child.end(grace) for child in self._children.values()))

    async def _begin(self, number: int) -> Report:
        report = await self._try(number)
        if report is None:
            how = ended_how(await self._children[number].died())
            raise ConfigurationError(f"worker {number} {how} before it was ready")
        return report

    async def _try(self, number: int) -> Report | None:
        """Start a worker; return None if it ends before it is ready."""
        child = await self._start_child(self._listeners[number - 1], number, self._told)
        self._children[number] = child
        report = await child.report()
        if report is not None:
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
