"""What reviewers of production traces flag is in the golden dataset, by the stack's own function and its own rights."""

import json

import pytest

from flywheel.domain.harvest import case_id
from tests.e2e.announcements import Announcements
from tests.e2e.reviewing import flagged, harvest, own_remarks
from tests.e2e.system import DATASET, System


@pytest.mark.stand_in
def test_a_flagged_review_is_harvested_once_and_announced(system: System, announcements: Announcements) -> None:
    trace = flagged(system, "Where do I see the invoices of ann@example.org?", "- On the billing page.")
    first, second = harvest(system), harvest(system)
    try:
        assert {"trace_id": trace, "state": "harvested", "item_id": case_id(trace)} in first["outcomes"]
        assert (first["announced"], second["announced"]) == ([case_id(trace)], [])
        items = {item.item_id: item for item in system.datasets.snapshot(DATASET).items}
        assert items[case_id(trace)].question == "Where do I see the invoices of <EMAIL_1>?"
        assert announcements.heard("GoldenDatasetGrown", item_ids=[case_id(trace)])["dataset"] == DATASET
        assert announcements.heard("ReviewHarvested", trace_id=trace)["state"] == "harvested"
        shown = json.loads(system.run("harvest", "show", trace, "--json").stdout)
        assert (shown["state"], shown["reviewers"]) == ("harvested", ["scripted-reviewer"])
        assert system.run("harvest", "status").exit_code == 0
    finally:
        system.datasets.archive(DATASET, [case_id(trace)])


def states(system: System) -> dict[str, str]:
    """Trace -> what became of it in this run."""
    return {one["trace_id"]: one["state"] for one in harvest(system)["outcomes"]}


@pytest.mark.stand_in
def test_the_answer_edited_inside_json_is_harvested_and_what_must_not_pass_comes_back(system: System) -> None:
    reply = json.dumps({"answer": "On the moon page.", "stop_reason": "end_turn"})
    edited = flagged(system, "Where do I see the budget of a project?", "On the **budget** page.", output=reply)
    ended = states(system)
    clicked = flagged(system, "Who may delete an organisation?", None, output=reply)
    ended |= states(system)
    unfound = flagged(
        system, "How often are exports written?", "The weather is nice today.", comment="facts:\n- Exports come hourly."
    )
    ended |= states(system)
    try:
        assert (ended[edited], ended[clicked], ended[unfound]) == ("harvested", "conflict", "conflict")
        items = {item.item_id: item for item in system.datasets.snapshot(DATASET).items}
        assert items[case_id(edited)].response_facts == ("On the budget page.",)
        assert not {case_id(clicked), case_id(unfound)} & set(items)
        assert "counts as none" in own_remarks(system, clicked)[0]
        assert "the judge does not find fact 1 of 1" in own_remarks(system, unfound)[0]
        assert not {clicked, unfound} & set(states(system))
    finally:
        system.datasets.archive(DATASET, [case_id(edited)])
