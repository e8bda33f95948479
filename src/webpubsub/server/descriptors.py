"""File descriptors: as many as the system allows, and a word when they run out.

Each connection is one. Systems allow a process few at first (1,024), and more for the asking. When there is
none left connections are refused, and nothing says so: uvloop closes them as they come, asyncio leaves them
in their queue. So one is taken now and then, to see whether there is one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.server.ending import Grace

LOOK_SECONDS: Final = 1.0
SILENCE: Final = 60.0
"""Seconds before it is told again."""

_OUT: Final = frozenset({errno.EMFILE, errno.ENFILE})


def raise_limit() -> int | None:
    """Let this process have as many as it may, and return how many; None where that cannot be known."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS: "unlimited" is more than it gives
            hard = soft
    else:
        hard = None
    return hard


class Descriptors:
    """A part of the process that tells when there is no descriptor left."""

    def __init__(
        self,
        limit: int | None,
        trace: Trace,
        *,
        clock: Callable[[], float] = time.monotonic,
        take: Callable[[], int] = lambda: os.open(os.devnull, os.O_RDONLY),
    ) -> None:
        """Begin with ``start``.

        Args:
            limit: How many there may be, or None where that is not known.
            trace: Is told.
            clock: Seconds since some moment.
            take: Returns a new descriptor.
        """
        self._limit = limit
        self._trace = trace
        self._clock = clock
        self._take = take
        self._told_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Look now and then from now on, and hear of connections that cannot be accepted."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._hear)
        self._go_on(loop)

    async def stop(self, _grace: Grace) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self.look()
        self._timer = loop.call_later(LOOK_SECONDS, self._go_on, loop)

    def look(self) -> None:
        """Tell if there is none left, unless that was told just now."""
        try:
            os.close(self._take())
        except OSError as error:
            if error.errno in _OUT:
                self._tell()

    def _hear(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _OUT:
            self._tell()
        else:
            loop.default_exception_handler(context)

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told_at < SILENCE:
            return
        self._told_at = now
        which = "all file descriptors" if self._limit is None else f"all {self._limit} file descriptors"
        message = (
            f"{which} of this process are in use, and each connection is one: more connections are refused, "
            "and files cannot be opened. Allow it more before it starts: by 'ulimit -n', LimitNOFILE= of "
            "systemd, or --ulimit nofile= of docker"
        )
        self._trace.tell(Name.PROCESS, Phase.FAILED, {}, {"message": message})
