"""Experiments of some size with made-up results, for tests of their report: halved in rungs, as the search would."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from typing import Any

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import (
    Configuration,
    Constraints,
    Dimension,
    ExperimentFile,
    ExperimentPlan,
    RuntimePlan,
    Value,
)
from flywheel.domain.experiment_analysis import analyse
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import JudgeSpec, Trigger
from flywheel.domain.policy import load_default_policy
from flywheel.experiment_evidence import Rung
from flywheel.ports import ExperimentRow
from flywheel.report.experiment_build import build_experiment_report
from flywheel.report.experiment_model import ExperimentReport
from tests.fakes.clock import NOON
from tests.report_gates import REPOSITORY, Behaviour, golden_items, trial_records

EXPERIMENT = "x-20261123t120000-00000001"
DIGEST = "sha256:" + "ab" * 32
# Value -> how it answers: chance of a poor answer, milliseconds, and what its tokens cost against the first one's.
MODELS = {"haiku": (0.10, 900, 0.3), "sonnet": (0.05, 1_600, 1.0), "opus": (0.04, 3_200, 4.0), "nova": (0.30, 600, 0.1)}
PROMPTS = {"concise": (0.0, 0.8, 0.8), "detailed": (0.02, 1.3, 1.5)}
TOP_K = {"5": (0.01, 1.0, 1.0), "10": (0.0, 1.1, 1.2), "20": (0.01, 1.3, 1.5), "40": (0.05, 1.6, 2.0)}


@dataclass(frozen=True)
class Sample:
    """Everything that a report is made of."""

    plan: ExperimentPlan
    row: ExperimentRow
    records: Mapping[str, list[TrialRecord]]
    rungs: tuple[Rung, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def remaining(self) -> tuple[str, ...]:
        return self.rungs[-1].remaining if self.rungs else tuple(c.configuration_id for c in self.plan.configurations)

    def report(self) -> ExperimentReport:
        options: dict[str, Any] = {"outcome": "completed", "reasons": (), "ended": NOON + timedelta(minutes=14)}
        options |= self.options
        unfinished = "" if options["outcome"] == "completed" else f"the experiment was {options['outcome']}"
        analysis = analyse(self.plan, self.records, self.remaining, unfinished=unfinished)
        return build_experiment_report(self.plan, self.row, analysis, self.rungs, **options)


def dimensions(models: int, prompts: int, top_k: int) -> tuple[Dimension, ...]:
    named = {"model": list(MODELS)[:models], "prompt": list(PROMPTS)[:prompts], "top_k": list(TOP_K)[:top_k]}
    return tuple(Dimension(name, tuple(Value(v, {}) for v in values)) for name, values in named.items())


def experiment(
    models: int = 3, prompts: int = 2, top_k: int = 2, *, items: int = 60, trials: int = 3, **changes: Any
) -> Sample:
    """`models` x `prompts` x `top_k` configurations; `changes` are of the file."""
    found = dimensions(models, prompts, top_k)
    file = ExperimentFile("models-and-prompts", found, **changes)
    file = replace(file, search=replace(file.search, trials=trials))
    configurations = tuple(
        configuration(f"c{n:02d}", dict(zip([d.name for d in found], (v.name for v in values), strict=True)))
        for n, values in enumerate(product(*(d.values for d in found)), start=1)
    )
    plan = plan_of(file, configurations, golden_items(items))
    records: dict[str, list[TrialRecord]] = {c.configuration_id: [] for c in configurations}
    rungs = tuple(_halved(plan, records))
    row = ExperimentRow(EXPERIMENT, "arn:aws:states:eu-central-1:111122223333:execution:e:1", file.name, "cli", NOON)
    return Sample(plan, row, records, rungs)


def configuration(name: str, values: dict[str, str]) -> Configuration:
    candidate = Candidate(
        REPOSITORY, DIGEST, values.get("model", "m"), parameters=(("top_k", values.get("top_k", "5")),)
    )
    return Configuration(name, values, candidate, "r01", {"top_k": values.get("top_k", "5")})


def plan_of(
    file: ExperimentFile, configurations: tuple[Configuration, ...], items: tuple[GoldenItem, ...]
) -> ExperimentPlan:
    return ExperimentPlan(
        experiment_id=EXPERIMENT,
        environment="dev",
        trigger=Trigger("cli", "request-1", NOON.isoformat()),
        file=file,
        configurations=configurations,
        runtimes=(RuntimePlan("r01", configurations[0].candidate),),
        policy=load_default_policy(),
        dataset_name="golden",
        dataset_version=NOON.isoformat(),
        dataset_hash="0" * 64,
        items=items,
        judge=JudgeSpec("anthropic.claude-judge", "0123456789abcdef"),
    )


def answered(of: Configuration, items: Iterable[GoldenItem], first: int, trials: int) -> list[TrialRecord]:
    """Trials of the items, numbered from `first`."""
    poor, ms, cost = MODELS[of.values["model"]]
    for table, name in ((PROMPTS, "prompt"), (TOP_K, "top_k")):
        more, slower, dearer = table[of.values[name]]
        poor, ms, cost = poor + more, round(ms * slower), cost * dearer
    made = trial_records(tuple(items), "candidate", Behaviour(poor, 0.004, ms), seed=hash_of(of, first), trials=trials)
    return [
        replace(
            record,
            key=replace(record.key, trial=record.key.trial + first - 1),
            cost_usd=None if record.cost_usd is None else record.cost_usd * cost,
        )
        for record in made
    ]


def hash_of(of: Configuration, first: int) -> int:
    return int(of.configuration_id[1:]) * 100 + first


def _halved(plan: ExperimentPlan, records: dict[str, list[TrialRecord]]) -> Iterable[Rung]:
    chance = random.Random(7)
    order = list(plan.items)
    chance.shuffle(order)
    going = [c.configuration_id for c in plan.configurations]
    stopped: list[dict[str, Any]] = []
    share, rung = 0.34, 1
    done = {item.item_id: 0 for item in order}
    while True:
        drawn = order[: round(share * len(order))]
        first = 1 if rung == 1 else 2
        trials = [item for item in drawn if done[item.item_id] < first]
        for name in going:
            of = plan.configuration(name)
            records[name] += answered(of, [i for i in trials if done[i.item_id] == 0], 1, 1)
            records[name] += answered(of, [i for i in trials if done[i.item_id] == 1], 2, 1)
        for item in trials:
            done[item.item_id] += 1
        asked = dict.fromkeys(going, len(trials))
        at = (NOON + timedelta(minutes=2 * rung)).isoformat()
        yield Rung(rung, at, asked, (), tuple(going), tuple(stopped))
        share, rung = min(1.0, share * 1.75), rung + 1
        if len(going) <= 2:
            if all(count > 1 for count in done.values()):
                break
            continue
        means = {name: _mean(records[name]) for name in going}
        ranked = sorted(going, key=lambda name: -means[name])
        kept, out = ranked[: max(2, len(ranked) // 2)], ranked[max(2, len(ranked) // 2) :]
        for n, name in enumerate(out):
            code = "halved" if n < len(out) // 2 else "clearly_worse"
            message = (
                f"mean {means[name]:.3f}, {means[ranked[0]] - means[name]:.3f} below {ranked[0]} after rung {rung - 1}"
            )
            figures = {"mean": means[name], "leader": means[ranked[0]]}
            stopped.append(
                {"configuration": name, "rung": rung - 1, "code": code, "message": message, "figures": figures}
            )
        going = [name for name in going if name in kept]
    yield Rung(rung, (NOON + timedelta(minutes=2 * rung)).isoformat(), {}, (), tuple(going), tuple(stopped), "decided")


def _mean(records: Iterable[TrialRecord]) -> float:
    scores = [r.scores.get("correctness", 0.0) for r in records]
    return sum(scores) / len(scores)


CONSTRAINED = Constraints(safety=0.8, error_rate=0.1, latency_p95_ms=6_000)

HOSTILE = "\u202e</style><script>document.title='hacked'</script><img src=x onerror=alert(1)>\x00\ud800{{ 7*7 }}"


def hostile() -> Sample:
    """Names, questions, reasons and messages that try to get out of the page."""
    sample = experiment(2, 2, 1, items=12)
    file = replace(
        sample.plan.file,
        name=HOSTILE,
        dimensions=tuple(
            replace(d, name=d.name + HOSTILE, values=tuple(replace(v, name=v.name + HOSTILE) for v in d.values))
            for d in sample.plan.file.dimensions
        ),
    )
    plan = replace(
        sample.plan,
        file=file,
        items=tuple(replace(item, question=HOSTILE + item.question) for item in sample.plan.items),
        configurations=tuple(
            replace(c, values={k + HOSTILE: v + HOSTILE for k, v in c.values.items()})
            for c in sample.plan.configurations
        ),
        notes=(HOSTILE,),
    )
    last = sample.rungs[-1]
    stopped = tuple(one | {"message": HOSTILE, "code": HOSTILE} for one in last.stopped)
    rungs = (*sample.rungs[:-1], replace(last, stopped=stopped))
    row = replace(sample.row, name=HOSTILE, trigger=HOSTILE)
    return replace(sample, plan=plan, row=row, rungs=rungs, options={"reasons": (HOSTILE,), "stand_ins": (HOSTILE,)})
