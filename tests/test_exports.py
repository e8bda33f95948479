"""The public surface: what ``import webpubsub as wps`` gives, and what it does not load."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import webpubsub
from kit.public import public_names

PUBLIC = [
    "FunctionApp",
    "Blueprint",
    "web_pubsub_trigger",
    "web_pubsub_output",
    "web_pubsub_connection_input",
    "web_pubsub_context_input",
    "typed",
    "EventRequest",
    "ConnectEventRequest",
    "ConnectedEventRequest",
    "UserEventRequest",
    "DisconnectedEventRequest",
    "PreflightRequest",
    "WebPubSubConnectionContext",
    "ClientCertificate",
    "WebPubSubEventType",
    "WebPubSubDataType",
    "Payload",
    "EventResponse",
    "ConnectEventResponse",
    "UserEventResponse",
    "EventErrorResponse",
    "http_response",
    "WebPubSubErrorCode",
    "MqttConnectionContext",
    "MqttConnectEventRequest",
    "MqttConnectProperties",
    "MqttConnectedEventRequest",
    "MqttDisconnectedEventRequest",
    "MqttDisconnectedEventRequestProperties",
    "MqttDisconnectPacketProperties",
    "MqttUserProperty",
    "MqttProtocolVersion",
    "MqttDisconnectReasonCode",
    "MqttConnectEventResponse",
    "MqttConnectEventErrorResponse",
    "MqttEventErrorResponse",
    "MqttV311ConnectReturnCode",
    "MqttV500ConnectReasonCode",
    "WebPubSubConnection",
    "WebPubSubContext",
    "WebPubSubContextResponse",
    "Actions",
    "Action",
    "SendToAllAction",
    "SendToGroupAction",
    "SendToUserAction",
    "SendToConnectionAction",
    "AddUserToGroupAction",
    "RemoveUserFromGroupAction",
    "RemoveUserFromAllGroupsAction",
    "AddConnectionToGroupAction",
    "RemoveConnectionFromGroupAction",
    "CloseAllConnectionsAction",
    "CloseClientConnectionAction",
    "CloseGroupConnectionsAction",
    "GrantPermissionAction",
    "RevokePermissionAction",
    "CloseUserConnectionsAction",
    "RemoveConnectionFromAllGroupsAction",
    "AddConnectionsToGroupsAction",
    "RemoveConnectionsFromGroupsAction",
    "WebPubSubPermission",
    "WebPubSubError",
    "UsageError",
    "InvalidName",
    "InvalidData",
    "ConfigurationError",
    "FunctionError",
    "FunctionErrors",
]

ROOT = Path(__file__).parents[1]
# A union has no place for a docstring.
WITHOUT_DOCSTRING = {"EventResponse"}
SERVERS = [
    "aiohttp",
    "uvicorn",
    "jwt",
    "click",
    "websockets",
    "webpubsub.host",
    "webpubsub.http",
    "webpubsub.service",
]


def test_the_public_names_are_these() -> None:
    assert webpubsub.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_exists_and_is_listed(name: str) -> None:
    assert getattr(webpubsub, name) is not None
    assert name in dir(webpubsub)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in WITHOUT_DOCSTRING])
def test_a_public_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(webpubsub, name)
    own = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    assert own
    assert own.strip()


def own_classes(value: type) -> Iterator[type]:
    """Yield a class, and those of this package that it inherits from."""
    return (each for each in value.__mro__ if str(each.__module__).startswith("webpubsub."))


def own_methods(value: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(value).items():
        if not name.startswith("_") and isinstance(
            member, property | classmethod | staticmethod | FunctionType
        ):
            yield f"{value.__name__}.{name}", member


def test_every_method_of_a_public_class_has_a_docstring() -> None:
    classes = {
        each for _, _, value in public_names() if inspect.isclass(value) for each in own_classes(value)
    }
    methods = [method for each in classes for method in own_methods(each)]
    assert len(methods) > 50
    assert [name for name, member in methods if not member.__doc__] == []


def alternatives(pattern: str) -> set[str]:
    """Return the paths that a pattern with braces in braces stands for."""
    inner = re.search(r"\{([^{}]*)\}", pattern)
    if inner is None:
        return {pattern}
    texts = (pattern[: inner.start()] + each + pattern[inner.end() :] for each in inner[1].split(","))
    return set.union(*map(alternatives, texts))


def test_the_linter_asks_for_docstrings_of_methods_where_public_names_come_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ignores = project["tool"]["ruff"]["lint"]["per-file-ignores"]
    (pattern,) = (key for key, rules in ignores.items() if rules == ["D102"])
    homes = {str(getattr(value, "__module__", None)) for _, _, value in public_names()}
    asked = {
        path.removeprefix("!src/").removesuffix(".py").replace("/", ".") for path in alternatives(pattern)
    }
    assert asked == {home for home in homes if home.startswith("webpubsub.")}


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'webpubsub' has no attribute 'web_pubsub_triger'"):
        webpubsub.web_pubsub_triger  # type: ignore[attr-defined]  # noqa: B018


def loaded_after(statement: str) -> set[str]:
    """Return the modules a fresh interpreter has loaded after ``statement``."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_the_bindings_load_no_server() -> None:
    loaded = loaded_after("import webpubsub as wps; wps.FunctionApp; wps.Actions")
    assert "azure.functions" in loaded
    assert loaded.isdisjoint(SERVERS)


def test_the_values_load_no_azure_functions() -> None:
    loaded = loaded_after("import webpubsub as wps; wps.SendToAllAction('hi')")
    assert "azure.functions" not in loaded
    assert loaded.isdisjoint(SERVERS)
