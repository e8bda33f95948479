"""A client's connection: its whole life, without sockets and without a clock.

**Theory of operation.** Bytes and times come in, as arguments; messages, bytes to write and times come out,
as values. `Service` does what messages ask for and calls what changes the stage, the shell moves the bytes
of one socket (`ClientSocket`); neither knows anything of the client that is not written down here.

::

    DECIDING ──open──▶ OPEN ──wait──▶ BUSY
                        ◀──next_request─┘
    OPEN, BUSY ──close, leave──▶ CLOSING ──forget_socket──▶ OVER
    OPEN, BUSY, CLOSING ──lose──▶ AWAY ──open──▶ OPEN, or BUSY while work goes on
    OPEN, BUSY, AWAY ──end──▶ OVER

    open           the client: it is admitted, or back                  (`Admission`, by `Service`)
    wait           an event is raised, or delivery is outrun            (`Service`)
    next_request   that is done, and nothing more waits                 (`Service`)
    close          REST, a client that reads or acknowledges too        (`Service`)
                   little, missed pings, a malformed message, a fault
                   of ours, the end of the service
    leave          the client: its goodbye                              (`Service`)
    lose           the socket is gone, or was left, and the client      (`Service`, told by the shell)
                   may return
    end            the same where it may not return, or its time is     (`Service`)
                   over; also behind `close`
    forget_socket  the socket is gone                                   (`Service`, told by the shell)

* **DECIDING**: the client's token is good, and the event handler is asked whether it may connect, if that
  takes the event. Its hub knows nothing of it; who is refused, or goes meanwhile, is dropped. `admit` sets
  what the answer says, and `open` follows as the upgrade is answered.
* **OPEN**: each message is done as it comes.
* **BUSY**: open, but requests wait, for the answer to an event before them or until delivery has caught up.
  The service says so with `wait` and goes on with `next_request`, which leads back to OPEN when nothing
  waits any more. `hears` keeps the requests in their order. A malformed message and the client's goodbye
  have their places among them: what the client said before is done first. Acks of messages and pings do not
  wait: they ask for nothing that a request before them could change, and who is not heard for long would be
  taken for dead. Once too much waits (`is_full`) the service has reading paused. From then on it is we who
  do not hear: missed pings and the number of messages without an ack are not the client's fault, the latter
  not even for some time after reading went on (`counts_acks`), as its acks have to be read first.
* **CLOSING**: our close frame is written, for whatever reason (`close`: REST, a slow client, a malformed
  message, missed pings, the end of the service), or the answer to the client's (`leave`). It is in its hub
  no longer, and nothing of it counts but its goodbye, without which the shell drops the socket after
  `CLOSE_TIMEOUT`. `forget_socket` follows when the socket is gone.
* **AWAY**: the socket of a reliable client is gone, and it did not say goodbye with 1000 (`may_return`). It
  stays in its hub, where messages for it are kept, until ``until``. Work that is under way goes on, but
  what waited behind it does not: the client asks again for what got no ack. Where it comes back before the
  end of its former socket was noticed, `open` follows on OPEN or BUSY.
* **OVER**: it is in no hub and has no socket.

Source: RFC 6455, sections 5.5 and 7; client spec, sections 1.7 to 1.9, 4.2 and 4.4.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol

import msgspec

from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.model.states import NO_STATES, ConnectionStates
from webpubsub.service.hub.outbox import Held, Unacked
from webpubsub.service.hub.permissions import Permissions
from webpubsub.service.protocols import RAW, ClientProtocol, Codec
from webpubsub.service.protocols.frames import close_frame, ping_frame
from webpubsub.service.protocols.messages import (
    ClientMessage,
    Goodbye,
    JoinGroup,
    LeaveGroup,
    Malformed,
    Ping,
    PingFrame,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)

CLOSE_TIMEOUT: Final = 5.0
"""Seconds a client has for its close frame, once ours is written."""
MISSED_PINGS: Final = 3
MAX_WAITING: Final = 1024 * 1024
"""Bytes of requests that may wait; beyond, the client is not read until half of them are done."""
OVERHEAD: Final = 256
"""Bytes that each of them counts beside its body, so that many small ones have an end, too."""
ACK_GRACE: Final = 5.0
"""Seconds after reading went on in which the acks that came meanwhile may be read."""
_NEVER: Final = float("inf")


class Stage(Enum):
    """Where in its life a connection is; see the module."""

    DECIDING = auto()
    OPEN = auto()
    BUSY = auto()
    CLOSING = auto()
    AWAY = auto()
    OVER = auto()


# A member is found faster by these names than through its class.
_DECIDING, _OPEN, _BUSY, _CLOSING, _AWAY, _OVER = Stage


class Ending(Enum):
    """What is left to do with a socket behind the last byte; none outlives `CLOSE_TIMEOUT`."""

    AWAIT = auto()
    """The client has not said goodbye yet."""
    CLOSE = auto()
    """Both have."""
    HALF_CLOSE = auto()
    """It broke the protocol: nothing it still sends matters, but closing at once could make the client's
    system throw away the close frame with it."""


class Transport(Protocol):
    """The bytes' way to a client, given by the shell; the core only hands it on."""

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them."""
        ...

    def get_write_buffer_size(self) -> int:
        """How many bytes wait because the client does not read."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None:
        """Drop the client without a word."""
        ...


