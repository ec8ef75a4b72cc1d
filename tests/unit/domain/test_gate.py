import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.gate import Errored, GatePolicy, Pair, SequentialGate, Verdict
from flywheel.domain.tally import Score
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import BARE

ITEMS = {"a": "happy_path", "b": "happy_path", "c": "edge_case", "d": "adversarial"}
TWO_ROUNDS = GatePolicy(max_trials=2)

scores = st.one_of(
    st.floats(0, 1), st.builds(Errored), st.builds(Errored, stage=st.sampled_from(["deploy", "invoke", "judge"]))
)


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


def test_without_items_there_is_nothing_to_weigh() -> None:
    gate = SequentialGate(BARE, {}, 0)
    assert gate.next_pairs(10) == []
    assert (gate.verdict().kind, gate.verdict().reasons, gate.describe()) == ("PASS", (), {})
    assert SequentialGate.from_json(gate.to_json()) == gate


def test_a_negative_limit_is_an_error() -> None:
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
    verdict = gate.verdict()
    assert verdict.kind == "INCONCLUSIVE", "eight trials certify nothing"
    assert {reason.code for reason in verdict.reasons} == {"undecided"}
    assert gate.next_pairs(1) == []


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
        {"version": 1},
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
    estimates = gate.verdict().estimates
    assert estimates is not None
    assert estimates["difference"] == {"mean": pytest.approx((-0.25 - 0.5) / 2), "pairs": 2}
    assert estimates["design"] == "cached"


def test_a_cached_incumbent_takes_no_live_one() -> None:
    gate = SequentialGate(BARE, ITEMS, 0, history={"a": [1.0]})
    gate.next_pairs(4)
    with pytest.raises(ValueError, match="incumbent is cached"):
        gate.record("a", 1, 1.0, 1.0)
    with pytest.raises(ValueError, match="history of item 'a' has the score"):
        SequentialGate(BARE, ITEMS, 0, history={"a": [1.5]})


def test_retrying_a_failed_pair_is_not_possible() -> None:
    """Retrying what failed promotes a third of the candidates that lost 10 points: a pair has one result."""
    gate = SequentialGate(BARE, ITEMS, 0)
    pairs = gate.next_pairs(4)
    gate.record(pairs[0].item_id, 1, 0.0, 1.0)
    with pytest.raises(ValueError, match="recorded already"):
        gate.record(pairs[0].item_id, 1, 1.0, 1.0)
    assert pairs[0] not in gate.next_pairs(100)


MANY = {f"item-{n}": f"slice-{n % 3}" for n in range(60)}


def run(
    gate: SequentialGate, candidate: Callable[[Pair], Score], incumbent: Callable[[Pair], Score | None], look: int = 10
) -> Verdict:
    """Take a gate to its end."""
    while (verdict := gate.verdict()).kind is None:
        for pair in gate.next_pairs(look):
            gate.record(pair.item_id, pair.trial, candidate(pair), incumbent(pair))
    return verdict


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_equal_answers_pass_early() -> None:
    gate = SequentialGate(GatePolicy(max_trials=6), MANY, 0)
    verdict = run(gate, lambda _: 1.0, lambda _: 1.0)
    assert (verdict.kind, verdict.reasons) == ("PASS", ())
    assert verdict.estimates is not None
    assert verdict.estimates["pairs"] == 70, "63 without an error certify the error rate"
    assert verdict.estimates["cap_pairs"] == 360


def test_a_first_gate_without_incumbent_is_decided_by_the_minimum() -> None:
    for policy in (GatePolicy(), GatePolicy(minima={"correctness": 0.75})):
        assert run(SequentialGate(policy, MANY, 0), lambda _: 0.9, lambda _: None).kind == "PASS"
        failed = run(SequentialGate(policy, MANY, 0), lambda _: 0.5, lambda _: None)
        assert (failed.kind, codes(failed)[0]) == ("FAIL", "minimum")


