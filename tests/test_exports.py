"""The public surface: what ``import webpubsub as wps`` gives, and what it does not load."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import webpubsub

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

# A union has no place for a docstring.
WITHOUT_DOCSTRING = {"EventResponse"}
SERVERS = [
    "aiohttp",
    "uvicorn",
    "jwt",
    "typer",
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


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'webpubsub' has no attribute 'web_pubsub_triger'"):
        webpubsub.web_pubsub_triger  # noqa: B018


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
