"""Figures of configurations -> which one is recommended, and in which order they are listed.

The first objective decides; the next ones decide among those within the tolerance of its best. The tolerance is of the
estimates: were all that cannot be told apart from the best let in, few trials would let in everything, and the
cheapest would win for want of evidence. What cannot be told apart is said beside the recommendation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from flywheel.domain.experiment import Configuration, ExperimentFile
from flywheel.domain.experiment_measures import Measures
from flywheel.domain.experiment_objectives import Breach, Figures, best_of, breaches_of, pareto, value_of, within
from flywheel.domain.experiment_sentences import Sentences, short_label


@dataclass(frozen=True, slots=True)
class Choice:
    """`recommended` None: nothing is; `sentence` says why either way.

    `order`: every configuration, as the report lists them: the recommended one, those that keep the constraints by
    quality, those that do not, those without a score. `notes` qualify the sentence.
    """

    recommended: str | None
    sentence: str
    notes: tuple[str, ...]
    order: tuple[str, ...]
    front: tuple[str, ...]
    breaches: Mapping[str, tuple[Breach, ...]]


def choose(
    file: ExperimentFile,
    configurations: Sequence[Configuration],
    measures: Measures,
    remaining: Collection[str],
    *,
    unfinished: str = "",
    failed: Collection[str] = (),
) -> Choice:
    """Recommend one of the configurations, or say why none is.

    `remaining`: those that the search did not stop. `unfinished`: why the experiment did not come to its end; then
    nothing is recommended. `failed`: those that could not go on answering, whatever they had answered until then.
    """
    figures = measures.figures
    scored = {c.configuration_id: f for c in configurations if (f := figures.get(c.configuration_id)) and f.quality}
    breaches = {name: breaches_of(file.constraints, found) for name, found in scored.items()}
    keeping = [name for name in scored if not breaches[name] and name not in failed]
    pool = [name for name in keeping if name in remaining] or keeping
    picked = _pick(file, {name: scored[name] for name in pool}) if pool and not unfinished else None
    labels = {c.configuration_id: short_label(c) for c in configurations}
    says = Sentences(file, scored, labels, measures)
    if picked is not None:
        sentence, notes = says.chosen(picked, pool, remaining), says.qualified(picked, pool, remaining, breaches)
    else:
        sentence, notes = says.nothing(unfinished, breaches, keeping, len(configurations)), ()
    ranked = sorted(
        (c.configuration_id for c in configurations),
        key=lambda name: (
            name != picked,
            name not in scored,
            bool(breaches.get(name)),
            -value_of("quality", scored[name]) if name in scored else 0.0,
            name,
        ),
    )
    return Choice(picked, sentence, notes, tuple(ranked), pareto({n: scored[n] for n in keeping}), breaches)


def _pick(file: ExperimentFile, figures: Figures) -> str:
    left = dict(figures)
    for objective in file.objectives:
        holds = within(file, objective, best_of(objective, left))
        left = {name: found for name, found in left.items() if holds(found)}
    first = file.objectives[0]
    sign = -1.0 if first == "quality" else 1.0
    return min(left, key=lambda name: (sign * value_of(first, left[name]), name))
