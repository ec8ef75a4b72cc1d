import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord, load_records
from flywheel.domain.plan import GatePlan, Shard, dump_plan, dump_shard
from flywheel.domain.prices import load_prices
from flywheel.errors import InvalidRequestError, NotFoundError, TransientError
from flywheel.evaluation import service
from flywheel.evaluation.checkpoint import dump_checkpoint, load_checkpoint
from flywheel.evaluation.delivery import Finished
from flywheel.evaluation.ports import Judge
from flywheel.evaluation.service import Invocation, ShardEvaluator
from flywheel.evaluation.shard import Limits, ShardSummary
from flywheel.evaluation.tracing import Timings
from flywheel.evidence import checkpoint_key, plan_key, result_key, shard_key
from flywheel.ports import AgentReply, GateArm, GateRow, InvocationFailure
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.experiments import InMemoryExperiments
from tests.fakes.judgements import InMemoryJudgements
from tests.unit.evaluation.doubles import (
    GATE,
    JUDGE_MODEL,
    Agent,
    Jury,
    Langfuse,
    Objects,
    golden,
    plan,
    said,
    shard,
)

CHECKPOINT, RESULT = checkpoint_key(GATE, "1-00"), result_key(GATE, "1-00")


class Gates:
    """As much of a `GateStore` as evaluation uses: the runtimes of the gate's arms."""

    def __init__(self, *arms: Arm) -> None:
        runtimes = {arm: GateArm(f"fw_{arm}", f"fw_{arm}-0001") for arm in arms}
        self.row: GateRow | None = GateRow(GATE, "arn:1", "cli", NOON, NOON.isoformat(), arms=runtimes)

    def get(self, gate_id: str) -> Any:
        return self.row


@dataclass
class World:
    """A gate that is planned and deployed, and everything around it."""

    items: Sequence[GoldenItem]
    arms: tuple[Arm, ...] = ("candidate",)
    trials: int = 1
    agent: Agent = field(default_factory=Agent)
    jury: Jury = field(default_factory=Jury)
    langfuse: Langfuse = field(default_factory=Langfuse)
    objects: Objects = field(default_factory=Objects)
    remaining_s: Callable[[], float] = lambda: 900.0
    dataset_id: Callable[[str], str] = lambda _: "ds-1"
    concurrency: int = 4
    checkpoint_every_s: float = 60.0
    judge_model_id: str = JUDGE_MODEL
    gates: Any = None
    plan: GatePlan | None = None
    judgements: InMemoryJudgements = field(default_factory=InMemoryJudgements)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.gates = self.gates or Gates(*self.arms)
        self.shard = shard(self.items, self.arms, self.trials)
        self.objects.stored[plan_key(GATE)] = dump_plan(self.plan or plan(self.items, self.arms)).encode()
        self.objects.stored[shard_key(GATE, "1-00")] = dump_shard(self.shard).encode()

    def evaluate(self) -> ShardSummary:
        evaluator = ShardEvaluator(
            store=self.objects,
            gates=self.gates,
            experiments=InMemoryExperiments(),
            invoker=self.agent,
            load_judge=self._load,
            judge_model_id=self.judge_model_id,
            langfuse=lambda: service.Langfuse(self.langfuse, self.langfuse, self.dataset_id, "dev"),
            prices=load_prices(),
            limits=Limits(
                self.concurrency,
                trial_s=10.0,
                delivery_s=0.5,
                checkpoint_every_s=self.checkpoint_every_s,
                margin_s=1.0,
            ),
            invoke_timeout_s=5.0,
            judgements=self.judgements,
            clock=self.clock,
        )
        invocation = Invocation(self.remaining_s, lambda runtime_id: f"arn:runtime/{runtime_id}")
        return asyncio.run(evaluator.evaluate(GATE, "1-00", invocation))

    def _load(self, _: Any) -> Judge:
        return self.jury

    def results(self) -> list[tuple[TrialKey, str]]:
        return [(record.key, record.outcome) for record in load_records(self.objects.stored[RESULT])]


