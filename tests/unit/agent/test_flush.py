"""The shared flush: few flushes for many requests, and nobody waits for a Langfuse that is down."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agent.flush import SharedFlush


def run[T](scenario: Callable[[], Awaitable[T]]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(10):
            return await scenario()

    return asyncio.run(limited())


async def until(done: Callable[[], bool]) -> None:
    """Look until it is so; `run` bounds the time."""
    while not done():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.005)


class Langfuse:
    """Counts flushes; each takes `takes_s` and ends as `arrives` says."""

    def __init__(self, *, takes_s: float = 0.0, arrives: bool = True) -> None:
        self.takes_s, self.arrives, self.flushes = takes_s, arrives, 0

    def flush(self) -> bool:
        self.flushes += 1
        time.sleep(self.takes_s)
        return self.arrives


def test_one_request_flushes_once_and_knows_that_it_arrived() -> None:
    langfuse = Langfuse()

    assert run(lambda: SharedFlush(langfuse.flush).wait()) is True
    assert langfuse.flushes == 1


def test_fifty_requests_at_once_share_one_flush() -> None:
    langfuse = Langfuse(takes_s=0.02)

    async def scenario() -> list[bool]:
        flush = SharedFlush(langfuse.flush)
        return await asyncio.gather(*(flush.wait() for _ in range(50)))

    assert run(scenario) == [True] * 50
    assert langfuse.flushes == 1


def test_a_request_that_ends_during_a_flush_gets_one_that_began_after_it() -> None:
    began, go_on = threading.Event(), threading.Event()
    flushes: list[str] = []

    def slow() -> bool:
        flushes.append("begun")
        began.set()
        go_on.wait(5)
        flushes.append("done")
        return True

    async def scenario() -> list[bool]:
        flush = SharedFlush(slow)
        first = asyncio.create_task(flush.wait())
        await asyncio.to_thread(began.wait, 5)
        late = [asyncio.create_task(flush.wait()) for _ in range(10)]
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(first, *late)

    assert run(scenario) == [True] * 11
    assert flushes == ["begun", "done", "begun", "done"]


def test_a_langfuse_that_hangs_costs_the_first_request_its_budget_and_the_next_nothing() -> None:
    release = threading.Event()

    def hang() -> bool:
        return not release.wait(5)

    async def scenario() -> tuple[float, float]:
        flush = SharedFlush(hang, budget_s=0.05)
        started = time.monotonic()
        assert await flush.wait() is False
        first = time.monotonic() - started
        started = time.monotonic()
        assert [await flush.wait() for _ in range(20)] == [False] * 20
        release.set()
        return first, time.monotonic() - started

    first, rest = run(scenario)

    assert 0.05 <= first < 1.0
    assert rest < 0.5  # twenty waits would take 1 s


def test_the_waiting_comes_back_when_langfuse_does() -> None:
    langfuse = Langfuse(arrives=False)

    async def scenario() -> list[bool]:
        flush = SharedFlush(langfuse.flush)
        failed = await flush.wait()
        langfuse.arrives = True
        unnoticed = await flush.wait()  # starts the flush that finds out
        await until(lambda: not flush._failing)
        return [failed, unnoticed, await flush.wait()]

    assert run(scenario) == [False, False, True]


def test_a_flush_that_raises_counts_as_failed_and_the_next_one_runs() -> None:
    outcomes: list[Any] = [OSError("down"), True, True]

    def flush_once() -> bool:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    async def scenario() -> list[bool]:
        flush = SharedFlush(flush_once)
        first = await flush.wait()
        await flush.wait()
        await until(lambda: not flush._failing)
        return [first, await flush.wait()]

    assert run(scenario) == [False, True]
