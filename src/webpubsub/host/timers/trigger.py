"""``timerTrigger``.

Source: Python spec, sections 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from azure.functions.timer import TimerRequest

from webpubsub.host.converters import gives_text
from webpubsub.host.expressions import expand_settings
from webpubsub.host.function import Binding, Facilities, FunctionDefinition
from webpubsub.host.settings.retry import parse_retry
from webpubsub.host.timers.schedule import find_time_zone, parse_schedule
from webpubsub.host.timers.status import TimerStatus
from webpubsub.model.errors import ConfigurationError


class TimerTick(msgspec.Struct, frozen=True):
    """What starts a timer function.

    Attributes:
        status: When it ran last, and when this run was due.
        is_past_due: It was due while no host ran.
    """

    status: TimerStatus
    is_past_due: bool = False


class TimerTrigger:
    """Starts a function on a schedule.

    Attributes:
        name: The binding's name.
        schedule: Tells the times.
        expression: The schedule as written, settings replaced.
        zone: The time zone of the schedule.
        run_on_startup: Run when the host starts, too.
        is_monitored: Its status is kept in the app's storage.
        retry: What happens after a failed run, or None.
    """

    takes_source = False

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: The schedule is missing or unusable, or the time zone is.
        """
        self.name: str = binding["name"]
        self._is_text = gives_text(binding["type"], definition.annotation(self.name))
        text = binding.get("schedule")
        if not isinstance(text, str):
            raise ConfigurationError("'schedule' is missing: expected for example '0 */5 * * * *'")
        now = datetime.fromtimestamp(facilities.clock(), UTC)
        self.expression = expand_settings(text, facilities.environment)
        self.zone = find_time_zone(facilities.environment)
        self.schedule = parse_schedule(self.expression, now, self.zone)
        self.run_on_startup: bool = binding.get("runOnStartup") is True
        self.retry = facilities.retry if definition.retry is None else parse_retry(definition.retry)
        self.is_monitored = binding.get("useMonitor") is not False and not self.schedule.is_frequent(now)

    def value(self, source: TimerTick) -> TimerRequest | str:
        """Return what the function gets; the status only when it is kept, as in Azure."""
        status = source.status.to_json(self.zone) if self.is_monitored else None
        schedule = {"AdjustForDST": self.schedule.is_cron}
        if self._is_text:
            found = {"Schedule": schedule, "ScheduleStatus": status, "IsPastDue": source.is_past_due}
            return msgspec.json.encode(found).decode()
        return TimerRequest(past_due=source.is_past_due, schedule_status=status, schedule=schedule)

    def data(self, source: TimerTick) -> Mapping[str, Any]:
        """Return nothing: a timer brings no data for expressions."""
        return {}

    def finish(self, result: Any, values: Mapping[str, Any], source: TimerTick) -> None:
        """Answer nobody."""
