"""Dates, GUIDs and numbers as .NET writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.host.dotnet.formats import compile_datetime, compile_guid, show_number
from webpubsub.model.errors import ConfigurationError

AFTERNOON = datetime(2009, 6, 15, 13, 45, 30, 617542, tzinfo=UTC)  # the moment of .NET's own examples
MORNING = datetime(905, 1, 4, 0, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "afternoon", "morning"),
    [
        # custom specifiers
        ("%d", "15", "4"),
        ("dd", "15", "04"),
        ("ddd", "Mon", "Sun"),
        ("dddd", "Monday", "Sunday"),
        ("ddddd", "Monday", "Sunday"),
        ("%f", "6", "0"),
        ("ff", "61", "00"),
        ("ffffff", "617542", "000000"),
        ("fffffff", "6175420", "0000000"),
        ("%F", "6", ""),
        ("ss.FFF", "30.617", "09"),
        ("ssFFFFFFF", "30617542", "09"),
        ("%g", "A.D.", "A.D."),
        ("%h", "1", "12"),
        ("hh", "01", "12"),
        ("hhh", "01", "12"),
        ("%H", "13", "0"),
        ("HH", "13", "00"),
        ("%K", "Z", "Z"),
        ("%m", "45", "5"),
        ("mm", "45", "05"),
        ("%M", "6", "1"),
        ("MM", "06", "01"),
        ("MMM", "Jun", "Jan"),
        ("MMMM", "June", "January"),
        ("%s", "30", "9"),
        ("ss", "30", "09"),
        ("%t", "P", "A"),
        ("tt", "PM", "AM"),
        ("%y", "9", "5"),
        ("yy", "09", "05"),
        ("yyy", "2009", "905"),
        ("yyyy", "2009", "0905"),
        ("yyyyy", "02009", "00905"),
        ("%z", "+0", "+0"),
        ("zz", "+00", "+00"),
        ("zzz", "+00:00", "+00:00"),
        # literals
        ("yyyy-MM-dd", "2009-06-15", "0905-01-04"),
        ("yyyyMMdd/HH", "20090615/13", "09050104/00"),
        ("YYYYMMdd", "YYYY0615", "YYYY0104"),
        ("hh:mm:ss tt", "01:45:30 PM", "12:05:09 AM"),
        ("'day' d", "day 15", "day 4"),
        ('"m"d', "m15", "m4"),
        (r"'it\'s' d", "it's 15", "it's 4"),
        (r"h \h", "1 h", "12 h"),
        (r"\d", "d", "d"),
        ("%dd", "1515", "44"),
        ("", "", ""),
        # standard formats
        ("d", "06/15/2009", "01/04/0905"),
        ("D", "Monday, 15 June 2009", "Sunday, 04 January 0905"),
        ("f", "Monday, 15 June 2009 13:45", "Sunday, 04 January 0905 00:05"),
        ("F", "Monday, 15 June 2009 13:45:30", "Sunday, 04 January 0905 00:05:09"),
        ("g", "06/15/2009 13:45", "01/04/0905 00:05"),
        ("G", "06/15/2009 13:45:30", "01/04/0905 00:05:09"),
        ("M", "June 15", "January 04"),
        ("m", "June 15", "January 04"),
        ("O", "2009-06-15T13:45:30.6175420Z", "0905-01-04T00:05:09.0000000Z"),
        ("o", "2009-06-15T13:45:30.6175420Z", "0905-01-04T00:05:09.0000000Z"),
        ("R", "Mon, 15 Jun 2009 13:45:30 GMT", "Sun, 04 Jan 0905 00:05:09 GMT"),
        ("r", "Mon, 15 Jun 2009 13:45:30 GMT", "Sun, 04 Jan 0905 00:05:09 GMT"),
        ("s", "2009-06-15T13:45:30", "0905-01-04T00:05:09"),
        ("t", "13:45", "00:05"),
        ("T", "13:45:30", "00:05:09"),
        ("u", "2009-06-15 13:45:30Z", "0905-01-04 00:05:09Z"),
        ("U", "Monday, 15 June 2009 13:45:30", "Sunday, 04 January 0905 00:05:09"),
        ("Y", "2009 June", "0905 January"),
        ("y", "2009 June", "0905 January"),
    ],
)
def test_times_are_shown(text: str, afternoon: str, morning: str) -> None:
    show = compile_datetime(text)
    assert (show(AFTERNOON), show(MORNING)) == (afternoon, morning)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", "'x' is no standard date and time format: expected one of d D"),
        ("d 'open", "the date and time format 'd 'open' has a ' at 3 without what must follow"),
        ("dd\\", r"the date and time format 'dd\\' has a \\ at 3 without what must follow"),
        ("dd%", "the date and time format 'dd%' has a % at 3 without what must follow"),
        ("d%%d", "the date and time format 'd%%d' has a % at 2 without what must follow"),
        ("ffffffff", "the date and time format 'ffffffff' has 'ffffffff': expected 7 digits at most"),
    ],
)
def test_what_dotnet_refuses_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        compile_datetime(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N", "12345678abcdef0112345678abcdef01"),
        ("D", "12345678-abcd-ef01-1234-5678abcdef01"),
        ("d", "12345678-abcd-ef01-1234-5678abcdef01"),
        ("B", "{12345678-abcd-ef01-1234-5678abcdef01}"),
        ("P", "(12345678-abcd-ef01-1234-5678abcdef01)"),
        ("X", "{0x12345678,0xabcd,0xef01,{0x12,0x34,0x56,0x78,0xab,0xcd,0xef,0x01}}"),
    ],
)
def test_guids_are_shown(text: str, expected: str) -> None:
    assert compile_guid(text)(UUID("12345678-abcd-ef01-1234-5678abcdef01")) == expected


@pytest.mark.parametrize("text", ["", "Q", "ND"])
def test_no_other_guid_format_is_taken(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{text}' is no GUID format: expected one of N D B P X"):
        compile_guid(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "True"), (False, "False"), (7, "7"), (-1, "-1"), (1.0, "1"), (0.25, "0.25"), (1e-7, "1E-07")],
)
def test_numbers_are_shown(value: float, expected: str) -> None:
    assert show_number(value) == expected


@given(st.text(max_size=12), st.datetimes(timezones=st.just(UTC)))
def test_any_text_is_a_format_or_a_told_error(text: str, moment: datetime) -> None:
    try:
        show = compile_datetime(text)
    except ConfigurationError:
        return
    assert isinstance(show(moment), str)