def test_a_first_candidate_close_to_its_minimum_is_undecided() -> None:
    verdict = run(SequentialGate(GatePolicy(max_trials=3), MANY, 0), lambda _: 0.76, lambda _: None)
    assert verdict.kind == "INCONCLUSIVE"
    assert "mean correctness above 0.750 is not certified" in verdict.reasons[0].message


def test_a_loss_is_refuted_and_names_the_items_that_lost() -> None:
    lost = {f"item-{n}" for n in range(0, 60, 2)}
    verdict = run(SequentialGate(GatePolicy(), MANY, 0), lambda p: float(p.item_id not in lost), lambda _: 1.0)
    assert (verdict.kind, codes(verdict)[0]) == ("FAIL", "regression")
    assert set(verdict.reasons[0].items) <= lost
    assert verdict.reasons[0].items


def test_one_broken_slice_fails_by_itself_though_the_mean_is_better() -> None:
    items = {f"item-{n}": f"slice-{n % 10}" for n in range(120)}

    def broken(pair: Pair) -> bool:
        return items[pair.item_id] == "slice-4"

    gate = SequentialGate(GatePolicy(), items, 0)
    verdict = run(gate, lambda p: float(not broken(p)), lambda p: 1.0 if broken(p) else 0.8)
    assert (verdict.kind, codes(verdict)) == ("FAIL", ["slice_regression"])
    assert (verdict.reasons[0].slice, verdict.reasons[0].observed) == ("slice-4", -1.0)


def test_small_slices_that_are_broken_together_are_not_passed_however_they_are_cut() -> None:
    """Each is too small to be certified by itself, and none of them alone is refuted."""
    items = {f"large-{n}": "large" for n in range(60)} | {f"small-{n}": f"small-{n // 2}" for n in range(24)}

    def broken(pair: Pair) -> bool:
        return pair.item_id.startswith("small")

    gate = SequentialGate(GatePolicy(max_trials=2, slice_alpha=0.0001), items, 0)
    verdict = run(gate, lambda p: float(not broken(p)), lambda p: 0.9 if broken(p) else 0.5)
    assert (verdict.kind, [reason.slice for reason in verdict.reasons]) == ("INCONCLUSIVE", ["(small slices)"])


def test_an_absolute_minimum_fails_a_candidate_that_is_no_worse_than_the_incumbent() -> None:
    policy = GatePolicy(minima={"correctness": 0.75})
    verdict = run(SequentialGate(policy, MANY, 0), lambda _: 0.4, lambda _: 0.4)
    assert (verdict.kind, codes(verdict)) == ("FAIL", ["minimum"])


def test_a_slice_below_its_minimum_is_not_passed_and_gets_the_further_trials() -> None:
    policy = GatePolicy(max_trials=6, slice_minima={"slice-1": {"correctness": 0.8}})
    items = {f"item-{n}": f"slice-{n % 3}" for n in range(120)}
    gate = SequentialGate(policy, items, 0)
    asked: list[Pair] = []

    def candidate(pair: Pair) -> float:
        asked.append(pair)
        return 0.79 if items[pair.item_id] == "slice-1" else 1.0

    verdict = run(gate, candidate, candidate)
    assert (verdict.kind, codes(verdict)) == ("INCONCLUSIVE", ["undecided"])
    assert "below the 0.800 that is required" in verdict.reasons[0].message
    assert {items[pair.item_id] for pair in asked[200:]} == {"slice-1"}


def test_errors_of_the_candidate_fail_it() -> None:
    verdict = run(
        SequentialGate(GatePolicy(), MANY, 0), lambda p: Errored() if p.item_id.endswith("7") else 1.0, lambda _: 1.0
    )
    assert (verdict.kind, codes(verdict)[0]) == ("FAIL", "error_rate")


def test_a_run_in_which_both_arms_err_is_void() -> None:
    def shaken(pair: Pair) -> Score:
        return Errored() if pair.item_id.endswith("7") else 1.0

    verdict = run(SequentialGate(GatePolicy(), MANY, 0), shaken, shaken)
    assert (verdict.kind, codes(verdict)) == ("INCONCLUSIVE", ["void"])


