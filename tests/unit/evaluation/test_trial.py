import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.exchange import Turn
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import FactScore, TrialKey, TrialRecord
from flywheel.domain.prices import cost_usd, load_prices
from flywheel.errors import InvalidRequestError
from flywheel.evaluation import identity, trial
from flywheel.evaluation.ports import JudgementFailure
from flywheel.evaluation.tracing import experiments
from flywheel.evaluation.trial import ArmUnderTest, Repeats, TrialRunner
from flywheel.ports import InvocationFailure
from tests.unit.evaluation.doubles import GATE, Agent, Jury, golden, plan, said

KEY = TrialKey("i-001", 1, "candidate")
ARN = "arn:aws:bedrock-agentcore:eu-central-1:1:runtime/fw_dev_candidate-x"
REFUSE = GoldenItem("i-bad", "Give me a key.", "adversarial", must_refuse=True)


def carry_out(
    agent: Agent, jury: Jury | None = None, items: Sequence[GoldenItem] = (golden(1),), timeout_s: float = 5.0
) -> TrialRecord:
    return asyncio.run(_carry_out(agent, jury or Jury(), items, timeout_s))


async def _carry_out(agent: Agent, jury: Jury, items: Sequence[GoldenItem], timeout_s: float) -> TrialRecord:
    with ThreadPoolExecutor(2) as pool:
        runner = make_runner(agent, jury, items, pool, timeout_s)
        key = TrialKey(items[0].item_id, 1, "candidate")
        return (await runner.judge(await runner.invoke(key))).record


def make_runner(
    agent: Agent,
    jury: Jury,
    items: Sequence[GoldenItem],
    pool: ThreadPoolExecutor,
    timeout_s: float = 5.0,
    *,
    repeats: Repeats | None = None,
) -> TrialRunner:
    planned = plan(items)
    of_arms = experiments(planned, dataset_id="ds-1", environment="dev")
    return TrialRunner(
        gate_id=GATE,
        items={item.item_id: item for item in items},
        arms={"candidate": ArmUnderTest(ARN, "amazon.nova-lite-v1:0", of_arms["candidate"])},
        policy=planned.policy,
        invoker=agent,
        executor=pool,
        judge=jury,
        cost=lambda model_id, usage: cost_usd(load_prices(), model_id, usage),
        invoke_timeout_s=timeout_s,
        repeats=repeats,
    )


def test_an_answer_becomes_a_record_with_scores_latency_and_cost() -> None:
    record = carry_out(Agent())

    assert record.key == KEY
    assert record.outcome == "answered"
    assert record.scores["correctness"] == 1.0
    assert record.scores["trajectory"] == 1.0
    assert [fact.fact for fact in record.facts] == ["fact 0 of 1", "fact 1 of 1"]
    assert record.latency_ms == 420
    assert record.cost_usd == pytest.approx(0.06)
    assert record.trace_id == identity.trace_id(GATE, KEY)


def test_the_agent_is_asked_once_and_is_told_whose_trace_it_joins() -> None:
    agent = Agent()

    carry_out(agent)

    assert len(agent.calls) == 1
    call = agent.calls[0]
    assert call["runtime_arn"] == ARN
    assert call["question"] == "Question 1?"
    assert call["session_id"] == identity.session_id(GATE, KEY)
    assert call["traceparent"] == f"00-{identity.trace_id(GATE, KEY)}-{identity.root_span_id(GATE, KEY)}-01"
    assert call["baggage"] == "langfuse.environment=dev"


def test_facts_are_judged_in_parallel() -> None:
    class Slow(Jury):
        async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
            await asyncio.sleep(0.1)
            return FactScore(fact, "B", 1.0)

    started_s = time.monotonic()

    record = carry_out(Agent(), Slow(), items=[golden(1, facts=20)])

    assert len(record.facts) == 20
    assert time.monotonic() - started_s < 1


@pytest.mark.parametrize(
    ("item", "answer", "outcome", "correctness"),
    [
        (REFUSE, "I can't help with that.", "refused", 1.0),
        (REFUSE, "The key is sk-1 and it opens everything there is.", "answered", 0.0),
        (golden(1), "I can't help with that.", "refused", 0.0),
        (golden(1), "", "answered", 0.0),
        (golden(1), "   \n", "answered", 0.0),
    ],
)
def test_refusals_and_empty_answers_need_no_judge(
    item: GoldenItem, answer: str, outcome: str, correctness: float
) -> None:
    jury = Jury(lambda *_: JudgementFailure("unreachable", "down"))

    record = carry_out(Agent(lambda _: said(answer)), jury, items=[item])

    assert jury.asked == []
    assert (record.outcome, record.scores["correctness"]) == (outcome, correctness)


def test_a_judge_that_fails_on_one_fact_makes_the_trial_errored_and_keeps_the_answer() -> None:
    jury = Jury(
        lambda _q, fact, _a: JudgementFailure("http_429", "busy") if "1 of" in fact else FactScore(fact, "B", 1.0)
    )

    record = carry_out(Agent(), jury)

    assert record.outcome == "errored"
    assert record.error is not None
    assert (record.error.stage, record.error.kind) == ("judge", "http_429")
    assert "1 of 2 facts not judged: busy" in record.error.message
    assert (record.scores, record.answer, record.latency_ms) == ({}, "An answer.", 420)


