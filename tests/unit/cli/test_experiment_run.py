"""`flywheel experiment run | save | stop | resume` against doubles."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cli.facts import StackFacts
from flywheel.domain.experiment import experiment_id as id_of
from flywheel.domain.golden import GoldenItem
from flywheel.experiment_evidence import file_key
from flywheel.experiment_triggers import parse_experiment_trigger
from tests.experiment_samples import EXPERIMENT
from tests.fakes.clock import NOON
from tests.fakes.experiments import experiment_row
from tests.unit.cli.double_session import FACTS, DoubleSession, run

ITEMS = [GoldenItem(f"i-{n}", f"Question {n}?", response_facts=("a fact",)) for n in range(12)]
AGENT = '{"model_id": "local.extractive-large"}'
HPO = {
    "models": [{"name": "a", "model_id": "local.extractive-large"}, {"name": "b", "model_id": "unheard-of"}],
    "system_prompts": [{"name": "en", "prompt": "Answer."}, {"name": "de", "prompt": "Antworte."}],
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def session() -> DoubleSession:
    double = DoubleSession(ITEMS)
    double.ssm.texts["agent"] = AGENT
    return double


def written(data: Any = HPO, name: str = "hpo_config.json", **more: Any) -> str:
    if isinstance(data, dict):
        data = json.dumps({"image": "v1"} | data | more)
    Path(name).write_text(data)
    return name


# --- run ------------------------------------------------------------------------------------------------------------


def test_the_plan_names_configurations_runtimes_rungs_and_what_they_cost(session: DoubleSession) -> None:
    done = run(session, "experiment", "run", written(search={"trials": 4}), "--dry-run")
    assert done.exit_code == 0, done.output
    for said in (
        "c04  b      de             unheard-of",
        "dataset         flywheel-golden: 12 items (12 happy_path)",
        "configurations  4",
        "runtimes        1 (r01: 4)",
        "rung 1",
        "of the full grid's 192",
        "the mean of 4 simulated searches",
        "no price        unheard-of: not in the sums",
    ):
        assert said in done.stdout, done.stdout
    assert session.asked.sent == []
    assert not session.store.objects


def test_the_plan_is_data_for_scripts(session: DoubleSession) -> None:
    said = json.loads(run(session, "experiment", "run", written(search={"trials": 4}), "--dry-run", "--json").stdout)
    assert [one["id"] for one in said["configurations"]] == ["c01", "c02", "c03", "c04"]
    assert said["configurations"][3]["values"] == {"model": "b", "system_prompt": "de"}
    assert (said["runtimes"], said["items"], said["refused"]) == ({"r01": 4}, 12, [])
    assert said["estimate"]["grid"] == 192
    assert 0 < said["estimate"]["share_of_grid"] <= 0.4
    assert said["estimate"]["unpriced"] == ["unheard-of"]


def test_all_problems_of_a_file_are_told_at_once(session: DoubleSession) -> None:
    text = '{"dimensions": {\n"top_k": [3, 99],\n"temperature": ["hot"]}}'
    done = run(session, "experiment", "run", written(text, "mine.json"))
    assert done.exit_code == 1
    assert "mine.json: line 2, dimensions.top_k.1: is 99; expected a whole number from 1 to 50" in done.stderr
    assert "mine.json: line 3, dimensions.temperature.0: is 'hot'" in done.stderr
    assert "error: 2 problems; nothing was started" in done.stderr
    found = json.loads(run(session, "experiment", "run", "mine.json", "--json").stdout)
    assert [problem["path"] for problem in found["problems"]] == ["dimensions.top_k.1", "dimensions.temperature.0"]
    assert session.asked.sent == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "v9"}, "v9"),
        ({"image": "production"}, "nothing is in production yet"),
        ({"items": ["i-1", "gone"]}, "the dataset has no items gone"),
        ({"dataset": "other"}, "no dataset other"),
        ({"budget": {"trials": 2}}, "most_invocations is 2"),
    ],
)
def test_what_would_not_start_is_refused_before_anything_is_sent(
    session: DoubleSession, change: dict[str, Any], said: str
) -> None:
    for more in (["--dry-run"], []):
        done = run(session, "experiment", "run", written(**change), *more)
        assert done.exit_code == 1
        assert "REFUSED" in done.stdout
        assert said in done.stdout
    assert session.asked.sent == []


def test_a_run_keeps_the_file_under_its_hash_and_asks_for_it(session: DoubleSession) -> None:
    done = run(session, "experiment", "run", written(), "--detach", "--json")
    assert done.exit_code == 0, done.output
    kind, detail, at = session.asked.sent[0]
    body = Path("hpo_config.json").read_bytes()
    assert kind == "ExperimentRequested"
    assert detail["file"] == hashlib.sha256(body).hexdigest()
    assert session.store.read(file_key(detail["file"])) == body
    said = json.loads(done.stdout)
    assert said["experiment_id"] == id_of(at, detail["request_id"])
    event = {"id": "e", "time": at.isoformat(), "detail-type": kind, "detail": detail}
    assert parse_experiment_trigger(event).experiment_id == said["experiment_id"]
    assert "Answer." not in json.dumps(detail)


def test_a_run_names_the_next_step(session: DoubleSession) -> None:
    done = run(session, "experiment", "run", written(), "--detach")
    assert "next: flywheel experiment watch x-" in done.stdout


def test_what_costs_more_than_the_budget_is_asked_about_first(session: DoubleSession) -> None:
    dear = {
        "models": [
            {"name": n, "model_id": m} for n, m in (("a", "anthropic.claude-opus-4-5-20251101-v1:0"), ("b", "x"))
        ]
    }
    done = run(session, "experiment", "run", written(HPO | dear, budget={"usd": 0.5}), "--detach")
    assert done.exit_code == 2
    assert "the budget is $0.50" in done.stderr
    assert "Say --yes" in done.stderr
    assert session.asked.sent == []
    assert run(session, "experiment", "run", "hpo_config.json", "--detach", "--yes").exit_code == 0
    assert len(session.asked.sent) == 1


def test_a_dear_file_without_a_budget_is_asked_about_too(session: DoubleSession) -> None:
    dear = {"models": [{"name": n, "model_id": f"{n}anthropic.claude-opus-4-5-20251101-v1:0"} for n in ("", "eu.")]}
    dear["models"][0]["name"] = "own"
    done = run(session, "experiment", "run", written(HPO | dear, search={"strategy": "grid"}), "--detach")
    assert done.exit_code == 2
    assert "the file has no budget for money" in done.stderr


def test_an_older_stack_is_told_to_be_deployed_again(session: DoubleSession) -> None:
    facts = {name: getattr(FACTS, name) for name in StackFacts.__slots__}
    session.__dict__["facts"] = StackFacts(**facts | {"experiment_machine": None})
    done = run(session, "experiment", "run", written(), "--detach")
    assert done.exit_code == 2
    assert "has no state machine for experiments: deploy it again" in done.stderr
    assert session.asked.sent == []


def test_neither_a_file_nor_a_name_says_how_to_save_one(session: DoubleSession) -> None:
    done = run(session, "experiment", "run", "nightly")
    assert done.exit_code == 2
    assert "flywheel experiment save nightly FILE" in done.stderr
    assert "there is no file ../x.json" in run(session, "experiment", "run", "../x.json").stderr


# --- save -----------------------------------------------------------------------------------------------------------


def test_a_saved_file_is_run_by_its_name(session: DoubleSession) -> None:
    assert run(session, "experiment", "save", "nightly", written()).exit_code == 0
    done = run(session, "experiment", "run", "nightly", "--detach", "--json")
    assert done.exit_code == 0, done.output
    assert session.asked.sent[0][1]["file"] == "nightly"
    assert list(session.store.objects) == [file_key("nightly")]


@pytest.mark.parametrize(("name", "code"), [("Nightly", 1), ("../x", 1), ("0" * 64, 2)])
def test_a_name_that_nothing_can_be_saved_under_is_refused(session: DoubleSession, name: str, code: int) -> None:
    assert run(session, "experiment", "save", name, written()).exit_code == code
    assert not session.store.objects


def test_a_wrong_file_is_not_saved(session: DoubleSession) -> None:
    done = run(session, "experiment", "save", "nightly", written("{}", "mine.json"))
    assert done.exit_code == 1
    assert "mine.json: " in done.stderr
    assert not session.store.objects


# --- stop and resume ------------------------------------------------------------------------------------------------


def test_stop_ends_the_execution_and_says_what_follows(session: DoubleSession) -> None:
    row = session.searches.open(experiment_row())
    done = run(session, "experiment", "stop", "00000001", "--reason", "too dear")
    assert session.machine.stopped == [(row.execution_arn, "too dear")]
    assert "its runtimes are deleted" in done.stdout
    assert f"next: flywheel experiment resume {EXPERIMENT}" in done.stdout


def test_what_has_ended_cannot_be_stopped(session: DoubleSession) -> None:
    session.searches.open(experiment_row())
    session.searches.end(EXPERIMENT, outcome="completed", reasons=(), ended=NOON)
    done = run(session, "experiment", "stop", EXPERIMENT)
    assert done.exit_code == 2
    assert "has ended already: completed" in done.stderr
    assert session.machine.stopped == []


@pytest.mark.parametrize("outcome", ["stopped", "broken"])
def test_resume_asks_for_the_same_experiment_again(session: DoubleSession, outcome: Any) -> None:
    session.searches.open(experiment_row())
    session.searches.end(EXPERIMENT, outcome=outcome, reasons=(), ended=NOON)
    assert run(session, "experiment", "resume", EXPERIMENT, "--detach").exit_code == 0
    kind, detail, _ = session.asked.sent[0]
    assert (kind, detail["file"], detail["resume"]) == ("ExperimentRequested", "models", EXPERIMENT)


@pytest.mark.parametrize("outcome", [None, "completed", "refused"])
def test_what_runs_completed_or_was_refused_is_not_resumed(session: DoubleSession, outcome: Any) -> None:
    session.searches.open(experiment_row())
    if outcome is not None:
        session.searches.end(EXPERIMENT, outcome=outcome, reasons=(), ended=NOON)
    done = run(session, "experiment", "resume", EXPERIMENT, "--detach")
    assert done.exit_code == 2
    assert "only one that was stopped or broke goes on" in done.stderr
    assert session.asked.sent == []
