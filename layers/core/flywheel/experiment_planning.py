"""Event -> the plan of an experiment: configurations, runtimes, dataset snapshot; all fixed before anything is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from flywheel.domain.experiment import ExperimentFile, ExperimentPlan, experiment_runtime_name
from flywheel.domain.experiment_file import ExperimentFileError, parse_experiment
from flywheel.domain.experiment_measuring import estimated_usd
from flywheel.domain.experiment_search import chosen_items, search_settings
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.plan import Trigger
from flywheel.domain.policy import GatePolicy
from flywheel.domain.prices import PriceTable
from flywheel.domain.search import Search, largest_invocations
from flywheel.domain.waves import gate_items
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.evaluation.instrument import judge_spec
from flywheel.experiment_events import PlanExperimentReply, RuntimeRequest
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_shards import LINES_OF_A_SHARD
from flywheel.experiment_triggers import ExperimentTrigger, parse_experiment_trigger
from flywheel.planning_inputs import PlanInputs, RefusedError
from flywheel.ports import Clock, ReleaseStore
from flywheel.ports.experiments import ExperimentRow, ExperimentRuntime, ExperimentStore

# The history of one execution has 25,000 events, and each repeated call adds 3. With every call repeated as often as
# the machine does for errors, and eight times for want of room, a shard takes 51 of them; a runtime that takes all the
# time it may to start, and five minutes to be gone, about 400. tests/unit/test_statemachine_history.py counts them.
MOST_SHARDS, MOST_RUNTIMES = 300, 20
_MOST_PROBLEMS, _LONGEST_PROBLEM = 50, 500


class ExperimentRefusedError(RefusedError):
    """The experiment must not start, for more than one reason."""

    def __init__(self, code: str, problems: list[str]) -> None:
        super().__init__(code, "; ".join(problems[:3])[:_LONGEST_PROBLEM])
        self.problems = [f"{code}: {problem}"[:_LONGEST_PROBLEM] for problem in problems[:_MOST_PROBLEMS]]


@dataclass(frozen=True, slots=True)
class ExperimentSettings:
    """`shards_at_once`: what the account reserves for `evaluate_shard`; None reserves nothing and limits nothing."""

    environment: str
    dataset_name: str
    judge_model_id: str
    shards_at_once: int | None = None


class ExperimentPlanner:
    """Plans experiments; every step may be repeated."""

    def __init__(
        self,
        settings: ExperimentSettings,
        *,
        experiments: ExperimentStore,
        releases: ReleaseStore,
        inputs: PlanInputs,
        evidence: ExperimentEvidence,
        prices: PriceTable,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._experiments = experiments
        self._releases = releases
        self._inputs = inputs
        self._evidence = evidence
        self._prices = prices
        self._clock = clock

    def plan(self, event: Mapping[str, Any], execution_arn: str) -> tuple[PlanExperimentReply, str]:
        """Plan what the event asks for, or go on with what it names; the second value says in words what was decided.

        Raises:
            InvalidRequestError: the event is malformed.
            NotFoundError: it asks to go on with an experiment that does not exist.
            AccessDeniedError: Langfuse does not accept our keys.
            TransientError: something that is needed does not answer now.
        """
        trigger = parse_experiment_trigger(event)
        row = self._opened(trigger, execution_arn)
        if row is None:
            return self._skip(trigger), "it runs, completed or was refused: it is not gone on with"
        if row.execution_arn != execution_arn:
            return self._skip(trigger), f"{row.execution_arn} carries this experiment out"
        if row.outcome is not None:
            action = "refused" if row.outcome == "refused" else "skip"
            return PlanExperimentReply(action=action, experiment_id=row.experiment_id), ", ".join(row.reasons)
        try:
            plan = self._evidence.planned(row.experiment_id) or self._evidence.write_plan(self._make(trigger))
        except RefusedError as refused:
            reasons = refused.problems if isinstance(refused, ExperimentRefusedError) else [str(refused)]
            self._experiments.end(
                row.experiment_id,
                outcome="refused",
                reasons=[reason[:_LONGEST_PROBLEM] for reason in reasons],
                ended=self._clock.now(),
            )
            return PlanExperimentReply(action="refused", experiment_id=row.experiment_id), str(refused)
        self._experiments.plan_runtimes(row.experiment_id, _runtimes(plan, row))
        said = f"{len(plan.configurations)} configurations, {len(plan.runtimes)} runtimes, {len(plan.items)} items"
        return _run(plan), said

    def _opened(self, trigger: ExperimentTrigger, execution_arn: str) -> ExperimentRow | None:
        """The record of the experiment; None: it cannot be gone on with."""
        if trigger.resume is None:
            return self._experiments.open(
                ExperimentRow(
                    experiment_id=trigger.experiment_id,
                    execution_arn=execution_arn,
                    name=trigger.file,
                    trigger=trigger.source,
                    started=self._clock.now(),
                )
            )
        try:
            return self._experiments.reopen(trigger.resume, execution_arn, self._clock.now())
        except ConflictError:
            return None

    def _skip(self, trigger: ExperimentTrigger) -> PlanExperimentReply:
        return PlanExperimentReply(action="skip", experiment_id=trigger.experiment_id)

    def _make(self, trigger: ExperimentTrigger) -> ExperimentPlan:
        file = self._file(trigger)
        head = self._releases.head()
        space = self._inputs.space(file, head)
        policy = self._inputs.policy()
        dataset_name = file.dataset or self._settings.dataset_name
        snapshot = self._inputs.snapshot(dataset_name)
        items, left_out = _asked(file, snapshot.items, policy)
        plan = ExperimentPlan(
            experiment_id=trigger.experiment_id,
            environment=self._settings.environment,
            trigger=Trigger(trigger.source, trigger.event_id, trigger.requested_at.isoformat(), trigger.file),
            file=file,
            configurations=space.configurations,
            runtimes=space.runtimes,
            policy=policy,
            dataset_name=dataset_name,
            dataset_version=snapshot.version.astimezone(UTC).isoformat(),
            dataset_hash=dataset_hash(snapshot.items),
            items=items,
            judge=judge_spec(self._settings.judge_model_id, policy.choice_scores),
            production=head.release.candidate.candidate_id if head.release else None,
            notes=(*space.notes, *left_out),
        )
        self._check(plan)
        return plan

    def _file(self, trigger: ExperimentTrigger) -> ExperimentFile:
        try:
            text = self._evidence.file(trigger.file)
        except NotFoundError as error:
            raise RefusedError(
                "file_not_found",
                f"no experiment file was saved as {trigger.file}: `flywheel experiment save` does that",
            ) from error
        try:
            file = parse_experiment(text, name=trigger.file)
        except ExperimentFileError as error:
            raise ExperimentRefusedError("invalid_file", [str(problem) for problem in error.problems]) from error
        return file if trigger.dataset is None else replace(file, dataset=trigger.dataset)

    def _check(self, plan: ExperimentPlan) -> None:
        """Refuse what cannot even begin: its first rung asks for nothing, or for more than the budget pays for."""
        if len(plan.runtimes) > MOST_RUNTIMES:
            raise RefusedError(
                "too_large", f"it needs {len(plan.runtimes)} runtimes at once, {MOST_RUNTIMES} are allowed"
            )
        at_once = self._settings.shards_at_once
        if at_once is not None and plan.file.parallel > at_once:
            raise RefusedError(
                "too_parallel",
                f"parallel is {plan.file.parallel}, and {at_once} executions are reserved for evaluate_shard: lower "
                "parallel, or raise the stack's EvaluateShardReservedConcurrency",
                observed=float(plan.file.parallel),
                required=float(at_once),
            )
        names = [one.configuration_id for one in plan.configurations]
        try:
            settings = search_settings(plan.file, names, plan.items, plan.policy)
        except InvalidRequestError as error:
            raise RefusedError("cannot_be_searched", str(error)) from error
        shards = largest_invocations(settings) // LINES_OF_A_SHARD + 2 * len(names)
        if shards > MOST_SHARDS:
            raise RefusedError(
                "too_large",
                f"it would take about {shards} shards, one execution has room for {MOST_SHARDS}: "
                "search a `sample` of the configurations, or fewer items or trials",
                observed=float(shards),
                required=float(MOST_SHARDS),
            )
        first = Search(settings).next([])
        cost = estimated_usd(plan, first.assignments, self._prices)
        allowed = plan.file.budget.usd
        if allowed is not None and cost > allowed:
            raise RefusedError(
                "budget_too_small",
                f"its first rung alone ({len(first.assignments)} trials) would cost about {cost:.2f} USD, the budget "
                f"is {allowed:.2f}: raise budget.usd, or search fewer configurations",
                observed=cost,
                required=allowed,
            )


def _asked(
    file: ExperimentFile, items: tuple[GoldenItem, ...], policy: GatePolicy
) -> tuple[tuple[GoldenItem, ...], tuple[str, ...]]:
    """The items that count, as in a gate's average: regression tests of origin `production` are left to the gate."""
    try:
        chosen = chosen_items(file, items)
    except InvalidRequestError as error:
        raise RefusedError("unknown_items", str(error)) from error
    averaged = gate_items(policy, chosen)
    if not averaged:
        raise RefusedError("too_few_items", f"no item counts in the average of {policy.primary_metric}")
    left_out = len(chosen) - len(averaged)
    note = f"{left_out} regression items are left out: the gate asks them of what is promoted"
    return tuple(item for item in chosen if item.item_id in averaged), (note,) if left_out else ()


def _runtimes(plan: ExperimentPlan, row: ExperimentRow) -> dict[str, ExperimentRuntime]:
    """Those of this attempt; what a call that was killed knew of them stays."""
    planned = {}
    for one in plan.runtimes:
        name = experiment_runtime_name(plan.environment, plan.experiment_id, one.runtime, row.attempt)
        known = row.runtimes.get(one.runtime)
        planned[one.runtime] = known if known is not None and known.runtime_name == name else ExperimentRuntime(name)
    return planned


def _run(plan: ExperimentPlan) -> PlanExperimentReply:
    return PlanExperimentReply(
        action="run",
        experiment_id=plan.experiment_id,
        runtimes=tuple(RuntimeRequest(experiment_id=plan.experiment_id, runtime=one.runtime) for one in plan.runtimes),
        parallel=plan.file.parallel,
    )
