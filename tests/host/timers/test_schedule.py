"""Schedules of timers."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from webpubsub.host.timers.schedule import find_time_zone, parse_schedule
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
        # Names may be whole or shortened, ranges backwards, steps may start anywhere.
        ("0 30 9 * january monday", "2026-01-05T09:30:00+00:00"),
        ("0 30 9 * * Fri-Mon", "2026-01-02T09:30:00+00:00"),
        ("0 0 18-14 * * *", "2026-01-01T14:00:00+00:00"),
        ("0 7/20 * * * *", "2026-01-01T12:07:00+00:00"),
        ("0 8-30/20 * * * *", "2026-01-01T12:08:00+00:00"),
        ("0 0 0 * * 0", "2026-01-04T00:00:00+00:00"),
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
     "0 0 0 ? * 1", "0 0 0 30 2 *", "0 0 0 1 mon *", "5", "1:2:3:4", "25:61:00", "00:00:00", "24:00:00",
     "-00:05:00", "*/0 * * * * *", "*/x * * * * *", "0 0 0 * * 7", "1, * * * * *", "1-2-3 * * * * *",
     "- * * * * *", "0 0 0 0 * *", "0 0 0 * 13 *", "0 0 24 * * *", "0 0 0 * x *",
     "0 0 mon * * *", "\u0663 * * * * *"],
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
        "schedule 'every minute' is not usable: it has 2 fields; expected six fields '{second} {minute} "
        "{hour} {day} {month} {day-of-week}', for example '0 */5 * * * *', or a TimeSpan 'hh:mm:ss'"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 0 24 * * *", "'24' is no hour: expected 0 to 23"),
        ("0 0 0 * * 7", "'7' is no day of week: expected 0 to 6, or a name such as 'sun'"),
        ("0 0 0 * 13 *", "'13' is no month: expected 1 to 12, or a name such as 'jan'"),
        ("*/0 * * * * *", "'*/0' is no second: the step must be a number from 1"),
    ],
)
def test_a_field_that_is_wrong_is_named(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_schedule(text, NOW)
    assert str(caught.value).startswith(f"schedule '{text}' is not usable: {reason}; expected six fields")


@pytest.mark.parametrize(
    ("text", "is_frequent"),
    [
        ("*/30 * * * * *", True),
        ("0,30 * * * * *", True),
        ("0 * * * * *", False),
        ("0,30 0 13 * * *", False),
        ("10,20 0 12 * * *", True),
        ("00:00:59", True),
        ("00:01:00", False),
    ],
)
def test_a_schedule_is_frequent_when_it_fires_twice_within_the_next_minute(
    text: str, is_frequent: bool
) -> None:
    assert parse_schedule(text, NOW).is_frequent(NOW) is is_frequent


def occurrences(text: str, zone: str, start: str, count: int) -> list[str]:
    now = datetime.fromisoformat(start).astimezone(UTC)
    schedule = parse_schedule(text, now, ZoneInfo(zone))
    found = []
    for _ in range(count):
        now = schedule.next_after(now)
        assert now.tzinfo is UTC
        found.append(now.astimezone(ZoneInfo(zone)).isoformat())
    return found


def test_fields_are_about_the_time_zone() -> None:
    assert occurrences("0 30 9 * * *", "America/New_York", "2026-01-01T12:00:00+00:00", 2) == [
        "2026-01-01T09:30:00-05:00",
        "2026-01-02T09:30:00-05:00",
    ]


# In 2018 clocks in Los Angeles went from 02:00 to 03:00 on March 11th, and from 02:00 to 01:00 on
# November 4th.
@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        # A time that does not exist comes as much later; the next day it is itself again.
        (
            "0 30 2 * * *",
            "2018-03-11T01:00-08:00",
            ["2018-03-11T03:30:00-07:00", "2018-03-12T02:30:00-07:00"],
        ),
        (
            "0 */30 * * * *",
            "2018-03-11T01:10-08:00",
            ["2018-03-11T01:30:00-08:00", "2018-03-11T03:00:00-07:00"],
        ),
        # A time that comes twice fires the first time only.
        (
            "0 30 1 * * *",
            "2018-11-04T00:00-07:00",
            ["2018-11-04T01:30:00-07:00", "2018-11-05T01:30:00-08:00"],
        ),
        ("0 30 1 * * *", "2018-11-04T01:29-08:00", ["2018-11-05T01:30:00-08:00"]),
        # What repeats within the day goes on through the hour that comes twice.
        (
            "0 */30 * * * *",
            "2018-11-04T00:30-07:00",
            [
                "2018-11-04T01:00:00-07:00",
                "2018-11-04T01:30:00-07:00",
                "2018-11-04T01:00:00-08:00",
                "2018-11-04T01:30:00-08:00",
                "2018-11-04T02:00:00-08:00",
            ],
        ),
        (
            "0 0 */2 * * *",
            "2018-11-04T00:00-07:00",
            ["2018-11-04T02:00:00-08:00", "2018-11-04T04:00:00-08:00"],
        ),
        (
            "0 0 2-5 * * *",
            "2018-11-04T01:30-07:00",
            ["2018-11-04T02:00:00-08:00", "2018-11-04T03:00:00-08:00"],
        ),
    ],
)
def test_days_on_which_clocks_change(text: str, start: str, expected: list[str]) -> None:
    assert occurrences(text, "America/Los_Angeles", start, len(expected)) == expected


def test_an_interval_knows_no_time_zone() -> None:
    assert occurrences("01:00:00", "America/Los_Angeles", "2018-11-04T01:30-07:00", 1) == [
        "2018-11-04T01:30:00-08:00"
    ]


@pytest.mark.parametrize(
    ("environment", "zone"),
    [
        ({}, "UTC"),
        ({"TZ": ""}, "UTC"),
        ({"TZ": "utc"}, "UTC"),
        ({"TZ": "Europe/Berlin"}, "Europe/Berlin"),
        ({"TZ": ":Europe/Berlin"}, "Europe/Berlin"),
        ({"TZ": "Europe/Berlin", "WEBSITE_TIME_ZONE": "Asia/Tokyo"}, "Asia/Tokyo"),
    ],
)
def test_the_settings_name_the_time_zone(environment: dict[str, str], zone: str) -> None:
    assert str(find_time_zone(environment)) == zone


def test_the_time_zone_may_be_a_file() -> None:
    path = "/usr/share/zoneinfo/Europe/Berlin"
    try:
        zone = find_time_zone({"TZ": f":{path}"})
    except ConfigurationError:
        pytest.skip("this machine keeps its time zones elsewhere")
    assert datetime(2026, 7, 1, tzinfo=zone).isoformat() == "2026-07-01T00:00:00+02:00"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (
            "Eastern Standard Time",
            ", a name of Windows: set an IANA name, for example 'America/New_York' or 'Europe/Berlin', as "
            "Azure's hosts on Linux take it, too",
        ),
        (
            "Europe/Atlantis",
            ", a time zone this machine does not know: expected an IANA name, for example 'America/New_York' "
            "or 'Europe/Berlin' (pip install tzdata brings them all)",
        ),
    ],
)
def test_a_time_zone_that_is_none_is_told(name: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_time_zone({"WEBSITE_TIME_ZONE": name})
    assert str(caught.value) == f"'WEBSITE_TIME_ZONE' is '{name}'{fault}"


@pytest.mark.parametrize(
    "name", ["Europe", "../etc/passwd", "/no/such/file", "/etc/passwd", "CET-1CEST", "a\0b"]
)
def test_nothing_else_is_a_time_zone(name: str) -> None:
    with pytest.raises(ConfigurationError, match="'TZ' is"):
        find_time_zone({"TZ": name})
