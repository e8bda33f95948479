"""Events as the extension writes them for scripting languages, and the requests it made them of.

Source: extension spec, sections 3.4, 3.7 and 4.4.
"""

from __future__ import annotations

import base64
import json
from typing import Any

Event = dict[str, Any]

CONNECTION_ID = "0f9c97a2f0bf4706afe87a14e0797b11"
ACCESS_KEY = "7aab239577fd4f24bc919802fb629f5f"
SIGNATURE = "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
CONTENT_TYPES = {"Text": "text/plain", "Json": "application/json"}
JSON_BODY = "application/json; charset=utf-8"

# The connection state of {"counter": 1} and of {"counter": 2}.
COUNTER_1 = "eyJjb3VudGVyIjoiTVE9PSJ9"
COUNTER_2 = "eyJjb3VudGVyIjoiTWc9PSJ9"


def connect_event(hub: str, **query: str) -> Event:
    return {
        "claims": {"sub": ["alice"]},
        "query": {name: [value] for name, value in query.items()},
        "headers": {"Host": ["wps.example"]},
        "subprotocols": ["json.webpubsub.azure.v1"],
        "clientCertificates": [],
        "connectionContext": context(hub, "System", "connect", "sys"),
    }


def connected_event(hub: str) -> Event:
    return {"connectionContext": context(hub, "System", "connected", "sys")}


def user_event(hub: str, name: str, data: str, data_type: str = "Text", *, state: str | None = None) -> Event:
    content_type = CONTENT_TYPES[data_type]
    return {
        "data": data,
        "dataType": data_type,
        "connectionContext": context(hub, "User", name, "user", content_type=content_type, state=state),
    }


def disconnected_event(hub: str, reason: str) -> Event:
    return {"reason": reason, "connectionContext": context(hub, "System", "disconnected", "sys")}


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


def request_of(event: Event) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request that the service sent for an event."""
    headers = {name: values[0] for name, values in event["connectionContext"]["headers"].items()}
    if "data" in event:
        return headers, event["data"].encode()
    body = {name: value for name, value in event.items() if name != "connectionContext"}
    return headers, json.dumps(body).encode()
