"""The table of binding members: the decorators' signatures agree with it, and what it reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import webpubsub as wps
from webpubsub.functions.binding_members import BINDING_TYPES, read_member, written_members
from webpubsub.functions.did_you_mean import camel_case
from webpubsub.model.errors import ConfigurationError, UsageError

DECORATORS: dict[str, Callable[..., Any]] = {
    "webPubSubTrigger": wps.web_pubsub_trigger,
    "webPubSub": wps.web_pubsub_output,
    "webPubSubConnection": wps.web_pubsub_connection_input,
    "webPubSubContext": wps.web_pubsub_context_input,
}
# What a decorator's argument is annotated, by what its member may be.
ANNOTATIONS = {
    "a name": "str",
    "a string": "str | None",
    "a list of strings": "Iterable[str] | None",
    "a list of setting names": "Iterable[str] | None",
    "'system' or 'user'": "WebPubSubEventType | str",
    "'all', 'webPubSub' or 'mqtt'": "str | None",
    "'default' or 'mqtt'": "str | None",
    "seconds, more than 0": "float | timedelta | None",
}


@pytest.mark.parametrize("type_", DECORATORS)
def test_a_decorator_takes_the_members_of_its_binding(type_: str) -> None:
    parameters = inspect.signature(DECORATORS[type_]).parameters
    found = {
        camel_case(name): (parameter.annotation, parameter.default)
        for name, parameter in parameters.items()
        if name not in ("app", "arg_name")
    }
    assert found == {
        name: (ANNOTATIONS[member.values.expected], inspect.Parameter.empty if member.is_required else None)
        for name, member in BINDING_TYPES[type_.lower()].members.items()
    }


READ: list[tuple[str, str, Any, Any]] = [
    # type, member, what function.json says, what is meant
    ("webPubSubTrigger", "eventType", "USER", "user"),
    ("webPubSubTrigger", "eventType", 0, "system"),
    ("webPubSubTrigger", "eventType", "1", "user"),
    ("webPubSubTrigger", "eventName", "Orders.new", "Orders.new"),
    ("webPubSubTrigger", "hub", None, None),
    ("webPubSubTrigger", "connection", None, None),
    ("webPubSubTrigger", "connections", None, ()),
    ("webPubSubTrigger", "connections", ["A"], ["A"]),
    ("webPubSubTrigger", "clientProtocols", None, "all"),
    ("webPubSubTrigger", "clientProtocols", "", "all"),
    ("webPubSubTrigger", "clientProtocols", 0, "all"),
    ("webPubSubTrigger", "clientProtocols", 1, "webPubSub"),
    ("webPubSubTrigger", "clientProtocols", "MQTT", "mqtt"),
    ("WEBPUBSUB", "connection", None, "WebPubSubConnectionString"),
    ("WEBPUBSUB", "connection", "", "WebPubSubConnectionString"),
    ("WEBPUBSUB", "connection", "A", "A"),
    ("webPubSubConnection", "userId", "", ""),
    ("webPubSubConnection", "clientProtocol", None, "default"),
    ("webPubSubConnection", "clientProtocol", 1, "mqtt"),
    ("webPubSubConnection", "roles", [], ()),
    ("webPubSubConnection", "roles", "", ()),
    ("webPubSubConnection", "dataType", "", "string"),
    ("anyOther", "dataType", "BINARY", "binary"),
    ("webPubSubConnection", "expiresAfter", None, 3600),
    ("webPubSubConnection", "expiresAfter", 0.5, 0.5),
]


@pytest.mark.parametrize(("type_", "name", "found", "meant"), READ)
def test_what_is_meant(type_: str, name: str, found: Any, meant: Any) -> None:
    assert read_member({"type": type_, name: found}, name) == meant


REFUSED: list[tuple[str, Any, str]] = [
    # member of a connection input, what function.json says, what is wrong
    ("hub", 5, "'hub' is 5: expected a string"),
    ("userId", ["a"], "'userId' is ['a']: expected a string"),
    ("clientProtocol", 2, "'clientProtocol' is 2: expected 'default' or 'mqtt'"),
    ("roles", "one", "'roles' is 'one': expected a list of strings"),
    ("groups", {"a": 1}, "'groups' is {'a': 1}: expected a list of strings"),
    ("groups", ["a", 1], "'groups' is ['a', 1]: expected a list of strings"),
    ("expiresAfter", "60", "'expiresAfter' is '60': expected seconds, more than 0"),
    ("expiresAfter", -1, "'expiresAfter' is -1: expected seconds, more than 0"),
    ("expiresAfter", float("inf"), "'expiresAfter' is inf: expected seconds, more than 0"),
    ("dataType", "bytes", "'dataType' is 'bytes': expected one of 'string', 'binary', 'stream', 'undefined'"),
]


@pytest.mark.parametrize(("name", "found", "problem"), REFUSED)
def test_what_is_refused(name: str, found: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_member({"type": "webPubSubConnection", name: found}, name)
    assert str(raised.value) == problem


def test_arguments_become_members() -> None:
    found = written_members(
        "webPubSubConnection",
        hub="{query.hub}",
        user_id=None,
        client_protocol="MQTT",
        roles=iter(["a", "b"]),
        expires_after=timedelta(minutes=2),
    )
    assert found == {
        "hub": "{query.hub}",
        "clientProtocol": "mqtt",
        "roles": ["a", "b"],
        "expiresAfter": 120.0,
    }


def test_an_argument_of_a_wrong_type_is_told() -> None:
    with pytest.raises(UsageError) as raised:
        written_members("webPubSubConnection", user_id=5)
    assert str(raised.value) == "user_id is 5: expected a string"