class ClientSocket(Protocol):
    """The shell of one socket."""

    @property
    def transport(self) -> Transport: ...

    def end(self, ending: Ending) -> None:
        """End the socket, as everything was written to it."""
        ...


class Work(Protocol):
    """What is under way for a connection: a task of the event loop."""

    def cancel(self) -> Any: ...


class Timer(Protocol):
    """What will be called at a time: a handle of the event loop."""

    def cancel(self) -> None: ...


class Membership(msgspec.Struct, frozen=True):
    """How a connection is in a group; none of today's subprotocols has options for that."""


PLAIN_MEMBER: Final = Membership()


class WaitingRequests:
    """Requests that have to wait, in their order.

    Attributes:
        size: What they count, in bytes: see `OVERHEAD`.
    """

    __slots__ = ("_requests", "size")

    def __init__(self) -> None:
        self._requests: deque[tuple[ClientMessage, int]] = deque()
        self.size = 0

    def put(self, request: ClientMessage) -> None:
        """Let a request wait behind the others."""
        size = OVERHEAD + body_size(request)
        self._requests.append((request, size))
        self.size += size

    def take(self) -> ClientMessage:
        request, size = self._requests.popleft()
        self.size -= size
        return request

    def __len__(self) -> int:
        return len(self._requests)


def body_size(request: ClientMessage) -> int:
    """Return how many bytes, or characters, of a request its client chose."""
    if isinstance(request, SendToGroup | RaiseEvent):
        size = len(request.payload.body)
        if request.metadata:
            size += sum(len(name) + len(value) for name, value in request.metadata.items())
        return size + (len(request.group) if isinstance(request, SendToGroup) else len(request.event))
    return len(request.group) if isinstance(request, JoinGroup | LeaveGroup) else 0


# They ask for nothing that a request before them could have changed.
_PROMPT: Final[frozenset[type[Any]]] = frozenset({SequenceAck, Ping, PingFrame})
_LAST: Final[frozenset[type[Any]]] = frozenset({Goodbye, Malformed})


