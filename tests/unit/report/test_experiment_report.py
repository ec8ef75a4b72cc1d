"""The report of an experiment: its data are read back, its page is self-contained and escaped, at any size."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.experiment import LateScores
from flywheel.domain.late_scores import LateState
from flywheel.errors import InvalidRequestError
from flywheel.report.experiment_build import experiment_report_to_json
from flywheel.report.experiment_model import ExperimentReport, read_experiment_report
from flywheel.report.experiment_page import render_experiment
from tests.experiment_reports import CONSTRAINED, Sample, experiment, hostile
from tests.fakes.clock import NOON

SIZES: dict[int, Callable[[], Sample]] = {
    2: lambda: experiment(2, 1, 1),
    12: lambda: experiment(3, 2, 2, constraints=CONSTRAINED),
    32: lambda: experiment(4, 2, 4, items=30, constraints=CONSTRAINED),
}


@pytest.fixture(scope="module")
def report() -> ExperimentReport:
    return SIZES[12]().report()


@pytest.mark.parametrize("size", SIZES)
def test_a_report_is_read_back_as_it_was_written(size: int) -> None:
    written = SIZES[size]().report()
    assert read_experiment_report(experiment_report_to_json(written)) == written
    assert len(written.configurations) == size


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema_version": 1}', "[" * 100_000])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a report of an experiment"):
        read_experiment_report(text)


@pytest.mark.parametrize("version", [0, 2, "1", None, {"a": "b" * 1000}])
def test_a_report_of_another_schema_is_refused_by_its_number(report: ExperimentReport, version: Any) -> None:
    data = json.loads(experiment_report_to_json(report)) | {"schema_version": version}
    with pytest.raises(InvalidRequestError, match="a report of schema"):
        read_experiment_report(json.dumps(data))


def test_a_field_that_a_later_version_adds_is_passed_over(report: ExperimentReport) -> None:
    data = json.loads(experiment_report_to_json(report)) | {"mood": "good"}
    assert read_experiment_report(json.dumps(data)) == report


@pytest.mark.parametrize("field", ["sentence", "configurations", "spent"])
def test_a_field_that_is_missing_or_of_another_kind_is_named(report: ExperimentReport, field: str) -> None:
    data = json.loads(experiment_report_to_json(report))
    with pytest.raises(InvalidRequestError, match=field):
        read_experiment_report(json.dumps(data | {field: 7}))


@pytest.mark.parametrize("size", SIZES)
def test_the_page_needs_nothing_else_and_has_everything(size: int) -> None:
    sample = SIZES[size]()
    found = sample.report()
    page = render_experiment(found)
    assert found.recommended is not None
    for word in (
        found.experiment_id,
        f"Recommended: {found.recommended}",
        *(row.label for row in found.configurations),
    ):
        assert word in page
    for word in ("<script", "http://", "https://", "src="):
        assert word not in page


def test_whatever_a_text_holds_it_is_escaped() -> None:
    page = render_experiment(hostile().report())
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_what_was_never_measured_is_a_dash_and_no_zero() -> None:
    sample = experiment(2, 1, 1)
    found = replace(sample, records={name: [] for name in sample.records}).report()
    assert [row.state for row in found.configurations] == ["unmeasured"] * 2
    page = render_experiment(found)
    assert "Nothing to recommend" in page
    assert "none of the 2 configurations gave a score" in page


@pytest.mark.parametrize("outcome", ["stopped", "broken"])
def test_an_end_before_the_end_says_so(outcome: str) -> None:
    sample = experiment(2, 2, 1)
    options = {"outcome": outcome, "reasons": ("execution_aborted: somebody stopped it",)}
    page = render_experiment(replace(sample, rungs=sample.rungs[:1], options=options).report())
    assert f"the experiment was {outcome}" in page
    assert "execution_aborted: somebody stopped it" in page
    assert "flywheel experiment resume" in page


def test_half_arrived_late_scores_are_counted_and_not_averaged() -> None:
    state = LateState(
        attempt=1,
        names=("helpful",),
        asked_since=NOON.isoformat(),
        deadline=NOON.isoformat(),
        awaited={"c01": ("t1", "t2"), "c02": ("t3",)},
        values={"helpful": {"t1": 1.0, "t3": 0.5}},
        settled=True,
        trouble="Langfuse does not answer",
    )
    sample = experiment(2, 1, 1, late_scores=LateScores(("helpful",)))
    found = replace(sample, options={"late": state}).report()
    page = render_experiment(found)
    assert "1 of 2 arrived, not averaged" in page
    assert "0.500" in page
    assert "Langfuse does not answer" in page
