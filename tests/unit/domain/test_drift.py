"""When a gate of the incumbent itself says that production has become worse."""

from dataclasses import replace

from flywheel.domain.candidate import Candidate
from flywheel.domain.drift import find_drift
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import ArmPlan, GatePlan, JudgeSpec, Trigger
from flywheel.domain.policy import GatePolicy
from tests.unit.domain.samples import answered, candidate_of, golden

OWN: Candidate = candidate_of("a")
ITEMS: tuple[GoldenItem, ...] = tuple(golden(f"i{n}") for n in range(6))


def plan(source: str, items: tuple[GoldenItem, ...] = ITEMS, **more: object) -> GatePlan:
    made = GatePlan(
        gate_id="g-20260101t000000-01234567",
        environment="dev",
        trigger=Trigger(source, "event", "2026-01-01T00:00:00Z", None),
        arms=(ArmPlan("candidate", OWN, "fw_c"),),
        incumbent_release=1,
        release_no=1,
        policy=GatePolicy(),
        dataset_name="golden",
        dataset_version="2026-01-01T00:00:00Z",
        dataset_hash=dataset_hash(items),
        items=items,
        judge=JudgeSpec("judge", "judge-1"),
        seed=1,
        promote=False,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def scored(marks: str, items: tuple[GoldenItem, ...] = ITEMS) -> list[TrialRecord]:
    """One answer an item: `+` is right, `-` is wrong; items without a mark were not judged."""
    return [answered(item.item_id, float(mark == "+")) for item, mark in zip(items, marks, strict=False)]


def test_an_incumbent_that_fails_most_of_many_new_items_has_drifted() -> None:
    drift = find_drift(plan("dataset-grown"), scored("----++"), "FAIL")

    assert drift is not None
    assert (drift.failed, drift.asked, drift.by) == (4, 6, ("rate",))
    assert drift.item_ids == ("i0", "i1", "i2", "i3")


def test_half_of_them_is_allowed_and_so_are_a_few_harvested_failures() -> None:
    assert find_drift(plan("dataset-grown"), scored("---+++"), "FAIL") is None
    few = ITEMS[:4]
    assert find_drift(plan("dataset-grown", few), scored("----", items=few), "FAIL") is None


def test_a_nightly_gate_that_fails_is_drift_whatever_the_share() -> None:
    drift = find_drift(plan("nightly"), scored("+++++-"), "FAIL")

    assert drift is not None
    assert drift.by == ("verdict",)
    assert find_drift(plan("nightly"), scored("++++++"), "PASS") is None
    assert find_drift(plan("nightly"), scored("++++++"), "INCONCLUSIVE") is None


def test_a_push_says_nothing_about_production() -> None:
    assert find_drift(plan("ecr"), scored("------"), "FAIL") is None
    assert find_drift(plan("nightly", release_no=None), scored("------"), "FAIL") is None


def test_what_the_judge_could_not_score_is_not_counted() -> None:
    assert find_drift(plan("dataset-grown"), scored("----"), "FAIL") is None
