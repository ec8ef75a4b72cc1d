import json
from dataclasses import replace
from urllib.parse import unquote

import pytest

from flywheel.domain.outcome import FactScore, TrialError, TrialKey, TrialRecord, Usage
from flywheel.evaluation import identity
from flywheel.evaluation.tracing import (
    Experiment,
    Timings,
    baggage,
    experiments,
    score_names,
    scores_of,
    spans_of,
    traceparent,
)
from tests.unit.evaluation.doubles import DIGEST, GATE, golden, plan

ITEM = golden(1)
KEY = TrialKey("i-001", 1, "candidate")
TIMES = Timings(1_000, 2_000, 3_000)
ANSWERED = TrialRecord(
    KEY,
    "answered",
    scores={"correctness": 0.75, "tool_success": 1.0},
    facts=(FactScore("fact 0 of 1", "B", 1.0, "there"), FactScore("fact 1 of 1", "A", 0.5, "partly")),
    answer="An answer.",
    usage=Usage(900, 60, 2),
    latency_ms=420,
    cost_usd=0.01,
    trace_id=identity.trace_id(GATE, KEY),
)
ERRORED = TrialRecord(KEY, "errored", error=TrialError("invoke", "timeout", "no answer in 5 s"))


def experiment(dataset_id: str = "ds-1") -> Experiment:
    return experiments(plan([ITEM]), dataset_id=dataset_id, environment="dev")["candidate"]


def test_each_arm_has_an_experiment_that_says_what_it_measured() -> None:
    both = experiments(plan([ITEM], arms=("candidate", "incumbent")), dataset_id="ds-1", environment="dev")

    assert set(both) == {"candidate", "incumbent"}
    about = both["candidate"].metadata
    assert both["candidate"].name == f"candidate {GATE}"
    assert about["gate"] == GATE
    assert about["digest"] == DIGEST
    assert about["model"] == "amazon.nova-lite-v1:0"
    assert about["parameters"] == '{"top_k":3}'
    assert "prompt" not in about


def test_the_root_span_is_the_item_of_the_experiment() -> None:
    root, *facts = spans_of(experiment(), ITEM, ANSWERED, TIMES)

    assert root.span_id == root.attributes["langfuse.experiment.item.root_observation_id"]
    assert root.parent_id is None
    assert (root.start_ns, root.end_ns, root.failed) == (1_000, 3_000, None)
    assert root.attributes["langfuse.experiment.dataset.id"] == "ds-1"
    assert root.attributes["langfuse.experiment.item.id"] == "i-001"
    assert root.attributes["langfuse.experiment.item.version"] == "2026-05-04T12:00:00.000Z"
    assert root.attributes["langfuse.environment"] == "dev"
    assert json.loads(str(root.attributes["langfuse.observation.input"])) == {"question": "Question 1?"}
    assert root.attributes["langfuse.observation.output"] == "An answer."
    assert root.attributes["langfuse.observation.metadata.stop_reason"] == ANSWERED.stop_reason
    expected = json.loads(str(root.attributes["langfuse.experiment.item.expected_output"]))
    assert expected["response_facts"] == ["fact 0 of 1", "fact 1 of 1"]
    assert [span.parent_id for span in facts] == [root.span_id] * 2
    assert {span.observation_type for span in facts} == {"evaluator"}
    assert json.loads(str(facts[1].attributes["langfuse.observation.output"])) == {
        "choice": "A",
        "score": 0.5,
        "rationale": "partly",
    }


def test_one_span_a_trial_is_the_experiment_s_item_and_says_all_of_it() -> None:
    """Langfuse takes description and metadata of any span with the experiment's id, and counts its ERROR spans."""
    for record in (ANSWERED, ERRORED):
        root, *others = spans_of(experiment(), ITEM, record, TIMES)

        assert experiment().membership(KEY).items() <= root.attributes.items()
        assert root.attributes["langfuse.experiment.description"] == f"Gate {GATE}, candidate"
        about = json.loads(str(root.attributes["langfuse.experiment.metadata"]))
        assert about == experiment().metadata
        assert [name for span in others for name in span.attributes if name.startswith("langfuse.experiment.")] == []


