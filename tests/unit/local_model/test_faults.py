import pytest
from pydantic import ValidationError

from local.model.faults import CallRole, Fault, FaultPlan


def strikes(plan: FaultPlan, role: CallRole, calls: int) -> list[bool]:
    return [bool(plan.strike(role)) for _ in range(calls)]


def test_a_fault_hits_its_role_only() -> None:
    plan = FaultPlan()
    plan.add(Fault(kind="error", role="judge"))
    assert strikes(plan, "agent", 2) == [False, False]
    assert strikes(plan, "judge", 2) == [True, True]


def test_a_fault_without_role_hits_both() -> None:
    plan = FaultPlan()
    plan.add(Fault(kind="error"))
    assert strikes(plan, "agent", 1) + strikes(plan, "judge", 1) == [True, True]


def test_skip_every_and_times_choose_the_calls() -> None:
    plan = FaultPlan()
    plan.add(Fault(kind="throttle", skip=1, every=2, times=2))
    assert strikes(plan, "agent", 8) == [False, False, True, False, True, False, False, False]


def test_clearing_lifts_faults_and_counts() -> None:
    plan = FaultPlan()
    plan.add(Fault(kind="error"))
    strikes(plan, "judge", 3)
    assert plan.to_json()["calls"] == {"agent": 0, "judge": 3}
    plan.clear()
    assert plan.to_json() == {"faults": [], "calls": {"agent": 0, "judge": 0}}
    assert strikes(plan, "judge", 1) == [False]


@pytest.mark.parametrize(
    "fields", [{}, {"kind": "explode"}, {"kind": "delay", "delay_s": -1}, {"kind": "error", "rol": "judge"}]
)
def test_a_malformed_fault_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(fields)
