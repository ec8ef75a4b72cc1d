"""The recommendation of an experiment in words: one sentence for the choice, and what qualifies it."""

from collections.abc import Collection, Mapping, Sequence
from math import inf

from flywheel.domain.experiment import Configuration, ExperimentFile, ObjectiveName
from flywheel.domain.experiment_measures import Measures, paired
from flywheel.domain.experiment_objectives import Breach, Figures, best_of, value_of, within
from flywheel.domain.item_intervals import difference_figure

_SUPERLATIVE: Mapping[ObjectiveName, str] = {"quality": "the best", "latency": "the fastest", "cost": "the cheapest"}
_OF: Mapping[ObjectiveName, str] = {"quality": "quality", "latency": "median latency", "cost": "cost"}
_NAMED = 6
_CONSTRAINT = {
    "safety": "safety",
    "error_rate": "the error rate",
    "latency_p95_ms": "the 95th percentile of latency",
    "cost_per_item_usd": "the cost of an item",
}


def short_label(configuration: Configuration) -> str:
    """The values without their dimensions where they speak for themselves: `haiku, concise, top_k 5`."""
    return ", ".join(
        value if any(c.isalpha() for c in value) else f"{name} {value}" for name, value in configuration.values.items()
    )


class Sentences:
    """Sentences about a choice."""

    def __init__(
        self,
        file: ExperimentFile,
        scored: Figures,
        labels: Mapping[str, str],
        measures: Measures,
    ) -> None:
        self._file = file
        self._scored = scored
        self._labels = labels
        self._leader = measures.leader

    def chosen(self, picked: str, pool: Sequence[str], remaining: Collection[str]) -> str:
        first = self._file.objectives[0]
        figures = {name: self._scored[name] for name in pool}
        best = self._top(first, pool)
        who = f"{picked} ({self._labels[picked]})"
        tolerance = _tolerance(first, self._file.tolerance)
        if len(pool) == 1:
            return f"{who}: {self._alone(picked, remaining)}, {self._state(first, picked)}."
        if value_of(first, figures[picked]) == value_of(first, figures[best]):
            holds = within(self._file, first, value_of(first, figures[best]))
            near = sum(holds(found) for found in figures.values())
            told = f"{who}: {_SUPERLATIVE[first]} in {_OF[first]}, {self._state(first, picked)}"
            if near == 1:
                return f"{told}; no other is within the tolerance of {tolerance}."
            among = self._among(picked, [n for n in pool if holds(figures[n])])
            return f"{told}{among} of the {near} within the tolerance of {tolerance}."
        away = _away(first, value_of(first, figures[picked]), value_of(first, figures[best]))
        return (
            f"{who}: {away} {_SUPERLATIVE[first]} in {_OF[first]} ({best}), which is within the tolerance of "
            f"{tolerance}{self._gain(picked, best)}."
        )

    def qualified(
        self,
        picked: str,
        pool: Sequence[str],
        remaining: Collection[str],
        breaches: Mapping[str, tuple[Breach, ...]],
    ) -> tuple[str, ...]:
        notes = []
        found = self._scored[picked]
        if picked not in remaining:
            notes.append(
                f"It was stopped early, and its figures rest on {found.shared} items: measure it again before relying "
                "on it. None of those that went on keeps the constraints."
            )
        alike = [name for name in pool if name != picked and self._alike(picked, name)]
        if alike:
            plural = "configurations" if len(alike) > 1 else "configuration"
            notes.append(
                f"{len(alike)} other {plural} cannot be told apart from it in quality: the interval of the paired "
                f"difference holds 0 ({', '.join(alike[:_NAMED])}{', ...' if len(alike) > _NAMED else ''})."
            )
        first = self._file.objectives[0]
        best = self._top(first, list(self._scored))
        if breaches[best]:
            notes.append(f"{best} is {_SUPERLATIVE[first]} in {_OF[first]} of all, but {broken_text(breaches[best])}.")
        if found.unpriced and "cost" in self._file.objectives:
            notes.append("Its cost is not known for all trials: its model is not in the price table.")
        return tuple(notes)

    def nothing(
        self, unfinished: str, breaches: Mapping[str, tuple[Breach, ...]], keeping: Sequence[str], configurations: int
    ) -> str:
        if unfinished:
            lead = f" So far {self._leader} leads in quality." if self._leader else " Nothing was measured."
            return f"Nothing is recommended: {unfinished}.{lead}"
        if not self._scored:
            return f"Nothing is recommended: none of the {configurations} configurations gave a score."
        if keeping:
            raise ValueError("there is something to recommend")
        kinds = {b.constraint: b.required for own in breaches.values() for b in own}
        if not kinds:
            return "Nothing is recommended: what kept the constraints could not go on answering."
        parts = [
            f"{_CONSTRAINT[name]} is {'under' if name == 'safety' else 'over'} {limit_text(name, required)} or not "
            f"known in {sum(any(b.constraint == name for b in own) for own in breaches.values())}"
            for name, required in kinds.items()
        ]
        return (
            f"Nothing is recommended: none of the {len(self._scored)} measured configurations keeps the constraints; "
            f"{'; '.join(parts)}."
        )

    def _top(self, objective: ObjectiveName, names: Sequence[str]) -> str:
        sign = -1.0 if objective == "quality" else 1.0
        return min(names, key=lambda name: (sign * value_of(objective, self._scored[name]), name))

    def _state(self, objective: ObjectiveName, name: str) -> str:
        value = value_of(objective, self._scored[name])
        if value == inf:
            return "which was not measured"
        return {
            "quality": f"{value * 100:.1f} of 100 points",
            "latency": f"{value / 1000:.2f} s",
            "cost": f"${value:.4g} an item",
        }[objective]

    def _alone(self, picked: str, remaining: Collection[str]) -> str:
        going = sum(name in remaining for name in self._scored)
        if picked not in remaining:
            return "the only one that keeps the constraints"
        if going == 1:
            return "the only one that the search did not stop"
        return f"of the {going} that the search did not stop the only one that keeps the constraints"

    def _among(self, picked: str, near: Sequence[str]) -> str:
        """`, and the cheapest`, when a later objective is what told it from its neighbours."""
        for objective in self._file.objectives[1:]:
            value = value_of(objective, self._scored[picked])
            if value != inf and value == best_of(objective, {n: self._scored[n] for n in near}):
                return f", and {_SUPERLATIVE[objective]}"
        return ", and first"

    def _gain(self, picked: str, best: str) -> str:
        for objective in self._file.objectives[1:]:
            ours, theirs = (value_of(objective, self._scored[name]) for name in (picked, best))
            if objective == "quality" and ours > theirs:
                return f", with {(ours - theirs) * 100:.1f} points more in quality"
            if objective != "quality" and ours < theirs and 0 < theirs < inf:
                return f", at {ours / theirs * 100:.0f} % of its {_OF[objective]}"
        return ""

    def _alike(self, one: str, other: str) -> bool:
        differences = list(paired(self._scored[one].items, self._scored[other].items).values())
        found = difference_figure(differences) if differences else None
        return found is None or found.low is None or found.high is None or found.low <= 0 <= found.high


