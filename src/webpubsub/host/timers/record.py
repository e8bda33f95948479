"""What is kept of a timer between runs, so that no occurrence is missed and none fires twice.

A blob a timer, ``timers/<host id>/Host.Functions.<function>/status``, as Azure's host writes it, so that
either host goes on where the other stopped.

Source: the timer extension's ``StorageScheduleMonitor``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from webpubsub.host.storage import HOSTS, Storage
from webpubsub.host.timers.schedule import Schedule
from webpubsub.host.timers.status import TimerStatus, recheck
from webpubsub.model.errors import StorageError


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
        """Write ``status``."""
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
