"""Time limits."""

from __future__ import annotations

import asyncio

import pytest

from kit.virtual_time import VirtualTime
from webpubsub.http import Deadlines


async def wait(deadlines: Deadlines, seconds: float) -> str:
    try:
        with deadlines.within(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        return f"after {seconds}"
    raise AssertionError


async def test_work_in_time_is_left_alone() -> None:
    with Deadlines().within(60):
        await asyncio.sleep(0)


async def test_what_takes_longer_is_ended() -> None:
    assert await wait(Deadlines(), 0.01) == "after 0.01"


async def test_each_ends_in_its_time() -> None:
    time, deadlines = VirtualTime(), Deadlines()
    ended: list[str] = []
    for seconds in (30.0, 10.0, 20.0):
        asyncio.create_task(wait(deadlines, seconds)).add_done_callback(
            lambda task: ended.append(task.result())
        )
    await time.go_on(0)
    for _ in range(3):
        await time.go_on(10.0)
    assert ended == ["after 10.0", "after 20.0", "after 30.0"]


async def test_after_the_last_another_may_come() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        assert await wait(deadlines, 0.001) == "after 0.001"


async def test_who_is_cancelled_by_others_stays_cancelled() -> None:
    task = asyncio.create_task(wait(Deadlines(), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_by_others_at_the_deadline_stays_cancelled() -> None:
    async def work() -> None:
        with Deadlines().within(10.0):
            await asyncio.Event().wait()

    time, task = VirtualTime(), asyncio.create_task(work())
    await time.go_on(0)
    asyncio.get_running_loop().call_later(10.0, task.cancel)  # at the same moment
    await time.go_on(10.0)
    assert task.cancelled()


async def test_another_error_at_the_deadline_stays() -> None:
    async def work() -> None:
        with Deadlines().within(0.001):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("of the work") from None

    with pytest.raises(ValueError, match="of the work"):
        await work()


async def test_limits_may_be_nested() -> None:
    deadlines = Deadlines()
    ended: list[str] = []

    async def work() -> None:
        with deadlines.within(0.02):
            ended.append(await wait(deadlines, 0.001))
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
    assert ended == ["after 0.001"]


@pytest.mark.parametrize("error", [ValueError, KeyError])
async def test_errors_of_the_work_go_on(error: type[Exception]) -> None:
    with pytest.raises(error), Deadlines().within(60):
        raise error
