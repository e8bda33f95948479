"""The end of the process: in time, even when the app has threads or tasks that never end."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Final

LAST_SECONDS: Final = 3.0


class Grace:
    """The time there is for stopping. All its steps share it; it counts from the first question on.

    The last three seconds are `end_soon`'s.

    Example:
        >>> grace = Grace(30)
        >>> 26 < grace.left() <= 27
        True
        >>> 13 < grace.half() <= 13.5
        True
    """

    def __init__(self, seconds: float) -> None:
        """Allow this many seconds, ``LAST_SECONDS`` or more."""
        self._seconds = seconds - LAST_SECONDS
        self._end: float | None = None

    def left(self) -> float:
        """Return the seconds that are left, never less than 0: for the last step."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._seconds
        return max(0.0, self._end - now)

    def half(self) -> float:
        """Return half of them: for a step after which others still need time."""
        return self.left() / 2


def end_soon(code: int) -> None:
    """Let the process end in its own way; if it has not after three seconds, end it with ``code``.

    Python waits without limit for tasks that mind no cancelling and for threads that are no daemons; the
    time that functions have to finish is over by then.
    """
    watchdog = threading.Timer(LAST_SECONDS, _end, (code,))
    watchdog.daemon = True
    watchdog.start()


def _end(code: int) -> None:
    try:
        sys.stderr.write("webpubsub: a thread or task of the app does not end; the process ends without it\n")
        sys.stderr.flush()
        sys.stdout.flush()
    finally:
        os._exit(code)
