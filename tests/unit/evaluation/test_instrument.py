import hashlib
import importlib.metadata
import json

import openai
import pytest
from autoevals.llm import Factuality

from flywheel.domain.policy import GatePolicy
from flywheel.evaluation import instrument
from flywheel.evaluation.instrument import judge_spec

SCORES = dict(GatePolicy().choice_scores)


def test_the_instrument_is_the_one_that_is_installed() -> None:
    client = openai.AsyncOpenAI(base_url="http://judge.test/v1", api_key="k")
    evaluator = Factuality(model="m", client=client)
    content = json.dumps([evaluator.messages, evaluator.classification_tools], sort_keys=True)

    assert importlib.metadata.version("autoevals") == instrument.EVALUATOR_VERSION
    assert hashlib.sha256(content.encode()).hexdigest() == instrument.PROMPT_SHA256
    assert tuple(evaluator.choice_scores) == instrument.CHOICES


def test_another_model_or_other_scores_are_another_version() -> None:
    versions = {
        judge_spec("m-1", SCORES).version,
        judge_spec("m-2", SCORES).version,
        judge_spec("m-1", SCORES | {"B": 0.6}).version,
    }

    assert len(versions) == 3
    assert judge_spec("m-1", dict(reversed(SCORES.items()))) == judge_spec("m-1", SCORES)


@pytest.mark.parametrize("scores", [{}, SCORES | {"F": 1.0}, {"A": 1.0}, SCORES | {"A": 1.5}, SCORES | {"A": -0.1}])
def test_scores_that_do_not_fit_the_choices_are_refused(scores: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="choice_scores"):
        judge_spec("m", scores)
