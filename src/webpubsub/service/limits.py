"""What clients may take of a service: how many may come in, and how much each may send.

Who is one too many is refused as it comes (429). Who sends too much is closed (1008), at that place of what
it says: what it said before is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from webpubsub.model.errors import PeerError
from webpubsub.service.protocols import ClientProtocol
from webpubsub.service.protocols.messages import ClientMessage, Goodbye, Malformed, SequenceAck
from webpubsub.service.settings import Limits

TOO_MANY: Final = 429
POLICY: Final = 1008

# Acks answer messages, of which the client does not choose how many come; the others end it anyway.
_FREE: Final[frozenset[type[Any]]] = frozenset({SequenceAck, Goodbye, Malformed})


class Rate:
    """So many a second: as many at once, and again when time has passed.

    Example:
        >>> rate = Rate(2, now=0.0)
        >>> rate.takes(2, 0.0), rate.takes(1, 0.0), rate.takes(1, 0.5)
        (True, False, True)
    """

    __slots__ = ("_left", "_since", "limit")

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._left = float(limit)
        self._since = now

    def takes(self, count: int, now: float) -> bool:
        """Whether ``count`` more are within the limit; those that are not do not count."""
        self._left = min(self.limit, self._left + (now - self._since) * self.limit)
        self._since = now
        if count > self._left:
            return False
        self._left -= count
        return True


class Newcomers:
    """How many clients come in a second."""

    def __init__(self) -> None:
        self._rate: Rate | None = None

    def check(self, limits: Limits, now: float) -> None:
        """Count one that comes.

        Raises:
            PeerError: It is one too many.
        """
        limit = limits.connects_per_second
        if limit is None:
            self._rate = None
            return
        if self._rate is None or self._rate.limit != limit:
            self._rate = Rate(limit, now)
        if not self._rate.takes(1, now):
            raise PeerError(
                f"more than {limit} clients came within a second (connectsPerSecond)", status=TOO_MANY
            )


def check_room(limits: Limits, clients: int, of_user: int) -> None:
    """Make sure that there is room for one more client.

    Args:
        limits: Those of the service.
        clients: How many there are.
        of_user: How many of them are of the same user, in the same hub; 0 when it is anonymous.

    Raises:
        PeerError: There is none.
    """
    if limits.clients is not None and clients >= limits.clients:
        raise PeerError(
            f"the service has {clients} clients, and may not have more (clients)", status=TOO_MANY
        )
    if limits.clients_per_user is not None and of_user >= limits.clients_per_user:
        raise PeerError(
            f"the user has {of_user} clients, and may not have more (clientsPerUser)", status=TOO_MANY
        )


def metered(protocol: ClientProtocol, limits: Limits, clock: Callable[[], float]) -> ClientProtocol:
    """Return what reads a client's socket, within the limits of what it may send.

    Args:
        protocol: Reads it without limits.
        limits: Those of the service.
        clock: Seconds since some moment.
    """
    if limits.messages_per_second_per_client is None and limits.bytes_per_second_per_client is None:
        return protocol
    return _Metered(protocol, limits, clock)


class _Metered:
    """A `ClientProtocol`."""

    __slots__ = ("_bytes", "_clock", "_is_over", "_messages", "_protocol")

    def __init__(self, protocol: ClientProtocol, limits: Limits, clock: Callable[[], float]) -> None:
        self._protocol = protocol
        self._clock = clock
        self._messages = _rate(limits.messages_per_second_per_client, clock())
        self._bytes = _rate(limits.bytes_per_second_per_client, clock())
        self._is_over = False

    def receive(self, data: bytes) -> Sequence[ClientMessage]:
        if self._is_over:
            return ()
        now = self._clock()
        if self._bytes is not None and not self._bytes.takes(len(data), now):
            return self._ended_by("bytes", self._bytes.limit, ())
        messages = self._protocol.receive(data)
        if self._messages is not None:
            for number, message in enumerate(messages):
                if type(message) not in _FREE and not self._messages.takes(1, now):
                    return self._ended_by("messages", self._messages.limit, messages[:number])
        return messages

    def ignore_messages(self) -> None:
        self._protocol.ignore_messages()

    def _ended_by(self, what: str, limit: int, before: Sequence[ClientMessage]) -> Sequence[ClientMessage]:
        self._is_over = True
        reason = f"The client sent more than {limit} {what} within a second ({what}PerSecondPerClient)."
        return (*before, Malformed(POLICY, reason))


def _rate(limit: int | None, now: float) -> Rate | None:
    return None if limit is None else Rate(limit, now)
