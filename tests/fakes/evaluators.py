"""Evaluators and rules of Langfuse, in memory; and what every such store must do."""

from dataclasses import replace

import pytest

from flywheel.domain.live_evaluators import (
    HELPFULNESS,
    Condition,
    Evaluator,
    JudgeModel,
    Rule,
    differences,
    evaluator,
    live_rule,
)
from flywheel.errors import ConflictError, NotFoundError
from flywheel.ports.evaluators import (
    EvaluatorNotRunnableError,
    EvaluatorsNotOfferedError,
    EvaluatorStore,
    StandingRule,
)

MODEL = JudgeModel("flywheel-judge", "small")


class InMemoryEvaluators:
    """`runnable`: models that its connections offer. `offered` False: a server without this API."""

    def __init__(self, *runnable: JudgeModel, offered: bool = True) -> None:
        self.runnable, self.offered = set(runnable), offered
        self.versions: dict[str, list[Evaluator]] = {}
        self.rules: dict[str, Rule] = {}

    def evaluator(self, name: str) -> Evaluator | None:
        self._check_offered()
        return self.versions[name][-1] if name in self.versions else None

    def save(self, evaluator: Evaluator) -> None:
        self._check_runnable(evaluator)
        self.versions.setdefault(evaluator.name, []).append(evaluator)

    def rule(self, name: str) -> StandingRule | None:
        self._check_offered()
        found = next(((rule_id, rule) for rule_id, rule in self.rules.items() if rule.name == name), None)
        if found is None:
            return None
        current = self.versions[found[1].evaluator][-1]
        return StandingRule(*found, "" if current.model in self.runnable else "its model is gone")

    def create(self, rule: Rule) -> None:
        if self.rule(rule.name) is not None:
            raise ConflictError(f"there is a rule {rule.name!r}")
        self._put(f"rule-{len(self.rules) + 1}", rule)

    def change(self, rule_id: str, rule: Rule) -> None:
        self._check_offered()
        if rule_id not in self.rules:
            raise NotFoundError(rule_id)
        self._put(rule_id, rule)

    def _put(self, rule_id: str, rule: Rule) -> None:
        current = self.evaluator(rule.evaluator)
        if current is None:
            raise NotFoundError(rule.evaluator)
        self._check_runnable(current)
        self.rules[rule_id] = rule

    def _check_offered(self) -> None:
        if not self.offered:
            raise EvaluatorsNotOfferedError("no API of evaluators")

    def _check_runnable(self, evaluator: Evaluator) -> None:
        self._check_offered()
        if evaluator.model not in self.runnable:
            raise EvaluatorNotRunnableError(f"no connection offers {evaluator.model}")


class EvaluatorStoreContract:
    """`store`: an empty one whose connections offer `MODEL` alone."""

    def test_what_was_saved_is_read_back_and_differs_in_nothing(self, store: EvaluatorStore) -> None:
        ours = evaluator(HELPFULNESS, MODEL)
        assert store.evaluator(HELPFULNESS) is None
        store.save(ours)
        assert store.evaluator(HELPFULNESS) == ours

    def test_the_newest_version_counts(self, store: EvaluatorStore) -> None:
        ours = evaluator(HELPFULNESS, MODEL)
        store.save(ours)
        store.save(replace(ours, prompt="{{question}} {{answer}}", minimum=None, maximum=5.0))
        found = store.evaluator(HELPFULNESS)
        assert found is not None
        assert differences(ours, found) == ("prompt", "minimum", "maximum")

    def test_an_evaluator_without_its_model_is_not_kept(self, store: EvaluatorStore) -> None:
        for model in (None, replace(MODEL, model="another"), replace(MODEL, provider="nobody")):
            with pytest.raises(EvaluatorNotRunnableError):
                store.save(replace(evaluator(HELPFULNESS, MODEL), model=model))
        assert store.evaluator(HELPFULNESS) is None

    def test_a_rule_is_made_once_and_changed_as_a_whole(self, store: EvaluatorStore) -> None:
        store.save(evaluator(HELPFULNESS, MODEL))
        wanted = live_rule("prod", 0.25)
        assert store.rule(wanted.name) is None
        store.create(wanted)
        with pytest.raises(ConflictError):
            store.create(wanted)
        found = store.rule(wanted.name)
        assert found is not None
        assert (differences(wanted, found.rule), found.paused) == ((), "")
        other = replace(
            wanted,
            conditions=(Condition("stringObject", "metadata", "=", "a", "team"),),
            sources=tuple(replace(source, json_path="") for source in wanted.sources),
            sampling=1.0,
            enabled=False,
        )
        store.change(found.rule_id, other)
        again = store.rule(wanted.name)
        assert again is not None
        assert (again.rule_id, differences(other, again.rule)) == (found.rule_id, ())

    def test_a_rule_of_nobody_and_a_rule_that_is_gone_are_not_found(self, store: EvaluatorStore) -> None:
        with pytest.raises(NotFoundError):
            store.create(live_rule("prod"))
        store.save(evaluator(HELPFULNESS, MODEL))
        with pytest.raises(NotFoundError):
            store.change("no-such-rule", live_rule("prod"))
