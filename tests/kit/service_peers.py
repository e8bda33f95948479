"""The service's peers, played by hand: clients with their frames and sockets, and event handlers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from webpubsub.model.events import EventRequest, WebPubSubEventType
from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.model.ports import EventAnswer
from webpubsub.service import admission
from webpubsub.service.hub.connection import Connection, Ending
from webpubsub.service.protocols import RAW, SUBPROTOCOLS, Codec
from webpubsub.service.protocols.frames import FramedMessages
from webpubsub.service.protocols.handshake import ClientRequest
from webpubsub.service.protocols.numbered import Numbered
from webpubsub.service.service import Service
from webpubsub.service.settings import EventHandlerSettings, HubSettings, ServiceSettings

KEY = "0123456789abcdef0123456789abcdef"
SECOND_KEY = "fedcba9876543210fedcba9876543210"
NOW = 1_700_000_000.0
CHAT = HubName("chat")
JSON_V1 = "json.webpubsub.azure.v1"
JSON: Codec = SUBPROTOCOLS[JSON_V1]
RELIABLE_V1 = "json.reliable.webpubsub.azure.v1"
RELIABLE: Codec = SUBPROTOCOLS[RELIABLE_V1]
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def token(audience: str = "http://localhost:8080/client/hubs/chat", *, key: str = KEY, **claims: Any) -> str:
    """A JWT made by hand; a claim ``webpubsub_group`` is ``webpubsub.group``."""
    named = {name.replace("webpubsub_", "webpubsub."): value for name, value in claims.items()}
    parts = {"alg": "HS256", "typ": "JWT"}, {"aud": audience, "exp": NOW + 60, **named}
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def client_frame(head: int, body: bytes = b"", mask: bytes = b"\x11\x22\x33\x44") -> bytes:
    """A masked frame, as a client writes it."""
    size = len(body)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    masks = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(body) ^ int.from_bytes(masks)).to_bytes(size)
    return bytes([head]) + length + mask + masked


def server_frames(data: bytes | Numbered) -> list[tuple[int, bytes]]:
    """The first bytes and bodies of unmasked frames, as a client reads them."""
    assert isinstance(data, bytes), "a frame of a reliable subprotocol gets its number first"
    frames = []
    while data:
        size, at = data[1], 2
        assert size < 128, "a server must not mask"
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
        assert len(data) >= at + size, "a frame is cut off"
        frames.append((data[0], data[at : at + size]))
        data = data[at + size :]
    return frames


def text(*bodies: str) -> list[tuple[int, bytes]]:
    return [(TEXT, body.encode()) for body in bodies]


class Socket(asyncio.Transport):
    """A client's socket: remembers what was written and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.buffered = 0  # bytes the client does not read
        self.reading = True
        self.ended: list[str] = []

    def write(self, data: Any) -> None:
        self.written += data

    def take(self) -> bytes:
        """What was written since the last look."""
        data = bytes(self.written)
        self.written.clear()
        return data

    def frames(self) -> list[tuple[int, bytes]]:
        return server_frames(self.take())

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended.append("eof")

    def close(self) -> None:
        self.ended.append("close")

    def abort(self) -> None:
        self.ended.append("abort")


class Shell:
    """A client's socket as its connection sees it: remembers how it was to end."""

    def __init__(self, transport: Socket | None = None) -> None:
        self.transport = transport or Socket()
        self.endings: list[Ending] = []

    def end(self, ending: Ending) -> None:
        self.endings.append(ending)


Asked = Callable[[EventRequest], Awaitable[EventAnswer]]
Answer = EventAnswer | Exception | Asked


class Handler:
    """An event handler: remembers events and answers each by its name."""

    def __init__(self, **answers: Answer) -> None:
        self.service: Service | None = None  # takes what its settings say
        self.events: list[EventRequest] = []
        self.forgotten: list[ConnectionId] = []
        self.answers = answers

    def takes(
        self, hub: HubName, event_type: WebPubSubEventType, name: str, group: GroupName | None = None
    ) -> bool:
        assert self.service is not None
        found = self.service.settings.hub(hub)
        taker = found.handler(event_type, name) if group is None else found.presence_handler(name, group)
        return taker is not None

    async def handle(self, request: EventRequest) -> EventAnswer:
        self.events.append(request)
        answer = self.answers.get(request.connection_context.event_name, EventAnswer())
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, EventAnswer) else await answer(request)

    def forget(self, connection_id: ConnectionId) -> None:
        self.forgotten.append(connection_id)

    @property
    def names(self) -> list[str]:
        return [event.connection_context.event_name for event in self.events]


def serve(settings: ServiceSettings, handler: Handler, **options: Any) -> Service:
    """Return a service of this time with a handler that takes what the settings say."""
    handler.service = Service(settings, handler, now=lambda: NOW, **options)
    return handler.service


class Held:
    """An answer that comes when the test says so."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[EventAnswer]] = []

    async def __call__(self, _request: EventRequest) -> EventAnswer:
        future: asyncio.Future[EventAnswer] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return await future


def settings(*system_events: Any, user_events: str = "*", keys: tuple[str, ...] = (KEY,)) -> ServiceSettings:
    """Settings in which one handler of the hub takes the given events."""
    handler = EventHandlerSettings("http://localhost/x", user_events, system_events)
    return ServiceSettings(access_keys=keys, hubs={CHAT: HubSettings(event_handlers=(handler,))})


async def admit(service: Service, request: ClientRequest) -> tuple[Connection, tuple[GroupName, ...]]:
    """Admit a client, and return its connection and the groups that this will join."""
    newcomer = admission.authenticate(service, request)
    groups = admission.admit(service, newcomer, await admission.ask(service, newcomer))
    return newcomer.connection, groups


def enter(service: Service, client: Connection, *groups: str, shell: Shell | None = None) -> Socket:
    """Open a connection, and return the socket of its client."""
    shell = shell or Shell()
    if client.protocol is None:  # else it was admitted
        client.protocol = FramedMessages(client.codec)
    service.open(client, [group(name) for name in groups], shell, b"")
    return shell.transport


def send(service: Service, client: Connection, *bodies: bytes) -> None:
    """Let the client of an open connection send texts."""
    for body in bodies:
        service.take_all(client, client.receive(client_frame(TEXT, body)))


def connection(
    name: str = "c1",
    user: str | None = None,
    codec: Codec = JSON,
    *,
    subprotocol: str | None = None,
    **members: Any,
) -> Connection:
    user_id = None if user is None else UserId(user)
    found = Connection(ConnectionId(name), CHAT, codec=codec, user_id=user_id, **members)
    found.subprotocol = subprotocol
    return found


def raw_connection(name: str = "c1", user: str | None = None) -> Connection:
    return connection(name, user, RAW)


def group(name: str) -> GroupName:
    return GroupName(name)


async def turns(count: int = 5) -> None:
    """Let the loop turn, so that what was started goes on."""
    for _ in range(count):
        await asyncio.sleep(0)
