"""One trial, finished -> what Langfuse shows of it: an item of the arm's experiment, its judgements, its scores."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from flywheel.domain.candidate import Parameter
from flywheel.domain.experiment import parts_of_run
from flywheel.domain.golden_item import GoldenItem, asked, expected_output
from flywheel.domain.outcome import Arm, FactScore, TrialKey, TrialRecord
from flywheel.domain.plan import ArmPlan, GatePlan
from flywheel.evaluation import identity
from flywheel.evaluation.ports import Score, Span

_VALUE_LIMIT = 2_000  # of one metadata value; a prompt kept in a parameter may be long
_PARAMETER_LIMIT = 200  # of one parameter of an experiment's configuration
_COMMENT_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Timings:
    """When a trial ran, in nanoseconds since 1970: `answered_ns` ends the invocation, `ended_ns` its judgements."""

    started_ns: int
    answered_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """The Langfuse experiment of one arm; all shards of the gate write to the same one.

    `dataset_id` is Langfuse's id of the dataset, empty when it could not be asked for: items are then not linked.
    """

    gate_id: str
    arm: Arm
    dataset_id: str
    dataset_version: str
    environment: str
    release: str
    metadata: Mapping[str, str]
    words: str = ""

    @property
    def experiment_id(self) -> str:
        return identity.experiment_id(self.gate_id, self.arm)

    @property
    def name(self) -> str:
        return self.labels.experiment_name

    @property
    def labels(self) -> identity.Labels:
        return identity.labels(self.gate_id, self.arm, self.words)

    def membership(self, key: TrialKey) -> dict[str, str]:
        """Attributes that make a span the item of this experiment: of a trial's root span, and of no other one.

        Langfuse shows description and metadata of any span that carries the experiment's id, and counts every span at
        level ERROR that carries it: one span a trial says all of it, and an errored trial counts once. The spans below
        it, the agent's among them, belong to the item by their trace.
        """
        attributes = {
            "langfuse.experiment.id": self.experiment_id,
            "langfuse.experiment.name": self.name,
            "langfuse.experiment.description": self.labels.description,
            "langfuse.experiment.metadata": _json(self.metadata),
            "langfuse.experiment.item.id": key.item_id,
            "langfuse.experiment.item.root_observation_id": identity.root_span_id(self.gate_id, key),
        }
        if self.dataset_id:
            attributes["langfuse.experiment.dataset.id"] = self.dataset_id
            attributes["langfuse.experiment.item.version"] = self.dataset_version
        return attributes

    def common(self) -> dict[str, str]:
        """Attributes of every span of a trial; the agent's take them from the baggage."""
        attributes = {"langfuse.environment": self.environment}
        if parts_of_run(self.gate_id) is not None:
            # Configurations share a runtime, so it cannot know the release; the agent takes it from here.
            attributes["langfuse.release"] = self.release
        return attributes


def experiments(plan: GatePlan, *, dataset_id: str, environment: str) -> dict[Arm, Experiment]:
    """One experiment for each arm of the plan."""
    return {
        arm.arm: Experiment(
            gate_id=plan.gate_id,
            arm=arm.arm,
            dataset_id=dataset_id,
            dataset_version=plan.dataset_version,
            environment=environment,
            release=arm.candidate.candidate_id,
            metadata=_about(plan, arm),
            words=arm.words,
        )
        for arm in plan.arms
    }


def traceparent(gate_id: str, key: TrialKey) -> str:
    """W3C header that puts the agent's spans under the trial's root span."""
    return f"00-{identity.trace_id(gate_id, key)}-{identity.root_span_id(gate_id, key)}-01"


def baggage(experiment: Experiment) -> str:
    """W3C baggage of each request: some hundred bytes of the 8,192 that AgentCore takes, whatever the item is."""
    return ",".join(f"{name}={quote(value, safe='')}" for name, value in experiment.common().items())


def spans_of(experiment: Experiment, item: GoldenItem, record: TrialRecord, timings: Timings) -> list[Span]:
    """The item's root span, and one evaluator span for each judged fact under it."""
    gate_id, key = experiment.gate_id, record.key
    trace, root = identity.trace_id(gate_id, key), identity.root_span_id(gate_id, key)
    labels = experiment.labels
    common = experiment.common()
    error = record.error
    spans = [
        Span(
            trace_id=trace,
            span_id=root,
            parent_id=None,
            name=labels.trace_name,
            start_ns=timings.started_ns,
            end_ns=timings.ended_ns,
            failed=f"{error.stage}: {error.kind}: {error.message}"[:_COMMENT_LIMIT] if error else None,
            attributes=common
            | experiment.membership(key)
            | {
                "langfuse.trace.name": labels.trace_name,
                "langfuse.trace.tags": labels.tags,
                "langfuse.release": experiment.release,
                "session.id": identity.session_id(gate_id, key),
                "langfuse.observation.input": _json(asked(item)),
                **_answer(record),
                "langfuse.experiment.item.expected_output": _json(expected_output(item)),
                "langfuse.experiment.item.metadata": _json({"slice": item.slice, "origin": item.origin}),
                "langfuse.observation.metadata.outcome": record.outcome,
                "langfuse.observation.metadata.trial": str(key.trial),
                "langfuse.observation.metadata.slice": item.slice,
                **{f"langfuse.observation.metadata.{name}": value for name, value in experiment.metadata.items()},
            },
        )
    ]
    spans += [
        Span(
            trace_id=trace,
            span_id=identity.fact_span_id(gate_id, key, position),
            parent_id=root,
            name="fact coverage",
            start_ns=timings.answered_ns,
            end_ns=timings.ended_ns,
            observation_type="evaluator",
            attributes=common
            | {
                "langfuse.observation.input": _json({"fact": fact.fact}),
                "langfuse.observation.output": _json(_about_fact(fact)),
            },
        )
        for position, fact in enumerate(record.facts)
    ]
    return spans


