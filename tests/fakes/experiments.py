"""`ExperimentStore` in memory, and what every implementation of it must do."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

import pytest

from flywheel.errors import ConflictError, NotFoundError
from flywheel.ports.experiments import ExperimentOutcome, ExperimentRow, ExperimentRuntime, ExperimentStore
from tests.fakes.clock import NOON
from tests.fakes.contracts import insist

LATER = NOON + timedelta(minutes=9)


class InMemoryExperiments:
    def __init__(self) -> None:
        self.rows: dict[str, ExperimentRow] = {}
        self.executions: dict[str, str] = {}
        self._lock = Lock()

    def open(self, row: ExperimentRow) -> ExperimentRow:
        with self._lock:
            if row.experiment_id in self.rows:
                return self.rows[row.experiment_id]
            if row.execution_arn in self.executions:
                raise ConflictError(f"{row.execution_arn} carries out {self.executions[row.execution_arn]}")
            self.rows[row.experiment_id] = row
            self.executions[row.execution_arn] = row.experiment_id
            return row

    def reopen(self, experiment_id: str, execution_arn: str, now: datetime) -> ExperimentRow:
        with self._lock:
            row = self._required(experiment_id)
            if row.execution_arn == execution_arn:
                return row
            if row.outcome not in ("stopped", "broken"):
                raise ConflictError(f"experiment {experiment_id} is {row.status} {row.outcome}")
            self.executions[execution_arn] = experiment_id
            self.rows[experiment_id] = replace(
                row,
                execution_arn=execution_arn,
                attempt=row.attempt + 1,
                resumed=now,
                status="running",
                outcome=None,
                reasons=(),
                recommended=None,
                ended=None,
                report_key=None,
            )
            return self.rows[experiment_id]

    def get(self, experiment_id: str) -> ExperimentRow | None:
        return self.rows.get(experiment_id)

    def by_execution(self, execution_arn: str) -> ExperimentRow | None:
        experiment_id = self.executions.get(execution_arn)
        return None if experiment_id is None else self.rows[experiment_id]

    def recent(self, limit: int) -> list[ExperimentRow]:
        return [self.rows[experiment_id] for experiment_id in sorted(self.rows, reverse=True)[:limit]]

    def plan_runtimes(self, experiment_id: str, runtimes: Mapping[str, ExperimentRuntime]) -> None:
        self.rows[experiment_id] = replace(self._required(experiment_id), runtimes=dict(runtimes))

    def note_runtime(self, experiment_id: str, runtime: str, state: ExperimentRuntime) -> None:
        row = self._required(experiment_id)
        if runtime not in row.runtimes or row.runtimes[runtime].runtime_name != state.runtime_name:
            raise ConflictError(f"{state.runtime_name} is no runtime of this attempt")
        self.rows[experiment_id] = replace(row, runtimes=dict(row.runtimes) | {runtime: state})

    def note_rung(self, experiment_id: str, rung: int) -> None:
        self.rows[experiment_id] = replace(self._required(experiment_id), rung=rung)

    def end(
        self,
        experiment_id: str,
        *,
        outcome: ExperimentOutcome,
        reasons: Sequence[str],
        ended: datetime,
        recommended: str | None = None,
        report_key: str | None = None,
    ) -> ExperimentRow:
        row = self._required(experiment_id)
        if row.status == "running":
            self.rows[experiment_id] = replace(
                row,
                status="ended",
                outcome=outcome,
                reasons=tuple(reasons),
                ended=ended,
                recommended=recommended,
                report_key=report_key,
            )
        return self.rows[experiment_id]

    def _required(self, experiment_id: str) -> ExperimentRow:
        if experiment_id not in self.rows:
            raise NotFoundError(experiment_id)
        return self.rows[experiment_id]


def experiment_row(experiment_id: str = "x-20261123t120000-00000001", execution: str = "arn:1") -> ExperimentRow:
    return ExperimentRow(experiment_id, execution, "models", "cli", NOON)


class ExperimentStoreContract:
    """`experiments`: an empty store."""

    def test_an_experiment_is_opened_once_and_the_first_execution_keeps_it(self, experiments: ExperimentStore) -> None:
        row = experiment_row()
        assert experiments.open(row) == row
        assert experiments.open(replace(row, execution_arn="arn:2")).execution_arn == "arn:1"
        assert experiments.get(row.experiment_id) == row
        assert experiments.by_execution("arn:1") == row
        assert experiments.by_execution("arn:2") is None
        assert experiments.get("x-unknown") is None

    def test_one_execution_carries_out_one_experiment(self, experiments: ExperimentStore) -> None:
        experiments.open(experiment_row())
        with pytest.raises(ConflictError):
            experiments.open(experiment_row("x-20261123t120000-00000002"))

    def test_of_deliveries_at_the_same_time_exactly_one_opens_it(self, experiments: ExperimentStore) -> None:
        with ThreadPoolExecutor(6) as pool:
            rows = list(
                pool.map(lambda n: insist(lambda: experiments.open(experiment_row(execution=f"arn:{n}"))), range(6))
            )
        assert len({row.execution_arn for row in rows}) == 1

    def test_everything_noted_is_read_back(self, experiments: ExperimentStore) -> None:
        experiment = experiments.open(experiment_row()).experiment_id
        experiments.plan_runtimes(experiment, {"r01": ExperimentRuntime("fw_1"), "r02": ExperimentRuntime("fw_2")})
        experiments.note_runtime(experiment, "r01", ExperimentRuntime("fw_1", "fw_1-a", ready=True))
        experiments.note_runtime(experiment, "r02", ExperimentRuntime("fw_2", failed="it never answered"))
        experiments.note_rung(experiment, 3)
        row = experiments.get(experiment)
        assert row is not None
        assert row.rung == 3
        assert row.runtimes == {
            "r01": ExperimentRuntime("fw_1", "fw_1-a", ready=True),
            "r02": ExperimentRuntime("fw_2", failed="it never answered"),
        }

    def test_a_runtime_of_an_earlier_attempt_is_not_noted(self, experiments: ExperimentStore) -> None:
        experiment = experiments.open(experiment_row()).experiment_id
        experiments.plan_runtimes(experiment, {"r01": ExperimentRuntime("fw_2")})
        for runtime, name in (("r01", "fw_1"), ("r02", "fw_2")):
            with pytest.raises(ConflictError):
                experiments.note_runtime(experiment, runtime, ExperimentRuntime(name, "id"))
        row = experiments.get(experiment)
        assert row is not None
        assert row.runtimes == {"r01": ExperimentRuntime("fw_2")}

    def test_the_first_end_stands(self, experiments: ExperimentStore) -> None:
        experiment = experiments.open(experiment_row()).experiment_id
        ended = experiments.end(
            experiment, outcome="completed", reasons=(), ended=LATER, recommended="c02", report_key="report"
        )
        assert (ended.status, ended.outcome, ended.ended) == ("ended", "completed", LATER)
        assert (ended.recommended, ended.report_key) == ("c02", "report")
        again = experiments.end(experiment, outcome="stopped", reasons=["by hand"], ended=NOON)
        assert again == ended
        assert experiments.get(experiment) == ended

    def test_one_that_stopped_is_resumed_as_another_attempt(self, experiments: ExperimentStore) -> None:
        row = experiments.open(experiment_row())
        experiments.plan_runtimes(row.experiment_id, {"r01": ExperimentRuntime("fw_1")})
        experiments.note_rung(row.experiment_id, 2)
        experiments.end(row.experiment_id, outcome="stopped", reasons=["aborted"], ended=LATER, report_key="k")
        resumed = experiments.reopen(row.experiment_id, "arn:2", LATER)
        # Its runtimes stand until others are planned: who cleans up after the first attempt still finds them.
        runtimes = {"r01": ExperimentRuntime("fw_1")}
        assert resumed == replace(row, execution_arn="arn:2", attempt=2, resumed=LATER, rung=2, runtimes=runtimes)
        assert (row.since, resumed.since) == (NOON, LATER)
        assert experiments.reopen(row.experiment_id, "arn:2", LATER) == resumed
        assert experiments.by_execution("arn:2") == resumed
        assert experiments.by_execution("arn:1") == resumed
        ended = experiments.end(row.experiment_id, outcome="broken", reasons=["x"], ended=LATER)
        assert experiments.reopen(row.experiment_id, "arn:2", LATER) == ended
        assert experiments.reopen(row.experiment_id, "arn:3", LATER).attempt == 3

    @pytest.mark.parametrize("outcome", ["completed", "refused", None])
    def test_one_that_runs_completed_or_was_refused_is_not_resumed(
        self, experiments: ExperimentStore, outcome: ExperimentOutcome | None
    ) -> None:
        experiment = experiments.open(experiment_row()).experiment_id
        if outcome is not None:
            experiments.end(experiment, outcome=outcome, reasons=(), ended=LATER)
        with pytest.raises(ConflictError):
            experiments.reopen(experiment, "arn:2", LATER)
        assert experiments.by_execution("arn:2") is None

    def test_of_resumptions_at_the_same_time_exactly_one_is_carried_out(self, experiments: ExperimentStore) -> None:
        experiment = experiments.open(experiment_row()).experiment_id
        experiments.end(experiment, outcome="stopped", reasons=(), ended=LATER)

        def resume(n: int) -> bool:
            try:
                return insist(lambda: experiments.reopen(experiment, f"arn:again-{n}", LATER)).attempt == 2
            except ConflictError:
                return False

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(resume, range(6))).count(True) == 1

    def test_an_experiment_that_does_not_exist_cannot_be_changed(self, experiments: ExperimentStore) -> None:
        with pytest.raises(NotFoundError):
            experiments.reopen("x-unknown", "arn:1", LATER)
        with pytest.raises(NotFoundError):
            experiments.plan_runtimes("x-unknown", {})
        with pytest.raises(NotFoundError):
            experiments.note_runtime("x-unknown", "r01", ExperimentRuntime("fw"))
        with pytest.raises(NotFoundError):
            experiments.note_rung("x-unknown", 1)
        with pytest.raises(NotFoundError):
            experiments.end("x-unknown", outcome="stopped", reasons=(), ended=NOON)

    def test_the_newest_experiments_come_first(self, experiments: ExperimentStore) -> None:
        ids = [f"x-20261123t12000{n}-0000000{n}" for n in range(4)]
        for n in (2, 0, 3, 1):
            experiments.open(experiment_row(ids[n], f"arn:{n}"))
        assert [row.experiment_id for row in experiments.recent(3)] == [ids[3], ids[2], ids[1]]
