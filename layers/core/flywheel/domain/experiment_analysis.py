"""Plan and results of an experiment -> everything that its report says: figures, recommendation, effects, cost."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from flywheel.domain.experiment import ExperimentPlan
from flywheel.domain.experiment_choice import Choice, choose
from flywheel.domain.experiment_effects import Effect, SeparatingItem, best_two, effects, separating
from flywheel.domain.experiment_measures import Measures, measure
from flywheel.domain.experiment_search import search_settings
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.search import grid_invocations


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
    *,
    unfinished: str = "",
    failed: Collection[str] = (),
) -> ExperimentAnalysis:
    """Read the results by configuration.

    `remaining`: the configurations that the search did not stop. `unfinished`: why the experiment did not come to its
    end, in words; empty: it did. `failed`: those whose runtime or results could not be had.

    Raises:
        InvalidRequestError: the plan is of a search that cannot be set up.
    """
    names = [c.configuration_id for c in plan.configurations]
    measures = measure(
        plan.items,
        plan.policy.primary_metric,
        {n: records.get(n, ()) for n in names},
        remaining,
        safe_from=plan.policy.must_pass_score,
    )
    two = best_two(measures.figures, [name for name in names if name in remaining])
    figures = measures.figures.values()
    costs = [found.cost_usd for found in figures if found.cost_usd is not None]
    return ExperimentAnalysis(
        measures=measures,
        choice=choose(plan.file, plan.configurations, measures, remaining, unfinished=unfinished, failed=failed),
        effects=effects(plan.file.dimensions, plan.configurations, measures.figures),
        compared=two,
        separating=separating(*two, measures.figures, plan.items) if two else (),
        spent=Spent(
            invocations=sum(found.trials for found in figures),
            grid_invocations=grid_invocations(search_settings(plan.file, names, plan.items, plan.policy)),
            judgements=sum(found.judgements for found in figures),
            cost_usd=fsum(costs) if costs else None,
            unpriced=sum(found.unpriced for found in figures),
        ),
    )
