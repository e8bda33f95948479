"""Messages that are numbered for each receiver: encoded once, finished with a sequence id.

Source: client spec, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

_LARGEST_ID: Final = 2**64 - 1


class Numbered:
    """A message's frame but for its sequence id, which is the last thing in it.

    What stands before the id is the same for all receivers, except that its length fields depend on how
    many bytes the id takes; so it is made once for each size.

    Attributes:
        tail: Returns the id and what follows it.
        leads: What stands before, by the size of the tail.
        size: Bytes of the frame, at most.
        expires_at: When it is no longer worth sending, by the event loop's clock.

    Args:
        lead: Returns the frame up to the id when ``size`` more bytes follow.
        tail: Becomes `tail`. Receivers need the same tails again and again, so let it remember some.

    Example:
        >>> numbered = Numbered(lambda size: b"[%d]id=" % size, lambda sequence_id: b"%d." % sequence_id)
        >>> numbered.frame(7), numbered.frame(12)
        (b'[2]id=7.', b'[3]id=12.')
    """

    __slots__ = ("_lead", "expires_at", "leads", "size", "tail")

    def __init__(self, lead: Callable[[int], bytes], tail: Callable[[int], bytes]) -> None:
        self._lead = lead
        self.tail = tail
        self.leads: dict[int, bytes] = {}
        self.expires_at = float("inf")
        self.size = len(self.frame(_LARGEST_ID))

    def lead(self, size: int) -> bytes:
        """Return the frame up to the id when ``size`` more bytes follow."""
        lead = self.leads.get(size)
        if lead is None:
            lead = self.leads[size] = self._lead(size)
        return lead

    def frame(self, sequence_id: int) -> bytes:
        """Return the frame for a receiver whose message of this id it is."""
        tail = self.tail(sequence_id)
        return self.lead(len(tail)) + tail


class Burst:
    """The frames of one loop turn, of which many connections have the same.

    Connections that joined one after the other mostly have the same ids, too; they share the bytes.

    Attributes:
        frames: Ready bytes, and messages to be numbered.
        messages: Those messages.
        size: Bytes of the messages' frames, at most.
    """

    __slots__ = ("_bytes", "_last_id", "frames", "messages", "size")

    def __init__(self, frames: Sequence[Any]) -> None:
        self.frames = list(frames)
        self.messages: list[Numbered] = [frame for frame in frames if type(frame) is Numbered]
        self.size = sum(message.size for message in self.messages)
        self._last_id = -1
        self._bytes = b""

    def bytes_after(self, last_id: int) -> bytes:
        """Return the bytes for a connection whose last message had this id."""
        if last_id != self._last_id:
            self._bytes = b"".join(self._pieces(last_id))
            self._last_id = last_id
        return self._bytes

    def _pieces(self, sequence_id: int) -> list[bytes]:
        pieces: list[bytes] = []
        for frame in self.frames:
            if type(frame) is Numbered:  # `frame.frame()` is written out, as each call costs a tenth
                sequence_id += 1
                tail = frame.tail(sequence_id)
                pieces.append(frame.leads.get(len(tail)) or frame.lead(len(tail)))
                pieces.append(tail)
            else:
                pieces.append(frame)
        return pieces