def test_every_line_is_invoked_once_whatever_the_number_of_facts() -> None:
    world = World([golden(number, facts=7) for number in range(10)], arms=("candidate", "incumbent"), trials=2)

    summary = world.evaluate()

    assert summary == ShardSummary(trials=40, errored=0)
    assert len(world.agent.calls) == 40
    assert len({call["session_id"] for call in world.agent.calls}) == 40
    assert world.results() == [(key, "answered") for key in world.shard.lines]


def test_each_arm_is_asked_at_its_own_runtime() -> None:
    world = World([golden(0)], arms=("candidate", "incumbent"))

    world.evaluate()

    assert {call["runtime_arn"] for call in world.agent.calls} == {
        "arn:runtime/fw_candidate-0001",
        "arn:runtime/fw_incumbent-0001",
    }


def test_invocations_run_at_once_up_to_the_limit() -> None:
    def slow(_: dict[str, Any]) -> AgentReply:
        time.sleep(0.05)
        return said()

    world = World([golden(number) for number in range(12)], agent=Agent(slow), concurrency=4)

    world.evaluate()

    assert world.agent.most_at_once == 4


def test_both_arms_giving_the_same_answer_are_judged_once() -> None:
    world = World([golden(0)], arms=("candidate", "incumbent"))

    world.evaluate()

    assert len(world.jury.asked) == 2


def test_spans_and_scores_of_every_trial_reach_langfuse() -> None:
    world = World([golden(number) for number in range(3)])

    world.evaluate()

    roots = [span for span in world.langfuse.spans.values() if span.parent_id is None]
    assert sorted(str(span.attributes["langfuse.experiment.item.id"]) for span in roots) == ["i-000", "i-001", "i-002"]
    assert len([score for score in world.langfuse.scores.values() if score.name == "correctness"]) == 3


def test_sessions_are_stopped_after_their_trial() -> None:
    world = World([golden(number) for number in range(3)])

    world.evaluate()
    wait_for(lambda: len(world.agent.stopped) == 3)

    assert sorted(world.agent.stopped) == sorted(call["session_id"] for call in world.agent.calls)


def test_errored_trials_are_in_the_results_and_not_scored_as_if_answered() -> None:
    def fails_on_one(call: dict[str, Any]) -> AgentReply | InvocationFailure:
        return InvocationFailure("RuntimeClientError", "crash", 424) if "1?" in call["question"] else said()

    world = World([golden(number) for number in range(3)], agent=Agent(fails_on_one))

    summary = world.evaluate()

    assert (summary.trials, summary.errored) == (3, 1)
    errored = [record for record in load_records(world.objects.stored[RESULT]) if record.outcome == "errored"]
    assert [(record.key.item_id, record.scores) for record in errored] == [("i-001", {})]


def test_a_finished_shard_that_is_delivered_again_does_nothing() -> None:
    world = World([golden(number) for number in range(3)])
    first = world.evaluate()
    before = dict(world.objects.stored)

    again = world.evaluate()

    assert (again.trials, again.errored, again.resumed) == (first.trials, first.errored, 3)
    assert len(world.agent.calls) == 3
    assert world.objects.stored == before


def test_a_shard_killed_midway_goes_on_where_it_was() -> None:
    """The first attempt dies with an exception that nothing handles, as a killed function would, after a checkpoint."""
    items = [golden(number) for number in range(6)]
    killed = threading.Event()

    def dies_on_the_last(call: dict[str, Any]) -> AgentReply:
        if call["question"] != "Question 5?" or killed.is_set():
            return said()
        wait_for(lambda: CHECKPOINT in world.objects.stored and len(checkpointed(world.objects)) == 5)
        killed.set()
        raise KeyboardInterrupt

    world = World(items, agent=Agent(dies_on_the_last), checkpoint_every_s=0.01, concurrency=1)
    with pytest.raises(KeyboardInterrupt):
        world.evaluate()
    assert RESULT not in world.objects.stored
    questions_before = world.agent.questions()

    summary = world.evaluate()

    assert summary.resumed == 5
    assert questions_before == [f"Question {number}?" for number in range(6)]
    assert world.agent.questions() == sorted([*questions_before, "Question 5?"])
    assert len(world.results()) == 6
    assert len([score for score in world.langfuse.scores.values() if score.name == "outcome"]) == 6


