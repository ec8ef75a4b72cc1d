"""When an undecided gate waits for a person, and how such a hold can be settled."""

from typing import Literal

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Verdict

type SettlementKind = Literal["approved", "rejected", "timed_out"]

# What a person's own judgement can stand in for. Every other code says that the evidence itself is broken, out of date
# or against the candidate, and then there is nothing that an approval could rest on.
_LEFT_TO_A_PERSON = frozenset({"undecided", "judge_unreliable"})

# The code under which each settlement stands among the notes of a verdict.
NOTE_OF: dict[SettlementKind, str] = {
    "approved": "approved",
    "rejected": "rejected_by_person",
    "timed_out": "hold_timed_out",
}


def person_may_settle(verdict: Verdict) -> bool:
    """Whether nothing but a judgement is missing: INCONCLUSIVE, and every reason is one that a person can settle."""
    codes = {reason.code for reason in verdict.against}
    return verdict.kind == "INCONCLUSIVE" and bool(codes) and codes <= _LEFT_TO_A_PERSON


def waits_for_person(policy: GatePolicy, verdict: Verdict, *, promote: bool) -> bool:
    """Whether the gate is held: the policy wants it, there is a promotion to decide about, and a person can."""
    return policy.on_inconclusive == "hold" and promote and person_may_settle(verdict)


def may_promote(policy: GatePolicy, verdict: Verdict, *, approved: bool) -> bool:
    """Whether the candidate may go to production: a PASS, or what a person approved of a gate that was held."""
    return verdict.kind == "PASS" or (approved and waits_for_person(policy, verdict, promote=True))
