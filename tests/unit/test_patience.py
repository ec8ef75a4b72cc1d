"""What is there in a moment is seen by the same call; what takes longer is left to the state machine."""

from collections.abc import Iterator

import pytest

from flywheel.errors import TransientError
from flywheel.events import RetireReply
from flywheel.patience import look_again

GONE, THERE = RetireReply(gone=True, wait_s=0), RetireReply(gone=False, wait_s=2)


class Time:
    """Moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def looked(replies: Iterator[RetireReply], within_s: float = 3.0) -> tuple[RetireReply, list[float]]:
    clock = Time()
    return look_again(lambda: next(replies), within_s, sleep=clock.sleep, monotonic=clock.monotonic), clock.slept


def test_what_is_done_at_once_is_not_waited_for() -> None:
    assert looked(iter([GONE])) == (GONE, [])


def test_what_is_done_a_moment_later_is_seen_by_the_same_call() -> None:
    reply, slept = looked(iter([THERE, THERE, GONE]))
    assert reply == GONE
    assert sum(slept) < 0.5


def test_pauses_grow_and_the_time_is_kept() -> None:
    def always() -> Iterator[RetireReply]:
        while True:
            yield THERE

    reply, slept = looked(always())
    assert reply == THERE
    assert slept == sorted(slept)
    assert slept[-1] == 0.5
    assert 2.5 < sum(slept) <= 3.0


def test_a_look_that_fails_is_left_to_the_state_machine() -> None:
    def failing() -> RetireReply:
        raise TransientError("throttled")

    with pytest.raises(TransientError):
        look_again(failing)
