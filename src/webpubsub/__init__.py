"""Real-time serverless apps for Azure Web PubSub in Python.

What a ``function_app.py`` needs, for ``import webpubsub as wps``. No server is imported, and
``azure.functions`` only when one of the bindings is first used, as the service does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webpubsub.model.actions import (
    Action,
    AddConnectionsToGroupsAction,
    AddConnectionToGroupAction,
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    CloseClientConnectionAction,
    CloseGroupConnectionsAction,
    CloseUserConnectionsAction,
    GrantPermissionAction,
    RemoveConnectionFromAllGroupsAction,
    RemoveConnectionFromGroupAction,
    RemoveConnectionsFromGroupsAction,
    RemoveUserFromAllGroupsAction,
    RemoveUserFromGroupAction,
    RevokePermissionAction,
    SendToAllAction,
    SendToConnectionAction,
    SendToGroupAction,
    SendToUserAction,
    WebPubSubPermission,
)
from webpubsub.model.errors import (
    ConfigurationError,
    FunctionError,
    FunctionErrors,
    InvalidData,
    InvalidName,
    UsageError,
    WebPubSubError,
)
from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    PreflightRequest,
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnection,
    WebPubSubConnectionContext,
    WebPubSubContext,
    WebPubSubContextResponse,
    WebPubSubErrorCode,
    WebPubSubEventType,
)
from webpubsub.model.mqtt.mqtt import (
    MqttConnectEventErrorResponse,
    MqttConnectProperties,
    MqttDisconnectedEventRequestProperties,
    MqttDisconnectPacketProperties,
    MqttEventErrorResponse,
    MqttUserProperty,
)
from webpubsub.model.mqtt.mqtt_codes import (
    MqttDisconnectReasonCode,
    MqttProtocolVersion,
    MqttV311ConnectReturnCode,
    MqttV500ConnectReasonCode,
)
from webpubsub.model.mqtt_events import (
    MqttConnectedEventRequest,
    MqttConnectEventRequest,
    MqttConnectEventResponse,
    MqttConnectionContext,
    MqttDisconnectedEventRequest,
)
from webpubsub.model.payload import Payload, WebPubSubDataType

if TYPE_CHECKING:
    from webpubsub.functions import (
        Actions,
        Blueprint,
        FunctionApp,
        http_response,
        typed,
        web_pubsub_connection_input,
        web_pubsub_context_input,
        web_pubsub_output,
        web_pubsub_trigger,
    )

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # apps
    "FunctionApp",
    "Blueprint",
    # decorators, for any app or blueprint
    "web_pubsub_trigger",
    "web_pubsub_output",
    "web_pubsub_connection_input",
    "web_pubsub_context_input",
    # decorator, for the functions of function.json folders
    "typed",
    # events
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
    # answers
    "EventResponse",
    "ConnectEventResponse",
    "UserEventResponse",
    "EventErrorResponse",
    "http_response",
    "WebPubSubErrorCode",
    # events of MQTT clients, and answers to them
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
    # inputs
    "WebPubSubConnection",
    "WebPubSubContext",
    "WebPubSubContextResponse",
    # actions
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
    # errors
    "WebPubSubError",
    "UsageError",
    "InvalidName",
    "InvalidData",
    "ConfigurationError",
    "FunctionError",
    "FunctionErrors",
]


if not TYPE_CHECKING:  # type checkers know the names from the import above, and that there are no others

    def __getattr__(name: str) -> Any:
        """Import the bindings when one of them is first asked for (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from webpubsub import functions

        value = getattr(functions, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
