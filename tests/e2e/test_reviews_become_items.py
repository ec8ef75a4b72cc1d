"""What reviewers of production traces flag is in the golden dataset, by the stack's own function and its own rights."""

import json

import pytest

from flywheel.domain.harvest import case_id
from tests.e2e.announcements import Announcements
from tests.e2e.reviewing import flagged, harvest
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
