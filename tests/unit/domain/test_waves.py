import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.gate import Pair
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm
from flywheel.domain.policy import GatePolicy
from flywheel.domain.waves import gate_items, must_pass_pairs, plan_shards
from tests.unit.domain.samples import golden

BOTH: tuple[Arm, ...] = ("candidate", "incumbent")
some_pairs = st.lists(st.builds(Pair, st.sampled_from("abcdefgh"), st.integers(1, 4)), max_size=30, unique=True)


@given(some_pairs, st.sampled_from([("candidate",), BOTH]), st.integers(1, 40))
def test_every_line_is_in_one_shard_and_both_arms_of_a_pair_stand_together(
    pairs: list[Pair], arms: tuple[Arm, ...], most: int
) -> None:
    shards = plan_shards(pairs, arms, most, "g-1", 2)
    lines = [line for shard in shards for line in shard.lines]
    assert len(lines) == len(pairs) * len(arms)
    assert {(line.item_id, line.trial, line.arm) for line in lines} == {
        (p.item_id, p.trial, a) for p in pairs for a in arms
    }
    sizes = [len(shard.lines) for shard in shards]
    assert len(shards) <= most
    assert all(sizes)
    assert not sizes or max(sizes) - min(sizes) <= len(arms)
    for shard in shards:
        width = len(arms)
        for start in range(0, len(shard.lines), width):
            together = shard.lines[start : start + width]
            assert len({(line.item_id, line.trial) for line in together}) == 1
            assert {line.arm for line in together} == set(arms)


def test_the_arm_that_goes_first_alternates() -> None:
    [shard] = plan_shards([Pair(x, 1) for x in "abcd"], BOTH, 1, "g-1", 1)
    assert [line.arm for line in shard.lines[::2]] == ["candidate", "incumbent", "candidate", "incumbent"]


def test_shards_are_named_by_wave_and_number_and_know_their_gate() -> None:
    shards = plan_shards([Pair(str(n), 1) for n in range(120)], BOTH, 101, "g-1", 3)
    assert [shard.key for shard in shards[:2]] == ["3-00", "3-01"]
    assert shards[-1].key == "3-100"
    assert {shard.gate_id for shard in shards} == {"g-1"}


def test_no_pairs_are_no_shards() -> None:
    assert plan_shards([], BOTH, 4, "g-1", 1) == []


@pytest.mark.parametrize(
    ("pairs", "arms", "most"),
    [([], BOTH, 0), ([], (), 1), ([], ("candidate", "candidate"), 1), ([Pair("a", 1), Pair("a", 1)], BOTH, 1)],
)
def test_a_plan_that_makes_no_sense_is_an_error(pairs: list[Pair], arms: tuple[Arm, ...], most: int) -> None:
    with pytest.raises(ValueError, match=r"at least 1|each must be there once|comes twice"):
        plan_shards(pairs, arms, most, "g-1", 1)


def test_the_gate_averages_what_its_metric_applies_to_and_no_production_item() -> None:
    refuse = GoldenItem("r", "Keys?", "adversarial", must_refuse=True)
    items = [golden("a"), refuse, golden("p", "edge_case", origin="production")]
    assert gate_items(GatePolicy(), items) == {"a": "happy_path", "r": "adversarial"}
    assert gate_items(GatePolicy(primary_metric="refusal"), items) == {"r": "adversarial"}


def test_production_items_run_as_often_as_the_policy_says() -> None:
    items = [golden("a"), golden("p", "production", origin="production"), golden("q", "edge_case", origin="production")]
    assert must_pass_pairs(GatePolicy(must_pass_n=2), items) == [Pair("p", 1), Pair("q", 1), Pair("p", 2), Pair("q", 2)]
