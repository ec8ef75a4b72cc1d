"""Dead letters from the command line."""

import json
from typing import Any

import pytest

from cli.letters import redrive
from tests.fakes.letters import InMemoryLetterBox, RecordingHandover
from tests.unit.cli.double_session import DoubleSession, run
from tests.unit.domain.test_dead_letters import ADDRESSES, GATE, LAMBDA, event


def failed(payload: Any, function: str = "dev-Harvest-2") -> dict[str, Any]:
    context = {"functionArn": f"{LAMBDA}:{function}", "condition": "RetriesExhausted"}
    return {"requestContext": context, "requestPayload": payload}


def session_with(*bodies: Any) -> tuple[DoubleSession, InMemoryLetterBox, RecordingHandover]:
    session, box, handover = DoubleSession(), InMemoryLetterBox(), RecordingHandover()
    for body in bodies:
        box.put(body)
    session.__dict__ |= {"letter_box": box, "handover": handover, "addresses": ADDRESSES}
    return session, box, handover


def test_letters_are_listed_and_left_where_they_are() -> None:
    session, box, _ = session_with(failed({"n": 1}), "garbage")
    done = run(session, "dead-letters", "list", "--json")

    assert done.exit_code == 1
    assert [(row["route"], row["belongs_to"]) for row in json.loads(done.stdout)] == [
        ("invocation", "HarvestReviewsFunction"),
        ("unknown", None),
    ]
    assert (len(box.letters), box.hidden) == (2, set())
    assert "HarvestReviewsFunction" in run(session, "dead-letters", "list").stdout


def test_an_empty_queue_is_told_by_the_exit_code() -> None:
    session, _, _ = session_with()
    assert run(session, "dead-letters", "list").exit_code == 0
    assert "no dead letters" in run(session, "dead-letters", "redrive", "--all").stdout


def test_a_letter_is_shown_whole_and_commands_no_terminal() -> None:
    session, box, _ = session_with(failed({"title": "\x1b[2J[red]evil"}))
    letter_id = next(iter(box.letters))
    done = run(session, "dead-letters", "show", letter_id[:6])

    assert done.exit_code == 0
    assert "[red]evil" in done.stdout
    assert "\x1b[2J" not in done.stdout
    shown = json.loads(run(session, "dead-letters", "show", letter_id, "--json").stdout)
    assert shown["body"]["requestPayload"] == {"title": "\x1b[2J[red]evil"}
    assert box.hidden == set()


def test_all_are_handed_over_oldest_first_and_the_unknown_stay() -> None:
    session, box, handover = session_with(failed({"n": 1}), event("ecr_image_pushed.json"), "garbage", failed({"n": 2}))
    done = run(session, "dead-letters", "redrive", "--all", "--json")

    assert done.exit_code == 1
    assert [row["fate"] for row in json.loads(done.stdout)] == ["taken", "taken", "kept", "taken"]
    assert handover.invoked == [("dev-Harvest-2", {"n": 1}), ("dev-Harvest-2", {"n": 2})]
    assert list(handover.executions.values()) == [(GATE, event("ecr_image_pushed.json"))]
    assert [letter.body for letter in box.letters.values()] == ["garbage"]
    assert box.hidden == set()


def test_a_dry_run_changes_nothing() -> None:
    session, box, handover = session_with(failed({"n": 1}))
    done = run(session, "dead-letters", "redrive", "--all", "--dry-run")

    assert done.exit_code == 0
    assert "would go to HarvestReviewsFunction" in done.stdout
    assert (len(box.letters), handover.invoked, box.hidden) == (1, [], set())


def test_one_letter_is_named_by_the_beginning_of_its_id() -> None:
    session, box, handover = session_with(failed({"n": 1}), failed({"n": 2}))
    second = list(box.letters)[1]
    assert run(session, "dead-letters", "redrive", second[:12]).exit_code == 0

    assert handover.invoked == [("dev-Harvest-2", {"n": 2})]
    assert list(box.letters) != []
    assert second not in box.letters


@pytest.mark.parametrize("arguments", [[], ["abc", "--all"], ["nosuch"], [""]])
def test_what_is_meant_must_be_said(arguments: list[str]) -> None:
    session, box, handover = session_with(failed({"n": 1}), failed({"n": 2}))
    assert run(session, "dead-letters", "redrive", *arguments).exit_code == 2
    assert (len(box.letters), handover.invoked, box.hidden) == (2, [], set())


def test_a_letter_that_is_not_taken_stays_and_the_others_go_on() -> None:
    session, box, handover = session_with(event("ecr_image_pushed.json"), failed({"n": 1}))
    handover.refuses = {GATE: "states:StartExecution: throttled"}
    done = run(session, "dead-letters", "redrive", "--all")

    assert done.exit_code == 1
    assert "stays: states:StartExecution: throttled" in done.stdout
    assert handover.invoked == [("dev-Harvest-2", {"n": 1})]
    assert (len(box.letters), box.hidden) == (1, set())


def test_killed_between_handing_over_and_removing_it_is_handed_over_again_to_the_same_execution() -> None:
    session, box, handover = session_with(event("ecr_image_pushed.json"))
    box.removals_fail = 1
    assert run(session, "dead-letters", "redrive", "--all").exit_code == 2
    assert (len(box.letters), box.hidden) == (1, set())
    done = redrive(box, handover, ADDRESSES, choose=lambda letters: letters)

    assert [handled.fate for handled in done] == ["taken"]
    assert len(handover.executions) == 1
    assert box.letters == {}
