import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.errors import InvalidRequestError, TransientError
from flywheel.evaluation import delivery as module
from flywheel.evaluation.delivery import Delivery, Finished
from flywheel.evaluation.tracing import Timings, experiments
from tests.unit.evaluation.doubles import Langfuse, golden, plan

ITEMS = {item.item_id: item for item in (golden(number) for number in range(5))}


def finished(number: int) -> Finished:
    key = TrialKey(f"i-{number:03}", 1, "candidate")
    return Finished(TrialRecord(key, "answered", scores={"correctness": 1.0}), Timings(1, 2, 3))


def run(langfuse: Langfuse, use: Callable[[Delivery], Awaitable[None]]) -> Delivery:
    async def inner() -> Delivery:
        of_arms = experiments(plan(list(ITEMS.values())), dataset_id="ds", environment="dev")
        async with Delivery(langfuse, langfuse, of_arms, ITEMS) as delivery:
            await use(delivery)
        return delivery

    return asyncio.run(inner())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INTERVAL_S", 0.02)
    monkeypatch.setattr(module, "_PAUSE_S", 0.02)


def test_trials_are_delivered_while_others_are_still_running() -> None:
    langfuse = Langfuse()

    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        await asyncio.sleep(0.2)
        assert len(langfuse.spans) == 1
        delivery.add(finished(1))
        assert await delivery.finish(5) == 0

    delivery = run(langfuse, use)

    assert len(langfuse.spans) == 2
    assert len(langfuse.scores) == 4
    assert len(delivery.delivered) == 2


def test_a_langfuse_that_comes_back_in_time_has_everything() -> None:
    langfuse = Langfuse(trouble=TransientError("down"))

    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_later(0.1, lambda: setattr(langfuse, "trouble", None))
        assert await delivery.finish(5) == 0

    delivery = run(langfuse, use)

    assert len(langfuse.scores) == 2
    assert "down" in delivery.troubles[0]


def test_a_langfuse_that_stays_down_costs_no_more_than_the_deadline() -> None:
    async def use(delivery: Delivery) -> None:
        for number in range(5):
            delivery.add(finished(number))
        started_s = asyncio.get_running_loop().time()
        assert await delivery.finish(0.3) == 5
        assert asyncio.get_running_loop().time() - started_s < 1

    assert run(Langfuse(trouble=TransientError("down")), use).delivered == set()


def test_a_rate_limit_is_left_alone_for_as_long_as_it_asks() -> None:
    langfuse = Langfuse(score_trouble=TransientError("429", retry_after_s=0.4))

    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        await asyncio.sleep(0.2)
        langfuse.score_trouble = None
        assert await delivery.finish(5) == 0

    delivery = run(langfuse, use)

    assert langfuse.calls == 3  # the spans once, the scores twice
    assert len(delivery.delivered) == 1


def test_spans_do_not_wait_for_scores_that_have_to() -> None:
    langfuse = Langfuse(score_trouble=TransientError("429", retry_after_s=0.6))

    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        await asyncio.sleep(0.1)
        delivery.add(finished(1))
        await asyncio.sleep(0.2)
        assert len(langfuse.spans) == 2
        assert langfuse.calls == 3
        assert delivery.delivered == set()
        langfuse.score_trouble = None
        assert await delivery.finish(5) == 0

    assert len(run(langfuse, use).delivered) == 2


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        started_s = asyncio.get_running_loop().time()
        assert await delivery.finish(3) == 1
        assert asyncio.get_running_loop().time() - started_s < 1

    run(Langfuse(score_trouble=TransientError("429", retry_after_s=60)), use)


def test_scores_are_sent_less_and_less_often_while_a_shard_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_INTERVAL_S", 0.4)
    langfuse = Langfuse()
    posts: list[int] = []

    async def use(delivery: Delivery) -> None:
        for number in range(5):
            delivery.add(finished(number))
            await asyncio.sleep(0.1)
            posts.append(len(langfuse.scores))
        assert await delivery.finish(5) == 0

    run(langfuse, use)

    assert len(set(posts)) < 5
    assert len(langfuse.scores) == 10


def test_what_langfuse_refuses_for_good_is_not_sent_for_ever() -> None:
    langfuse = Langfuse(trouble=InvalidRequestError("bad span"))

    async def use(delivery: Delivery) -> None:
        delivery.add(finished(0))
        assert await delivery.finish(5) == 0

    delivery = run(langfuse, use)

    assert langfuse.calls == 2
    assert delivery.delivered == set()
    assert delivery.troubles == ["bad span", "bad span"]  # of the spans, and of the scores


def test_nothing_to_deliver_ends_at_once() -> None:
    langfuse = Langfuse()

    async def use(delivery: Delivery) -> None:
        assert await delivery.finish(5) == 0

    run(langfuse, use)

    assert langfuse.calls == 0


def test_many_trials_make_few_requests() -> None:
    langfuse = Langfuse()

    async def use(delivery: Delivery) -> None:
        for number in range(5):
            delivery.add(finished(number))
        await delivery.finish(5)

    run(langfuse, use)

    assert langfuse.calls == 2
