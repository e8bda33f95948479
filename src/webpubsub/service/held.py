"""Frames that wait for a client which does not read, or which is away and may come back.

Only here can a message expire: whoever reads gets it in the same turn of the loop.

Source: service spec, section A.3 (``messageTtlSeconds``).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from webpubsub.service.numbered import Numbered

_NEVER: Final = float("inf")


class ExpiringFrame(bytes):
    """A frame that is not worth sending any more after ``expires_at``, by the event loop's clock."""

    expires_at: float

    def __new__(cls, frame: bytes, expires_at: float) -> ExpiringFrame:
        """Return the frame with its time."""
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
        """Start empty."""
        self._frames: deque[Any] = deque()
        self.size = 0

    def put(self, frame: Any) -> None:
        """Let a frame wait behind the others."""
        self._frames.append(frame)
        self.size += _size(frame)

    def drop_expired(self, now: float) -> None:
        """Forget what is not worth sending any more."""
        self._frames = deque(frame for frame in self._frames if _expires_at(frame) > now)
        self.size = sum(map(_size, self._frames))

    def take(self, now: float) -> list[Any]:
        """Return what is still worth sending."""
        return [frame for frame in self._frames if _expires_at(frame) > now]

    def __len__(self) -> int:
        return len(self._frames)


def _size(frame: Any) -> int:
    return frame.size if type(frame) is Numbered else len(frame)


def _expires_at(frame: Any) -> float:
    return _NEVER if type(frame) is bytes else frame.expires_at
