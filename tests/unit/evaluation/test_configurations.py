"""A configuration of an experiment is evaluated by what evaluates a gate; a gate notices nothing of that."""

import asyncio
import json
import time
from typing import Any

import pytest

from flywheel.domain.experiment import configuration_plan, run_id
from flywheel.domain.outcome import TrialKey, TrialRecord, Usage
from flywheel.domain.plan import Shard, dump_plan, dump_shard
from flywheel.domain.prices import load_prices
from flywheel.errors import ConflictError
from flywheel.evaluation import service
from flywheel.evaluation.checkpoint import load_checkpoint
from flywheel.evaluation.service import Invocation, ShardEvaluator
from flywheel.evaluation.shard import Limits, ShardSummary
from flywheel.evaluation.tracing import Timings, baggage, experiments, scores_of, spans_of
from flywheel.evidence import checkpoint_key, plan_key, result_key, shard_key
from flywheel.ports import AgentReply, ExperimentRuntime, InvocationFailure
from tests.experiment_samples import EXPERIMENT, PROMPT, experiment_plan
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.experiments import InMemoryExperiments, experiment_row
from tests.fakes.judgements import InMemoryJudgements
from tests.unit.evaluation.doubles import Agent, Jury, Langfuse, Objects, said
from tests.unit.evaluation.test_shard import World
from tests.unit.evaluation.test_trial import carry_out

PLAN = experiment_plan()
LONG = PLAN.configuration("c04")
RUN = run_id(EXPERIMENT, "c04")
KEY = TrialKey("i-000", 1, "candidate")


class NoGates:
    def get(self, gate_id: str) -> Any:
        raise AssertionError(f"{gate_id} is no gate: it has no record")


class Raw(Agent):
    """Keeps the bytes of each request as they were sent."""

    def invoke(self, runtime_arn: str, payload: bytes, **call: Any) -> Any:
        self.stopped.append(payload.decode())
        return super().invoke(runtime_arn, payload, **call)


def running() -> InMemoryExperiments:
    experiments = InMemoryExperiments()
    experiments.open(experiment_row(EXPERIMENT))
    experiments.plan_runtimes(EXPERIMENT, {"r01": ExperimentRuntime("fw_r01", "fw_r01-0001", ready=True)})
    return experiments


def evaluate(
    agent: Agent,
    langfuse: Langfuse,
    objects: Objects,
    experiments: InMemoryExperiments | None = None,
    attempt: int | None = 1,
) -> ShardSummary:
    evaluator = ShardEvaluator(
        store=objects,
        gates=NoGates(),  # type: ignore[arg-type]
        experiments=experiments or running(),
        invoker=agent,
        load_judge=lambda _: Jury(),
        judge_model_id="judge-1",
        langfuse=lambda: service.Langfuse(langfuse, langfuse, lambda _: "ds-1", "dev"),
        prices=load_prices(),
        limits=Limits(4, trial_s=10.0, delivery_s=0.5, margin_s=1.0),
        invoke_timeout_s=5.0,
        judgements=InMemoryJudgements(),
        clock=FixedClock(),
    )
    invocation = Invocation(lambda: 900.0, lambda runtime_id: f"arn:runtime/{runtime_id}")
    return asyncio.run(evaluator.evaluate(RUN, "1-00", invocation, attempt=attempt))


@pytest.fixture
def objects() -> Objects:
    shard = Shard(RUN, "1-00", (KEY, TrialKey("i-001", 1, "candidate")), runtime_ids={"candidate": "fw_r01-0001"})
    return Objects(
        {
            plan_key(RUN): dump_plan(configuration_plan(PLAN, LONG)).encode(),
            shard_key(RUN, "1-00"): dump_shard(shard).encode(),
        }
    )


def test_a_configuration_is_asked_at_the_runtime_of_its_shard_with_its_overrides(objects: Objects) -> None:
    agent, langfuse = Agent(), Langfuse()

    assert evaluate(agent, langfuse, objects) == ShardSummary(trials=2, errored=0)

    assert {call["runtime_arn"] for call in agent.calls} == {"arn:runtime/fw_r01-0001"}
    assert [call["overrides"] for call in agent.calls] == [{"model_id": "model-large", "system_prompt": PROMPT}] * 2
    assert agent.calls[0]["tags"] == ["flywheel-experiment", EXPERIMENT, "c04"]
    assert all(len(call["session_id"]) >= 33 and "." not in call["session_id"] for call in agent.calls)
    assert objects.stored.keys() >= {result_key(RUN, "1-00")}
    assert result_key(RUN, "1-00") == f"experiments/{EXPERIMENT}/c04/results/1-00.json"


def failed(_: dict[str, Any]) -> InvocationFailure:
    return InvocationFailure("ResourceNotFoundException", "no such runtime")


