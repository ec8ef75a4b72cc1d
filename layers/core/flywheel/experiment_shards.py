"""What the configurations of an experiment are evaluated by, and what came of it: plans, shards, results in S3."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flywheel.domain.experiment import ExperimentPlan, configuration_plan, parts_of_run, run_id
from flywheel.domain.outcome import TrialKey, TrialRecord, load_records
from flywheel.domain.plan import Shard, dump_shard, load_shard
from flywheel.domain.search import Assignment
from flywheel.errors import NotFoundError
from flywheel.evidence import GateEvidence, at_once, result_key, shard_key
from flywheel.ports import ObjectStore

# Trials of one shard: what one invocation of evaluate_shard does in a few minutes.
LINES_OF_A_SHARD = 60

type Pointer = tuple[str, str]  # run id, key


def configuration_of(pointer: Pointer) -> str:
    """The configuration whose shard it is."""
    parts = parts_of_run(pointer[0])
    if parts is None:
        raise ValueError(f"{pointer[0]} is no run of an experiment")
    return parts[1]


def plan_rung_shards(
    experiment_id: str, rung: int, assignments: Sequence[Assignment], runtime_ids: Mapping[str, str]
) -> list[Shard]:
    """One configuration's trials in as many shards as they need; a configuration never shares one with another.

    `runtime_ids`: configuration -> id of the runtime that answers for it. A shard's key is `<rung>-<nn>`.
    """
    by_configuration: dict[str, list[TrialKey]] = {}
    for one in assignments:
        by_configuration.setdefault(one.configuration, []).append(TrialKey(one.item_id, one.trial, "candidate"))
    return [
        Shard(
            run_id(experiment_id, configuration),
            f"{rung}-{number:02d}",
            tuple(lines[start : start + LINES_OF_A_SHARD]),
            runtime_ids={"candidate": runtime_ids[configuration]},
        )
        for configuration, lines in by_configuration.items()
        for number, start in enumerate(range(0, len(lines), LINES_OF_A_SHARD))
    ]


class ExperimentShards:
    """The files that `evaluate_shard` reads and writes for an experiment, several at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._gates = GateEvidence(store)

    def write_plans(self, plan: ExperimentPlan) -> None:
        """Write each configuration's own plan, once."""
        at_once(
            lambda one: self._gates.write_plan(configuration_plan(plan, one)),
            plan.configurations,
        )

    def write(self, shards: Sequence[Shard]) -> None:
        """Write them over what is there: a look that was killed may have left some that were never asked for."""
        at_once(lambda shard: self._store.put(shard_key(shard.gate_id, shard.key), dump_shard(shard).encode()), shards)

    def move(self, pointers: Sequence[Pointer], runtime_ids: Mapping[str, str]) -> None:
        """Let the runtimes of another attempt answer; what a shard has done already stays in its checkpoint."""

        def move_one(pointer: Pointer) -> None:
            key = shard_key(*pointer)
            shard = load_shard(self._store.read(key))
            moved = replace(shard, runtime_ids={"candidate": runtime_ids[configuration_of(pointer)]})
            if moved != shard:
                self._store.put(key, dump_shard(moved).encode())

        at_once(move_one, pointers)

    def results(self, pointers: Sequence[Pointer]) -> tuple[dict[str, list[TrialRecord]], list[Pointer]]:
        """Records by configuration, and the shards that have no results."""
        records: dict[str, list[TrialRecord]] = {}
        missing: list[Pointer] = []
        for pointer, body in zip(pointers, at_once(self._found, pointers), strict=True):
            if body is None:
                missing.append(pointer)
            else:
                records.setdefault(configuration_of(pointer), []).extend(load_records(body.decode()))
        return records, missing

    def _found(self, pointer: Pointer) -> bytes | None:
        try:
            return self._store.read(result_key(*pointer))
        except NotFoundError:
            return None
