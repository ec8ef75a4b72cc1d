"""Results, rungs and failure of an experiment -> its outcome, on record, in a report and announced once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from flywheel.domain.experiment import ExperimentPlan, run_id
from flywheel.domain.experiment_analysis import ExperimentAnalysis, analyse
from flywheel.domain.late_scores import LateState
from flywheel.domain.outcome import TrialRecord
from flywheel.errors import ConflictError, FlywheelError, NotFoundError, TransientError
from flywheel.events import Failure
from flywheel.evidence import GateEvidence
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_events import ReportExperimentReply
from flywheel.experiment_evidence import FAILED_TO_DEPLOY, ExperimentEvidence, Rung
from flywheel.experiment_late import LateScoring
from flywheel.experiment_opening import opened_unplanned_experiment
from flywheel.failure_words import failure_words
from flywheel.ports import Clock, ExperimentOutcome, ExperimentRow, ExperimentStore

# Somebody stopped the execution: nothing broke.
_STOPPED = ("execution_aborted", "States.Aborted", "Aborted")
_TROUBLE = 300


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ends: what goes on record and into the report."""

    outcome: ExperimentOutcome
    reasons: tuple[str, ...]
    ended: datetime
    rungs: tuple[Rung, ...]
    late: LateState | None
    missing_results: int


class Render(Protocol):
    def __call__(
        self, plan: ExperimentPlan, row: ExperimentRow, analysis: ExperimentAnalysis, ending: Ending
    ) -> tuple[str, str]:
        """Give `report.json` and `report.html`."""
        ...