def test_all_spans_are_of_one_trace_and_one_environment() -> None:
    spans = spans_of(experiment(), ITEM, ANSWERED, TIMES)

    assert all(experiment().common().items() <= span.attributes.items() for span in spans)
    assert {span.trace_id for span in spans} == {identity.trace_id(GATE, KEY)}
    assert len({span.span_id for span in spans}) == 3


def test_an_errored_trial_is_a_span_at_level_error_with_its_stage() -> None:
    spans = spans_of(experiment(), ITEM, ERRORED, TIMES)

    assert [span.failed for span in spans] == ["invoke: timeout: no answer in 5 s"]
    assert "langfuse.observation.output" not in spans[0].attributes
    assert spans[0].attributes["langfuse.observation.metadata.error"] == '{"stage":"invoke","kind":"timeout"}'


def test_an_answer_that_the_judge_failed_on_is_still_shown_as_it_is() -> None:
    record = TrialRecord(KEY, "errored", error=TrialError("judge", "timeout", "none"), answer='{"a": 1}')
    (span,) = spans_of(experiment(), ITEM, record, TIMES)

    assert span.attributes["langfuse.observation.output"] == '{"a": 1}'


def test_the_agent_s_spans_are_in_the_trace_and_no_items_of_the_experiment() -> None:
    entries = dict(entry.split("=", 1) for entry in baggage(experiment()).split(","))

    assert {name: unquote(value) for name, value in entries.items()} == {"langfuse.environment": "dev"}
    assert traceparent(GATE, KEY).split("-")[1:3] == [identity.trace_id(GATE, KEY), identity.root_span_id(GATE, KEY)]


def test_baggage_is_small_whatever_the_environment_is_called() -> None:
    named = replace(experiment(), environment="ü,;= " * 20)

    assert len(baggage(named)) < 8_192
    assert unquote(baggage(named).partition("=")[2]) == named.environment


def test_without_a_dataset_id_the_spans_are_not_linked_to_a_dataset() -> None:
    root = spans_of(experiment(dataset_id=""), ITEM, ANSWERED, TIMES)[0]

    assert "langfuse.experiment.dataset.id" not in root.attributes
    assert root.attributes["langfuse.experiment.id"] == identity.experiment_id(GATE, "candidate")


def test_a_trial_has_a_score_for_its_outcome_each_metric_and_what_it_took() -> None:
    scores = {score.name: score for score in scores_of(experiment(), ANSWERED)}

    assert {name: score.value for name, score in scores.items()} == {
        "outcome": "answered",
        "correctness": 0.75,
        "tool_success": 1.0,
        "latency_ms": 420,
        "cost_usd": 0.01,
        "tokens": 960,
    }
    assert scores["correctness"].comment == "B 1: fact 0 of 1\nA 0.5: fact 1 of 1"
    assert scores["correctness"].metadata["facts"][1]["rationale"] == "partly"
    assert {score.observation_id for score in scores.values()} == {identity.root_span_id(GATE, KEY)}
    assert {score.environment for score in scores.values()} == {"dev"}


def test_an_errored_trial_has_an_outcome_with_its_reason_and_no_score_as_if_it_had_answered() -> None:
    scores = scores_of(experiment(), ERRORED)

    assert [(score.name, score.value, score.comment) for score in scores] == [
        ("outcome", "errored", "invoke: timeout: no answer in 5 s")
    ]


@pytest.mark.parametrize(
    "record", [ANSWERED, ERRORED, replace(ANSWERED, usage=Usage(), latency_ms=None, cost_usd=None)]
)
def test_the_names_to_read_back_are_those_that_are_sent(record: TrialRecord) -> None:
    assert {score.name for score in scores_of(experiment(), record)} == score_names(record)


def test_a_repeated_trial_has_the_same_ids_everywhere() -> None:
    again = replace(ANSWERED, answer="Another answer.")

    ids = [[score.score_id for score in scores_of(experiment(), record)] for record in (ANSWERED, again)]
    spans = [[span.span_id for span in spans_of(experiment(), ITEM, record, TIMES)] for record in (ANSWERED, again)]
    assert ids[0] == ids[1]
    assert spans[0] == spans[1]
