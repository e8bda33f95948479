"""When timers fire: NCRONTAB expressions and TimeSpans, in UTC.

Source: Azure Functions, timer trigger, "NCRONTAB expressions"; Python spec, section 6.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, Protocol

from webpubsub.model.errors import ConfigurationError

__all__ = ["Schedule", "parse_schedule"]

_TIME_SPAN: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d{1,7})?)?")
# What NCRONTAB knows; croniter knows more, which would then fail in Azure.
_FIELD: Final = re.compile(r"[0-9*,/-]+|(?:[0-9*,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
                           r"|sun|mon|tue|wed|thu|fri|sat)+", re.IGNORECASE)  # fmt: skip
_EXPECTED: Final = (
    "expected six fields '{second} {minute} {hour} {day} {month} {day-of-week}', for example "
    "'0 */5 * * * *', or a TimeSpan 'hh:mm:ss'"
)


class Schedule(Protocol):
    """Tells when a timer fires."""

    is_cron: bool

    def next_after(self, now: datetime) -> datetime:
        """Return the first moment after ``now`` (UTC)."""
        ...


class _Interval:
    is_cron = False

    def __init__(self, period: timedelta) -> None:
        self._period = period

    def next_after(self, now: datetime) -> datetime:
        return now + self._period


class _Cron:
    is_cron = True

    def __init__(self, fields: str) -> None:
        from croniter import croniter  # only apps with timers pay for it

        self._fields = fields
        self._croniter = croniter

    def next_after(self, now: datetime) -> datetime:
        # In NCRONTAB both the day and the day of the week must fit; in cron either.
        times = self._croniter(self._fields, now, second_at_beginning=True, day_or=False)
        found: datetime = times.get_next(datetime)
        return found


def parse_schedule(text: str, now: datetime) -> Schedule:
    """Read a timer's schedule.

    Args:
        text: Six fields with seconds first, five without, or a TimeSpan.
        now: A schedule that never fires after this is refused.

    Raises:
        ConfigurationError: It is none of these, or never fires.

    Example:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        >>> parse_schedule("0 30 9 * * 1-5", noon).next_after(noon).isoformat()
        '2026-01-02T09:30:00+00:00'
    """
    if ":" in text:
        return _Interval(_parse_time_span(text))
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6 or not all(_FIELD.fullmatch(field) for field in fields):
        raise ConfigurationError(f"schedule '{text}' is not usable: {_EXPECTED}")
    schedule = _Cron(" ".join(fields))
    try:
        schedule.next_after(now)
    except (ValueError, KeyError) as error:  # croniter's errors are ValueErrors
        raise ConfigurationError(f"schedule '{text}' is not usable: {error}; {_EXPECTED}") from error
    return schedule


def _parse_time_span(text: str) -> timedelta:
    found = _TIME_SPAN.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"schedule '{text}' is not usable: {_EXPECTED}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:4])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ConfigurationError(
            f"schedule '{text}' is not usable: hours go to 23, minutes and seconds to 59; a day is "
            "'1.00:00:00'"
        )
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds + float(found[5] or 0))
    if not span:
        raise ConfigurationError(f"schedule '{text}' is not usable: it must be longer than nothing")
    return span
