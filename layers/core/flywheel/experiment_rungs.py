"""Results of the rungs so far -> the next rung's shards, or the end; a repeated look asks for the same."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from flywheel.domain.experiment import ExperimentPlan
from flywheel.domain.experiment_measuring import estimated_usd, measurements, spent_usd
from flywheel.domain.experiment_search import search_settings
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.prices import PriceTable
from flywheel.domain.search import Search, Step
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.events import ShardRequest
from flywheel.experiment_events import PlanRungReply
from flywheel.experiment_evidence import ExperimentEvidence, Rung
from flywheel.experiment_shards import ExperimentShards, Pointer, configuration_of, plan_rung_shards
from flywheel.ports import Clock
from flywheel.ports.experiments import ExperimentRow, ExperimentStore

logger = logging.getLogger(__name__)


class RungPlanner:
    """Asks the search after each rung (rung 0: this execution has evaluated nothing yet)."""

    def __init__(
        self,
        *,
        experiments: ExperimentStore,
        evidence: ExperimentEvidence,
        shards: ExperimentShards,
        prices: PriceTable,
        clock: Clock,
    ) -> None:
        self._experiments = experiments
        self._evidence = evidence
        self._shards = shards
        self._prices = prices
        self._clock = clock

    def next(self, experiment_id: str, rung: int, *, again: bool = False) -> PlanRungReply:
        """What comes after `rung`. An attempt that begins goes on from what is in S3.

        A shard without results is asked for once more; when that was done (`again`), its configuration is left out.

        Raises:
            NotFoundError: the experiment was never planned.
            ConflictError: it has ended.
            InvalidRequestError: `rung` was never asked for.
            TransientError: something that is needed does not answer now.
        """
        row = self._running(experiment_id)
        plan = self._evidence.plan(experiment_id)
        rungs = self._evidence.rungs(experiment_id)
        if rung > (rungs[-1].rung if rungs else 0):
            raise InvalidRequestError(f"experiment {experiment_id} never came to rung {rung}")
        if rungs and rungs[-1].finished is not None:
            return _reply(row, rungs[-1].rung, ())
        unavailable = _unavailable(plan, row)
        records, missing = self._shards.results([pointer for one in rungs for pointer in one.shards])
        if rungs:
            last = rungs[-1]
            own = set(last.shards)
            open_shards = [p for p in missing if p in own and configuration_of(p) not in unavailable]
            # A look at an earlier rung is a repeated one, or an attempt begins: it asks for what this rung lacks.
            if open_shards and (rung < last.rung or not again):
                return self._ask(plan, row, last.rung, open_shards, again=rung == last.rung)
        failed = dict(unavailable)
        for pointer in missing:
            failed.setdefault(configuration_of(pointer), f"shard {pointer[1]} has no results, asked for twice")
        standing = self._decide(plan, row, rungs, records, failed)
        self._experiments.note_rung(experiment_id, standing.rung)
        return _reply(row, standing.rung, standing.shards)

    def _decide(
        self,
        plan: ExperimentPlan,
        row: ExperimentRow,
        rungs: Sequence[Rung],
        records: Mapping[str, list[TrialRecord]],
        failed: Mapping[str, str],
    ) -> Rung:
        """Ask the search and put its answer on record."""
        # Whoever could not be asked in one attempt stays out in the next: the search would go back to its first rung.
        known = {entry["configuration"]: entry for entry in (rungs[-1].stopped if rungs else ())}
        failed = {name: str(one["message"]) for name, one in known.items() if one["code"] == "failed_to_deploy"} | dict(
            failed
        )
        now = self._clock.now()
        budget = _Budget(plan, row, records, self._prices, now)
        names = [one.configuration_id for one in plan.configurations]
        search = Search(search_settings(plan.file, names, plan.items, plan.policy))
        measured = measurements(plan, records)
        step = search.next(measured, failed=failed)
        if step.assignments and (over := budget.exceeded(step)) is not None:
            step = search.next(measured, failed=failed, invocations_left=0)
            finished: str | None = over
        else:
            finished = step.finished
        number = (rungs[-1].rung if rungs else 0) + 1
        shards = plan_rung_shards(plan.experiment_id, number, step.assignments, _runtime_ids(plan, row))
        if number == 1:
            self._shards.write_plans(plan)
        self._shards.write(shards)
        assigned: dict[str, int] = {}
        for one in step.assignments:
            assigned[one.configuration] = assigned.get(one.configuration, 0) + 1
        asked = Rung(
            rung=number,
            asked_at=now.isoformat(),
            assigned=assigned,
            shards=tuple((shard.gate_id, shard.key) for shard in shards),
            remaining=step.remaining,
            stopped=tuple(known.get(one.configuration) or asdict(one) for one in step.stopped),
            finished=finished,
        )
        return self._evidence.write_rung(plan.experiment_id, asked)

    def _ask(
        self, plan: ExperimentPlan, row: ExperimentRow, rung: int, shards: Sequence[Pointer], *, again: bool
    ) -> PlanRungReply:
        if again:
            logger.warning("shards without results are asked for again", extra={"rung": rung, "shards": len(shards)})
        self._shards.move(shards, _runtime_ids(plan, row))
        self._experiments.note_rung(plan.experiment_id, rung)
        return _reply(row, rung, shards, again=again)

    def _running(self, experiment_id: str) -> ExperimentRow:
        row = self._experiments.get(experiment_id)
        if row is None:
            raise NotFoundError(f"no experiment {experiment_id}")
        if row.status == "ended":
            raise ConflictError(f"experiment {experiment_id} has ended: nothing more is asked for it")
        return row


class _Budget:
    """What the file allows, against what was spent."""

    def __init__(
        self,
        plan: ExperimentPlan,
        row: ExperimentRow,
        records: Mapping[str, list[TrialRecord]],
        prices: PriceTable,
        now: datetime,
    ) -> None:
        every = [record for own in records.values() for record in own]
        self._plan, self._prices = plan, prices
        self._trials = len(every)
        self._usd = spent_usd(plan, every, prices)
        self._minutes = (now - row.since).total_seconds() / 60

    def exceeded(self, step: Step) -> str | None:
        """Which budget the next rung does not fit into: `budget_minutes`, `budget_trials` or `budget_usd`."""
        budget = self._plan.file.budget
        if budget.minutes is not None and self._minutes >= budget.minutes:
            return "budget_minutes"
        if budget.trials is not None and self._trials + len(step.assignments) > budget.trials:
            return "budget_trials"
        if budget.usd is not None and self._usd + self._expected(step) > budget.usd:
            return "budget_usd"
        return None

    def _expected(self, step: Step) -> float:
        """What the rung will cost: as much a trial as those so far, or by typical figures when there are none."""
        if self._trials:
            return self._usd / self._trials * len(step.assignments)
        return estimated_usd(self._plan, step.assignments, self._prices)


def _unavailable(plan: ExperimentPlan, row: ExperimentRow) -> dict[str, str]:
    """Configurations whose runtime could not be had in this attempt -> why."""
    why = {
        runtime: state.failed or "its runtime was not READY"
        for runtime, state in row.runtimes.items()
        if not state.ready or state.failed is not None
    }
    return {
        one.configuration_id: why.get(one.runtime, "its runtime was never planned")
        for one in plan.configurations
        if one.runtime in why or one.runtime not in row.runtimes
    }


def _runtime_ids(plan: ExperimentPlan, row: ExperimentRow) -> dict[str, str]:
    found = {runtime: state.runtime_id for runtime, state in row.runtimes.items() if state.runtime_id is not None}
    return {one.configuration_id: found[one.runtime] for one in plan.configurations if one.runtime in found}


def _reply(row: ExperimentRow, rung: int, shards: Sequence[Pointer], *, again: bool = False) -> PlanRungReply:
    return PlanRungReply(
        action="evaluate" if shards else "end",
        experiment_id=row.experiment_id,
        rung=rung,
        again=again,
        shards=tuple(ShardRequest(gate_id=run, key=key, attempt=row.attempt) for run, key in shards),
    )
