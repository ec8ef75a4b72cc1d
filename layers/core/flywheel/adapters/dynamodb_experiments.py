"""Records of experiments <-> the state table (`EXPERIMENTS`, `EXECUTION#...`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from flywheel.adapters.dynamodb import Item, Table
from flywheel.adapters.dynamodb_gates import time_text, time_value
from flywheel.errors import ConflictError, NotFoundError
from flywheel.ports.experiments import ExperimentOutcome, ExperimentRow, ExperimentRuntime

_EXPERIMENTS = "EXPERIMENTS"


def _runtime_item(state: ExperimentRuntime) -> Item:
    item = {
        "runtime_name": state.runtime_name,
        "runtime_id": state.runtime_id,
        "ready": state.ready,
        "failed": state.failed,
    }
    return {name: value for name, value in item.items() if value is not None}


def _runtime(item: Mapping[str, Any]) -> ExperimentRuntime:
    return ExperimentRuntime(
        item["runtime_name"], item.get("runtime_id"), ready=item.get("ready", False), failed=item.get("failed")
    )


def _row(item: Mapping[str, Any]) -> ExperimentRow:
    return ExperimentRow(
        experiment_id=item["experiment_id"],
        execution_arn=item["execution_arn"],
        name=item["name"],
        trigger=item["trigger"],
        started=datetime.fromisoformat(item["started"]),
        attempt=item["attempt"],
        resumed=time_value(item.get("resumed")),
        status=item["status"],
        outcome=item.get("outcome"),
        reasons=tuple(item.get("reasons", ())),
        runtimes={name: _runtime(runtime) for name, runtime in item.get("runtimes", {}).items()},
        rung=item["rung"],
        recommended=item.get("recommended"),
        ended=time_value(item.get("ended")),
        report_key=item.get("report_key"),
    )


class DynamoDbExperiments:
    """`ExperimentStore` on the state table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def open(self, row: ExperimentRow) -> ExperimentRow:
        item = {
            "pk": _EXPERIMENTS,
            "sk": row.experiment_id,
            "experiment_id": row.experiment_id,
            "execution_arn": row.execution_arn,
            "name": row.name,
            "trigger": row.trigger,
            "started": time_text(row.started),
            "attempt": row.attempt,
            "status": row.status,
            "runtimes": {name: _runtime_item(state) for name, state in row.runtimes.items()},
            "rung": row.rung,
        }
        refused = self._table.transact(
            self._table.put_operation(item), self._pointer(row.experiment_id, row.execution_arn)
        )
        if not refused:
            return row
        standing = self.get(row.experiment_id)
        if standing is None:
            raise ConflictError(f"the execution already carries out another experiment than {row.experiment_id}")
        return standing

    def reopen(self, experiment_id: str, execution_arn: str, now: datetime) -> ExperimentRow:
        row = self._required(experiment_id)
        if row.execution_arn == execution_arn:
            return row
        again = self._table.update_operation(
            _EXPERIMENTS,
            experiment_id,
            "SET execution_arn = :arn, #status = :running, resumed = :now ADD attempt :one "
            "REMOVE outcome, reasons, ended, report_key, recommended",
            when="#status = :ended AND outcome IN (:stopped, :broken)",
            values={
                ":arn": execution_arn,
                ":running": "running",
                ":now": time_text(now),
                ":one": 1,
                ":ended": "ended",
                ":stopped": "stopped",
                ":broken": "broken",
            },
            names={"#status": "status"},
        )
        refused = self._table.transact(again, self._pointer(experiment_id, execution_arn))
        row = self._required(experiment_id)
        if refused and row.execution_arn != execution_arn:
            state = "is running" if row.status == "running" else f"ended {row.outcome}"
            raise ConflictError(f"experiment {experiment_id} {state}: only one that stopped or broke is resumed")
        return row

    def get(self, experiment_id: str) -> ExperimentRow | None:
        item = self._table.get(_EXPERIMENTS, experiment_id)
        return None if item is None else _row(item)

    def by_execution(self, execution_arn: str) -> ExperimentRow | None:
        pointer = self._table.get(f"EXECUTION#{execution_arn}", "EXPERIMENT")
        return None if pointer is None else self.get(pointer["experiment_id"])

    def recent(self, limit: int) -> list[ExperimentRow]:
        return [_row(item) for item in self._table.newest(_EXPERIMENTS, "x-", limit)]

    def plan_runtimes(self, experiment_id: str, runtimes: Mapping[str, ExperimentRuntime]) -> None:
        planned = {name: _runtime_item(state) for name, state in runtimes.items()}
        self._change(experiment_id, "SET runtimes = :runtimes", {":runtimes": planned})

    def note_runtime(self, experiment_id: str, runtime: str, state: ExperimentRuntime) -> None:
        changed = self._table.update(
            _EXPERIMENTS,
            experiment_id,
            "SET runtimes.#runtime = :state",
            when="runtimes.#runtime.runtime_name = :name",
            values={":state": _runtime_item(state), ":name": state.runtime_name},
            names={"#runtime": runtime},
        )
        if changed is None:
            self._required(experiment_id)
            raise ConflictError(f"{state.runtime_name} is no runtime of the attempt of {experiment_id} under way")

    def note_rung(self, experiment_id: str, rung: int) -> None:
        self._change(experiment_id, "SET rung = :rung", {":rung": rung})

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
        values = {
            "outcome": outcome,
            "reasons": list(reasons),
            "ended": time_text(ended),
            "recommended": recommended,
            "report_key": report_key,
        }
        given = {name: value for name, value in values.items() if value is not None}
        changed = self._table.update(
            _EXPERIMENTS,
            experiment_id,
            "SET #status = :ended_status, " + ", ".join(f"#{name} = :{name}" for name in given),
            when="#status = :running",
            values={f":{name}": value for name, value in given.items()}
            | {":ended_status": "ended", ":running": "running"},
            names={f"#{name}": name for name in given} | {"#status": "status"},
        )
        return self._required(experiment_id) if changed is None else _row(changed)

    def _pointer(self, experiment_id: str, execution_arn: str) -> Item:
        return self._table.put_operation(
            {"pk": f"EXECUTION#{execution_arn}", "sk": "EXPERIMENT", "experiment_id": experiment_id}
        )

    def _change(self, experiment_id: str, expression: str, values: Mapping[str, Any]) -> None:
        changed = self._table.update(
            _EXPERIMENTS, experiment_id, expression, when="attribute_exists(pk)", values=values
        )
        if changed is None:
            raise NotFoundError(f"no experiment {experiment_id}")

    def _required(self, experiment_id: str) -> ExperimentRow:
        row = self.get(experiment_id)
        if row is None:
            raise NotFoundError(f"no experiment {experiment_id}")
        return row
