"""A small experiment: one image, two models, two prompts; four configurations on one runtime."""

from collections.abc import Sequence
from typing import Any

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import Configuration, Dimension, ExperimentFile, ExperimentPlan, RuntimePlan, Value
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.plan import Trigger
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.instrument import judge_spec

EXPERIMENT = "x-20261123t120000-00000001"
DIGEST = "sha256:" + "a" * 64
PROMPT = "Answer in one sentence. " * 100
BASE = Candidate("repo/agent", DIGEST, "model-small", parameters=(("temperature", 0.2),))
DIMENSIONS = (
    Dimension("model", (Value("small", {"model_id": "model-small"}), Value("large", {"model_id": "model-large"}))),
    Dimension("prompt", (Value("none", {}), Value("long", {"system_prompt": PROMPT}))),
)


def items(number: int = 4) -> tuple[GoldenItem, ...]:
    return tuple(GoldenItem(f"i-{n:03}", f"Question {n}?", response_facts=(f"fact of {n}",)) for n in range(number))


def configurations() -> tuple[Configuration, ...]:
    made: list[Configuration] = []
    for model in DIMENSIONS[0].values:
        for prompt in DIMENSIONS[1].values:
            settings = dict(model.settings) | dict(prompt.settings)
            parameters = {"temperature": 0.2} | {k: v for k, v in settings.items() if k == "system_prompt"}
            made.append(
                Configuration(
                    f"c{len(made) + 1:02}",
                    {"model": model.name, "prompt": prompt.name},
                    Candidate("repo/agent", DIGEST, str(settings["model_id"]), parameters=tuple(parameters.items())),
                    "r01",
                    settings,
                )
            )
    return tuple(made)


def experiment_plan(of: Sequence[GoldenItem] = items(), **file: Any) -> ExperimentPlan:
    policy = GatePolicy()
    return ExperimentPlan(
        experiment_id=EXPERIMENT,
        environment="dev",
        trigger=Trigger("cli", "request-1", "2026-11-23T12:00:00+00:00"),
        file=ExperimentFile("models", DIMENSIONS, **file),
        configurations=configurations(),
        runtimes=(RuntimePlan("r01", BASE),),
        policy=policy,
        dataset_name="golden",
        dataset_version="2026-11-23T11:00:00+00:00",
        dataset_hash=dataset_hash(of),
        items=tuple(of),
        judge=judge_spec("judge-1", policy.choice_scores),
    )
