"""Which traces are reviewed, and with what probability they were."""

from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from math import fsum, sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.sampled_traces import Trace
from flywheel.domain.sampling import Selected, Totals, merge, select, shard, totals
from flywheel.errors import InvalidRequestError

KEY = b"a key of the tests"
populations = st.lists(
    st.tuples(st.text(min_size=1, max_size=8), st.floats(0, 1), st.sampled_from(["billing", "search", "rare"])),
    max_size=60,
)


def day(traces: int, seed: int = 0) -> list[Trace]:
    """Most risks are low, and one topic in fifty traces is rare."""
    random = Random(seed)
    return [(f"trace-{n}", random.random() ** 6, "rare" if n % 50 == 0 else f"topic-{n % 7}") for n in range(traces)]


def in_shards(traces: list[Trace], shards: int, budget: int) -> list[Selected]:
    parts: list[list[Trace]] = [[] for _ in range(shards)]
    for trace in traces:
        parts[sum(trace[0].encode("utf-8", "surrogatepass")) % shards].append(trace)
    population = sum((totals(part) for part in parts), Totals(0, 0, {}))
    return merge([shard(part, population, budget, KEY) for part in parts])


@given(populations, st.integers(0, 80))
def test_the_budget_is_met_exactly(traces: list[Trace], budget: int) -> None:
    chosen = select(traces, budget, KEY)
    different = {trace_id for trace_id, _, _ in traces}
    assert len({one.trace_id for one in chosen}) == len(chosen) == min(budget, len(different))
    assert all(0 < one.inclusion_probability <= 1 for one in chosen)


@given(populations, st.integers(0, 80), st.randoms(use_true_random=False))
def test_rerun_and_order_change_nothing(traces: list[Trace], budget: int, random: Random) -> None:
    chosen = select(traces, budget, KEY)
    assert select(iter(traces), budget, KEY) == chosen
    shuffled = [*traces, *traces]
    random.shuffle(shuffled)
    assert select(shuffled, budget, KEY) == chosen


@given(populations, st.integers(0, 80), st.integers(1, 8))
def test_shards_together_select_what_the_whole_does(traces: list[Trace], budget: int, shards: int) -> None:
    assert in_shards(traces, shards, budget) == select(traces, budget, KEY)


def test_eight_shards_of_a_large_day_select_what_the_whole_does() -> None:
    assert in_shards(day(20_000), 8, 200) == select(day(20_000), 200, KEY)


def test_a_smaller_budget_selects_the_beginning_of_a_larger_one() -> None:
    larger, smaller = select(day(500), 50, KEY), select(day(500), 20, KEY)
    assert [one.trace_id for one in smaller] == [one.trace_id for one in larger[:20]]


@pytest.mark.parametrize("budget", [3, 4, 1_000, 10**30])
def test_with_budget_for_every_trace_all_are_certain(budget: int) -> None:
    chosen = select([("a", 0.9, "x"), ("b", 0.0, "x"), ("c", 0.1, "y")], budget, KEY)
    assert {(one.trace_id, one.inclusion_probability, one.reasons) for one in chosen} == {
        ("a", 1.0, ("all",)),
        ("b", 1.0, ("all",)),
        ("c", 1.0, ("all",)),
    }


def test_no_budget_or_no_traces_select_nothing() -> None:
    assert select(day(10), 0, KEY) == []
    assert select([], 10, KEY) == []
    assert merge([]) == []


def test_without_any_risk_traces_of_one_topic_are_equally_likely() -> None:
    chosen = select([(str(n), 0.0, "x") for n in range(100)], 10, KEY)
    assert len({one.inclusion_probability for one in chosen}) == 1


def test_every_trace_is_chosen_as_often_as_its_weight_asks_for() -> None:
    """Unbiased (Horvitz-Thompson): the sum of 1 / probability over the chosen ones has each trace's mean 1."""
    traces, rounds = day(60), 3_000
    sums: Counter[str] = Counter()
    for number in range(rounds):
        for one in select(traces, 12, number.to_bytes(4)):
            sums[one.trace_id] += 1 / one.inclusion_probability  # type: ignore[assignment]
    for trace_id, _, _ in traces:
        # A mean of 1/p draws: with p >= .06 its standard error over 3,000 rounds is at most .075.
        assert sums[trace_id] / rounds == pytest.approx(1, abs=0.3)
    assert fsum(sums.values()) / rounds / len(traces) == pytest.approx(1, abs=0.02)


def test_a_trace_of_high_risk_says_so() -> None:
    traces = [("risky", 1.0, "x"), *((str(n), 0.0, "x") for n in range(1_000))]
    risky = next(one for one in select(traces, 20, KEY) if one.trace_id == "risky")
    assert (risky.reasons, risky.inclusion_probability, risky.risk, risky.topic) == (("risk",), 1.0, 1.0, "x")


