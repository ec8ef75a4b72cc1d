"""The project's own agent in a gate: what its container sends belongs to the trace of the gate's trial."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.domain.outcome import TrialRecord
from flywheel.evaluation.tracing import score_names
from flywheel.ports import GateRow
from local.images import release
from tests.e2e.conftest import pointed_at
from tests.e2e.system import DATASET, System, wait_for

# What one answer of the agent leaves: its own span, and below it Strands', the model's and the tool's.
AGENTS_SPANS = {"answer_question", "invoke_agent langfuse-docs", "chat", "searchLangfuseDocs"}


@dataclass(frozen=True, slots=True)
class Gated:
    """A gate of the agent as this repository has it; what it is worth on these questions does not matter here."""

    row: GateRow
    since: datetime
    records: list[TrialRecord]

    def candidates(self) -> dict[str, TrialRecord]:
        """Trials of the candidate by their trace."""
        return {record.trace_id: record for record in self.records if record.key.arm == "candidate"}


@pytest.fixture(scope="module")
def gated(deployed: System) -> Gated:
    """One gate for all tests of this file."""
    with pointed_at(deployed.info):
        since = datetime.now(UTC) - timedelta(minutes=1)
        tag = f"t-{uuid.uuid4().hex[:8]}"
        digest = release.push_to(deployed.info, release.agent_image(), deployed.outputs["RepositoryName"], tag)
        row = deployed.ended(deployed.gate_of(digest, tag).gate_id)
        return Gated(row, since, deployed.records(row.gate_id))


def observations(system: System, *query: tuple[str, str | int]) -> list[dict[str, Any]]:
    page = system.langfuse.get("v2/observations", [*query, ("fields", "core,basic,trace_context"), ("limit", 1000)])
    rows: list[dict[str, Any]] = page["data"]
    return rows


def spans_of_traces(system: System, gated: Gated) -> dict[str, list[dict[str, Any]]]:
    """Spans of each trial of the candidate, as soon as the agent's are there."""

    def look(trace: str) -> list[dict[str, Any]] | None:
        spans = observations(system, ("traceId", trace))
        return spans if {span["name"] for span in spans} >= AGENTS_SPANS else None

    return {t: wait_for(f"the agent's spans in {t}", lambda t=t: look(t), 30.0) for t in gated.candidates()}  # type: ignore[misc]


def test_each_arm_has_an_experiment_whose_items_are_linked_to_the_dataset(system: System, gated: Gated) -> None:
    reader = LangfuseExperimentReader(system.langfuse)
    dataset_id = system.datasets.dataset_id(DATASET)
    arms = {record.key.arm for record in gated.records}

    for arm in arms:
        trials = {r.trace_id: r.key.item_id for r in gated.records if r.key.arm == arm}
        (found,) = reader.find(f"{arm} {gated.row.gate_id}", gated.since)
        items = reader.items(found.experiment_id, gated.since)
        assert found.dataset_id == dataset_id
        assert found.item_count == len(trials)
        assert {item.trace_id: item.item_id for item in items} == trials
    assert "candidate" in arms


def test_every_score_of_every_trial_is_readable(system: System, gated: Gated) -> None:
    expected = {record.trace_id: score_names(record) for record in gated.records}

    assert LangfuseScoreStore(system.langfuse).read_back(expected, deadline_s=30.0) == {}
    assert all(len(names) > 1 for names in expected.values())


def test_the_agents_spans_hang_below_the_trial_in_its_trace(system: System, gated: Gated) -> None:
    for trace, spans in spans_of_traces(system, gated).items():
        ids = {span["id"]: span for span in spans}
        (root,) = [span for span in spans if span["name"] == "gate trial"]
        (answer,) = [span for span in spans if span["name"] == "answer_question"]
        assert answer["parentObservationId"] == root["id"], trace
        assert [s["name"] for s in spans if s is not root and s["parentObservationId"] not in ids] == []


def test_one_span_a_trial_is_the_experiment_s_and_all_of_them_describe_it(system: System, gated: Gated) -> None:
    """The server shows description and metadata of any span with the experiment's id, and counts errors of all."""
    in_traces = {span["id"]: span for spans in spans_of_traces(system, gated).values() for span in spans}
    (found,) = LangfuseExperimentReader(system.langfuse).find(f"candidate {gated.row.gate_id}", gated.since)
    of_experiment = [{"type": "string", "column": "experimentId", "operator": "=", "value": found.experiment_id}]

    in_experiment = observations(system, ("filter", json.dumps(of_experiment)))

    assert {span["id"] for span in in_experiment} <= in_traces.keys()
    assert {span["name"] for span in in_experiment} == {"gate trial"}
    assert len(in_experiment) == len(gated.candidates())
    query: list[tuple[str, str | int]] = [("fromStartTime", gated.since.strftime("%Y-%m-%dT%H:%M:%SZ"))]
    query += [("id", found.experiment_id), ("fields", "core,metadata")]
    (shown,) = system.langfuse.get("experiments", query)["data"]
    assert shown["description"] == f"Gate {gated.row.gate_id}, candidate"
    assert shown["metadata"]["gate"] == gated.row.gate_id


def test_the_agents_spans_tell_session_user_environment_release_and_gate(system: System, gated: Gated) -> None:
    plan = system.document(gated.row.gate_id, "plan.json")
    for spans in spans_of_traces(system, gated).values():
        (root,) = [span for span in spans if span["name"] == "gate trial"]
        agents = [span for span in spans if span["name"] in AGENTS_SPANS]
        assert {span["sessionId"] for span in agents} == {root["sessionId"]}
        assert {span["userId"] for span in agents} == {"flywheel-gate"}
        assert {span["environment"] for span in spans} == {f"{plan['environment']}-gate"}
        assert {span["release"] for span in agents} == {root["release"]}
        assert {tuple(span["tags"]) for span in agents} == {("flywheel-gate", gated.row.gate_id, "candidate")}
        assert root["sessionId"].startswith(gated.row.gate_id)
        assert root["release"]