def test_when_time_is_up_no_trial_starts_and_the_next_attempt_goes_on() -> None:
    left = {"s": 900.0}

    def uses_up_the_time(_: dict[str, Any]) -> AgentReply:
        left["s"] = 1.0
        return said()

    world = World(
        [golden(number) for number in range(5)],
        agent=Agent(uses_up_the_time),
        remaining_s=lambda: left["s"],
        concurrency=1,
    )

    with pytest.raises(TransientError, match="4 of 5 trials are still to do"):
        world.evaluate()
    assert len(world.agent.calls) == 1
    assert RESULT not in world.objects.stored
    assert len(checkpointed(world.objects)) == 1

    world.agent.respond = lambda _: said()
    left["s"] = 900.0
    assert world.evaluate() == ShardSummary(5, 0, resumed=1)
    assert len(world.agent.calls) == 5


def test_a_function_whose_time_out_is_too_short_says_so() -> None:
    world = World([golden(0)], remaining_s=lambda: 8.0)

    with pytest.raises(InvalidRequestError, match="raise the time-out of the function"):
        world.evaluate()
    assert world.agent.calls == []


def test_what_was_delivered_before_a_retry_is_not_delivered_again_and_what_was_not_is() -> None:
    left = {"s": 900.0}
    answered = []

    def uses_up_the_time(_: dict[str, Any]) -> AgentReply:
        answered.append(1)
        left["s"] = 1.0 if len(answered) == 2 else left["s"]
        return said()

    world = World(
        [golden(number) for number in range(3)],
        agent=Agent(uses_up_the_time),
        remaining_s=lambda: left["s"],
        concurrency=1,
        langfuse=Langfuse(trouble=TransientError("down")),
    )
    with pytest.raises(TransientError):
        world.evaluate()
    assert load_checkpoint(world.objects.stored[CHECKPOINT]).delivered == ()

    world.langfuse.trouble = None
    left["s"] = 900.0
    world.evaluate()

    outcomes = [score.trace_id for score in world.langfuse.scores.values() if score.name == "outcome"]
    assert len(outcomes) == 3


def test_a_langfuse_that_stays_down_does_not_keep_the_results_from_s3() -> None:
    world = World([golden(number) for number in range(3)], langfuse=Langfuse(trouble=TransientError("down")))

    summary = world.evaluate()

    assert summary == ShardSummary(3, 0, undelivered=3)
    assert len(world.results()) == 3


def test_a_dataset_that_cannot_be_looked_up_does_not_stop_the_evaluation() -> None:
    def down(_: str) -> str:
        raise TransientError("down")

    world = World([golden(0)], dataset_id=down)

    assert world.evaluate().trials == 1
    root = next(span for span in world.langfuse.spans.values() if span.parent_id is None)
    assert "langfuse.experiment.dataset.id" not in root.attributes


def test_a_checkpoint_that_cannot_be_read_starts_the_shard_over() -> None:
    world = World([golden(0)])
    world.objects.stored[CHECKPOINT] = b'{"finished": [{"nonsense": 1}]}'

    assert world.evaluate() == ShardSummary(1, 0)


def test_trials_of_a_checkpoint_that_are_not_in_the_shard_are_left_out() -> None:
    foreign = TrialRecord(TrialKey("i-009", 1, "candidate"), "answered", scores={"correctness": 1.0})
    known = TrialRecord(TrialKey("i-000", 1, "candidate"), "answered", scores={"correctness": 1.0})
    done = [Finished(record, Timings(1, 2, 3)) for record in (foreign, known)]
    world = World([golden(0), golden(1)], objects=Objects({CHECKPOINT: dump_checkpoint(done, [])}))

    assert world.evaluate() == ShardSummary(2, 0, resumed=1)
    assert world.agent.questions() == ["Question 1?"]
    assert [key.item_id for key, _ in world.results()] == ["i-000", "i-001"]


