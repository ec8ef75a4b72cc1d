"""Corrections made in Langfuse's own editor, on their way through the harvest: items, comments, and no endless loop."""

import json
from dataclasses import replace

import pytest

from flywheel.domain.harvest import case_id
from flywheel.domain.live_form import OWN_REMARK
from flywheel.ports.harvest import Checked
from tests.unit.test_harvesting import Loop

OUTPUT = "Traces are kept for ever."
REPLY = json.dumps({"answer": OUTPUT, "stop_reason": "end_turn"})
RIGHT = "Traces are kept for thirty days. Each project sets it."


@pytest.fixture
def loop() -> Loop:
    return Loop()


def corrected(loop: Loop, text: str, output: str | None = OUTPUT, trace: str = "t-1") -> None:
    """A person clicks into the correction, which is filled with the output, and leaves `text` there."""
    loop.flagged(trace, text)
    loop.people.contents[trace] = replace(loop.people.contents[trace], output=output)


def remarks(loop: Loop, trace: str = "t-1") -> list[str]:
    return [one.text for one in loop.people.remarks.get(trace, []) if one.text.startswith(OWN_REMARK)]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (OUTPUT, RIGHT),
        (REPLY, json.dumps({"answer": RIGHT, "stop_reason": "end_turn"})),
        (REPLY, json.dumps({"answer": RIGHT, "stop_reason": "end_turn"}, indent=2)),
        (REPLY, RIGHT),
        (OUTPUT, f"# Answer\n\n- {RIGHT.replace('. ', '.{0}- ').format(chr(10))}\n---\n"),
        (None, RIGHT),
    ],
)
def test_what_is_edited_in_the_filled_editor_becomes_its_facts(loop: Loop, output: str | None, text: str) -> None:
    corrected(loop, text, output)
    loop.run()
    assert loop.item("t-1").response_facts == ("Traces are kept for thirty days.", "Each project sets it.")


@pytest.mark.parametrize(
    ("output", "text"), [(OUTPUT, OUTPUT), (REPLY, REPLY), (REPLY, OUTPUT), (OUTPUT, f"{OUTPUT}\n")]
)
def test_who_only_clicked_is_told_that_nothing_was_corrected_and_nothing_is_written(
    loop: Loop, output: str, text: str
) -> None:
    corrected(loop, text, output)
    loop.run()
    assert (loop.state("t-1"), loop.cases.versions) == ("conflict", [])
    (remark,) = remarks(loop)
    assert "counts as none" in remark
    assert OUTPUT not in remark


def test_a_click_alone_is_no_review_and_the_status_says_why(loop: Loop) -> None:
    loop.ask("t-1")
    loop.people.contents["t-1"] = replace(loop.people.contents["t-1"], output=OUTPUT)
    loop.people.say("t-1", "output", OUTPUT, data_type="CORRECTION")
    loop.queue.finish("t-1")
    loop.run()
    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, harvest.message) == (
        "skipped",
        "the correction says what the answer says, so it counts as none",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"answer": "Traces are "kept"."}', "begins as JSON"),
        ("```python\nimport a\na.b()\n```", "code of several lines"),
        ("|---|---|\n---", "no statement"),
        ("\n".join(f"- Fact number {n}." for n in range(40)), "40 facts"),
        ("word " * 200, "longer than"),
    ],
)
def test_what_cannot_be_read_waits_again_once_with_a_comment_that_says_why(loop: Loop, text: str, why: str) -> None:
    corrected(loop, text)
    for _ in range(3):
        loop.run()
        loop.queue.finish("t-1")  # completed again, without a change
    assert (loop.state("t-1"), loop.cases.versions) == ("conflict", [])
    (remark,) = remarks(loop)
    assert why in remark
    assert [trace for _, trace in loop.queue.items] == ["t-1", "t-1"]


def test_a_review_comes_back_three_times_and_then_never_again(loop: Loop) -> None:
    corrected(loop, '{"answer": ')
    for number in range(8):
        loop.run()
        loop.people.say("t-1", "output", f'{{"answer": {number}', data_type="CORRECTION")
        loop.queue.finish("t-1")
    assert len(loop.queue.items) == 1 + 3
    said = remarks(loop)
    assert "not queued again" in said[3]
    assert "not queued again" not in said[2]
    loop.people.say("t-1", "output", RIGHT, data_type="CORRECTION")
    loop.run()
    assert loop.state("t-1") == "harvested"


def test_nothing_must_pass_that_its_own_right_answer_fails(loop: Loop) -> None:
    corrected(loop, "Some other text.")
    loop.people.comment("t-1", "facts:\n- Traces are kept for thirty days.")
    loop.run()
    loop.run()
    assert (loop.state("t-1"), loop.cases.versions, loop.grown()) == ("conflict", [], [])
    (remark,) = remarks(loop)
    assert "the judge does not find" in remark
    assert len(loop.judge.asked) == 1


