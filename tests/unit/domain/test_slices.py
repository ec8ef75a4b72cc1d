from flywheel.domain.slices import SMALL, plan_slices


def items(**counts: int) -> dict[str, str]:
    return {f"{name}-{n}": name for name, count in counts.items() for n in range(count)}


def test_a_slice_with_room_is_certified_by_itself() -> None:
    plan = plan_slices(items(a=12, b=12), 6, 8)
    assert plan.group == {"a": "a", "b": "b"}
    assert plan.items == {"a": 12, "b": 12}


def test_slices_that_are_too_small_are_certified_together() -> None:
    plan = plan_slices(items(a=12, b=3, c=3), 6, 8)
    assert plan.group == {"a": "a", "b": SMALL, "c": SMALL}
    assert plan.groups == [SMALL, "a"]


def test_small_slices_that_are_too_few_together_are_only_refuted() -> None:
    plan = plan_slices(items(a=12, b=2), 6, 8)
    assert plan.group == {"a": "a", "b": None}


def test_a_dataset_of_small_slices_is_certified_as_a_whole_and_one_slice_as_itself() -> None:
    assert plan_slices(items(a=2, b=2), 2, 8).group == {"a": SMALL, "b": SMALL}
    assert plan_slices(items(a=2), 2, 8).group == {"a": "a"}
