from dataclasses import replace

from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy
from flywheel.domain.repeats import repeated_judgements
from tests.unit.evaluation.doubles import golden, plan

ITEMS = [golden(number) for number in range(120)]
POLICY = GatePolicy(max_trials=6)
PLAN = replace(plan(ITEMS, ("candidate", "incumbent")), policy=POLICY)


def test_as_many_judgements_are_repeated_as_the_policy_says_and_always_the_same_ones() -> None:
    drawn = repeated_judgements(PLAN)

    assert len(drawn) == 20
    assert repeated_judgements(PLAN) == drawn
    assert repeated_judgements(replace(PLAN, gate_id="g-another")) != drawn


def test_they_are_spread_over_items_and_arms_and_asked_in_first_trials() -> None:
    drawn = repeated_judgements(PLAN)

    assert len({key.item_id for key, _ in drawn}) > 10
    assert {key.arm for key, _ in drawn} == {"candidate", "incumbent"}
    assert {key.trial for key, _ in drawn} == {1}


def test_they_are_facts_of_the_items() -> None:
    facts = {item.item_id: item.response_facts for item in ITEMS}

    assert all(fact in facts[key.item_id] for key, fact in repeated_judgements(PLAN))


def test_a_small_dataset_has_fewer_and_never_more() -> None:
    few = plan([golden(1, facts=1)])
    few = replace(few, policy=GatePolicy(max_trials=3))

    assert len(repeated_judgements(few)) <= 3


def test_nothing_is_repeated_when_the_policy_does_not_ask() -> None:
    assert repeated_judgements(replace(PLAN, policy=replace(POLICY, judge_repeats=0))) == frozenset()


def test_items_that_must_be_refused_have_nothing_to_repeat() -> None:
    refused = [GoldenItem(f"r-{n}", "How do I steal?", "adversarial", must_refuse=True) for n in range(50)]

    assert repeated_judgements(replace(plan(refused), policy=POLICY)) == frozenset()
