"""Late scores: none, some, all, twice, after the deadline, and a Langfuse that is down."""

from collections.abc import Mapping, Sequence

import pytest

from flywheel.domain.experiment import LateScores
from flywheel.domain.late_scores import joined
from flywheel.domain.outcome import TrialRecord
from flywheel.errors import AccessDeniedError, NotFoundError, TransientError
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_late import LateLook, LateScoring
from tests.fakes.clock import FixedClock
from tests.fakes.late_scores import InMemoryLateScores
from tests.fakes.objects import InMemoryObjects
from tests.unit.domain.experiments import trial

ID = "x-20261123t120000-00000001"
ASKED = LateScores(("helpful",), deadline_minutes=5)
ANSWERS = {"c01": [trial(0, 1.0), trial(1, 0.0), trial(2, None)], "c02": [trial(4, 1.0)]}


class Setting:
    def __init__(self) -> None:
        self.clock = FixedClock()
        self.langfuse = InMemoryLateScores()
        self.evidence = ExperimentEvidence(InMemoryObjects())
        self.read = 0
        self.late = LateScoring(self.evidence, lambda: self.langfuse, self.clock)

    def answers(self) -> Mapping[str, Sequence[TrialRecord]]:
        self.read += 1
        return ANSWERS

    def look(self, *, wait: bool = True, attempt: int = 1) -> LateLook:
        return self.late.look(ID, attempt, ASKED, self.answers, ["c01"], wait=wait)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def said(look: LateLook) -> dict[str, tuple[int, int, float | None]]:
    return {f.configuration_id: (f.arrived, f.expected, f.mean) for f in joined(look.state)}


def test_all_scores_are_joined_at_once(setting: Setting) -> None:
    setting.langfuse.values = {"helpful": {"t0-1": 1.0, "t1-1": 0.5, "t4-1": 0.25}}
    look = setting.look()
    assert look.wait_s == 0
    assert said(look) == {"c01": (2, 2, 0.75), "c02": (1, 1, 0.25)}
    assert setting.evidence.late_scores(ID) == look.state


def test_some_are_waited_for_until_they_are_there_and_only_those_are_asked_for_again(setting: Setting) -> None:
    setting.langfuse.values = {"helpful": {"t0-1": 1.0}}
    first = setting.look()
    assert 0 < first.wait_s <= 60
    assert said(first)["c01"] == (1, 2, None)
    setting.langfuse.values["helpful"]["t1-1"] = 0.0
    setting.clock.advance(first.wait_s)
    second = setting.look()
    assert second.wait_s == 0
    assert said(second)["c01"] == (2, 2, 0.5)
    assert setting.langfuse.looks == [("t0-1", "t1-1"), ("t1-1",), ("t4-1",)]
    assert setting.read == 1


def test_none_are_waited_for_no_longer_than_the_deadline(setting: Setting) -> None:
    waited = 0
    while look_wait := setting.look().wait_s:
        setting.clock.advance(look_wait)
        waited += look_wait
    assert waited == 300
    assert setting.look().state.settled
    assert said(setting.look())["c01"] == (0, 2, None)


def test_what_comes_after_the_deadline_changes_nothing(setting: Setting) -> None:
    setting.look()
    setting.clock.advance(300)
    settled = setting.look()
    setting.langfuse.values = {"helpful": {"t0-1": 1.0, "t1-1": 1.0}}
    assert setting.look() == settled
    assert said(settled)["c01"] == (0, 2, None)


def test_nobody_waits_for_one_that_was_stopped_but_it_is_looked_at_once(setting: Setting) -> None:
    setting.langfuse.values = {"helpful": {"t0-1": 1.0, "t1-1": 1.0}}
    assert setting.look().wait_s == 0
    assert said(setting.look())["c02"] == (0, 1, None)


def test_the_last_look_waits_for_nothing(setting: Setting) -> None:
    look = setting.look(wait=False)
    assert (look.wait_s, look.state.settled) == (0, True)


def test_a_resumed_experiment_waits_again(setting: Setting) -> None:
    setting.look(wait=False)
    assert setting.look(attempt=2).wait_s > 0


@pytest.mark.parametrize("sudden", [True, False])
def test_a_langfuse_that_is_down_is_asked_until_the_deadline_and_then_said(setting: Setting, *, sudden: bool) -> None:
    error = TransientError("Langfuse: http://lf does not answer")
    if sudden:
        setting.langfuse.fails = error
    else:
        setting.langfuse.broken_off = error
    assert setting.look().wait_s > 0
    setting.clock.advance(300)
    look = setting.look()
    assert look.wait_s == 0
    assert look.state.trouble == str(error)


def test_a_langfuse_that_comes_back_leaves_no_trouble_behind(setting: Setting) -> None:
    setting.langfuse.fails = TransientError("down")
    assert setting.look().state.trouble == "down"
    setting.langfuse.fails = None
    setting.langfuse.values = {"helpful": {"t0-1": 1.0, "t1-1": 1.0, "t4-1": 1.0}}
    assert setting.look().state.trouble == ""


def test_a_rate_limit_is_left_alone_for_as_long_as_it_asks_for_but_not_beyond_the_deadline(setting: Setting) -> None:
    setting.langfuse.broken_off = TransientError("429", retry_after_s=90.5)
    assert setting.look().wait_s == 91
    setting.clock.advance(250)
    assert setting.look().wait_s == 50


@pytest.mark.parametrize("error", [AccessDeniedError("Langfuse answered 401"), NotFoundError("no v3/scores")])
def test_what_no_waiting_mends_is_not_waited_for(setting: Setting, error: Exception) -> None:
    setting.langfuse.fails = error  # type: ignore[assignment]
    look = setting.look()
    assert look.wait_s == 0
    assert look.state.settled
    assert look.state.trouble == str(error)


def test_without_an_answer_there_is_nothing_to_wait_for(setting: Setting) -> None:
    look = setting.late.look(ID, 1, ASKED, lambda: {"c01": [trial(0, None)]}, ["c01"], wait=True)
    assert look.wait_s == 0
    assert joined(look.state) == ()
