"""A child's watch over its own end."""

from __future__ import annotations

import asyncio

import pytest

from webpubsub.server.child import stopped_or_orphaned


@pytest.mark.parametrize("end", ["stopped", "orphaned"])
async def test_a_child_ends_when_it_is_told_to_or_is_alone(end: str) -> None:
    ends = {name: asyncio.Event() for name in ("stopped", "orphaned")}
    watch = asyncio.create_task(stopped_or_orphaned(ends["stopped"].wait, ends["orphaned"].wait()))
    await asyncio.sleep(0)
    assert not watch.done()
    ends[end].set()
    await asyncio.wait_for(watch, 5)


async def test_a_child_that_cannot_listen_to_its_parent_says_why() -> None:
    async def gone() -> None:
        raise ZeroDivisionError("a line that cannot be read")

    with pytest.raises(ZeroDivisionError):
        await stopped_or_orphaned(asyncio.Event().wait, gone())
