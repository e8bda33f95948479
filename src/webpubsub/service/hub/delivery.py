"""Delivery: the same frame bytes to many sockets of one hub.

Frames wait in each connection's list until the loop turn ends, then go out as one write: order is kept
per connection across groups and direct sends, and a burst costs one system call a connection.
A turn's writes are sliced, so that a message to thousands of connections does not hold the loop from REST
calls, pings, and other hubs.

**Who does not keep up is waited for, but not for long.** A receiver falls *behind* when its socket takes no
more, or when a reliable one owes more than `MAX_UNACKED` acks (unless it is we who do not read them). A
client that publishes to it waits until it has caught up, so that a flood costs no healthy receiver its
connection. One that does not catch up within the patience is cut off, and nobody else's message is lost. The
wait belongs to the receivers of that message: whoever publishes to others goes on.

What comes for a receiver that takes nothing more is held here, by reference, instead of in its transport's
buffer, where no message could expire and each would have a copy of its own; those of a reliable client that
is away are held likewise. It is written in slices, as far as the receiver reads. A receiver for which more
than `MAX_WAITING_BYTES` wait, or more than `MAX_HELD` messages (`MAX_UNACKED` for one that is away), is cut
off, too; what is held for somebody who is cut off is dropped.

Source: client spec, sections 1.7 and 4.2; service spec, section A.3.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Final, cast

from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.effects import Acked, Deliver, Effects, End, Raise
from webpubsub.service.hub.outbox import ExpiringFrame, Held
from webpubsub.service.protocols.numbered import Burst, Numbered

MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
MAX_HELD: Final = 1000
MAX_UNACKED: Final = 1000
SLICE: Final = 500
SLICE_BYTES: Final = 64 * 1024  # of what is held for one receiver: as much as its transport buffers
MAX_QUEUED: Final = 100_000  # frames; queueing them takes some 10 ms


class _Lag:
    """A receiver's being behind, for those who wait for its end."""

    __slots__ = ("over", "timer")

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None

    def end(self) -> None:
        """Let all go on who wait."""
        if self.timer is not None:
            self.timer.cancel()
        self.over.set()


