"""Evaluators that Langfuse runs itself, and the rules that say on what: parts of its set-up that cost money."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cli.problems import CommandError
from cli.setup_rows import Found
from flywheel.domain.live_evaluators import (
    CORRECTNESS,
    HELPFULNESS,
    LIVE_SAMPLING,
    Evaluator,
    JudgeModel,
    Rule,
    differences,
    evaluator,
    experiment_rule,
    live_rule,
)
from flywheel.errors import NotFoundError
from flywheel.ports.evaluators import EvaluatorNotRunnableError, EvaluatorsNotOfferedError

if TYPE_CHECKING:
    from cli.facts import StackFacts
    from cli.setup_rows import Part
    from flywheel.ports.evaluators import EvaluatorStore, StandingRule

_MEND_MODEL = (
    "see that the LLM connection {!r} works (Langfuse: Settings > LLM Connections; its key is the judge's, its model "
    "must be one that the judge's address offers), then run this again"
)


@dataclass(frozen=True, slots=True)
class EvaluatorChoices:
    """What a person may choose; None: what stands stays, and where nothing stands our default is taken.

    `live_sampling`: share of live traces in (0, 1]. `live_model`: the model that judges them.
    """

    live_sampling: float | None = None
    live_model: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluatorPart:
    """`model_chosen`: the model was named just now. Else one that stands, of the same connection, is kept."""

    wanted: Evaluator
    model_chosen: bool
    store: "EvaluatorStore"
    part: str = "evaluator"

    @property
    def name(self) -> str:
        return self.wanted.name

    def look(self) -> Found:
        try:
            standing = self.store.evaluator(self.name)
        except EvaluatorsNotOfferedError as error:
            return Found("not offered", f"{error}: evaluators are left out, all else is as it should be")
        wanted = self._resolved(standing)
        if standing is None:
            return Found("create", f"asks {wanted.model.model if wanted.model else 'the default model'}")
        different = differences(wanted, standing)
        if not different:
            return Found("exists")
        return Found("change", f"{', '.join(different)}: the next version, Langfuse keeps the one before")

    def make(self) -> Found | None:
        return _guarded(self.wanted.model, lambda: self.store.save(self._resolved(self.store.evaluator(self.name))))

    def _resolved(self, standing: Evaluator | None) -> Evaluator:
        ours, theirs = self.wanted.model, standing.model if standing is not None else None
        keep = not self.model_chosen and ours is not None and theirs is not None and theirs.provider == ours.provider
        return replace(self.wanted, model=theirs) if keep else self.wanted


@dataclass(frozen=True, slots=True)
class RulePart:
    """`read`: gives the rule as it should be, None while what it is about is not there yet.

    `sampling_chosen`: the share was named just now. Else that of a rule which stands is kept.
    """

    name: str
    read: Callable[[], Rule | None]
    sampling_chosen: bool
    model: JudgeModel
    store: "EvaluatorStore"
    part: str = "evaluation rule"

    def look(self) -> Found:
        standing, wanted = self.store.rule(self.name), self.read()
        if standing is None or wanted is None:
            return Found("create", _about(wanted))
        different = differences(self._resolved(wanted, standing), standing.rule)
        if different:
            return Found("change", ", ".join(different))
        if standing.paused:
            return Found("differs", f"paused by Langfuse: {standing.paused}", _MEND_MODEL.format(self.model.provider))
        return Found("exists")

    def make(self) -> Found | None:
        standing, wanted = self.store.rule(self.name), self.read()
        if wanted is None:
            raise NotFoundError(f"what rule {self.name!r} is about is not there")
        if standing is None:
            return _guarded(self.model, lambda: self.store.create(wanted))
        changed = self._resolved(wanted, standing)
        return _guarded(self.model, lambda: self.store.change(standing.rule_id, changed))

    def _resolved(self, wanted: Rule, standing: "StandingRule") -> Rule:
        return wanted if self.sampling_chosen else replace(wanted, sampling=standing.rule.sampling)


def evaluator_parts(
    facts: "StackFacts",
    choices: EvaluatorChoices,
    provider: str,
    *,
    store: "EvaluatorStore",
    dataset_id: Callable[[str], str],
) -> "Iterator[Part]":
    """Each evaluator, then its rule. They need the connection `provider`, and the golden dataset."""
    judge = JudgeModel(provider, _judge_model(facts))
    live = replace(judge, model=choices.live_model or judge.model)

    def on_experiments() -> Rule | None:
        try:
            return experiment_rule(facts.dataset, dataset_id(facts.dataset))
        except NotFoundError:
            return None

    on_live = live_rule(facts.langfuse_environment, choices.live_sampling or LIVE_SAMPLING)
    named = experiment_rule(facts.dataset, "").name
    yield EvaluatorPart(evaluator(CORRECTNESS, judge), model_chosen=True, store=store)
    yield RulePart(named, on_experiments, sampling_chosen=False, model=judge, store=store)
    yield EvaluatorPart(evaluator(HELPFULNESS, live), model_chosen=choices.live_model is not None, store=store)
    chosen = choices.live_sampling is not None
    yield RulePart(on_live.name, lambda: on_live, sampling_chosen=chosen, model=live, store=store)


def models(facts: "StackFacts", choices: EvaluatorChoices) -> tuple[str, ...]:
    """Models that the connection must offer."""
    judge = _judge_model(facts)
    return (judge, choices.live_model) if choices.live_model not in (None, judge) else (judge,)


def _judge_model(facts: "StackFacts") -> str:
    if not facts.judge_base_url or not facts.judge_model_id:
        raise CommandError(f"stack {facts.stack} does not say where its judge is (JudgeBaseUrl, JudgeModelId)")
    return facts.judge_model_id


def _about(rule: Rule | None) -> str:
    if rule is None or rule.target == "experiment":
        return "judges every item of every experiment on the dataset"
    return f"judges {rule.sampling:.3g} of the live traces, without those of synthetic users"


def _guarded(model: JudgeModel | None, write: Callable[[], None]) -> Found | None:
    try:
        write()
    except EvaluatorNotRunnableError as error:
        return Found("refused", str(error), _MEND_MODEL.format(model.provider if model else ""))
    return None