class Connection:
    """One client of a hub.

    Attributes:
        id: Opaque; 32 hex digits.
        hub: The hub it is in.
        stage: Where in its life it is.
        user_id: Its user, or None when anonymous.
        codec: Turns messages into its frames, and its frames into messages.
        protocol: Turns the bytes of its socket into messages; another for each socket.
        subprotocol: What was negotiated, in the client's spelling, or None.
        permissions: What it may do to groups.
        groups: The groups it is in, and how.
        states: Those set by event handlers.
        acks: Its last successful ack ids, see `requests`; None before the first.
        events: How many events it has raised; the next event's id.
        frames: What waits for the end of this loop turn, see `delivery`: bytes, and messages to be numbered
            when the connection is reliable.
        held: What waits because the client does not read or is away; None while it reads.
        unacked: The messages to be sent again if need be; None unless the connection is reliable.
        transport: Where frames go; None before the upgrade, while the client is away, and after the end.
        socket: Ends the socket; None as `transport`, but there while the client's goodbye is awaited.
        waiting: The requests that wait, or None.
        work: What they wait for; whoever started it sets and removes it.
        last: The message behind which nothing of this socket counts, once it was read.
        missed_pings: How many pings came since the client was heard.
        until: When it is over, as its client is away.
        timer: What will end it then; whoever started it sets and removes it.
    """

    __slots__ = (
        "_acks_count_from",
        "acks",
        "codec",
        "events",
        "frames",
        "groups",
        "held",
        "hub",
        "id",
        "last",
        "missed_pings",
        "permissions",
        "protocol",
        "socket",
        "stage",
        "states",
        "subprotocol",
        "timer",
        "transport",
        "unacked",
        "until",
        "user_id",
        "waiting",
        "work",
    )

    def __init__(
        self,
        connection_id: ConnectionId,
        hub: HubName,
        *,
        codec: Codec = RAW,
        user_id: UserId | None = None,
        roles: Iterable[str] = (),
    ) -> None:
        self.id = connection_id
        self.hub = hub
        self.stage = _DECIDING
        self.user_id = user_id
        self.codec = codec
        self.protocol: ClientProtocol | None = None
        self.subprotocol: str | None = None
        self.groups: dict[GroupName, Membership] = {}
        self.states = NO_STATES
        self.acks: OrderedDict[int, None] | None = None
        self.events = 1  # connect was event 0
        self.frames: list[Any] = []
        self.held: Held | None = None
        self.unacked = Unacked() if codec.is_reliable else None
        self.transport: Transport | None = None
        self.socket: ClientSocket | None = None
        self.waiting: WaitingRequests | None = None
        self.work: Work | None = None
        self.last: Goodbye | Malformed | None = None
        self.missed_pings = 0
        self.until = _NEVER
        self.timer: Timer | None = None
        self._acks_count_from = -_NEVER
        self.permissions = Permissions(roles)

    # --- deciding -------------------------------------------------------------------------------------

    def admit(
        self,
        codec: Codec,
        subprotocol: str | None = None,
        *,
        user_id: str | None = None,
        roles: Iterable[str] | None = None,
        state: str | None = None,
    ) -> None:
        """Become what the event handler says; of the last three None leaves what the token says."""
        self.codec = codec
        self.unacked = Unacked() if codec.is_reliable else None
        self.subprotocol = subprotocol
        if user_id is not None:
            self.user_id = UserId(user_id)
        if roles is not None:
            self.permissions = Permissions(roles)
        if state is not None:
            self.states = ConnectionStates(state)

    def open(self, socket: ClientSocket, protocol: ClientProtocol, now: float = 0.0) -> None:
        """Go on by this socket, as the upgrade is answered; the first one, or that of who is back.

        Nothing of a former socket counts any more, but the work that is under way.
        """
        self.stage = _OPEN if self.work is None else _BUSY
        self.socket, self.transport, self.protocol = socket, socket.transport, protocol
        self.waiting = self.last = None
        self.missed_pings = 0
        self.until = _NEVER
        if self.is_paused:
            self.resume_reading(now)

    # --- open -----------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return self.stage is _OPEN or self.stage is _BUSY

    def receive(self, data: bytes) -> Sequence[ClientMessage]:
        """Return what the client says with ``data``.

        Each message is for `hears` first, unless the connection is OPEN, as those before it may change that.
        """
        self.missed_pings = 0
        return () if self.protocol is None else self.protocol.receive(data)

    def hears(self, message: ClientMessage) -> bool:
        """Whether a message is to be done now; one that has to wait is kept, one that is too late is not."""
        if self.stage is _OPEN:
            return True
        if self.stage is not _BUSY:
            return self.stage is _CLOSING and type(message) in _LAST
        if type(message) in _PROMPT:
            return True
        if isinstance(message, Goodbye | Malformed):
            self.last = message
        if self.waiting is None:
            self.waiting = WaitingRequests()
        self.waiting.put(message)
        return False

    def wait(self, work: Work | None = None) -> None:
        """Let the requests that come now wait, while ``work`` goes on."""
        self.stage = _BUSY
        self.work = work

    def next_request(self) -> ClientMessage | None:
        """Return the request whose turn it is; without one nothing waits any more."""
        if self.stage is not _BUSY:
            return None
        if self.waiting:
            return self.waiting.take()
        self.stage, self.waiting = _OPEN, None
        return None

    # --- who does not hear whom -----------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether so much waits that the client is to be read no further."""
        return self.waiting is not None and self.waiting.size > MAX_WAITING

    @property
    def is_paused(self) -> bool:
        return self._acks_count_from == _NEVER

    @property
    def may_resume(self) -> bool:
        """Whether reading was paused, and enough is done since."""
        return self.is_paused and (self.waiting is None or self.waiting.size * 2 <= MAX_WAITING)

    def pause_reading(self) -> None:
        """Count no more what the client may have said: it is not read."""
        self._acks_count_from = _NEVER

    def resume_reading(self, now: float) -> None:
        """Count it again, once it had the time to be read."""
        self._acks_count_from = now + ACK_GRACE
        self.missed_pings = 0

    def counts_acks(self, now: float) -> bool:
        """Whether too many messages without an ack are the client's fault."""
        return now >= self._acks_count_from

    def ping(self) -> bytes | None:
        """Return the ping that is due, or None when the client was silent for too many of them."""
        self.missed_pings = 0 if self.is_paused else self.missed_pings + 1
        return ping_frame() if self.missed_pings <= MISSED_PINGS else None

    # --- the end --------------------------------------------------------------------------------------

    def close(self, code: int, reason: str, text: str = "") -> tuple[bytes, Ending]:
        """Close from our side, by whoever has a reason to.

        Args:
            code: The close code.
            reason: What clients are told that have a message for that.
            text: The close frame's reason.

        Returns:
            The last bytes for the client, and what is to be done with the socket behind them.
        """
        self._part()
        told = self.codec.disconnected(reason) if code in (1000, 1001) else None
        ending = _ENDINGS[type(self.last)]
        return (told or b"") + close_frame(code, text), ending

    def leave(self, code: int | None) -> bytes:
        """Answer the client's goodbye with the bytes that are returned."""
        self._part()
        return close_frame(code)

    def _part(self) -> None:
        self.stage, self.waiting = _CLOSING, None
        if self.protocol is not None:
            self.protocol.ignore_messages()

    def may_return(self, code: int | None) -> bool:
        """Whether its client may come back that was lost, or closed with this code."""
        return self.unacked is not None and code != 1000

    def lose(self, until: float) -> None:
        """Wait for the client until then: its socket is gone."""
        self.stage, self.waiting, self.until = _AWAY, None, until
        self.transport = self.socket = self.protocol = None

    def end(self) -> None:
        """Be no longer; where the client's goodbye is awaited it may still come."""
        self.transport, self.until, self.waiting = None, _NEVER, None
        if self.stage is not _CLOSING:
            self.stage = _OVER

    def forget_socket(self) -> None:
        """Let its last socket go, which nothing can come by any more."""
        self.socket = self.protocol = None
        self.stage = _OVER

    def next_event_id(self) -> int:
        """Return the id of the event that is raised now."""
        self.events += 1
        return self.events - 1

    def __repr__(self) -> str:
        return f"Connection({self.id!r}, hub={self.hub!r}, user_id={self.user_id!r})"


_ENDINGS: Final[dict[type[Any], Ending]] = {
    type(None): Ending.AWAIT,
    Goodbye: Ending.CLOSE,
    Malformed: Ending.HALF_CLOSE,
}
