"""The protobuf subprotocols and simple publishers over real sockets, beside clients of other kinds."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as ProtobufAny
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kit.contract_clients import hear, hear_json, json_client
from webpubsub.service.protobuf_messages import DownstreamMessage, UpstreamMessage

pytestmark = pytest.mark.contract

PLAIN: Any = "protobuf.webpubsub.azure.v1"
RELIABLE: Any = "protobuf.reliable.webpubsub.azure.v1"
ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]


async def say(client: ClientConnection, **member: Any) -> None:
    await client.send(UpstreamMessage(**member).SerializeToString())


async def hear_protobuf(client: ClientConnection) -> Any:
    (body,) = await hear(client)
    assert isinstance(body, bytes)
    found = DownstreamMessage.FromString(body)
    return getattr(found, found.WhichOneof("message"))


@pytest.mark.feature("protobuf")
@pytest.mark.feature("simple clients")
async def test_clients_of_every_kind_understand_each_other(hub: Any) -> None:
    url = hub.client_url("alice", roles=ROLES, groups=["g"])
    publisher = f"{hub.client_url(roles=ROLES)}&webpubsub_mode=sendToGroup&group=g"
    async with (
        connect(url, subprotocols=[PLAIN]) as alice,
        connect(publisher) as simple,
        json_client(hub.client_url("bob", roles=ROLES, groups=["g"])) as (bob, _),
    ):
        connected = (await hear_protobuf(alice)).connected_message
        assert (connected.user_id, connected.HasField("reconnection_token")) == ("alice", False)
        data = {"protobuf_data": {"type_url": "type.googleapis.com/x", "value": b"\x08\x01"}}
        await say(alice, send_to_group_message={"group": "g", "data": data, "no_echo": True, "ack_id": 0})
        assert (await hear_protobuf(alice)).success
        told = await hear_json(bob)
        assert (told["dataType"], told["fromUserId"]) == ("protobuf", "alice")
        found = ProtobufAny.FromString(base64.b64decode(told["data"]))
        assert (found.type_url, found.value) == ("type.googleapis.com/x", b"\x08\x01")
        await bob.send('{"type":"sendToGroup","group":"g","data":{"a":1.0},"metadata":{"trace":"1"}}')
        assert (await hear_json(bob))["metadata"] == {"trace": "1"}
        message = await hear_protobuf(alice)
        assert (message.data.json_data, message.group, dict(message.metadata)) == (
            '{"a":1.0}',
            "g",
            {"trace": "1"},
        )
        await simple.send(b"\x00\xff")
        assert (await hear_protobuf(alice)).data.binary_data == b"\x00\xff"
        assert (await hear_json(bob))["data"] == "AP8="
        await say(alice, ping_message={})
        assert (await hear_protobuf(alice)).DESCRIPTOR.name == "PongMessage"


@pytest.mark.feature("reliable protobuf")
async def test_a_reliable_client_gets_what_it_missed(hub: Any) -> None:
    url = hub.client_url("alice", roles=ROLES, groups=["g"])
    async with connect(url, subprotocols=[RELIABLE]) as first:
        greeting = (await hear_protobuf(first)).connected_message
        for text in ("one", "two"):
            send = {"group": "g", "data": {"text_data": text}}
            await say(first, send_to_group_message=send)
        assert (await hear_protobuf(first)).sequence_id == 1
        (two,) = await hear(first)
        await say(first, sequence_ack_message={"sequence_id": 1})
        await say(first, ping_message={})
        await hear(first)  # so the service has seen what came before it
        first.transport.abort()
    token = greeting.reconnection_token
    query = f"awps_connection_id={greeting.connection_id}&awps_reconnection_token={token}"
    async with connect(f"{url.partition('?')[0]}?{query}", subprotocols=[RELIABLE]) as second:
        assert second.subprotocol == RELIABLE
        again = (await hear_protobuf(second)).connected_message
        assert (again.connection_id, again.user_id) == (greeting.connection_id, "alice")
        assert await hear(second) == [two]
        await say(second, leave_group_message={"group": "g", "ack_id": 1})
        assert (await hear_protobuf(second)).ack_id == 1


@pytest.mark.feature("messages outside a subprotocol")
@pytest.mark.parametrize(("frame", "code"), [("text", 1003), (b"\xff", 1007), (b"\x52\x00", 1007)])
async def test_what_is_not_a_message_ends_the_connection(hub: Any, frame: str | bytes, code: int) -> None:
    async with connect(hub.client_url("alice"), subprotocols=[PLAIN]) as alice:
        await hear(alice)
        await alice.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await hear(alice)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


@pytest.mark.feature("simple publishers")
async def test_a_simple_publisher_without_permission_is_closed(hub: Any) -> None:
    async with connect(f"{hub.client_url('alice')}&webpubsub_mode=sendToGroup&group=g") as alice:
        await alice.send("hi")
        with pytest.raises(ConnectionClosed) as closed:
            await hear(alice)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason == "The client does not have permission to send to group 'g'."
