"""Time that passes when a test says so."""

from __future__ import annotations

import asyncio

from kit.service_peers import turns


class VirtualTime:
    """The clock of the running event loop, set by hand: timers go off and messages expire at once."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        setattr(loop, "time", lambda: self.now)  # noqa: B010 - a method is replaced, on purpose

    async def go_on(self, seconds: float) -> None:
        """Let time pass, and let what was waiting for it happen."""
        self.now += seconds
        await turns()
