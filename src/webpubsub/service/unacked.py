"""The messages a reliable client has been sent and has not acknowledged.

Source: client spec, sections 4.1 and 4.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from webpubsub.service.numbered import Burst, Numbered


class Unacked:
    """The unacknowledged messages of one connection, and the count of its sequence ids.

    Ids start at 1 and are given when a message is written for the first time; so the messages here have
    consecutive ids. Receivers share the messages: what is kept for each is a reference.

    Attributes:
        size: Bytes of their frames, at most.
    """

    __slots__ = ("_last_id", "_messages", "size")

    def __init__(self) -> None:
        """Start with no message; the first gets the id 1."""
        self._messages: deque[Numbered] = deque()
        self._last_id = 0
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

    def replay(self, now: float) -> bytes:
        """Return the frames of all of them as they were sent, but for those that have expired since."""
        return b"".join(message.frame(at) for at, message in self._ids() if message.expires_at > now)

    def _ids(self) -> Iterator[tuple[int, Numbered]]:
        return enumerate(self._messages, self._last_id - len(self._messages) + 1)

    def __len__(self) -> int:
        return len(self._messages)
