"""What is kept of a timer: the bytes of Azure's host, and what a changed schedule makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.host.timers.schedule import parse_schedule
from webpubsub.host.timers.status import NEVER, TimerStatus, recheck

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-01T{clock}+00:00")


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, "2026-01-01T12:00:00.25+00:00"),
        (NEW_YORK, "2026-01-01T07:00:00.25-05:00"),
        (TOKYO, "2026-01-01T21:00:00.25+09:00"),
    ],
)
def test_times_are_written_as_dotnet_writes_them(zone: tzinfo, text: str) -> None:
    status = TimerStatus(NOON, last=NOON + timedelta(seconds=0.25))
    written = status.to_json(zone)
    assert written["Last"] == text
    assert written["LastUpdated"] == "0001-01-01T00:00:00+00:00"
    assert TimerStatus.from_json(written, zone) == status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T13:00:00.1234567+01:00", at("12:00:00.123456")),
        ("2026-01-01T07:00:00", NOON),  # of the schedule's time zone
        ("0001-01-01T00:00:00", NEVER),
        ("0001-01-01T02:00:00+02:00", NEVER),
        ("0001-01-01T00:00:00-08:00", NEVER),
        (None, NEVER),
    ],
)
def test_times_of_azures_host_are_read(text: str | None, expected: datetime) -> None:
    status = TimerStatus.from_json({"Last": text, "Next": "2026-01-01T12:00:00Z"}, NEW_YORK)
    assert status == TimerStatus(NOON, last=expected, updated=NEVER)


@pytest.mark.parametrize("value", [7, "soon", ["2026"], "9999-12-31T23:59:59+99:00"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        TimerStatus.from_json({"Next": value}, UTC)


moments = st.datetimes(datetime(2, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))


@given(moments, moments, moments, st.sampled_from([UTC, NEW_YORK, TOKYO]))
def test_what_is_written_is_read(last: datetime, due: datetime, updated: datetime, zone: tzinfo) -> None:
    status = TimerStatus(due, last, updated)
    assert TimerStatus.from_json(status.to_json(zone), zone) == status


@pytest.mark.parametrize(
    ("kept", "schedule", "expected"),
    [
        # It is as it was: nothing happens, also when it is past due.
        (
            TimerStatus(at("12:05:00"), last=at("12:00:00")),
            "0 */5 * * * *",
            TimerStatus(at("12:05:00"), last=at("12:00:00")),
        ),
        (
            TimerStatus(at("11:05:00"), last=at("11:00:00"), updated=at("11:00:00")),
            "0 */5 * * * *",
            TimerStatus(at("11:05:00"), last=at("11:00:00"), updated=at("11:00:00")),
        ),
        # It never ran; the next time was worked out when the host started.
        (
            TimerStatus(at("12:05:00"), updated=at("12:00:30")),
            "0 */5 * * * *",
            TimerStatus(at("12:05:00"), updated=at("12:00:30")),
        ),
        # The schedule has changed: the next occurrence is counted from the last run ...
        (
            TimerStatus(at("12:05:00"), last=at("12:00:00"), updated=at("12:00:00")),
            "0 0 * * * *",
            TimerStatus(at("13:00:00"), updated=at("12:00:00")),
        ),
        # ... but what nobody announced was not missed.
        (
            TimerStatus(at("11:30:00"), last=at("10:30:00"), updated=at("10:30:00")),
            "0 0 * * * *",
            TimerStatus(at("13:00:00"), updated=at("12:02:00")),
        ),
        # Nothing is known.
        (TimerStatus(NEVER), "0 0 * * * *", TimerStatus(at("13:00:00"), updated=at("12:02:00"))),
    ],
)
def test_a_status_is_checked_when_a_host_starts(
    kept: TimerStatus, schedule: str, expected: TimerStatus
) -> None:
    now = at("12:02:00")
    assert recheck(kept, parse_schedule(schedule, now), now) == expected
    assert recheck(expected, parse_schedule(schedule, now), now) == expected
