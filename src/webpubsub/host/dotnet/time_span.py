"""Spans of time as .NET writes them: ``00:05:00``, ``1.12:00:00``.

Source: .NET, "TimeSpan.Parse" (invariant culture); Functions host, ``functionTimeout`` and ``retry``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_TIME_SPAN: Final = re.compile(
    r"(?P<sign>-?)(?:(?P<only_days>\d{1,7})|(?:(?P<days>\d{1,7})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?P<fraction>\.\d{1,7})?)?)",
    re.ASCII,
)
_LIMITS: Final = {"hours": 23, "minutes": 59, "seconds": 59}


def parse_time_span(text: str) -> timedelta | None:
    """Return the span of ``text``, or None when it is none.

    A number alone is days, so ``-1``, which means "no limit" to the host, is minus one day.

    Example:
        >>> parse_time_span("00:05:00").total_seconds()
        300.0
    """
    found = _TIME_SPAN.fullmatch(text.strip())
    if found is None or any(int(found[name] or 0) > limit for name, limit in _LIMITS.items()):
        return None
    span = timedelta(
        days=int(found["only_days"] or found["days"] or 0),
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=int(found["seconds"] or 0) + float(found["fraction"] or 0),
    )
    return -span if found["sign"] else span


def show_time_span(seconds: float) -> str:
    """Return a span as .NET shows it.

    Example:
        >>> show_time_span(300)
        '00:05:00'
    """
    days, rest = divmod(seconds, 86400)
    minutes, rest = divmod(rest, 60)
    whole, fraction = divmod(round(rest * 10**7), 10**7)
    shown = f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{whole:02}"
    return (f"{int(days)}." if days else "") + shown + (f".{fraction:07}" if fraction else "")
