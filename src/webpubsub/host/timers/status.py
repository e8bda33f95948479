"""When a timer ran and when it runs next, so that no occurrence is missed and none fires twice.

A blob a timer, ``timers/<host id>/Host.Functions.<function>/status``, as Azure's host writes it, so that
either host goes on where the other stopped; functions see it as JSON too.

Source: the timer extension's ``ScheduleStatus``, ``ScheduleMonitor`` and ``StorageScheduleMonitor``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import msgspec

from webpubsub.host.storage import HOSTS, Storage
from webpubsub.host.timers.schedule import Schedule
from webpubsub.model.errors import StorageError

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


class TimerRecord:
    """The status of one timer in the app's storage.

    A storage that cannot be used stops no timer; its failures are told.
    """

    def __init__(
        self, storage: Storage, name: str, zone: tzinfo, tell: Callable[[StorageError], None]
    ) -> None:
        """Prepare; nothing is read.

        Args:
            storage: The app's storage.
            name: The host id and the function's full name: ``chat/Host.Functions.tick``.
            zone: The time zone of the schedule, in which times are written.
            tell: Gets the storage's failures.
        """
        self._storage = storage
        self._name = f"timers/{name}/status"
        self._zone = zone
        self._tell = tell

    async def first(self, schedule: Schedule, now: datetime) -> TimerStatus:
        """Return the status to go on with when the host starts at ``now``."""
        kept = await self._read()
        if kept is None:
            fresh = TimerStatus(schedule.next_after(now))
            # A function sees no update before its first run, but a host that starts anew does.
            await self.keep(msgspec.structs.replace(fresh, updated=now))
            return fresh
        status = recheck(kept, schedule, now)
        if status != kept:
            await self.keep(status)
        return status

    async def keep(self, status: TimerStatus) -> None:
        content = msgspec.json.encode(status.to_json(self._zone))
        try:
            await self._storage.write(HOSTS, self._name, content)
        except StorageError as error:
            self._tell(error)

    async def _read(self) -> TimerStatus | None:
        try:
            content = await self._storage.read(HOSTS, self._name)
            return None if content is None else self._parse(content)
        except StorageError as error:
            self._tell(error)
            return None

    def _parse(self, content: bytes) -> TimerStatus:
        try:
            return TimerStatus.from_json(msgspec.json.decode(content, type=dict[str, Any]), self._zone)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise StorageError(
                f"{HOSTS}/{self._name} is no status of a timer: {error}; it is written anew"
            ) from error
