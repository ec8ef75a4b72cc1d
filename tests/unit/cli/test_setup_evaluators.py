"""Langfuse's own evaluators set up: only when asked for, once, kept where a person chose, clear when it cannot be."""

import json
from typing import Any

import pytest

from cli.setup_evaluators import EvaluatorPart, RulePart
from cli.setup_rows import Part, carry_out
from flywheel.domain.live_evaluators import CORRECTNESS, HELPFULNESS, evaluator, live_rule
from flywheel.domain.own_traffic import tags_of_own
from flywheel.domain.synthetic import SYNTHETIC_TAG
from tests.fakes.evaluators import MODEL, InMemoryEvaluators
from tests.fakes.langfuse_server import LangfuseServer, refusal
from tests.unit.cli.double_session import DoubleSession, run

ENABLE = "--enable-evaluators"
OURS = ("evaluator", "evaluation rule")


@pytest.fixture
def server() -> LangfuseServer:
    return LangfuseServer()


@pytest.fixture
def session(server: LangfuseServer) -> DoubleSession:
    session = DoubleSession()
    session.__dict__["langfuse_api"] = server.api()
    session.ssm.texts["judge-api-key"] = "sk-of-the-judge"
    return session


def rows(session: DoubleSession, *options: str, exit_code: int = 0) -> list[dict[str, str]]:
    result = run(session, "setup", "langfuse", *options, "--json")
    assert result.exit_code == exit_code, result.output
    found: list[dict[str, str]] = json.loads(result.stdout)["rows"]
    return found


def states(found: list[dict[str, str]]) -> list[str]:
    return [row["state"] for row in found if row["part"] in OURS]


def rules(server: LangfuseServer) -> dict[str, dict[str, Any]]:
    return {rule["target"]: rule for rule in server.get("unstable/evaluation-rules")["data"]}


def test_nothing_that_costs_money_is_made_unless_it_is_asked_for(
    server: LangfuseServer, session: DoubleSession
) -> None:
    assert states(rows(session)) == []
    assert server.get("unstable/evaluators")["data"] == []


def test_a_dry_run_says_what_would_be_made_and_writes_nothing(server: LangfuseServer, session: DoubleSession) -> None:
    found = rows(session, ENABLE, "--dry-run")
    assert states(found) == ["create"] * 4
    assert "every item of every experiment" in found[-3]["said"]
    assert "0.05 of the live traces" in found[-1]["said"]
    assert server.writes() == []


def test_a_second_time_writes_nothing_and_the_check_finds_all_of_it(
    server: LangfuseServer, session: DoubleSession
) -> None:
    assert states(rows(session, ENABLE)) == ["created"] * 4
    server.seen.clear()
    assert states(rows(session, ENABLE)) == ["exists"] * 4
    checked = json.loads(run(session, "setup", "check", "--evaluators", "--json").stdout)["rows"]
    assert states(checked) == ["exists"] * 4
    assert server.writes() == []


def test_rules_see_our_dataset_and_live_traces_of_people(server: LangfuseServer, session: DoubleSession) -> None:
    rows(session, ENABLE)
    made = rules(server)
    dataset = server.get("v2/datasets/flywheel-golden")["id"]
    assert [one["value"] for one in made["experiment"]["filter"]] == [[dataset]]
    live = {one["column"]: (one["operator"], one["value"]) for one in made["observation"]["filter"]}
    assert live["tags"] == ("none of", [SYNTHETIC_TAG, *tags_of_own()])
    assert live["environment"] == ("any of", ["dev"])
    assert (made["observation"]["sampling"], made["observation"]["status"]) == (0.05, "active")


def test_a_smaller_model_and_a_share_are_options_and_stay_when_they_are_not_named_again(
    server: LangfuseServer, session: DoubleSession
) -> None:
    rows(session, ENABLE, "--live-model", "local.small", "--live-sampling", "0.2")
    server.seen.clear()
    assert states(rows(session, ENABLE)) == ["exists"] * 4
    assert server.writes() == []
    models = {one["name"]: one["modelConfig"]["model"] for one in server.get("unstable/evaluators")["data"]}
    assert models == {CORRECTNESS: "local.judge", HELPFULNESS: "local.small"}
    assert rules(server)["observation"]["sampling"] == 0.2
    found = rows(session, ENABLE, "--live-sampling", "0.5", "--live-model", "local.tiny")
    assert states(found) == ["exists", "exists", "changed", "changed"]
    assert rules(server)["observation"]["sampling"] == 0.5


