"""What a client has not got yet.

`Unacked` are those a reliable client has been sent and has not acknowledged. `Held` frames wait for a
client which does not read, or which is away and may come back; only there can a message expire: whoever reads
gets it in the same turn of the loop.

Source: client spec, sections 4.1 and 4.2; service spec, section A.3 (``messageTtlSeconds``).
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, Final

from webpubsub.service.protocols.numbered import Burst, Numbered

_NEVER: Final = float("inf")


class Unacked:
    """The unacknowledged messages of one connection, and the count of its sequence ids.

    Ids start at 1 and are given when a message is written for the first time; so the messages here have
    consecutive ids. Receivers share the messages: what is kept for each is a reference.

    Attributes:
        size: Bytes of their frames, at most.
    """

    __slots__ = ("_last_id", "_messages", "_replay_at", "size")

    def __init__(self) -> None:
        """Start with no message; the first gets the id 1."""
        self._messages: deque[Numbered] = deque()
        self._last_id = 0
        self._replay_at: int | None = None  # the id that is sent again next
        self.size = 0

    def number(self, burst: Burst) -> bytes:
        """Return the bytes of frames, giving the next ids to the messages among them."""
        last_id = self._last_id
        self._messages.extend(burst.messages)
        self._last_id = last_id + len(burst.messages)
        self.size += burst.size
        return burst.bytes_after(last_id)

    def release(self, sequence_id: int) -> None:
        """Forget the messages up to an id, as the client has them; ids that were not given change nothing."""
        messages = self._messages
        count = min(sequence_id, self._last_id) - (self._last_id - len(messages))
        for _ in range(count):
            self.size -= messages.popleft().size

    def begin_replay(self) -> None:
        """Send all of them again from now on, by `replay`."""
        self._replay_at = self._last_id - len(self._messages) + 1 if self._messages else None

    @property
    def is_replaying(self) -> bool:
        """Whether some are to be sent again before any other."""
        return self._replay_at is not None

    def replay(self, limit: int, now: float) -> bytes:
        """Return the next frames as they were sent, some ``limit`` bytes of them.

        Those that have expired since are left out.
        """
        first = self._last_id - len(self._messages) + 1
        at, size, frames = max(self._replay_at or first, first), 0, []
        for message in islice(self._messages, at - first, None):
            if size >= limit:
                break
            if message.expires_at > now:
                frames.append(message.frame(at))
                size += len(frames[-1])
            at += 1
        self._replay_at = at if at <= self._last_id else None
        return b"".join(frames)

    def __len__(self) -> int:
        return len(self._messages)


class ExpiringFrame(bytes):
    """A frame that is not worth sending any more after ``expires_at``, by the event loop's clock."""

    expires_at: float

    def __new__(cls, frame: bytes, expires_at: float) -> ExpiringFrame:
        found = super().__new__(cls, frame)
        found.expires_at = expires_at
        return found


class Held:
    """The frames that wait for one client, in their order.

    Attributes:
        size: Their bytes.
    """

    __slots__ = ("_frames", "size")

    def __init__(self) -> None:
        self._frames: deque[Any] = deque()
        self.size = 0

    def put(self, frame: Any) -> None:
        """Let a frame wait behind the others."""
        self._frames.append(frame)
        self.size += _size(frame)

    def drop_expired(self, now: float) -> None:
        self._frames = deque(frame for frame in self._frames if _expires_at(frame) > now)
        self.size = sum(map(_size, self._frames))

    def take(self, limit: int, now: float) -> list[Any]:
        """Take out some ``limit`` bytes from the front; return what of that is still worth sending."""
        frames, left = [], limit
        while self._frames and left > 0:
            frame = self._frames.popleft()
            size = _size(frame)
            self.size -= size
            if _expires_at(frame) > now:
                frames.append(frame)
                left -= size
        return frames

    def __len__(self) -> int:
        return len(self._frames)


def _size(frame: Any) -> int:
    return frame.size if type(frame) is Numbered else len(frame)


def _expires_at(frame: Any) -> float:
    return _NEVER if type(frame) is bytes else frame.expires_at
