"""The judge's endpoint and key -> judges over one client, loaded when the first one is needed.

The import is here because autoevals and openai take a second, which whoever loads can spend on something else.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flywheel.evaluation.ports import Judge


def judge_loader(
    *, base_url: str, api_key: Callable[[], str], model_id: str, deadline_s: float
) -> Callable[[Mapping[str, float]], Judge]:
    """Makes judges for given scores of the letters. `deadline_s`: of one judgement, all waiting included."""

    @cache
    def client() -> Any:
        from flywheel.adapters.judge import judge_client  # noqa: PLC0415

        return judge_client(base_url=base_url, api_key=api_key())

    def load(choice_scores: Mapping[str, float]) -> Judge:
        from flywheel.adapters.judge import FactualityJudge  # noqa: PLC0415

        return FactualityJudge(client(), model_id=model_id, choice_scores=choice_scores, deadline_s=deadline_s)

    return load
