"""Baselines in the evidence bucket: written once by the gate that made them, read by the gates that come after it."""

from flywheel.domain.baselines import Baseline, dump_baseline, load_baseline
from flywheel.ports import ObjectStore

_PREFIX = "baselines/"


def baseline_key(candidate_id: str, gate_id: str) -> str:
    return f"{_PREFIX}{candidate_id}/{gate_id}.json"


class Baselines:
    """The stored outputs of all configurations."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, baseline: Baseline) -> None:
        """Write once: a repeated look leaves what is there."""
        self._store.create(baseline_key(baseline.candidate_id, baseline.gate_id), dump_baseline(baseline).encode())

    def gates(self, candidate_id: str | None = None) -> dict[str, list[str]]:
        """Candidate id -> gates that left outputs of it, the newest first; of one configuration, or of all."""
        prefix = _PREFIX if candidate_id is None else f"{_PREFIX}{candidate_id}/"
        found: dict[str, list[str]] = {}
        for key in reversed(self._store.keys(prefix)):
            of, _, name = key.removeprefix(_PREFIX).partition("/")
            found.setdefault(of, []).append(name.removesuffix(".json"))
        return found

    def read(self, candidate_id: str, gate_id: str) -> Baseline:
        return load_baseline(self._store.read(baseline_key(candidate_id, gate_id)))
