"""Events of MQTT clients for the functions of ``worker_app_mqtt.py``, and what comes of each.

Source: extension spec, sections 3.4, 4.4 and 5.2.
"""

from __future__ import annotations

from typing import Any

from kit.worker_cases import Case
from kit.worker_events import COUNTER_1, Event, system_event, user_event

JSON = "application/json"


def of_mqtt(event: Event, session_id: str | None = "s1") -> Event:
    """Return the event as one of an MQTT client."""
    plain = event["connectionContext"]
    headers = plain["headers"] | {"ce-subprotocol": ["mqtt"], "ce-physicalConnectionId": ["p1"]}
    if session_id is not None:
        headers["ce-sessionId"] = [session_id]
    context = {"physicalConnectionId": "p1", "sessionId": session_id, **plain, "headers": headers}
    return Event({**event, "connectionContext": context}, event.body)


def connect(hub: str, version: int, properties: Any = None, **query: str) -> Event:
    event = system_event(
        hub,
        "connect",
        mqtt={
            "protocolVersion": version,
            "username": "bob",
            "password": "c2VjcmV0",
            "userProperties": properties,
        },
        claims={},
        query={name: [value] for name, value in query.items()},
        headers={},
        subprotocols=["mqtt"],
        clientCertificates=[],
    )
    return of_mqtt(event, None)


def publish(data: str) -> Event:
    return of_mqtt(user_event("sessions", "publish", data))


def ended(mqtt: dict[str, Any]) -> Event:
    return of_mqtt(system_event("sessions", "disconnected", mqtt=mqtt, reason="bye"))


def anybody(name: str, version: int, code: int, status: int) -> Case:
    """An error for any client, which the extension takes from one of MQTT only in MQTT's form."""
    returned = f'{{"mqtt": {{"code": {code}, "reason": "not like this", "userProperties": null}}}}'
    body = f'{{"mqtt":{{"code":{code},"reason":"not like this","userProperties":null}}}}'
    answer = (status, JSON, body.encode())
    return Case("odd", "anybody", connect("anybody", version, deny=name), returned, answer=answer)


MQTT_CASES = {
    "mqtt: connect": Case(
        "odd",
        "session",
        connect("sessions", 5, [{"name": "region", "value": "eu"}]),
        '{"userId": "bob", "groups": ["lobby"], "subprotocol": "mqtt", "mqtt": {"userProperties": '
        '[{"name": "region", "value": "eu"}, {"name": "password", "value": "c2VjcmV0"}]}, '
        '"states": {"counter": 1}}',
        answer=(
            200,
            JSON,
            b'{"mqtt":{"userProperties":[{"name":"region","value":"eu"},'
            b'{"name":"password","value":"c2VjcmV0"}]},'
            b'"userId":"bob","groups":["lobby"],"subprotocol":"mqtt","roles":null}',
        ),
        state=COUNTER_1,
    ),
    "mqtt: connect of 3.1.1, refused": Case(
        "odd",
        "session",
        connect("sessions", 4),
        '{"mqtt": {"code": 1, "reason": "speak 5.0", "userProperties": null}}',
        answer=(400, JSON, b'{"mqtt":{"code":1,"reason":"speak 5.0","userProperties":null}}'),
    ),
    "mqtt: publish": Case(
        "odd",
        "publish",
        publish("hello"),
        '{"data": "\'hello\' of s1 over p1", "dataType": "text"}',
        answer=(200, "text/plain", b"'hello' of s1 over p1"),
    ),
    "mqtt: publish, refused": Case(
        "odd",
        "publish",
        publish("too much"),
        '{"mqtt": {"code": 151, "reason": "enough", "userProperties": [{"name": "wait", "value": "1"}]}}',
        answer=(
            429,
            JSON,
            b'{"mqtt":{"code":151,"reason":"enough","userProperties":[{"name":"wait","value":"1"}]}}',
        ),
    ),
    "mqtt: disconnected by the client": Case(
        "odd",
        "ended",
        ended({"initiatedByClient": True, "disconnectPacket": {"code": 4, "userProperties": []}}),
        outputs={"actions": r'[{"actionName":"sendToAll","data":"[\"bye\",true,4]","dataType":"json"}]'},
    ),
    "mqtt: the connection was lost": Case(
        "odd",
        "ended",
        ended({"initiatedByClient": False, "disconnectPacket": None}),
        outputs={"actions": r'[{"actionName":"sendToAll","data":"[\"bye\",false,null]","dataType":"json"}]'},
    ),
    "mqtt: a function for any client": Case(
        "odd",
        "anybody",
        connect("anybody", 4),
        '{"userId": "bob", "subprotocol": "mqtt", "roles": []}',
        answer=(200, JSON, b'{"mqtt":null,"userId":"bob","groups":null,"subprotocol":"mqtt","roles":[]}'),
    ),
    "mqtt: unauthorized": anybody("unauthorized", 4, 5, 401),
    "mqtt: user error": anybody("userError", 5, 134, 400),
}
