"""Ids of runs: stable, sortable, and safe as part of a key."""

import pytest

from flywheel.errors import InvalidRequestError
from flywheel.traffic import identity
from tests.fakes.clock import NOON


def test_the_same_request_has_the_same_run_and_another_has_another() -> None:
    run = identity.run_id(NOON, "r-1")
    assert run == identity.run_id(NOON, "r-1") == identity.checked_run_id(run)
    assert run != identity.run_id(NOON, "r-2")
    assert run.startswith("t-20261123t120000-")


def test_a_session_is_long_enough_for_agentcore_and_one_for_each_conversation() -> None:
    sessions = {identity.session_id("t-20261125t100000-0123abcd", number) for number in range(100)}
    assert len(sessions) == 100
    assert all(33 <= len(one) <= 200 for one in sessions)


@pytest.mark.parametrize("text", ["", "latest", "t-1", "../gates/g-1", "t-20261125t100000-0123abcd/../.."])
def test_what_is_no_run_never_becomes_part_of_a_key(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no run"):
        identity.checked_run_id(text)