def test_an_incumbent_that_errs_alone_does_not_help_the_candidate() -> None:
    """Its pairs say nothing: counting its errors as zeros would hide a loss."""
    verdict = run(
        SequentialGate(GatePolicy(), MANY, 0),
        lambda _: 0.7,
        lambda p: Errored() if int(p.item_id[5:]) % 2 else 1.0,
    )
    assert (verdict.kind, codes(verdict)[0]) == ("FAIL", "regression")


def test_a_judge_that_is_down_ends_the_gate_at_once() -> None:
    gate = SequentialGate(GatePolicy(), MANY, 0)
    verdict = run(gate, lambda _: Errored("judge"), lambda _: Errored("judge"))
    assert (verdict.kind, codes(verdict)) == ("INCONCLUSIVE", ["judge_unavailable"])
    assert verdict.estimates is not None
    assert verdict.estimates["pairs"] == 10


def test_a_cached_incumbent_takes_half_the_invocations() -> None:
    history = {item: [1.0] * 10 for item in MANY}
    verdict = run(SequentialGate(GatePolicy(max_trials=6), MANY, 0, history), lambda _: 1.0, lambda _: None)
    assert verdict.kind == "PASS"
    assert verdict.estimates is not None
    assert (verdict.estimates["design"], verdict.estimates["invocations"]) == ("cached", verdict.estimates["pairs"])


def test_an_item_without_history_certifies_nothing_and_the_gate_says_what_is_missing() -> None:
    history = {item: [1.0] * 10 for item, name in MANY.items() if name != "slice-2"}
    verdict = run(SequentialGate(GatePolicy(max_trials=6), MANY, 0, history), lambda _: 1.0, lambda _: None)
    assert verdict.kind == "INCONCLUSIVE"
    assert [reason.slice for reason in verdict.reasons] == ["slice-2"]


def test_the_anchor_is_a_claim_of_its_own() -> None:
    anchor = {item: [1.0] * 10 for item in MANY}
    gate = SequentialGate(GatePolicy(), MANY, 0, anchor=anchor)
    verdict = run(gate, lambda p: float(int(p.item_id[5:]) % 4 > 0), lambda p: float(int(p.item_id[5:]) % 4 > 0))
    assert (verdict.kind, codes(verdict)) == ("FAIL", ["anchor_regression"])
    assert verdict.reasons[0].required == -0.075
    passed = run(SequentialGate(GatePolicy(), MANY, 0, anchor=anchor), lambda _: 1.0, lambda _: 1.0)
    assert passed.kind == "PASS"
    assert SequentialGate.from_json(gate.to_json()) == gate


def test_more_trials_go_beyond_the_cap() -> None:
    policy = GatePolicy(max_trials=1, on_inconclusive="more_trials", more_trials=2)
    assert len(SequentialGate(policy, ITEMS, 0).next_pairs(100)) == 12


def test_the_verdict_does_not_change_with_how_often_it_was_looked_at() -> None:
    chance = random.Random(5)
    answers = {Pair(item, trial): float(chance.random() < 0.8) for item in MANY for trial in range(1, 13)}
    policy = GatePolicy()
    looked = SequentialGate(policy, MANY, 0)
    verdict = run(looked, lambda p: answers[p], lambda p: answers[Pair(p.item_id, 13 - p.trial)], look=1)
    once = SequentialGate(policy, MANY, 0)
    assert verdict.estimates is not None
    for pair in once.next_pairs(verdict.estimates["pairs"]):
        once.record(pair.item_id, pair.trial, answers[pair], answers[Pair(pair.item_id, 13 - pair.trial)])
    assert once.verdict().kind == verdict.kind


def test_what_is_missing_says_how_many_pairs_it_would_take() -> None:
    verdict = run(SequentialGate(GatePolicy(max_trials=1), MANY, 0), lambda _: 1.0, lambda _: 1.0)
    assert verdict.kind == "INCONCLUSIVE"
    assert verdict.estimates is not None
    missing = {row["certificate"]: row["pairs"] for row in verdict.estimates["missing"]}
    assert missing == {"mean": 2, "error_rate": 3}