class ExperimentReporter:
    """Ends an experiment. Every step may be repeated; the first end on record is the one that is told."""

    def __init__(
        self,
        *,
        experiments: ExperimentStore,
        evidence: ExperimentEvidence,
        results: GateEvidence,
        late: LateScoring,
        announcer: ExperimentAnnouncer,
        render: Render,
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._experiments = experiments
        self._evidence = evidence
        self._results = results
        self._late = late
        self._announcer = announcer
        self._render = render
        self._clock = clock
        self._warn = warn

    def report_unplanned(self, event: Mapping[str, Any], execution_arn: str, failure: Failure) -> ReportExperimentReply:
        """End an experiment whose planning failed for good; it may have no record yet."""
        row = self._experiments.by_execution(execution_arn)
        if row is None:
            row = self._resumed(event, execution_arn) or self._experiments.open(
                opened_unplanned_experiment(event, execution_arn, self._clock.now())
            )
        if row.execution_arn != execution_arn:  # another execution carries this request out, and says how it ends
            return ReportExperimentReply(
                done=True, wait_s=0, outcome=row.outcome or row.status, report_key=row.report_key
            )
        return self.report(row.experiment_id, failure)

    def report(self, experiment_id: str, failure: Failure | None) -> ReportExperimentReply:
        """Wait for late scores, or write the report, end the record and announce it.

        Raises:
            NotFoundError: there is no such experiment.
            TransientError: something that is needed does not answer now.
        """
        row = self._experiments.get(experiment_id)
        if row is None:
            raise NotFoundError(f"no experiment {experiment_id}")
        plan = self._evidence.planned(experiment_id)
        rungs = tuple(self._evidence.rungs(experiment_id)) if plan else ()
        outcome, reasons = _outcome(row, failure, plan, rungs)
        late, wait_s = self._late_scores(row, plan, rungs, wait=outcome == "completed" and row.status == "running")
        if wait_s:
            return ReportExperimentReply(done=False, wait_s=wait_s, outcome=outcome)
        ended = row.ended or self._clock.now()
        analysis, key, trouble = self._report(row, plan, Ending(outcome, reasons, ended, rungs, late, 0))
        row = self._experiments.end(
            experiment_id,
            outcome=outcome,
            reasons=(*reasons, *trouble),
            ended=ended,
            recommended=analysis.choice.recommended if analysis else None,
            report_key=key,
        )
        sentence = analysis.choice.sentence if analysis else ""
        self._announcer.announce(row, sentence, _figures(plan, analysis))
        return ReportExperimentReply(
            done=True, wait_s=0, outcome=row.outcome or outcome, report_key=row.report_key or key
        )

    def _resumed(self, event: Mapping[str, Any], execution_arn: str) -> ExperimentRow | None:
        """The experiment that the event wanted to go on with, as this execution's; None: it wanted none, or may not."""
        detail = event.get("detail")
        resume = detail.get("resume") if isinstance(detail, Mapping) else None
        if not isinstance(resume, str) or not resume:
            return None
        try:
            return self._experiments.reopen(resume, execution_arn, self._clock.now())
        except (NotFoundError, ConflictError):
            return None

    def _late_scores(
        self, row: ExperimentRow, plan: ExperimentPlan | None, rungs: Sequence[Rung], *, wait: bool
    ) -> tuple[LateState | None, int]:
        asked = plan.file.late_scores if plan else None
        if plan is None or asked is None or not asked.names:
            return None, 0
        look = self._late.look(
            row.experiment_id, row.attempt, asked, lambda: self._records(plan)[0], _remaining(plan, rungs), wait=wait
        )
        return look.state, look.wait_s

    def _records(self, plan: ExperimentPlan) -> tuple[dict[str, list[TrialRecord]], int]:
        """Results by configuration, and how many shards gave none."""
        records, missing = {}, 0
        for configuration in plan.configurations:
            name = configuration.configuration_id
            records[name], lost = self._results.results(run_id(plan.experiment_id, name))
            missing += len(lost)
        return records, missing

    def _report(
        self, row: ExperimentRow, plan: ExperimentPlan | None, ending: Ending
    ) -> tuple[ExperimentAnalysis | None, str | None, tuple[str, ...]]:
        """Write the report if there is a plan to report on; give its key, and why there is none."""
        if plan is None:
            return None, None, ()
        analysis = None
        try:
            records, missing = self._records(plan)
            analysis = analyse(
                plan,
                records,
                _remaining(plan, ending.rungs),
                unfinished=_unfinished(ending),
                failed=_failed(plan, row, ending.rungs),
            )
            data, page = self._render(plan, row, analysis, replace(ending, missing_results=missing))
            return analysis, self._evidence.write_report(plan.experiment_id, data, page), ()
        except TransientError:
            raise
        except FlywheelError as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - a defect of the report must not keep the experiment from its end
            trouble = f"{type(error).__name__}: {error}"
        self._warn(f"no report of experiment {plan.experiment_id}: {trouble}")
        return analysis, None, (f"no_report: {trouble[:_TROUBLE]}",)


def _outcome(
    row: ExperimentRow, failure: Failure | None, plan: ExperimentPlan | None, rungs: Sequence[Rung]
) -> tuple[ExperimentOutcome, tuple[str, ...]]:
    """What is on record stands. A failure after the search had come to its end does not undo what it found."""
    if row.status == "ended" and row.outcome is not None:
        return row.outcome, row.reasons
    if failure is None and plan is None:
        return "broken", ("evidence_missing: the experiment came to its end without a plan",)
    reasons: tuple[str, ...] = ()
    if failure is not None:
        code, message = failure_words(failure)
        reasons = (f"{code}: {message}" if message else code,)
    if (why := _none_left(rungs)) is not None:
        return "broken", (f"none_left: {why}", *reasons)
    if failure is None or (rungs and rungs[-1].finished is not None):
        return "completed", reasons
    return ("stopped" if failure.error in _STOPPED else "broken"), reasons


def _none_left(rungs: Sequence[Rung]) -> str | None:
    """Why not one configuration could be asked to the end, in the words of the first; None: some were.

    A search over nothing found nothing: somebody has to hear of that.
    """
    if not rungs or rungs[-1].remaining:
        return None
    told = next((str(one["message"]) for one in rungs[-1].stopped if one["code"] == FAILED_TO_DEPLOY), "")
    return f"not one configuration could be asked to the end ({told}); mend that and run the file again"


def _figures(plan: ExperimentPlan | None, analysis: ExperimentAnalysis | None) -> dict[str, object]:
    """What the event says of what it took and what came out."""
    if plan is None or analysis is None:
        return {}
    chosen, spent = analysis.choice.recommended, analysis.spent
    return {
        "candidate_id": plan.configuration(chosen).candidate.candidate_id if chosen else None,
        "configurations": len(plan.configurations),
        "invocations": spent.invocations,
        "grid_invocations": spent.grid_invocations,
        "cost_usd": spent.cost_usd,
    }


def _remaining(plan: ExperimentPlan, rungs: Sequence[Rung]) -> tuple[str, ...]:
    """Those that were not stopped by the last rung that was asked for."""
    return rungs[-1].remaining if rungs else tuple(c.configuration_id for c in plan.configurations)


def _failed(plan: ExperimentPlan, row: ExperimentRow, rungs: Sequence[Rung]) -> set[str]:
    """Those whose runtime or results could not be had."""
    without = {name for name, runtime in row.runtimes.items() if runtime.failed}
    found = {
        str(one["configuration"]) for one in (rungs[-1].stopped if rungs else ()) if one["code"] == FAILED_TO_DEPLOY
    }
    return found | {c.configuration_id for c in plan.configurations if c.runtime in without}


def _unfinished(ending: Ending) -> str:
    match ending.outcome:
        case "completed":
            return ""
        case "stopped":
            return "the experiment was stopped before the search had come to its end"
        case "refused":
            return "the experiment was refused"
        case "broken":
            return "the experiment broke before the search had come to its end"
