from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.agentcore.faults import FaultError, parse_fault

RUNTIME = "fw_dev_1-abcdefghij"


def hits(fault: dict[str, Any], count: int, payload: bytes = b"{}") -> list[bool]:
    rule = parse_fault(fault)
    return [rule.hits(RUNTIME, payload) for _ in range(count)]


def test_a_share_is_spread_evenly_and_is_the_same_in_every_run() -> None:
    first, second = (hits({"kind": "error", "share": 0.2}, 20) for _ in range(2))

    assert first == second == ([False] * 4 + [True]) * 4


@given(share=st.floats(0.01, 1), count=st.integers(1, 300))
def test_of_n_invocations_the_stated_share_fails(share: float, count: int) -> None:
    assert abs(sum(hits({"kind": "error", "share": share}, count)) - share * count) <= 1


def test_a_sticky_fault_chooses_by_the_payload() -> None:
    rule = parse_fault({"kind": "crash", "share": 0.5, "sticky": True})
    payloads = [str(number).encode() for number in range(200)]

    first = [rule.hits(RUNTIME, payload) for payload in payloads]

    assert first == [rule.hits(RUNTIME, payload) for payload in payloads]
    assert 60 < sum(first) < 140


def test_a_counted_fault_ends() -> None:
    assert hits({"kind": "error", "count": 2}, 5) == [True, True, False, False, False]


def test_a_fault_for_other_runtimes_neither_hits_nor_counts() -> None:
    rule = parse_fault({"kind": "error", "share": 0.5, "runtime_prefix": "other"})

    assert [rule.hits(RUNTIME, b"") for _ in range(4)] == [False] * 4
    assert rule.to_dict()["seen"] == 0


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ({}, "kind"),
        ({"kind": "flood"}, "kind"),
        ({"kind": ["error"]}, "kind"),
        ({"kind": "error", "shares": 1}, "shares"),
        ({"kind": "error", "share": 0}, "share"),
        ({"kind": "error", "share": 1.1}, "share"),
        ({"kind": "error", "share": "0.5"}, "share"),
        ({"kind": "error", "share": True}, "share"),
        ({"kind": "error", "share": float("nan")}, "share"),
        ({"kind": "error", "count": 0}, "count"),
        ({"kind": "error", "count": 1.5}, "count"),
        ({"kind": "timeout", "delay_s": -1}, "delay_s"),
        ({"kind": "timeout", "delay_s": 1e9}, "delay_s"),
        ({"kind": "throttle", "retry_after_s": 1.5}, "retry_after_s"),
        ({"kind": "error", "runtime_prefix": 5}, "runtime_prefix"),
        ({"kind": "error", "sticky": 1}, "sticky"),
        ({"kind": "session_starts", "per_s": 0}, "per_s"),
        ({"kind": "session_starts", "burst": 0}, "burst"),
        ({"kind": "session_starts", "burst": 2.5}, "burst"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_name(fault: object, named: str) -> None:
    with pytest.raises(FaultError, match=named):
        parse_fault(fault)


def test_a_bucket_lets_so_many_sessions_start_and_refills_with_time() -> None:
    rule = parse_fault({"kind": "session_starts", "per_s": 2, "burst": 3})

    def refused(at: float, *sessions: str) -> list[bool]:
        return [rule.refuses_start(RUNTIME, session, at) for session in sessions]

    assert refused(100.0, "a", "b", "c", "d") == [False, False, False, True]
    assert refused(100.1, "a", "b", "d") == [False, False, True], "a session that has started needs no token"
    assert refused(100.5, "d", "e") == [False, True]
    assert refused(200.0, "e", "f", "g", "h") == [False, False, False, True], "never more than the burst"
    assert (rule.to_dict()["seen"], rule.to_dict()["injected"]) == (11, 4)


def test_a_bucket_is_of_the_named_runtimes_only_and_may_end() -> None:
    rule = parse_fault({"kind": "session_starts", "burst": 1, "runtime_prefix": "fw_dev", "count": 1})

    assert [rule.refuses_start("other-abcdefghij", str(n), 1.0) for n in range(3)] == [False] * 3
    assert [rule.refuses_start(RUNTIME, str(n), 1.0) for n in range(3)] == [False, True, False]
