"""Plan and results of an experiment -> everything that its report says: figures, recommendation, effects, cost."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from flywheel.domain.experiment import ExperimentPlan
from flywheel.domain.experiment_choice import Choice, choose
from flywheel.domain.experiment_effects import Effect, SeparatingItem, best_two, effects, separating
from flywheel.domain.experiment_measures import Measures, measure
from flywheel.domain.outcome import TrialRecord


@dataclass(frozen=True, slots=True)
class Spent:
    """What the search took. `grid_invocations`: what all trials of all configurations would have taken.

    `judgements`: answers held against one fact, repeats among them. `cost_usd` is of the agent's own tokens, without
    `unpriced` trials; None: no trial has a known price.
    """

    invocations: int
    grid_invocations: int
    judgements: int
    cost_usd: float | None
    unpriced: int


@dataclass(frozen=True, slots=True)
class ExperimentAnalysis:
    """`compared`: the best two in quality, whose items are in `separating`; None: fewer than two were scored."""

    measures: Measures
    choice: Choice
    effects: tuple[Effect, ...]
    compared: tuple[str, str] | None
    separating: tuple[SeparatingItem, ...]
    spent: Spent


def analyse(
    plan: ExperimentPlan,
    records: Mapping[str, Sequence[TrialRecord]],
    remaining: Collection[str],
    unfinished: str = "",
) -> ExperimentAnalysis:
    """Read the results by configuration.

    `remaining`: the configurations that the search did not stop. `unfinished`: why the experiment did not come to its
    end, in words; empty: it did.
    """
    names = [c.configuration_id for c in plan.configurations]
    measures = measure(plan.items, plan.policy.primary_metric, {n: records.get(n, ()) for n in names}, remaining)
    two = best_two(measures.figures, [name for name in names if name in remaining])
    figures = measures.figures.values()
    costs = [found.cost_usd for found in figures if found.cost_usd is not None]
    return ExperimentAnalysis(
        measures=measures,
        choice=choose(plan.file, plan.configurations, measures, remaining, unfinished),
        effects=effects(plan.file.dimensions, plan.configurations, measures.figures),
        compared=two,
        separating=separating(*two, measures.figures, plan.items) if two else (),
        spent=Spent(
            invocations=sum(found.trials for found in figures),
            grid_invocations=len(names) * len(plan.items) * plan.file.search.trials,
            judgements=sum(found.judgements for found in figures),
            cost_usd=fsum(costs) if costs else None,
            unpriced=sum(found.unpriced for found in figures),
        ),
    )
