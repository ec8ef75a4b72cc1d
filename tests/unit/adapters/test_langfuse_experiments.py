from datetime import UTC, datetime

from flywheel.adapters.langfuse_experiments import ExperimentItem, ExperimentSummary, LangfuseExperimentReader
from tests.unit.adapters.langfuse_double import answer, scripted

SINCE = datetime(2026, 5, 4, 12, tzinfo=UTC)


def row(number: int) -> dict[str, object]:
    return {
        "id": f"{number:016x}",
        "traceId": f"{number:032x}",
        "experimentItemId": f"i-{number}",
        "level": "ERROR" if number else "DEFAULT",
        "environment": "dev",
    }


def test_experiments_of_a_name_are_found() -> None:
    found = {"id": "e1", "name": "g-1 candidate", "datasetId": "ds", "itemCount": 2}
    langfuse = scripted(answer({"data": [found], "meta": {}}))

    assert LangfuseExperimentReader(langfuse.api()).find("g-1 candidate", SINCE) == [
        ExperimentSummary("e1", "g-1 candidate", "ds", 2)
    ]
    assert langfuse.requests[0].query["fromStartTime"] == ["2026-05-04T12:00:00.000Z"]


def test_items_of_all_pages_are_read() -> None:
    langfuse = scripted(answer({"data": [row(0)], "meta": {"cursor": "next"}}), answer({"data": [row(1)], "meta": {}}))

    items = LangfuseExperimentReader(langfuse.api()).items("e1", SINCE)

    assert items[1] == ExperimentItem(f"{1:016x}", f"{1:032x}", "i-1", "ERROR", "dev")
    assert len(items) == 2
    assert langfuse.requests[1].query["cursor"] == ["next"]


def test_a_cursor_that_does_not_move_ends_the_reading() -> None:
    langfuse = scripted(answer({"data": [row(0)], "meta": {"cursor": "same"}}))

    assert len(LangfuseExperimentReader(langfuse.api()).items("e1", SINCE)) == 2
