"""What comes from Langfuse and from reviews, all the way: labelled prompts, a dataset's button, new golden items."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import boto3
import httpx
import pytest

from cli import setup_secrets
from cli.session import Session
from cli.setup_local import local_address, point_automations
from flywheel.adapters.dynamodb_prompts import DynamoDbPromptStates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.langfuse import segment
from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from flywheel.adapters.langfuse_prompts import LangfusePromptLabels, LangfusePromptStore
from flywheel.domain.harvest import case_id
from flywheel.ports import GateRow
from tests.e2e.agents import Told
from tests.e2e.announcements import Announcements
from tests.e2e.breaking import Broken
from tests.e2e.reviewing import flagged, harvest
from tests.e2e.system import DATASET, System, wait_for

# Versions that change their labels at the same time: so many deliveries come together.
_AT_ONCE = 2


@contextmanager
def delivering(system: System, sender: str) -> Iterator[httpx.Client]:
    """The stand-in, which delivers what that sender sends to the stack's webhook; the webhook is warm.

    Langfuse gives up after four tries of ten seconds: a machine that takes longer to start it would lose deliveries.
    """
    session = Session(system.info.stack, "aws")
    address, secret = local_address(session), setup_secrets.generate()
    setup_secrets.keep(session.settings, sender, secret)
    with httpx.Client(base_url=system.info.langfuse.url, timeout=60) as http:

        def refused(_: int) -> bool:
            return http.post(address + sender, json={}).status_code == HTTPStatus.UNAUTHORIZED

        def warm() -> bool:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                return all(pool.map(refused, range(_AT_ONCE)))

        def post(url: str, content: dict[str, Any]) -> None:
            http.post(url, json=content).raise_for_status()

        wait_for("a warm webhook", warm)
        point_automations(system.info.langfuse.url, address, {sender: secret}, post)
        try:
            yield http
        finally:
            http.delete("/_webhooks").raise_for_status()


def gates_of(system: System, source: str) -> dict[str, GateRow]:
    return {row.gate_id: row for row in system.gates.recent(50) if row.trigger == source}


def next_gate(system: System, source: str, before: dict[str, GateRow]) -> GateRow:
    """The one gate of that source that was not there before."""
    found = wait_for(f"a gate of {source}", lambda: gates_of(system, source).keys() - before.keys())
    (gate_id,) = found
    return gates_of(system, source)[gate_id]


def followed(system: System, name: str) -> None:
    """Wait until the stack has taken note of the newest change of both versions of the prompt."""
    states = DynamoDbPromptStates.from_table(system.outputs["StateTableName"])

    def look() -> bool:
        known = states.get(name).versions
        newest = {
            version: system.langfuse.get(f"v2/prompts/{segment(name)}", [("version", version)])["updatedAt"]
            for version in (1, 2)
        }
        return all(v in known and known[v].at == datetime.fromisoformat(at) for v, at in newest.items())

    wait_for("the deliveries of the labels that we moved", look)


@pytest.mark.stand_in
@pytest.mark.timeout(600)  # two gates and a roll-back
def test_a_labelled_prompt_version_goes_to_production_with_its_label_and_back_and_our_own_moves_start_nothing(
    system: System, good: Told
) -> None:
    name = f"e2e/prompt {uuid.uuid4().hex[:8]}"
    for text in ("Answer from the documentation.", "Answer from the documentation, in one sentence."):
        system.langfuse.post("v2/prompts", {"name": name, "type": "text", "prompt": text})
    prompts = LangfusePromptStore(system.langfuse)
    releases = DynamoDbReleases.from_table(system.outputs["StateTableName"], system.outputs["ProductionRuntimeName"])

    with system.setting("agent", {"prompt": {"name": name, "version": 1}}):
        first = system.gated(replace(good, mark=name))
        assert (first.verdict, first.promoted) == ("PASS", True), first.reasons
        assert "label_refused" not in first.notes
        assert prompts.get(name, label="production").version == 1

        before = gates_of(system, "prompt-version")
        with delivering(system, "prompt-version"):
            LangfusePromptLabels(lambda: system.langfuse).give(name, 2, "candidate")
            second = system.ended(next_gate(system, "prompt-version", before).gate_id)
            assert (second.verdict, second.promoted) == ("PASS", True), second.reasons
            assert "label_refused" not in second.notes
            release = releases.head().release
            assert release is not None
            assert (release.gate_id, release.candidate.image_digest) == (second.gate_id, first.digest)
            assert (release.candidate.prompt_name, release.candidate.prompt_version) == (name, 2)
            assert prompts.get(name, label="production").version == 2
            followed(system, name)

            back = system.run("gate", "rollback", "--yes", "--json")
            assert back.exit_code == 0, back.output
            assert json.loads(back.stdout)["label_trouble"] is None
            assert prompts.get(name, label="production").version == 1
            followed(system, name)
    assert gates_of(system, "prompt-version").keys() - before.keys() == {second.gate_id}


@pytest.mark.stand_in
def test_the_button_beside_a_dataset_evaluates_production_without_promoting_and_shows_it_as_an_experiment(
    system: System, good: Told
) -> None:
    if system.production_digest() is None:
        system.gated(good)
    in_production, before = system.production_digest(), gates_of(system, "remote-experiment")
    since, wanted = datetime.now(UTC) - timedelta(minutes=1), {f"e2e-{n:02d}" for n in range(4)}

    pressed = {"dataset": DATASET, "payload": json.dumps({"item_ids": sorted(wanted)})}
    with delivering(system, "remote-experiment") as langfuse:
        answers = langfuse.post("/_webhooks/experiment", json=pressed).raise_for_status().json()["answers"]
    row = system.ended(next_gate(system, "remote-experiment", before).gate_id)

    assert [one["answered"] for one in answers] == [200]
    assert (row.promoted, system.production_digest()) == (False, in_production)
    assert system.document(row.gate_id, "plan.json")["promote"] is False
    reader = LangfuseExperimentReader(system.langfuse)
    (experiment,) = wait_for("the experiment", lambda: reader.find(f"candidate {row.gate_id}", since))
    assert experiment.dataset_id == system.datasets.dataset_id(DATASET)
    asked = {record.key.item_id for record in system.records(row.gate_id)}
    assert asked <= wanted
    wait_for("its items", lambda: {one.item_id for one in reader.items(experiment.experiment_id, since)} == asked)


@pytest.mark.stand_in
def test_a_reviewed_answer_becomes_an_item_that_production_is_asked_at_once_and_its_failure_is_told(
    system: System, announcements: Announcements, good: Told
) -> None:
    if system.production_digest() is None:
        system.gated(good)
    before = gates_of(system, "dataset-grown")
    with system.setting("policy", {"drift_minimum_items": 1}):
        trace = flagged(system, "Which door of the archive is never locked?", "- The northern door.")
        item = case_id(trace)
        try:
            assert {"trace_id": trace, "state": "harvested", "item_id": item} in harvest(system)["outcomes"]
            row = system.ended(next_gate(system, "dataset-grown", before).gate_id)
            drifted = announcements.heard("QualityDrifted", gate_id=row.gate_id)
        finally:
            system.datasets.archive(DATASET, [item])

    assert {record.key.item_id for record in system.records(row.gate_id)} == {item}
    assert row.promoted is False
    assert (drifted["item_ids_failed"], drifted["failed"], drifted["asked"], drifted["by"]) == ([item], 1, 1, ["rate"])


def test_a_prompt_version_whose_news_was_dead_lettered_asks_for_its_gate_once_when_that_is_redriven(
    system: System, announcements: Announcements, broken: Callable[[str], Broken]
) -> None:
    """Its prompt is in no Langfuse, so that the gate is refused at once; that it was asked for is what counts."""
    name = f"e2e/lost {uuid.uuid4().hex[:8]}"
    detail = {
        "delivery_id": uuid.uuid4().hex,
        "action": "updated",
        "project_id": "project",
        "name": name,
        "prompt_version": 7,
        "labels": ["candidate"],
        "updated_at": datetime.now(UTC).isoformat(),
    }
    bus = {"EventBusName": system.outputs["EventBusName"], "Source": "flywheel", "DetailType": "PromptVersionChanged"}
    before = gates_of(system, "prompt-version")

    follow = broken("FollowDeliveryFunction")
    boto3.client("events").put_events(Entries=[bus | {"Detail": json.dumps(detail)}])  # type: ignore[list-item]
    letter_id = wait_for("the dead letter", lambda: follow.letter(system))
    assert gates_of(system, "prompt-version").keys() == before.keys()
    follow.mend()
    redriven = system.run("dead-letters", "redrive", letter_id)
    row = next_gate(system, "prompt-version", before)
    follow.invoke({"detail-type": "PromptVersionChanged", "detail": detail})
    time.sleep(3.0)

    assert redriven.exit_code == 0, redriven.output
    assert follow.letter(system) is None
    asked = announcements.heard("GateRequested", prompt={"name": name, "version": 7})
    assert (asked["reason"], asked["image"]) == ("prompt-version", "production")
    assert gates_of(system, "prompt-version").keys() - before.keys() == {row.gate_id}