def test_a_runtime_that_goes_because_the_experiment_was_stopped_is_no_result(objects: Objects) -> None:
    experiments = running()

    def stopped_at_the_second(call: dict[str, Any]) -> AgentReply | InvocationFailure:
        if call["question"] == "Question 0?":
            return said()
        time.sleep(0.2)
        experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
        return failed(call)

    with pytest.raises(ConflictError, match="has ended"):
        evaluate(Agent(stopped_at_the_second), Langfuse(), objects, experiments)

    assert result_key(RUN, "1-00") not in objects.stored
    done = load_checkpoint(objects.stored[checkpoint_key(RUN, "1-00")])
    assert [finished.record.key.item_id for finished in done.finished] == ["i-000"]


def test_an_agent_that_fails_while_the_experiment_runs_is_a_result(objects: Objects) -> None:
    assert evaluate(Agent(failed), Langfuse(), objects) == ShardSummary(trials=2, errored=2)


@pytest.mark.parametrize("state", ["ended", "unknown"])
def test_nothing_is_asked_for_an_experiment_that_is_over(objects: Objects, state: str) -> None:
    experiments = running()
    experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    agent = Agent()
    with pytest.raises(ConflictError):
        evaluate(agent, Langfuse(), objects, InMemoryExperiments() if state == "unknown" else experiments)
    assert agent.calls == []


@pytest.mark.parametrize("attempt", [1, None])
def test_an_earlier_attempt_asks_nothing_at_the_runtimes_that_the_next_one_moved_its_shard_to(
    objects: Objects, attempt: int | None
) -> None:
    experiments = running()
    experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    experiments.reopen(EXPERIMENT, "arn:2", NOON)
    early, mine = Agent(), Agent()

    with pytest.raises(ConflictError):
        evaluate(early, Langfuse(), objects, experiments, attempt)

    assert early.calls == []
    assert evaluate(mine, Langfuse(), objects, experiments, 2).trials == 2


def test_a_gate_sends_the_bytes_that_it_always_sent() -> None:
    agent = Raw()

    carry_out(agent)

    tags = '["flywheel-gate", "g-20260504t120000-0123abcd", "candidate"]'
    assert agent.stopped == [f'{{"question": "Question 1?", "user_id": "flywheel-gate", "tags": {tags}}}']


def test_a_gate_still_asks_its_record_for_its_runtimes() -> None:
    world = World(PLAN.items)
    world.gates.row = None

    with pytest.raises(Exception, match="has no record"):
        world.evaluate()


def test_langfuse_shows_one_experiment_a_configuration_with_its_hyperparameters() -> None:
    experiment = experiments(configuration_plan(PLAN, LONG), dataset_id="ds-1", environment="dev")["candidate"]

    assert experiment.name == f"large, long, c04 {EXPERIMENT}"
    assert experiment.labels.description == f"Experiment {EXPERIMENT}, configuration c04: large, long"
    about = experiment.metadata
    assert (about["experiment"], about["configuration"]) == (EXPERIMENT, "c04")
    assert (about["hyperparameter_model"], about["hyperparameter_prompt"]) == ("large", "long")
    assert about["model"] == "model-large"
    assert len(about["parameters"]) < 300
    assert json.loads(about["parameters"])["temperature"] == 0.2
    assert {"gate", "arm"} & about.keys() == set()


def test_its_traces_say_experiment_and_carry_the_release_that_the_runtime_cannot_know() -> None:
    experiment = experiments(configuration_plan(PLAN, LONG), dataset_id="ds-1", environment="dev")["candidate"]
    record = TrialRecord(KEY, "answered", scores={"correctness": 1.0}, usage=Usage(1, 1, 1), latency_ms=1)

    root = spans_of(experiment, PLAN.items[0], record, Timings(1, 2, 3))[0]

    assert root.name == root.attributes["langfuse.trace.name"] == "experiment trial"
    assert root.attributes["langfuse.trace.tags"] == ("flywheel-experiment", EXPERIMENT, "c04")
    assert root.attributes["langfuse.release"] == LONG.candidate.candidate_id
    assert f"langfuse.release={LONG.candidate.candidate_id}" in baggage(experiment).split(",")
    assert scores_of(experiment, record)[0].metadata == {
        "experiment": EXPERIMENT,
        "configuration": "c04",
        "trial": 1,
    }


def test_a_configuration_plan_is_of_one_arm_promotes_nothing_and_judges_nothing_twice() -> None:
    plan = configuration_plan(PLAN, LONG)

    assert [(arm.arm, arm.candidate) for arm in plan.arms] == [("candidate", LONG.candidate)]
    assert (plan.promote, plan.incumbent_release, plan.policy.judge_repeats) == (False, None, 0)
    assert plan_key(plan.gate_id) == f"experiments/{EXPERIMENT}/c04/plan.json"
