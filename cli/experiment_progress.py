"""Evidence of a running experiment in S3 -> how far each rung is, who was stopped, what it cost."""

import json
from dataclasses import dataclass, field
from typing import Any

from flywheel.errors import NotFoundError
from flywheel.evidence import checkpoint_key, result_key
from flywheel.experiment_evidence import ExperimentEvidence, Rung
from flywheel.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class RungProgress:
    """`trials` were asked for, `done` of them have an outcome, `errored` of those errored; of `configurations`."""

    rung: int
    configurations: int
    trials: int
    done: int
    errored: int


@dataclass(frozen=True, slots=True)
class Progress:
    """`stopped`: configuration, rung, code and message of each that is out. `cost_usd`: of the agent's answers so far.

    `unpriced` answers have no known cost. `finished`: why the search is over, None while it goes on.
    """

    rungs: tuple[RungProgress, ...] = ()
    stopped: tuple[dict[str, Any], ...] = ()
    remaining: tuple[str, ...] = ()
    cost_usd: float = 0.0
    unpriced: int = 0
    finished: str | None = None


@dataclass(frozen=True, slots=True)
class _Counts:
    done: int = 0
    errored: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0


@dataclass(slots=True)
class ProgressReader:
    """Reads each finished file once, and only the checkpoints of what still runs again."""

    objects: ObjectStore
    experiment_id: str
    _rungs: list[Rung] = field(default_factory=list)
    _results: dict[str, _Counts] = field(default_factory=dict)

    def read(self) -> Progress:
        """Raise `TransientError` when S3 does not answer."""
        there = frozenset(self.objects.keys(f"experiments/{self.experiment_id}/"))
        evidence = ExperimentEvidence(self.objects)
        while (rung := evidence.rung(self.experiment_id, len(self._rungs) + 1)) is not None:
            self._rungs.append(rung)
        if not self._rungs:
            return Progress()
        counted = [[self._counts(run, key, there) for run, key in rung.shards] for rung in self._rungs]
        every = [counts for rung in counted for counts in rung]
        last = self._rungs[-1]
        return Progress(
            rungs=tuple(
                RungProgress(
                    rung=rung.rung,
                    configurations=len(rung.assigned),
                    trials=sum(rung.assigned.values()),
                    done=sum(counts.done for counts in shards),
                    errored=sum(counts.errored for counts in shards),
                )
                for rung, shards in zip(self._rungs, counted, strict=True)
                if rung.shards
            ),
            stopped=last.stopped,
            remaining=last.remaining,
            cost_usd=sum(counts.cost_usd for counts in every),
            unpriced=sum(counts.unpriced for counts in every),
            finished=last.finished,
        )

    def _counts(self, run: str, key: str, there: frozenset[str]) -> _Counts:
        finished = result_key(run, key)
        if finished in self._results:
            return self._results[finished]
        if finished in there:
            self._results[finished] = self._read(finished)
            return self._results[finished]
        running = checkpoint_key(run, key)
        return self._read(running) if running in there else _Counts()

    def _read(self, key: str) -> _Counts:
        try:
            data = json.loads(self.objects.read(key))
        except (NotFoundError, ValueError):
            # A checkpoint is overwritten and deleted while we read; the next look sees more.
            return _Counts()
        # Results are records; a checkpoint wraps each finished one.
        records = data if isinstance(data, list) else [entry["record"] for entry in data.get("finished", ())]
        costs = [record.get("cost_usd") for record in records if record["outcome"] != "errored"]
        return _Counts(
            done=len(records),
            errored=sum(record["outcome"] == "errored" for record in records),
            cost_usd=sum(cost for cost in costs if cost is not None),
            unpriced=sum(cost is None for cost in costs),
        )
