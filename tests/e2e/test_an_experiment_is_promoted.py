"""From the button in Langfuse to production: the sample's own file is searched, and the gate judges what it chose."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.domain.experiment_file import parse_experiment
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.ports import ExperimentRow
from tests.e2e.agents import Told
from tests.e2e.system import ANSWERS, DATASET, System, wait_for

# In the sample's own form, with its own models.
SAMPLE = Path(__file__).parents[2] / "local" / "demo" / "hpo_config.json"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def press(system: System, payload: Mapping[str, Any], deliveries: int = 1) -> None:
    """What the webhook puts on the bus when somebody presses the button beside the dataset."""
    detail = {
        "version": 1,
        "delivery_id": uuid.uuid4().hex,
        "project_id": "p",
        "dataset_id": "d",
        "dataset": DATASET,
        "payload": payload,
    }
    entry = {
        "EventBusName": system.outputs["EventBusName"],
        "Source": "flywheel",
        "DetailType": "ExperimentTriggered",
        "Detail": json.dumps(detail),
        "Time": datetime.now(UTC).replace(microsecond=0),
    }
    for _ in range(deliveries):
        boto3.client("events").put_events(Entries=[entry])  # type: ignore[list-item]


def ended(system: System, name: str) -> ExperimentRow:
    rows = DynamoDbExperiments.from_table(system.outputs["StateTableName"])

    def look() -> ExperimentRow | None:
        found = [row for row in rows.recent(50) if row.name == name]
        assert len(found) <= 1
        return found[0] if found and found[0].status == "ended" else None

    return wait_for(f"the end of the experiment {name}", look, 180.0)


def test_the_samples_own_file_runs_by_the_button_and_what_it_chose_goes_to_production_as_it_was_measured(
    system: System,
) -> None:
    began = datetime.now(UTC)
    # What is written here is newer than production only until the setting is as it was: then that counts again.
    with system.setting("agent", {"model_id": f"local.before-{uuid.uuid4().hex[:8]}"}):
        half_known = Told(answers=ANSWERS, knows={HAIKU: len(ANSWERS) // 2}, mark=uuid.uuid4().hex)
        pushed = system.gated(half_known)
        assert (pushed.verdict, pushed.promoted) == ("PASS", True)
        name = f"sample-{uuid.uuid4().hex[:8]}"
        ExperimentEvidence(system.evidence).save_file(name, SAMPLE.read_bytes())

        press(system, {"experiment": name}, deliveries=2)

        row = ended(system, name)
        assert (row.outcome, row.trigger, row.reasons) == ("completed", "remote-experiment", ())
        plan = ExperimentEvidence(system.evidence).plan(row.experiment_id)
        assert plan.file.dimensions == parse_experiment(SAMPLE.read_bytes(), name=name).dimensions
        assert len(plan.configurations) == 4
        assert row.recommended is not None
        chosen = plan.configuration(row.recommended)
        assert chosen.values["model"] == "claude37sonnet"
        # The payload named an experiment: no gate was started by the same button.
        assert [gate.trigger for gate in system.gates.recent(20) if gate.started >= began] == ["ecr"]

        asked = system.run("experiment", "promote", row.experiment_id, "--json")
        assert asked.exit_code == 0, asked.output
        gate = system.ended(
            wait_for(
                "the gate", lambda: next((g for g in system.gates.recent(5) if g.trigger == "experiment"), None)
            ).gate_id
        )

    assert (gate.verdict, gate.promoted, gate.digest) == ("PASS", True, pushed.digest)
    assert gate.notes == ("chosen_by_experiment",)
    release = DynamoDbReleases.from_table(
        system.outputs["StateTableName"], system.outputs["ProductionRuntimeName"]
    ).head()
    assert release.release is not None
    assert release.release.candidate == chosen.candidate
    assert release.release.gate_id == gate.gate_id
    shown = system.run("gate", "show", gate.gate_id)
    assert "experiment" in shown.output
    assert row.experiment_id in shown.output
    assert system.short_lived_runtimes() == []


def test_a_name_that_nobody_saved_is_refused_on_record(system: System) -> None:
    name = f"nobody-{uuid.uuid4().hex[:8]}"

    press(system, {"experiment": name})

    row = ended(system, name)
    assert row.outcome == "refused"
    assert f"no experiment file was saved as {name}" in row.reasons[0]
