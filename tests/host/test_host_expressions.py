"""%settings% and {expressions}."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.host.expressions import Template, expand_settings, system_data
from webpubsub.model.errors import ConfigurationError, PeerError

DATA: dict[str, Any] = {
    "query": {"UserId": "alice", "empty": ""},
    "headers": {"x-ms-client-principal-name": "bob"},
    "id": "7",
    "count": 3,
    "flag": True,
    "nothing": None,
    "nested": {"deep": {"er": "down"}},
    "many": ["a"],
} | system_data("negotiate", lambda: "2026-01-01T00:00:00Z", lambda: "0-1-2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{query.userid}", "alice"),
        ("{Query.UserID}", "alice"),
        ("{query.empty}", ""),
        ("{headers.x-ms-client-principal-name}", "bob"),
        ("{id}", "7"),
        ("room-{id}-{query.userid}!", "room-7-alice!"),
        ("{ id }", "7"),
        ("{count}", "3"),
        ("{flag}", "true"),
        ("{nested.deep.er}", "down"),
        ("%HubName%", "chat"),
        ("%hubname%-{id}", "chat-7"),
        ("%Template%", "alice"),
        ("{sys.methodname}", "negotiate"),
        ("{sys.utcnow}", "2026-01-01T00:00:00Z"),
        ("{datetime}", "2026-01-01T00:00:00Z"),
        ("{sys.randguid} {rand-guid}", "0-1-2 0-1-2"),
    ],
)
def test_expressions_are_replaced(text: str, expected: str) -> None:
    settings = {"HubName": "chat", "hubname": "chat", "Template": "{query.userid}"}
    assert Template.parse(text, settings).resolve(DATA, "'userId'") == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{query.other}", "{query.other} of 'userId' has no value in this invocation"),
        ("{id.more}", "{id.more} of 'userId' has no value in this invocation"),
        ("{nothing}", "{nothing} of 'userId' has no value in this invocation"),
        ("{}", "{} of 'userId' has no value in this invocation"),
        ("{nested}", "{nested} of 'userId' is an object: expected one value"),
        ("{many}", "{many} of 'userId' is a list: expected one value"),
    ],
)
def test_an_expression_without_one_value_fails_the_invocation(text: str, problem: str) -> None:
    with pytest.raises(PeerError) as caught:
        Template.parse(text, {}).resolve(DATA, "'userId'")
    assert (str(caught.value), caught.value.status) == (problem, 500)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "%Missing%",
            "setting 'Missing' of '%Missing%' does not exist: add it to 'Values' in local.settings.json or "
            "to the environment",
        ),
        ("100%", "'100%' has a '%' without its partner: a setting is written '%name%'"),
        ("{id", "'{id' has a '{' without its partner at 1"),
        ("a}", "'a}' has a '}' without its partner at 2"),
        (
            "{datetime:yyyy}",
            "'{datetime:yyyy}' in '{datetime:yyyy}' has a format, which this host does not apply",
        ),
    ],
)
def test_what_can_never_be_resolved_fails_at_load(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Template.parse(text, {})
    assert str(caught.value) == problem


def test_several_settings_in_one_text_are_replaced() -> None:
    assert expand_settings("%a%/%b%", {"a": "1", "b": "2"}) == "1/2"


def test_a_text_without_expressions_is_constant() -> None:
    assert Template.parse("%a%", {"a": "x"}).is_constant
    assert not Template.parse("%a%", {"a": "{x}"}).is_constant