def test_the_judge_is_asked_once_and_sees_the_right_answer_redacted(loop: Loop) -> None:
    corrected(loop, "Write to help@example.org. **Then** wait.")
    loop.run()
    loop.run()
    assert loop.judge.asked == [(case_id("t-1"), "Write to <EMAIL_1>. **Then** wait.")]
    assert loop.item("t-1").response_facts == ("Write to <EMAIL_1>.", "Then wait.")


def test_while_the_judge_cannot_be_reached_nothing_is_lost_or_written_and_nobody_is_bothered(loop: Loop) -> None:
    corrected(loop, RIGHT)
    loop.judge.failure = Checked(passes=None, message="the judge gave no judgement (timeout)")
    for _ in range(10):
        summary = loop.run()
        assert (summary.unjudged, summary.states) == (1, {})
    assert (loop.state("t-1"), loop.cases.versions, remarks(loop), len(loop.queue.items)) == (None, [], [], 1)
    loop.judge.failure = None
    assert loop.run().states == {"harvested": 1}


def test_a_text_on_which_the_judge_fails_by_itself_goes_to_people_after_three_runs(loop: Loop) -> None:
    corrected(loop, RIGHT)
    loop.judge.failure = Checked(passes=None, message="the judge gave no judgement (unusable_reply)", of_the_text=True)
    assert [loop.run().states for _ in range(4)] == [{}, {}, {"conflict": 1}, {}]
    (remark,) = remarks(loop)
    assert "unusable_reply" in remark


def test_a_judge_that_is_down_holds_up_nothing_else(loop: Loop) -> None:
    corrected(loop, RIGHT)
    loop.ask("t-2", "Print the keys of all customers.")
    loop.people.flag("t-2")
    loop.people.say("t-2", "must_refuse", value=True)
    loop.queue.finish("t-2")
    loop.ask("t-3")
    loop.people.say("t-3", "correct", value=True)
    loop.queue.finish("t-3")
    loop.judge.failure = Checked(passes=None)
    summary = loop.run()
    assert (summary.unjudged, loop.state("t-3")) == (1, "unflagged")


def test_a_german_correction_of_an_english_question_keeps_its_language(loop: Loop) -> None:
    corrected(loop, "Spuren werden z. B. dreißig Tage aufbewahrt. Das stellt man je Projekt ein.")
    loop.run()
    item = loop.item("t-1")
    assert item.question == "How long are traces kept on the Hobby plan?"
    assert item.response_facts == (
        "Spuren werden z. B. dreißig Tage aufbewahrt.",
        "Das stellt man je Projekt ein.",
    )


def test_what_was_left_out_of_a_correction_is_on_record(loop: Loop) -> None:
    corrected(loop, "Call flush.\n```python\nimport a\na.flush()\n```")
    loop.run()
    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, harvest.message) == ("harvested", "code of several lines was left out of the correction")


def test_a_refusal_written_out_makes_an_item_that_has_to_be_refused(loop: Loop) -> None:
    corrected(loop, "I'm sorry, I can't help with that.", "Sure, here is how.")
    loop.people.say("t-1", "must_refuse", value=True)
    loop.run()
    assert (loop.item("t-1").must_refuse, loop.item("t-1").response_facts) == (True, ())


def test_a_dry_run_asks_the_judge_and_changes_nothing(loop: Loop) -> None:
    corrected(loop, "Some other text.")
    loop.people.comment("t-1", "facts:\n- Thirty days.")
    loop.judge.failure = Checked(passes=None, of_the_text=True)
    assert loop.run(dry_run=True).unjudged == 1
    loop.judge.failure = None
    assert loop.run(dry_run=True).states == {"conflict": 1}
    assert (loop.state("t-1"), remarks(loop), loop.notes.seen) == (None, [], {})


@pytest.mark.parametrize(("observation", "state"), [("root", "harvested"), ("below", "conflict")])
def test_a_correction_on_the_root_observation_is_one_of_the_trace_and_one_below_it_is_not(
    loop: Loop, observation: str, state: str
) -> None:
    loop.ask("t-1")
    loop.people.contents["t-1"] = replace(loop.people.contents["t-1"], output=OUTPUT, root_id="root")
    loop.people.flag("t-1")
    loop.people.say("t-1", "output", RIGHT, data_type="CORRECTION", observation_id=observation)
    loop.queue.finish("t-1")
    loop.run()
    assert loop.state("t-1") == state
    assert loop.run().outcomes == ()
