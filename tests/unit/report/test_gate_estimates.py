"""What the real gate estimates is what the report reads: one gate of each design, from its first pair to its page."""

import json
from collections.abc import Mapping
from dataclasses import replace

from flywheel.domain.gate import Errored, SequentialGate
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.verdict import Verdict
from flywheel.domain.waves import gate_items
from flywheel.report import Report, build_report, render_html
from tests.report_gates import Behaviour, gate_plan, golden_items, trial_records
from tests.report_samples import STARTED

GOOD = Behaviour(poor=0.05)


def played(
    plan: GatePlan,
    ours: Behaviour,
    *,
    history: Mapping[str, list[float]] | None = None,
    anchor: Mapping[str, list[float]] | None = None,
) -> Report:
    """The report of a gate that was asked and answered until it had a verdict."""
    gate = SequentialGate(plan.policy, gate_items(plan.policy, plan.items), plan.seed, history, anchor)
    arms: tuple[tuple[Arm, Behaviour], ...] = (("candidate", ours),)
    if plan.arm("incumbent") and history is None:
        arms += (("incumbent", GOOD),)
    answers = {r.key: r for arm, it in arms for r in trial_records(plan.items, arm, it, trials=gate.trials)}
    records: list[TrialRecord] = []
    while (verdict := gate.verdict()).kind is None:
        for pair in gate.next_pairs(10):
            own = [answers[TrialKey(pair.item_id, pair.trial, arm)] for arm, _ in arms]
            gate.record(pair.item_id, pair.trial, *map(score, own))
            records += own
    told = json.loads(json.dumps(gate.describe(), allow_nan=False))
    return build_report(plan, records, Verdict(verdict.kind, verdict.reasons, told), promoted=False,
                        started=STARTED, ended=STARTED)  # fmt: skip


def score(record: TrialRecord) -> float | Errored:
    return Errored(record.error.stage) if record.error else record.scores["correctness"]


def stored(plan: GatePlan, value: float) -> dict[str, list[float]]:
    return {item: [value, 1.0, 1.0] for item in gate_items(plan.policy, plan.items)}


def test_an_equal_candidate_ends_early_with_its_difference_its_path_and_every_claim_certified() -> None:
    report = played(gate_plan(), GOOD)
    it = report.decision
    assert it is not None
    assert (report.verdict, it.design, it.settled, it.missing) == ("PASS", "paired", True, ())
    assert {c.state for c in it.certificates} == {"certified"}
    assert it.difference is not None
    assert it.difference.low > it.limit
    assert [p.pairs for p in it.path] == sorted({p.pairs for p in it.path})
    assert it.spent.pairs < it.spent.cap_pairs
    assert it.spent.fixed_pairs > 0
    assert it.ending.startswith(f"Ended after {it.spent.pairs} of {it.spent.cap_pairs} possible pairs: ")
    assert "Difference by slice" in render_html(report)


def test_a_worse_candidate_is_refuted_below_no_difference() -> None:
    it = played(gate_plan(), Behaviour(poor=0.6)).decision
    assert it is not None
    assert it.certificates[0].state == "refuted"
    assert it.ending.endswith("refuted.")
    assert it.difference is not None
    assert it.difference.high < 0


def test_a_first_gate_is_held_against_its_minimum() -> None:
    report = played(gate_plan(incumbent=False), GOOD)
    it = report.decision
    assert it is not None
    mean = next(c for c in it.certificates if c.name == "mean")
    assert (report.verdict, it.design, it.minimum, mean.threshold) == ("PASS", "one_sample", 0.75, 0.75)
    assert "candidate \N{MINUS SIGN} minimum, pair by pair" in render_html(report)


def test_a_cached_incumbent_and_an_anchor_are_read_too() -> None:
    plan = gate_plan()
    plan = replace(plan, arms=plan.arms[:1])
    it = played(plan, GOOD, history=stored(plan, 1.0), anchor=stored(plan, 0.9)).decision
    assert it is not None
    assert it.design == "cached"
    assert it.anchor is not None
    assert it.anchor.difference is not None
    assert any(c.name == "anchor" for c in it.certificates)


def test_an_undecided_gate_says_what_is_missing() -> None:
    plan = gate_plan(items=golden_items(20))
    plan = replace(plan, policy=replace(plan.policy, max_trials=1, minimum_items=1))
    report = played(plan, GOOD)
    it = report.decision
    assert it is not None
    assert report.verdict == "INCONCLUSIVE"
    assert it.ending.startswith("Ended with all 18 pairs used: ")
    assert "the mean" in {m.subject for m in it.missing}


def test_an_erring_candidate_is_told_by_its_error_rate() -> None:
    it = played(gate_plan(), Behaviour(errors=0.3)).decision
    assert it is not None
    assert (it.certificates[0].name, it.certificates[0].state) == ("error_rate", "refuted")
