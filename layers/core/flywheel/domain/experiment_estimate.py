"""What an experiment will take: invocations of each rung, judgements, money, time; before anything is deployed.

What successive halving takes depends on what it finds. So the search itself is run, over a few invented worlds whose
configurations differ as those of an agent may: expected figures are means over them, bounds are the search's own.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from flywheel.domain.experiment import Configuration, ExperimentBudget
from flywheel.domain.golden import GoldenItem
from flywheel.domain.prices import TYPICAL_JUDGEMENT, TYPICAL_TRIAL, PriceTable, cost_usd
from flywheel.domain.rungs import draw
from flywheel.domain.search import (
    Measurement,
    Search,
    SearchSettings,
    grid_invocations,
    largest_invocations,
)

WORLDS = 4
# A larger grid would take longer to simulate than anybody waits for a plan.
_LARGEST_SIMULATED = 12_000
_MOST_RUNGS = 50
# Of an invented world: mean and spread of the configurations' quality, and of the items' difficulty.
_QUALITY, _QUALITY_SPREAD, _DIFFICULTY_SPREAD = 0.75, 0.08, 0.2
# Generous figures of the demonstration agent on Bedrock: a trial with its judgements, starting runtimes, going from
# one rung to the next.
TYPICAL_TRIAL_S, _DEPLOY_S, _RUNG_S = 12.0, 90.0, 20.0


@dataclass(frozen=True, slots=True)
class RungEstimate:
    """`configurations` still in it and its invocations, as expected (means over the worlds that came so far)."""

    rung: int
    configurations: float
    invocations: float


@dataclass(frozen=True, slots=True)
class ExperimentEstimate:
    """`expected` and `most` invocations; `usd` and `judgements` go with the expected ones, `most_usd` with the most.

    `usd_by_model` has the agent's models and the judge's; those without a price are `unpriced`, and in no sum.
    `simulated`: worlds that the expectation rests on; 0: it is exact, or (`strategy` halving) the upper bound.
    """

    configurations: int
    items: int
    grid: int
    expected: int
    most: int
    rungs: tuple[RungEstimate, ...]
    judgements: int
    usd: float
    most_usd: float
    minutes: float
    simulated: int
    usd_by_model: Mapping[str, float] = field(default_factory=dict)
    unpriced: tuple[str, ...] = ()

    @property
    def share_of_grid(self) -> float:
        return self.expected / self.grid

    def above(self, budget: ExperimentBudget) -> list[str]:
        """What the experiment is expected to need more of than its budget allows, in words."""
        found = []
        if budget.usd is not None and self.usd > budget.usd:
            found.append(f"about ${self.usd:.2f}, the budget is ${budget.usd:.2f}")
        if budget.minutes is not None and self.minutes > budget.minutes:
            found.append(f"about {self.minutes:.0f} minutes, the budget is {budget.minutes:g}")
        return found


def estimate_experiment(
    settings: SearchSettings,
    configurations: Sequence[Configuration],
    items: Sequence[GoldenItem],
    prices: PriceTable,
    *,
    judge_model: str | None,
    at_once: int,
) -> ExperimentEstimate:
    """Estimate a search of these configurations. `at_once`: invocations at the same time over all shards."""
    simulated, rungs, by_configuration = _invocations(settings)
    expected = math.fsum(by_configuration.values())
    most = largest_invocations(settings)
    facts = {item.item_id: len(item.response_facts) for item in items}
    asked = [item_id for item_id, _ in settings.items]
    facts_each = math.fsum(facts[item_id] for item_id in asked) / len(asked)
    judgement = None if judge_model is None else cost_usd(prices, judge_model, TYPICAL_JUDGEMENT)
    trial = {one.configuration_id: cost_usd(prices, one.candidate.model_id, TYPICAL_TRIAL) for one in configurations}
    by_model: dict[str, float] = {}
    for one in configurations:
        each = trial[one.configuration_id]
        if each is not None:
            spent = each * by_configuration.get(one.configuration_id, 0.0)
            by_model[one.candidate.model_id] = by_model.get(one.candidate.model_id, 0.0) + spent
    if judge_model is not None and judgement is not None:
        by_model[judge_model] = by_model.get(judge_model, 0.0) + judgement * facts_each * expected
    models = {one.candidate.model_id for one in configurations} | ({judge_model} if judge_model else set())
    dearest = max((each for each in trial.values() if each is not None), default=0.0)
    seconds = (
        _DEPLOY_S
        + len(rungs) * _RUNG_S
        + math.fsum(math.ceil(rung.invocations / at_once) * TYPICAL_TRIAL_S for rung in rungs)
    )
    return ExperimentEstimate(
        configurations=len(configurations),
        items=len(asked),
        grid=grid_invocations(settings),
        expected=round(expected),
        most=most,
        rungs=rungs,
        judgements=round(expected * facts_each),
        usd=math.fsum(by_model.values()),
        most_usd=most * (dearest + facts_each * (judgement or 0.0)),
        minutes=seconds / 60,
        simulated=simulated,
        usd_by_model=by_model,
        unpriced=tuple(sorted(model for model in models if prices.price(model) is None)),
    )


def _invocations(settings: SearchSettings) -> tuple[int, tuple[RungEstimate, ...], dict[str, float]]:
    """Worlds simulated, the rungs, and invocations of each configuration."""
    names = settings.configurations
    most = largest_invocations(settings)
    if settings.strategy != "halving" or grid_invocations(settings) > _LARGEST_SIMULATED:
        asked = (
            len(names) if settings.strategy != "random" else math.ceil(most / (len(settings.items) * settings.trials))
        )
        return 0, (RungEstimate(1, asked, most),), dict.fromkeys(names, most / len(names))
    worlds = [_simulated(settings, world) for world in range(WORLDS)]
    by_configuration: Counter[str] = Counter()
    rungs = []
    for number in range(max(len(world) for world in worlds)):
        there = [world[number] for world in worlds if number < len(world)]
        for rung in there:
            by_configuration.update(rung)
        rungs.append(
            RungEstimate(
                number + 1,
                math.fsum(len(rung) for rung in there) / len(there),
                math.fsum(sum(rung.values()) for rung in there) / WORLDS,
            )
        )
    return WORLDS, tuple(rungs), {name: count / WORLDS for name, count in by_configuration.items()}


def _simulated(settings: SearchSettings, world: int) -> list[Counter[str]]:
    """Invocations of each configuration, rung by rung, of one search of an invented world."""

    def drawn(*what: object) -> float:
        return min(max(draw(settings.seed, "estimate", world, *what), 1e-9), 1 - 1e-9)

    qualities, difficulties = NormalDist(_QUALITY, _QUALITY_SPREAD), NormalDist(0, _DIFFICULTY_SPREAD)
    quality = {name: qualities.inv_cdf(drawn("quality", name)) for name in settings.configurations}
    difficulty = {item_id: difficulties.inv_cdf(drawn("difficulty", item_id)) for item_id, _ in settings.items}
    search, measurements, rungs = Search(settings), list[Measurement](), list[Counter[str]]()
    for _ in range(_MOST_RUNGS):
        step = search.next(measurements)
        if not step.assignments:
            break
        rungs.append(Counter(one.configuration for one in step.assignments))
        for one in step.assignments:
            right = (
                drawn(one.configuration, one.item_id, one.trial) < quality[one.configuration] + difficulty[one.item_id]
            )
            measurements.append(Measurement(one.configuration, one.item_id, one.trial, float(right)))
    return rungs
