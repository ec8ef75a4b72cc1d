"""`flywheel gate show` of a gate that was decided in sequence."""

import json
from dataclasses import replace

from cli.decision_view import decision_lines, decision_of
from flywheel.domain.plan import dump_plan
from flywheel.domain.verdict import Reason, Verdict
from flywheel.evidence import plan_key, report_key, verdict_key, verdict_to_dict
from flywheel.report import report_to_dict, report_to_json
from flywheel.report.decision import Decision
from flywheel.report.plain import plain
from tests import report_samples
from tests.report_estimates import estimates
from tests.report_gates import gate_plan
from tests.unit.cli.double_session import GATE_ID, DoubleSession, run


def lines(it: Decision | None) -> list[str]:
    assert it is not None
    return decision_lines(plain(it))


def test_a_pass_is_told_with_its_certificates_the_last_one_first() -> None:
    said = lines(report_samples.passing().decision)
    assert said[0] == (
        "decided     Ended after 100 of 747 possible pairs: the error rate, the loss against the anchor, the mean and "
        "3 slices are certified."
    )
    assert said[1].startswith("pairs       100 pairs, 200 invocations, $")
    assert said[1].endswith("; a fixed-size test of the same error rates takes 348")
    assert said[2].startswith("difference  \N{MINUS SIGN}0.056 (")
    assert said[2].endswith("candidate - incumbent, at 90 %")
    assert said[3] == ("certified   mean loses less than 0.090 after 100 pairs (evidence 23.4 of 20)")
    assert len(said) == 9


def test_a_refutation_is_told_with_the_evidence_against_the_claim() -> None:
    said = lines(report_samples.broken_slice().decision)
    assert said[3] == "refuted     adversarial loses less than 0.500 after 33 pairs (evidence 61 of 20)"


def test_an_undecided_gate_says_what_is_missing_and_what_it_costs() -> None:
    said = lines(report_samples.undecided().decision)
    assert said[-3] == "missing     the mean: about 210 more pairs (420 invocations) if it goes on as it did, $4.00"
    assert said[-1].startswith("missing     the loss against the anchor: more trials would not settle it")
    assert any(line.startswith("open        mean loses less") and " after " not in line for line in said)


def test_of_many_claims_the_first_are_told_and_the_others_counted() -> None:
    it = report_samples.passing().decision
    assert it is not None
    said = lines(replace(it, certificates=it.certificates * 3, difference=None))
    assert said[-1] == "            and 10 more claims in the report"
    assert not any(line.startswith("difference") for line in said)


def test_a_claim_that_was_not_asked_says_so() -> None:
    it = report_samples.passing().decision
    assert it is not None
    claim = replace(it.certificates[0], state="not_asked")
    assert lines(replace(it, certificates=(claim,)))[-1].startswith("not asked   mean loses less")


def test_what_was_not_decided_in_sequence_has_no_lines() -> None:
    plan = gate_plan()
    assert decision_of(Verdict("PASS", (), {"method": "point estimate"}), plan) is None
    assert decision_of(Verdict("PASS", (), estimates()), None) is None


def test_show_tells_the_decision_of_the_report() -> None:
    session = DoubleSession()
    session.open_gate()
    session.end_gate("PASS")
    report = report_samples.passing()
    session.store.put(report_key(GATE_ID, "json"), report_to_json(report).encode())
    shown = run(session, "gate", "show").stdout
    assert "Ended after 100 of 747 possible pairs" in shown
    told = json.loads(run(session, "gate", "show", "--json").stdout)["verdict_detail"]
    assert told["decision"] == report_to_dict(report)["decision"]


def test_show_tells_the_decision_before_there_is_a_report() -> None:
    session = DoubleSession()
    session.open_gate()
    session.end_gate("INCONCLUSIVE", GATE_ID, "undecided", report=False)
    told = estimates(state="open", missing=True)
    verdict = Verdict("INCONCLUSIVE", (Reason("undecided", "the mean is open"),), told)
    session.store.put(verdict_key(GATE_ID), json.dumps(verdict_to_dict(verdict)).encode())
    session.store.put(plan_key(GATE_ID), dump_plan(gate_plan()).encode())
    shown = run(session, "gate", "show").stdout
    assert "missing     the mean: about 210 more pairs (420 invocations) if it goes on as it did\n" in shown
