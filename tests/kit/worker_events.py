"""Events as the service sends them, and what the Functions host and the extension make of them.

Source: extension spec, sections 3.4, 3.7, 4.3 and 4.4; Functions in Python spec, section 2.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from kit.functions_worker import TypedData

CONNECTION_ID = "0f9c97a2f0bf4706afe87a14e0797b11"
ACCESS_KEY = "7aab239577fd4f24bc919802fb629f5f"
SIGNATURE = "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
CONTENT_TYPES = {"Text": "text/plain", "Json": "application/json", "Binary": "application/octet-stream"}
JSON_BODY = "application/json; charset=utf-8"

# The connection state of {"counter": 1} and of {"counter": 2}.
COUNTER_1 = "eyJjb3VudGVyIjoiTVE9PSJ9"
COUNTER_2 = "eyJjb3VudGVyIjoiTWc9PSJ9"


class Event(dict[str, Any]):
    """An event as the extension writes it for scripts.

    Attributes:
        body: Of the request that the service sent.
    """

    def __init__(self, members: Mapping[str, Any], body: bytes) -> None:
        super().__init__(members)
        self.body = body


def request_of(event: Event) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request that the service sent for an event."""
    headers = event["connectionContext"]["headers"]
    return {name: values[0] for name, values in headers.items()}, event.body


def connect_event(hub: str, **query: str) -> Event:
    return system_event(
        hub,
        "connect",
        claims={"sub": ["alice"]},
        query={name: [value] for name, value in query.items()},
        headers={"Host": ["wps.example"]},
        subprotocols=["json.webpubsub.azure.v1"],
        clientCertificates=[],
    )


def connected_event(hub: str) -> Event:
    return system_event(hub, "connected")


def disconnected_event(hub: str, reason: str) -> Event:
    return system_event(hub, "disconnected", reason=reason)


def system_event(hub: str, name: str, **members: Any) -> Event:
    connection_context = context(hub, "System", name, "sys")
    return Event({**members, "connectionContext": connection_context}, json.dumps(members).encode())


def user_event(
    hub: str, name: str, data: str | bytes, data_type: str = "Text", *, state: str | None = None
) -> Event:
    body = data.encode() if isinstance(data, str) else data
    content_type = CONTENT_TYPES[data_type]
    members = {
        "data": body.decode(errors="replace"),
        "dataType": data_type,
        "connectionContext": context(hub, "User", name, "user", content_type=content_type, state=state),
    }
    return Event(members, body)


def context(
    hub: str, kind: str, name: str, prefix: str, *, content_type: str = JSON_BODY, state: str | None = None
) -> dict[str, Any]:
    headers = {
        "Content-Type": [content_type],
        "WebHook-Request-Origin": ["wps.example"],
        "ce-specversion": ["1.0"],
        "ce-awpsversion": ["1.0"],
        "ce-type": [f"azure.webpubsub.{prefix}.{name}"],
        "ce-source": [f"/hubs/{hub}/client/{CONNECTION_ID}"],
        "ce-id": ["7"],
        "ce-time": ["2026-01-01T00:00:00Z"],
        "ce-signature": [SIGNATURE],
        "ce-userId": ["alice"],
        "ce-connectionId": [CONNECTION_ID],
        "ce-hub": [hub],
        "ce-eventName": [name],
    }
    if state is not None:
        headers["ce-connectionState"] = [state]
    return {
        "eventType": kind,
        "eventName": name,
        "hub": hub,
        "connectionId": CONNECTION_ID,
        "userId": "alice",
        "signature": SIGNATURE,
        "origin": "wps.example",
        "states": {} if state is None else states_of(state),
        "headers": headers,
    }


def states_of(state: str) -> dict[str, Any]:
    """Take a connection state apart."""
    values = json.loads(base64.b64decode(state))
    return {name: json.loads(base64.b64decode(value)) for name, value in values.items()}


# --- what the worker is sent ------------------------------------------------------------------------------


def trigger_value(event: Event, name: str, data_type: str | None = None) -> TypedData:
    """Return what the host sends for a trigger of that name and ``dataType``."""
    members = {"request": event, **event}
    found = next((value for known, value in members.items() if known.lower() == name.lower()), None)
    if found is None:
        return {}
    text = found if isinstance(found, str) else json.dumps(found, indent=2)
    if (data_type or "").upper() != "BINARY":
        return {"string": text}
    return {"bytes": base64.b64encode(event.body if name.lower() == "data" else text.encode()).decode()}


def trigger_metadata(event: Event, value: TypedData) -> dict[str, TypedData]:
    """Return what the host sends beside it: members of JSON text replace those of the extension."""
    members = {"request": event, **event}
    found = {_pascal_case(name): {"json": json.dumps(member)} for name, member in members.items()}
    found["sys"] = {"json": '{"MethodName":"f","UtcNow":"2026-01-01T00:00:00Z","RandGuid":"5d7c9b5e"}'}
    return found | _members_of(value.get("string", ""), found)


def _members_of(text: str, known: Mapping[str, TypedData]) -> dict[str, TypedData]:
    if not (text.strip().startswith("{") and text.strip().endswith("}")):
        return {}
    spellings = {name.lower(): name for name in known}
    return {
        spellings.get(name.lower(), name): {"json": json.dumps(value)}
        if isinstance(value, dict)
        else {"string": str(value)}
        for name, value in json.loads(text).items()
        if value is not None and not isinstance(value, list)
    }


def _pascal_case(name: str) -> str:
    return name[0].upper() + name[1:]
