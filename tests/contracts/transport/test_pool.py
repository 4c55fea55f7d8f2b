"""What every Pool keeps, with threads and without."""

import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from shared.adapters.clock import SystemClock
from shared.adapters.thread_pool import ThreadPool
from shared.core.errors import LostRollback
from shared.core.runtime import Pool
from tests.support.fakes.runtime.clock import FakeClock
from tests.support.fakes.runtime.pool import InlinePool


@pytest.fixture
def threads() -> Iterator[ThreadPool]:
    pool = ThreadPool(2, SystemClock())
    yield pool
    pool.close()


@pytest.fixture(params=["threads", "inline", "inline, shuffled"])
def pool(request: pytest.FixtureRequest, threads: ThreadPool) -> Pool:
    if request.param == "threads":
        return threads
    return InlinePool(FakeClock(), Random(1) if "shuffled" in request.param else None)


def all_of(pool: Pool) -> dict[str, Any]:
    ended: dict[str, Any] = {}
    while len(pool):
        ended.update(pool.wait(10))
    return ended


def returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def raising(error: BaseException) -> Callable[[], Any]:
    def call() -> Any:
        raise error

    return call


def test_calls_that_end(pool: Pool) -> None:
    """Each call's end is handed out once, by its key."""
    for number in range(10):
        pool.submit(f"call {number}", returning(number))
    assert len(pool) == 10

    assert all_of(pool) == {f"call {number}": number for number in range(10)}

    assert len(pool) == 0


def test_a_call_that_raises(pool: Pool) -> None:
    """An exception is the end of its call, not of the others."""
    error = ValueError("no")
    pool.submit("bad", raising(error))
    pool.submit("good", returning(None))

    assert all_of(pool) == {"bad": error, "good": None}


def test_a_call_that_has_lost_the_rollback(pool: Pool) -> None:
    """What no error handler may catch is not handed out as a value: it is raised."""
    pool.submit("lost", raising(LostRollback()))

    with pytest.raises(LostRollback):
        pool.wait(10)

    assert len(pool) == 0


def test_waiting_for_nothing(pool: Pool) -> None:
    """Without calls there is nothing to wait for."""
    assert pool.wait(1000) == []


def test_a_call_that_takes_longer_than_the_wait(threads: ThreadPool) -> None:
    """A wait ends without the call, which is handed out later."""
    let_go = threading.Event()
    threads.submit("slow", let_go.wait)

    assert threads.wait(0.05) == []
    assert len(threads) == 1

    let_go.set()
    assert all_of(threads) == {"slow": True}


def test_a_wait_is_as_long_as_the_clock_says() -> None:
    """Where the clock is not the wall's, it is the clock that ends a wait."""

    class Hurried(FakeClock):
        """An hour passes between any two looks."""

        def monotonic(self) -> float:
            self.sleep(3600)
            return super().monotonic()

    pool = ThreadPool(1, Hurried())
    let_go = threading.Event()
    pool.submit("slow", let_go.wait)

    assert pool.wait(3000) == []

    let_go.set()
    pool.close()


def test_a_slow_call_without_threads() -> None:
    """The fake's calls end after their latency, and take effect then."""
    clock = FakeClock()
    pool = InlinePool(clock, latency_seconds=2)
    pool.submit("slow", clock.monotonic)
    began = clock.monotonic()

    assert pool.wait(1.5) == []
    assert pool.wait(1.5) == [("slow", began + 2)]
    assert clock.monotonic() == began + 2


def test_more_calls_than_workers(threads: ThreadPool) -> None:
    """No more calls run at a time than there are workers."""
    running = threading.Semaphore(2)
    crowded = []

    def call() -> None:
        if not running.acquire(blocking=False):
            crowded.append(1)
            return
        running.release()

    for number in range(50):
        threads.submit(str(number), call)
    all_of(threads)

    assert not crowded


def test_a_pool_that_is_closed_while_calls_wait(threads: ThreadPool) -> None:
    """After close nothing of the pool runs: calls under way have ended, others never begin."""
    let_go, begun = threading.Event(), threading.Barrier(3)
    late: list[int] = []

    def call() -> None:
        begun.wait(10)
        let_go.wait(10)

    threads.submit("first", call)
    threads.submit("second", call)
    begun.wait(10)
    threads.submit("late", lambda: late.append(1))
    closing = threading.Thread(target=threads.close)
    closing.start()
    let_go.set()
    closing.join(10)

    assert not closing.is_alive()
    assert not [one for one in threading.enumerate() if one.name.startswith("pool")]
