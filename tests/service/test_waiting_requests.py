"""Requests that wait their turn."""

from __future__ import annotations

from webpubsub.service.websocket import WaitingRequests


def test_requests_are_taken_in_their_order() -> None:
    waiting = WaitingRequests()
    assert not waiting.requests
    waiting.put(True, b"a")
    waiting.put(False, b"b")
    assert [waiting.take(), waiting.take()] == [(True, b"a"), (False, b"b")]
    assert not waiting.requests


def test_64_requests_are_enough() -> None:
    waiting = WaitingRequests()
    for _ in range(64):
        waiting.put(True, b"")
    assert (waiting.is_over(1), waiting.is_over(2)) == (False, True)
    waiting.put(True, b"")
    assert waiting.is_over(1)
    for _ in range(33):
        waiting.take()
    assert not waiting.is_over(2)


def test_a_megabyte_is_enough() -> None:
    waiting = WaitingRequests()
    waiting.put(False, bytes(1024 * 1024))
    assert not waiting.is_over(1)
    waiting.put(False, b"x")
    assert waiting.is_over(1)
    waiting.take()
    assert not waiting.is_over(2)
