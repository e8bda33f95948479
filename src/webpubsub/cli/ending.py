"""The end of the process, even when the app has threads or tasks that never end."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

__all__ = ["end_soon"]

LAST_SECONDS: Final = 3.0


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
