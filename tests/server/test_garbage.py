"""Python looks for garbage less often, unless the app has its own idea of that."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from webpubsub.server import process as garbage


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = gc.get_threshold()
    monkeypatch.setattr(garbage, "_USUAL", found)
    yield
    gc.unfreeze()
    gc.set_threshold(*found)


def test_only_what_is_new_is_looked_at_and_rarely() -> None:
    usual = gc.get_threshold()
    garbage.look_rarely_for_garbage()
    assert gc.get_threshold() == (50_000, *usual[1:])
    assert gc.get_freeze_count() > 1000


def test_the_app_has_the_last_word() -> None:
    gc.set_threshold(123, 4, 5)
    garbage.look_rarely_for_garbage()
    assert gc.get_threshold()[:2] == (123, 4)


def test_garbage_is_still_found() -> None:
    garbage.look_rarely_for_garbage()
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() >= 1
