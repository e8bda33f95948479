"""%settings% and {expressions}."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.host.expressions import Template, expand_settings, json_members, system_data
from webpubsub.model.errors import ConfigurationError, PeerError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GUID = UUID("12345678-9abc-def0-1234-56789abcdef0")
DATA: dict[str, Any] = {
    **system_data("negotiate", lambda: NOW, lambda: GUID),
    "query": {"UserId": "alice", "empty": ""},
    "headers": {"x-ms-client-principal-name": "bob"},
    "id": "7",
    "_x1": "underscore",
    "naïve": "letters",
    "count": 3,
    "ratio": 1.5,
    "whole": 2.0,
    "flag": True,
    "nothing": None,
    "nested": {"deep": {"er": "down"}, "null": None, "flag": False},
    "many": ["a"],
}


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
        ("{_x1}", "underscore"),
        ("{naïve}", "letters"),
        ("room-{id}-{query.userid}!", "room-7-alice!"),
        ("{count}", "3"),
        ("{ratio}", "1.5"),
        ("{whole}", "2"),
        ("{flag}", "True"),
        ("{nested.flag}", "False"),
        ("{nested.deep.er}", "down"),
        ("a{nothing}b", "ab"),
        ("a{nested.null}b", "ab"),
        ("%HubName%", "chat"),
        ("%hubname%-{id}", "chat-7"),
        ("%Template%", "alice"),
        # doubled braces
        ("{{2014}}", "{2014}"),
        ("{{id}}", "{id}"),
        ("{{{id}}}", "{7}"),
        ("{id}-p2/{{2014}}/{count}", "7-p2/{2014}/3"),
        # the host's own
        ("{sys.MethodName}", "negotiate"),
        ("{sys.UtcNow}", "2026-01-02T03-04-05Z"),
        ("{sys.utcnow:}", "2026-01-02T03-04-05Z"),
        ("{sys.UtcNow:yyyy-MM-dd HH:mm:ss}", "2026-01-02 03:04:05"),
        ("{sys.UtcNow:yyyy.MM.dd}", "2026.01.02"),
        ("{datetime}", "2026-01-02T03-04-05Z"),
        ("{DateTime:yyyy-MM-dd}", "2026-01-02"),
        ("{datetime:HH:mm}", "03:04"),
        ("{sys.RandGuid}", "12345678-9abc-def0-1234-56789abcdef0"),
        ("{rand-guid}", "12345678-9abc-def0-1234-56789abcdef0"),
        ("{rand-guid:}", "12345678-9abc-def0-1234-56789abcdef0"),
        ("{rand-guid:D}", "12345678-9abc-def0-1234-56789abcdef0"),
        ("{RAND-GUID:N}", "123456789abcdef0123456789abcdef0"),
        ("{rand-guid:B}", "{12345678-9abc-def0-1234-56789abcdef0}"),
        ("{sys.randguid:P}", "(12345678-9abc-def0-1234-56789abcdef0)"),
        # a format of anything else is ignored
        ("{id:D4}", "7"),
        ("{count:0000}", "3"),
        ("{query.userid:x y}", "alice"),
    ],
)
def test_expressions_are_replaced(text: str, expected: str) -> None:
    settings = {"HubName": "chat", "hubname": "chat", "Template": "{query.userid}"}
    assert Template.parse(text, settings).resolve(DATA, "'userId'") == expected


@pytest.mark.parametrize("name", ["datetime", "rand-guid"])
def test_a_value_of_the_request_comes_before_the_hosts_own(name: str) -> None:
    data = DATA | {name: "mine"}
    assert Template.parse(f"{{{name}}}", {}).resolve(data, "'userId'") == "mine"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{Zone}", "'userId': No value for named parameter 'Zone'."),
        (
            "{query.Other}",
            "'userId': Error while accessing 'Other': property doesn't exist. (in 'query.Other')",
        ),
        ("{id.more}", "'userId': Error while accessing 'more': property doesn't exist. (in 'id.more')"),
        ("{nested}", "'userId': 'nested' is an object: expected one value"),
        ("{many}", "'userId': 'many' is a list: expected one value"),
        ("{datetimes}", "'userId': No value for named parameter 'datetimes'."),
    ],
)
def test_an_expression_without_one_value_fails_the_invocation(text: str, problem: str) -> None:
    with pytest.raises(PeerError) as caught:
        Template.parse(text, {}).resolve(DATA, "'userId'")
    assert (str(caught.value), caught.value.status) == (problem, 500)


NO_NAME = "expected a name of letters, digits and '_' that starts with no digit, or several with dots between"
NO_PARTNER = "a brace that is meant literally is doubled"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "%Missing%",
            "setting 'Missing' of '%Missing%' does not exist: add it to 'Values' in local.settings.json or "
            "to the environment",
        ),
        ("100%", "'100%' has a '%' without its partner: a setting is written '%name%'"),
        ("{id", f"'{{id' has a '{{' without its partner at 1: {NO_PARTNER}"),
        ("a}", f"'a}}' has a '}}' without its partner at 2: {NO_PARTNER}"),
        ("x{}", f"'{{}}' in 'x{{}}' is unusable: {NO_NAME}"),
        ("{ id }", f"'{{ id }}' in '{{ id }}' is unusable: {NO_NAME}"),
        ("{1st}", f"'{{1st}}' in '{{1st}}' is unusable: {NO_NAME}"),
        ("{a..b}", f"'{{a..b}}' in '{{a..b}}' is unusable: {NO_NAME}"),
        ("{a.}", f"'{{a.}}' in '{{a.}}' is unusable: {NO_NAME}"),
        ("{x-id}", "'{x-id}' in '{x-id}' is unusable: only names after a dot may have a dash"),
        (
            "{datetime:yyyy.MM}",
            "'{datetime:yyyy.MM}' in '{datetime:yyyy.MM}' is unusable: Azure cuts a format of 'datetime' at "
            "its first dot: write '{sys.UtcNow:yyyy.MM}' instead",
        ),
        (
            "{rand-guid:Q}",
            "'{rand-guid:Q}' in '{rand-guid:Q}' is unusable: 'Q' is no GUID format: expected one of N D B P "
            "X",
        ),
        (
            "{datetime:q}",
            "'{datetime:q}' in '{datetime:q}' is unusable: 'q' is no standard date and time format: expected "
            "one of d D f F g G M m O o R r s t T u U Y y, or a custom format such as 'yyyy-MM-dd'",
        ),
    ],
)
def test_what_can_never_be_resolved_fails_at_load(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Template.parse(text, {})
    assert str(caught.value) == problem


def test_several_settings_in_one_text_are_replaced() -> None:
    assert expand_settings("%a%/%b%", {"a": "1", "b": "2"}) == "1/2"


@pytest.mark.parametrize(
    ("text", "is_constant", "shown"), [("%a%", True, "x"), ("{{%a%}}", True, "{x}"), ("%b%", False, "{x}")]
)
def test_a_text_without_expressions_is_constant(text: str, is_constant: bool, shown: str) -> None:
    template = Template.parse(text, {"a": "x", "b": "{x}"})
    assert (template.is_constant, template.text) == (is_constant, shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"A": 1, "b": null, "c": {"D": []}}', {"a": 1, "c": {"D": []}}),
        (b' {"a": "b"}', {"a": "b"}),
        ("[1]", {}),
        ("{a", {}),
        (b"{\xff}", {}),
        ("", {}),
        ('{"a":' + "[" * 100_000, {}),
    ],
)
def test_members_of_json_objects_are_data(text: str | bytes, expected: dict[str, Any]) -> None:
    assert json_members(text) == expected


@given(st.text(alphabet="a{}.:-% dyf'\\1", max_size=20))
def test_any_text_is_a_template_or_a_told_error(text: str) -> None:
    try:
        found = Template.parse(text, {}).resolve(DATA, "'x'")
    except (ConfigurationError, PeerError):
        return
    assert isinstance(found, str)
