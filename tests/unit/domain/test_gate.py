import itertools
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.gate import Errored, GatePolicy, Pair, SequentialGate
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import BARE

ITEMS = {"a": "happy_path", "b": "happy_path", "c": "edge_case", "d": "adversarial"}
TWO_ROUNDS = GatePolicy(max_trials=2)

scores = st.one_of(
    st.floats(0, 1), st.builds(Errored), st.builds(Errored, stage=st.sampled_from(["deploy", "invoke", "judge"]))
)


def finished(
    candidate: float | Errored, incumbent: float | Errored | None, policy: GatePolicy = BARE
) -> SequentialGate:
    gate = SequentialGate(policy, ITEMS, 0)
    for pair in gate.next_pairs(100):
        gate.record(pair.item_id, pair.trial, candidate, incumbent)
    return gate


def test_every_item_comes_once_before_any_comes_again() -> None:
    pairs = SequentialGate(TWO_ROUNDS, ITEMS, 7).next_pairs(100)
    assert {pair.item_id for pair in pairs[:4]} == set(ITEMS)
    assert [pair.trial for pair in pairs] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert len(set(pairs)) == 8


@given(st.lists(st.integers(0, 5), max_size=12), st.integers())
def test_the_order_does_not_depend_on_how_many_pairs_are_asked_for_at_once(limits: list[int], seed: int) -> None:
    gate = SequentialGate(TWO_ROUNDS, ITEMS, seed)
    pairs = [pair for limit in [*limits, 100] for pair in gate.next_pairs(limit)]
    assert pairs == SequentialGate(TWO_ROUNDS, ITEMS, seed).next_pairs(100)
    assert gate.next_pairs(1) == []


def test_the_order_depends_on_the_seed_and_not_on_the_order_of_the_items() -> None:
    items = {str(n): "happy_path" for n in range(30)}
    backwards = dict(reversed(items.items()))
    assert SequentialGate(BARE, items, 1).next_pairs(30) == SequentialGate(BARE, backwards, 1).next_pairs(30)
    assert SequentialGate(BARE, items, 1).next_pairs(30) != SequentialGate(BARE, items, 2).next_pairs(30)


def test_the_two_rounds_come_in_different_orders() -> None:
    items = {str(n): "happy_path" for n in range(30)}
    pairs = SequentialGate(TWO_ROUNDS, items, 1).next_pairs(60)
    assert [p.item_id for p in pairs[:30]] != [p.item_id for p in pairs[30:]]


def test_no_items_and_a_negative_limit_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        SequentialGate(BARE, {}, 0)
    with pytest.raises(ValueError, match="limit is -1"):
        SequentialGate(BARE, ITEMS, 0).next_pairs(-1)


def test_a_pair_is_recorded_once_only() -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    gate.next_pairs(4)
    gate.record("a", 1, 1.0)
    with pytest.raises(ValueError, match="recorded already"):
        gate.record("a", 1, 1.0)


@pytest.mark.parametrize(("item_id", "trial"), [("a", 2), ("z", 1), ("a", 0)])
def test_a_pair_that_was_never_issued_is_an_error(item_id: str, trial: int) -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    gate.next_pairs(4)
    with pytest.raises(ValueError, match="never issued"):
        gate.record(item_id, trial, 1.0)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf"), "1"])
def test_a_score_outside_the_range_is_an_error_and_records_nothing(score: float) -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    gate.next_pairs(4)
    for arms in ((score, 1.0), (1.0, score)):
        with pytest.raises(ValueError, match="not a number in"):
            gate.record("a", 1, *arms)
    gate.record("a", 1, 1.0, 1.0)


def test_an_incumbent_is_there_for_every_pair_or_for_none() -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    gate.next_pairs(4)
    gate.record("a", 1, 1.0, 1.0)
    with pytest.raises(ValueError, match="either every pair has an incumbent"):
        gate.record("b", 1, 1.0)


def test_the_verdict_is_open_while_a_pair_is_still_to_be_issued_or_recorded() -> None:
    gate = SequentialGate(TWO_ROUNDS, ITEMS, 0)
    assert gate.verdict().kind is None
    for pair in gate.next_pairs(4):
        gate.record(pair.item_id, pair.trial, 1.0)
    assert gate.verdict().kind is None, "the second round was not issued yet"
    last = gate.next_pairs(4)
    for pair in last[1:]:
        gate.record(pair.item_id, pair.trial, 1.0)
    assert gate.verdict().kind is None, "one result is missing"
    gate.record(last[0].item_id, last[0].trial, 1.0)
    assert gate.verdict().kind == "PASS"


def test_estimates_use_the_complete_prefix_only() -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    first, second, third, _ = gate.next_pairs(4)
    gate.record(third.item_id, 1, 0.0)
    gate.record(first.item_id, 1, 1.0)
    estimates = gate.verdict().estimates
    assert estimates is not None
    assert (estimates["pairs"], estimates["candidate"]["mean"]) == (1, 1.0)
    gate.record(second.item_id, 1, 1.0)
    estimates = gate.verdict().estimates
    assert estimates is not None
    assert (estimates["pairs"], estimates["candidate"]["mean"]) == (3, pytest.approx(2 / 3))


