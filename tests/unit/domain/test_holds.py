"""Who may be asked to settle a gate: only what a judgement can settle, never broken evidence."""

import pytest

from flywheel.domain.holds import NOTE_OF, may_promote, person_may_settle, waits_for_person
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import NOTES, Reason, Verdict, VerdictKind

HOLD = GatePolicy(on_inconclusive="hold")


def verdict(*codes: str, kind: VerdictKind = "INCONCLUSIVE") -> Verdict:
    return Verdict(kind, tuple(Reason(code, "m") for code in codes))


@pytest.mark.parametrize("codes", [("undecided",), ("judge_unreliable",), ("undecided", "judge_unreliable")])
def test_a_person_may_settle_what_is_only_undecided(codes: tuple[str, ...]) -> None:
    assert person_may_settle(verdict(*codes))
    assert person_may_settle(verdict(*codes, "cost_unknown"))


@pytest.mark.parametrize(
    "code",
    [
        "void",
        "superseded",
        "evidence_missing",
        "dataset_changed",
        "judge_unavailable",
        "too_few_items",
        "must_pass",
        "latency_p95_ms",
        "gates_per_day",
        "never_ready",
        "TransientError",
    ],
)
def test_nobody_may_settle_what_is_broken_or_already_against_the_candidate(code: str) -> None:
    assert not person_may_settle(verdict(code))
    assert not person_may_settle(verdict("undecided", code))


def test_a_verdict_without_a_reason_or_that_is_none_or_clear_is_nobodys_to_settle() -> None:
    assert not person_may_settle(verdict())
    assert not person_may_settle(verdict("cost_unknown"))
    assert not person_may_settle(verdict("undecided", kind="FAIL"))
    assert not person_may_settle(verdict(kind="PASS"))
    assert not person_may_settle(Verdict(None))


def test_a_gate_is_held_only_when_the_policy_says_so_and_something_would_be_promoted() -> None:
    undecided = verdict("undecided")
    assert waits_for_person(HOLD, undecided, promote=True)
    assert not waits_for_person(HOLD, undecided, promote=False)
    assert not waits_for_person(GatePolicy(), undecided, promote=True)
    assert not waits_for_person(GatePolicy(on_inconclusive="more_trials"), undecided, promote=True)
    assert not waits_for_person(HOLD, verdict("void"), promote=True)


def test_what_passed_or_was_approved_while_it_could_be_may_be_promoted() -> None:
    assert may_promote(GatePolicy(), verdict(kind="PASS"), approved=False)
    assert may_promote(HOLD, verdict("undecided"), approved=True)
    assert not may_promote(HOLD, verdict("undecided"), approved=False)
    assert not may_promote(GatePolicy(), verdict("undecided"), approved=True)
    assert not may_promote(HOLD, verdict("undecided", "superseded"), approved=True)
    assert not may_promote(HOLD, verdict("minimum", kind="FAIL"), approved=True)


def test_every_settlement_stands_among_the_notes_and_never_among_the_reasons() -> None:
    assert set(NOTE_OF.values()) <= NOTES
