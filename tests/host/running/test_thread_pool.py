"""Threads for functions that are not async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from kit.virtual_time import VirtualTime
from webpubsub.host.running.thread_pool import ThreadPool


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    made = ThreadPool(4, asyncio.get_running_loop())
    yield made
    made.close()


@pytest.fixture
async def lonely() -> AsyncIterator[ThreadPool]:
    """A pool of one thread."""
    made = ThreadPool(1, asyncio.get_running_loop())
    yield made
    made.close()


async def test_a_call_runs_in_another_thread_and_its_result_comes_back(pool: ThreadPool) -> None:
    assert await pool.run(threading.get_ident) != threading.get_ident()
    assert await pool.run(divmod, 7, 2) == (3, 1)


async def test_an_exception_comes_back_with_its_traceback(pool: ThreadPool) -> None:
    def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here") as caught:
        await pool.run(fail)
    assert caught.traceback[-1].name == "fail"


async def test_stop_iteration_is_told_as_what_it_is(pool: ThreadPool) -> None:
    with pytest.raises(RuntimeError, match=r"the function raised StopIteration\(\)"):
        await pool.run(next, iter(()))


async def test_no_more_threads_than_its_size_run_and_none_is_started_early(pool: ThreadPool) -> None:
    seen = {await pool.run(threading.get_ident), await pool.run(threading.get_ident)}
    assert len(seen) == 1
    together = threading.Barrier(4)
    await asyncio.gather(*(pool.run(together.wait, 10) for _ in range(4)))
    many = await asyncio.gather(*(pool.run(threading.get_ident) for _ in range(50)))
    assert len({*seen, *many}) <= 4


async def test_no_result_is_lost_when_many_finish_at_once(pool: ThreadPool) -> None:
    async def caller(number: int) -> int:
        total = 0
        for _ in range(100):
            total += await pool.run(int, number)
        return total

    assert await asyncio.gather(*map(caller, range(32))) == [number * 100 for number in range(32)]


async def test_the_result_of_a_cancelled_call_is_dropped(pool: ThreadPool) -> None:
    go = threading.Event()
    cancelled = pool.run(go.wait, 10)
    cancelled.cancel()
    go.set()
    assert await pool.run(int, 5) == 5
    assert cancelled.cancelled()


async def test_threads_end_after_closing_and_finish_what_was_given() -> None:
    pool = ThreadPool(2, asyncio.get_running_loop())
    seen = pool.run(threading.current_thread)
    pool.close()
    thread = await seen
    thread.join(10)
    assert not thread.is_alive()
    assert thread.daemon


def test_a_call_that_outlives_its_loop_disturbs_nobody() -> None:
    go = threading.Event()

    def slow() -> None:
        go.wait(10)

    async def start() -> threading.Thread:
        pool = ThreadPool(1, asyncio.get_running_loop())
        pool.run(slow)
        pool.close()
        return next(thread for thread in threading.enumerate() if thread.name == "webpubsub-function-0")

    thread = asyncio.run(start())
    go.set()
    thread.join(10)
    assert not thread.is_alive()


async def test_a_call_that_was_given_up_before_its_turn_does_not_run(lonely: ThreadPool) -> None:
    pool = lonely
    release = threading.Event()
    ran: list[str] = []
    first = pool.run(release.wait, 10)
    second = pool.run(ran.append, "second")
    second.cancel()
    third = pool.run(ran.append, "third")
    release.set()
    assert await first
    await third
    assert ran == ["third"]


async def test_a_thread_that_nobody_waits_for_is_replaced_until_it_comes_back(lonely: ThreadPool) -> None:
    pool = lonely
    release, began = threading.Event(), threading.Event()

    def stuck() -> None:
        began.set()
        release.wait(10)

    lost = pool.run(stuck)
    waiting = pool.run(threading.get_ident)
    await asyncio.to_thread(began.wait, 10)
    pool.replace_lost()
    await asyncio.sleep(0.01)
    assert not waiting.done()  # somebody still waits for the one thread
    lost.cancel()
    pool.replace_lost()
    await waiting
    release.set()
    await pool.run(lambda: None)
    threads = {await pool.run(threading.get_ident) for _ in range(20)}
    assert len(threads) <= 2


# --- who holds the threads ----------------------------------------------------------------------------


class Held:
    """A pool of two threads, what it told, and a time that the test sets."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self.told: list[tuple[dict[str, int], int]] = []
        self.pool = ThreadPool(
            2, asyncio.get_running_loop(), lambda held, count: self.told.append((held, count))
        )
        self.gate = threading.Event()
        self.busy = threading.Barrier(3)

    def block(self) -> None:
        self.busy.wait(10)
        self.gate.wait(10)


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    made = Held()
    made.pool.run(made.block, name="slow")
    made.pool.run(made.block, name="other")
    await asyncio.to_thread(made.busy.wait, 10)
    yield made
    made.gate.set()
    made.pool.close()


async def test_after_five_seconds_it_is_told_who_holds_the_threads(held: Held) -> None:
    calls = [held.pool.run(int, "1", name="quick") for _ in range(3)]
    await held.time.go_on(4.9)
    assert held.told == []
    await held.time.go_on(0.1)
    assert held.told == [({"slow": 1, "other": 1}, 3)]
    await held.time.go_on(59)
    assert len(held.told) == 1
    held.pool.run(int, name="quick")
    await held.time.go_on(1)
    assert held.told[1:] == [({"slow": 1, "other": 1}, 4)]
    held.gate.set()
    assert await asyncio.gather(*calls) == [1, 1, 1]


async def test_threads_that_are_held_and_that_nobody_waits_for_are_nobodys_business(held: Held) -> None:
    await held.time.go_on(1000)
    assert held.told == []


async def test_calls_that_wait_behind_others_that_come_and_go_are_no_sign(held: Held) -> None:
    waiting = held.pool.run(int, "1", name="quick")
    await held.time.go_on(4)
    held.gate.set()
    assert await waiting == 1
    await held.time.go_on(10)
    assert held.told == []


async def test_a_closed_pool_tells_nothing(held: Held) -> None:
    held.pool.run(int, name="quick")
    held.pool.close()
    await held.time.go_on(10)
    assert held.told == []
