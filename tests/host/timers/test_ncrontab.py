"""NCRONTAB expressions: what they name, and the next moment that they name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webpubsub.host.timers.ncrontab import next_occurrence, parse_crontab


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        # Seconds, minutes, hours, days, months and years carry.
        ("* * * * * *", "2026-01-01T12:00:00+00:00", "2026-01-01T12:00:01+00:00"),
        ("* * * * * *", "2026-12-31T23:59:59+00:00", "2027-01-01T00:00:00+00:00"),
        ("15 * * * * *", "2026-01-01T12:00:15+00:00", "2026-01-01T12:01:15+00:00"),
        ("0 0 12 * * *", "2026-02-28T12:00:00+00:00", "2026-03-01T12:00:00+00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59+00:00", "2027-12-31T23:59:59+00:00"),
        ("30 20 10 5,20 6,8 *", "2026-06-20T10:20:30+00:00", "2026-08-05T10:20:30+00:00"),
        # A fraction of a second is over.
        ("* * * * * *", "2026-01-01T12:00:00.000001+00:00", "2026-01-01T12:00:01+00:00"),
        ("0 0 12 * * *", "2026-01-01T11:59:59.999999+00:00", "2026-01-01T12:00:00+00:00"),
        # Five fields are in second 0.
        ("* * * * *", "2026-01-01T12:00:00+00:00", "2026-01-01T12:01:00+00:00"),
        ("59 23 * * *", "2026-01-01T23:59:00+00:00", "2026-01-02T23:59:00+00:00"),
        # Months that are too short are left out.
        ("0 0 0 31 * *", "2026-03-31T00:00:00+00:00", "2026-05-31T00:00:00+00:00"),
        ("0 0 0 29,30 2 *", "2026-01-01T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
        ("0 0 0 29 2 *", "2096-02-29T00:00:00+00:00", "2104-02-29T00:00:00+00:00"),
        # Day, month and day of the week must all fit.
        ("0 0 0 13 * fri", "2026-03-13T00:00:00+00:00", "2026-11-13T00:00:00+00:00"),
        ("0 0 0 1-7 sep mon", "2026-01-01T00:00:00+00:00", "2026-09-07T00:00:00+00:00"),
        ("0 0 0 29 2 mon", "2072-03-01T00:00:00+00:00", "2112-02-29T00:00:00+00:00"),
        # Other zones have their own midnight, some with half hours.
        ("0 0 0 * * *", "2026-01-01T00:00:00+05:30", "2026-01-02T00:00:00+05:30"),
    ],
)  # fmt: skip
def test_the_next_moment(text: str, now: str, expected: str) -> None:
    found = next_occurrence(parse_crontab(text), datetime.fromisoformat(now))
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    ("text", "zone", "now", "expected"),
    [
        # Half an hour is skipped, and comes twice.
        ("0 15 2 * * *", "Australia/Lord_Howe", "2026-10-04T01:00+10:30", "2026-10-04T02:45:00+11:00"),
        ("0 */10 * * * *", "Australia/Lord_Howe", "2026-04-05T01:50+11:00", "2026-04-05T01:30:00+10:30"),
        ("0 40 1 * * *", "Australia/Lord_Howe", "2026-04-05T01:40+11:00", "2026-04-06T01:40:00+10:30"),
        ("0 40 1 * * *", "Australia/Lord_Howe", "2026-04-05T01:35+10:30", "2026-04-06T01:40:00+10:30"),
        ("0 */10 * * * *", "Australia/Lord_Howe", "2026-04-05T01:40+11:00", "2026-04-05T01:50:00+11:00"),
        # A whole day is skipped.
        ("0 0 12 30 12 *", "Pacific/Apia", "2011-12-29T13:00-10:00", "2011-12-31T12:00:00+14:00"),
        # Midnight is skipped, and comes twice.
        ("0 0 0 * * *", "America/Havana", "2026-03-07T12:00-05:00", "2026-03-08T01:00:00-04:00"),
        ("0 30 0 * * *", "America/Havana", "2026-10-31T12:00-04:00", "2026-11-01T00:30:00-04:00"),
        ("0 30 0 * * *", "America/Havana", "2026-11-01T00:30-04:00", "2026-11-02T00:30:00-05:00"),
        ("0 0/30 0 * * *", "America/Havana", "2026-11-01T00:30-04:00", "2026-11-01T00:00:00-05:00"),
        # The second pass is not lost when the moment after it is a year away, in summer time again.
        ("0 */30 1 1 11 *", "America/Los_Angeles", "2020-11-01T01:45-07:00", "2020-11-01T01:00:00-08:00"),
    ],
)  # fmt: skip
def test_the_next_moment_when_clocks_change(text: str, zone: str, now: str, expected: str) -> None:
    moment = datetime.fromisoformat(now).astimezone(ZoneInfo(zone))
    assert next_occurrence(parse_crontab(text), moment).isoformat() == expected


@pytest.mark.parametrize("text", ["0 0 0 30 2 *", "0 0 0 31 2,4,6,9,11 *", "* * * 30,31 2 mon"])
@pytest.mark.parametrize("now", ["2026-01-01T00:00:00+00:00", "9999-12-31T00:00:00+00:00"])
def test_a_day_that_no_month_has(text: str, now: str) -> None:
    with pytest.raises(ValueError, match=r"^no such day ever comes$"):
        next_occurrence(parse_crontab(text), datetime.fromisoformat(now))


LEVELS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
EVERY_DAY = (set(range(1, 32)), set(range(1, 13)), set(range(7)))
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def named(text: str, lowest: int, highest: int) -> set[int]:
    """What a field names, asked of each value that it may have."""
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.replace("*", f"{lowest}-{highest}").partition("-")
        ends = (int(first), int(last or (highest if step else first)))
        found |= {
            value
            for value in range(min(ends), max(ends) + 1)
            if (value - min(ends)) % (int(step) if step else 1) == 0
        }
    return found


class Expression(NamedTuple):
    """A text, and what its fields name."""

    text: str
    fields: list[set[int]]

    def fits(self, wall: datetime) -> bool:
        shown = (wall.second, wall.minute, wall.hour, wall.day, wall.month, wall.isoweekday() % 7)
        return all(value in field for value, field in zip(shown, self.fields, strict=True))


def items(lowest: int, highest: int) -> st.SearchStrategy[str]:
    shapes = st.sampled_from(["{0}", "{0}-{1}", "*/{2}", "{0}/{2}", "{0}-{1}/{2}", "*"])
    values, steps = st.integers(lowest, highest), st.integers(1, highest + 2)
    return st.builds(str.format, shapes, values, values, steps)


def expressions(pattern: str) -> st.SearchStrategy[Expression]:
    """Any expression that has a field of its own where ``pattern`` has a question mark."""
    parts = [
        st.lists(items(*level), min_size=1, max_size=3).map(",".join) if part == "?" else st.just(part)
        for part, level in zip(pattern.split(), LEVELS, strict=True)
    ]
    return st.tuples(*parts).map(
        lambda texts: Expression(
            " ".join(texts), [named(text, *level) for text, level in zip(texts, LEVELS, strict=True)]
        )
    )


walls = st.datetimes(datetime(1990, 1, 1), datetime(2110, 1, 1))


@pytest.mark.parametrize(
    ("pattern", "step", "steps"),
    [("? ? ? * * *", SECOND, 5000), ("0 ? ? ? * ?", MINUTE, 5000), ("0 0 0 ? ? ?", DAY, 5000)],
)
@settings(deadline=None)
@given(data=st.data())
def test_it_is_what_a_look_at_each_moment_finds(
    data: st.DataObject, pattern: str, step: timedelta, steps: int
) -> None:
    expression, wall = data.draw(expressions(pattern)), data.draw(walls)
    start = wall.replace(microsecond=0)
    if step >= MINUTE:
        start = start.replace(second=0)
    if step >= DAY:
        start = start.replace(hour=0, minute=0)
    looked = (start + step * at for at in range(1, steps + 1))
    expected = next((moment for moment in looked if expression.fits(moment)), None)
    try:
        found = next_occurrence(parse_crontab(expression.text), wall.replace(tzinfo=UTC))
    except ValueError:
        assert expected is None
        return
    shown = found.replace(tzinfo=None)
    assert shown == expected if expected else shown > start + step * steps and expression.fits(shown)


def looks(start: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """What clocks show each minute after ``start``, and when; what they skip comes as much later."""
    before = start.astimezone(zone).replace(tzinfo=None)
    for moment in (start + MINUTE * at for at in range(1, 6000)):
        shown = moment.astimezone(zone)
        skipped = before + MINUTE
        while skipped < shown.replace(tzinfo=None):
            yield skipped.replace(fold=0), moment + (skipped - before - MINUTE)
            skipped += MINUTE
        before = shown.replace(tzinfo=None, fold=0)
        yield shown.replace(tzinfo=None), moment


# In the hours that may be skipped or come twice, and with nothing that repeats.
once = st.tuples(st.integers(0, 59), st.integers(0, 3)).map(
    lambda at: Expression(f"0 {at[0]} {at[1]} * * *", [{0}, {at[0]}, {at[1]}, *EVERY_DAY])
)

CHANGES = [
    ("America/Los_Angeles", "2018-03-11T10:00Z"),
    ("America/Los_Angeles", "2018-11-04T09:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("America/Havana", "2026-03-08T05:00Z"),
    ("America/Havana", "2026-11-01T05:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(expressions("0 ? ? * * *"), expressions("0 ? * * * *"), once),
    st.sampled_from(CHANGES),
    st.integers(-75, 75),
)
def test_when_clocks_change_it_is_what_a_look_at_each_minute_finds(
    expression: Expression, change: tuple[str, str], minutes: int
) -> None:
    zone, start = ZoneInfo(change[0]), datetime.fromisoformat(change[1]) + MINUTE * minutes
    repeats = any(sign in " ".join(expression.text.split()[:3]) for sign in "*-/")
    expected = next(
        moment for wall, moment in looks(start, zone) if expression.fits(wall) and (repeats or not wall.fold)
    )
    found = next_occurrence(parse_crontab(expression.text), start.astimezone(zone))
    # Of times that clocks show twice, Python says that they equal nothing in another zone.
    assert found.astimezone(UTC) == expected
