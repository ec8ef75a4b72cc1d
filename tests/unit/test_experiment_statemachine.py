"""The experiment's machine: what fails alone, what ends it, and that every path is cleaned up and reported."""

import json
from datetime import timedelta
from typing import Any

from flywheel.sweep import LONGEST_EXPERIMENT
from tests.unit.test_statemachines import ROOT, State, holds


def experiment_states() -> dict[str, State]:
    states: dict[str, State] = json.loads((ROOT / "statemachines" / "experiment.asl.json").read_text())["States"]
    return states


def test_every_path_of_an_experiment_goes_through_clean_up_and_report() -> None:
    experiment = experiment_states()
    for name in ("Deploy Runtimes", "Plan Rung", "Evaluate Rung"):
        assert [(c["ErrorEquals"], c["Next"]) for c in experiment[name]["Catch"]] == [(["States.ALL"], "Clean Up")]
    assert experiment["What Was Asked"]["Default"] == "Clean Up"
    assert experiment["Clean Up"]["Next"] == experiment["Clean Up"]["Catch"][0]["Next"] == "Report Experiment"
    assert experiment["Plan Experiment"]["Catch"][0]["Next"] == "Report Experiment"
    ends = [name for name, state in experiment.items() if state["Type"] in {"Succeed", "Fail"} or state.get("End")]
    assert sorted(ends) == ["Duplicate Delivery", "Experiment Broken", "Experiment Ended"]


def test_one_runtime_or_shard_that_fails_keeps_nothing_from_the_others() -> None:
    experiment = experiment_states()
    for outer, inner in (("Deploy Runtimes", "Deploy Candidate"), ("Evaluate Rung", "Evaluate Shard")):
        within = experiment[outer]["ItemProcessor"]["States"]
        (catch,) = within[inner]["Catch"]
        assert catch["ErrorEquals"] == ["States.ALL"]
        assert within[catch["Next"]]["Type"] == "Succeed"
    assert experiment["Deploy Runtimes"]["MaxConcurrency"] == 10
    assert experiment["Evaluate Rung"]["MaxConcurrency"] == "{% $plan.parallel %}"


def test_an_experiment_that_could_not_be_planned_is_reported_from_the_event_itself() -> None:
    payload = experiment_states()["Report Experiment"]["Arguments"]["Payload"]
    states = {"context": {"Execution": {"Id": "arn:1", "Input": {"id": "e-1"}}}}
    failure = {"error": "TransientError", "cause": "x"}

    def sent(plan: dict[str, Any], failure: dict[str, str]) -> Any:
        return holds(payload, plan=plan, failure=failure, states=states)

    assert sent({"runtimes": []}, failure) == {"event": {"id": "e-1"}, "execution_arn": "arn:1", "failure": failure}
    assert sent({"experiment_id": "x"}, failure) == {"experiment_id": "x", "failure": failure}
    assert sent({"experiment_id": "x"}, {}) == {"experiment_id": "x"}


def test_what_broke_first_is_what_is_told_when_the_clean_up_fails_too() -> None:
    (catch,) = experiment_states()["Clean Up"]["Catch"]
    states = {"errorOutput": {"Cause": "still there"}}
    first = {"error": "States.Timeout", "cause": "x"}
    assert holds(catch["Assign"]["failure"], failure=first, states=states) == first
    assert holds(catch["Assign"]["failure"], failure={}, states=states) == {
        "error": "CleanUpFailed",
        "cause": "still there",
    }


def test_a_search_that_takes_too_long_ends_while_there_is_time_to_clean_up() -> None:
    machine = json.loads((ROOT / "statemachines" / "experiment.asl.json").read_text())
    late, evaluate = machine["States"]["What Was Asked"]["Choices"]

    def over(started: str, action: str = "evaluate") -> Any:
        states = {"input": {"action": action}, "context": {"Execution": {"StartTime": started}}}
        return holds(late["Condition"], states=states)

    assert (over("2026-11-23T12:00:00.000Z"), over("2026-11-23T12:00:00.000Z", "end")) == (True, False)
    assert over("2999-11-23T12:00:00.000Z") is False
    assert (late["Next"], late["Assign"]["failure"]["error"]) == ("Clean Up", "ExperimentTimedOut")
    assert holds(evaluate["Condition"], states={"input": {"action": "evaluate"}}) is True
    assert timedelta(seconds=machine["TimeoutSeconds"]) < LONGEST_EXPERIMENT


def test_an_experiment_that_failed_shows_as_broken_and_a_refused_one_does_not() -> None:
    experiment = experiment_states()
    (ended,) = experiment["How Did It End"]["Choices"]

    def well(outcome: str, **failure: str) -> Any:
        return holds(ended["Condition"], failure=failure, states={"input": {"outcome": outcome}})

    assert (well("completed"), well("refused"), ended["Next"]) == (True, True, "Experiment Ended")
    assert (well("completed", error="CleanUpFailed"), well("broken")) == (False, False)
    broken = experiment["Experiment Broken"]["Error"]
    assert [holds(broken, failure=failure) for failure in ({"error": "CleanUpFailed"}, {})] == [
        "CleanUpFailed",
        "NothingFound",
    ]
    assert experiment["How Did It End"]["Default"] == "Experiment Broken"
    skip, refused = experiment["What Was Planned"]["Choices"]
    said = [holds(refused["Condition"], plan={"action": action}) for action in ("run", "skip", "refused")]
    assert (said, refused["Next"], skip["Next"]) == ([False, False, True], "Report Experiment", "Duplicate Delivery")


def test_late_scores_are_waited_for_by_asking_again() -> None:
    experiment = experiment_states()
    (done,) = experiment["Is Report Done"]["Choices"]
    assert [holds(done["Condition"], states={"input": {"done": value}}) for value in (True, False)] == [True, False]
    assert experiment["Is Report Done"]["Default"] == "Wait For Late Scores"
    assert experiment["Wait For Late Scores"]["Next"] == "Report Experiment"
