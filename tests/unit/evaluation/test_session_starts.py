"""Sessions that AgentCore does not start say nothing about the candidate: they are waited for, never scored."""

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flywheel.errors import TransientError
from flywheel.evaluation import trial
from flywheel.evaluation.checkpoint import load_checkpoint
from flywheel.evaluation.trial import Invoked
from flywheel.ports import AgentReply, InvocationFailure
from local.agentcore.faults import parse_fault
from tests.unit.evaluation.doubles import Agent, Jury, golden, said
from tests.unit.evaluation.test_shard import CHECKPOINT, RESULT, World
from tests.unit.evaluation.test_trial import KEY, make_runner

REFUSALS = [
    InvocationFailure("ThrottlingException", "Rate exceeded", 429, retryable=True),
    InvocationFailure("ServiceQuotaExceededException", "maxVms limit exceeded", 402, retryable=True),
    InvocationFailure("RetryableConflictException", "the session ends", 409, retryable=True),
    InvocationFailure("unreachable", "could not connect", retryable=True),
]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(trial, "_LONGEST_BACKOFF_S", 0.002)


def refusing(
    ids: set[str], refusal: InvocationFailure = REFUSALS[0]
) -> Callable[[Any], AgentReply | InvocationFailure]:
    """Refuse every session of these items' questions."""
    return lambda call: refusal if any(name in call["question"] for name in ids) else said()


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.kind)
def test_a_session_that_never_starts_is_told_from_an_agent_that_fails(refusal: InvocationFailure) -> None:
    async def run(reply: InvocationFailure) -> Invoked:
        with ThreadPoolExecutor(1) as pool:
            return await make_runner(Agent(lambda _: reply), Jury(), [golden(1)], pool).invoke(KEY)

    assert asyncio.run(run(refusal)).not_started
    assert not asyncio.run(run(InvocationFailure("RuntimeClientError", "it crashed", 424))).not_started


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.kind)
def test_what_stays_refused_is_no_result_and_the_shard_is_tried_again(refusal: InvocationFailure) -> None:
    items = [golden(number) for number in range(6)]
    world = World(items, agent=Agent(refusing({"Question 5?"}, refusal)), concurrency=1)

    with pytest.raises(TransientError, match=f"1 of 6 trials .* no session for them: {refusal.kind}"):
        world.evaluate()
    assert RESULT not in world.objects.stored
    assert len(load_checkpoint(world.objects.stored[CHECKPOINT]).finished) == 5

    world.agent = Agent()
    assert world.evaluate().errored == 0
    assert len(world.agent.calls) == 1, "the others are not asked twice"


def test_no_further_session_is_asked_for_once_one_was_refused_to_the_end() -> None:
    world = World([golden(number) for number in range(50)], agent=Agent(lambda _: REFUSALS[0]), concurrency=4)

    with pytest.raises(TransientError):
        world.evaluate()

    assert len({call["session_id"] for call in world.agent.calls}) == 4


def test_refusals_are_waited_out_for_about_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("flywheel.evaluation.trial.asyncio.sleep", sleep)

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            await make_runner(Agent(lambda _: REFUSALS[0]), Jury(), [golden(1)], pool).invoke(KEY)

    totals = []
    for seed in range(20):
        random.seed(seed)
        slept.clear()
        asyncio.run(run())
        totals.append(sum(slept))

    assert min(totals) >= 45
    assert max(totals) <= 60
    assert len(set(totals)) == 20, "every trial pauses differently"


def test_a_hundred_sessions_at_once_all_start_under_a_quota_of_25_a_second() -> None:
    """Simulated time: a bucket as AgentCore's, a hundred trials without a pace, the backoff of `trial`."""
    bucket = parse_fault({"kind": "session_starts", "per_s": 25, "burst": 25})
    draw = random.Random(7)
    waiting = [(0.0, 4.0, 1, f"s-{n}") for n in range(100)]
    most = 0
    while waiting:
        waiting.sort()
        at, backoff, attempt, session = waiting.pop(0)
        most = max(most, attempt)
        if bucket.refuses_start("fw_dev_1-abcdefghij", session, at):
            waiting.append((at + backoff * draw.uniform(0.75, 1.0), min(32.0, backoff * 2), attempt + 1, session))

    assert most <= 5
