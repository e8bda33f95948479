"""Schedules of timers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webpubsub.host.schedule import parse_schedule
from webpubsub.model.errors import ConfigurationError

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/10 * * * * *", "2026-01-01T12:00:10+00:00"),
        ("0 */5 * * * *", "2026-01-01T12:05:00+00:00"),
        ("*/5 * * * *", "2026-01-01T12:05:00+00:00"),
        ("0 0 * * * *", "2026-01-01T13:00:00+00:00"),
        ("0 30 9 * * 1-5", "2026-01-02T09:30:00+00:00"),
        ("0 30 9 * Jan Mon", "2026-01-05T09:30:00+00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("0 0 9-17/4 * * *", "2026-01-01T13:00:00+00:00"),
        ("1,2 0 12 * * *", "2026-01-01T12:00:01+00:00"),
        # Both the day and the day of the week must fit: the next 13th that is a Friday.
        ("0 0 0 13 * 5", "2026-02-13T00:00:00+00:00"),
        ("00:05:00", "2026-01-01T12:05:00+00:00"),
        ("1.00:00:01", "2026-01-02T12:00:01+00:00"),
        ("00:00:00.5", "2026-01-01T12:00:00.500000+00:00"),
    ],
)
def test_the_next_time_is_found(text: str, expected: str) -> None:
    assert parse_schedule(text, NOW).next_after(NOW).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["", "* * *", "* * * * * * *", "61 * * * * *", "a b c d e f", "@hourly", "0 0 0 L * *", "R * * * * *",
     "0 0 0 ? * 1", "0 0 0 30 2 *", "0 0 0 1 mon *", "5", "1:2:3:4", "25:61:00", "00:00:00", "24:00:00"],
)  # fmt: skip
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(
        ConfigurationError,
        match=f"^schedule '{text}' is not usable: ".replace("*", r"\*").replace("?", r"\?"),
    ):
        parse_schedule(text, NOW)


def test_the_text_says_what_is_expected() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_schedule("every minute", NOW)
    assert str(caught.value) == (
        "schedule 'every minute' is not usable: expected six fields '{second} {minute} {hour} {day} {month} "
        "{day-of-week}', for example '0 */5 * * * *', or a TimeSpan 'hh:mm:ss'"
    )
