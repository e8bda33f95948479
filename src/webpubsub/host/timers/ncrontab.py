"""NCRONTAB expressions: six fields, seconds first.

Cron's own libraries know more, and other things, than Azure's host: there both the day and the day of the
week must fit, Sunday is only 0, a range may be given backwards, and names may be shortened.

Source: NCrontab, "Crontab Expression"; Azure Functions, timer trigger, "NCRONTAB expressions".
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Final

import msgspec


class _Field(msgspec.Struct, frozen=True):
    """One field's name and range; names count from its lowest value."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()


_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)
# The 29th of February is on a given day of the week at least once in this time, across a year such as 2100.
_LONGEST_WAIT_YEARS: Final = 40
_SECOND: Final = timedelta(seconds=1)
_LOWEST: Final = (0, 0, 0)  # no value is less


class Crontab(msgspec.Struct, frozen=True):
    """A parsed expression: the values of each field, in order.

    Attributes:
        seconds: 0 to 59.
        minutes: 0 to 59.
        hours: 0 to 23.
        days: Of a month, 1 to 31.
        months: 1 to 12.
        weekdays: 0 to 6, from Sunday.
        repeats: It names no single moment of a day: second, minute or hour have ``*``, ``-`` or ``/``.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    repeats: bool


def next_occurrence(crontab: Crontab, now: datetime) -> datetime:
    """Return the first moment after ``now`` that ``crontab`` names, on the clocks of the zone of ``now``.

    What clocks skip comes as much later. In an hour that they show twice, what repeats within a day comes in
    both passes, the rest in the first.

    Raises:
        ValueError: There is none.

    Example:
        >>> next_occurrence(parse_crontab("0 30 9 * * *"), datetime(2026, 1, 1, 12, tzinfo=UTC)).isoformat()
        '2026-01-02T09:30:00+00:00'
    """
    wall = now.replace(tzinfo=None)
    found = _first_after(crontab, now, wall)
    back = _offset(now.replace(fold=0)) - _offset(now.replace(fold=1))
    if crontab.repeats and back > timedelta():  # clocks show this twice, and what was before it, too
        found = min(found, _first_after(crontab, now, wall - back))
    return found.astimezone(now.tzinfo)


def _first_after(crontab: Crontab, now: datetime, wall: datetime) -> datetime:
    """Return the first moment after ``now``, in UTC, of those that a clock shows after ``wall``."""
    for occurrence in _walls_after(crontab, wall):
        for fold in (0, 1) if crontab.repeats else (0,):
            # A moment that clocks skip is read with the offset before, so it comes as much later.
            moment = occurrence.replace(tzinfo=now.tzinfo, fold=fold).astimezone(UTC)
            if moment > now:
                return moment
    raise ValueError("no such day ever comes")


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta()


def _walls_after(crontab: Crontab, wall: datetime) -> Iterator[datetime]:
    """Return what a clock without time zone shows at each occurrence after ``wall``."""
    start = wall + _SECOND
    at = (start.hour, start.minute, start.second)
    for day in _days_from(crontab, start.date()):
        first = at if day == start.date() else _LOWEST
        for hour, minute, second in _rows((crontab.hours, crontab.minutes, crontab.seconds), first):
            yield datetime(day.year, day.month, day.day, hour, minute, second)


def _days_from(crontab: Crontab, start: date) -> Iterator[date]:
    """Return the days from ``start`` on, for so long that one that is missing never comes."""
    at = (start.month, start.day)
    for year in range(start.year, min(start.year + _LONGEST_WAIT_YEARS, MAXYEAR) + 1):
        for month, day in _rows((crontab.months, crontab.days), at):
            first_weekday, length = monthrange(year, month)  # Monday is 0
            if day <= length and (first_weekday + day) % 7 in crontab.weekdays:
                yield date(year, month, day)
        at = _LOWEST[:2]


def _rows(fields: tuple[tuple[int, ...], ...], start: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Return the rows of one value a field from ``start`` on, in order.

    Example:
        >>> list(_rows(((1, 2), (0, 30)), (1, 15)))
        [(1, 30), (2, 0), (2, 30)]
    """
    if not fields:
        yield ()
        return
    values, *others = fields
    for value in values[bisect_left(values, start[0]) :]:
        rest = start[1:] if value == start[0] else _LOWEST[: len(others)]
        for row in _rows(tuple(others), rest):
            yield (value, *row)


def parse_crontab(text: str) -> Crontab:
    """Read an expression of six fields, or of five, then in second 0.

    Raises:
        ValueError: It is none; the text says why.

    Example:
        >>> parse_crontab("0 30 9 * jan mon-fri").weekdays
        (1, 2, 3, 4, 5)
    """
    parts = text.split()
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) != 6:
        raise ValueError(f"it has {len(parts)} fields" if len(parts) != 1 else "it has one field")
    values = tuple(_values(field, part) for field, part in zip(_FIELDS, parts, strict=True))
    seconds, minutes, hours, days, months, weekdays = values
    repeats = any(set(part) & set("*-/") for part in parts[:3])
    return Crontab(seconds, minutes, hours, days, months, weekdays, repeats)


def _values(field: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({value for item in text.split(",") for value in _item(field, item)}))


def _item(field: _Field, text: str) -> range:
    """Return the values of ``*``, ``3`` or ``1-5``, each perhaps with a step: ``3/10`` goes to the end."""
    span, slash, step_text = text.partition("/")
    step = _number(step_text) if slash else 1
    if not step:
        raise ValueError(f"'{text}' is no {field.name}: the step must be a number from 1")
    if span == "*":
        return range(field.lowest, field.highest + 1, step)
    first_text, dash, last_text = span.partition("-")
    first = _value(field, first_text)
    last = _value(field, last_text) if dash else (field.highest if slash else first)
    return range(min(first, last), max(first, last) + 1, step)


def _value(field: _Field, text: str) -> int:
    value = _number(text)
    if value is None:
        value = next((at for at, name in enumerate(field.names, field.lowest) if _is_short(text, name)), None)
    if value is None or not field.lowest <= value <= field.highest:
        named = f", or a name such as '{field.names[0][:3]}'" if field.names else ""
        raise ValueError(f"'{text}' is no {field.name}: expected {field.lowest} to {field.highest}{named}")
    return value


def _is_short(text: str, name: str) -> bool:
    return text != "" and name.startswith(text.lower())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
