"""Estimates of a verdict -> the sequential decision as data."""

from typing import Any

import pytest

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Reason, Verdict, VerdictKind
from flywheel.report.decision import Certificate, Decision
from flywheel.report.estimates import read_decision
from flywheel.report.figures import Money
from tests.report_estimates import estimates

_POLICY = GatePolicy(minima={"correctness": 0.8})


def read(told: dict[str, Any], kind: VerdictKind = "PASS", code: str = "", money: Money | None = None) -> Decision:
    reasons = (Reason(code, "because"),) if code else ()
    found = read_decision(Verdict(kind, reasons, told), _POLICY, money=money or Money(None, None))
    assert found is not None
    return found


def order(it: Decision) -> list[tuple[str, str | None, str, int | None]]:
    return [(c.name, c.slice, c.state, c.at_pairs) for c in it.certificates]


@pytest.mark.parametrize("told", [None, {}, {"method": "point estimate", "pairs": 3}, {"x": float("nan")}])
def test_what_is_no_sequential_decision_has_none(told: dict[str, Any] | None) -> None:
    assert read_decision(Verdict("PASS", (), told), _POLICY) is None


def test_estimates_with_a_part_that_cannot_be_read_give_no_decision_and_no_error() -> None:
    assert read_decision(Verdict("PASS", (), estimates() | {"level": "ninety"}), _POLICY) is None
    assert read_decision(Verdict("PASS", (), estimates() | {"path": [[1, float("inf"), 0, 1]]}), _POLICY) is None


def test_what_a_newer_gate_adds_is_ignored() -> None:
    assert read(estimates() | {"colour": "blue"}) == read(estimates())


def test_of_what_is_certified_the_last_one_settled_comes_first() -> None:
    told = estimates(anchor=True)
    assert [at for *_, at in order(read(told))] == [100, 96, 60, 43, 34, 25]
    assert order(read(told))[0] == ("mean", None, "certified", 100)


def test_what_is_refuted_comes_first_and_then_what_is_open() -> None:
    told = estimates(state="open", slice_states=("certified", "open", "refuted"))
    assert [state for _, _, state, _ in order(read(told, "FAIL"))] == ["refuted", "open", "open", *["certified"] * 2]


@pytest.mark.parametrize(
    ("told", "kind", "code", "said"),
    [
        (estimates(), "PASS", "",
         "Ended after 100 of 747 possible pairs: the error rate, the mean and 3 slices are certified."),
        (estimates(pairs=22, state="refuted"), "FAIL", "regression",
         "Ended after 22 of 747 possible pairs: the mean was refuted."),
        (estimates(pairs=40, state="open", slice_states=("open", "open", "refuted")), "FAIL", "slice_regression",
         "Ended after 40 of 747 possible pairs: slice adversarial was refuted."),
        (estimates(pairs=747, state="open"), "INCONCLUSIVE", "undecided",
         "Ended with all 747 pairs used: the mean is still open."),
        (estimates(pairs=30, state="open"), "FAIL", "minimum",
         "Ended after 30 of 747 possible pairs: score under its minimum."),
        (estimates(pairs=12, state="refuted"), "INCONCLUSIVE", "void",
         "Ended after 12 of 747 possible pairs: both arms failed."),
    ],
)  # fmt: skip
def test_one_sentence_says_when_it_ended_and_why(told: dict[str, Any], kind: VerdictKind, code: str, said: str) -> None:
    assert read(told, kind, code).ending == said


def test_a_gate_without_any_claim_says_when_it_ended() -> None:
    assert read(estimates() | {"certificates": []}).ending == "Ended after 100 of 747 possible pairs."


def test_a_decision_is_settled_by_all_certificates_or_by_a_failure() -> None:
    undecided = estimates(state="open")
    assert read(estimates()).settled
    assert read(undecided, "FAIL", "minimum").settled
    assert not read(undecided, "INCONCLUSIVE", "superseded").settled


