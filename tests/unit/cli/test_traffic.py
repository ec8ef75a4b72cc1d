"""`flywheel traffic ...` against doubles."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.traffic_run import _followed, settings_for
from cli.traffic_view import bars
from flywheel.domain.candidate import Candidate
from flywheel.ports import AgentReply, Head, InvocationFailure, Release
from flywheel.traffic import identity
from flywheel.traffic.plan import read_plan
from flywheel.traffic.run import TrafficRun
from tests.fakes.clock import NOON
from tests.unit.cli.double_session import FACTS, DoubleSession, run

FAST = ["--rate", "1200", "--duration", "1", "--think", "0", "--seed", "3"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def session() -> DoubleSession:
    made = DoubleSession()
    candidate = Candidate("000000000000.dkr.ecr.us-east-1.amazonaws.com/a", "sha256:" + "a" * 64, "local.judge")
    made.line.head = lambda: Head(Release(1, candidate, "g-1", "runtime-1", "1", NOON))  # type: ignore[method-assign]
    made.agents.answer = lambda _: answer("A trace is one request.")
    return made


def answer(text: str) -> AgentReply:
    usage = {"input_tokens": 10, "output_tokens": 5, "model_calls": 1}
    body = {"answer": text, "usage": usage, "model_id": "local.judge"}
    return AgentReply(json.dumps(body).encode(), 200, "application/json", 1)


def test_a_run_sends_reports_and_writes_its_page(session: DoubleSession) -> None:
    done = run(session, "traffic", "run", *FAST, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["turns"] == len(session.agents.asked) > 10
    assert report["stopped_by"] == {"finished": 1}
    page = Path(report["page"]).read_text("utf-8")
    assert report["facts"]["run_id"] in page
    assert "<svg" in page
    assert "<script" not in page
    assert sorted(set(session.agents.stopped)) == sorted({one for _, _, one in session.agents.asked})
    stored = json.loads(session.store.read(identity.report_key(report["facts"]["run_id"])))
    assert stored["turns"] == report["turns"]


def test_the_table_says_what_happened(session: DoubleSession) -> None:
    done = run(session, "traffic", "run", *FAST, "--max-usd", "2")
    assert done.exit_code == 0
    for word in ("latency", "p95", "success      100.0 %", "turned away", "intended arrival", "build/traffic/t-"):
        assert word in done.stdout, done.stdout


def test_what_stood_in_for_a_real_service_is_said(session: DoubleSession) -> None:
    session.__dict__["facts"] = replace(FACTS, stand_ins="AgentCore, model")
    done = run(session, "traffic", "run", *FAST)
    assert "stood in for a real service: AgentCore, model" in done.stdout


def test_limits_decide_the_exit_code(session: DoubleSession) -> None:
    kept = run(session, "traffic", "run", *FAST, "--max-p95-ms", "60000", "--min-success", "1")
    assert kept.exit_code == 0
    session.agents.answer = lambda _: InvocationFailure("RuntimeClientError", "boom")
    broken = run(session, "traffic", "run", *FAST, "--max-p95-ms", "60000", "--min-success", "0.5")
    assert broken.exit_code == 1
    assert "95th percentile: no answer, allowed 60000 ms" in broken.stderr
    assert "success: 0.0000, required 0.5" in broken.stderr


def test_a_dry_run_sends_and_writes_nothing(session: DoubleSession) -> None:
    done = run(session, "traffic", "run", *FAST, "--dry-run", "--json")
    shown = json.loads(done.stdout)
    assert shown["arrivals"] == sum(shown["by_persona"].values()) > 10
    assert shown["turns"] >= shown["arrivals"]
    assert (shown["cost_usd"], shown["model_id"], shown["seed"]) == (0.0, "local.judge", 3)
    assert (session.agents.asked, session.store.objects) == ([], {})
    assert "nothing was sent (--dry-run)" in run(session, "traffic", "run", *FAST, "--dry-run").stdout


def test_a_load_config_of_the_sample_is_sent_unchanged(session: DoubleSession) -> None:
    Path("load_config.json").write_text('{"prompts": [{"name": "a", "prompt": "What is a span?"}]}')
    asked: list[str] = []

    def note(payload: dict[str, Any]) -> AgentReply:
        asked.append(payload["question"])
        return answer("A part of a trace.")

    session.agents.answer = note
    done = run(session, "traffic", "run", *FAST, "--users", "load_config.json")
    assert done.exit_code == 0
    assert set(asked) == {"What is a span?"}


def test_a_second_personas_file_is_added_to_the_packaged_one(session: DoubleSession) -> None:
    extra = {
        "personas": [
            {
                "name": "wrong-answer",
                "goal": "g",
                "tone": "t",
                "language": "en",
                "weight": 1000,
                "scenarios": [{"name": "s", "open": ["What is wrong?"]}],
            }
        ]
    }
    Path("extra.json").write_text(json.dumps(extra))
    users = ["--users", "default", "--users", "extra.json"]
    shown = json.loads(run(session, "traffic", "run", *FAST, *users, "--dry-run", "--json").stdout)
    assert shown["by_persona"]["wrong-answer"] / shown["arrivals"] > 0.9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--users", "nowhere.json"], "--users nowhere.json: No such file"),
        (["--users", "bad.json"], "bad.json: line 2, personas.0.name: 'A B'"),
        (["--rate", "0"], "rate_per_minute is 0"),
        (["--duration", "601"], "duration_s is 601"),
        (["--concurrency", "201"], "set parts to 2"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(session: DoubleSession, options: list[str], said: str) -> None:
    Path("bad.json").write_text('{"personas": [\n{"name": "A B", "goal": "g", "tone": "t", "scenarios": []}]}')
    done = run(session, "traffic", "run", *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert (session.agents.asked, session.store.objects) == ([], {})


def test_without_production_there_is_nobody_to_talk_to() -> None:
    bare = DoubleSession()
    for options in ([], ["--fan-out", "2"]):
        done = run(bare, "traffic", "run", *FAST, *options)
        assert done.exit_code == 2
        assert "there is no agent in production yet" in done.stderr


def test_settings_of_the_environment_hold_where_nothing_is_typed(session: DoubleSession) -> None:
    session.ssm.texts["traffic"] = '{"rate_per_minute": 33, "parts": 4, "concurrency": 800}'
    here = settings_for(session, {"duration_s": 5}, parts=None)
    assert (here.rate_per_minute, here.duration_s, here.parts, here.concurrency) == (33, 5, 1, 200)
    assert settings_for(session, {}, parts=8).parts == 8


def test_fan_out_starts_the_machine_with_pointers_only(session: DoubleSession) -> None:
    Path("mine.json").write_text('{"prompts": [{"name": "a", "prompt": "A secret question?"}]}')
    done = run(session, "traffic", "run", *FAST, "--fan-out", "3", "--users", "mine.json", "--no-wait", "--json")
    assert done.exit_code == 0
    run_id = json.loads(done.stdout)["run_id"]
    ((machine, name, said),) = session.machine.started
    assert (machine, name) == (FACTS.traffic_machine, run_id)
    settings = json.loads(said)["settings"]
    assert (settings["parts"], settings["personas"]) == (3, [f"traffic/{run_id}/given/0.json"])
    assert "secret" not in said
    assert session.agents.asked == []


def test_fan_out_waits_for_the_report(session: DoubleSession) -> None:
    here = json.loads(run(session, "traffic", "run", *FAST, "--json").stdout)
    body = session.store.read(identity.report_key(here["facts"]["run_id"]))

    def finish() -> None:
        (_, name, _) = session.machine.started[0]
        session.store.put(identity.report_key(name), body)
        session.machine.status_now = "SUCCEEDED"

    session.steps = [lambda: None, finish]
    done = run(session, "traffic", "run", *FAST, "--fan-out", "2", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["turns"] == here["turns"]


def test_a_fan_out_that_failed_says_where_to_look(session: DoubleSession) -> None:
    session.machine.status_now = "FAILED"
    done = run(session, "traffic", "run", *FAST, "--fan-out", "2")
    assert done.exit_code == 2
    assert "ended as FAILED without a report" in done.stderr


def test_ctrl_c_ends_all_sessions_and_what_was_sent_is_reported(
    session: DoubleSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def interrupted(run: TrafficRun) -> str:
        seen.append(run.progress())
        if len(seen) == 1:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr("cli.traffic_run.progress_line", interrupted)
    done = run(session, "traffic", "run", "--rate", "600", "--duration", "60", "--json")
    assert done.exit_code == 2
    report = json.loads(done.stdout)
    assert report["stopped_by"] == {"cancelled": 1}
    assert report["unsent"] > 400
    assert set(session.agents.stopped) == {one for _, _, one in session.agents.asked}


def test_runs_are_listed_and_shown(session: DoubleSession) -> None:
    assert "no runs yet" in run(session, "traffic", "list").stdout
    assert run(session, "traffic", "show").exit_code == 2
    made = json.loads(run(session, "traffic", "run", *FAST, "--json").stdout)["facts"]["run_id"]
    session.store.put(identity.plan_key("t-20261123t110000-00000000"), b"{}")
    listed = json.loads(run(session, "traffic", "list", "--json").stdout)
    assert [one.get("run_id") or one["facts"]["run_id"] for one in listed] == [made, "t-20261123t110000-00000000"]
    assert "no report (yet)" in run(session, "traffic", "list").stdout
    shown = run(session, "traffic", "show", "latest", "--output", "pages")
    assert made in shown.stdout
    assert Path("pages", f"{made}.html").is_file()
    unknown = run(session, "traffic", "show", "t-20261123t110000-00000000")
    assert (unknown.exit_code, "has no report" in unknown.stderr) == (2, True)
    assert run(session, "traffic", "show", "../x").exit_code == 2


def test_bars_are_as_tall_as_their_values() -> None:
    assert bars([1, None, 8, 4]) == "▁ █▄"
    assert bars([None, 0]) == "  "


def test_a_run_from_here_is_carried_out_by_the_plan_in_s3(session: DoubleSession) -> None:
    made = json.loads(run(session, "traffic", "run", *FAST, "--json").stdout)["facts"]["run_id"]
    plan = read_plan(session.objects, made)
    assert plan.execution_arn == "cli:arn:aws:iam::000000000000:user/ada"
    again = _followed(session, plan)
    assert min((row.arrival, row.turn) for row in again.turns) == (0, 1)


def test_a_dry_run_of_the_samples_file_says_that_each_prompt_is_asked_and_which_are_harmful(tmp_path: Path) -> None:
    names = [*(f"trace{n}" for n in range(21)), *(f"harmful{n}" for n in range(1, 6))]
    file = tmp_path / "load_config.json"
    file.write_text(json.dumps({"prompts": [{"name": name, "prompt": f"What is {name}?"} for name in names]}))

    done = run(DoubleSession(), "traffic", "run", "--users", str(file), "--dry-run", "--json")

    data = json.loads(done.stdout)
    assert data["arrivals"] >= 26
    assert data["harmful"] >= 5
    assert "26 of 26 prompts are asked, each at least once" in data["notes"][0]
    assert "harmful1, harmful2, harmful3, harmful4, harmful5" in data["notes"][1]
