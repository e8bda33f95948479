"""Retry policies: how often, and after which delay, a failed function is called again.

Source: Functions host, "Azure Functions error handling and retries"; Python spec, section 4; WebJobs SDK,
RandomizedExponentialBackoffStrategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from random import uniform
from typing import Any, Final

import msgspec

from webpubsub.host.dotnet.time_span import parse_time_span
from webpubsub.model.errors import ConfigurationError

FOREVER: Final = -1


# Every delay but the first differs by up to a fifth, so that many instances do not come back at once.
_SPREAD: Final = 0.2


class RetryPolicy(msgspec.Struct, frozen=True):
    """How a failed function is called again.

    Attributes:
        max_retry_count: How often at most; -1 for ever.
        minimum_interval: Seconds before the first retry.
        maximum_interval: The longest delay, in seconds; the minimum for a fixed delay.
    """

    max_retry_count: int
    minimum_interval: float
    maximum_interval: float

    def delays(self, random: Callable[[float, float], float] = uniform) -> Iterator[float]:
        """Return the delay before each retry, in seconds: they double, up to the maximum.

        Args:
            random: Returns a number between two others.
        """
        steps = count() if self.max_retry_count == FOREVER else range(self.max_retry_count)
        return (self._delay(step, random) for step in steps)

    def _delay(self, step: int, random: Callable[[float, float], float]) -> float:
        if step == 0:
            return self.minimum_interval
        grown = random(1 - _SPREAD, 1 + _SPREAD) * 2.0 ** min(step - 1, 64) * self.minimum_interval
        return min(self.minimum_interval + grown, self.maximum_interval)


def parse_retry(members: Mapping[str, Any]) -> RetryPolicy:
    """Read a policy: of a decorator (``max_retry_count``) or of ``function.json`` (``maxRetryCount``).

    Raises:
        ConfigurationError: The host would refuse it.

    Example:
        >>> parse_retry({"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:10"})
        RetryPolicy(max_retry_count=3, minimum_interval=10.0, maximum_interval=10.0)
    """
    given = {name.replace("_", "").lower(): value for name, value in members.items() if value is not None}
    strategy = str(given.get("strategy", "")).replace("_", "").lower()
    names = _INTERVALS.get(strategy)
    if names is None:
        raise ConfigurationError(
            f"retry strategy is {given.get('strategy')!r}: expected 'fixed_delay' or 'exponential_backoff'"
        )
    low, high = (_seconds(name, given.get(name.replace("_", ""))) for name in names)
    if low > high:
        raise ConfigurationError(
            f"retry minimum_interval {low:g} s is longer than maximum_interval {high:g} s: swap them"
        )
    return RetryPolicy(_count(given.get("maxretrycount")), low, high)


_INTERVALS: Final[Mapping[str, tuple[str, str]]] = {
    "fixeddelay": ("delay_interval", "delay_interval"),
    "exponentialbackoff": ("minimum_interval", "maximum_interval"),
}


def _count(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = FOREVER - 1
    if number < FOREVER:
        raise ConfigurationError(
            f"retry max_retry_count is {value!r}: expected how often to call again at most, or -1 for ever"
        )
    return number


def _seconds(name: str, value: Any) -> float:
    span = parse_time_span(value) if isinstance(value, str) else None
    if span is None or span.total_seconds() < 0:
        raise ConfigurationError(f"retry {name} is {value!r}: expected a time such as '00:00:10'")
    return span.total_seconds()
