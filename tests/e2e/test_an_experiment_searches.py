"""An experiment on the deployed system: it searches, goes on without what fails, is stopped and gone on with."""

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from flywheel.domain.experiment import experiment_id, run_id
from flywheel.domain.outcome import TrialRecord, load_records
from flywheel.errors import NotFoundError
from flywheel.evaluation.checkpoint import load_checkpoint
from flywheel.evidence import checkpoint_key, folder, result_key
from flywheel.experiment_evidence import ExperimentEvidence, Rung
from flywheel.ports import ExperimentRow
from tests.e2e.agents import Told
from tests.e2e.system import ANSWERS, DATASET, System, wait_for

# An experiment is a dozen cold starts, and the first test of a session waits for the deployment too.
pytestmark = pytest.mark.timeout(600)

KNOWS = {"all": 12, "most": 9, "some": 4, "none": 0}
MODELS = {"dimensions": {"model": [{"name": name, "model_id": f"e2e.{name}"} for name in KNOWS]}}


@dataclass
class Experiments:
    """What people do with experiments, and what is to be seen of them."""

    system: System

    def __post_init__(self) -> None:
        self.rows = DynamoDbExperiments.from_table(self.system.outputs["StateTableName"])
        self.evidence = ExperimentEvidence(self.system.evidence)
        self.machine = self.system.outputs["ExperimentStateMachineArn"]

    def push(self, *told: Told) -> list[str]:
        """Push images whose gates are refused at once, so that only experiments ask them; their tags."""
        tags = [f"x-{uuid.uuid4().hex[:8]}" for _ in told]
        with self.system.setting("policy", {"minimum_items": 1_000}):
            digests = [self.system.push(one, tag) for one, tag in zip(told, tags, strict=True)]
            for digest, tag in zip(digests, tags, strict=True):
                wait_for(f"the end of the gate of {tag}", lambda d=digest, t=tag: self._refused(d, t))  # type: ignore[misc]
        return tags

    def _refused(self, digest: str, tag: str) -> bool:
        row = self.system.gate_of(digest, tag)
        return row.status == "ended" and bool(row.refused)

    def ask(self, file: Mapping[str, Any] | None, *, resume: ExperimentRow | None = None, deliveries: int = 1) -> str:
        """Save the file and ask for it, so often; the experiment's id."""
        name = f"e2e-{uuid.uuid4().hex[:8]}" if resume is None else resume.name
        if file is not None:
            self.evidence.save_file(name, json.dumps({"version": 1, "dataset": DATASET} | dict(file)).encode())
        now, request = datetime.now(UTC).replace(microsecond=0), str(uuid.uuid4())
        detail = {"version": 1, "request_id": request, "file": name, "reason": "cli"}
        if resume is not None:
            detail["resume"] = resume.experiment_id
        entry = {
            "EventBusName": self.system.outputs["EventBusName"],
            "Source": "flywheel.cli",
            "DetailType": "ExperimentRequested",
            "Detail": json.dumps(detail),
            "Time": now,
        }
        for _ in range(deliveries):
            boto3.client("events").put_events(Entries=[entry])  # type: ignore[list-item]
        return experiment_id(now, request) if resume is None else resume.experiment_id

    def row(self, experiment: str) -> ExperimentRow:
        return wait_for(f"the record of {experiment}", lambda: self.rows.get(experiment), 60.0)

    def ended(self, experiment: str, attempt: int = 1) -> ExperimentRow:
        def look() -> ExperimentRow | None:
            row = self.rows.get(experiment)
            return row if row is not None and row.attempt == attempt and row.status == "ended" else None

        return wait_for(f"the end of {experiment}", look, 240.0)

    def last(self, experiment: str) -> Rung:
        return self.evidence.rungs(experiment)[-1]

    def records(self, experiment: str, configuration: str) -> list[TrialRecord]:
        keys = self.system.evidence.keys(f"{folder(run_id(experiment, configuration))}/results/")
        return [record for key in keys for record in load_records(self.system.evidence.read(key).decode())]

    def kept(self, experiment: str) -> set[str | None]:
        """Trace ids of the trials that are on record, in results or in the checkpoint of a shard without any."""
        found: set[str | None] = set()
        for run, key in self.last(experiment).shards:
            with suppress(NotFoundError):
                checkpoint = load_checkpoint(self.system.evidence.read(checkpoint_key(run, key)))
                found |= {finished.record.trace_id for finished in checkpoint.finished}
            with suppress(NotFoundError):
                records = load_records(self.system.evidence.read(result_key(run, key)).decode())
                found |= {record.trace_id for record in records}
        return found

    def metadata(self, name: str, since: datetime) -> dict[str, str]:
        """What Langfuse shows beside the experiment of that name."""
        start = since.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        named = [{"type": "string", "column": "name", "operator": "=", "value": name}]
        query: list[tuple[str, str | int]] = [
            ("fromStartTime", start),
            ("filter", json.dumps(named)),
            ("fields", "core,metadata"),
        ]
        (found,) = self.system.langfuse.get("experiments", query)["data"]
        shown: dict[str, str] = found["metadata"]
        return shown

    def executions(self) -> Sequence[str]:
        listed = self.system.states.list_executions(stateMachineArn=self.machine)
        return [str(execution["executionArn"]) for execution in listed["executions"]]

    def over(self, execution_arn: str) -> str:
        def look() -> str | None:
            status = self.system.execution(execution_arn)
            return None if status == "RUNNING" else status

        return wait_for(f"the end of {execution_arn}", look, 60.0)


@pytest.fixture
def experiments(system: System) -> Experiments:
    return Experiments(system)


