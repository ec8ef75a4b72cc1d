"""What people do with a deployed stack: ask for a gate, push and watch, roll back; and what the nights do."""

import json
import uuid
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.ports import GateRow
from local import stack
from tests.e2e.agents import Told, write_program
from tests.e2e.announcements import Announcements
from tests.e2e.system import ANSWERS, System, wait_for


def test_a_rollback_moves_production_back_and_the_night_judges_what_is_there_then(
    system: System, announcements: Announcements, good: Told
) -> None:
    first = system.gated(replace(good, mark="first of two"))
    second = system.gated(replace(good, mark="second of two"))
    assert (first.promoted, second.promoted) == (True, True)
    releases = DynamoDbReleases.from_table(system.outputs["StateTableName"], system.outputs["ProductionRuntimeName"])
    before = releases.head().release
    assert before is not None

    looked = system.run("gate", "rollback", "--dry-run", "--json")
    assert looked.exit_code == 0, looked.output
    said = json.loads(looked.stdout)
    assert said == {"from_release": before.release_no, "to_digest": first.digest, "done": False}
    assert (system.production_digest(), releases.head().release) == (second.digest, before)
    assert system.run("gate", "rollback").exit_code == 2  # nobody is there to say yes

    done = system.run("gate", "rollback", "--yes", "--reason", "it greets in the wrong language", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["release"] == before.release_no + 1
    assert system.production_digest() == first.digest
    now, previous = releases.releases(2)
    assert releases.head().release == now
    assert (now.candidate.image_digest, now.gate_id, now.until) == (first.digest, first.gate_id, None)
    assert (previous.release_no, previous.ended_because) == (before.release_no, "rolled_back")
    heard = announcements.heard("AgentRolledBack", release_no=now.release_no)
    assert (heard["from_digest"], heard["image_digest"]) == (second.digest, first.digest)
    assert heard["reason"] == "it greets in the wrong language"

    night = nightly_gate(system)
    assert (night.digest, night.verdict, night.promoted) == (first.digest, "PASS", False), night.reasons
    plan = system.document(night.gate_id, "plan.json")
    assert ([arm["arm"] for arm in plan["arms"]], plan["promote"]) == (["candidate"], False)
    assert (system.production_digest(), releases.head().release) == (first.digest, now)
    assert announcements.told(night.gate_id).startswith("[dev] PASS: production, every night")


def nightly_gate(system: System) -> GateRow:
    """What the schedule would put on the bus, put there now; the gate that follows."""
    schedules = boto3.client("scheduler")
    targets = [
        schedules.get_schedule(Name=s["Name"], GroupName=s["GroupName"])["Target"]
        for s in schedules.list_schedules()["Schedules"]
    ]
    (target,) = [t for t in targets if t.get("EventBridgeParameters", {}).get("DetailType") == "GateRequested"]
    boto3.client("events").put_events(
        Entries=[
            {
                "EventBusName": system.outputs["EventBusName"],
                "Source": target["EventBridgeParameters"]["Source"],
                "DetailType": target["EventBridgeParameters"]["DetailType"],
                "Detail": target["Input"].replace("<aws.scheduler.execution-id>", uuid.uuid4().hex),
            }
        ]
    )
    row = wait_for("tonight's gate", lambda: next((r for r in system.gates.recent(5) if r.trigger == "nightly"), None))
    return system.ended(row.gate_id)


def test_a_gate_is_asked_for_by_tag_with_a_prompt_and_does_not_promote_when_told_so(system: System, good: Told) -> None:
    system.langfuse.post("v2/prompts", {"name": "e2e/docs", "prompt": "Answer from the documentation.", "type": "text"})
    row = system.gated(replace(good, mark="asked for"))
    before = system.production_digest()
    assert before == row.digest

    uri = f"{system.outputs['RepositoryUri']}:{row.tag}"
    arguments = ("gate", "start", "--image", uri, "--prompt", "e2e/docs:1", "--no-promote", "--wait", "--json")
    asked = system.run(*arguments)

    assert asked.exit_code == 0, asked.output
    said = json.loads(asked.stdout)
    assert (said["digest"], said["trigger"], said["promoted"]) == (row.digest, "cli", False)
    plan = system.document(said["gate_id"], "plan.json")
    arms = {arm["arm"]: arm["candidate"] for arm in plan["arms"]}
    assert (arms["candidate"]["prompt_name"], arms["candidate"]["prompt_version"]) == ("e2e/docs", 1)
    # Another prompt is another candidate, so it is compared with what is there.
    assert arms["incumbent"]["prompt_name"] is None
    assert system.production_digest() == before


@pytest.mark.parametrize(
    ("image", "prompt", "code"),
    [("no-such-tag", "", "image_not_found"), ("production", "e2e/nowhere:1", "prompt_not_found")],
)
def test_a_gate_of_what_is_not_there_is_refused_in_words(
    system: System, good: Told, image: str, prompt: str, code: str
) -> None:
    if system.production_digest() is None:
        system.gated(good)
    arguments = ["gate", "start", "--image", image, "--wait", "--json", *(["--prompt", prompt] if prompt else [])]
    asked = system.run(*arguments)

    assert asked.exit_code == 2, asked.output
    said = json.loads(asked.stdout)
    assert (said["verdict"], said["reasons"], said["report"]) == ("INCONCLUSIVE", [code], None)
    assert said["verdict_detail"]["headline"]
    assert said["verdict_detail"]["next_step"]


def test_a_watched_push_ends_with_the_verdict_of_its_own_gate(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "load", lambda: system.info)
    monkeypatch.chdir(tmp_path)
    write_program(Told(answers=dict.fromkeys(ANSWERS, "It has no colour."), mark="watched"), tmp_path / "source")
    arguments = ("push", "--source", str(tmp_path / "source"), "--watch", "--json", "--tag")
    first, second = (system.run(*arguments, tag) for tag in ("watched", "watched-again"))

    assert (first.exit_code, second.exit_code) == (1, 1), first.output + second.output
    gates = [json.loads(result.stdout) for result in (first, second)]
    assert gates[0]["digest"] == gates[1]["digest"]
    assert gates[0]["gate_id"] != gates[1]["gate_id"]
    assert [gate["verdict"] for gate in gates] == ["FAIL", "FAIL"]
    assert gates[0]["verdict_detail"]["reasons"][0]["metric"] == "correctness"
    assert Path(gates[1]["report"]).is_file()


def test_a_dataset_that_was_exported_is_imported_again_without_a_change(system: System, tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    assert system.run("dataset", "export", "--output", str(file)).exit_code == 0
    again = system.run("dataset", "import", str(file), "--yes", "--json")
    assert again.exit_code == 0, again.output
    said = json.loads(again.stdout)
    assert (said["unchanged"], said["written"]) == (len(json.loads(file.read_text())), 0)

    file.write_text(json.dumps([{"input": {}}, {"input": {"question": "Why?"}, "metadata": {"slice": "nowhere"}}]))
    wrong = system.run("dataset", "import", str(file), "--yes")
    assert wrong.exit_code == 1
    assert wrong.output.count("item ") >= 2
    assert len(json.loads(system.run("dataset", "list", "--json").stdout)) == said["unchanged"]
