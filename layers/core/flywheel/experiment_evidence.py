"""Where an experiment's evidence lies in the bucket; its configurations lie as gates do (`evidence.folder`)."""

import json
from dataclasses import dataclass
from typing import Any

from flywheel.domain.experiment import ExperimentPlan, dump_experiment, load_experiment
from flywheel.domain.late_scores import LateState, dump_late, load_late
from flywheel.errors import NotFoundError
from flywheel.ports import ObjectStore

# What the search calls a configuration whose runtime or results could not be had.
FAILED_TO_DEPLOY = "failed_to_deploy"


def file_key(name: str) -> str:
    """Key of an experiment's file: by the name it was saved under, or by the hash of its content."""
    return f"experiment-files/{name}.json"


def experiment_plan_key(experiment_id: str) -> str:
    return f"experiments/{experiment_id}/plan.json"


def rung_key(experiment_id: str, rung: int) -> str:
    """Key of what the search asked for in that rung, and whom it had stopped by then; written once."""
    return f"experiments/{experiment_id}/rungs/{rung:03d}.json"


def late_scores_key(experiment_id: str) -> str:
    """Key of what Langfuse's own evaluators said, as far as it was there when the report was made."""
    return f"experiments/{experiment_id}/late-scores.json"


def experiment_report_key(experiment_id: str, kind: str) -> str:
    """`kind` is `json` or `html`."""
    return f"experiments/{experiment_id}/report.{kind}"


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung as it was asked for. `assigned`: trials by configuration; `shards`: pointers as (run id, key).

    `stopped`: configuration, rung, code, message and figures of each that is out; `finished`: why the search is over
    (such a rung has no shards), None while it goes on.
    """

    rung: int
    asked_at: str
    assigned: dict[str, int]
    shards: tuple[tuple[str, str], ...]
    remaining: tuple[str, ...]
    stopped: tuple[dict[str, Any], ...]
    finished: str | None = None


class ExperimentEvidence:
    """The files of experiments, typed."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write_plan(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Write the plan once; give the plan that stands."""
        key = experiment_plan_key(plan.experiment_id)
        if self._store.create(key, dump_experiment(plan).encode()):
            return plan
        return load_experiment(self._store.read(key))

    def plan(self, experiment_id: str) -> ExperimentPlan:
        """Raise `NotFoundError` when the experiment was never planned."""
        return load_experiment(self._store.read(experiment_plan_key(experiment_id)))

    def planned(self, experiment_id: str) -> ExperimentPlan | None:
        try:
            return self.plan(experiment_id)
        except NotFoundError:
            return None

    def write_rung(self, experiment_id: str, rung: Rung) -> Rung:
        """Write it once; give the one that stands."""
        body = {
            "rung": rung.rung,
            "asked_at": rung.asked_at,
            "assigned": rung.assigned,
            "shards": [list(pointer) for pointer in rung.shards],
            "remaining": list(rung.remaining),
            "stopped": list(rung.stopped),
            "finished": rung.finished,
        }
        if self._store.create(rung_key(experiment_id, rung.rung), json.dumps(body, allow_nan=False).encode()):
            return rung
        standing = self.rung(experiment_id, rung.rung)
        return rung if standing is None else standing

    def rung(self, experiment_id: str, rung: int) -> Rung | None:
        try:
            data = json.loads(self._store.read(rung_key(experiment_id, rung)))
        except NotFoundError:
            return None
        return Rung(
            rung=data["rung"],
            asked_at=data["asked_at"],
            assigned=data["assigned"],
            shards=tuple((run, key) for run, key in data["shards"]),
            remaining=tuple(data["remaining"]),
            stopped=tuple(data["stopped"]),
            finished=data["finished"],
        )

    def rungs(self, experiment_id: str) -> list[Rung]:
        """All that were asked for so far, in order."""
        keys = sorted(self._store.keys(f"experiments/{experiment_id}/rungs/"))
        numbers = [int(key.rpartition("/")[2].removesuffix(".json")) for key in keys]
        return [rung for number in numbers if (rung := self.rung(experiment_id, number)) is not None]

    def file(self, name: str) -> bytes:
        """Raise `NotFoundError` when no file was saved under that name."""
        return self._store.read(file_key(name))

    def save_file(self, name: str, body: bytes) -> None:
        self._store.put(file_key(name), body, "application/json")

    def late_scores(self, experiment_id: str) -> LateState | None:
        """None: they were never asked for."""
        try:
            return load_late(self._store.read(late_scores_key(experiment_id)))
        except NotFoundError:
            return None

    def write_late_scores(self, experiment_id: str, state: LateState) -> None:
        self._store.put(late_scores_key(experiment_id), dump_late(state).encode())

    def write_report(self, experiment_id: str, data: str, page: str) -> str:
        """Write `report.json` and `report.html`, again where there are earlier ones; give the page's key."""
        self._store.put(experiment_report_key(experiment_id, "json"), data.encode())
        key = experiment_report_key(experiment_id, "html")
        self._store.put(key, page.encode(), "text/html; charset=utf-8")
        return key

    def report(self, experiment_id: str) -> bytes:
        """The text of `report.json`. Raise `NotFoundError` when there is none."""
        return self._store.read(experiment_report_key(experiment_id, "json"))
