"""When timers fire: NCRONTAB expressions and TimeSpans, in the app's time zone.

The zone is the setting ``WEBSITE_TIME_ZONE``, else ``TZ``, else UTC.

Source: Azure Functions, timer trigger, "NCRONTAB expressions" and "NCRONTAB time zones"; Python spec,
section 6; the timer extension's ``CronSchedule`` for the days on which clocks change; POSIX, "TZ".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import PurePosixPath
from typing import Final, Protocol

from webpubsub.host.dotnet.time_span import parse_time_span
from webpubsub.host.timers.ncrontab import Crontab, next_occurrence, parse_crontab
from webpubsub.model.errors import ConfigurationError

_EXPECTED: Final = (
    "expected six fields '{second} {minute} {hour} {day} {month} {day-of-week}', for example "
    "'0 */5 * * * *', or a TimeSpan 'hh:mm:ss'"
)
_ONE_MINUTE: Final = timedelta(minutes=1)

_SETTINGS: Final = ("WEBSITE_TIME_ZONE", "TZ")
_WINDOWS_ENDING: Final = " time"


class Schedule(Protocol):
    """Tells when a timer fires.

    Attributes:
        is_cron: It is an NCRONTAB expression.
    """

    is_cron: bool

    def next_after(self, now: datetime) -> datetime:
        """Return the first moment after ``now``; both are UTC."""
        ...

    def is_frequent(self, now: datetime) -> bool:
        """Whether it fires twice in the minute from ``now``: then its status is not kept."""
        ...


class _Interval:
    is_cron = False

    def __init__(self, period: timedelta) -> None:
        self._period = period

    def next_after(self, now: datetime) -> datetime:
        return now + self._period

    def is_frequent(self, now: datetime) -> bool:
        return self._period < _ONE_MINUTE


class _Cron:
    is_cron = True

    def __init__(self, crontab: Crontab, zone: tzinfo) -> None:
        self._crontab = crontab
        self._zone = zone

    def next_after(self, now: datetime) -> datetime:
        return next_occurrence(self._crontab, now.astimezone(self._zone)).astimezone(UTC)

    def is_frequent(self, now: datetime) -> bool:
        return self.next_after(self.next_after(now)) <= now + _ONE_MINUTE


def parse_schedule(text: str, now: datetime, zone: tzinfo = UTC) -> Schedule:
    """Read a timer's schedule.

    Args:
        text: Six fields with seconds first, five without, or a TimeSpan.
        now: A schedule that never fires after this is refused.
        zone: Where the clock hangs that the fields are about.

    Raises:
        ConfigurationError: It is none of these, or never fires.

    Example:
        >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        >>> parse_schedule("0 30 9 * * 1-5", noon).next_after(noon).isoformat()
        '2026-01-02T09:30:00+00:00'
    """
    if ":" in text:
        return _Interval(_period(text))
    try:
        schedule = _Cron(parse_crontab(text), zone)
        schedule.next_after(now)
    except ValueError as error:
        raise ConfigurationError(f"schedule '{text}' is not usable: {error}; {_EXPECTED}") from error
    return schedule


def _period(text: str) -> timedelta:
    span = parse_time_span(text)
    if span is None:
        raise ConfigurationError(
            f"schedule '{text}' is not usable: {_EXPECTED}; hours go to 23, minutes and seconds to 59, a day "
            "is '1.00:00:00'"
        )
    if span <= timedelta():
        raise ConfigurationError(f"schedule '{text}' is not usable: it must be longer than nothing")
    return span


def find_time_zone(environment: Mapping[str, str]) -> tzinfo:
    """Return the zone the settings name.

    Args:
        environment: App settings.

    Raises:
        ConfigurationError: It is no IANA name that this machine knows.

    Example:
        >>> str(find_time_zone({"WEBSITE_TIME_ZONE": "America/New_York"}))
        'America/New_York'
    """
    for setting in _SETTINGS:
        # A shell's TZ may start with a colon.
        if name := environment.get(setting, "").strip().removeprefix(":"):
            return _zone(setting, name)
    return UTC


def _zone(setting: str, name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # only apps with another zone pay for it

    try:
        if PurePosixPath(name).is_absolute():  # a shell's TZ may be a file, too
            with open(name, "rb") as file:
                return ZoneInfo.from_file(file, key=name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(f"'{setting}' is '{name}'{_fault(name)}") from error


def _fault(name: str) -> str:
    expected = "an IANA name, for example 'America/New_York' or 'Europe/Berlin'"
    if name.lower().endswith(_WINDOWS_ENDING):
        return f", a name of Windows: set {expected}, as Azure's hosts on Linux take it, too"
    return (
        f", a time zone this machine does not know: expected {expected} (pip install tzdata brings them all)"
    )
