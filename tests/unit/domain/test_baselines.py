"""What a settled gate leaves for later ones, and which stored answers may stand for an arm."""

from dataclasses import replace

import pytest

from flywheel.domain.baselines import (
    MOST_TRIALS,
    Baseline,
    Conditions,
    baselines_of,
    dump_baseline,
    enough,
    load_baseline,
    stored_facts,
    stored_trials,
    tool_hash,
    trials_of,
)
from flywheel.domain.golden import dataset_hash, item_hash
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import ArmPlan, GatePlan, JudgeSpec, StoredArm, Trigger, dump_plan, load_plan
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Reason
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import answered, candidate_of, errored, golden

ITEMS = (golden("a"), golden("b"))
TOOLS = tool_hash("https://mcp.test/mcp")
NOW = Conditions("judge-1", TOOLS)
OLD, NEW = candidate_of("b"), candidate_of("a")


def plan(**more: object) -> GatePlan:
    made = GatePlan(
        gate_id="g-20260101t000000-01234567",
        environment="dev",
        trigger=Trigger("ecr", "event", "2026-01-01T00:00:00Z", "v1"),
        arms=(ArmPlan("candidate", NEW, "fw_c"), ArmPlan("incumbent", OLD, "fw_i")),
        incumbent_release=1,
        policy=GatePolicy(),
        dataset_name="golden",
        dataset_version="2026-01-01T00:00:00Z",
        dataset_hash=dataset_hash(ITEMS),
        items=ITEMS,
        judge=JudgeSpec("judge", "judge-1"),
        seed=1,
        tool_hash=TOOLS,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def baseline(*records: TrialRecord, gate: str = "g-1", **more: object) -> Baseline:
    made = Baseline(
        OLD.candidate_id, gate, dataset_hash(ITEMS), "judge-1", TOOLS, {i.item_id: item_hash(i) for i in ITEMS}, records
    )
    return replace(made, **more)  # type: ignore[arg-type]


def both_arms() -> list[TrialRecord]:
    return [answered(i.item_id, arm=arm) for i in ITEMS for arm in ("candidate", "incumbent")]


def test_a_settled_gate_leaves_the_trials_of_the_incumbent_that_it_invoked() -> None:
    (left,) = baselines_of(plan(), [*both_arms(), errored("a", trial=2, arm="incumbent")])

    assert (left.candidate_id, left.gate_id) == (OLD.candidate_id, "g-20260101t000000-01234567")
    assert [record.key.arm for record in left.records] == ["incumbent"] * 3
    assert left.records[-1].outcome == "errored"
    assert left.item_hashes == {item.item_id: item_hash(item) for item in ITEMS}
    assert (left.dataset_hash, left.judge_version, left.tool_hash) == (dataset_hash(ITEMS), "judge-1", TOOLS)


def test_the_trials_by_which_a_release_came_into_production_are_never_kept() -> None:
    first = plan(arms=(ArmPlan("candidate", NEW, "fw_c"),), incumbent_release=None)

    assert baselines_of(first, both_arms()) == ()
    # Nor when it is pushed again and could be promoted again.
    assert baselines_of(replace(first, incumbent_release=1, release_no=1), both_arms()) == ()


def test_a_gate_over_a_release_that_could_not_promote_leaves_its_candidates_trials() -> None:
    nightly = plan(arms=(ArmPlan("candidate", NEW, "fw_c"),), promote=False, release_no=1)

    (left,) = baselines_of(nightly, both_arms())

    assert left.candidate_id == NEW.candidate_id
    assert {record.key.arm for record in left.records} == {"candidate"}


def test_a_try_of_what_was_never_a_release_leaves_nothing_of_it() -> None:
    tried = plan(arms=(ArmPlan("candidate", NEW, "fw_c"),), promote=False)

    assert baselines_of(tried, both_arms()) == ()


def test_stored_answers_that_were_judged_again_are_not_stored_a_second_time() -> None:
    again = [replace(record, stored_from="g-0") for record in both_arms()]

    assert baselines_of(plan(), again) == ()


def test_a_plan_that_does_not_say_its_tools_leaves_nothing() -> None:
    assert baselines_of(plan(tool_hash=""), both_arms()) == ()


def test_a_baseline_survives_its_file_and_another_file_is_refused() -> None:
    it = baseline(answered("a"), errored("b"))

    assert load_baseline(dump_baseline(it)) == it
    with pytest.raises(InvalidRequestError, match="not a baseline"):
        load_baseline("[]")


def test_a_plan_with_stored_arms_survives_its_file() -> None:
    arm = StoredArm("anchor", OLD, 1, {"a": 3}, ("g-1",), "anchor-01234567")
    it = plan(stored=(arm,), notes=(Reason("incumbent_rerun", "why", items=("a",)),), release_no=2)

    assert load_plan(dump_plan(it)) == it
    assert [(key.item_id, key.trial, key.arm) for key in arm.answers()] == [("a", n, "anchor") for n in (1, 2, 3)]


def test_production_judges_itself_only_when_nothing_is_compared_with_it() -> None:
    alone = plan(arms=(ArmPlan("candidate", NEW, "fw_c"),))
    cached = replace(alone, stored=(StoredArm("incumbent", OLD, 1, {"a": 3}, ("g-1",), "f"),))

    assert [it.judges_production for it in (alone, cached, plan(), replace(alone, incumbent_release=None))] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"judge_version": "judge-2"}, "another judge"),
        ({"tool_hash": "x"}, "other tools"),
    ],
)
def test_outputs_are_of_no_use_once_judge_or_tools_differ(change: dict[str, str], why: str) -> None:
    then = baseline(*(answered("a", trial=n) for n in (1, 2, 3)), **change)

    assert why in (NOW.against(then) or "")
    assert stored_trials(ITEMS, [then], NOW, "incumbent") == ()


