"""Sessions start evenly spaced, whoever asks for them and when."""

import asyncio

import pytest

from flywheel.evaluation.pace import SessionPace


class Time:
    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))


def paced(per_s: float) -> tuple[SessionPace, Time]:
    time = Time()
    return SessionPace(per_s, now=time.now, sleep=time.sleep), time


def test_a_hundred_at_once_are_spread_over_their_time() -> None:
    pace, time = paced(25)

    async def hundred() -> None:
        await asyncio.gather(*(pace.wait() for _ in range(100)))

    asyncio.run(hundred())

    assert time.slept == [round(n / 25, 6) for n in range(1, 100)]


def test_whoever_comes_slower_than_the_pace_never_waits() -> None:
    pace, time = paced(2)

    async def slowly() -> None:
        for _ in range(5):
            await pace.wait()
            time.now_s += 0.5

    asyncio.run(slowly())

    assert time.slept == []


def test_a_pause_is_not_saved_up_for_a_burst() -> None:
    pace, time = paced(1)

    async def scenario() -> None:
        await pace.wait()
        time.now_s += 60
        await pace.wait()
        await pace.wait()

    asyncio.run(scenario())

    assert time.slept == [1.0]


@pytest.mark.parametrize("per_s", [0, -1])
def test_a_pace_at_which_nothing_starts_is_refused(per_s: float) -> None:
    with pytest.raises(ValueError, match="nothing would ever start"):
        SessionPace(per_s)
