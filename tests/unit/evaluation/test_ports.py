from typing import Any

import pytest

from flywheel.evaluation.ports import Score, checked_environment


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_id": ""},
        {"name": ""},
        {"trace_id": None},
        {"experiment_id": "e"},
        {"trace_id": None, "experiment_id": "e", "observation_id": "o"},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": "1"},
        {"value": 2, "data_type": "BOOLEAN"},
        {"value": "true", "data_type": "BOOLEAN"},
        {"value": 1, "data_type": "CATEGORICAL"},
        {"value": "", "data_type": "CATEGORICAL"},
        {"value": "", "data_type": "TEXT"},
        {"value": "x" * 501, "data_type": "TEXT"},
        {"environment": "Prod!"},
        {"environment": "langfuse-x"},
        {"environment": "x" * 41},
        {"environment": ""},
    ],
)
def test_a_score_that_langfuse_would_refuse_or_drop_is_never_made(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"score_id": "s", "name": "n", "value": 0.5, "trace_id": "t"}

    with pytest.raises(ValueError, match=r"score|environment"):
        Score(**(fields | wrong))


@pytest.mark.parametrize("environment", ["default", "dev", "tst-1", "a_b", "x" * 40])
def test_an_environment_tag_that_langfuse_keeps_is_taken(environment: str) -> None:
    assert checked_environment(environment) == environment