def test_the_reasons_name_rare_topics_and_ordinary_traffic() -> None:
    traces = [("rare", 0.0, "once in a while"), *((str(n), 0.01, "x") for n in range(1_000))]
    chosen = {one.trace_id: one.reasons for one in select(traces, 30, KEY)}
    assert chosen["rare"] == ("topic",)
    assert {reasons[0] for trace_id, reasons in chosen.items() if trace_id != "rare"} == {"risk"}
    without_risk = select([(trace_id, 0.0, topic) for trace_id, _, topic in traces], 30, KEY)
    assert {one.reasons for one in without_risk if one.trace_id != "rare"} >= {("uniform",)}


def test_keys_choose_independently() -> None:
    traces = [(str(n), 0.0, "x") for n in range(1_000)]
    chosen = [{one.trace_id for one in select(traces, 100, key)} for key in (b"one", b"two", b"k" * 64, b"k" * 65)]
    overlaps = [len(a & b) for n, a in enumerate(chosen) for b in chosen[:n]]
    assert all(overlap < 25 for overlap in overlaps)  # 10 are expected


@pytest.mark.parametrize("hashed", ["plain", "keyed"])
def test_a_sampler_upstream_with_the_same_hash_and_key_does_not_bias_the_choice(hashed: str) -> None:
    def kept_upstream(trace_id: str) -> bool:
        key = KEY if hashed == "keyed" else b""
        return int.from_bytes(blake2b(trace_id.encode(), digest_size=8, key=key).digest()) < 0.1 * 2**64

    traces = [trace for trace in day(20_000) if kept_upstream(trace[0])]
    stands_for = fsum(1 / one.inclusion_probability for one in select(traces, 200, KEY))
    assert stands_for == pytest.approx(len(traces), rel=4 * 1.2 / sqrt(200))


def test_sequential_ids_are_spread_evenly() -> None:
    chosen = select([(f"{n:032x}", 0.0, "x") for n in range(10_000)], 1_000, KEY)
    by_tenth = Counter(int(one.trace_id, 16) // 1_000 for one in chosen)
    assert all(60 < by_tenth[tenth] < 140 for tenth in range(10))


def test_an_id_that_is_no_valid_text_is_a_trace_like_any_other() -> None:
    assert [one.trace_id for one in select([("\ud800", 0.5, "\udfff")], 1, KEY)] == ["\ud800"]


@pytest.mark.parametrize("budget", [-1, 1.5, True, None, "10"])
def test_a_budget_that_is_no_count_is_an_error(budget: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"the budget is .*; expected a whole number from 0 on"):
        select(day(3), budget, KEY)


@pytest.mark.parametrize("key", [b"", "text", None])
def test_a_key_that_is_none_is_an_error(key: Any) -> None:
    with pytest.raises(InvalidRequestError, match="key must be bytes, and not empty"):
        select(day(3), 1, key)


def test_the_key_is_in_no_shard() -> None:
    assert KEY.decode() not in repr(shard(day(3), totals(day(3)), 1, KEY))


def test_a_shard_given_twice_changes_nothing() -> None:
    halves = (day(100)[:50], day(100)[50:])
    population = totals(halves[0]) + totals(halves[1])
    parts = [shard(half, population, 10, KEY) for half in halves]
    assert merge([*parts, parts[0]]) == select(day(100), 10, KEY)


def test_shards_that_do_not_belong_together_are_an_error() -> None:
    one = shard(day(50), totals(day(50)), 10, KEY)
    for other in (
        shard(day(50), totals(day(60)), 10, KEY),
        shard(day(50), totals(day(50)), 11, KEY),
        shard(day(50), totals(day(50)), 10, b"another"),
    ):
        with pytest.raises(InvalidRequestError, match="the same totals, budget and key"):
            merge([one, other])


def test_a_trace_in_two_shards_with_two_risks_is_an_error() -> None:
    one = shard(day(50), totals(day(50)), 10, KEY)
    changed = (replace(one.lowest[0], risk=0.123), *one.lowest[1:])
    with pytest.raises(InvalidRequestError, match="is in two shards"):
        merge([one, replace(one, lowest=changed)])


def test_totals_that_do_not_hold_the_shard_are_an_error() -> None:
    with pytest.raises(InvalidRequestError, match="add its own totals first"):
        shard([("a", 0.5, "unseen")], totals(day(50)), 10, KEY)
    with pytest.raises(InvalidRequestError, match="add its own totals first"):
        shard(day(50), Totals(0, 0, {}), 10, KEY)