def test_a_description_agrees_with_the_claims() -> None:
    items = {f"item-{n}": f"slice-{n % 3}" for n in range(60)}
    gate = SequentialGate(GatePolicy(), items, 0)
    verdict = run(gate, lambda p: float(int(p.item_id[5:]) % 9 > 0), lambda p: float(int(p.item_id[5:]) % 10 > 0))
    described = gate.describe()
    assert verdict.estimates is not None
    assert (
        verdict.estimates.items()
        <= (
            described | {"difference": verdict.estimates["difference"]} | {"slices": verdict.estimates["slices"]}
        ).items()
    )
    certified = next(row for row in described["certificates"] if row["name"] == "mean")
    assert (described["difference"]["low"] > -0.09) == (certified["state"] == "certified")
    assert (described["difference"]["high"] < 0) == (certified["state"] == "refuted")
    assert certified["at_pairs"] in {None, described["path"][-1][0]}
    for row in described["slices"].values():
        assert (row["difference"]["low"] > -0.5) == (row["state"] == "certified") or row["state"] == "refuted"
    json.dumps(described, allow_nan=False)


def test_a_pass_waits_for_the_trials_that_a_gated_pass_k_needs() -> None:
    items = {str(n): "happy_path" for n in range(60)}
    gate = SequentialGate(replace(BARE, reliability_k=2), items, 3)
    seen: list[Pair] = []
    while gate.verdict().kind is None:
        pairs = gate.next_pairs(25)
        assert pairs, "an open gate always asks for something"
        for pair in pairs:
            gate.record(pair.item_id, pair.trial, 1.0, 1.0)
        seen += pairs
        gate = SequentialGate.from_json(gate.to_json())
    assert gate.verdict().kind == "PASS"
    assert {pair.item_id for pair in seen if pair.trial == 2} == set(items)
    assert len(seen) < 145, "no more rounds than it needs"
    early = SequentialGate(BARE, items, 3)
    while early.verdict().kind is None:
        for pair in early.next_pairs(25):
            early.record(pair.item_id, pair.trial, 1.0, 1.0)
    assert (early.verdict().estimates or {})["pairs"] < 120


def test_a_pass_k_beyond_the_cap_does_not_keep_the_gate_open() -> None:
    items = {str(n): "happy_path" for n in range(60)}
    gate = SequentialGate(replace(BARE, reliability_k=12), items, 3)
    gate.trials = 2
    pairs = gate.next_pairs(120)
    for pair in pairs:
        gate.record(pair.item_id, pair.trial, 1.0, 1.0)
    assert gate.verdict().kind == "PASS"


def test_a_fixed_design_is_planned_before_anything_is_seen() -> None:
    gate = SequentialGate(GatePolicy(), MANY, 0)
    run(gate, lambda _: 1.0, lambda _: 1.0)
    assert gate.describe()["fixed_design"] == {"pairs": 174, "invocations": 348}
    first = SequentialGate(GatePolicy(), MANY, 0)
    run(first, lambda _: 0.76, lambda _: None)
    assert first.describe()["fixed_design"] == {"pairs": 141, "invocations": 141}
    cached = SequentialGate(GatePolicy(), MANY, 0, {item: [1.0] * 10 for item in MANY})
    run(cached, lambda _: 1.0, lambda _: None)
    assert cached.describe()["fixed_design"] == {"pairs": 59, "invocations": 59}


def test_ten_thousand_pairs_in_fifty_slices_survive_a_look() -> None:
    items = {f"item-{n}": f"slice-{n % 50}" for n in range(10_000)}
    gate = SequentialGate(BARE, items, 0)
    for pair in gate.next_pairs(10_000):
        gate.record(pair.item_id, pair.trial, 1.0, 0.5)
    assert gate.verdict().kind == "PASS"
    assert SequentialGate.from_json(gate.to_json()) == gate
