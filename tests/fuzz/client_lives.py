"""A whole life of a client: connection, hub and delivery, fed with the bytes of one that may be mad.

However the bytes are cut: the same frames for it and for another member of its group, the same events for
the handler, the same end. Nothing raises, and when its socket is gone nothing of it is left.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from fuzz.mutation import Corpus, cut_anywhere, mutated
from kit.service_peers import (
    BINARY,
    CLOSE,
    JSON_V1,
    PING,
    PONG,
    RELIABLE_V1,
    TEXT,
    Handler,
    client_frame,
    turns,
)
from kit.service_sockets import ALICE, Server, upgrade
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import UserEventRequest, UserEventResponse
from webpubsub.model.ports import EventAnswer

PROTOBUF_V1: Final = "protobuf.webpubsub.azure.v1"
SUBPROTOCOLS: Final = (JSON_V1, RELIABLE_V1, PROTOBUF_V1, "protobuf.reliable.webpubsub.azure.v1", None)


def _say(text: str) -> bytes:
    return client_frame(TEXT, text.encode())


_PONGS: Final = ((TEXT, b'{"type":"pong"}'), (BINARY, b"\x22\x00"))

CORPUS: Final = Corpus(
    seeds=(
        _say('{"type":"joinGroup","group":"x","ackId":1}'),
        _say('{"type":"leaveGroup","group":"g","ackId":2}'),
        _say('{"type":"sendToGroup","group":"g","data":{"a":1},"ackId":3}'),
        _say('{"type":"sendToGroup","group":"g","dataType":"text","data":"hi","noEcho":true}'),
        _say('{"type":"event","event":"e","data":1,"ackId":4}'),
        _say('{"type":"event","event":"fails","dataType":"text","data":"x","ackId":5}'),
        _say('{"type":"ping"}'),
        _say('{"type":"sequenceAck","sequenceId":1}'),
        client_frame(BINARY, bytes.fromhex("32050a0167 1001".replace(" ", ""))),  # joins g
        client_frame(BINARY, bytes.fromhex("0a0b0a016710011a04 0a026869".replace(" ", ""))),  # sends hi to g
        client_frame(BINARY, bytes.fromhex("4a00")),  # ping
        client_frame(PING, b"?"),
        client_frame(PONG, b"!"),
        client_frame(CLOSE, b"\x03\xe8bye"),
        client_frame(0x01, b'{"type":') + client_frame(PING) + client_frame(0x80, b'"ping"}'),
    ),
    words=(b'"', b"{", b'"ackId":4', b"\x00", b"\x81", b"\x88\x80", b"\xff", b"\x11\x22\x33\x44", b'"g"'),
)


class Life(NamedTuple):
    """What came of a life.

    Attributes:
        frames: What its client was sent.
        heard: What another member of the group g was sent.
        events: Names and bodies of what the handler was asked.
        reasons: With which it ended for the handler.
        ended: How its socket ended.
    """

    frames: list[tuple[int, bytes]]
    heard: list[tuple[int, bytes]]
    events: list[tuple[str, bytes]]
    reasons: list[str]
    ended: list[str]


async def live(pieces: list[bytes], subprotocol: str | None, *, slowly: bool = False) -> Life:
    """Live one life, in a service of its own; ``slowly`` each piece is answered before the next one comes."""
    handler = Handler(e=EventAnswer(UserEventResponse("answer")), fails=EventRefused(500, "no"))
    server = Server(handler)
    member = await server.open()
    offered = {} if subprotocol is None else {"Sec_WebSocket_Protocol": subprotocol}
    client = await server.connect(upgrade(ALICE, **offered))
    client.socket.take()
    for piece in pieces:
        if not {"close", "abort"} & set(client.socket.ended):  # as a transport that is closed hears nothing
            client.protocol.data_received(piece)
        await turns(20 if slowly else 0)
    await turns(30)
    frames, ended = client.socket.frames(), list(client.socket.ended)
    heard = member.socket.frames()
    client.lose()
    member.lose()
    await turns(10)
    for hub in list(server.service.hubs.values()):  # who is reliable may come back; not here
        for connection in list(hub.everybody):
            server.service.closed(connection, None, "")
    await turns(10)
    server.assert_nothing_is_left()
    events: list[tuple[str, bytes]] = [
        (event.connection_context.event_name, event.payload.body)
        for event in handler.events
        if isinstance(event, UserEventRequest)
    ]
    return Life(frames, heard, events, server.reasons[:1], ended)


def make(rng: Random) -> bytes:
    """Return an input."""
    return b"".join(mutated(rng, CORPUS) for _ in range(rng.choice((1, 2, 4))))


async def check(data: bytes, rng: Random) -> None:
    """Feed one input, cut in two ways.

    Raises:
        AssertionError: Something is wrong.
    """
    subprotocol = rng.choice(SUBPROTOCOLS)
    one = await live(cut_anywhere(rng, data), subprotocol)
    slowly = rng.random() < 0.5
    other = await live(cut_anywhere(rng, data), subprotocol, slowly=slowly)
    if slowly:  # pongs do not wait for what was asked before
        one, other = (each._replace(frames=_without_pongs(each.frames)) for each in (one, other))
    assert one == other, f"cut otherwise, another life is lived ({subprotocol}):\n{one}\n{other}"
    assert [head for head, _ in one.frames].count(CLOSE) <= 1
    assert CLOSE not in [head for head, _ in one.frames][:-1], "nothing is said behind the goodbye"


def _without_pongs(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [frame for frame in frames if frame[0] != PONG and frame not in _PONGS]
