"""The JSON subprotocol as the Python peers speak it: what they answer and send."""

import json
import uuid


def connected() -> str:
    return _encode(
        {"type": "system", "event": "connected", "userId": None, "connectionId": str(uuid.uuid4())}
    )


def ack(ack_id: int) -> str:
    return _encode({"type": "ack", "ackId": ack_id, "success": True})


def from_group(request: dict) -> str:
    members = ("group", "dataType", "data")
    return _encode({"type": "message", "from": "group", **{name: request[name] for name in members}})


def _encode(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"))
