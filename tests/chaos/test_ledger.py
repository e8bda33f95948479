"""What the book of a run says to what was sent and what came."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chaos.ledger import EVERYBODY, Letter, Sender, Stay, event_faults, faults_of

UNKNOWN = None


def sent(*accepted: float | None, group: str = "g", since: float = 10.0) -> Sender:
    """Messages sent at 10, 11, ..., and when each was accepted."""
    return Sender(group, [Letter(since + number, at) for number, at in enumerate(accepted)])


def stay(
    *numbers: int, begun_at: float = 0.0, is_whole: bool = False, groups: Sequence[str] = ("g",)
) -> Stay:
    return Stay("bob", list(groups), "c1", begun_at, {"alice": list(numbers)} if numbers else {}, is_whole)


FOUR = sent(10.5, 11.5, 12.5, 13.5)


@pytest.mark.parametrize(
    ("sender", "came", "wrong"),
    [
        (FOUR, stay(0, 1, 2, 3, is_whole=True), ""),
        (FOUR, stay(0, 1, 2, is_whole=True), "lost 3"),
        (FOUR, stay(is_whole=True), "lost 0, 1, 2, 3"),
        (FOUR, stay(0, 2, 3), "lost 1"),
        (FOUR, stay(0, 1), ""),
        (FOUR, stay(2, 3), "lost 0, 1"),
        (FOUR, stay(2, 3, begun_at=11.2), ""),
        (FOUR, stay(), ""),
        (FOUR, stay(is_whole=True, begun_at=13.2), ""),
        (FOUR, stay(0, 1, 1, 2, 3, is_whole=True), "twice 1"),
        (FOUR, stay(0, 2, 1, 3, is_whole=True), "out of order 1"),
        (FOUR, stay(is_whole=True, groups=["h"]), ""),
        (FOUR, stay(1, groups=["h"]), "messages of alice, which are not for it"),
        (sent(10.5, group=EVERYBODY), stay(is_whole=True, groups=["h"]), "lost 0"),
        (sent(10.5, UNKNOWN, 12.5), stay(0, 2, is_whole=True), ""),
        (sent(10.5, UNKNOWN, 12.5), stay(0, 2, 1, is_whole=True), ""),
        (sent(10.5, UNKNOWN, 12.5), stay(0, 1, 2, 1, is_whole=True), "twice 1"),
        (sent(*[99.0] * 9), stay(is_whole=True), "lost 0, 1, 2, 3, 4 and 4 more"),
    ],
)
def test_what_is_wrong_with_a_stay(sender: Sender, came: Stay, wrong: str) -> None:
    found = [
        fault.partition(": ")[2].removesuffix(" of alice") for fault in faults_of({"alice": sender}, [came])
    ]
    assert found == ([wrong] if wrong else [])


def test_who_got_the_later_message_of_another_must_have_got_the_earlier() -> None:
    senders = {"alice": sent(10.5), "carol": sent(10.7, since=10.6), "dave": sent(10.7, since=10.4)}
    came = Stay("bob", ["g"], "c1", 0.0, {"carol": [0]})
    assert list(faults_of(senders, [came])) == ["bob in c1: lost 0 of alice"], "dave's came when it liked"


def test_between_two_stays_anything_may_be_lost_but_nothing_comes_again() -> None:
    first, second = stay(0), stay(3, begun_at=12.5, is_whole=True)
    assert list(faults_of({"alice": FOUR}, [first, second])) == []
    second.got["alice"] = [0, 3]
    second.begun_at = 0.0
    assert list(faults_of({"alice": FOUR}, [first, second])) == [
        "bob in c1: lost 1, 2 of alice",
        "bob in c1: twice 0 of alice",
    ]


def test_what_the_receiver_itself_found_is_told() -> None:
    came = stay(begun_at=99.0)
    came.faults.append("an ack came twice: 1")
    assert list(faults_of({}, [came])) == ["bob in c1: an ack came twice: 1"]


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ([0, 1, 2], []),
        ([0, 0, 1, 1, 2], []),
        ([0, 2], []),
        ([0, 1], ["the event handler never heard of 2 of alice"]),
        ([0, 2, 1], ["the event handler heard out of order of alice: 0, 2, 1"]),
    ],
)
def test_an_event_handler_may_hear_again_but_in_order(heard: list[int], wrong: list[str]) -> None:
    assert list(event_faults({"alice": sent(10.5, UNKNOWN, 12.5)}, {"alice": heard})) == wrong
