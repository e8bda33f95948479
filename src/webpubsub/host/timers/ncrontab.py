"""NCRONTAB expressions: six fields, seconds first.

Parsed here, as cron's own parsers know more, and other things, than Azure's host: there both the day and
the day of the week must fit, Sunday is only 0, a range may be given backwards, and names may be shortened.

Source: NCrontab, "Crontab Expression"; Azure Functions, timer trigger, "NCRONTAB expressions".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
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


class Crontab(msgspec.Struct, frozen=True):
    """A parsed expression.

    Attributes:
        fields: The values of each field, as cron writes them.
        repeats: It names no single moment of a day: second, minute or hour have ``*``, ``-`` or ``/``.
    """

    fields: str
    repeats: bool

    def walls_after(self, wall: datetime) -> Iterator[datetime]:
        """Return what a clock without time zone shows at each occurrence after ``wall``.

        Raises:
            ValueError: There is none.
        """
        from croniter import croniter  # only apps with timers pay for it

        times = croniter(self.fields, wall, second_at_beginning=True, day_or=False)
        while True:
            found: datetime = times.get_next(datetime)
            yield found


def parse_crontab(text: str) -> Crontab:
    """Read an expression of six fields, or of five, then in second 0.

    Raises:
        ValueError: It is none; the text says why.

    Example:
        >>> parse_crontab("0 30 9 * jan mon-fri").fields
        '0 30 9 * 1 1,2,3,4,5'
    """
    parts = text.split()
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) != 6:
        raise ValueError(f"it has {len(parts)} fields" if len(parts) != 1 else "it has one field")
    values = [_values(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    return Crontab(" ".join(values), repeats=any(set(part) & set("*-/") for part in parts[:3]))


def _values(field: _Field, text: str) -> str:
    if text == "*":
        return text
    found = sorted({value for item in text.split(",") for value in _item(field, item)})
    return ",".join(map(str, found))


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
