"""The bindings of each app as the worker reports them to its host."""

from __future__ import annotations

from typing import Any

Binding = dict[str, Any]


def http(route: str, **more: Any) -> list[Binding]:
    return [
        {
            "direction": "IN",
            "type": "httpTrigger",
            "name": "req",
            "authLevel": "ANONYMOUS",
            "route": route,
            **more,
        },
        {"direction": "OUT", "type": "http", "name": "$return"},
    ]


def trigger(hub: str, event_type: str, event_name: str, **more: Any) -> Binding:
    return {
        "direction": "IN",
        "type": "webPubSubTrigger",
        "name": "request",
        "hub": hub,
        "eventType": event_type,
        "eventName": event_name,
        **more,
    }


def output(hub: str, name: str = "actions", **more: Any) -> Binding:
    return {"direction": "OUT", "type": "webPubSub", "name": name, "hub": hub, **more}


def connection(hub: str, name: str = "connection", **more: Any) -> Binding:
    return {"direction": "IN", "type": "webPubSubConnection", "name": name, "hub": hub, **more}


# By app and function; the lowest decorator comes first.
BINDINGS: dict[str, dict[str, list[Binding]]] = {
    "simplechat": {
        "index": http("index", methods=["GET"]),
        "negotiate": [
            connection("sample_funcchat", userId="{query.userId}"),
            *http("negotiate", methods=["GET"]),
        ],
        "connect": [trigger("sample_funcchat", "system", "connect")],
        "connected": [output("sample_funcchat"), trigger("sample_funcchat", "system", "connected")],
        "message": [output("sample_funcchat"), trigger("sample_funcchat", "user", "message")],
        "disconnected": [output("sample_funcchat"), trigger("sample_funcchat", "system", "disconnected")],
    },
    "notifications": {
        "index": http("index", methods=["GET"]),
        "negotiate": [connection("sample_notification"), *http("negotiate", methods=["GET"])],
        "notification": [
            output("sample_notification"),
            {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "*/10 * * * * *"},
        ],
    },
    "odd": {
        "left": [output("odd"), trigger("odd", "system", "disconnected")],
        "untyped": [output("odd"), trigger("odd", "user", "untyped")],
        "foreign": [
            {"direction": "OUT", "type": "queue", "name": "audit", "queueName": "audit"},
            trigger("odd", "user", "foreign"),
            {"direction": "IN", "type": "signalRConnectionInfo", "name": "info", "hubName": "odd"},
        ],
        "upstream": [
            {"direction": "IN", "type": "webPubSubContext", "name": "wpsContext", "connections": ["A", "B"]},
            *http("upstream", methods=["POST", "OPTIONS"]),
        ],
        "answer": [output("odd"), trigger("odd", "user", "answer")],
        "parts": [
            output("%OddHub%", "toAll"),
            trigger(
                "odd",
                "user",
                "parts",
                connections=["WebPubSubConnectionString", "OtherConnection"],
                clientProtocols="webPubSub",
            ),
            output("odd", "toGroup", connection="OtherConnection"),
        ],
        "states": [trigger("odd", "user", "states")],
        "connect": [trigger("odd", "system", "connect")],
        "negotiate": [
            connection(
                "odd", "clientAccess", userId="{name}", roles=["webpubsub.sendToGroup"], expiresAfter=60
            ),
            *http("negotiate/{name}"),
        ],
    },
}
