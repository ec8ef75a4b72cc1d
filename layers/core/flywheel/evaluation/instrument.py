"""The judge as an instrument: model, prompt, choices and their scores -> one version, known before the judge is loaded.

`plan_gate` writes the version into the plan without carrying autoevals; the functions that judge check that what they
carry is what was planned. A changed instrument is a changed measurement: scores of two versions are not comparable.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from flywheel.domain.plan import JudgeSpec

# autoevals' Factuality, pinned in pyproject.toml; the hash is over its messages and its tool as canonical JSON. A test
# holds all of it against the installed package.
EVALUATOR: Final = "autoevals.Factuality"
EVALUATOR_VERSION: Final = "0.4.1"
PROMPT_SHA256: Final = "7d50e147b69a9e58b4cbba1ab789ce4ecdd10f46b28eccfc26249316bd099d6e"
CHOICES: Final = ("A", "B", "C", "D", "E")


def judge_spec(model_id: str, choice_scores: Mapping[str, float]) -> JudgeSpec:
    """Version = 16 hex digits of the SHA-256 of everything that decides what the judge says.

    Raises:
        ValueError: a choice has no score, an unknown choice has one, or a score is outside [0, 1].
    """
    if sorted(choice_scores) != list(CHOICES):
        raise ValueError(
            f"choice_scores must name exactly {', '.join(CHOICES)}, got {', '.join(sorted(choice_scores))}"
        )
    for choice, score in choice_scores.items():
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"choice_scores: {choice} = {score} is outside [0, 1]")
    canonical = json.dumps(
        [EVALUATOR, EVALUATOR_VERSION, PROMPT_SHA256, model_id, sorted(choice_scores.items())], separators=(",", ":")
    )
    return JudgeSpec(model_id, hashlib.sha256(canonical.encode()).hexdigest()[:16])
