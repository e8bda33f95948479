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
    """Return a typed trigger: a user event comes as exact bytes."""
    named = {"dataType": "BINARY", "name": "data"} if event_type == "user" else {"name": "request"}
    return {
        "direction": "IN",
        "type": "webPubSubTrigger",
        "hub": hub,
        "eventType": event_type,
        "eventName": event_name,
        **named,
        **more,
    }


def untyped(event_name: str, name: str, **more: Any) -> Binding:
    return {
        "direction": "IN",
        "type": "webPubSubTrigger",
        "name": name,
        "hub": "odd",
        "eventType": "user",
        "eventName": event_name,
        **more,
    }


def output(hub: str, name: str = "actions", **more: Any) -> Binding:
    return {"direction": "OUT", "type": "webPubSub", "name": name, "hub": hub, **more}


def connection(hub: str, name: str = "connection", **more: Any) -> Binding:
    return {"direction": "IN", "type": "webPubSubConnection", "name": name, "hub": hub, **more}


def timer(schedule: str, **more: Any) -> Binding:
    return {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": schedule, **more}


UNTYPED = {
    "data_as_text": [untyped("data_as_text", "data")],
    "data_as_bytes": [untyped("data_as_bytes", "data", dataType="BINARY")],
    "data_type_alone": [untyped("data_type_alone", "dataType")],
    "request_as_text": [untyped("request_as_text", "request")],
    "request_as_bytes": [untyped("request_as_bytes", "REQUEST", dataType="BINARY")],
    "context_alone": [untyped("context_alone", "connectionContext")],
    "another_name": [untyped("another_name", "message")],
    "results": [output("odd"), untyped("results", "data")],
    "async_results": [untyped("async_results", "data")],
    "text_negotiate": [connection("odd", userId="{query.user}"), *http("text_negotiate")],
    "timer_with_result": [timer("*/30 * * * * *", useMonitor=False)],
    "timer_text": [output("odd"), timer("*/30 * * * * *", useMonitor=False)],
}

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
        "notification": [output("sample_notification"), timer("*/10 * * * * *")],
    },
    "untyped": UNTYPED,
    "odd": {
        **UNTYPED,
        "left": [output("odd"), trigger("odd", "system", "disconnected")],
        "foreign": [
            {"direction": "OUT", "type": "queue", "name": "audit", "queueName": "audit"},
            trigger("odd", "user", "foreign"),
            {"direction": "IN", "type": "signalRConnectionInfo", "name": "info", "hubName": "odd"},
        ],
        "upstream": [
            {
                "direction": "IN",
                "type": "webPubSubContext",
                "name": "wpsContext",
                "connections": ["WebPubSubConnectionString", "OtherConnection"],
            },
            *http("upstream", methods=["POST", "OPTIONS"]),
        ],
        "answer": [output("odd"), trigger("odd", "user", "answer")],
        "exact": [output("odd"), trigger("odd", "user", "exact")],
        "by_setting": [trigger("odd", "user", "%OddEvent%")],
        "every_action": [output("odd"), trigger("odd", "user", "every_action")],
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
        "session": [trigger("sessions", "system", "connect", clientProtocols="mqtt")],
        "publish": [trigger("sessions", "user", "publish", clientProtocols="mqtt")],
        "ended": [output("sessions"), trigger("sessions", "system", "disconnected", clientProtocols="mqtt")],
        "anybody": [trigger("anybody", "system", "connect")],
        "connect": [trigger("odd", "system", "connect")],
        "negotiate": [
            connection(
                "odd", "clientAccess", userId="{name}", roles=["webpubsub.sendToGroup"], expiresAfter=60
            ),
            *http("negotiate/{name}"),
        ],
        "tick": [output("odd"), timer("*/30 * * * * *", useMonitor=False)],
        "failing_tick": [output("odd"), timer("*/30 * * * * *", useMonitor=False)],
        "failing_page": http("failing_page"),
    },
}
