import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from flywheel.domain.outcome import FactScore
from flywheel.errors import FlywheelError, TransientError
from flywheel.evaluation import judgement_cache
from flywheel.evaluation.judgement_cache import CachedJudgements, Freshness, freshness, judgement_key
from flywheel.evaluation.ports import JudgementFailure, JudgementStore, StoredJudgement
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.judgements import InMemoryJudgements
from tests.unit.evaluation.doubles import Jury

DAY = timedelta(hours=24)
FRESH = Freshness(NOON - DAY, 24 * 3600.0)


@dataclass
class Judged:
    answers: list[FactScore | JudgementFailure]
    hits: int
    failures: int


def judge(
    store: JudgementStore,
    jury: Jury,
    questions: Sequence[tuple[str, str, str]],
    *,
    version: str = "v1",
    fresh: Freshness = FRESH,
    at_once: bool = True,
) -> Judged:
    async def run() -> Judged:
        cached = CachedJudgements(jury, store, version=version, fresh=fresh, now=FixedClock().now)
        if at_once:
            answers = list(await asyncio.gather(*(cached.judge(*one) for one in questions)))
        else:
            answers = [await cached.judge(*one) for one in questions]
        await cached.finish(2.0)
        return Judged(answers, cached.hits, cached.failures)

    return asyncio.run(run())


ONE = [("q", "f", "a")]
B = FactScore("f", "B", 1.0)


def test_what_was_judged_before_is_not_asked_again() -> None:
    store, first, second = InMemoryJudgements(), Jury(lambda *_: FactScore("f", "C", 1.0, "same")), Jury()

    assert judge(store, first, ONE).answers == [FactScore("f", "C", 1.0, "same")]
    found = judge(store, second, ONE)

    assert found == Judged([FactScore("f", "C", 1.0, "same")], hits=1, failures=0)
    assert second.asked == []


@pytest.mark.parametrize("other", [("q2", "f", "a"), ("q", "f2", "a"), ("q", "f", "a2"), ("qf", "", "a")])
def test_another_question_fact_or_answer_is_another_judgement(other: tuple[str, str, str]) -> None:
    store, jury = InMemoryJudgements(), Jury()

    judge(store, jury, [*ONE, other], at_once=False)

    assert jury.asked == [*ONE, other]


def test_another_judge_is_asked_whatever_the_last_one_said() -> None:
    store, jury = InMemoryJudgements(), Jury()

    judge(store, Jury(), ONE, version="v1")
    judge(store, jury, ONE, version="v2")

    assert jury.asked == ONE


def test_an_expired_judgement_is_made_again_and_replaced() -> None:
    store, jury = InMemoryJudgements(), Jury()
    key = judgement_key("v1", *ONE[0])
    store.stored[key] = StoredJudgement("D", 0.0, "", NOON - DAY - timedelta(seconds=1))

    assert judge(store, jury, ONE).answers == [B]
    assert store.stored[key] == StoredJudgement("B", 1.0, "", NOON)
    assert store.expires[key] == NOON + DAY


def test_a_failure_is_not_kept() -> None:
    store = InMemoryJudgements()

    judge(store, Jury(lambda *_: JudgementFailure("timeout", "late")), ONE)

    assert store.stored == {}


def test_the_store_holds_no_question_fact_or_answer() -> None:
    store = InMemoryJudgements()

    judge(store, Jury(lambda *_: FactScore("f", "B", 1.0, "why")), [("a question", "a fact", "an answer")])

    [(key, kept)] = store.stored.items()
    assert len(key) == 64
    assert kept == StoredJudgement("B", 1.0, "why", NOON)


def test_the_facts_of_an_answer_are_looked_up_in_one_call() -> None:
    store = InMemoryJudgements()

    judge(store, Jury(), [("q", f"f{n}", "a") for n in range(7)])

    assert [len(keys) for keys in store.looked_up] == [7]


def test_more_than_a_hundred_at_once_are_looked_up_in_several_calls() -> None:
    store = InMemoryJudgements()

    judged = judge(store, Jury(), [("q", f"f{n}", "a") for n in range(250)])

    assert sorted(len(keys) for keys in store.looked_up) == [50, 100, 100]
    assert len(judged.answers) == len(store.stored) == 250


@pytest.mark.parametrize("trouble", [TransientError("throttled"), FlywheelError("access denied")])
def test_a_store_that_does_not_work_fails_no_judgement_and_is_told_of_once(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store, jury = InMemoryJudgements(trouble=trouble), Jury()

    with caplog.at_level(logging.WARNING):
        judged = judge(store, jury, [("q", f"f{n}", "a") for n in range(40)], at_once=False)

    assert len(judged.answers) == len(jury.asked) == 40
    assert judged.hits == 0
    # After three failures in a row it is left alone, but for calls that are under way.
    assert 3 <= judged.failures == store.calls <= 8
    assert len(caplog.records) == 1


def test_a_store_that_is_back_is_used_again() -> None:
    store = InMemoryJudgements(trouble=TransientError("throttled"))

    def recover(_q: str, fact: str, _a: str) -> FactScore:
        store.trouble = None
        end = time.monotonic() + 5.0
        while fact == "f2" and not store.stored and time.monotonic() < end:
            time.sleep(0.01)  # the first one is kept beside the second, in a thread of its own
        return FactScore(fact, "B", 1.0)

    judged = judge(store, Jury(recover), [("q", "f1", "a"), ("q", "f2", "a"), ("q", "f1", "a")], at_once=False)

    assert judged.failures == 1
    assert judged.hits == 1


class Slow(InMemoryJudgements):
    def find(self, keys: Sequence[str], not_before: datetime) -> dict[str, StoredJudgement]:
        time.sleep(0.2)
        return super().find(keys, not_before)


def test_a_store_that_hangs_delays_a_judgement_by_its_time_limit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement_cache, "LOOKUP_S", 0.02)

    judged = judge(Slow(), Jury(), ONE)

    assert (judged.answers, judged.failures) == ([B], 1)


def test_a_judgement_that_is_given_up_leaves_the_look_up_to_the_others() -> None:
    async def run() -> list[FactScore | JudgementFailure]:
        cached = CachedJudgements(Jury(), InMemoryJudgements(), version="v1", fresh=FRESH, now=FixedClock().now)
        given_up = asyncio.create_task(cached.judge("q", "f", "a"))
        waiting = asyncio.create_task(cached.judge("q", "f", "a"))
        await asyncio.sleep(0)
        given_up.cancel()
        try:
            return [await waiting]
        finally:
            await cached.finish(1.0)

    assert asyncio.run(run()) == [B]


@pytest.mark.parametrize(
    ("started", "oldest"), [(None, NOON - DAY), (NOON - timedelta(minutes=5), NOON - timedelta(minutes=5))]
)
def test_a_gate_that_compares_with_stored_answers_uses_no_judgement_from_before_it(
    started: datetime | None, oldest: datetime
) -> None:
    assert freshness(24.0, NOON, started) == Freshness(oldest, 24 * 3600.0)


def test_a_gate_that_runs_for_longer_than_the_cache_keeps_uses_what_the_cache_keeps() -> None:
    assert freshness(1.0, NOON, NOON - DAY) == Freshness(NOON - timedelta(hours=1), 3600.0)


def test_without_hours_there_is_no_cache() -> None:
    assert freshness(0.0, NOON) is None