def scores_of(experiment: Experiment, record: TrialRecord) -> list[Score]:
    """Every score of one trial: its outcome, each metric, and what it took. An errored trial has its outcome only."""
    gate_id, key, error = experiment.gate_id, record.key, record.error
    about: dict[str, Any] = {**experiment.labels.about, "trial": key.trial}

    def score(name: str, value: float | str, comment: str | None = None, **more: Any) -> Score:
        return Score(
            score_id=identity.score_id(gate_id, key, name),
            name=name,
            value=value,
            data_type="CATEGORICAL" if isinstance(value, str) else "NUMERIC",
            trace_id=identity.trace_id(gate_id, key),
            observation_id=identity.root_span_id(gate_id, key),
            comment=comment,
            metadata=about | more,
            environment=experiment.environment,
        )

    why = f"{error.stage}: {error.kind}: {error.message}"[:_COMMENT_LIMIT] if error else None
    scores = [score("outcome", record.outcome, why)]
    for name, value in sorted(record.scores.items()):
        if name == "correctness" and record.facts:
            facts = [{"fact": fact.fact, **_about_fact(fact)} for fact in record.facts]
            scores.append(score(name, value, _comment(record.facts), facts=facts))
        else:
            scores.append(score(name, value))
    if record.latency_ms is not None:
        scores.append(score("latency_ms", record.latency_ms))
    if record.cost_usd is not None:
        scores.append(score("cost_usd", record.cost_usd))
    if record.usage.model_calls:
        scores.append(score("tokens", record.usage.input_tokens + record.usage.output_tokens))
    return scores


def score_names(record: TrialRecord) -> frozenset[str]:
    """Names of the scores that must be readable on the trial's trace before a verdict is published.

    It is the rule by which `scores_of` writes them, so that whoever reads back asks for exactly what was sent.
    """
    names = {"outcome", *record.scores}
    names |= {"latency_ms"} if record.latency_ms is not None else set()
    names |= {"cost_usd"} if record.cost_usd is not None else set()
    names |= {"tokens"} if record.usage.model_calls else set()
    return frozenset(names)


def _about(plan: GatePlan, arm: ArmPlan) -> dict[str, str]:
    candidate, parameters = arm.candidate, dict(arm.candidate.parameters)
    if parts_of_run(plan.gate_id) is not None:
        # Many configurations are compared by these: a long prompt would hide the others.
        parameters = {name: _shortened(value) for name, value in parameters.items()}
    prompt = f"{candidate.prompt_name} version {candidate.prompt_version}" if candidate.prompt_name else ""
    about = {
        **identity.labels(plan.gate_id, arm.arm).about,
        **{f"hyperparameter_{name}": value for name, value in arm.values.items()},
        "candidate": candidate.candidate_id,
        "digest": candidate.image_digest,
        "model": candidate.model_id,
        "prompt": prompt,
        "parameters": _json(parameters),
        "dataset": plan.dataset_name,
        "dataset_version": plan.dataset_version,
        "judge": f"{plan.judge.model_id} {plan.judge.version}",
    }
    return {name: value[:_VALUE_LIMIT] for name, value in about.items() if value}


def _shortened(value: Parameter) -> Parameter:
    if isinstance(value, str) and len(value) > _PARAMETER_LIMIT:
        return value[:_PARAMETER_LIMIT] + "..."
    return value


def _answer(record: TrialRecord) -> dict[str, str]:
    """The answer as text, which is what people read and correct; the rest of the reply is metadata."""
    about = {
        "stop_reason": record.stop_reason,
        "trajectory": _json([call.tool for call in record.trajectory]),
        "usage": _json(asdict(record.usage)),
    }
    if record.error is not None:
        about["error"] = _json({"stage": record.error.stage, "kind": record.error.kind})
    metadata = {f"langfuse.observation.metadata.{name}": value for name, value in about.items()}
    # Who was never answered has no output: an empty one would look like an answer of the agent's.
    answered = record.error is None or record.answer
    return {"langfuse.observation.output": record.answer} | metadata if answered else metadata


def _about_fact(fact: FactScore) -> dict[str, Any]:
    return {"choice": fact.choice, "score": fact.score, "rationale": fact.rationale[:_VALUE_LIMIT]}


def _comment(facts: tuple[FactScore, ...]) -> str:
    return "\n".join(f"{fact.choice} {fact.score:g}: {fact.fact}" for fact in facts)[:_COMMENT_LIMIT]


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
