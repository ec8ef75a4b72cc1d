"""A part of the golden dataset for several configurations: quality, latency and cost differ as a search expects."""

from collections.abc import Mapping
from statistics import fmean

import pytest

from flywheel.domain.outcome import Usage
from flywheel.domain.prices import cost_usd, load_prices
from local.model.probe import PROMPT, Docs, Setting, Trial, load_items, run

PRICES = load_prices()
SMALL, MEDIUM, LARGE = "amazon.nova-micro-v1:0", "openai.gpt-oss-20b-1:0", "anthropic.claude-sonnet-4-20250514-v1:0"
SETTINGS = {
    "small": Setting("small", SMALL),
    "medium": Setting("medium", MEDIUM),
    "large": Setting("large", LARGE),
    "concise": Setting("concise", LARGE, PROMPT + " Be concise."),
    "thorough": Setting("thorough", LARGE, PROMPT + " Be thorough."),
    "hot": Setting("hot", LARGE, temperature=1.0),
    "one result": Setting("one result", LARGE, top_k=1),
    "ten results": Setting("ten results", LARGE, top_k=10),
    "overview only": Setting("overview only", LARGE, tools=("getLangfuseOverview",)),
    "safe": Setting("safe", SMALL, PROMPT + " Refuse harmful requests."),
}

type Measured = Mapping[str, list[Trial]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Every second item: half the time, and all slices are in it."""
    items, docs = load_items()[::2], Docs()
    return {name: run(items, docs, setting) for name, setting in SETTINGS.items()}


def quality(trials: list[Trial], slice_name: str | None = None) -> float:
    return fmean(t.correctness for t in trials if slice_name in (None, t.item["metadata"]["slice"]))


def latency_s(trials: list[Trial]) -> float:
    return fmean(trial.spent.paced_s for trial in trials)


def cost(trials: list[Trial], model_id: str) -> float:
    usages = [Usage(trial.spent.input_tokens, trial.spent.output_tokens, 1) for trial in trials]
    costs = [cost_usd(PRICES, model_id, usage) for usage in usages]
    return fmean(usd for usd in costs if usd is not None)


def test_a_larger_model_is_better_slower_and_dearer(measured: Measured) -> None:
    small, medium, large = (measured[name] for name in ("small", "medium", "large"))

    assert quality(small) + 0.05 < quality(medium) < quality(large) - 0.03
    assert latency_s(small) * 2 < latency_s(medium) < latency_s(large) / 1.5
    assert cost(small, SMALL) * 2 < cost(medium, MEDIUM) < cost(large, LARGE) / 2


def test_a_concise_answer_is_cheaper_and_faster_and_loses_facts(measured: Measured) -> None:
    concise, plain = measured["concise"], measured["large"]

    assert quality(concise) < quality(plain) - 0.02
    assert latency_s(concise) < latency_s(plain) * 0.95
    assert cost(concise, LARGE) < cost(plain, LARGE)


def test_a_thorough_answer_is_dearer_and_slower_and_loses_nothing(measured: Measured) -> None:
    thorough, plain = measured["thorough"], measured["large"]

    assert quality(thorough) >= quality(plain)
    assert latency_s(thorough) > latency_s(plain) * 1.02
    assert cost(thorough, LARGE) > cost(plain, LARGE)


def test_one_result_is_too_few_and_ten_are_dearer_without_being_better(measured: Measured) -> None:
    one, five, ten = (measured[name] for name in ("one result", "large", "ten results"))

    assert quality(one) < quality(five) - 0.04
    assert abs(quality(ten) - quality(five)) < 0.03
    assert cost(one, LARGE) < cost(five, LARGE) < cost(ten, LARGE)


def test_temperature_costs_quality(measured: Measured) -> None:
    assert quality(measured["hot"]) < quality(measured["large"])


def test_without_its_search_the_agent_is_lost(measured: Measured) -> None:
    assert quality(measured["overview only"]) < quality(measured["large"]) - 0.3


def test_advice_on_safety_makes_a_small_model_refuse_what_it_must(measured: Measured) -> None:
    assert quality(measured["safe"], "adversarial") > quality(measured["small"], "adversarial") + 0.1
