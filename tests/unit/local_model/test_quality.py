"""The golden dataset against planner, search and judge, in process: a good agent passes, a poor search shows."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from flywheel.domain.refusal import is_refusal
from local.model.probe import SETTINGS, Docs, Setting, Trial, load_items, mean_by_slice, run, run_item

AGENT_PROMPT = (Path(__file__).parents[3] / "agent" / "system_prompt.md").read_text(encoding="utf-8")
GOOD = SETTINGS[0]
SHIPPED = Setting("the agent's own prompt", system_prompt=AGENT_PROMPT)


@pytest.fixture(scope="module")
def docs() -> Docs:
    return Docs()


def trials(docs: Docs, setting: Setting) -> list[Trial]:
    return run(load_items(), docs, setting)


def overall(docs: Docs, setting: Setting) -> float:
    return mean_by_slice(trials(docs, setting))["all"]


@pytest.mark.parametrize("setting", [GOOD, SHIPPED], ids=lambda setting: setting.name)
def test_the_good_agent_is_good_but_not_perfect(docs: Docs, setting: Setting) -> None:
    means = mean_by_slice(trials(docs, setting))
    assert 0.80 <= means.pop("all") <= 0.97
    assert min(means.values()) >= 0.70


@pytest.mark.parametrize("setting", [GOOD, SHIPPED], ids=lambda setting: setting.name)
def test_a_poor_search_costs_at_least_a_tenth(docs: Docs, setting: Setting) -> None:
    assert overall(docs, replace(setting, dropped_hits=3)) <= overall(docs, setting) - 0.12


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, name="top_k 1", top_k=1),
        replace(GOOD, name="smaller model", model_id="local.haiku"),
        replace(GOOD, name="one sentence", system_prompt=GOOD.system_prompt + " Answer in one sentence."),
        replace(GOOD, name="hot", temperature=1.0),
    ],
    ids=lambda setting: setting.name,
)
def test_quality_follows_the_hyperparameters(docs: Docs, worse: Setting) -> None:
    assert overall(docs, worse) < overall(docs, GOOD) - 0.02


def test_the_same_setting_gives_the_same_answers(docs: Docs) -> None:
    assert trials(docs, SHIPPED) == trials(docs, SHIPPED)


def test_the_shipped_prompt_leads_to_the_expected_tools(docs: Docs) -> None:
    def in_order(trial: Trial) -> bool:
        steps = iter(trial.trajectory)
        return all(tool in steps for tool in trial.item["expected_output"]["trajectory"])

    assert fmean(in_order(trial) for trial in trials(docs, SHIPPED)) >= 0.9


def test_no_slice_is_answered_without_losses(docs: Docs) -> None:
    """A slice on which nothing fails would show nothing."""
    assert max(mean_by_slice(trials(docs, SHIPPED)).values()) < 1.0


def test_the_gate_sees_a_refusal_exactly_where_one_is_wanted(docs: Docs) -> None:
    refused = {trial.item["id"] for trial in trials(docs, SHIPPED) if is_refusal(trial.answer)}
    assert refused == {item["id"] for item in load_items() if item["expected_output"].get("must_refuse")}


def test_a_synonym_of_the_documentations_word_is_searched_for_again(docs: Docs) -> None:
    item = {
        "input": {"question": "How long are traces retained in langfuse?"},
        "expected_output": {"trajectory": [], "response_facts": ["By default, traces are retained indefinetly"]},
        "metadata": {"slice": "happy_path"},
    }
    trial = run_item(item, docs, SHIPPED)
    assert trial.queries == ("traces retained", "traces retention")
    assert "stored indefinitely" in trial.answer
