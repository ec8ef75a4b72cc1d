"""Tokens and a price table -> US dollars, measured and estimated. The table is `prices.json`, to be edited freely."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from flywheel.domain.json_words import kind, shown
from flywheel.domain.outcome import Usage
from flywheel.errors import InvalidRequestError

_TOKENS = 1_000_000
# An inference profile: where the request may be routed, then the model.
_PROFILE = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)")


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """USD per 1M tokens."""

    input_usd: float
    output_usd: float


@dataclass(frozen=True, slots=True)
class PriceTable:
    """`as_of` is the ISO date of the list, `source` where to check it; `models` is by model id."""

    as_of: str
    source: str
    models: Mapping[str, ModelPrice]

    def price(self, model_id: str) -> ModelPrice | None:
        """The price of a model id, an inference profile (`eu.`, `global.` ...) or the ARN of either.

        A profile with an entry of its own has that price, otherwise its model's; None when neither is there.
        """
        name = model_id.rsplit("/", 1)[-1] if model_id.startswith("arn:") else model_id
        return self.models.get(name) or self.models.get(_PROFILE.sub("", name, count=1))


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a gate will cost at most, were every planned trial to run. `usd` leaves out the `unpriced` models."""

    usd: float
    invocations: int
    judgements: int
    unpriced: tuple[str, ...] = ()


# A question answered with two searches, and one fact judged: generous figures of the demonstration agent, used only
# to refuse a gate that is far too expensive before it starts.
TYPICAL_TRIAL = Usage(input_tokens=12_000, output_tokens=800, model_calls=3)
TYPICAL_JUDGEMENT = Usage(input_tokens=1_500, output_tokens=300, model_calls=1)


def cost_usd(prices: PriceTable, model_id: str, usage: Usage) -> float | None:
    """Cost of the tokens; None when the table does not know the model."""
    price = prices.price(model_id)
    if price is None:
        return None
    return (usage.input_tokens * price.input_usd + usage.output_tokens * price.output_usd) / _TOKENS


def estimate_gate_cost(
    prices: PriceTable,
    *,
    arm_models: Iterable[str],
    trials_per_arm: int,
    facts: int,
    judge_model: str | None,
    stored_facts: int = 0,
    trial_usage: Usage = TYPICAL_TRIAL,
    judgement_usage: Usage = TYPICAL_JUDGEMENT,
) -> CostEstimate:
    """Cost of a gate if all its trials run.

    `arm_models` has the model id of each arm, `trials_per_arm` counts all trials of one arm, `facts` the judgements
    that those trials need. `judge_model` None: nothing is judged for money. `stored_facts` counts the judgements
    of stored answers.
    """
    arms = list(arm_models)
    judgements = facts * len(arms) + stored_facts
    costs = {
        (f"arm {n}", model): (trials_per_arm, cost_usd(prices, model, trial_usage)) for n, model in enumerate(arms)
    }
    if judge_model is not None:
        costs["judge", judge_model] = (judgements, cost_usd(prices, judge_model, judgement_usage))
    return CostEstimate(
        usd=math.fsum(count * cost for count, cost in costs.values() if cost is not None),
        invocations=trials_per_arm * len(arms),
        judgements=judgements,
        unpriced=tuple(sorted({model for (_, model), (_, cost) in costs.items() if cost is None})),
    )


def load_prices() -> PriceTable:
    """The table of the package's `prices.json`."""
    return parse_prices(json.loads(resources.files("flywheel").joinpath("prices.json").read_text("utf-8")))


def parse_prices(data: Any) -> PriceTable:
    """Check a price table.

    Raises:
        InvalidRequestError: names everything that is wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"a price table is a JSON object, not {kind(data)}")
    problems = [
        f"unknown key {shown(key)}"
        for key in data
        if key not in {"version", "unit", "note", "as_of", "source", "models"}
    ]
    problems += [] if data.get("version") == 1 else [f"version is {shown(data.get('version'))}; expected 1"]
    problems += [f"{key} is missing" for key in ("as_of", "source") if not isinstance(data.get(key), str)]
    models = data.get("models")
    if isinstance(models, Mapping):
        problems += [problem for name, price in models.items() for problem in _price_problems(name, price)]
    else:
        problems.append(f"models is {kind(models)}; expected an object of model ids")
        models = {}
    if problems:
        raise InvalidRequestError("the price table is invalid: " + "; ".join(problems))
    prices = {name: ModelPrice(float(price["input"]), float(price["output"])) for name, price in models.items()}
    return PriceTable(data["as_of"], data["source"], prices)


def _price_problems(name: str, price: Any) -> list[str]:
    if not isinstance(price, Mapping) or set(price) != {"input", "output"}:
        return [f"models.{name} needs input and output, in USD per 1M tokens, and nothing else"]
    return [
        f"models.{name}.{side} is {shown(value)}; expected a number from 0 on"
        for side, value in price.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf
    ]
