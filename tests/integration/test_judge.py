"""The judge against the model server as a process: what it says, and what happens when the server is in trouble."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flywheel.adapters.judge import FactualityJudge, judge_client
from flywheel.domain.outcome import FactScore
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.ports import JudgementFailure
from tests.integration.test_model_server import serve

FACT = "Traces are kept for 30 days on the Hobby plan."
QUESTION = "How long are traces kept on the Hobby plan?"


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    yield from serve("local.model")


@pytest.fixture(autouse=True)
def no_faults(model: str) -> Iterator[None]:
    yield
    httpx.delete(f"{model}/_faults").raise_for_status()


def judge(model: str, answers: list[str], *, deadline_s: float = 20.0) -> list[FactScore | JudgementFailure]:
    async def run() -> list[FactScore | JudgementFailure]:
        async with judge_client(base_url=f"{model}/v1", api_key="local", call_timeout_s=0.7) as client:
            scores = GatePolicy().choice_scores
            asked = FactualityJudge(client, model_id="judge", choice_scores=scores, deadline_s=deadline_s)
            return await asyncio.gather(*(asked.judge(QUESTION, FACT, answer) for answer in answers))

    return asyncio.run(run())


def inject(model: str, **fault: Any) -> None:
    httpx.post(f"{model}/_faults", json={"role": "judge", **fault}).raise_for_status()


def test_a_complete_longer_answer_loses_nothing_and_a_wrong_one_everything(model: str) -> None:
    longer = f"{FACT} Longer retention can be bought with the Core and Pro plans, which keep them for more days."

    same, more, other = judge(model, [FACT, longer, "Prompts are versioned and carry labels."])

    assert isinstance(same, FactScore)
    assert isinstance(more, FactScore)
    assert isinstance(other, FactScore)
    assert (same.score, more.score) == (1.0, 1.0)
    assert other.score < 1.0
    assert same.rationale


def test_a_throttled_judge_is_asked_again_as_it_says(model: str) -> None:
    inject(model, kind="throttle", times=1, retry_after_s=1)
    started_s = time.monotonic()

    (judged,) = judge(model, [FACT])

    assert isinstance(judged, FactScore)
    assert 1 <= time.monotonic() - started_s < 10


def test_a_judge_that_throttles_for_ever_is_given_up_at_the_deadline(model: str) -> None:
    inject(model, kind="throttle", retry_after_s=0)
    started_s = time.monotonic()

    (judged,) = judge(model, [FACT], deadline_s=1.5)

    assert isinstance(judged, JudgementFailure)
    assert judged.kind == "http_429"
    assert time.monotonic() - started_s < 5


def test_a_judge_that_hangs_is_given_up_at_the_deadline(model: str) -> None:
    inject(model, kind="delay", delay_s=30)
    started_s = time.monotonic()

    (judged,) = judge(model, [FACT], deadline_s=1.5)

    assert isinstance(judged, JudgementFailure)
    assert judged.kind == "timeout"
    assert time.monotonic() - started_s < 6


def test_a_judge_that_fails_now_and_then_is_asked_again(model: str) -> None:
    inject(model, kind="error", every=2)

    judged = judge(model, [f"{FACT} {number}" for number in range(10)])

    assert all(isinstance(one, FactScore) for one in judged)


def test_a_judge_that_is_not_there_is_unreachable() -> None:
    (judged,) = judge("http://127.0.0.1:9", [FACT], deadline_s=1)

    assert isinstance(judged, JudgementFailure)
    assert judged.kind == "unreachable"
