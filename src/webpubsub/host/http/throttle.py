"""``maxOutstandingRequests`` and ``maxConcurrentRequests``: how many HTTP requests are taken at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from webpubsub.host.http.options import HttpOptions


class Throttle:
    """Lets so many requests run, and so many more wait."""

    def __init__(self, outstanding: int | None, concurrent: int | None) -> None:
        """Let ``concurrent`` requests run, and with those that wait have ``outstanding``; None for any."""
        self._outstanding = outstanding
        self._turns = None if concurrent is None else asyncio.Semaphore(concurrent)
        self._count = 0

    @classmethod
    def of(cls, options: HttpOptions) -> Throttle | None:
        """Return what limits requests as ``options`` say, or None when they set no limit."""
        limits = options.max_outstanding_requests, options.max_concurrent_requests
        return None if limits == (None, None) else cls(*limits)

    @property
    def is_full(self) -> bool:
        """Whether the next request is one too many."""
        return self._outstanding is not None and self._count >= self._outstanding

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place to run, and keep it."""
        self._count += 1
        try:
            if self._turns is None:
                yield
            else:
                async with self._turns:
                    yield
        finally:
            self._count -= 1
