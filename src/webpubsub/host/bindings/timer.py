"""``timerTrigger``.

Source: Python spec, sections 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from azure.functions.timer import TimerRequest

from webpubsub.host.expressions import expand_settings
from webpubsub.host.function import Binding, Facilities, FunctionDefinition
from webpubsub.host.schedule import parse_schedule
from webpubsub.model.errors import ConfigurationError

__all__ = ["TimerStatus", "TimerTrigger"]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_ONE_MINUTE: Final = timedelta(minutes=1)


class TimerStatus(msgspec.Struct, frozen=True):
    """When a timer ran, and when it runs next; UTC."""

    next: datetime
    last: datetime = _NEVER
    updated: datetime = _NEVER


class TimerTrigger:
    """Starts a function on a schedule.

    Attributes:
        name: The binding's name.
        schedule: Tells the times.
        expression: The schedule as written, settings replaced.
        run_on_startup: Run when the host starts, too.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: The schedule is missing or unusable.
        """
        self.name: str = binding["name"]
        text = binding.get("schedule")
        if not isinstance(text, str):
            raise ConfigurationError("'schedule' is missing: expected for example '0 */5 * * * *'")
        now = datetime.fromtimestamp(facilities.clock(), UTC)
        self.expression = expand_settings(text, facilities.environment)
        self.schedule = parse_schedule(self.expression, now)
        self.run_on_startup: bool = binding.get("runOnStartup") is True
        first = self.schedule.next_after(now)
        is_rare = self.schedule.next_after(first) - first >= _ONE_MINUTE
        self._is_monitored = is_rare and binding.get("useMonitor") is not False

    def value(self, source: TimerStatus) -> TimerRequest:
        """Return what the function gets; the status only when the schedule is monitored, as in Azure."""
        shown = {
            "Last": source.last.isoformat(),
            "Next": source.next.isoformat(),
            "LastUpdated": source.updated.isoformat(),
        }
        return TimerRequest(
            past_due=False,
            schedule_status=shown if self._is_monitored else None,
            schedule={"AdjustForDST": self.schedule.is_cron},
        )

    def data(self, source: TimerStatus) -> Mapping[str, Any]:
        """Return nothing: a timer brings no data for expressions."""
        return {}

    def finish(self, result: Any, values: Mapping[str, Any], source: TimerStatus) -> None:
        """Answer nobody."""