@given(st.lists(st.tuples(scores, scores), min_size=8, max_size=8), st.randoms(use_true_random=False))
def test_the_verdict_never_depends_on_the_order_of_arrival(
    results: list[tuple[float | Errored, float | Errored]], shuffler: random.Random
) -> None:
    """At every look, too: a gate that got the same prefix says the same, whatever came beyond it."""
    policy = GatePolicy(max_trials=2)
    pairs = SequentialGate(policy, ITEMS, 3).next_pairs(8)
    arrivals = list(zip(pairs, results, strict=True))
    in_order = SequentialGate(policy, ITEMS, 3)
    in_order.next_pairs(8)
    verdicts = [in_order.verdict()]
    for pair, (candidate, incumbent) in arrivals:
        in_order.record(pair.item_id, pair.trial, candidate, incumbent)
        verdicts.append(in_order.verdict())
    shuffler.shuffle(arrivals)
    shuffled = SequentialGate(policy, ITEMS, 3)
    shuffled.next_pairs(8)
    here: set[Pair] = set()
    for pair, (candidate, incumbent) in arrivals:
        shuffled.record(pair.item_id, pair.trial, candidate, incumbent)
        here.add(pair)
        prefix = len(list(itertools.takewhile(here.__contains__, pairs)))
        assert shuffled.verdict() == verdicts[prefix]


@given(
    st.lists(st.tuples(scores, scores), max_size=8),
    st.integers(0, 8),
    st.integers(),
    st.booleans(),
)
def test_the_state_survives_json_and_goes_on_alike(
    results: list[tuple[float | Errored, float | Errored]],
    issued: int,
    seed: int,
    cached: bool,
) -> None:
    history = {"a": [0.25, 1.0], "gone": [0.5]} if cached else None
    gate = SequentialGate(TWO_ROUNDS, ITEMS, seed, history)
    pairs = gate.next_pairs(issued)
    for pair, (candidate, incumbent) in reversed(list(zip(pairs, results, strict=False))):
        gate.record(pair.item_id, pair.trial, candidate, None if cached else incumbent)
    copy = SequentialGate.from_json(gate.to_json())
    assert copy == gate
    assert copy.to_json() == gate.to_json()
    assert copy.verdict() == gate.verdict()
    assert copy.next_pairs(3) == gate.next_pairs(3)


def test_gates_with_different_content_are_not_equal() -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    other = SequentialGate(BARE, ITEMS, 0)
    other.next_pairs(1)
    assert gate != other
    assert gate != SequentialGate(BARE, ITEMS, 1)
    assert gate != "gate"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"items": {}},
        {"issued": [["a", 1], ["a", 1]]},
        {"issued": [["z", 1]]},
        {"issued": [["a", 9]]},
        {"recorded": [[9, 1.0, None]]},
        {"recorded": [[-1, 1.0, None]]},
        {"recorded": [[0, 1.0, None], [0, 1.0, None]]},
        {"recorded": [[0, None, None]]},
        {"recorded": [[0, 2.0, None]]},
        {"recorded": [[0, {"errored": "lunch"}, None]]},
        {"surprise": 1},
        {"policy": {"surprise": 1}},
    ],
)
def test_a_state_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    gate = SequentialGate(BARE, ITEMS, 0)
    gate.next_pairs(2)
    state = json.loads(gate.to_json()) | change
    with pytest.raises(InvalidRequestError, match="not the state of a gate"):
        SequentialGate.from_json(json.dumps(state))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"version": NaN}'])
def test_what_is_not_a_state_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not the state of a gate"):
        SequentialGate.from_json(text)


def test_a_cached_incumbent_is_compared_by_the_mean_of_its_history() -> None:
    gate = SequentialGate(BARE, ITEMS, 0, history={"a": [1.0, 0.5], "b": [1.0]})
    for pair in gate.next_pairs(4):
        gate.record(pair.item_id, pair.trial, 0.5)
    verdict = gate.verdict()
    assert verdict.estimates is not None
    assert verdict.estimates["difference"] == {"mean": pytest.approx((-0.25 - 0.5) / 2), "pairs": 2}
    assert (verdict.kind, verdict.reasons[0].code) == ("FAIL", "regression")


def test_a_cached_incumbent_takes_no_live_one() -> None:
    gate = SequentialGate(BARE, ITEMS, 0, history={"a": [1.0]})
    gate.next_pairs(4)
    with pytest.raises(ValueError, match="incumbent is cached"):
        gate.record("a", 1, 1.0, 1.0)
    with pytest.raises(ValueError, match="not a number in"):
        SequentialGate(BARE, ITEMS, 0, history={"a": [1.5]})


def test_retrying_a_failed_pair_is_not_possible() -> None:
    """Retrying what failed promotes a third of the candidates that lost 10 points: a pair has one result."""
    gate = SequentialGate(BARE, ITEMS, 0)
    pairs = gate.next_pairs(4)
    gate.record(pairs[0].item_id, 1, 0.0, 1.0)
    with pytest.raises(ValueError, match="recorded already"):
        gate.record(pairs[0].item_id, 1, 1.0, 1.0)
    assert pairs[0] not in gate.next_pairs(100)


def test_a_first_gate_without_incumbent_is_decided_by_the_minima() -> None:
    assert finished(0.8, None, GatePolicy()).verdict().kind == "PASS"
    assert finished(0.5, None, GatePolicy()).verdict().reasons[0].code == "minimum"


def test_ten_thousand_pairs_are_recorded_and_written_in_good_time() -> None:
    items = {f"item-{n}": f"slice-{n % 50}" for n in range(10_000)}
    gate = SequentialGate(BARE, items, 0)
    pairs = gate.next_pairs(10_000)
    began = time.process_time()
    for pair in pairs:
        gate.record(pair.item_id, pair.trial, 1.0, 0.5)
    per_record_us = (time.process_time() - began) / len(pairs) * 1e6
    assert per_record_us < 50
    assert gate.verdict().kind == "PASS"
    assert SequentialGate.from_json(gate.to_json()) == gate