def test_a_checkpoint_that_cannot_be_written_is_only_a_pity() -> None:
    class Full(Objects):
        def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
            raise TransientError("SlowDown")

    def slow(_: dict[str, Any]) -> AgentReply:
        time.sleep(0.05)
        return said()

    world = World([golden(n) for n in range(4)], agent=Agent(slow), objects=Full(), checkpoint_every_s=0.01)

    assert world.evaluate().trials == 4


def test_the_last_checkpoint_is_the_one_that_stays() -> None:
    writing = threading.Event()

    class SlowFirst(Objects):
        def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
            if key == CHECKPOINT and not writing.is_set():
                writing.set()
                time.sleep(0.3)  # still under way when the shard stops
            super().put(key, body, content_type)

    def second_after_the_first_write_began(_: dict[str, Any]) -> AgentReply:
        if len(world.agent.calls) == 2:
            assert writing.wait(5)
        return said()

    world = World(
        [golden(number) for number in range(3)],
        agent=Agent(second_after_the_first_write_began),
        objects=SlowFirst(),
        remaining_s=lambda: 900.0 if len(world.agent.calls) < 2 else 0.0,
        concurrency=1,
        checkpoint_every_s=0.01,
    )

    with pytest.raises(TransientError, match="1 of 3 trials are still to do"):
        world.evaluate()
    assert len(checkpointed(world.objects)) == 2


def test_a_line_that_occurs_twice_is_one_trial() -> None:
    world = World([golden(0)])
    doubled = Shard(GATE, "1-00", world.shard.lines * 3)
    world.objects.stored[shard_key(GATE, "1-00")] = dump_shard(doubled).encode()

    assert world.evaluate().trials == 1
    assert len(world.agent.calls) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((TrialKey("nosuch", 1, "candidate"),), "item 'nosuch'"),
        ((TrialKey("i-000", 1, "incumbent"),), "arm 'incumbent'"),
    ],
)
def test_a_shard_that_does_not_fit_the_plan_invokes_nothing(lines: tuple[TrialKey, ...], message: str) -> None:
    world = World([golden(0)])
    world.objects.stored[shard_key(GATE, "1-00")] = dump_shard(Shard(GATE, "1-00", lines)).encode()

    with pytest.raises(InvalidRequestError, match=message):
        world.evaluate()
    assert world.agent.calls == []


def test_a_shard_file_of_another_gate_is_refused() -> None:
    world = World([golden(0)])
    world.objects.stored[shard_key(GATE, "1-00")] = dump_shard(Shard("g-other", "1-00", world.shard.lines)).encode()

    with pytest.raises(InvalidRequestError, match="of gate 'g-other'"):
        world.evaluate()


def test_another_judge_than_the_planned_one_is_refused() -> None:
    world = World([golden(0)], judge_model_id="judge-2")

    with pytest.raises(InvalidRequestError, match=r"the plan was made for judge judge-1 .*start the gate again"):
        world.evaluate()


def test_an_arm_without_a_runtime_is_not_found() -> None:
    world = World([golden(0)], gates=Gates())

    with pytest.raises(NotFoundError, match="it was not deployed"):
        world.evaluate()


def test_an_unknown_gate_is_not_found() -> None:
    gates = Gates()
    gates.row = None

    with pytest.raises(NotFoundError, match="never planned"):
        World([golden(0)], gates=gates).evaluate()


def checkpointed(objects: Objects) -> tuple[Any, ...]:
    return load_checkpoint(objects.stored[CHECKPOINT]).finished


def wait_for(condition: Callable[[], bool], deadline_s: float = 5.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_the_reserve_is_what_one_trial_and_its_delivery_need() -> None:
    assert Limits(1, trial_s=10, delivery_s=5, margin_s=2).reserve_s == 17
