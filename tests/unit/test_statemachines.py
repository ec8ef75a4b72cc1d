"""What the emulator or AWS would only tell at run time: dangling states, unknown errors, broken expressions."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonata
import pytest
from statelint.linter import Linter

from flywheel import errors
from flywheel.domain.holds import SettlementKind
from flywheel.domain.policy import parse_policy

ROOT = Path(__file__).parents[2]
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.json"))
type State = dict[str, Any]


def states(machine: dict[str, Any]) -> Iterator[tuple[str, State, dict[str, State]]]:
    """Every state with its name and the states it can go to, those of Map iterations included."""
    siblings = machine["States"]
    for name, state in siblings.items():
        yield name, state, siblings
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def expressions(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        if match := re.fullmatch(r"\{%\s*(.*?)\s*%\}", node, re.DOTALL):
            yield match[1]
    elif isinstance(node, dict):
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


@pytest.fixture(params=MACHINES, ids=lambda path: path.stem)
def machine(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(request.param.read_text())
    return loaded


def next_states(state: State) -> list[str]:
    branches = [*state.get("Choices", []), *state.get("Catch", []), state]
    return [name for branch in branches for name in (branch.get("Next"), branch.get("Default")) if name]


def test_there_is_a_machine_to_check() -> None:
    assert "gate.asl" in [path.stem for path in MACHINES]


def test_every_next_state_exists_and_every_state_is_reached(machine: dict[str, Any]) -> None:
    def check(part: dict[str, Any]) -> None:
        names = part["States"]
        wanted = {part["StartAt"]} | {n for state in names.values() for n in next_states(state)}
        assert wanted == set(names)
        for state in names.values():
            if "ItemProcessor" in state:
                check(state["ItemProcessor"])

    check(machine)


def test_every_error_name_of_ours_is_declared(machine: dict[str, Any]) -> None:
    ours = {name for name in vars(errors) if name.endswith("Error")}
    text = json.dumps(machine)
    named = set(re.findall(r"\b[A-Z]\w+Error\b", text)) - {"Runtime.ExitError", "ExitError"}
    assert named <= ours, named - ours


def test_only_what_may_succeed_later_is_retried(machine: dict[str, Any]) -> None:
    for name, state, _ in states(machine):
        for retry in state.get("Retry", []):
            if name in {"Retire Candidate", "Publish Verdict", "Report Experiment"}:
                continue  # nothing may be left behind and no outcome lost: these try again whatever it was
            business = [e for e in retry["ErrorEquals"] if e in vars(errors) and e != "TransientError"]
            assert business == []
            assert "States.ALL" not in retry["ErrorEquals"]


def test_every_task_has_an_end_and_retries_with_jitter(machine: dict[str, Any]) -> None:
    tasks = {name: state for name, state, _ in states(machine) if state["Type"] == "Task"}
    assert tasks
    for name, state in tasks.items():
        assert state.get("TimeoutSeconds"), name
        for retry in state["Retry"]:
            assert retry["JitterStrategy"] == "FULL", name
            assert retry["MaxDelaySeconds"] <= 60, name


CRASHES = {"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout"}
REPEATABLE = {"TransientError", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"}


def test_every_task_repeats_the_same_errors_a_crash_and_a_time_out_among_them(machine: dict[str, Any]) -> None:
    tasks = {name: state for name, state, _ in states(machine) if state["Type"] == "Task"}
    for name, state in tasks.items():
        _, repeated = state["Retry"]
        # Hold Gate's time is how long a person has: over is over.
        expected = REPEATABLE | CRASHES - ({"States.Timeout"} if name == "Hold Gate" else set())
        assert set(repeated["ErrorEquals"]) in (expected, {"States.ALL"}), name
        assert repeated["MaxAttempts"] >= 6, name


def test_want_of_room_has_a_patience_of_its_own(machine: dict[str, Any]) -> None:
    for name, state, _ in states(machine):
        if state["Type"] == "Task":
            throttled = state["Retry"][0]  # the first that names an error counts
            assert throttled == {
                "ErrorEquals": ["Lambda.TooManyRequestsException"],
                "IntervalSeconds": 15,
                "BackoffRate": 1.5,
                "MaxAttempts": 40,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            }, name


def test_every_path_after_the_plan_goes_through_clean_up() -> None:
    gate = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text())["States"]
    for name in ("Deploy Arms", "Decide Gate", "Evaluate Wave", "Promote Candidate"):
        assert [c["Next"] for c in gate[name]["Catch"]] == ["Clean Up"], name
        assert gate[name]["Catch"][0]["ErrorEquals"] == ["States.ALL"], name
    assert gate["Clean Up"]["Next"] == "Is A Person Asked"
    assert gate["Is A Person Asked"]["Default"] == "Publish Verdict"
    ends = [name for name, state in gate.items() if state["Type"] in {"Succeed", "Fail"} or state.get("End")]
    assert sorted(ends) == ["Duplicate Delivery", "Gate Broken", "Gate Ended"]


def test_every_expression_parses(machine: dict[str, Any]) -> None:
    found = list(expressions(machine))
    assert found
    for expression in found:
        jsonata.Jsonata(expression)


@pytest.mark.parametrize(
    ("failure", "ended"),
    [
        ({}, True),
        ({"error": "DeploymentFailedError", "cause": "x"}, True),
        ({"error": "PromotionRefusedError", "cause": "x"}, True),
        ({"error": "TransientError", "cause": "x"}, False),
        ({"error": "CleanUpFailed", "cause": "x"}, False),
    ],
)
def test_a_business_error_ends_the_gate_and_any_other_one_shows_as_broken(failure: dict[str, str], ended: bool) -> None:
    gate = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text())["States"]
    (condition,) = expressions(gate["How Did It End"]["Choices"][0]["Condition"])
    expression = jsonata.Jsonata(condition.replace("$failure.", "failure."))
    assert bool(expression.evaluate({"failure": failure})) is ended


def test_no_state_carries_prompts_answers_or_secrets(machine: dict[str, Any]) -> None:
    text = json.dumps(machine).lower()
    for word in ("question", "answer", "prompt", "secret", "api_key", "password"):
        assert word not in text, word


def test_the_linter_of_the_language_finds_nothing(machine: dict[str, Any]) -> None:
    # The linter does not know yet that a JSONata machine may compute its waiting times and how much it does at once.
    computed = re.compile(r'(Seconds|MaxConcurrency) is "\{%.*%\}" but')
    problems = [p for p in Linter.validate(machine) if not computed.search(p)]
    assert problems == []


def test_a_plan_that_fails_for_good_is_published_from_the_event_itself() -> None:
    gate = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text())["States"]
    (catch,) = gate["Plan Gate"]["Catch"]
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Publish Verdict")
    (payload,) = expressions(gate["Publish Verdict"]["Arguments"]["Payload"])
    for old, new in (("$plan", "plan"), ("$failure", "failure"), ("$states", "states")):
        payload = payload.replace(old, new)
    states = {"context": {"Execution": {"Id": "arn:1", "Input": {"id": "e-1"}}}}
    failure = {"error": "TransientError", "cause": "x"}

    def sent(plan: dict[str, Any], failure: dict[str, str]) -> Any:
        return jsonata.Jsonata(payload).evaluate({"plan": plan, "failure": failure, "states": states})

    assert sent({"arms": []}, failure) == {"event": {"id": "e-1"}, "execution_arn": "arn:1", "failure": failure}
    assert sent({"gate_id": "g"}, failure) == {"gate_id": "g", "failure": failure}
    assert sent({"gate_id": "g"}, {}) == {"gate_id": "g"}


# --- a held gate ----------------------------------------------------------------------------------------------------


def gate_states() -> dict[str, State]:
    states: dict[str, State] = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text())["States"]
    return states


def holds(condition: str, **variables: Any) -> Any:
    """The value of an expression with these variables, `$` before their names."""
    (text,) = expressions(condition)
    for name in variables:
        text = re.sub(rf"\${name}\b", name, text)
    return jsonata.Jsonata(text).evaluate(variables)


def test_a_gate_waits_for_a_person_only_after_its_runtimes_are_gone() -> None:
    gate = gate_states()
    before = [name for name, state in gate.items() if "Hold Gate" in next_states(state)]
    assert before == ["Is A Person Asked"]
    assert [name for name, state in gate.items() if "Is A Person Asked" in next_states(state)] == ["Clean Up"]
    assert gate["Clean Up"]["Catch"][0]["Next"] == "Publish Verdict"  # runtimes that are left over: nobody is asked
    (asked,) = gate["Is A Person Asked"]["Choices"]
    assert [holds(asked["Condition"], hold_s=s) for s in (0, 3600)] == [False, True]


def test_nobody_is_asked_twice_and_nobody_before_a_decision() -> None:
    gate = gate_states()
    assert gate["Plan Gate"]["Assign"]["hold_s"] == 0
    assert gate["Plan Gate"]["Catch"][0]["Assign"]["hold_s"] == 0
    assert gate["Settle Hold"]["Assign"] == {"hold_s": 0}
    assert gate["Decide Gate"]["Assign"] == {"hold_s": "{% $states.result.Payload.hold_s %}"}


def test_what_the_record_says_decides_whether_the_token_came_or_the_time_was_over() -> None:
    gate = gate_states()
    assert gate["Hold Gate"]["TimeoutSeconds"] == "{% $hold_s %}"
    assert (gate["Hold Gate"]["Next"], gate["Hold Gate"]["Output"]["timed_out"]) == ("Settle Hold", False)
    over, broken = gate["Hold Gate"]["Catch"]
    assert over["ErrorEquals"] == ["States.Timeout", "States.HeartbeatTimeout"]
    assert (over["Next"], over["Output"]["timed_out"]) == ("Settle Hold", True)
    assert (broken["ErrorEquals"], broken["Next"]) == (["States.ALL"], "Publish Verdict")
    (approved,) = gate["Was It Approved"]["Choices"]
    assert approved["Next"] == "Promote Candidate"
    answers = [
        holds(approved["Condition"], states={"input": {"settlement": s}}) for s in get_args(SettlementKind.__value__)
    ]
    assert answers == [True, False, False]
    assert gate["Was It Approved"]["Default"] == "Publish Verdict"


def test_the_longest_hold_fits_the_machine_and_a_gate_that_is_not_held_gets_four_hours() -> None:
    machine = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text())
    longest = 720
    with pytest.raises(errors.InvalidRequestError):
        parse_policy({"hold_h": longest + 0.01})
    assert machine["TimeoutSeconds"] >= longest * 3600 + 14_400
    late = machine["States"]["What Was Decided"]["Choices"][0]

    def over(started: str, action: str = "evaluate") -> Any:
        states = {"input": {"action": action}, "context": {"Execution": {"StartTime": started}}}
        return holds(late["Condition"], states=states)

    assert over("2026-11-23T12:00:00.000Z") is True
    assert over("2026-11-23T12:00:00.000Z", "promote") is False
    assert over("2999-11-23T12:00:00.000Z") is False
    assert (late["Next"], late["Assign"]["failure"]["error"]) == ("Clean Up", "GateTimedOut")


def test_a_runtime_that_never_goes_is_not_waited_for_without_an_end() -> None:
    states = gate_states()["Clean Up"]["ItemProcessor"]["States"]
    gone, never = states["Is Runtime Gone"]["Choices"]
    assert gone["Next"] == "Arm Retired"
    assert holds(never["Condition"], states={"input": {"since": 0}}) is True
    assert (never["Next"], states["Arm Not Retired"]["Error"]) == ("Arm Not Retired", "CleanUpFailed")


# --- synthetic users ------------------------------------------------------------------------------------------------


def traffic_states() -> dict[str, State]:
    states: dict[str, State] = json.loads((ROOT / "statemachines" / "traffic.asl.json").read_text())["States"]
    return states


def test_what_was_sent_is_reported_also_when_a_worker_failed() -> None:
    traffic = traffic_states()
    (catch,) = traffic["Simulate Users"]["Catch"]
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Report Traffic")
    assert traffic["Simulate Users"]["Next"] == "Report Traffic"
    (broken,) = traffic["How Did It End"]["Choices"]
    assert (holds(broken["Condition"], failure={"error": "States.Timeout"}), broken["Next"]) == (True, "Traffic Broken")
    assert holds(broken["Condition"], failure={}) is False
    assert traffic["Traffic Broken"]["Type"] == "Fail"


def test_nobody_is_sent_without_production_and_that_is_no_failure() -> None:
    traffic = traffic_states()
    (run,) = traffic["What Was Planned"]["Choices"]
    sent = [holds(run["Condition"], plan={"action": action}) for action in ("run", "idle", "skip")]
    assert (sent, run["Next"]) == ([True, False, False], "Simulate Users")
    assert traffic[traffic["What Was Planned"]["Default"]]["Type"] == "Succeed"


def test_a_part_that_another_attempt_holds_is_waited_for_in_the_time_of_the_machine() -> None:
    traffic = traffic_states()
    of_part = traffic["Simulate Users"]["ItemProcessor"]["States"]
    (done,) = of_part["Is Part Done"]["Choices"]
    looked = [holds(done["Condition"], states={"input": {"done": value}}) for value in (True, False)]
    assert (looked, of_part["Is Part Done"]["Default"]) == ([True, False], "Wait For Claim")
    assert of_part["Wait For Claim"]["Next"] == "Run Part"
    machine = json.loads((ROOT / "statemachines" / "traffic.asl.json").read_text())
    # One attempt that is killed at its very end, the claim that it leaves, and the report.
    assert machine["TimeoutSeconds"] >= 3 * of_part["Run Part"]["TimeoutSeconds"]
