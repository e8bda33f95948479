"""``logging.logLevel`` of host.json."""

from __future__ import annotations

import pytest

from webpubsub.model.logs.levels import LogLevels

DOCUMENTED = LogLevels(
    {"default": 30, "host": 10, "function": 40, "function.chat": 20, "function.chat.user": 10, "worker*": 51}
)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("Function.other", 40),
        ("Function.other.User", 40),
        ("Function.Chat", 20),
        ("function.chat.user", 10),
        ("Host.Timer", 10),
        ("Worker.rpc", 51),
        ("Microsoft", 30),
    ],
)
def test_the_longest_beginning_counts(category: str, expected: int) -> None:
    assert DOCUMENTED.of(category) == expected


def test_without_any_the_usual_counts() -> None:
    assert (LogLevels().of("Function.x"), LogLevels().of("Function.x", 10)) == (20, 10)
    assert (LogLevels().of_users, DOCUMENTED.of_users, LogLevels({"default": 40}).of_users) == (20, 10, 40)
