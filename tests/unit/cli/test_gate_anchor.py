"""`flywheel gate anchor` and what `flywheel gate plan` says of stored answers, against doubles."""

import json

import pytest

from flywheel.baselines import Baselines
from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.instrument import judge_spec
from tests.fakes.stored import keep, released
from tests.fakes.world import golden_items
from tests.unit.cli.double_session import FACTS, DoubleSession, run

JUDGE = judge_spec(str(FACTS.judge_model_id), GatePolicy().choice_scores).version
ITEMS = golden_items(10)


@pytest.fixture
def session() -> DoubleSession:
    made = DoubleSession(ITEMS)
    made.ssm.texts |= {"agent": '{"model_id": "m"}', "policy": '{"minimum_items": 4, "incumbent": "cached"}'}
    return made


def kept(session: DoubleSession, letter: str, items: tuple[GoldenItem, ...] = ITEMS, trials: int = 3) -> None:
    keep(Baselines(session.store), letter, items=items, trials=trials, judge_version=JUDGE)


# --- the anchor


def test_the_anchor_is_shown_with_the_releases_and_what_is_stored_of_them(session: DoubleSession) -> None:
    released(session.line, "1", "b")
    kept(session, "1")

    said = run(session, "gate", "anchor").stdout
    data = json.loads(run(session, "gate", "anchor", "--json").stdout)

    assert "the oldest release whose stored answers can be used" in said
    assert "release 1: sha256:111111111111, answers stored by 1 gate" in said
    assert "release 2: sha256:bbbbbbbbbbbb, no stored answers" in said
    assert data["anchor"]["release"] == "oldest"
    assert [row["gates_with_stored_answers"] for row in data["releases"]] == [0, 1]


def test_moving_the_anchor_records_who_and_when(session: DoubleSession) -> None:
    released(session.line, "1", "2", "b")

    done = run(session, "gate", "anchor", "--release", "2")

    assert done.exit_code == 0
    written = json.loads(session.ssm.texts["anchor"])
    assert written["release"] == 2
    assert "@" in written["set_by"]
    assert written["set_at"] == "2026-11-23T12:00:00+00:00"
    assert f"release 2 (set by {written['set_by']}" in run(session, "gate", "anchor").stdout


@pytest.mark.parametrize(("option", "value"), [("--off", "off"), ("--oldest", "oldest")])
def test_the_anchor_is_switched_off_and_back(session: DoubleSession, option: str, value: str) -> None:
    data = json.loads(run(session, "gate", "anchor", option, "--json").stdout)

    assert (data["anchor"]["release"], data["done"]) == (value, True)
    assert json.loads(session.ssm.texts["anchor"])["release"] == value


def test_a_dry_run_changes_nothing(session: DoubleSession) -> None:
    released(session.line, "b")

    done = run(session, "gate", "anchor", "--release", "1", "--dry-run")

    assert "nothing was changed" in done.stdout
    assert "anchor" not in session.ssm.texts


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--release", "9"], "there is no release 9"),
        (["--release", "1", "--off"], "say one of --release, --oldest and --off"),
        (["--release", "0"], "Error"),
    ],
)
def test_an_anchor_that_cannot_be_is_refused(session: DoubleSession, arguments: list[str], said: str) -> None:
    released(session.line, "b")

    done = run(session, "gate", "anchor", *arguments)

    assert done.exit_code == 2
    assert said in done.stderr
    assert "anchor" not in session.ssm.texts


def test_a_setting_that_cannot_be_read_is_shown_as_such_and_can_be_corrected(session: DoubleSession) -> None:
    session.ssm.texts["anchor"] = "{"

    assert "INVALID: the SSM parameter /flywheel/dev/anchor" in run(session, "gate", "anchor").stdout
    assert run(session, "gate", "plan").exit_code == 2
    assert run(session, "gate", "anchor", "--oldest").exit_code == 0
    assert run(session, "gate", "plan").exit_code == 0


# --- the plan


def test_the_plan_counts_no_invocations_of_a_cached_incumbent_but_its_judgements(session: DoubleSession) -> None:
    released(session.line, "b")
    rerun = json.loads(run(session, "gate", "plan", "--json").stdout)
    kept(session, "b")
    cached = json.loads(run(session, "gate", "plan", "--json").stdout)

    assert cached["cost"]["invocations"] * 2 == rerun["cost"]["invocations"]
    assert cached["cost"]["judgements"] == cached["cost"]["invocations"] + 30
    assert [note["code"] for note in rerun["notes"]] == ["incumbent_rerun"]
    assert [(arm["arm"], arm["release"], arm["items"], arm["answers"]) for arm in cached["stored"]] == [
        ("incumbent", 1, 10, 30)
    ]
    said = run(session, "gate", "plan").stdout
    assert "incumbent    release 1, 30 stored answers of 10 items, judged again" in said
    assert "nothing is in production yet" not in said


def test_the_plan_says_why_production_will_answer_again(session: DoubleSession) -> None:
    released(session.line, "b")

    said = run(session, "gate", "plan").stdout

    assert "note         the incumbent, release 1, answers again: no gate has left answers of it" in said


def test_the_plan_names_the_anchor(session: DoubleSession) -> None:
    released(session.line, "1", "b")
    kept(session, "1")

    assert "anchor       release 1, 30 stored answers of 10 items" in run(session, "gate", "plan").stdout
