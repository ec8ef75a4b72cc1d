"""`flywheel experiment watch | list | show | report | promote` against doubles."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.experiment_progress import ProgressReader
from flywheel.domain.experiment import ExperimentPlan, run_id
from flywheel.domain.experiment_objectives import Breach
from flywheel.domain.item_intervals import Figure
from flywheel.domain.releases import gate_id as id_of
from flywheel.evidence import checkpoint_key, result_key
from flywheel.experiment_evidence import ExperimentEvidence, Rung, experiment_report_key
from flywheel.ports import ExperimentRuntime
from flywheel.report.experiment_build import experiment_report_to_json
from flywheel.report.experiment_model import ConfigurationRow, ExperimentReport, StoppedRow
from tests.experiment_reports import experiment
from tests.experiment_samples import EXPERIMENT, configurations, experiment_plan
from tests.fakes.experiments import experiment_row
from tests.unit.cli.double_session import DoubleSession, run

STOPPED = {"configuration": "c04", "rung": 1, "code": "halved", "message": "c04 is among the worse half", "figures": {}}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(typer, "launch", lambda url: pytest.fail(f"opened {url}"))


@pytest.fixture
def session() -> DoubleSession:
    double = DoubleSession()
    double.searches.open(experiment_row())
    ExperimentEvidence(double.store).write_plan(experiment_plan())
    return double


@cache
def sample() -> ExperimentReport:
    return experiment(2, 1, 1).report()


def figures(configuration_id: str, **more: Any) -> ConfigurationRow:
    changes: dict[str, Any] = {
        "configuration_id": configuration_id,
        "label": f"label of {configuration_id}",
        "state": "remaining",
        "on_front": False,
        "quality": Figure(0.9, 0.8, 0.95),
        "cost_per_item_usd": None,
        "latency_p95_ms": Figure(1200.0),
        "breaches": (),
    }
    return replace(sample().configurations[0], **changes | more)


def end(session: DoubleSession, outcome: Any = "completed", *, recommended: str | None = "c02") -> None:
    session.time.advance(30)
    session.machine.status_now = "SUCCEEDED" if outcome == "completed" else "FAILED"
    report = replace(
        sample(),
        recommended=recommended,
        sentence="c02 is as good as the best and cheaper",
        notes=("only 4 items",),
        configurations=(
            figures("c01", on_front=True),
            figures("c02", on_front=True, state="recommended"),
            figures("c03", breaches=(Breach("safety", 0.5, 0.9),)),
            figures("c04", state="stopped"),
        ),
        stopped=(StoppedRow("c04", 1, "halved", "among the worse half", {}),),
        spent=replace(sample().spent, invocations=40, grid_invocations=64, cost_usd=1.25),
    )
    session.store.put(experiment_report_key(EXPERIMENT, "json"), experiment_report_to_json(report).encode())
    session.store.put(experiment_report_key(EXPERIMENT, "html"), b"<!doctype html>")
    session.searches.end(
        EXPERIMENT,
        outcome=outcome,
        reasons=[] if outcome == "completed" else ["the budget is spent"],
        ended=session.time.now(),
        recommended=recommended,
        report_key=experiment_report_key(EXPERIMENT, "html"),
    )


def rung(session: DoubleSession, number: int, names: tuple[str, ...], *stopped: dict[str, Any]) -> None:
    ExperimentEvidence(session.store).write_rung(
        EXPERIMENT,
        Rung(
            rung=number,
            asked_at="2026-11-23T12:00:00+00:00",
            assigned=dict.fromkeys(names, 4),
            shards=tuple((run_id(EXPERIMENT, name), f"{number}-00") for name in names),
            remaining=names,
            stopped=stopped,
        ),
    )


def answered(*outcomes: str, cost: float | None = 0.25) -> list[dict[str, Any]]:
    return [{"outcome": outcome, "cost_usd": cost} for outcome in outcomes]


def finish(session: DoubleSession, number: int, name: str, *outcomes: str) -> None:
    key = result_key(run_id(EXPERIMENT, name), f"{number}-00")
    session.store.put(key, json.dumps(answered(*outcomes)).encode())


# --- watch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "code"), [("completed", 0), ("refused", 1), ("stopped", 2), ("broken", 2)])
def test_watch_ends_with_the_outcome_as_its_exit_code(session: DoubleSession, outcome: str, code: int) -> None:
    session.steps = [lambda: end(session, outcome)]
    done = run(session, "experiment", "watch", EXPERIMENT)
    assert done.exit_code == code, done.output
    assert outcome in done.stdout
    assert f"build/reports/{EXPERIMENT}/report.html" in done.stdout
    assert Path("build/reports", EXPERIMENT, "report.json").is_file()


def test_watch_shows_runtimes_a_bar_for_each_rung_and_who_was_stopped_why(session: DoubleSession) -> None:
    session.searches.plan_runtimes(EXPERIMENT, {"r01": ExperimentRuntime("fw_1", "id")})
    session.machine.state_now = "Wait For Runtime"

    def first() -> None:
        session.machine.state_now = "Evaluate Rung"
        session.searches.note_rung(EXPERIMENT, 1)
        rung(session, 1, ("c01", "c02", "c03", "c04"))
        finish(session, 1, "c01", "answered", "answered", "errored", "answered")
        partly = {"finished": [{"record": one} for one in answered("answered", cost=None)]}
        session.store.put(checkpoint_key(run_id(EXPERIMENT, "c02"), "1-00"), json.dumps(partly).encode())

    def second() -> None:
        for name in ("c02", "c03", "c04"):
            finish(session, 1, name, *["answered"] * 4)
        rung(session, 2, ("c01", "c02"), STOPPED)

    steps: list[Callable[[], object]] = [first, second, lambda: end(session)]
    session.steps = steps
    said = run(session, "experiment", "watch", "latest").stdout
    assert f"running{EXPERIMENT}" not in said
    assert "runtimes 0/1" in said
    assert "rung 1   ███████░" in said
    assert "5/16 trials of 4 configurations, 1 errored" in said
    assert "remaining 4  answers $0.75 and 1 of unknown cost" in said
    assert "rung 2   ░" in said
    assert "0/8 trials of 2 configurations" in said
    assert said.count("stopped  c04 in rung 1: c04 is among the worse half") == 1
    assert "c02 is as good as the best and cheaper" in said


def test_each_look_reads_a_finished_file_once(session: DoubleSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rung(session, 1, ("c01", "c02"))
    finish(session, 1, "c01", "answered")
    reader = ProgressReader(session.store, EXPERIMENT)
    assert reader.read().rungs[0].done == 1
    read, asked = session.store.read, list[str]()

    def noted(key: str) -> bytes:
        asked.append(key)
        return read(key)

    monkeypatch.setattr(session.store, "read", noted)
    assert reader.read().rungs[0].done == 1
    assert asked == [f"experiments/{EXPERIMENT}/rungs/002.json"]


def test_a_checkpoint_that_is_being_overwritten_is_read_at_the_next_look(session: DoubleSession) -> None:
    rung(session, 1, ("c01",))
    session.store.put(checkpoint_key(run_id(EXPERIMENT, "c01"), "1-00"), b'{"finis')
    assert ProgressReader(session.store, EXPERIMENT).read().rungs[0].done == 0


def test_watch_gives_scripts_one_object(session: DoubleSession) -> None:
    session.steps = [lambda: end(session)]
    done = run(session, "experiment", "watch", "latest", "--json")
    said = json.loads(done.stdout)
    assert (said["outcome"], said["recommended"], said["report"]["spent"]["invocations"]) == ("completed", "c02", 40)
    assert said["page"].endswith("report.html")


def test_watch_outlives_a_look_that_fails(session: DoubleSession) -> None:
    session.machine.failures = 2
    session.steps = [lambda: None, lambda: None, lambda: end(session)]
    done = run(session, "experiment", "watch", "latest")
    assert done.exit_code == 0
    assert "cannot look right now" in done.stderr


def test_watch_gives_up_on_what_never_appears_never_ends_or_broke_unnoticed(session: DoubleSession) -> None:
    assert "appeared within 60 s" in run(session, "experiment", "watch", "x-20260101t000000-ffffffff").stderr
    assert "still runs after 5 s" in run(session, "experiment", "watch", "latest", "--timeout", "5").stderr
    session.machine.status_now = "FAILED"
    done = run(session, "experiment", "watch", "latest")
    assert done.exit_code == 2
    assert "broke and nobody noted it" in done.stderr


def test_an_outcome_without_a_report_is_told_after_a_while(session: DoubleSession) -> None:
    session.machine.status_now = "ABORTED"
    session.searches.end(EXPERIMENT, outcome="stopped", reasons=["by hand"], ended=session.time.now())
    done = run(session, "experiment", "watch", "latest")
    assert done.exit_code == 2
    assert "reason       by hand" in done.stdout
    assert f"next: flywheel experiment resume {EXPERIMENT}" in done.stdout


def test_a_resumed_experiment_is_watched_from_its_new_attempt_on(session: DoubleSession) -> None:
    session.searches.end(EXPERIMENT, outcome="stopped", reasons=(), ended=session.time.now(), report_key="old")

    def go_on() -> None:
        session.searches.reopen(EXPERIMENT, "arn:2", session.time.now())

    session.steps = [go_on, lambda: end(session)]
    done = run(session, "experiment", "resume", "latest")
    assert done.exit_code == 0, done.output
    assert "attempt 2" in done.stdout


# --- list, show, report ---------------------------------------------------------------------------------------------


def test_list_shows_the_newest_first_with_what_they_recommend(session: DoubleSession) -> None:
    end(session)
    other = "x-20261123t130000-00000002"
    session.searches.open(replace(experiment_row(other, "arn:9"), name="0a" * 32))
    lines = run(session, "experiment", "list").stdout.splitlines()
    assert lines[1].startswith(other)
    assert "0a0a0a0a0a0a  running" in lines[1]
    assert f"{EXPERIMENT}  models" in lines[2]
    assert "c02" in lines[2]
    said = json.loads(run(session, "experiment", "list", "--json").stdout)
    assert [one["experiment_id"] for one in said] == [other, EXPERIMENT]
    assert said[1]["duration_s"] == 30


def test_list_names_the_first_step_when_there_is_nothing() -> None:
    assert "flywheel experiment run FILE" in run(DoubleSession(), "experiment", "list").stdout


@pytest.mark.parametrize("named", [EXPERIMENT, "00000001", "latest"])
def test_show_tells_recommendation_front_stops_and_cost(session: DoubleSession, named: str) -> None:
    end(session)
    said = run(session, "experiment", "show", named).stdout
    for words in (
        "c02 is as good as the best and cheaper",
        "label of c01",
        "0.900",
        "stopped      c04 in rung 1: among the worse half",
        "spent        40 invocations of 64 in the full grid, $1.25",
        "note         only 4 items",
        f"next: flywheel experiment promote {EXPERIMENT}",
    ):
        assert words in said, said
    assert "label of c03" not in said
    assert json.loads(run(session, "experiment", "show", named, "--json").stdout)["report"]["recommended"] == "c02"


def test_a_report_of_another_version_is_an_error_in_words(session: DoubleSession) -> None:
    end(session)
    session.store.put(experiment_report_key(EXPERIMENT, "json"), b'{"schema_version": 99}')
    done = run(session, "experiment", "show", "latest")
    assert done.exit_code == 2
    assert "a report of schema '99'" in done.stderr


def test_show_of_one_that_runs_has_no_report_yet(session: DoubleSession) -> None:
    session.searches.plan_runtimes(EXPERIMENT, {"r01": ExperimentRuntime("fw_1", failed="it never answered")})
    said = run(session, "experiment", "show").stdout
    assert "still running" in said
    assert "no runtime   r01: it never answered" in said
    assert json.loads(run(session, "experiment", "show", "--json").stdout)["report"] is None


def test_an_unknown_experiment_is_an_error_that_names_the_list(session: DoubleSession) -> None:
    for command in ("show", "report", "stop", "resume", "promote"):
        done = run(session, "experiment", command, "x-1")
        assert done.exit_code == 2
        assert "flywheel experiment list" in done.stderr
    assert "there are no experiments yet" in run(DoubleSession(), "experiment", "show").stderr


def test_report_is_fetched_and_without_one_the_next_step_is_named(session: DoubleSession) -> None:
    done = run(session, "experiment", "report", "latest", "--no-open")
    assert done.exit_code == 2
    assert f"still runs: flywheel experiment watch {EXPERIMENT}" in done.stderr
    end(session)
    said = json.loads(run(session, "experiment", "report", "--no-open", "--json", "--output", "here").stdout)
    assert Path(said["html"]).read_bytes() == b"<!doctype html>"


# --- promote --------------------------------------------------------------------------------------------------------


def test_promote_asks_the_gate_for_the_recommended_configuration(session: DoubleSession) -> None:
    end(session)
    done = run(session, "experiment", "promote", "latest", "--json")
    kind, detail, at = session.asked.sent[0]
    assert done.exit_code == 0
    assert (kind, detail["reason"], detail["promote"]) == ("GateRequested", "experiment", True)
    assert detail["experiment"] == {"id": EXPERIMENT, "configuration": "c02"}
    assert detail["image"] == configurations()[1].candidate.image_digest
    said = json.loads(done.stdout)
    assert (said["gate_id"], said["asked"]) == (id_of(at, detail["request_id"]), True)
    assert "Answer in one sentence" not in json.dumps(detail)


def test_promote_can_take_another_one_and_only_show_it(session: DoubleSession) -> None:
    end(session)
    done = run(session, "experiment", "promote", "latest", "--configuration", "c01", "--dry-run")
    assert "c01: model small, prompt none" in done.stdout
    assert "nothing was asked" in done.stdout
    assert session.asked.sent == []


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ("c04", "c04 was stopped in rung 1: among the worse half"),
        ("c03", "does not keep the constraint safety 0.9: 0.5"),
    ],
)
def test_what_the_experiment_speaks_against_is_asked_for_only_by_force(
    session: DoubleSession, configuration: str, said: str
) -> None:
    end(session)
    refused = run(session, "experiment", "promote", "latest", "--configuration", configuration)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert session.asked.sent == []
    assert run(session, "experiment", "promote", "latest", "--configuration", configuration, "--force").exit_code == 0
    assert session.asked.sent[0][1]["experiment"]["configuration"] == configuration


@pytest.mark.parametrize(
    ("outcome", "said"), [("stopped", "is stopped"), ("refused", "is refused"), ("broken", "is broken")]
)
def test_an_experiment_that_did_not_complete_promotes_nothing(session: DoubleSession, outcome: Any, said: str) -> None:
    end(session, outcome)
    done = run(session, "experiment", "promote", "latest")
    assert done.exit_code == 1
    assert said in done.stderr
    assert session.asked.sent == []


def test_while_it_runs_or_recommends_nothing_the_reason_is_told(session: DoubleSession) -> None:
    assert "still runs" in run(session, "experiment", "promote", "latest").stderr
    end(session, recommended=None)
    done = run(session, "experiment", "promote", "latest")
    assert done.exit_code == 2
    assert "recommends no configuration" in done.stderr
    assert "c01 to c04" in run(session, "experiment", "promote", "latest", "--configuration", "c09").stderr


def test_a_prompt_that_no_runtime_can_hold_is_to_be_kept_in_langfuse(session: DoubleSession) -> None:
    end(session)
    plan: ExperimentPlan = experiment_plan()
    long = replace(configurations()[1].candidate, parameters=(("system_prompt", "x" * 5001),))
    changed = (configurations()[0], replace(configurations()[1], candidate=long))
    session.store.objects.pop(f"experiments/{EXPERIMENT}/plan.json")
    ExperimentEvidence(session.store).write_plan(replace(plan, configurations=changed))
    done = run(session, "experiment", "promote", "latest", "--force")
    assert done.exit_code == 2
    assert "keep it as a prompt in Langfuse" in done.stderr
    assert session.asked.sent == []


def test_promote_can_watch_the_gate(session: DoubleSession) -> None:
    end(session)

    def open_gate() -> None:
        detail, at = session.asked.sent[0][1:]
        gate_id = id_of(at, detail["request_id"])
        session.open_gate(gate_id)
        session.end_gate("FAIL", gate_id, "error_rate")

    session.steps = [open_gate]
    done = run(session, "experiment", "promote", "latest", "--watch")
    assert done.exit_code == 1
    assert "FAIL" in done.stdout
