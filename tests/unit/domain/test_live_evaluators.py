"""Evaluators as data: each variable has a source, names meet no score of ours, synthetic users are left out."""

import re
from dataclasses import replace

import pytest

from flywheel.domain.live_evaluators import (
    CORRECTNESS,
    HELPFULNESS,
    Condition,
    JudgeModel,
    Rule,
    differences,
    evaluator,
    experiment_rule,
    live_rule,
)
from flywheel.domain.metrics import METRICS
from flywheel.domain.own_traffic import tags_of_own
from flywheel.domain.review_form import LIVE_FORM
from flywheel.domain.synthetic import SYNTHETIC_TAG

MODEL = JudgeModel("flywheel-judge", "small")
RULES = [experiment_rule("golden", "d-1"), live_rule("prod")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.evaluator)
def test_each_variable_of_the_prompt_has_exactly_one_source(rule: Rule) -> None:
    asked = set(re.findall(r"\{\{(\w+)\}\}", evaluator(rule.evaluator, MODEL).prompt))
    assert sorted(asked) == sorted(source.variable for source in rule.sources)


def test_only_the_rule_of_experiments_sees_what_was_expected() -> None:
    sources = {rule.target: {source.source for source in rule.sources} for rule in RULES}
    assert sources == {"experiment": {"input", "expected_output", "output"}, "observation": {"input", "output"}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.evaluator)
def test_the_answer_is_the_whole_output_which_is_text(rule: Rule) -> None:
    assert [(one.source, one.json_path) for one in rule.sources if one.variable == "answer"] == [("output", "")]


def test_their_scores_are_told_from_those_of_the_gate_and_of_people() -> None:
    assert not {CORRECTNESS, HELPFULNESS} & {*METRICS, *(score.name for score in LIVE_FORM)}


def test_live_traces_of_synthetic_users_are_not_judged() -> None:
    assert Condition("arrayOptions", "tags", "none of", (SYNTHETIC_TAG, *tags_of_own())) in live_rule("prod").conditions


def test_differences_are_named_and_the_order_of_lists_is_none() -> None:
    wanted = live_rule("prod")
    turned = replace(wanted, conditions=wanted.conditions[::-1], sources=wanted.sources[::-1])
    assert differences(wanted, turned) == ()
    assert differences(wanted, replace(wanted, sampling=0.5, enabled=False)) == ("sampling", "enabled")
    ours = evaluator(HELPFULNESS, MODEL)
    assert differences(ours, replace(ours, prompt="another", model=None)) == ("prompt", "model")