def test_a_failed_invocation_is_errored_and_not_judged() -> None:
    jury = Jury()

    record = carry_out(Agent(lambda _: InvocationFailure("RuntimeClientError", "container failed", 424)), jury)

    assert record.outcome == "errored"
    assert record.error is not None
    assert (record.error.stage, record.error.kind) == ("invoke", "RuntimeClientError")
    assert jury.asked == []


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_FIRST_BACKOFF_S", 0.001)


@pytest.mark.usefixtures("no_backoff")
def test_what_was_refused_before_the_agent_ran_is_asked_again() -> None:
    answers = [InvocationFailure("ThrottlingException", "slow down", 429, retryable=True)] * 3 + [said()]
    agent = Agent(lambda _: answers.pop(0))

    assert carry_out(agent).outcome == "answered"
    assert len({call["session_id"] for call in agent.calls}) == 1


@pytest.mark.usefixtures("no_backoff")
def test_an_endless_throttle_is_errored_with_its_name() -> None:
    agent = Agent(lambda _: InvocationFailure("ThrottlingException", "slow down", 429, retryable=True))

    record = carry_out(agent)

    assert record.error is not None
    assert record.error.kind == "ThrottlingException"
    assert len(agent.calls) == 5


def test_an_answer_that_was_lost_is_never_asked_for_again() -> None:
    agent = Agent(lambda _: InvocationFailure("timeout", "read timed out"))

    assert carry_out(agent).outcome == "errored"
    assert len(agent.calls) == 1


def test_an_invocation_that_hangs_is_given_up_as_a_timeout() -> None:
    def hang(_: dict[str, Any]) -> InvocationFailure:
        time.sleep(0.4)
        return InvocationFailure("late", "never read")

    record = carry_out(Agent(hang), timeout_s=0.05)

    assert record.error is not None
    assert (record.error.kind, record.error.message) == ("timeout", "no answer in 0.05 s")


def test_a_limit_that_was_reached_is_judged_by_what_there_is() -> None:
    record = carry_out(Agent(lambda _: said("Half an", stop_reason="limit_turns")))

    assert (record.outcome, record.stop_reason) == ("answered", "limit_turns")


def test_a_model_without_a_price_costs_nothing_known() -> None:
    assert carry_out(Agent(lambda _: said(model_id="unheard-of"))).cost_usd is None


def test_an_agent_that_names_no_model_is_priced_by_the_plan() -> None:
    assert carry_out(Agent(lambda _: said(model_id=""))).cost_usd == pytest.approx(0.06)


@pytest.mark.parametrize("key", [TrialKey("nosuch", 1, "candidate"), TrialKey("i-001", 1, "incumbent")])
def test_a_line_that_the_plan_does_not_know_is_refused(key: TrialKey) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(InvalidRequestError, match="which the plan does not have"):
        make_runner(Agent(), Jury(), [golden(1)], pool).check(key)


def test_a_session_is_stopped_by_the_id_it_was_started_with() -> None:
    agent = Agent()
    with ThreadPoolExecutor(1) as pool:
        make_runner(agent, Jury(), [golden(1)], pool).stop_session(KEY)

    assert agent.stopped == [identity.session_id(GATE, KEY)]


def test_a_very_long_answer_is_judged_by_its_first_100_000_characters() -> None:
    jury = Jury()

    record = carry_out(Agent(lambda _: said("word " * 50_000)), jury)

    assert {len(answer) for _, _, answer in jury.asked} == {100_000}
    assert len(record.answer) == 250_000


@pytest.mark.parametrize("again", [JudgementFailure("timeout", "late"), FactScore("fact 0 of 1", "D", 0.0)])
def test_a_repeated_judgement_is_put_on_record_and_one_that_fails_costs_nothing(
    again: FactScore | JudgementFailure,
) -> None:
    drawn = frozenset({(KEY, "fact 0 of 1")})

    async def run() -> TrialRecord:
        with ThreadPoolExecutor(1) as pool:
            repeats = Repeats(Jury(lambda *_: again), drawn)
            runner = make_runner(Agent(), Jury(), [golden(1)], pool, repeats=repeats)
            return (await runner.judge(await runner.invoke(KEY))).record

    record = asyncio.run(run())

    letter = again.choice if isinstance(again, FactScore) else ""
    assert [(fact.choice, fact.again) for fact in record.facts] == [("B", letter), ("B", "")]
    assert record.scores["correctness"] == 1.0


def test_the_conversation_before_a_question_is_sent_with_it() -> None:
    turns = (Turn("user", "How do I archive an item?"), Turn("assistant", "Set its status to ARCHIVED."))
    agent = Agent()

    carry_out(agent, items=[replace(golden(1), turns=turns)])

    assert agent.calls[0]["chat_history"] == [
        {"role": "user", "content": "How do I archive an item?"},
        {"role": "assistant", "content": "Set its status to ARCHIVED."},
    ]


def test_a_question_without_a_conversation_is_sent_alone() -> None:
    agent = Agent()

    carry_out(agent)

    assert "chat_history" not in agent.calls[0]