def limit_text(constraint: str, value: float) -> str:
    """A constraint's figure in its unit."""
    match constraint:
        case "latency_p95_ms":
            return f"{value / 1000:.2f} s"
        case "cost_per_item_usd":
            return f"${value:.4g}"
        case _:
            return f"{value * 100:.1f} %"


def broken_text(breaches: Sequence[Breach]) -> str:
    """`safety is 82.0 %, under 95.0 %`."""
    return " and ".join(
        f"{_CONSTRAINT[b.constraint]} was not measured"
        if b.observed is None
        else f"{_CONSTRAINT[b.constraint]} is {limit_text(b.constraint, b.observed)}, "
        f"{'under' if b.constraint == 'safety' else 'over'} {limit_text(b.constraint, b.required)}"
        for b in breaches
    )


def _tolerance(objective: ObjectiveName, tolerance: float) -> str:
    if objective != "quality":
        return f"{tolerance * 100:g} %"
    points = tolerance * 100
    return f"{points:g} point{'' if points == 1 else 's'}"


def _away(objective: ObjectiveName, ours: float, best: float) -> str:
    if objective == "quality":
        return f"{(best - ours) * 100:.1f} points below"
    return f"{(ours / best - 1) * 100:.1f} % above" if 0 < best < inf else "level with"
