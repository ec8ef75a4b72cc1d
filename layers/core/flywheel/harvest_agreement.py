"""How far online scores and the gate's judge agree with people -> `agreement/latest.json`, kept up to date."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flywheel.domain.agreement import Agreement, compare
from flywheel.domain.live_form import CORRECTION, SaidScore, TypedReview
from flywheel.domain.review import load_reviews
from flywheel.domain.review_form import SAMPLED_SCORE
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.ports import ObjectStore

LATEST = "agreement/latest.json"
PAIRS = "agreement/pairs.json"
# The metric under which the judge of gates stands beside the online scores.
GATE_JUDGE = "gate_judge"
_MOST_GATES = 50

type Pairs = Mapping[str, tuple[bool, bool]]


def pairs_of(scores: Iterable[SaidScore], review: TypedReview, pass_at: float) -> Pairs:
    """Metric -> (it lets the answer pass, people do); none while people have not said whether the answer is right."""
    if review.failed is None:
        return {}
    found: dict[str, tuple[bool, bool]] = {}
    for score in sorted(scores, key=lambda score: score.at):
        is_metric = not score.people and score.data_type != CORRECTION and score.name != SAMPLED_SCORE
        if is_metric and isinstance(score.value, bool | int | float) and 0 <= score.value <= 1:
            found[score.name] = float(score.value) >= pass_at, not review.failed
    return found


class AgreementBook:
    """What was said of each trace is kept by trace, so that looking again counts nothing twice."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def latest(self) -> dict[str, Any] | None:
        return self._read(LATEST)

    def update(self, seen: Mapping[str, Pairs], *, pass_at: float, most: int, at: str) -> dict[str, Any]:
        """Add what this run has seen; give metric -> figures. Nothing is written when nothing changed."""
        stored: dict[str, Any] = self._read(PAIRS) or {}
        new = {trace: {name: list(pair) for name, pair in pairs.items()} for trace, pairs in seen.items() if pairs}
        together = {trace: pairs for trace, pairs in stored.items() if trace not in seen or new.get(trace) == pairs}
        # New ones come last: the oldest are the first to go.
        together |= {trace: pairs for trace, pairs in new.items() if trace not in together}
        together = dict(list(together.items())[-most:])
        by_metric: dict[str, list[tuple[bool, bool]]] = {}
        for pairs in together.values():
            for name, (metric, people) in pairs.items():
                by_metric.setdefault(name, []).append((metric, people))
        if gates := self._gates(pass_at):
            by_metric[GATE_JUDGE] = gates
        figures = {name: figures_of(compare(pairs)) for name, pairs in sorted(by_metric.items())}
        if together != stored:
            self._store.put(PAIRS, json.dumps(together).encode())
        before = self.latest()
        if before is None or before["metrics"] != figures:
            self._store.put(LATEST, json.dumps({"version": 1, "at": at, "metrics": figures}).encode())
        return figures

    def _gates(self, pass_at: float) -> list[tuple[bool, bool]]:
        pairs: list[tuple[bool, bool]] = []
        for key in self._store.keys("reviews/")[-_MOST_GATES:]:
            try:
                reviews = load_reviews(self._store.read(key))
            except (InvalidRequestError, NotFoundError):
                continue  # it says nothing about the judge, and keeps nothing else from its end
            pairs += [(review.judge_score >= pass_at, review.human_score >= pass_at) for review in reviews]
        return pairs

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._store.read(key))
        except NotFoundError:
            return None
        return found


def figures_of(agreement: Agreement) -> dict[str, Any]:
    """`kappa` None: people let all answers pass, or none, and nothing tells agreement from chance."""
    kappa = agreement.kappa()
    return {
        "answers": agreement.answers,
        "agreed": agreement.agreed,
        "metric_only": agreement.judge_only,
        "people_only": agreement.people_only,
        "kappa": None if kappa is None else [kappa.low, kappa.value, kappa.high],
    }


def lines_of(figures: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """For people: one line a metric."""
    lines = []
    for name, found in figures.items():
        kappa = found["kappa"]
        said = "kappa not to be told yet" if kappa is None else f"kappa {kappa[1]:.2f} [{kappa[0]:.2f}, {kappa[2]:.2f}]"
        lines.append(f"{name}: {found['agreed']} of {found['answers']} agree, {said}")
    return lines