def test_what_was_changed_by_hand_becomes_ours_again_as_a_next_version(
    server: LangfuseServer, session: DoubleSession
) -> None:
    rows(session, ENABLE)
    api = server.api()
    evaluator_row = next(one for one in server.get("unstable/evaluators")["data"] if one["name"] == CORRECTNESS)
    kept = {key: evaluator_row[key] for key in ("name", "type", "outputDefinition", "modelConfig")}
    api.post("unstable/evaluators", kept | {"prompt": "{{question}}{{facts}}{{must_refuse}}{{answer}} be kind"})
    rule = rules(server)["experiment"]
    api.request("PATCH", f"unstable/evaluation-rules/{rule['id']}", b'{"enabled":false}', deadline_s=1)
    found = rows(session, ENABLE, "--dry-run")
    assert [(row["state"], row["said"].partition(":")[0]) for row in found[-4:-2]] == [
        ("change", "prompt"),
        ("change", "enabled"),
    ]
    assert states(rows(session, ENABLE)) == ["changed", "changed", "exists", "exists"]
    assert server.get(f"unstable/evaluators/{evaluator_row['id']}")["version"] == 3
    assert rules(server)["experiment"]["status"] == "active"


def test_a_server_without_the_api_says_it_once_and_the_rest_is_made(
    server: LangfuseServer, session: DoubleSession
) -> None:
    server.before = lambda _method, path: refusal(404, "nothing here") if path.startswith("unstable/") else None
    found = rows(session, ENABLE)
    assert states(found) == ["not offered"]
    assert "offers no evaluators" in found[-1]["said"]
    assert {row["state"] for row in found[:-1]} == {"created"}


def test_a_model_that_cannot_be_used_gets_a_cause_and_a_next_step(
    server: LangfuseServer, session: DoubleSession
) -> None:
    del session.ssm.texts["judge-api-key"]  # so there is no connection
    found = [row for row in rows(session, ENABLE, exit_code=1) if row["part"] == "evaluator"]
    assert [row["state"] for row in found] == ["refused", "refused"]
    assert "No valid LLM model found" in found[0]["said"]
    assert "flywheel-judge" in found[0]["next_step"]


def test_a_rule_that_langfuse_has_paused_is_told(server: LangfuseServer, session: DoubleSession) -> None:
    rows(session, ENABLE)
    connection = server.get("llm-connections")["data"][0]["id"]
    server.api().request("DELETE", f"llm-connections/{connection}", deadline_s=1)
    del session.ssm.texts["judge-api-key"]
    paused = [row for row in rows(session, ENABLE, exit_code=1) if row["part"] == "evaluation rule"]
    assert [row["state"] for row in paused] == ["differs", "differs"]
    assert all("paused" in row["said"] and row["next_step"] for row in paused)


@pytest.mark.parametrize("option", [("--live-sampling", "0"), ("--live-sampling", "1.5"), ("--live-model", "x")])
def test_options_that_make_no_sense_are_refused(session: DoubleSession, option: tuple[str, str]) -> None:
    enable = (ENABLE,) if option[0] == "--live-sampling" else ()
    assert run(session, "setup", "langfuse", *enable, *option).exit_code == 2


def test_parts_work_with_any_store_of_evaluators() -> None:
    store, wanted = InMemoryEvaluators(MODEL), live_rule("prod")
    parts: list[Part] = [
        EvaluatorPart(evaluator(HELPFULNESS, MODEL), model_chosen=False, store=store),
        RulePart(wanted.name, lambda: wanted, sampling_chosen=False, model=MODEL, store=store),
    ]
    for state in ("created", "exists"):
        assert [row.state for row in carry_out(parts, dry_run=False)] == [state] * 2
    store.offered = False
    assert [row.state for row in carry_out(parts, dry_run=False)] == ["not offered"]
