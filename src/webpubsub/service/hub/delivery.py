"""Delivery: the same frame bytes to many sockets.

Frames wait in each connection's list until the loop turn ends, then go out as one write: order is kept
per connection across groups and direct sends, and a burst costs one system call a connection.
A turn's writes are sliced, so that a message to thousands of connections does not hold the loop from REST
calls and pings.

While a client does not read, its frames are held here instead of in its transport's buffer, where no
message could expire; those of a reliable client that is away are held likewise. A client is cut off when
more than `MAX_WAITING_BYTES` wait for it, or more than `MAX_HELD` messages (`MAX_UNACKED` for a reliable
one, unless it is we who do not read its acks), and nobody else's message is lost. Clients that publish faster
than a receiver reads wait for it, so that a flood costs no healthy receiver its connection; but for no
receiver longer than `PATIENCE`.

Source: client spec, sections 1.7 and 4.2; service spec, section A.3.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.effects import Deliver, Effects, End, Raise
from webpubsub.service.hub.outbox import ExpiringFrame, Held
from webpubsub.service.protocols.numbered import Burst, Numbered

MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
MAX_HELD: Final = 1000
MAX_UNACKED: Final = 1000
PATIENCE: Final = 2.0  # seconds; a healthy client reads what is buffered for it in some milliseconds
SLICE: Final = 500
MAX_QUEUED: Final = 100_000  # frames; queueing them takes some 10 ms


class Delivery:
    """Collects frames and writes them once a loop turn.

    Attributes:
        queued: Frames that wait to be written. While they are more than `MAX_QUEUED`, clients' requests
            should wait for `catch_up`; else one client that floods a large group would hold the loop until
            all it sent is queued.
        is_outrun: Whether a message went to somebody who does not read: who published it should wait for
            `catch_up` before the next.
    """

    def __init__(self, end: Callable[[End], None], on_slow: Callable[[Connection], None]) -> None:
        """Begin with nothing.

        Args:
            end: Performs the effects that end a connection.
            on_slow: Is told each connection that has too much waiting for it.
        """
        self._end = end
        self._on_slow = on_slow
        self._waiting: deque[Connection] = deque()
        self._scheduled = False
        self.queued = 0
        self._burst: Burst | None = None  # the last one: the next connection mostly has the same
        self._behind: dict[Connection, float] = {}  # who does not read, and until when publishers wait
        self.is_outrun = False

    async def catch_up(self) -> None:
        """Return when not too much waits to be written, and those outrun read again or had their time."""
        while self.queued > MAX_QUEUED:  # noqa: ASYNC110 - writing takes turns of the loop
            await asyncio.sleep(0)
        if self.is_outrun:
            self.is_outrun = False
            while self._somebody_is_behind():  # noqa: ASYNC110 - only floods come here
                await asyncio.sleep(0.002)

    def _somebody_is_behind(self) -> bool:
        now = self._now()
        self._behind = {connection: until for connection, until in self._behind.items() if until > now}
        return bool(self._behind)

    def apply(self, effects: Effects) -> None:
        """Perform effects other than `Raise`, in their order."""
        for effect in effects:
            if type(effect) is Deliver:
                self.deliver(effect)
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
            self.is_outrun = True
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
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES or (
            unacked is not None and self._is_too_much(connection, len(unacked), unacked.size)
        ):
            self._on_slow(connection)

    def _is_too_much(self, connection: Connection, count: int, size: int) -> bool:
        """Whether a reliable client owes too many acks, or acks of too many bytes."""
        if size > MAX_WAITING_BYTES:
            return True
        return count > MAX_UNACKED and connection.counts_acks(self._now())

    def _burst_of(self, frames: list[Any]) -> Burst:
        burst = self._burst
        if burst is None or burst.frames != frames:
            burst = self._burst = Burst(frames)
        return burst

    # --- clients that do not read, or are away --------------------------------------------------------

    def hold(self, connection: Connection) -> None:
        """Keep what comes now: the client does not read."""
        if connection.held is None:
            connection.held = Held()
            self._behind[connection] = self._now() + PATIENCE

    def release(self, connection: Connection) -> None:
        """Write all that waits: the client reads again, or this is the end."""
        held, connection.held = connection.held, None
        self._behind.pop(connection, None)
        if held is not None:
            frames = held.take(self._now())
            self.queued += len(frames)
            connection.frames[:0] = frames
        self.flush(connection)

    def forget(self, connection: Connection) -> None:
        """Let no publisher wait for a connection that has ended."""
        self._behind.pop(connection, None)

    def detach(self, connection: Connection) -> None:
        """Keep the messages that come now: a reliable client is away. Anything else is not for later."""
        waiting = [] if connection.held is None else connection.held.take(self._now())
        self._behind.pop(connection, None)
        self.queued -= len(connection.frames)
        waiting += connection.frames
        connection.frames.clear()
        connection.transport = None
        connection.held = Held()
        for frame in waiting:
            if type(frame) is Numbered:
                connection.held.put(frame)

    def reattach(self, connection: Connection, greeting: bytes) -> None:
        """Greet a reliable client that is back; then send what it has not acknowledged, and what was kept."""
        assert connection.transport is not None
        assert connection.unacked is not None
        now = self._now()
        kept = [] if connection.held is None else connection.held.take(now)
        connection.held = None  # before the write, which may find that the client does not read
        connection.transport.write(greeting + connection.unacked.replay(now))
        self.queued += len(kept)
        connection.frames[:0] = kept
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
        if unacked is not None:
            return self._is_too_much(connection, len(held) + len(unacked), held.size + unacked.size)
        buffered = 0 if transport is None else transport.get_write_buffer_size()
        return before > MAX_HELD or held.size + buffered > MAX_WAITING_BYTES

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

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _expiring(frame: bytes | Numbered, expires_at: float) -> bytes | Numbered:
    if isinstance(frame, Numbered):
        frame.expires_at = expires_at
        return frame
    return ExpiringFrame(frame, expires_at)
