"""Names: what is one, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import InvalidName
from webpubsub.model.names import (
    PLAIN_GROUP,
    parse_connection_id,
    parse_event_name,
    parse_group_name,
    parse_hub_name,
    parse_user_id,
)

ALL = [parse_hub_name, parse_group_name, parse_user_id, parse_connection_id, parse_event_name]


@pytest.mark.parametrize(
    ("parse", "text", "name"),
    [
        (parse_hub_name, "chat", "chat"),
        (parse_hub_name, "Sample_FuncChat", "sample_funcchat"),
        (parse_hub_name, "a`,.[]9", "a`,.[]9"),
        (parse_hub_name, "h" * 128, "h" * 128),
        (parse_group_name, "Group 1", "Group 1"),
        (parse_group_name, " a ", " a "),
        (parse_group_name, "日本/%+", "日本/%+"),
        (parse_group_name, "g" * 1024, "g" * 1024),
        (parse_user_id, "Alice", "Alice"),
        (parse_user_id, "a/b", "a/b"),
        (parse_user_id, "u" * 5000, "u" * 5000),
        (parse_connection_id, "b-D_9", "b-D_9"),
        (parse_event_name, "message", "message"),
        (parse_event_name, "My.Event_1-x", "My.Event_1-x"),
        (parse_event_name, "e" * 128, "e" * 128),
    ],
)
def test_a_name_is_kept_but_for_the_case_of_hubs(parse: Callable[[str], str], text: str, name: str) -> None:
    assert parse(text) == name


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_hub_name, ""),
        (parse_hub_name, "1chat"),
        (parse_hub_name, "_chat"),
        (parse_hub_name, "my chat"),
        (parse_hub_name, "chat\n"),
        (parse_hub_name, "çhat"),
        (parse_hub_name, "h" * 129),
        (parse_group_name, ""),
        (parse_group_name, "  \t"),
        (parse_group_name, "g" * 1025),
        (parse_user_id, ""),
        (parse_user_id, " "),
        (parse_connection_id, ""),
        (parse_connection_id, "\n"),
        (parse_event_name, ""),
        (parse_event_name, "1event"),
        (parse_event_name, "my event"),
        (parse_event_name, "e" * 129),
        (parse_event_name, "event\n"),
    ],
)
def test_a_name_outside_its_rules_is_refused(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidName):
        parse(text)


@pytest.mark.parametrize("parse", ALL)
@pytest.mark.parametrize("value", [None, 5, b"chat", ["chat"], "a\ud800"])
def test_what_is_not_text_is_not_a_name(parse: Callable[[Any], str], value: object) -> None:
    """``user_id`` of an anonymous connection is None, which is an easy mistake to make."""
    with pytest.raises(InvalidName):
        parse(value)


@pytest.mark.parametrize("parse", ALL)
@given(text=st.text())
def test_any_text_is_a_name_or_refused(parse: Callable[[str], str], text: str) -> None:
    try:
        name = parse(text)
    except InvalidName:
        return
    assert parse(name) == name
    assert name.encode()


@given(st.text(max_size=1030) | st.text(st.characters(max_codepoint=127), min_size=1020, max_size=1030))
def test_a_plain_group_name_is_a_group_name(name: str) -> None:
    if PLAIN_GROUP.fullmatch(name):
        assert parse_group_name(name) == name
