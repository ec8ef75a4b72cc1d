"""The end of an experiment: outcome, record, report, event and letter, whatever broke and however often it is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import pytest

from flywheel.domain.experiment import LateScores, configuration_plan, run_id
from flywheel.domain.outcome import dump_records
from flywheel.domain.plan import Shard, dump_shard
from flywheel.errors import NotFoundError, TransientError
from flywheel.events import Failure
from flywheel.evidence import GateEvidence, result_key, shard_key
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_evidence import ExperimentEvidence, Rung, experiment_report_key
from flywheel.experiment_late import LateScoring
from flywheel.experiment_reporting import ExperimentReporter
from flywheel.ports import ExperimentRow, ExperimentRuntime
from flywheel.report.experiment_model import ExperimentReport, read_experiment_report
from functions.report_experiment.app import make_render
from tests.experiment_reports import EXPERIMENT, Sample, experiment
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.experiments import InMemoryExperiments
from tests.fakes.late_scores import InMemoryLateScores
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryOnce, RecordingBus, RecordingNotifier

ABORTED = Failure(error="execution_aborted", cause="somebody stopped it")
BROKEN = Failure(error="TransientError", cause=json.dumps({"errorMessage": "S3 is down", "stackTrace": ["secret"]}))


class Setting:
    """An experiment whose results are in the bucket, and everything around `report_experiment`."""

    def __init__(self, sample: Sample | None = None) -> None:
        self.sample = sample or experiment(2, 2, 1, items=12, trials=2)
        self.objects = InMemoryObjects()
        self.evidence = ExperimentEvidence(self.objects)
        self.experiments = InMemoryExperiments()
        self.bus, self.letters, self.once = RecordingBus(), RecordingNotifier(), InMemoryOnce()
        self.langfuse = InMemoryLateScores()
        self.clock = FixedClock()
        self.warnings: list[str] = []
        self.render: Callable[..., tuple[str, str]] = make_render(["the model"])

    def begun(self, *, rungs: int | None = None, results: bool = True, planned: bool = True) -> Self:
        self.experiments.open(self.sample.row)
        if planned:
            self.evidence.write_plan(self.sample.plan)
        for rung in self.sample.rungs[:rungs]:
            self.evidence.write_rung(EXPERIMENT, rung)
        for name, records in self.sample.records.items():
            run = run_id(EXPERIMENT, name)
            GateEvidence(self.objects).write_plan(
                configuration_plan(self.sample.plan, self.sample.plan.configuration(name))
            )
            shard = Shard(run, "1-00", tuple(r.key for r in records))
            self.objects.create(shard_key(run, "1-00"), dump_shard(shard).encode())
            if results:
                self.objects.create(result_key(run, "1-00"), dump_records(records).encode())
        return self

    @property
    def reporter(self) -> ExperimentReporter:
        return ExperimentReporter(
            experiments=self.experiments,
            evidence=self.evidence,
            results=GateEvidence(self.objects),
            late=LateScoring(self.evidence, lambda: self.langfuse, self.clock),
            announcer=ExperimentAnnouncer("dev", self.bus, self.letters, self.once),
            render=self.render,
            clock=self.clock,
            warn=self.warnings.append,
        )

    @property
    def row(self) -> ExperimentRow:
        return self.experiments.rows[EXPERIMENT]

    def written(self) -> ExperimentReport:
        return read_experiment_report(self.evidence.report(EXPERIMENT))


def test_a_completed_experiment_has_a_record_a_report_an_event_and_a_letter() -> None:
    setting = Setting().begun()
    setting.clock.advance(600)
    reply = setting.reporter.report(EXPERIMENT, None)
    key = experiment_report_key(EXPERIMENT, "html")
    assert (reply.done, reply.wait_s, reply.outcome, reply.report_key) == (True, 0, "completed", key)
    report = setting.written()
    row = setting.row
    assert (row.status, row.outcome, row.reasons, row.report_key) == ("ended", "completed", (), key)
    assert row.recommended == report.recommended is not None
    assert report.spent.minutes == 10
    assert report.stand_ins == ("the model",)
    assert setting.objects.read(key).startswith(b"<!doctype html>")
    ((kind, detail),) = setting.bus.events
    assert kind == "ExperimentCompleted"
    assert detail["recommended"] == row.recommended
    assert detail["invocations"] == report.spent.invocations > 0
    assert detail["grid_invocations"] == 4 * 10 * 2
    ((subject, text),) = setting.letters.letters
    assert subject == "[dev] experiment completed: models-and-prompts"
    assert report.sentence in text


def test_an_event_carries_no_question_no_answer_and_no_prompt() -> None:
    setting = Setting().begun()
    setting.reporter.report(EXPERIMENT, None)
    told = json.dumps(setting.bus.events)
    for item in setting.sample.plan.items:
        assert item.question not in told
    assert set(setting.bus.events[0][1]) == {
        "version",
        "event_id",
        "environment",
        "experiment_id",
        "execution_arn",
        "name",
        "trigger",
        "attempt",
        "outcome",
        "recommended",
        "report_key",
        "candidate_id",
        "configurations",
        "invocations",
        "grid_invocations",
        "cost_usd",
    }


def test_told_twice_it_is_announced_once_and_the_first_end_stands() -> None:
    setting = Setting().begun()
    first = setting.reporter.report(EXPERIMENT, None)
    ended = setting.row
    setting.clock.advance(60)
    assert setting.reporter.report(EXPERIMENT, BROKEN) == first
    assert setting.row == ended
    assert (len(setting.bus.events), len(setting.letters.letters)) == (1, 1)


def test_a_bus_that_fails_is_told_again_at_the_next_call() -> None:
    setting = Setting().begun()
    setting.bus.failures = 1
    with pytest.raises(TransientError):
        setting.reporter.report(EXPERIMENT, None)
    assert setting.reporter.report(EXPERIMENT, None).done
    assert (len(setting.bus.events), len(setting.letters.letters)) == (1, 1)


@pytest.mark.parametrize(
    ("failure", "outcome", "reason"),
    [
        (ABORTED, "stopped", "execution_aborted: somebody stopped it"),
        (BROKEN, "broken", "TransientError: S3 is down"),
        (Failure(error="", cause="{"), "broken", "unknown: {"),
    ],
)
def test_what_did_not_come_to_its_end_recommends_nothing_but_reports_what_is_there(
    failure: Failure, outcome: str, reason: str
) -> None:
    setting = Setting().begun(rungs=1)
    assert setting.reporter.report(EXPERIMENT, failure).outcome == outcome
    assert (setting.row.outcome, setting.row.reasons, setting.row.recommended) == (outcome, (reason,), None)
    report = setting.written()
    assert report.sentence.startswith(
        f"Nothing is recommended: the experiment {'was ' if outcome == 'stopped' else ''}"
    )
    assert all(row.trials for row in report.configurations)
    assert setting.bus.events == []
    assert len(setting.letters.letters) == 1


def test_a_failure_after_the_search_had_ended_does_not_undo_what_it_found() -> None:
    setting = Setting().begun()
    failure = Failure(error="CleanUpFailed", cause="a runtime is still there")
    assert setting.reporter.report(EXPERIMENT, failure).outcome == "completed"
    assert setting.row.recommended is not None
    assert setting.row.reasons == ("CleanUpFailed: a runtime is still there",)


def test_what_was_refused_stays_refused_and_is_told() -> None:
    setting = Setting().begun(planned=False)
    setting.experiments.end(EXPERIMENT, outcome="refused", reasons=["dataset_missing"], ended=setting.clock.now())
    reply = setting.reporter.report(EXPERIMENT, None)
    assert (reply.done, reply.outcome, reply.report_key) == (True, "refused", None)
    assert "dataset_missing" in setting.letters.letters[0][1]


def test_without_a_plan_it_ends_broken_and_without_a_report() -> None:
    setting = Setting().begun(planned=False)
    reply = setting.reporter.report(EXPERIMENT, None)
    assert (reply.outcome, reply.report_key) == ("broken", None)
    assert setting.row.reasons[0].startswith("evidence_missing")


@pytest.mark.parametrize("failure", [None, Failure(error="CleanUpFailed", cause="a runtime is still there")])
def test_a_search_that_could_ask_nobody_is_broken_and_says_why(failure: Failure | None) -> None:
    setting = Setting().begun(rungs=0, results=False)
    out = {"rung": 1, "code": "failed_to_deploy", "message": "it could not be asked: no such image", "figures": {}}
    stopped = tuple({"configuration": name} | out for name in setting.sample.records)
    setting.evidence.write_rung(EXPERIMENT, Rung(1, NOON.isoformat(), {}, (), (), stopped, "none_left"))
    reply = setting.reporter.report(EXPERIMENT, failure)
    assert (reply.outcome, setting.row.recommended) == ("broken", None)
    assert setting.row.reasons[0].startswith("none_left: not one configuration could be asked to the end (it could not")
    assert setting.written().recommended is None
    assert setting.bus.events == []
    assert "no such image" in setting.letters.letters[0][1]


def test_an_experiment_that_is_not_on_record_is_not_ended() -> None:
    with pytest.raises(NotFoundError):
        Setting().reporter.report(EXPERIMENT, None)


def test_results_that_are_missing_are_counted_and_the_rest_is_reported() -> None:
    setting = Setting().begun(results=False)
    assert setting.reporter.report(EXPERIMENT, None).outcome == "completed"
    report = setting.written()
    assert report.missing_results == 4
    assert report.recommended is None
    assert report.sentence == "Nothing is recommended: none of the 4 configurations gave a score."


def test_a_results_file_that_cannot_be_read_keeps_nothing_from_its_end() -> None:
    setting = Setting().begun()
    setting.objects.put(result_key(run_id(EXPERIMENT, "c01"), "1-00"), b"[{]")
    reply = setting.reporter.report(EXPERIMENT, None)
    assert (reply.outcome, reply.report_key, setting.row.recommended) == ("completed", None, None)
    assert setting.row.reasons[0].startswith("no_report: not a results file")
    assert setting.warnings


def test_a_defect_of_the_page_does_not_lose_the_recommendation() -> None:
    def defect(*_: Any) -> tuple[str, str]:
        raise ZeroDivisionError("division by zero")

    setting = Setting().begun()
    setting.render = defect
    assert setting.reporter.report(EXPERIMENT, None).report_key is None
    assert setting.row.recommended is not None
    assert setting.row.reasons == ("no_report: ZeroDivisionError: division by zero",)


def test_a_bucket_that_does_not_answer_is_tried_again() -> None:
    def busy(*_: Any) -> tuple[str, str]:
        raise TransientError("SlowDown")

    setting = Setting().begun()
    setting.render = busy
    with pytest.raises(TransientError):
        setting.reporter.report(EXPERIMENT, None)
    assert setting.row.status == "running"


def test_whose_runtime_could_not_be_had_is_named_with_the_reason() -> None:
    setting = Setting().begun()
    failed = ExperimentRuntime("fw_dev_1_r01", failed="CREATE_FAILED: no such image")
    setting.experiments.plan_runtimes(EXPERIMENT, {"r01": failed})
    setting.reporter.report(EXPERIMENT, None)
    report = setting.written()
    assert {row.code for row in report.stopped if row.rung == 0} == {"failed_to_deploy"}
    assert "CREATE_FAILED: no such image" in report.stopped[-1].message


def test_late_scores_are_waited_for_before_the_record_ends() -> None:
    setting = Setting(experiment(2, 1, 1, items=12, trials=1, late_scores=LateScores(("helpful",), 1.0))).begun()
    waiting = setting.reporter.report(EXPERIMENT, None)
    assert (waiting.done, waiting.wait_s) == (False, 20)
    assert setting.row.status == "running"
    traces = {r.trace_id: 0.5 for records in setting.sample.records.values() for r in records}
    setting.langfuse.values = {"helpful": traces}
    assert setting.reporter.report(EXPERIMENT, None).done
    late = setting.written().late
    assert late is not None
    assert {f.mean for f in late.figures} == {0.5}


def test_late_scores_that_do_not_come_are_said_and_the_report_comes_all_the_same() -> None:
    setting = Setting(experiment(2, 1, 1, items=12, trials=1, late_scores=LateScores(("helpful",), 1.0))).begun()
    setting.langfuse.fails = TransientError("Langfuse does not answer")
    assert not setting.reporter.report(EXPERIMENT, None).done
    setting.clock.advance(60)
    assert setting.reporter.report(EXPERIMENT, None).done
    late = setting.written().late
    assert late is not None
    assert late.trouble == "Langfuse does not answer"
    assert {(f.arrived, f.mean) for f in late.figures} == {(0, None)}
    assert setting.row.recommended is not None


def test_one_that_broke_does_not_wait_for_late_scores() -> None:
    setting = Setting(experiment(2, 1, 1, items=12, late_scores=LateScores(("helpful",)))).begun(rungs=1)
    assert setting.reporter.report(EXPERIMENT, BROKEN).done


def test_the_rungs_are_those_that_were_asked_for() -> None:
    setting = Setting().begun()
    setting.reporter.report(EXPERIMENT, None)
    assert [rung.rung for rung in setting.written().rungs] == [rung.rung for rung in setting.sample.rungs]


def asked(**detail: Any) -> dict[str, Any]:
    return {
        "id": "event-1",
        "time": "2026-11-23T11:59:58Z",
        "detail-type": "ExperimentRequested",
        "detail": {"version": 1, "request_id": "r-1", "file": "models", "reason": "cli"} | detail,
    }


def test_an_experiment_that_could_not_be_planned_is_opened_and_ended_broken() -> None:
    setting = Setting()
    reply = setting.reporter.report_unplanned(asked(), "arn:9", BROKEN)
    assert (reply.done, reply.outcome) == (True, "broken")
    (row,) = setting.experiments.rows.values()
    assert (row.name, row.trigger, row.outcome) == ("models", "cli", "broken")
    assert row.experiment_id.startswith("x-20261123t115958-")
    assert setting.reporter.report_unplanned(asked(), "arn:9", BROKEN) == reply
    assert len(setting.letters.letters) == 1


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail": "text", "time": 7, "id": 3},
        {"detail": {"file": "../../etc", "request_id": "", "reason": ["cli"]}, "time": "9999-99-99T00:00:00Z"},
        {"detail": {"file": "x" * 100_000, "resume": 5}, "time": "2026-11-23T11:59:58"},
    ],
)
def test_an_event_that_cannot_be_read_still_leaves_a_record(event: dict[str, Any]) -> None:
    setting = Setting()
    assert setting.reporter.report_unplanned(event, "arn:9", BROKEN).outcome == "broken"
    (row,) = setting.experiments.rows.values()
    assert row.name == "unreadable"


def test_a_delivery_that_another_execution_carries_out_ends_nothing() -> None:
    setting = Setting()
    setting.reporter.report_unplanned(asked(), "arn:1", BROKEN)
    (row,) = setting.experiments.rows.values()
    setting.experiments.rows[row.experiment_id] = replace(row, status="running", outcome=None)
    reply = setting.reporter.report_unplanned(asked(), "arn:2", BROKEN)
    assert reply.outcome == "running"
    assert setting.experiments.rows[row.experiment_id].status == "running"


def test_a_resumption_that_could_not_be_planned_ends_the_next_attempt() -> None:
    setting = Setting().begun(rungs=1)
    setting.reporter.report(EXPERIMENT, ABORTED)
    setting.reporter.report_unplanned(asked(resume=EXPERIMENT), "arn:2", BROKEN)
    assert (setting.row.attempt, setting.row.outcome) == (2, "broken")
    assert len(setting.letters.letters) == 2


def test_a_resumption_of_what_completed_leaves_it_as_it_is() -> None:
    setting = Setting().begun()
    setting.reporter.report(EXPERIMENT, None)
    setting.reporter.report_unplanned(asked(resume=EXPERIMENT), "arn:2", BROKEN)
    assert (setting.row.attempt, setting.row.outcome) == (1, "completed")
