from datetime import date
from typing import Any

import pytest

from flywheel.domain.outcome import Usage
from flywheel.domain.prices import (
    ModelPrice,
    PriceTable,
    cost_usd,
    estimate_gate_cost,
    load_prices,
    parse_prices,
)
from flywheel.errors import InvalidRequestError

TABLE = PriceTable(
    "2026-08-06", "a page", {"acme.large-v1:0": ModelPrice(3, 15), "global.acme.large-v1:0": ModelPrice(2, 10)}
)
USAGE = Usage(input_tokens=1_000_000, output_tokens=100_000, model_calls=2)


@pytest.mark.parametrize(
    ("model_id", "usd"),
    [
        ("acme.large-v1:0", 4.5),
        ("us.acme.large-v1:0", 4.5),
        ("eu.acme.large-v1:0", 4.5),
        ("global.acme.large-v1:0", 3.0),
        ("arn:aws:bedrock:eu-west-1::foundation-model/acme.large-v1:0", 4.5),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.acme.large-v1:0", 4.5),
        ("acme.small-v1:0", None),
        ("mars.acme.large-v1:0", None),
        ("eu.eu.acme.large-v1:0", None),
        ("us.large", None),
        ("", None),
    ],
)
def test_a_model_is_found_with_and_without_its_region(model_id: str, usd: float | None) -> None:
    assert cost_usd(TABLE, model_id, USAGE) == (None if usd is None else pytest.approx(usd))


def test_no_tokens_cost_nothing() -> None:
    assert cost_usd(TABLE, "acme.large-v1:0", Usage()) == 0.0


def test_the_packaged_table_is_valid_dated_and_prices_the_usual_models() -> None:
    prices = load_prices()
    date.fromisoformat(prices.as_of)
    assert prices.source.startswith("https://")
    for model_id in (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openai.gpt-oss-120b-1:0",
        "eu.amazon.nova-lite-v1:0",
    ):
        assert cost_usd(prices, model_id, USAGE), model_id


def test_a_gate_is_estimated_over_all_arms_and_judgements() -> None:
    estimate = estimate_gate_cost(
        TABLE,
        arm_models=["acme.large-v1:0", "global.acme.large-v1:0"],
        trials_per_arm=10,
        facts=20,
        judge_model="acme.large-v1:0",
        trial_usage=Usage(1_000_000, 0, 1),
        judgement_usage=Usage(0, 100_000, 1),
    )
    assert estimate.usd == pytest.approx(10 * 3 + 10 * 2 + 40 * 1.5)
    assert (estimate.invocations, estimate.judgements, estimate.unpriced) == (20, 40, ())


def test_an_estimate_names_what_it_leaves_out() -> None:
    estimate = estimate_gate_cost(TABLE, arm_models=["x", "x"], trials_per_arm=10, facts=5, judge_model="y")
    assert (estimate.usd, estimate.unpriced) == (0.0, ("x", "y"))
    free = estimate_gate_cost(TABLE, arm_models=["acme.large-v1:0"], trials_per_arm=1, facts=5, judge_model=None)
    assert free.unpriced == ()
    assert free.usd > 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "a JSON object, not null"),
        ([], "a JSON object, not a list"),
        ({}, "version is None"),
        ({"version": 1, "as_of": "x", "source": "y", "models": []}, "models is a list"),
        ({"version": 1, "as_of": "x", "source": "y", "models": {"m": {"input": 1}}}, "models.m needs input and output"),
        ({"version": 1, "as_of": "x", "source": "y", "models": {"m": {"input": -1, "output": 1}}}, "models.m.input"),
        ({"version": 1, "as_of": "x", "source": "y", "models": {"m": {"input": 1, "output": "1"}}}, "models.m.output"),
        (
            {"version": 1, "as_of": "x", "source": "y", "models": {"m": {"input": 1, "output": float("nan")}}},
            "models.m.output",
        ),
        ({"version": 1, "as_of": "x", "source": "y", "models": {}, "model": {}}, "unknown key 'model'"),
    ],
)
def test_a_wrong_table_is_refused_by_name(data: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        parse_prices(data)
