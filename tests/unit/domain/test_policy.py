from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.policy import (
    GatePolicy,
    apply_overrides,
    for_baseline,
    load_default_policy,
    parse_policy,
    policy_to_dict,
)
from flywheel.errors import InvalidRequestError

shares = st.floats(0, 1)
policies = st.builds(
    GatePolicy,
    primary_metric=st.sampled_from(["correctness", "refusal"]),
    max_trials=st.none() | st.integers(1, 100),
    minima=st.dictionaries(st.sampled_from(["correctness", "trajectory"]), shares),
    slice_minima=st.dictionaries(
        st.sampled_from(["happy_path", "edge_case"]), st.dictionaries(st.just("correctness"), shares)
    ),
    margin=st.floats(0.001, 1),
    latency_p95_ms=st.none() | st.integers(1, 100_000),
    cost_per_item_usd=st.none() | st.floats(0, 10),
    trajectory_mode=st.sampled_from(["exact", "in_order", "any_order"]),
    stop_when_certain=st.booleans(),
)


def problems_of(data: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse_policy(data)
    return str(caught.value)


def test_the_packaged_policy_is_the_default_written_out_with_minima() -> None:
    packaged = load_default_policy()
    assert replace(packaged, minima={}, slice_minima={}) == GatePolicy()
    assert packaged.minima == {"correctness": 0.75}
    assert packaged.slice_minima == {
        "happy_path": {"correctness": 0.7},
        "edge_case": {"correctness": 0.6},
        "adversarial": {"correctness": 0.7},
    }


def test_an_empty_file_is_the_default() -> None:
    assert parse_policy({}) == GatePolicy()


@given(policies)
def test_every_policy_survives_its_file_form(policy: GatePolicy) -> None:
    assert parse_policy(policy_to_dict(policy)) == policy


def test_everything_that_is_wrong_is_named_at_once() -> None:
    message = problems_of(
        {
            "marginn": 1,
            "margin": 2,
            "max_trials": 1.5,
            "minimum_items": True,
            "maximum_error_rate": "5 %",
            "primary_metric": "beauty",
            "minima": {"beauty": 0.5, "correctness": -1},
            "slice_minima": {"production": {"correctness": 1}, "edge_case": {"correctness": None}, "adversarial": 3},
            "trajectory_mode": "fuzzy",
            "choice_scores": {"A": 1},
            "stop_when_certain": 1,
            "latency_p95_ms": 0,
            "cost_per_item_usd": float("nan"),
        }
    )
    for part in (
        "unknown key 'marginn'",
        "margin is 2; expected 0.001 to 1",
        "max_trials is a number; expected a whole number",
        "minimum_items is true or false",
        "maximum_error_rate is text",
        "primary_metric is 'beauty'",
        "minima names the unknown metric 'beauty'",
        "minima.correctness is -1",
        "slice_minima names the unknown slice 'production'",
        "slice_minima.edge_case.correctness is null",
        "slice_minima.adversarial is a number",
        "trajectory_mode is 'fuzzy'",
        "choice_scores must give a score to each of the choices A, B, C, D, E",
        "stop_when_certain is a number; expected true or false",
        "latency_p95_ms is 0",
        "cost_per_item_usd is nan",
    ):
        assert part in message


@pytest.mark.parametrize("data", [None, [], "policy", 1])
def test_what_is_no_object_is_no_policy(data: Any) -> None:
    assert "a policy is a JSON object" in problems_of(data)


@pytest.mark.parametrize("key", ["minima", "slice_minima", "choice_scores"])
@pytest.mark.parametrize("value", [None, 1, [], "x"])
def test_a_map_of_the_wrong_type_is_an_error(key: str, value: Any) -> None:
    assert key in problems_of({key: value})


def test_more_trials_must_not_be_asked_to_pass_than_there_are() -> None:
    assert "must_pass_k is 2, more than must_pass_n, which is 1" in problems_of({"must_pass_k": 2})
    assert parse_policy({"must_pass_k": 2, "must_pass_n": 3}).must_pass_n == 3


def test_a_version_of_another_age_is_refused() -> None:
    assert "version is 2" in problems_of({"version": 2})


def test_a_budget_may_be_switched_off() -> None:
    policy = parse_policy({"latency_p95_ms": None, "cost_per_item_usd": None})
    assert (policy.latency_p95_ms, policy.cost_per_item_usd) == (None, None)


def test_huge_values_do_not_make_huge_messages() -> None:
    assert len(problems_of({"trajectory_mode": "x" * 1_000_000})) < 300


def test_overrides_replace_values_and_merge_maps() -> None:
    changed = apply_overrides(
        load_default_policy(),
        {"margin": 0.2, "minima": {"trajectory": 0.5}, "slice_minima": {"edge_case": {"refusal": 1}}},
    )
    assert changed.margin == 0.2
    assert changed.minima == {"correctness": 0.75, "trajectory": 0.5}
    assert changed.slice_minima["edge_case"] == {"correctness": 0.6, "refusal": 1}
    assert changed.slice_minima["happy_path"] == {"correctness": 0.7}


def test_null_removes_an_entry_of_a_map_and_switches_a_budget_off() -> None:
    changed = apply_overrides(
        load_default_policy(),
        {"minima": {"correctness": None}, "slice_minima": {"edge_case": None}, "latency_p95_ms": None},
    )
    assert changed.minima == {}
    assert "edge_case" not in changed.slice_minima
    assert changed.latency_p95_ms is None


def test_no_overrides_change_nothing_and_leave_the_default_alone() -> None:
    default = GatePolicy()
    assert apply_overrides(default, {}) == default
    apply_overrides(default, {"minima": {"refusal": 1.0}})
    assert default == GatePolicy()


@pytest.mark.parametrize("partial", [None, [], "x"])
def test_overrides_that_are_no_object_are_an_error(partial: Any) -> None:
    with pytest.raises(InvalidRequestError, match="overrides are a JSON object"):
        apply_overrides(GatePolicy(), partial)


def test_overrides_are_checked_like_a_policy() -> None:
    with pytest.raises(InvalidRequestError, match="unknown key 'maximum'"):
        apply_overrides(GatePolicy(), {"maximum": 1})
    with pytest.raises(InvalidRequestError, match="minima is a number"):
        apply_overrides(GatePolicy(), {"minima": 3})
    with pytest.raises(InvalidRequestError, match="must_pass_k is 3"):
        apply_overrides(replace(GatePolicy(), must_pass_n=2), {"must_pass_k": 3})


def test_an_error_rate_that_neither_passes_nor_fails_needs_room() -> None:
    assert "refuted_error_rate is 0.05; it must be below maximum_error_rate" in problems_of(
        {"refuted_error_rate": 0.05}
    )


def test_a_reliability_of_more_trials_than_there_are_is_refused() -> None:
    assert "reliability_k is 3, more than max_trials, which is 2" in problems_of({"reliability_k": 3, "max_trials": 2})
    assert parse_policy({"reliability_k": 3}).reliability_k == 3


@pytest.mark.parametrize(("items", "trials"), [(1, 12), (40, 12), (83, 9), (120, 6), (300, 3), (100_000, 2)])
def test_the_cap_follows_the_size_of_the_dataset(items: int, trials: int) -> None:
    assert GatePolicy().trials_cap(items) == trials


def test_a_cap_that_is_written_down_holds_and_more_trials_come_on_top() -> None:
    assert GatePolicy(max_trials=4).trials_cap(120) == 4
    assert GatePolicy(max_trials=4, on_inconclusive="more_trials", more_trials=2).trials_cap(120) == 6


def test_a_baseline_waits_for_its_trials_and_gates_nothing_more() -> None:
    policy = for_baseline(GatePolicy(max_trials=2, incumbent="cached"), 5)
    assert (policy.reliability_k, policy.minimum_reliability, policy.max_trials) == (5, 0.0, 5)
    assert policy.incumbent == "rerun"
    gated = for_baseline(GatePolicy(reliability_k=8, minimum_reliability=0.9), 5)
    assert (gated.reliability_k, gated.minimum_reliability, gated.trials_cap(300)) == (8, 0.9, 8)
