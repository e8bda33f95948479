"""Abuse protection: no URL gets events that has not said it takes them from here.

What a URL said last stands until it is asked again:

========================= ============================ =================================================
it said                   events                       it is asked again
========================= ============================ =================================================
nothing yet               wait for its answer          at once; events that come meanwhile share the answer
yes                       are sent                     with an event after 60 s, which does not wait
no, never having said yes fail                         with the next event, which waits
no, after a yes           fail                         1, 2, 4, ... 60 s later, with an event, which waits
========================= ============================ =================================================

Source: service spec, section D.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from webpubsub.http import Response
from webpubsub.model.cloudevents import ALLOWED_ORIGIN
from webpubsub.model.errors import EventRefused
from webpubsub.model.trace import SILENT, Name, Phase, Trace
from webpubsub.service.settings import shown

LIFETIME: Final = 60.0
LONGEST_WAIT: Final = 60.0

_ALLOWED: Final = ALLOWED_ORIGIN.lower().encode()

Ask = Callable[[str, str], Awaitable[None]]


class Verdict:
    """What a URL said last."""

    __slots__ = ("accepted", "ask_at", "refused", "task", "wait")

    def __init__(self) -> None:
        self.accepted = False
        self.refused: EventRefused | None = None
        self.ask_at = float("-inf")  # when an event asks anew
        self.wait: float | None = None  # seconds after the next no; None before the first yes
        self.task: asyncio.Task[None] | None = None

    def accept(self, now: float) -> None:
        """Let events go there for a while."""
        self.accepted, self.refused = True, None
        self.ask_at, self.wait = now + LIFETIME, 1.0

    def refuse(self, refused: EventRefused, now: float) -> None:
        """Let no event go there; after a yes it is asked again, less and less often."""
        self.accepted, self.refused = False, refused
        if self.wait is not None:
            self.ask_at, self.wait = now + self.wait, min(2 * self.wait, LONGEST_WAIT)


class AbuseProtection:
    """Remembers which URLs take events.

    Args:
        ask: Asks a URL whether it takes events from an origin, and raises `EventRefused` when it does not.
        monotonic: Seconds on a clock that is never set.
        trace: Is told what URLs say, or None.
    """

    def __init__(self, ask: Ask, monotonic: Callable[[], float], trace: Trace = SILENT) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._trace = trace
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    async def check(self, url: str, origin: str) -> None:
        """Make sure that a URL takes events from ``origin``, asking it if need be.

        Raises:
            EventRefused: It does not, or it cannot be asked.
        """
        verdict = self.start(url, origin)
        if not verdict.accepted and verdict.task is not None:
            await asyncio.shield(verdict.task)  # who waits may go; the others still want the answer
        if verdict.refused is not None:
            raise EventRefused(500, verdict.refused.message) from verdict.refused

    def verdict(self, url: str, origin: str) -> Verdict:
        """Return what is known of a URL, which goes on to be told here."""
        found = self._verdicts.get((url, origin))
        if found is None:
            found = self._verdicts[url, origin] = Verdict()
        return found

    def start(self, url: str, origin: str) -> Verdict:
        """Ask a URL unless what it said still stands; the answer comes later."""
        verdict = self.verdict(url, origin)
        if verdict.task is None and self._monotonic() >= verdict.ask_at:
            verdict.task = asyncio.get_running_loop().create_task(self._find(verdict, url, origin))
        return verdict

    async def _find(self, verdict: Verdict, url: str, origin: str) -> None:
        try:
            await self._ask(url, origin)
        except EventRefused as refused:
            verdict.refuse(refused, self._monotonic())
            self._report(Phase.FAILED, url, origin, refused)
        else:
            verdict.accept(self._monotonic())
            self._report(Phase.COMPLETED, url, origin)
        finally:
            verdict.task = None

    async def close(self) -> None:
        tasks = [verdict.task for verdict in self._verdicts.values() if verdict.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _report(self, phase: Phase, url: str, origin: str, error: EventRefused | None = None) -> None:
        self._trace.tell(Name.VALIDATION, phase, {}, {"url": shown(url), "origin": origin}, error)


def check_allowed(url: str, origin: str, response: Response) -> None:
    """Make sure that an app's answer allows ``origin``: one header line each, as lists are not taken apart.

    Raises:
        EventRefused: It does not.
    """
    if not 200 <= response.status < 300:
        raise EventRefused(500, f"abuse protection for {shown(url)} failed with status {response.status}")
    allowed = [value.strip().lower() for value in response.all(_ALLOWED)]
    if "*" not in allowed and origin.lower() not in allowed:
        raise EventRefused(500, f"abuse protection for {shown(url)} missed '{origin}' in {ALLOWED_ORIGIN}")