class Delivery:
    """Collects the frames of one hub and writes them once a loop turn.

    Attributes:
        queued: Frames that wait to be written. While they are more than `MAX_QUEUED`, clients' requests
            should wait for `catch_up`; else one client that floods a large group would hold the loop until
            all it sent is queued.
        outrun: Receivers of the last messages that are behind: who published them should wait with `catch_up`
            before the next. Whoever starts to publish empties it.
    """

    def __init__(
        self,
        end: Callable[[End], None],
        on_slow: Callable[[Connection], None],
        on_late: Callable[[Connection], None],
        patience: Callable[[], float],
    ) -> None:
        """Begin with nothing.

        Args:
            end: Performs the effects that end a connection.
            on_slow: Is told each connection that has too much waiting for it.
            on_late: Is told each that does not catch up in time.
            patience: Returns for how many seconds a receiver is waited for; a healthy one reads what is
                buffered for it in some milliseconds.
        """
        self._end = end
        self._on_slow = on_slow
        self._on_late = on_late
        self._patience = patience
        self._waiting: deque[Connection] = deque()
        self._scheduled = False
        self.queued = 0
        self._room: asyncio.Event | None = None  # while somebody waits for fewer of them
        self._burst: Burst | None = None  # the last one: the next connection mostly has the same
        self._behind: dict[Connection, _Lag] = {}
        self.outrun: list[Connection] = []

    async def catch_up(self, publisher: Connection, outrun: Collection[Connection] = ()) -> None:
        """Return when not too much waits to be written, and those who were outrun have caught up or ended.

        A publisher that does not read what it gets itself waits, too, but nobody is impatient with it.
        """
        while self.queued > MAX_QUEUED:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
        lags = [lag for connection in outrun if (lag := self._behind.get(connection)) is not None]
        for connection in outrun:
            if connection is not publisher:
                self._be_patient(connection)
        for lag in lags:  # their times run side by side
            await lag.over.wait()

    def apply(self, effects: Effects) -> None:
        """Perform effects other than `Raise`, in their order."""
        for effect in effects:
            if type(effect) is Deliver:
                self.deliver(effect)
            elif type(effect) is Acked:
                self._hear_acks(effect.connection)
            elif type(effect) is not Raise:
                self._end(cast(End, effect))

    def deliver(self, effect: Deliver) -> None:
        """Queue a frame for every receiver."""
        frame, waiting = effect.frame, self._waiting
        if effect.ttl_seconds:
            frame = _expiring(frame, self._now() + effect.ttl_seconds)
        self.queued += len(effect.receivers)
        for connection in effect.receivers:
            frames = connection.frames
            if not frames:
                waiting.append(connection)
            frames.append(frame)
        if self._behind and not self._behind.keys().isdisjoint(effect.receivers):
            self.outrun += [connection for connection in effect.receivers if connection in self._behind]
        if waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write_slice)

    def flush(self, connection: Connection) -> None:
        """Write what waits for the end of this turn now."""
        frames, unacked, transport = connection.frames, connection.unacked, connection.transport
        self.queued -= len(frames)
        if connection.held is not None:
            self._hold(connection, connection.held)
            return
        if unacked is not None:
            data = unacked.number(self._burst_of(frames))
        else:
            data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        if transport is None or not data:
            return
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._on_slow(connection)
        elif unacked is not None and (len(unacked) > MAX_UNACKED or unacked.size > MAX_WAITING_BYTES):
            self._look_at_acks(connection, unacked.size)

    def _burst_of(self, frames: list[Any]) -> Burst:
        burst = self._burst
        if burst is None or burst.frames != frames:
            burst = self._burst = Burst(frames)
        return burst

    def _write_slice(self) -> None:
        waiting, flush = self._waiting, self.flush
        try:
            for _ in range(min(SLICE, len(waiting))):
                flush(waiting.popleft())
        finally:  # a transport that raises must not end the delivery to all others
            if waiting:
                asyncio.get_running_loop().call_soon(self._write_slice)
            else:
                self._scheduled = False
                self._burst = None
            if self._room is not None and self.queued <= MAX_QUEUED:
                self._room.set()
                self._room = None

    # --- who is behind --------------------------------------------------------------------------------

    def _fall_behind(self, connection: Connection) -> None:
        if connection not in self._behind:
            self._behind[connection] = _Lag()

    def _be_patient(self, connection: Connection) -> None:
        """Cut a receiver off that does not catch up in time from now on."""
        lag = self._behind.get(connection)
        if lag is not None and lag.timer is None:
            lag.timer = asyncio.get_running_loop().call_later(
                self._patience(), self._lose_patience, connection
            )

    def _lose_patience(self, connection: Connection) -> None:
        if connection in self._behind:
            self._on_late(connection)

    def _keep_up(self, connection: Connection) -> None:
        """Let nobody wait any longer for a receiver that is behind in nothing."""
        if connection.held is None and not connection.owes_acks:
            self.forget(connection)

    def _look_at_acks(self, connection: Connection, size: int) -> None:
        """Look at a reliable receiver that owes many acks; its time runs: not all publishers wait for it."""
        if size > MAX_WAITING_BYTES:
            self._on_slow(connection)
        elif not connection.owes_acks and connection.counts_acks(self._now()):
            connection.owes_acks = True
            self._fall_behind(connection)
            self._be_patient(connection)

    def _hear_acks(self, connection: Connection) -> None:
        unacked = connection.unacked
        if connection.owes_acks and unacked is not None and len(unacked) <= MAX_UNACKED // 2:
            connection.owes_acks = False
            self._keep_up(connection)

    def forget(self, connection: Connection) -> None:
        """Let nobody wait for a receiver that has ended, or has caught up."""
        lag = self._behind.pop(connection, None)
        if lag is not None:
            lag.end()

    # --- clients that take no more, or are away -------------------------------------------------------

    def hold(self, connection: Connection) -> None:
        """Keep what comes now: the client's socket takes no more."""
        connection.is_write_paused = True
        if connection.held is None:
            connection.held = Held()
        self._fall_behind(connection)

    def release(self, connection: Connection) -> None:
        """Write what is held, as far as the client's socket takes it: it takes more."""
        connection.is_write_paused = False
        if connection.held is not None:
            if not self._write_held(connection, connection.held):
                return
            connection.held = None
            self._keep_up(connection)
        self.flush(connection)

    def _write_held(self, connection: Connection, held: Held) -> bool:
        """Write what is held, slice by slice; whether that was all."""
        transport, unacked = connection.transport, connection.unacked
        now = self._now()
        while not connection.is_write_paused and transport is not None:
            if unacked is not None and unacked.is_replaying:
                data = unacked.replay(SLICE_BYTES, now)
            elif held:
                data = self._numbered(connection, held.take(SLICE_BYTES, now))
            else:
                return True
            if data:
                transport.write(data)
        return False

    def _numbered(self, connection: Connection, frames: list[Any]) -> bytes:
        if connection.unacked is None:
            return b"".join(frames)
        return connection.unacked.number(Burst(frames))

    def finish(self, connection: Connection) -> None:
        """Write what waits, as the connection is closed; of what is held, as much as one slice."""
        held, connection.held = connection.held, None
        frames, connection.frames = connection.frames, []
        self.queued -= len(frames)
        transport = connection.transport
        if held is not None:
            frames = held.take(SLICE_BYTES, self._now())
        if transport is not None and frames:
            transport.write(self._numbered(connection, frames))

    def drop(self, connection: Connection) -> None:
        """Drop what waits: the client is cut off."""
        self.queued -= len(connection.frames)
        connection.held = None
        connection.frames.clear()

    def detach(self, connection: Connection) -> None:
        """Keep the messages that come now: a reliable client is away. Anything else is not for later."""
        held, kept = connection.held, Held()
        self.forget(connection)
        connection.owes_acks = connection.is_write_paused = False
        self.queued -= len(connection.frames)
        waiting = [] if held is None else held.take(held.size, self._now())
        for frame in [*waiting, *connection.frames]:
            if type(frame) is Numbered:
                kept.put(frame)
        connection.frames.clear()
        connection.transport = None
        connection.held = kept

    def reattach(self, connection: Connection, greeting: bytes) -> None:
        """Greet a reliable client that is back; then send what it has not acknowledged, and what was kept."""
        assert connection.transport is not None
        assert connection.unacked is not None
        connection.is_write_paused = False
        connection.unacked.begin_replay()
        if connection.held is None:
            connection.held = Held()
        connection.transport.write(greeting + connection.unacked.replay(SLICE_BYTES, self._now()))
        if not self._write_held(connection, connection.held):
            self._fall_behind(connection)
            return
        connection.held = None
        self.flush(connection)

    def _hold(self, connection: Connection, held: Held) -> None:
        is_away, before = connection.transport is None, len(held)
        for frame in connection.frames:
            if not is_away or type(frame) is Numbered:
                held.put(frame)
        connection.frames.clear()
        if self._holds_too_much(connection, held, before):
            held.drop_expired(self._now())
            if self._holds_too_much(connection, held, min(before, len(held))):
                self._on_slow(connection)

    def _holds_too_much(self, connection: Connection, held: Held, before: int) -> bool:
        """Whether too much waits; ``before`` were here before this turn.

        What came in one turn may be many messages for somebody who only just stopped reading.
        """
        unacked, transport = connection.unacked, connection.transport
        size = held.size + (0 if unacked is None else unacked.size)
        if transport is None:
            return (
                size > MAX_WAITING_BYTES or len(held) + (0 if unacked is None else len(unacked)) > MAX_UNACKED
            )
        return before > MAX_HELD or size + transport.get_write_buffer_size() > MAX_WAITING_BYTES

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _expiring(frame: bytes | Numbered, expires_at: float) -> bytes | Numbered:
    if isinstance(frame, Numbered):
        frame.expires_at = expires_at
        return frame
    return ExpiringFrame(frame, expires_at)