def test_nothing_changed_is_nothing_against() -> None:
    assert NOW.against(baseline(answered("a"))) is None


def test_item_by_item_an_unchanged_question_keeps_its_answers_in_a_dataset_that_grew() -> None:
    then = baseline(answered("a"), answered("b"))
    changed = replace(ITEMS[1], response_facts=("another fact",))

    found = stored_trials((ITEMS[0], changed, golden("c")), [then], NOW, "anchor")

    assert [(r.key.item_id, r.key.trial, r.key.arm) for r in found] == [("a", 1, "anchor")]


def test_at_most_ten_answers_of_an_item_are_taken_the_newest_first() -> None:
    old = baseline(*(answered("a", 0.0, trial=n) for n in range(1, 9)), gate="g-1")
    new = baseline(*(answered("a", 1.0, trial=n) for n in range(1, 9)), gate="g-2")

    found = stored_trials(ITEMS, [old, new], NOW, "incumbent")

    assert [record.key.trial for record in found] == list(range(1, MOST_TRIALS + 1))
    assert [record.stored_from for record in found] == ["g-2"] * 8 + ["g-1"] * 2


def test_an_errored_trial_is_no_answer_and_one_that_the_judge_failed_on_is() -> None:
    then = baseline(errored("a"), errored("a", "judge", trial=2), answered("a", trial=3))

    found = stored_trials(ITEMS, [then], NOW, "incumbent")

    assert [record.outcome for record in found] == ["errored", "answered"]


def test_the_failure_for_which_an_item_was_harvested_is_never_held_against_the_incumbent() -> None:
    item = replace(golden("a"), metadata={"source_trace_id": "t-1"})
    then = baseline(
        replace(answered("a", 0.0), trace_id="t-1"),
        replace(answered("a", 1.0, trial=2), trace_id="t-2"),
        item_hashes={"a": item_hash(item)},
    )

    found = stored_trials((item,), [then], NOW, "incumbent")

    assert [record.trace_id for record in found] == ["t-2"]


def test_items_with_too_few_answers_are_told_apart() -> None:
    records = [answered("a"), answered("a", trial=2), answered("b")]

    assert trials_of(enough(records, 2)) == {"a": 2}


def test_judgements_of_stored_answers_are_counted_fact_by_fact() -> None:
    two_facts = replace(golden("a"), response_facts=("one", "two"))
    arm = StoredArm("incumbent", OLD, 1, {"a": 3, "gone": 2}, ("g-1",), "f")

    assert stored_facts([two_facts], [arm]) == 6
