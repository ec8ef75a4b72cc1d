import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import Arm
from flywheel.domain.releases import GateRequest, gate_id, runtime_name, supersedes

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GATE = gate_id(NOON, "event")
times = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5)), timezone(timedelta(hours=-8))]),
)


def test_the_newer_request_supersedes_whatever_was_delivered_first() -> None:
    old, new = GateRequest("g", NOON, "z"), GateRequest("g", NOON + timedelta(microseconds=1), "a")
    assert supersedes(new, old)
    assert not supersedes(old, new)


def test_the_event_id_breaks_a_tie_and_a_redelivery_supersedes_nothing() -> None:
    assert supersedes(GateRequest("g", NOON, "b"), GateRequest("g", NOON, "a"))
    assert not supersedes(GateRequest("g", NOON, "a"), GateRequest("g", NOON, "a"))


def test_times_of_other_zones_are_compared_as_instants() -> None:
    later = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=-8)))
    assert supersedes(GateRequest("g", later, "a"), GateRequest("g", NOON, "b"))


def test_a_request_without_a_time_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        GateRequest("g", datetime(2026, 1, 1), "a")  # noqa: DTZ001


def test_a_gate_id_is_the_same_for_every_delivery_of_an_event() -> None:
    same = [gate_id("2026-11-23T07:05:00Z", "e"), gate_id("2026-11-23T08:05:00.9+01:00", "e")]
    assert set(same) == {"g-20261123t070500-3f79bb7b"}


@given(times, times, st.text(min_size=1), st.text(min_size=1))
def test_gate_ids_sort_by_time(one: datetime, other: datetime, first: str, second: str) -> None:
    ids = (gate_id(one, first), gate_id(other, second))
    if one.astimezone(UTC).replace(microsecond=0) < other.astimezone(UTC).replace(microsecond=0):
        assert ids[0] < ids[1]
    assert all(re.fullmatch(r"g-\d{8}t\d{6}-[0-9a-f]{8}", one_id) for one_id in ids)


@pytest.mark.parametrize(
    ("time", "event_id"),
    [
        ("2026-01-01T00:00:00", "e"),
        ("yesterday", "e"),
        ("0001-01-01T00:00:00+14:00", "e"),
        ("", "e"),
        ("2026-01-01T00:00:00Z", ""),
    ],
)
def test_an_event_without_a_usable_time_or_id_is_an_error(time: str, event_id: str) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat|id of the event"):
        gate_id(time, event_id)


@given(st.text(min_size=1, max_size=26), st.sampled_from(["candidate", "incumbent"]), st.text(min_size=1))
def test_a_runtime_name_is_what_agentcore_accepts(environment: str, arm: Arm, event_id: str) -> None:
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", runtime_name(environment, gate_id(NOON, event_id), arm))


def test_runtime_names_differ_by_environment_gate_and_arm_and_are_stable() -> None:
    other = gate_id(NOON + timedelta(seconds=1), "event")
    names = {
        runtime_name("dev", GATE, "candidate"),
        runtime_name("tst", GATE, "candidate"),
        runtime_name("dev", GATE, "incumbent"),
        runtime_name("dev", other, "candidate"),
    }
    assert len(names) == 4
    assert runtime_name("dev", GATE, "candidate") in names
    assert runtime_name("dev", GATE, "candidate").startswith("fw_dev_")


@pytest.mark.parametrize(("environment", "gate"), [("", GATE), ("x" * 27, GATE), ("dev", "g-1"), ("dev", "")])
def test_a_name_that_cannot_be_made_is_an_error(environment: str, gate: str) -> None:
    with pytest.raises(ValueError, match=r"environment|not a gate id"):
        runtime_name(environment, gate, "candidate")
