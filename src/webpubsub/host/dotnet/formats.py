"""Dates, GUIDs and numbers as .NET writes them, for the formats in binding expressions.

Formats are compiled once, at load; what .NET would refuse at each invocation is refused there.

Source: .NET, "Standard date and time format strings", "Custom date and time format strings" and
"Guid.ToString", all of the invariant culture, and times of kind UTC, as the Functions host has no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from webpubsub.model.errors import ConfigurationError

# The binder's own default: ISO 8601 with dashes for the colons, so that it can be part of a file's name.
DEFAULT_DATETIME: Final = "yyyy-MM-ddTHH-mm-ssK"

_STANDARD: Final[Mapping[str, str]] = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "M": "MMMM dd",
    "m": "MMMM dd",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "Y": "yyyy MMMM",
    "y": "yyyy MMMM",
}
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

# A quoted literal, an escaped character, a lone custom specifier, fractions that may vanish with the point
# before them, a run of one letter, anything else.
_TOKEN: Final = re.compile(
    r"(?P<quote>['\"])(?P<quoted>(?:(?!(?P=quote))(?:\\.|[^\\]))*)(?P=quote)"
    r"|\\(?P<escaped>.)|%(?P<lone>[^%])|(?P<point>\.F+)|(?P<run>(?P<letter>[a-zA-Z])(?P=letter)*)"
    r"|(?P<other>[^'\"\\%])",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

Show = Callable[[datetime], str]


def compile_datetime(text: str) -> Show:
    """Return what shows a time (UTC) in a format.

    Raises:
        ConfigurationError: .NET would refuse the format.

    Example:
        >>> compile_datetime("yyyy-MM-dd HH:mm")(datetime(2026, 1, 2, 3, 4))
        '2026-01-02 03:04'
    """
    custom = _STANDARD.get(text) if len(text) == 1 else text
    if custom is None:
        raise ConfigurationError(
            f"'{text}' is no standard date and time format: expected one of {' '.join(_STANDARD)}, or a "
            "custom format such as 'yyyy-MM-dd'"
        )
    shown: list[Show] = []
    at = 0
    while at < len(custom):
        token = _TOKEN.match(custom, at)
        if token is None:
            raise ConfigurationError(
                f"the date and time format '{text}' has a {custom[at]} at {at + 1} without what must follow"
            )
        shown.append(_part(token, text))
        at = token.end()
    return lambda moment: "".join(show(moment) for show in shown)


def _part(token: re.Match[str], text: str) -> Show:
    if token["quoted"] is not None:
        return _literal(_ESCAPE.sub(r"\1", token["quoted"]))
    if token["point"] is not None:
        return lambda moment: (
            f".{fraction}" if (fraction := _short_fraction(moment, len(token[0]) - 1)) else ""
        )
    run = token["run"] or token["lone"]
    if run is None:
        return _literal(token["escaped"] or token["other"])
    if run[0] in "fF" and len(run) > 7:
        raise ConfigurationError(f"the date and time format '{text}' has '{run}': expected 7 digits at most")
    make = _SPECIFIERS.get(run[0])
    return _literal(run) if make is None else make(len(run))


def _literal(text: str) -> Show:
    return lambda moment: text


def _number(value: Callable[[datetime], int]) -> Callable[[int], Show]:
    """Return the maker of a one or two digit number."""
    return lambda count: lambda moment: f"{value(moment):0{min(count, 2)}}"


def _year(count: int) -> Show:
    if count > 2:
        return lambda moment: f"{moment.year:0{count}}"
    return lambda moment: f"{moment.year % 100:0{count}}"


def _named(names: tuple[str, ...], value: Callable[[datetime], int], number: int) -> Callable[[int], Show]:
    """Return the maker of a number (one or two letters), a short name (three) or a name (four or more)."""

    def make(count: int) -> Show:
        if count < 3:
            return lambda moment: f"{value(moment) + number:0{count}}"
        return lambda moment: names[value(moment)][: 3 if count == 3 else None]

    return make


def _day(count: int) -> Show:
    named = _named(_DAYS, datetime.weekday, 0)(count)
    return named if count > 2 else lambda moment: f"{moment.day:0{count}}"


def _fraction(moment: datetime, digits: int) -> str:
    return f"{moment.microsecond:06}0"[:digits]


def _short_fraction(moment: datetime, digits: int) -> str:
    return _fraction(moment, digits).rstrip("0")


def _zone(count: int) -> Show:
    return _literal(("+0", "+00", "+00:00")[min(count, 3) - 1])


# Letter -> how a run of `count` of them is shown; other letters stand for themselves.
_SPECIFIERS: Final[Mapping[str, Callable[[int], Show]]] = {
    "d": _day,
    "f": lambda count: lambda moment: _fraction(moment, count),
    "F": lambda count: lambda moment: _short_fraction(moment, count),
    "g": lambda count: _literal("A.D."),
    "h": _number(lambda moment: (moment.hour + 11) % 12 + 1),
    "H": _number(lambda moment: moment.hour),
    "K": lambda count: _literal("Z" * count),
    "m": _number(lambda moment: moment.minute),
    "M": _named(_MONTHS, lambda moment: moment.month - 1, 1),
    "s": _number(lambda moment: moment.second),
    "t": lambda count: lambda moment: ("AM" if moment.hour < 12 else "PM")[: min(count, 2)],
    "y": _year,
    "z": _zone,
}


def compile_guid(text: str) -> Callable[[UUID], str]:
    """Return what shows a GUID in a format: ``N``, ``D``, ``B``, ``P`` or ``X``, in any case.

    Raises:
        ConfigurationError: It is another.

    Example:
        >>> compile_guid("N")(UUID("12345678-1234-5678-1234-567812345678"))
        '12345678123456781234567812345678'
    """
    show = _GUIDS.get(text.upper())
    if show is None:
        raise ConfigurationError(f"'{text}' is no GUID format: expected one of {' '.join(_GUIDS)}")
    return show


def _hexadecimal(guid: UUID) -> str:
    rest = ",".join(f"0x{byte:02x}" for byte in guid.bytes[8:])
    return f"{{0x{guid.hex[:8]},0x{guid.hex[8:12]},0x{guid.hex[12:16]},{{{rest}}}}}"


_GUIDS: Final[Mapping[str, Callable[[UUID], str]]] = {
    "N": lambda guid: guid.hex,
    "D": str,
    "B": lambda guid: f"{{{guid}}}",
    "P": lambda guid: f"({guid})",
    "X": _hexadecimal,
}


def show_number(value: float) -> str:
    """Return a JSON number, or a boolean, as .NET's text of it.

    Example:
        >>> show_number(True), show_number(7), show_number(1.0), show_number(1e-7)
        ('True', '7', '1', '1E-07')
    """
    return repr(value).removesuffix(".0").replace("e", "E") if isinstance(value, float) else str(value)
