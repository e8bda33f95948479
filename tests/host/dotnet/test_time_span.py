"""Spans of time as .NET writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from webpubsub.host.dotnet.time_span import parse_time_span, show_time_span


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("00:05", timedelta(minutes=5)),
        ("1:2:3", timedelta(hours=1, minutes=2, seconds=3)),
        ("23:59:59.5", timedelta(hours=23, minutes=59, seconds=59.5)),
        ("1.12:00:00", timedelta(days=1, hours=12)),
        ("10", timedelta(days=10)),
        ("-1", timedelta(days=-1)),
        ("-00:00:01", timedelta(seconds=-1)),
        (" 00:00:01 ", timedelta(seconds=1)),
        ("00:00:00.0000001", timedelta(0)),
        ("24:00:00", None),
        ("00:60:00", None),
        ("00:00:60", None),
        ("5 minutes", None),
        ("1:2:3:4:5", None),
        ("1.5", None),
        ("", None),
        ("٠٠:٠٥", None),  # noqa: RUF001 - digits, but not those of .NET
    ],
)
def test_texts_are_spans_or_not(text: str, expected: timedelta | None) -> None:
    assert parse_time_span(text) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, "00:00:01"),
        (300, "00:05:00"),
        (1800, "00:30:00"),
        (86400, "1.00:00:00"),
        (90061.5, "1.01:01:01.5000000"),
        (0.05, "00:00:00.0500000"),
    ],
)
def test_spans_are_shown_as_dotnet_shows_them(seconds: float, expected: str) -> None:
    assert show_time_span(seconds) == expected
    span = parse_time_span(expected)
    assert span is not None
    assert span.total_seconds() == seconds
