"""Whatever flywheel causes is never production traffic: each cause's own traces, before the sampler."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flywheel.domain.experiment import run_id
from flywheel.domain.live_trace import TraceHead
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.own_traffic import gate_environment, is_own, smoke_test_session
from flywheel.domain.releases import gate_id
from flywheel.domain.synthetic import RUN_TAG_PREFIX, SYNTHETIC_TAG
from flywheel.evaluation import identity
from flywheel.evaluation.tracing import Experiment, Timings, experiments, spans_of
from flywheel.ports import AgentReply
from flywheel.smoke_test import smoke_test
from tests.fakes.clock import NOON
from tests.live_world import LiveWorld, head
from tests.unit.evaluation.doubles import golden, plan

GATE = gate_id("2026-11-23T11:00:00Z", "an event")
RUN = run_id("x-" + GATE.removeprefix("g-"), "c08")
AT = NOON - timedelta(minutes=10)
ITEM = golden(1)


class Asked:
    """An agent that keeps what it was asked, as its own trace would say it."""

    def __init__(self) -> None:
        self.payload: dict[str, Any] = {}
        self.session = ""

    def invoke(self, _arn: str, payload: bytes, *, session_id: str, **_: Any) -> AgentReply:
        self.payload, self.session = json.loads(payload), session_id
        return AgentReply(b'{"answer": "yes"}', 200, "application/json", 1)

    def stop_session(self, *_: Any) -> bool:
        return True


def trial(run: str, arm: Arm) -> TraceHead:
    """A trial's trace in production's own environment: the marks must do without the environment's."""
    experiment = replace(_experiment(run, arm), environment="dev")
    record = TrialRecord(TrialKey("i-001", 1, arm), "answered", scores={"correctness": 1.0}, answer="yes")
    root = spans_of(experiment, ITEM, record, Timings(1, 2, 3))[0].attributes
    return head(
        1,
        AT,
        name=str(root["langfuse.trace.name"]),
        tags=tuple(root["langfuse.trace.tags"]),
        session_id=str(root["session.id"]),
    )


def _experiment(run: str, arm: Arm) -> Experiment:
    made = experiments(plan([ITEM], arms=("candidate", "incumbent")), dataset_id="d", environment="dev")[arm]
    return replace(made, gate_id=run)


def smoke() -> TraceHead:
    agent = Asked()
    assert (
        smoke_test(
            agent,  # type: ignore[arg-type]
            "arn",
            (ITEM,),
            gate_id=GATE,
            session=smoke_test_session(GATE, "0123456789abcdef"),
            qualifier="candidate",
        )
        is None
    )
    asked = agent.payload
    return head(1, AT, tags=tuple(asked["tags"]), user_id=asked["user_id"], session_id=agent.session)


CAUSES: dict[str, Callable[[], TraceHead]] = {
    "gate, candidate": lambda: trial(GATE, "candidate"),
    "gate or baseline, incumbent": lambda: trial(GATE, "incumbent"),
    "search": lambda: trial(RUN, "candidate"),
    "smoke test of a promotion": smoke,
    "experiment of Langfuse's SDK": lambda: head(1, AT, environment="sdk-experiment"),
    "evaluator of Langfuse": lambda: head(1, AT, environment="langfuse-llm-as-a-judge"),
    "agent on a gate's runtime that reads nothing of a request": lambda: head(
        1, AT, environment=gate_environment("dev")
    ),
}


def partly(whole: TraceHead) -> Iterator[TraceHead]:
    """The trace as agents leave it that keep one kind of its marks only."""
    plain = head(1, AT)
    yield whole
    yield from (replace(plain, tags=(tag,)) for tag in whole.tags if is_own(tags=(tag,)))
    if whole.user_id:
        yield replace(plain, user_id=whole.user_id)
    if whole.session_id:
        yield replace(plain, session_id=whole.session_id)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_sampler_leaves_out_what_flywheel_causes(cause: str) -> None:
    for trace in partly(CAUSES[cause]()):
        here = LiveWorld(settings=json.dumps({"review_budget_per_day": 100, "include_synthetic": True}))
        here.traces.add(trace)
        of_people = [head(number, AT) for number in (2, 3)]
        for one in of_people:
            here.traces.add(one)

        outcome = here.run()

        assert set(here.queued()) == {one.trace_id for one in of_people}, trace
        assert outcome.draw is not None
        assert (outcome.draw.seen, outcome.draw.eligible) == (2, 2)


@pytest.mark.parametrize("cause", CAUSES)
def test_nobody_calls_it_out_as_a_trace_of_production(cause: str) -> None:
    here = LiveWorld()
    here.traces.add(CAUSES[cause]())
    here.traces.add(head(2, AT))
    named = [f"{number:032x}" for number in (1, 2, 3)]

    outcome = here.sampler().call_out("delivery", named, [], deadline=NOON + timedelta(minutes=5))

    assert outcome.queued == 2
    assert set(here.queued()) == set(named[1:])


@pytest.mark.parametrize(
    "people",
    [
        {},
        {"tags": ("gate", "g-1", "smoke", "experiment")},
        {"tags": ("x-mas", "beta"), "user_id": "flywheel-fan", "session_id": "g-force"},
        {"session_id": "traffic-t-20261125t100000-0123abcd-0123", "tags": (SYNTHETIC_TAG, f"{RUN_TAG_PREFIX}t-1")},
        {"environment": "production", "session_id": "x-ray", "name": "gate"},
    ],
)
def test_people_and_synthetic_users_stay_traffic(people: dict[str, Any]) -> None:
    assert not head(1, AT, **people).own


def test_the_session_of_a_trial_is_told_by_its_name_alone() -> None:
    for run in (GATE, RUN):
        assert is_own(session_id=identity.session_id(run, TrialKey("any item", 3, "incumbent")))
