"""`flywheel gate ...` against doubles."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from cli.gate_watch import follow, watch
from flywheel.combining import setting_hash
from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.plan import dump_plan
from flywheel.domain.releases import gate_id as id_of
from flywheel.domain.verdict import Reason, Verdict
from flywheel.evidence import checkpoint_key, plan_key, result_key, shard_key, verdict_key, verdict_to_dict
from flywheel.ports import Head, Release
from tests.fakes.clock import NOON
from tests.unit.cli.double_session import DIGEST, FACTS, GATE_ID, DoubleSession, run
from tests.unit.evaluation.doubles import plan as gate_plan


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(typer, "launch", lambda url: pytest.fail(f"opened {url}"))


@pytest.fixture
def session() -> DoubleSession:
    return DoubleSession()


# --- start ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "v1",
        DIGEST,
        "production",
        f"flywheel-agent-dev@{DIGEST}",
        "000000000000.dkr.ecr.x.amazonaws.com/flywheel-agent-dev:v1",
    ],
)
def test_start_puts_gate_requested_on_the_bus_and_tells_the_gates_id(session: DoubleSession, image: str) -> None:
    done = run(session, "gate", "start", "--image", image, "--json")
    assert done.exit_code == 0
    kind, detail, at = session.asked.sent[0]
    assert (kind, detail["image"], detail["reason"], detail["promote"]) == ("GateRequested", image, "cli", True)
    assert json.loads(done.stdout)["gate_id"] == id_of(at, detail["request_id"])


def test_start_names_the_next_step(session: DoubleSession) -> None:
    done = run(session, "gate", "start", "--image", "v1", "--no-promote", "--prompt", "docs:agent:4")
    detail = session.asked.sent[0][1]
    assert "next: flywheel gate watch g-" in done.stdout
    assert (detail["promote"], detail["prompt"]) == (False, {"name": "docs:agent", "version": 4})


def test_a_baseline_is_asked_for_by_its_trials_and_promotes_nothing(session: DoubleSession) -> None:
    done = run(session, "gate", "start", "--image", "v1", "--baseline", "3", "--json")
    assert session.asked.sent[0][1]["baseline"] == 3
    assert json.loads(done.stdout)["promote"] is False
    assert run(session, "gate", "start", "--image", "v1", "--baseline", "0").exit_code == 2


def test_two_requests_of_the_same_image_are_two_gates(session: DoubleSession) -> None:
    ids = {run(session, "gate", "start", "--image", "v1", "--json").stdout for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("prompt", ["agent", "agent:", ":4", "agent:0", "agent:x", "agent:-1", "agent:²"])
def test_start_refuses_a_prompt_that_is_no_name_and_version(session: DoubleSession, prompt: str) -> None:
    done = run(session, "gate", "start", "--image", "v1", "--prompt", prompt)
    assert done.exit_code == 2
    assert "expected name:version" in done.stderr
    assert session.asked.sent == []


@pytest.mark.parametrize("image", ["other-repository:v1", "a b", "x@sha256:12", "", "v" * 700])
def test_start_refuses_an_image_that_no_gate_would_take(session: DoubleSession, image: str) -> None:
    done = run(session, "gate", "start", "--image", image)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert session.asked.sent == []


# --- watch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 2)])
def test_watch_ends_with_the_verdict_as_its_exit_code(session: DoubleSession, verdict: str, code: int) -> None:
    session.open_gate()
    session.steps = [lambda: session.end_gate(verdict, GATE_ID, "error_rate")]
    done = run(session, "gate", "watch", GATE_ID)
    assert done.exit_code == code
    assert verdict in done.stdout
    assert "Too many errors" in done.stdout
    assert f"build/reports/{GATE_ID}/report.html" in done.stdout
    assert Path("build/reports", GATE_ID, "report.json").is_file()


def test_watch_shows_states_waves_trials_and_errors_one_line_a_change(session: DoubleSession) -> None:
    session.open_gate()
    session.machine.state_now = "Deploy Arms"

    def write_shards() -> None:
        session.machine.state_now = "Evaluate Wave"
        for number in range(2):
            lines = [{"item_id": f"i{n}", "trial": 1, "arm": "candidate"} for n in range(5)]
            session.store.put(shard_key(GATE_ID, f"1-0{number}"), json.dumps({"lines": lines}).encode())

    def evaluate() -> None:
        outcomes = [{"outcome": o} for o in ("answered", "errored", "answered", "answered", "refused")]
        session.store.put(result_key(GATE_ID, "1-00"), json.dumps(outcomes).encode())
        finished = {"finished": [{"record": {"outcome": "errored"}}], "delivered": []}
        session.store.put(checkpoint_key(GATE_ID, "1-01"), json.dumps(finished).encode())
        session.store.put(checkpoint_key(GATE_ID, "1-00"), b"of a finished shard, never read")

    session.steps = [write_shards, evaluate, lambda: None, lambda: session.end_gate("PASS")]
    lines = [line for line in run(session, "gate", "watch").stdout.splitlines() if line.startswith("running")]
    assert len(lines) == 3
    assert "Deploy Arms" in lines[0]
    assert "wave 1  trials 0/10" in lines[1]
    assert "trials 6/10  errored 2" in lines[2]


def test_watch_json_prints_one_object_and_nothing_else_on_standard_output(session: DoubleSession) -> None:
    session.open_gate()
    session.steps = [lambda: session.end_gate("FAIL", GATE_ID, "error_rate")]
    done = run(session, "gate", "watch", "--json")
    data = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (data["verdict"], data["reasons"], data["duration_s"]) == ("FAIL", ["error_rate"], 30.5)
    assert data["verdict_detail"]["reasons"][0]["observed"] == 0.2
    assert Path(data["report"]).is_file()


def test_watch_waits_for_a_gate_that_a_push_is_about_to_start(session: DoubleSession) -> None:
    def push() -> None:
        session.open_gate()

    session.steps = [lambda: None, push, lambda: session.end_gate("PASS")]
    assert run(session, "gate", "watch", GATE_ID).exit_code == 0


def test_watch_finds_a_gate_by_the_hash_of_its_request_whatever_time_the_bus_gave_it(session: DoubleSession) -> None:
    session.open_gate()
    session.end_gate("PASS")
    assert run(session, "gate", "watch", GATE_ID.replace("115900", "115958")).exit_code == 0
    assert run(session, "gate", "watch", "0123abcd").exit_code == 0


def test_watch_of_a_gate_that_never_appears_ends_with_a_next_step(session: DoubleSession) -> None:
    done = run(session, "gate", "watch", "g-nothing", "--timeout", "5")
    assert done.exit_code == 2
    assert "appeared within 5 s: flywheel gate list" in done.stderr
    assert session.time.now() - NOON < timedelta(seconds=7)


def test_watch_gives_up_after_its_timeout_and_says_that_the_gate_goes_on(session: DoubleSession) -> None:
    session.open_gate()
    done = run(session, "gate", "watch", "--timeout", "10")
    assert done.exit_code == 2
    assert "still runs after 10 s; it goes on" in done.stderr


def test_watch_says_when_an_execution_broke_and_nobody_ended_the_gate(session: DoubleSession) -> None:
    session.open_gate()
    session.machine.status_now = "ABORTED"
    done = run(session, "gate", "watch")
    assert done.exit_code == 2
    assert "broke without a verdict" in done.stderr


def test_watch_takes_the_verdict_that_a_broken_execution_still_gets(session: DoubleSession) -> None:
    session.open_gate()
    session.machine.status_now = "ABORTED"
    session.steps = [lambda: None, lambda: session.end_gate("INCONCLUSIVE", GATE_ID, "aborted")]
    done = run(session, "gate", "watch")
    assert done.exit_code == 2
    assert "INCONCLUSIVE" in done.stdout


def test_watch_goes_on_when_one_look_fails(session: DoubleSession) -> None:
    session.open_gate()
    session.machine.failures = 2
    session.steps = [lambda: None, lambda: None, lambda: session.end_gate("PASS")]
    done = run(session, "gate", "watch")
    assert done.exit_code == 0
    assert "cannot look right now" in done.stderr


def test_watch_does_not_wait_for_ever_for_a_report_that_does_not_come(session: DoubleSession) -> None:
    session.open_gate()
    session.steps = [lambda: session.end_gate("FAIL", report=False)]
    assert run(session, "gate", "watch").exit_code == 1
    assert session.time.now() - NOON < timedelta(seconds=70)


# --- list, show, report ---------------------------------------------------------------------------------------------


def test_list_shows_the_newest_gates_first(session: DoubleSession) -> None:
    for number in range(3):
        session.open_gate(f"g-20261123t12000{number}-0000000{number}")
    done = run(session, "gate", "list", "--limit", "2", "--json")
    assert [row["gate_id"][-1] for row in json.loads(done.stdout)] == ["2", "1"]
    shown = run(session, "gate", "list").stdout
    assert "running" in shown
    assert "asked by" in shown


def test_list_says_what_asked_for_each_gate_and_is_safe_with_what_it_says(session: DoubleSession) -> None:
    session.open_gate("g-20261123t120000-00000000")
    session.open_gate("g-20261123t120001-00000001", trigger="prompt-version [bold]")
    shown = run(session, "gate", "list").stdout
    assert "ecr" in shown
    assert "prompt-version [bold]" in shown
    rows = json.loads(run(session, "gate", "list", "--json").stdout)
    assert [row["trigger"] for row in rows] == ["prompt-version [bold]", "ecr"]


def test_list_of_a_fresh_stack_names_the_next_step(session: DoubleSession) -> None:
    assert "flywheel push" in run(session, "gate", "list").stdout
    assert json.loads(run(session, "gate", "list", "--json").stdout) == []


def test_show_tells_image_verdict_reasons_and_report(session: DoubleSession) -> None:
    session.open_gate()
    session.end_gate("FAIL", GATE_ID, "error_rate")
    said = run(session, "gate", "show").stdout
    assert all(
        text in said for text in ("FAIL", DIGEST, "12 of 60", "20.0 %", "5.0 %", "look at the errors", "and 3 more")
    )
    data = json.loads(run(session, "gate", "show", GATE_ID, "--json").stdout)
    assert data["verdict_detail"]["headline"] == "12 of 60 trials errored"


def test_show_of_a_running_gate_has_no_verdict_yet(session: DoubleSession) -> None:
    session.open_gate()
    assert json.loads(run(session, "gate", "show", "--json").stdout)["verdict_detail"] is None
    assert "still running" in run(session, "gate", "show").stdout


def test_show_of_an_unknown_gate_names_the_next_step(session: DoubleSession) -> None:
    done = run(session, "gate", "show", "g-x")
    assert done.exit_code == 2
    assert "flywheel gate list" in done.stderr


def test_names_from_outside_do_not_reach_the_terminal_as_markup(session: DoubleSession) -> None:
    session.open_gate(tag="[bold]v1[/bold]")
    for command in ("list", "show"):
        assert "[bold]v1[/bold]" in run(session, "gate", command).stdout


def test_report_fetches_page_and_data_and_opens_the_page_only_when_asked(
    session: DoubleSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    session.open_gate()
    session.end_gate("PASS")
    done = run(session, "gate", "report", "--output", "out")
    assert Path(done.stdout.strip()).read_bytes().startswith(b"<!doctype html>")
    assert Path("out", GATE_ID, "report.json").is_file()
    assert opened == []
    run(session, "gate", "report", "--open")
    assert re.fullmatch(rf"file://.*/build/reports/{GATE_ID}/report.html", opened[0])


def test_report_of_a_gate_without_one_says_why(session: DoubleSession) -> None:
    session.open_gate()
    done = run(session, "gate", "report")
    assert done.exit_code == 2
    assert "still runs" in done.stderr


# --- rollback -------------------------------------------------------------------------------------------------------


def _two_releases(session: DoubleSession) -> None:
    def release(number: int, digit: str) -> Release:
        it = Candidate("uri", "sha256:" + digit * 64, "model")
        return Release(number, it, f"g-{number}", "runtime", str(number), NOON, None, None)

    first, second = release(1, "1"), release(2, "2")
    session.line.head = lambda: Head(second)  # type: ignore[method-assign]
    session.line.releases = lambda limit: [second, first][:limit]  # type: ignore[method-assign]


def test_rollback_shows_from_and_to_and_changes_nothing_in_a_dry_run(session: DoubleSession) -> None:
    _two_releases(session)
    done = run(session, "gate", "rollback", "--dry-run")
    assert done.exit_code == 0
    assert re.search(r"from release 2: sha256:2+.*\n.*to   release 1: sha256:1+", done.stdout)
    assert session.rolled_back == []


def test_rollback_with_yes_moves_production_and_records_by_whom_and_why(session: DoubleSession) -> None:
    _two_releases(session)
    done = run(session, "gate", "rollback", "--yes", "--reason", "wrong answers", "--json")
    told = {"from_release": 2, "to_digest": "sha256:" + "1" * 64, "done": True, "release": 3, "label_trouble": None}
    assert json.loads(done.stdout) == told
    assert session.rolled_back[0][2] == "wrong answers"


def test_a_rollback_whose_label_stayed_behind_is_done_and_says_what_to_do(session: DoubleSession) -> None:
    _two_releases(session)
    session.label_trouble = "docs-agent version 1: Langfuse answered 403"
    done = run(session, "gate", "rollback", "--yes")
    assert done.exit_code == 0
    assert "done: release 3" in done.stdout
    assert "docs-agent version 1: Langfuse answered 403; give it to that version by hand" in done.stderr


def test_rollback_from_a_script_needs_yes(session: DoubleSession) -> None:
    _two_releases(session)
    done = run(session, "gate", "rollback")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert session.rolled_back == []


def test_rollback_without_an_earlier_release_says_so(session: DoubleSession) -> None:
    done = run(session, "gate", "rollback", "--yes")
    assert done.exit_code == 2
    assert "nothing is in production yet" in done.stderr


# --- plan -----------------------------------------------------------------------------------------------------------


def _items(count: int) -> list[GoldenItem]:
    made = [GoldenItem(f"i{n}", f"Question {n}?", response_facts=("One.", "Two.")) for n in range(count)]
    return [*made, GoldenItem("prod", "From production?", origin="production", response_facts=("A.",))]


def test_plan_counts_invocations_and_judgements_of_the_next_gate() -> None:
    session = DoubleSession(_items(50))
    session.ssm.texts |= {"agent": '{"model_id": "local.model"}', "policy": '{"max_trials": 2}'}
    data = json.loads(run(session, "gate", "plan", "--json").stdout)
    assert (data["items"], data["must_pass"], data["trials_per_arm"]) == (51, 1, 101)
    assert (data["cost"]["invocations"], data["cost"]["judgements"]) == (101, 201)
    assert data["cost"]["unpriced"] == ["local.model"]
    assert data["refused"] == []


def test_plan_counts_with_the_model_that_was_promoted_after_the_setting_was_written() -> None:
    session = DoubleSession(_items(50))
    session.ssm.texts["agent"] = '{"model_id": "local.model"}'
    release = Release(1, Candidate("uri", DIGEST, "local.promoted"), GATE_ID, "runtime", "1", NOON)
    session.line.now_in_production = Head(release)
    assert json.loads(run(session, "gate", "plan", "--json").stdout)["arm_models"][0] == "local.model"
    plan = replace(gate_plan(_items(50)), gate_id=GATE_ID, agent_hash=setting_hash('{"model_id": "local.model"}'))
    session.store.put(plan_key(GATE_ID), dump_plan(plan).encode())
    assert json.loads(run(session, "gate", "plan", "--json").stdout)["arm_models"][0] == "local.promoted"


def test_plan_says_that_a_gate_would_be_refused_and_why() -> None:
    session = DoubleSession(_items(3))
    session.ssm.texts["agent"] = '{"model_id": "local.model"}'
    assert "REFUSED      the dataset has 4 items, the policy asks for 40" in run(session, "gate", "plan").stdout


def test_plan_and_start_take_another_dataset_which_may_be_of_any_size() -> None:
    session = DoubleSession(_items(3))
    session.golden.datasets["holidays"] = session.golden.datasets[FACTS.dataset][:2]
    session.ssm.texts["agent"] = '{"model_id": "local.model"}'
    planned = run(session, "gate", "plan", "--dataset", "holidays")
    assert "dataset      holidays: 2 items" in planned.stdout
    assert "REFUSED" not in planned.stdout

    run(session, "gate", "start", "--image", "v1", "--dataset", "holidays")
    run(session, "gate", "start", "--image", "v1", "--dataset", FACTS.dataset)
    assert [detail.get("dataset") for _, detail, _ in session.asked.sent] == ["holidays", None]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "/flywheel/dev/agent does not exist"),
        ({"agent": "{}"}, "'agent' is invalid: model_id: Field required; it is at /flywheel/dev/agent"),
        ({"agent": '{"model_id": "m"}', "policy": "{"}, "/flywheel/dev/policy is no JSON"),
        (
            {"agent": '{"model_id": "m"}', "policy": '{"minima": 3, "x": 1}'},
            "/flywheel/dev/policy: the policy is invalid: unknown key 'x'; minima is a number",
        ),
        ({"agent": '{"model_id": "m"}', "mutes": "{}"}, "/flywheel/dev/mutes is not a list of mutes"),
    ],
)
def test_plan_names_the_setting_that_is_wrong(settings: dict[str, str], said: str) -> None:
    session = DoubleSession(_items(50))
    session.ssm.texts |= settings
    done = run(session, "gate", "plan")
    assert done.exit_code == 2
    assert said in done.stderr


def test_follow_gives_plain_lines_and_the_row_of_the_ended_gate(session: DoubleSession) -> None:
    session.open_gate(tag="[red]v1[/red]")
    session.steps = [lambda: session.end_gate("PASS")]
    lines: list[str] = []
    row = follow(session, GATE_ID, timeout_s=60, show=lines.append)
    assert (row.verdict, row.report_key is not None) == ("PASS", True)
    assert [line.split("  ")[0] for line in lines] == ["running", "PASS"]


def test_a_verdict_is_told_once_while_the_execution_still_ends(session: DoubleSession) -> None:
    def decided() -> None:
        session.end_gate("PASS", report=False)
        session.machine.status_now = "RUNNING"

    session.open_gate()
    session.steps = [decided, lambda: setattr(session.machine, "status_now", "SUCCEEDED")]
    lines: list[str] = []
    follow(session, GATE_ID, timeout_s=60, show=lines.append)
    assert [line.split("  ")[0] for line in lines] == ["running", "PASS"]


# --- the gate of an image -------------------------------------------------------------------------------------------

OLDER = "g-20261123t110000-11111111"


@pytest.mark.parametrize("named", [DIGEST, DIGEST[:19], f"v1@{DIGEST}", f"v1@{DIGEST[:14]}"])
def test_a_gate_is_found_by_the_digest_of_its_image(session: DoubleSession, named: str) -> None:
    session.open_gate()
    session.open_gate(OLDER, execution_arn="arn:older", tag="v0")
    assert json.loads(run(session, "gate", "show", named, "--json").stdout)["gate_id"] == GATE_ID


def test_the_tag_of_a_push_tells_its_gate_from_others_of_the_same_image(session: DoubleSession) -> None:
    session.open_gate()
    session.open_gate(OLDER, execution_arn="arn:older", tag="v0")
    assert json.loads(run(session, "gate", "show", f"v0@{DIGEST}", "--json").stdout)["gate_id"] == OLDER
    assert run(session, "gate", "show", f"v2@{DIGEST}").exit_code == 2
    assert run(session, "gate", "show", "sha256:" + "c" * 12).exit_code == 2


def test_watching_a_push_never_ends_with_an_older_gate_of_the_same_image(session: DoubleSession) -> None:
    session.open_gate(OLDER, execution_arn="arn:older")
    session.end_gate("PASS", OLDER)
    since = session.clock.now()
    session.machine.status_now = "RUNNING"
    session.steps = [lambda: None, lambda: session.open_gate(started=session.clock.now())]
    session.steps += [lambda: session.end_gate("FAIL", GATE_ID, "error_rate")]
    assert watch(session, f"v1@{DIGEST}", timeout_s=600, as_json=True, since=since) == 1


def test_watching_a_further_tag_of_what_is_judged_follows_the_gate_that_judges_it(
    session: DoubleSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.open_gate(OLDER, execution_arn="arn:older", tag="v0")
    session.machine.status_now = "RUNNING"
    since = session.clock.now() + timedelta(minutes=1)
    session.steps = [*([lambda: None] * 40), lambda: session.end_gate("PASS", OLDER)]
    assert watch(session, f"v1@{DIGEST}", timeout_s=600, as_json=True, since=since) == 0
    assert f"gate {OLDER} judges this image already" in capsys.readouterr().err


def test_a_gate_that_broke_before_it_had_evidence_still_says_why(session: DoubleSession) -> None:
    session.open_gate()
    session.end_gate("INCONCLUSIVE", GATE_ID, "execution_aborted", report=False)
    shown = run(session, "gate", "show", GATE_ID)
    assert "The gate was stopped" in shown.stdout
    assert "next: Nothing is known about the candidate" in shown.stdout
    fetched = run(session, "gate", "report", GATE_ID)
    assert fetched.exit_code == 2
    assert f"has no report: flywheel gate show {GATE_ID}" in fetched.stderr


def test_a_note_of_a_pass_never_looks_like_a_reason(session: DoubleSession) -> None:
    session.open_gate()
    verdict = Verdict("PASS", (Reason("cost_unknown", "no trial has a cost"),))
    session.store.put(verdict_key(GATE_ID), json.dumps(verdict_to_dict(verdict)).encode())
    session.end_gate("PASS", GATE_ID, "cost_unknown", report=False)
    assert "cost is not known" not in run(session, "gate", "list").stdout
    row = json.loads(run(session, "gate", "list", "--json").stdout)[0]
    assert (row["reasons"], row["notes"]) == ([], ["cost_unknown"])
    shown = run(session, "gate", "show").stdout
    assert "Every requirement of the policy is met." in shown
    assert "for the record: no trial has a cost" in shown


def test_a_report_that_nobody_writes_any_more_is_not_waited_for(session: DoubleSession) -> None:
    session.open_gate()
    session.end_gate("INCONCLUSIVE", GATE_ID, "image_not_found", report=False)
    before = session.clock.now()
    assert run(session, "gate", "watch", GATE_ID).exit_code == 2
    assert session.clock.now() == before
