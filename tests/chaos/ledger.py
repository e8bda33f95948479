"""What was sent and what came, and what is wrong with it: lost, twice, out of order.

A *stay* is what a receiver takes for one connection: from its greeting until it is told that the connection
has ended. That of a plain client ends with its wire; a reliable one comes back and goes on. So nothing may be
lost within a stay, by whatever client, and between two stays of a client everything may.

A hub brings its messages into one order. Hence what is accepted before another message is sent comes before
that to everybody; whoever got the second must have got the first. Times are those of the machine's monotonic
clock, which all its processes share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

EVERYBODY: Final = "*"
"""The group of what is sent to all."""
FOREVER: Final = float("inf")


class Letter(msgspec.Struct, array_like=True):
    """One message.

    Attributes:
        sent_at: When its sender began to send it.
        accepted_at: When the sender heard that it is accepted; None if it did not: then nobody knows.
    """

    sent_at: float
    accepted_at: float | None = None


class Sender(msgspec.Struct):
    """Who numbers its messages from 0.

    Attributes:
        group: To whom they go.
        letters: By their numbers.
    """

    group: str
    letters: list[Letter] = []

    def send(self, now: float) -> int:
        """Write down that the next one is sent; return its number."""
        self.letters.append(Letter(now))
        return len(self.letters) - 1


class Stay(msgspec.Struct):
    """A receiver's time in one connection.

    Attributes:
        receiver: Its name.
        groups: Those it is in.
        connection_id: Of the connection.
        begun_at: When it was greeted.
        got: The numbers of what came, by their senders.
        is_whole: Whether it was there until the end of the run.
        ended: Why it was not.
        recoveries: How often its client came back.
        faults: What the receiver itself found.
    """

    receiver: str
    groups: list[str]
    connection_id: str
    begun_at: float
    got: dict[str, list[int]] = {}
    is_whole: bool = False
    ended: str = ""
    recoveries: int = 0
    faults: list[str] = []


class Book(msgspec.Struct):
    """What one process has to tell."""

    senders: dict[str, Sender] = {}
    stays: list[Stay] = []


def faults_of(senders: Mapping[str, Sender], stays: Iterable[Stay]) -> Iterator[str]:
    """Tell what is wrong with what came."""
    had: dict[tuple[str, str], set[int]] = {}
    for stay in stays:
        where = f"{stay.receiver} in {stay.connection_id}"
        yield from (f"{where}: {fault}" for fault in stay.faults)
        strange = [name for name in stay.got if not _is_for(senders.get(name), stay)]
        yield from (f"{where}: messages of {name}, which are not for it" for name in strange)
        horizon = _horizon(senders, stay)
        for name, sender in senders.items():
            if _is_for(sender, stay):
                got = stay.got.get(name, [])
                before = had.setdefault((stay.receiver, name), set())
                for what, numbers in _wrong(sender.letters, got, before, stay.begun_at, horizon):
                    yield f"{where}: {what} {_shown(numbers)} of {name}"
                before.update(got)


def _is_for(sender: Sender | None, stay: Stay) -> bool:
    return sender is not None and (sender.group == EVERYBODY or sender.group in stay.groups)


def _horizon(senders: Mapping[str, Sender], stay: Stay) -> float:
    """Return up to when all that was accepted must have come."""
    if stay.is_whole:
        return FOREVER
    lasts = [(name, max(numbers)) for name, numbers in stay.got.items() if name in senders]
    return max((senders[name].letters[number].sent_at for name, number in lasts), default=-FOREVER)


def _wrong(
    letters: list[Letter], got: list[int], before: set[int], begun_at: float, horizon: float
) -> Iterator[tuple[str, list[int]]]:
    have: set[int] = set()
    twice, late, newest = [], [], -1
    for number in got:
        if number in have or number in before:
            twice.append(number)
        elif letters[number].accepted_at is None:
            pass  # what HTTP lost sight of may be done whenever it comes out of the wire
        elif number < newest:
            late.append(number)
        else:
            newest = number
        have.add(number)
    first, last = (min(have), max(have)) if have else (0, -1)
    lost = [
        number
        for number, letter in enumerate(letters)
        if letter.accepted_at is not None
        and number not in have
        and (first < number < last or (begun_at < letter.sent_at and letter.accepted_at < horizon))
    ]
    found = {"lost": lost, "twice": twice, "out of order": late}
    return ((what, numbers) for what, numbers in found.items() if numbers)


def event_faults(events: Mapping[str, Sender], heard: Mapping[str, list[int]]) -> Iterator[str]:
    """Tell what is wrong with what an event handler heard; it may hear of an event again."""
    for name, sender in events.items():
        numbers = list(dict.fromkeys(heard.get(name, [])))
        if numbers != sorted(numbers):
            yield f"the event handler heard out of order of {name}: {_shown(numbers)}"
        accepted = {n for n, letter in enumerate(sender.letters) if letter.accepted_at is not None}
        if lost := sorted(accepted.difference(numbers)):
            yield f"the event handler never heard of {_shown(lost)} of {name}"


def _shown(numbers: list[int]) -> str:
    rest = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + rest
