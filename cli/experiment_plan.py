"""An experiment's file, and dataset, policy, production and prices of the moment -> what it would do and take."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.session import Session
from flywheel.domain.experiment import Configuration, ExperimentFile
from flywheel.domain.experiment_estimate import ExperimentEstimate, estimate_experiment
from flywheel.domain.experiment_search import chosen_items, search_settings
from flywheel.domain.experiment_space import Space
from flywheel.domain.prices import load_prices
from flywheel.errors import InvalidRequestError
from flywheel.evidence import GateEvidence
from flywheel.planning_inputs import PlanInputs, RefusedError
from flywheel.report.render import usd
from flywheel.report.text import one_line

# What may be spent without a budget in the file and without being asked.
_SMALL_USD = 5.0
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Preview:
    """`refused`: why the experiment would not start now; then there may be no space and no estimate."""

    file: ExperimentFile
    dataset: str
    items_by_slice: dict[str, int]
    space: Space | None = None
    estimate: ExperimentEstimate | None = None
    refused: tuple[str, ...] = ()

    def question(self) -> str | None:
        """What a person should agree to before it starts; None: nothing out of the ordinary."""
        if self.estimate is None:
            return None
        above = self.estimate.above(self.file.budget)
        if above:
            return f"It is expected to need {' and '.join(above)}: the search would end before it is sure."
        if self.file.budget.usd is None and self.estimate.usd > _SMALL_USD:
            return f"It is expected to cost about {usd(self.estimate.usd)}, and the file has no budget for money."
        return None

    def to_dict(self) -> dict[str, Any]:
        estimate, space = self.estimate, self.space
        return {
            "name": self.file.name,
            "dataset": self.dataset,
            "items": sum(self.items_by_slice.values()),
            "items_by_slice": self.items_by_slice,
            "strategy": self.file.search.strategy,
            "configurations": [] if space is None else [_as_dict(one) for one in space.configurations],
            "runtimes": {} if space is None else dict(Counter(one.runtime for one in space.configurations)),
            "estimate": None
            if estimate is None
            else asdict(estimate)
            | {"usd_by_model": dict(estimate.usd_by_model), "share_of_grid": estimate.share_of_grid},
            "asks_first": self.question(),
            "notes": [] if space is None else list(space.notes),
            "refused": list(self.refused),
        }


def _as_dict(one: Configuration) -> dict[str, Any]:
    return {"id": one.configuration_id, "values": one.values, "model": one.candidate.model_id, "runtime": one.runtime}


def preview_experiment(session: Session, file: ExperimentFile) -> Preview:
    """What starting this file now would do, from the same inputs as its planning."""
    name = file.dataset or session.facts.dataset
    inputs = PlanInputs(
        session.facts.mcp_url or "",
        images=session.images,
        datasets=session.dataset,
        prompts=session.prompts,
        parameters=session.settings,
        evidence=GateEvidence(session.objects),
    )
    by_slice: dict[str, int] = {}
    space = None
    try:
        items = chosen_items(file, inputs.snapshot(name).items)
        by_slice = dict(Counter(item.slice for item in items))
        policy = inputs.policy()
        space = inputs.space(file, session.releases.head())
        settings = search_settings(file, [one.configuration_id for one in space.configurations], items, policy)
    except RefusedError as error:
        return Preview(file, name, by_slice, space, refused=(error.reason.message,))
    except InvalidRequestError as error:
        return Preview(file, name, by_slice, space, refused=(str(error),))
    estimate = estimate_experiment(
        settings,
        space.configurations,
        items,
        load_prices(),
        judge_model=session.facts.judge_model_id,
        at_once=file.parallel * session.facts.trial_concurrency,
    )
    return Preview(file, name, by_slice, space, estimate)


def print_preview(console: Console, it: Preview) -> None:
    slices = ", ".join(f"{count} {name}" for name, count in it.items_by_slice.items())
    lines = [f"dataset         {it.dataset}: {sum(it.items_by_slice.values())} items ({slices})"]
    if it.space is not None:
        console.print(_configurations(it.space))
        sharing = ", ".join(f"{name}: {n}" for name, n in Counter(c.runtime for c in it.space.configurations).items())
        lines += [
            f"configurations  {len(it.space.configurations)}",
            f"runtimes        {len(it.space.runtimes)} ({sharing})",
        ]
    if it.estimate is not None:
        lines += _estimated(it.file, it.estimate)
    lines += [f"note            {one_line(note, 300)}" for note in (it.space.notes if it.space else ())]
    lines += [f"asks first      {question}" for question in [it.question()] if question]
    lines += [f"REFUSED         {one_line(why, 300)}" for why in it.refused]
    for text in lines:
        console.print(Text(text), highlight=False, soft_wrap=True)


def _configurations(space: Space) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    names = list(space.configurations[0].values)
    for column in ("id", *names, "model id", "runtime"):
        table.add_column(Text(column), overflow="fold")
    for one in space.configurations[:_SHOWN]:
        values = [Text(one_line(value, 40)) for value in one.values.values()]
        table.add_row(one.configuration_id, *values, Text(one_line(one.candidate.model_id, 60)), one.runtime)
    if len(space.configurations) > _SHOWN:
        table.add_row("...", Text(f"and {len(space.configurations) - _SHOWN} more"))
    return table


def _estimated(file: ExperimentFile, it: ExperimentEstimate) -> list[str]:
    share = f"{it.share_of_grid:.0%} of the full grid's {it.grid}"
    rungs = [
        f"  rung {rung.rung:<2}       about {rung.configurations:.0f} configurations, {rung.invocations:.0f} trials"
        for rung in it.rungs
    ]
    how = f", the mean of {it.simulated} simulated searches" if it.simulated else ""
    dearest = sorted(it.usd_by_model.items(), key=lambda spent: -spent[1])
    spent = ", ".join(f"{model} {usd(cost)}" for model, cost in dearest)
    lines = [
        f"search          {file.search.strategy}; {it.items} items count, {file.search.trials} trials each in the grid",
        *rungs,
        f"invocations     about {it.expected}, {share}; {it.most} at most{how}",
        f"judgements      about {it.judgements}",
        f"cost            about {usd(it.usd)} ({spent}); {usd(it.most_usd)} at most",
        f"time            about {max(1, round(it.minutes))} min",
    ]
    if it.unpriced:
        lines.append(f"no price        {', '.join(it.unpriced)}: not in the sums; add them to prices.json")
    return lines