def test_an_experiment_finds_the_best_and_stops_the_worse_whoever_asks_twice(
    system: System, experiments: Experiments
) -> None:
    since, before, production = datetime.now(UTC), set(experiments.executions()), system.production_digest()
    (tag,) = experiments.push(Told(answers=ANSWERS, knows={f"e2e.{name}": known for name, known in KNOWS.items()}))
    experiment = experiments.ask(MODELS | {"image": tag, "search": {"trials": 3}}, deliveries=2)

    row = experiments.ended(experiment)

    plan = experiments.evidence.plan(experiment)
    by_model = {one.values["model"]: one.configuration_id for one in plan.configurations}
    assert (row.outcome, row.reasons, row.recommended) == ("completed", (), by_model["all"])
    assert [one.runtime for one in plan.runtimes] == ["r01"]
    stopped = {entry["configuration"]: entry["code"] for entry in experiments.last(experiment).stopped}
    assert by_model["none"] in stopped
    assert by_model["all"] not in stopped
    asked = {name: len(experiments.records(experiment, one)) for name, one in by_model.items()}
    assert asked["none"] < asked["all"]
    assert sum(asked.values()) < 4 * 12 * 3

    mine = [arn for arn in experiments.executions() if arn not in before]
    assert sorted(experiments.over(arn) for arn in mine) == ["SUCCEEDED", "SUCCEEDED"]
    assert system.short_lived_runtimes() == []
    assert system.production_digest() == production

    reader = LangfuseExperimentReader(system.langfuse)
    for name, configuration in by_model.items():
        # What the search varies comes first in the name, and the ids behind it.
        called = f"{'model none' if name == 'none' else name}, {configuration} {experiment}"
        (found,) = reader.find(called, since)
        items = reader.items(found.experiment_id, since)
        assert {item.trace_id for item in items} == {r.trace_id for r in experiments.records(experiment, configuration)}
        assert experiments.metadata(called, since)["hyperparameter_model"] == name


def test_an_image_that_never_gets_ready_is_left_out_and_the_others_go_on(
    system: System, experiments: Experiments
) -> None:
    good, dead, half = experiments.push(
        Told(answers=ANSWERS), Told(answers=ANSWERS, listens=False), Told(answers=dict(list(ANSWERS.items())[:4]))
    )
    file = {
        "dimensions": {"image": [good, dead, half]},
        "items": [f"e2e-{n:02d}" for n in range(6)],
        "search": {"strategy": "grid", "trials": 1},
    }
    experiment = experiments.ask(file)

    row = experiments.ended(experiment)

    assert (row.outcome, row.recommended) == ("completed", "c01")
    last = experiments.last(experiment)
    assert (last.finished, last.remaining) == ("grid_done", ("c01", "c03"))
    (left_out,) = last.stopped
    assert (left_out["configuration"], left_out["code"]) == ("c02", "failed_to_deploy")
    assert "READY" in left_out["message"]
    assert experiments.records(experiment, "c02") == []
    assert experiments.over(row.execution_arn) == "SUCCEEDED"
    assert system.short_lived_runtimes() == []


def test_an_experiment_that_could_ask_nobody_shows_as_broken_and_says_why(
    system: System, experiments: Experiments
) -> None:
    (dead,) = experiments.push(Told(answers=ANSWERS, listens=False))
    experiment = experiments.ask({"image": dead, "dimensions": {"temperature": [0, 1]}})

    row = experiments.ended(experiment)

    assert (row.outcome, row.recommended) == ("broken", None)
    assert row.reasons[0].startswith("none_left: not one configuration could be asked to the end")
    assert "READY" in row.reasons[0]
    assert experiments.over(row.execution_arn) == "FAILED"
    assert system.short_lived_runtimes() == []


def test_a_stopped_experiment_is_cleaned_up_and_gone_on_with_without_asking_twice(
    system: System, experiments: Experiments, tmp_path: Path
) -> None:
    log = tmp_path / "answered"
    (tag,) = experiments.push(Told(answers=ANSWERS, delay_s=1.0, log=str(log)))
    file = {
        "image": tag,
        "dimensions": {"temperature": [0, 0.5, 1]},
        "search": {"strategy": "grid", "trials": 1},
        "parallel": 1,
    }
    experiment = experiments.ask(file)
    done = wait_for("a first configuration", lambda: experiments.records(experiment, "c01"), 90.0)

    system.states.stop_execution(executionArn=experiments.row(experiment).execution_arn)

    stopped = experiments.ended(experiment)
    assert stopped.outcome == "stopped"
    wait_for("no runtime is left", lambda: not system.short_lived_runtimes(), 60.0)
    assert len(experiments.records(experiment, "c03")) < 12
    kept = experiments.kept(experiment)
    assert {record.trace_id for record in done} <= kept

    experiments.ask(None, resume=stopped)
    row = experiments.ended(experiment, attempt=2)

    assert (row.outcome, row.reasons) == ("completed", ())
    assert experiments.last(experiment).finished == "grid_done"
    records = [record for one in ("c01", "c02", "c03") for record in experiments.records(experiment, one)]
    assert [record.outcome for record in records] == ["answered"] * 36
    assert [record for record in experiments.records(experiment, "c01") if record in done] == done
    answered = Counter(log.read_text().split())
    assert set(answered) == {record.trace_id for record in records}
    # What was on its way to the record when the runtime went is asked again: of one shard, as one is evaluated at once.
    assert not kept & {trace_id for trace_id, times in answered.items() if times > 1}
    assert sum(answered.values()) - len(answered) <= 12
    assert experiments.over(row.execution_arn) == "SUCCEEDED"
    assert system.short_lived_runtimes() == []
