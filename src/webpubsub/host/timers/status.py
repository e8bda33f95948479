"""When a timer ran and when it runs next, also as JSON for functions and for the app's storage.

Source: the timer extension's ``ScheduleStatus`` and ``ScheduleMonitor``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import msgspec

from webpubsub.host.timers.schedule import Schedule

NEVER: Final = datetime.min.replace(tzinfo=UTC)


class TimerStatus(msgspec.Struct, frozen=True):
    """When a timer ran, and when it runs next; UTC.

    Attributes:
        next: The next occurrence.
        last: The start of the last run, or `NEVER`.
        updated: When ``next`` was worked out, or `NEVER`.
    """

    next: datetime
    last: datetime = NEVER
    updated: datetime = NEVER

    def to_json(self, zone: tzinfo) -> dict[str, str]:
        """Return it as functions and the blob have it, in the time zone of the schedule.

        Example:
            >>> TimerStatus(datetime(2026, 1, 2, tzinfo=UTC)).to_json(UTC)["Next"]
            '2026-01-02T00:00:00+00:00'
        """
        moments = {"Last": self.last, "Next": self.next, "LastUpdated": self.updated}
        return {name: _shown(moment, zone) for name, moment in moments.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], zone: tzinfo) -> TimerStatus:
        """Read what `to_json`, or Azure's host, has written; a time without zone is one of ``zone``.

        Raises:
            ValueError: It is no status.
        """
        last, due, updated = (_moment(value.get(name), zone) for name in ("Last", "Next", "LastUpdated"))
        return cls(due, last, updated)


def recheck(status: TimerStatus, schedule: Schedule, now: datetime) -> TimerStatus:
    """Return a kept status as it is when the host starts at ``now``.

    It is ``status`` itself unless the schedule has changed meanwhile. Then the last run is forgotten, as it
    says nothing about the new schedule, and the next occurrence is never one of the past: only what was
    announced can be missed.
    """
    basis = next((moment for moment in (status.last, status.updated) if moment != NEVER), now)
    expected = schedule.next_after(basis)
    if status.next == expected:
        return status
    if now > expected:
        basis, expected = now, schedule.next_after(now)
    return TimerStatus(expected, updated=basis)


def _shown(moment: datetime, zone: tzinfo) -> str:
    if moment == NEVER:  # most zones have no such moment
        return moment.isoformat()
    text = moment.astimezone(zone).isoformat()
    return text if "." not in text else _trimmed(text)


def _trimmed(text: str) -> str:
    """Drop the zeros at the end of a fraction, as .NET does."""
    seconds, _, rest = text.partition(".")
    return f"{seconds}.{rest[:6].rstrip('0')}{rest[6:]}"


def _moment(text: object, zone: tzinfo) -> datetime:
    """Read a time; .NET's zero, or none at all, is `NEVER`."""
    if text is None:
        return NEVER
    if not isinstance(text, str):
        raise ValueError(f"expected a time, found {text!r}")
    found = datetime.fromisoformat(text)
    if found.year == 1:
        return NEVER
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