def test_only_an_inconclusive_gate_that_could_go_on_misses_something() -> None:
    told = estimates(state="open", missing=True)
    assert len(read(told, "INCONCLUSIVE", "undecided").missing) == 3
    assert read(told, "FAIL", "minimum").missing == ()
    assert read(told, "INCONCLUSIVE", "void").missing == ()


def test_a_claim_that_was_not_asked_keeps_nothing_open() -> None:
    told = estimates()
    told["certificates"][0] |= {"state": "not_asked", "at_pairs": None}
    found = read(told)
    assert found.settled
    assert found.certificates[-1].state == "not_asked"
    assert "the mean" not in found.ending


def test_what_was_saved_is_the_share_of_the_fixed_design_that_was_not_needed() -> None:
    assert read(estimates(pairs=87)).spent.saved == pytest.approx(0.5)
    assert read(estimates(pairs=261)).spent.saved == pytest.approx(-0.5), "it took more"
    assert read(estimates(fixed_pairs=0)).spent.saved == 0


def test_money_is_what_was_spent_and_an_estimate_for_what_was_not() -> None:
    found = read(estimates(state="open", missing=True), "INCONCLUSIVE", "undecided", Money(3.0, 0.01))
    spent = found.spent
    assert [spent.usd, spent.cap_usd, spent.fixed_usd] == pytest.approx([3.0, 14.94, 3.48])
    assert [m.subject for m in found.missing] == ["the mean", "slice adversarial", "the loss against the anchor"]
    assert [m.invocations for m in found.missing] == [420, 18, None]
    assert [m.usd for m in found.missing] == [pytest.approx(4.2), pytest.approx(0.18), None]


def test_money_that_is_not_known_is_no_zero() -> None:
    found = read(estimates(state="open", missing=True), "INCONCLUSIVE")
    assert {found.spent.usd, found.spent.cap_usd, found.spent.fixed_usd, *(m.usd for m in found.missing)} == {None}


def test_without_an_incumbent_the_minimum_is_what_the_candidate_is_held_against() -> None:
    found = read(estimates(design="one_sample"))
    assert (found.limit, found.minimum, found.incumbent_mean) == (0.0, 0.8, None)
    compared = read(estimates())
    assert (compared.limit, compared.slice_limit, compared.minimum) == (-0.09, -0.5, None)


def test_the_anchor_has_a_margin_of_its_own() -> None:
    found = read(estimates(anchor=True)).anchor
    assert found is not None
    assert (found.state, found.margin) == ("certified", 0.075)
    assert read(estimates()).anchor is None


def test_a_slice_says_in_which_group_it_was_certified() -> None:
    told = estimates()
    told["slices"]["edge_case"]["certified_in"] = "(small slices)"
    told["slices"]["adversarial"]["certified_in"] = None
    told["slices"]["edge_case"]["state"] = "small"
    together = told["certificates"][-1] | {"slice": "(small slices)", "state": "open", "at_pairs": None}
    told["certificates"].append(together)
    assert {s.slice: (s.state, s.group, s.group_state) for s in read(told).slices} == {
        "happy_path": ("certified", None, None),
        "edge_case": ("small", "(small slices)", "open"),
        "adversarial": ("certified", None, None),
    }


def test_a_summary_without_confidence_sequences_and_fixed_design_can_be_read() -> None:
    told = estimates()
    for name in ("level", "path", "anchor", "fixed_design"):
        del told[name]
    told["difference"] = {"mean": 0.01, "pairs": 100}
    found = read(told)
    assert (found.level, found.difference, found.path) == (None, None, ())
    assert (found.spent.fixed_pairs, found.spent.saved) == (0, 0.0)


def test_claims_without_a_way_to_be_refuted_can_be_read() -> None:
    told = estimates()
    del told["certificates"][0]["refuting_evidence"], told["certificates"][0]["refuting_needed"]
    mean = next(c for c in read(told).certificates if c.name == "mean")
    assert isinstance(mean, Certificate)
    assert (mean.refuting_evidence, mean.refuting_needed) == (None, None)
