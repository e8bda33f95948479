"""What clients say and hear, in JSON and in protobuf."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, Protocol

from webpubsub.service.protobuf_messages import DownstreamMessage, UpstreamMessage


class Greeting(NamedTuple):
    """The first message of a connection."""

    connection_id: str
    token: str


class Got(NamedTuple):
    """A text message; plain clients get no sequence id."""

    data: str
    sequence_id: int


class Ack(NamedTuple):
    """The answer to a request. ``done`` also says that it had been done before."""

    ack_id: int
    done: bool


Heard = Greeting | Got | Ack | None


class Dialect(Protocol):
    """A subprotocol."""

    def subprotocol(self, is_reliable: bool) -> str: ...
    def send_to_group(self, group: str, data: str, ack_id: int) -> str | bytes: ...
    def event(self, data: str, ack_id: int) -> str | bytes: ...
    def sequence_ack(self, sequence_id: int) -> str | bytes: ...
    def read(self, frame: Any) -> Heard: ...


class InJson:
    def subprotocol(self, is_reliable: bool) -> str:
        return "json.reliable.webpubsub.azure.v1" if is_reliable else "json.webpubsub.azure.v1"

    def send_to_group(self, group: str, data: str, ack_id: int) -> str:
        return json.dumps(
            {"type": "sendToGroup", "group": group, "dataType": "text", "data": data, "ackId": ack_id}
        )

    def event(self, data: str, ack_id: int) -> str:
        return json.dumps(
            {"type": "event", "event": "number", "dataType": "text", "data": data, "ackId": ack_id}
        )

    def sequence_ack(self, sequence_id: int) -> str:
        return f'{{"type":"sequenceAck","sequenceId":{sequence_id}}}'

    def read(self, frame: Any) -> Heard:
        message = json.loads(frame)
        if message["type"] == "message":
            return Got(message["data"], message.get("sequenceId", 0))
        if message["type"] == "ack":
            return Ack(message["ackId"], message["success"] or message["error"]["name"] == "Duplicate")
        if message.get("event") == "connected":
            return Greeting(message["connectionId"], message.get("reconnectionToken", ""))
        return None


class InProtobuf:
    def subprotocol(self, is_reliable: bool) -> str:
        return "protobuf.reliable.webpubsub.azure.v1" if is_reliable else "protobuf.webpubsub.azure.v1"

    def send_to_group(self, group: str, data: str, ack_id: int) -> bytes:
        return self._written(
            send_to_group_message={"group": group, "data": {"text_data": data}, "ack_id": ack_id}
        )

    def event(self, data: str, ack_id: int) -> bytes:
        return self._written(event_message={"event": "number", "data": {"text_data": data}, "ack_id": ack_id})

    def sequence_ack(self, sequence_id: int) -> bytes:
        return self._written(sequence_ack_message={"sequence_id": sequence_id})

    @staticmethod
    def _written(**member: Any) -> bytes:
        return bytes(UpstreamMessage(**member).SerializeToString())

    def read(self, frame: Any) -> Heard:
        message = DownstreamMessage.FromString(frame)
        kind = message.WhichOneof("message")
        if kind == "data_message":
            found = message.data_message
            return Got(found.data.text_data, found.sequence_id)
        if kind == "ack_message":
            ack = message.ack_message
            return Ack(ack.ack_id, ack.success or ack.error.name == "Duplicate")
        if kind == "system_message" and message.system_message.HasField("connected_message"):
            connected = message.system_message.connected_message
            return Greeting(connected.connection_id, connected.reconnection_token)
        return None


DIALECTS: Final[dict[str, Dialect]] = {"json": InJson(), "protobuf": InProtobuf()}
